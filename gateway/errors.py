"""Errors of the gateway itself. Each says what happened and what to do next; none repeats a citizen's data."""

from __future__ import annotations

from collections.abc import Sequence

from xoev_schemas.findings import Finding


class GatewayError(Exception):
    """Base of the errors that a command shows as one clean message (exit code 2 unless it says otherwise).

    text: what happened, where and why. code: what scripts tell it by (`snake_case`). remedy: what to do next.
    """

    exit_code = 2
    code = "failed"

    def __init__(
        self, text: str = "", *, code: str | None = None, remedy: str = "", findings: Sequence[Finding] = ()
    ) -> None:
        super().__init__(text)
        self.code = code or self.code
        self.remedy = remedy
        self.findings = list(findings)


class ConfigurationError(GatewayError):
    """The configuration is wrong; `findings` name file, line and remedy, all at once."""

    code = "configuration"

    def __init__(self, findings: Sequence[Finding]) -> None:
        lines = [f"{f.path}{':' + str(f.line) if f.line else ''}: {f.text.en} {f.remedy.en}".rstrip() for f in findings]
        told = "the configuration is not usable:\n" + "\n".join(f"  {line}" for line in lines)
        super().__init__(told, findings=findings)


class IllegalTransition(GatewayError):
    """A state change that the table does not know: always a bug or a lost race, never ignored."""

    code = "illegal_transition"


class Conflict(GatewayError):
    """Somebody else changed it first (optimistic lock, fencing number, claim lost)."""

    code = "conflict"


class NotFound(GatewayError):
    """There is no such thing, or it is not yours to see: both look the same."""

    exit_code = 1
    code = "not_found"


class StoreUnavailable(GatewayError):
    """The database did not answer or refused to commit; nothing was accepted. Repeat later."""

    code = "store_unavailable"


class Refused(GatewayError):
    """An intake refusal: HTTP status, problem code and findings. Nothing of the content is kept.

    status: 400 malformed · 401 · 403 · 409 · 413 · 415 · 422 · 429 · 503 (`retry_after` seconds).
    """

    def __init__(
        self, status: int, code: str, title: str, *, findings: Sequence[Finding] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(f"{code}: {title}", code=code, findings=findings)
        self.status = status
        self.title = title
        self.retry_after = retry_after

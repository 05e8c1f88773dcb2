"""Errors of the gateway itself. Each says what happened and what to do next; none repeats a citizen's data."""

from __future__ import annotations

from collections.abc import Sequence

from xoev_schemas.findings import Finding


class GatewayError(Exception):
    """Base of the errors that a command shows as one clean message (exit code 2 unless it says otherwise)."""

    exit_code = 2


class ConfigurationError(GatewayError):
    """The configuration is wrong; `findings` name file, line and remedy, all at once."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        lines = [f"{f.path}{':' + str(f.line) if f.line else ''}: {f.text.en} {f.remedy.en}".rstrip() for f in findings]
        super().__init__("the configuration is not usable:\n" + "\n".join(f"  {line}" for line in lines))


class IllegalTransition(GatewayError):
    """A state change that the table does not know: always a bug or a lost race, never ignored."""


class Conflict(GatewayError):
    """Somebody else changed it first (optimistic lock, fencing number, claim lost)."""


class NotFound(GatewayError):
    """There is no such thing, or it is not yours to see: both look the same."""

    exit_code = 1


class StoreUnavailable(GatewayError):
    """The database did not answer or refused to commit; nothing was accepted. Repeat later."""


class Refused(GatewayError):
    """An intake refusal: HTTP status, problem code and findings. Nothing of the content is kept.

    status: 400 malformed · 401 · 403 · 409 · 413 · 415 · 422 · 429 · 503 (`retry_after` seconds).
    """

    def __init__(
        self, status: int, code: str, title: str, *, findings: Sequence[Finding] = (), retry_after: int | None = None
    ) -> None:
        super().__init__(f"{code}: {title}")
        self.status = status
        self.code = code
        self.title = title
        self.findings = list(findings)
        self.retry_after = retry_after

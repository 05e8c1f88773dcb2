"""What every adapter is: one small protocol, and three errors that carry the decision.

An adapter translates its protocol's faults into `Retryable`, `Permanent` or `OutcomeUnknown`; nothing else in the
gateway decides whether something may be sent again. The question is never "how bad" but "did the target act?".
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

from xoev_schemas.findings import Finding

FailureClass = Literal[
    "unavailable",  # nothing arrived: refused, DNS, TLS handshake, 503
    "throttled",  # 429, 503 + Retry-After
    "unknown_outcome",  # sent, and nobody can know
    "rejected_by_target",  # 400, 409, 422, SOAP Client fault: repeating cannot help
    "auth",  # 401, 403, certificate
    "mapping",  # required source missing, code without counterpart (raised by the mapping, not by adapters)
    "contract",  # operation or field unknown to the target, answer against its own schema
    "poison",  # the worker died on it n times, or the broker's delivery limit
    "expired",  # give-up time over
    "bug",  # any other exception in our own code
]


class DeliveryError(Exception):
    """Base of the three outcomes that are not a receipt.

    code: normalised, without personal data (`http.503`, `soap.client`, `tcp.refused`).
    failure: the class of `FailureClass`.
    detail: the foreign text as received, may hold personal data: stored encrypted, never logged.
    `str(error)` is safe to log: it is built from failure and code alone.
    """

    failure: FailureClass

    def __init__(self, code: str, *, failure: FailureClass, detail: str = "") -> None:
        super().__init__(f"{failure}: {code}")
        self.code = code
        self.failure = failure
        self.detail = detail


class Retryable(DeliveryError):
    """Surely not processed, or surely safe to repeat. retry_after: seconds the target asked for, or None."""

    def __init__(
        self, code: str, *, failure: FailureClass = "unavailable", detail: str = "", retry_after: float | None = None
    ) -> None:
        super().__init__(code, failure=failure, detail=detail)
        self.retry_after = retry_after


class Permanent(DeliveryError):
    """Repeating the same request cannot help; a person or another configuration can."""

    def __init__(self, code: str, *, failure: FailureClass = "rejected_by_target", detail: str = "") -> None:
        super().__init__(code, failure=failure, detail=detail)


class OutcomeUnknown(DeliveryError):
    """Sent, and nobody can know whether the target acted. Never repeated blindly."""

    def __init__(self, code: str, *, detail: str = "") -> None:
        super().__init__(code, failure="unknown_outcome", detail=detail)


class InProgress(OutcomeUnknown):
    """The target has taken it and will say later what came of it. Who cannot follow takes it for an unknown outcome.

    ticket: what `Follows.follow` needs to ask; may hold personal data: stored encrypted, never logged.
    ask_after: seconds after which the target wants to be asked, or None.
    """

    def __init__(self, code: str, *, ticket: str, ask_after: float | None = None, detail: str = "") -> None:
        super().__init__(code, detail=detail)
        self.ticket = ticket
        self.ask_after = ask_after


@dataclass(frozen=True, slots=True)
class RequestAttachment:
    """An attachment as a target gets it. Each call of `chunks()` streams the plaintext from its start."""

    attachment_id: str
    filename: str
    media_type: str
    size: int
    sha512: str
    chunks: Any  # Callable[[], Iterator[bytes]]

    def read(self) -> bytes:
        stream: Iterator[bytes] = self.chunks()
        return b"".join(stream)


@dataclass(frozen=True, slots=True)
class Request:
    """What goes to a target: a body in the target's own shape (as its request mapping made it), and what identifies it.

    key: the idempotency key, the same for every attempt of a delivery (the delivery id).
    body: nested dicts, lists, str, int, Decimal, bool, None; names as in the target's WSDL, OpenAPI or schema.
    possible_repeat: an earlier attempt's outcome was unknown; the target is told so where it has a place for it.
    received_at: RFC 3339, the legal moment of receipt.
    """

    key: str
    submission_id: str
    body: Mapping[str, Any]
    service: str
    received_at: str
    case_id: str | None = None
    possible_repeat: bool = False
    test: bool = False
    traceparent: str | None = None
    attachments: Sequence[RequestAttachment] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """Proof that the target has it.

    references: name → value as the target's configuration names them (`aktenzeichen`, `vorgangsnummer`).
    evidence: the answer as received (bytes, may hold personal data), stored encrypted.
    already_there: the target said it knew this key before (a marked repeat, or found by `probe`).
    """

    references: Mapping[str, str] = field(default_factory=dict)
    evidence: bytes = b""
    evidence_type: str = "application/octet-stream"
    already_there: bool = False


@runtime_checkable
class Adapter(Protocol):
    """One department system's protocol. Built once per target and shared by worker threads: must be thread-safe."""

    def check(self) -> list[Finding]:
        """Configuration against the target's WSDL, OpenAPI or schema. No network. Empty = fine."""
        ...

    def ping(self) -> None:
        """Reachable and authorised? Returns None or raises one of the three errors."""
        ...

    def deliver(self, request: Request) -> Receipt:
        """Send once, within the target's `timeout`. Raises Retryable, Permanent or OutcomeUnknown; never anything
        else.
        """
        ...

    def probe(self, key: str) -> Receipt | None:
        """Did an earlier attempt with this key arrive? None = surely not.

        Raises Retryable when the question could not be answered now, Permanent when this target cannot be asked at all
        (failure `contract`, code `probe.unsupported`).
        """
        ...

    def required_fields(self) -> list[FieldSpec] | None:
        """What the target's operation takes, for `gateway check`; None when it has no description."""
        ...

    def close(self) -> None: ...


@dataclass(frozen=True, slots=True)
class Preview:
    """What `deliver` would send, for a person to read. Secrets are masked; the body is exact.

    action: the HTTP method, or `publish`. address: URL, or broker and queue. headers: HTTP header fields, or message
    properties.
    """

    action: str
    address: str
    headers: Mapping[str, str]
    body: bytes


@runtime_checkable
class Previews(Protocol):
    """What an adapter may be besides: one that shows a request without sending it (`gateway map --target`)."""

    def preview(self, request: Request) -> Preview:
        """As `deliver` would send it now, built and checked the same way. No network. Raises Permanent."""
        ...


@runtime_checkable
class Follows(Protocol):
    """What an adapter may be besides: one whose target takes a case first and says later what came of it."""

    def follow(self, ticket: str) -> Receipt:
        """What came of the case that `deliver` left in progress under this ticket.

        Raises InProgress (not yet), Retryable (it could not be asked now), Permanent (`rejected_by_target`: refused in
        the end; other classes: it cannot be asked so), OutcomeUnknown (the ticket leads nowhere any more).
        """
        ...


@runtime_checkable
class ServesContract(Protocol):
    """What an adapter may be besides: one that can hold its description against the one that the target serves."""

    def compare_contract(self) -> list[Finding] | None:
        """What the target's own description says otherwise than the one we check by; None when it serves none.

        Raises the three errors when it could not be fetched.
        """
        ...


@dataclass(frozen=True, slots=True)
class FieldSpec:
    """One leaf or group of the target's request: dotted path (`Vorgang.Antragsteller.Name`), whether it must be
    filled.
    """

    path: str
    required: bool
    type: str
    allowed: Sequence[str] = ()
    max_length: int | None = None
    repeated: bool = False


@dataclass(frozen=True, slots=True)
class TargetConfig:
    """What an adapter is built from: the target's folder and its settings as read from `target.yaml`.

    settings: everything in the file that the gateway itself does not read (`url`, `wsdl`, `operation`, `openapi`,
    `queue` …).
    secrets: `${file:…}` and `${env:…}` references in settings are resolved before the adapter sees them.
    """

    name: str
    folder: str
    settings: Mapping[str, Any]
    references: Mapping[str, str] = field(default_factory=dict)
    key: str | None = None
    probe: Mapping[str, Any] | None = None
    timeout: float = 30.0

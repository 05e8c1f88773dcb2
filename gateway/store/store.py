"""The store: every row the gateway keeps, behind one object. SQLite (one writer) or PostgreSQL, the same code.

Rules that hold for every method:

- A change of state is one conditional update + one `event` row + its outbox row, in one transaction, or nothing.
- Methods that change something return a `Future`: the writer thread groups what arrives together into one commit, and the
  future is resolved only after that commit is on disk (`fsync`). Methods that only read return at once.
- Errors: `StoreUnavailable` when the database did not commit, `Conflict` when somebody else was first.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gateway.delivery import Delivery, Outcome
from gateway.submission import Checked, Submission
from xoev_schemas.findings import Finding

# ---------------------------------------------------------------- what goes in, what comes out


@dataclass(frozen=True, slots=True)
class Accepted:
    """Answer of `accept`. created: False when the inbox key was already there (the first answer is repeated)."""

    created: bool
    submission_id: str
    case_id: str
    status: str
    received_at: datetime
    findings: Sequence[Finding] = ()


@dataclass(frozen=True, slots=True)
class KeyReused:
    """The same inbox key came with other content."""

    submission_id: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """The delivery is ours until `delivery.claimed_until`; write with `delivery.fence`.

    unfinished_attempt: number of an attempt that was recorded and never ended: its outcome is unknown.
    """

    delivery: Delivery
    unfinished_attempt: int | None = None


@dataclass(frozen=True, slots=True)
class NotClaimable:
    """ended: nothing to do · not_due: waits until `until` · taken: another worker holds it until `until` · missing · dead."""

    why: Literal["ended", "not_due", "taken", "missing", "dead"]
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class OutboxRow:
    """One message to be published. message_id is the same for every copy of the row."""

    outbox_id: int
    delivery_id: str
    submission_id: str
    target: str
    service: str
    attempt: int
    due_at: datetime
    rung: str | None
    traceparent: str | None

    @property
    def message_id(self) -> str:
        return f"{self.delivery_id}.{self.outbox_id}"


@dataclass(frozen=True, slots=True)
class AttemptStart:
    """Recorded and committed before the adapter is called. Digests are SHA-256 hex of the canonical JSON."""

    worker: str
    package_version: str
    case_digest: str
    request_digest: str
    possible_repeat: bool


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One row per death."""

    dead_id: str
    delivery_id: str | None
    submission_id: str | None
    case_id: str | None
    service: str | None
    target: str | None
    department: str | None
    failure: str
    code: str
    place: str
    fingerprint: str
    text: str
    remedy: str
    source: str
    attempts: int
    received_at: datetime | None
    died_at: datetime
    state: Literal["open", "redriven", "resolved", "discarded"]


@dataclass(frozen=True, slots=True)
class SubmissionView:
    """What `GET /v1/submissions/{id}` and `case show` are built from; no content."""

    submission_id: str
    case_id: str
    channel: str
    client: str
    service: str
    department: str
    kind: str
    state: str
    standard: str
    message: str
    received_at: datetime
    test: bool
    final: bool
    deliveries: Sequence[DeliveryView] = ()
    events: Sequence[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class DeliveryView:
    delivery_id: str
    target: str
    state: str
    references: dict[str, str]
    attempts: int
    due_at: datetime | None
    failure: str | None
    code: str | None
    possible_repeat: bool


class Store:
    """See the module. Built with `Store.open(url, keys=…, clock=…)`; thread-safe; `close()` waits for the writer."""

    # -- intake
    def accept(self, submission: Submission, checked: Checked, targets: Sequence[str], content: Any,
               *, first_outbox: bool = True) -> Future[Accepted | KeyReused]: ...
    def reject(self, submission: Submission, checked: Checked) -> Future[None]: ...
    def find_by_key(self, channel: str, client: str, key: str, digest: str) -> Accepted | KeyReused | None: ...
    def suspected_duplicate(self, client: str, digest: str, since: datetime) -> str | None: ...
    def backlog(self) -> int: ...

    # -- reading
    def view(self, submission_id: str, *, events: bool = False) -> SubmissionView: ...
    def matter(self, case_id: str, *, client: str | None = None) -> list[SubmissionView]: ...
    def search(self, text: str) -> list[str]: ...
    def submission(self, submission_id: str) -> tuple[Submission, Checked]: ...
    def delivery(self, delivery_id: str) -> Delivery: ...

    # -- relay and sweep
    def due_outbox(self, limit: int, now: datetime) -> list[OutboxRow]: ...
    def forget_outbox(self, outbox_ids: Sequence[int]) -> Future[None]: ...
    def sweep(self, now: datetime, tolerance_seconds: float) -> Future[int]: ...
    def rebuild(self) -> Future[int]: ...
    def acquire_lease(self, name: str, holder: str, seconds: float) -> Future[bool]: ...

    # -- worker
    def claim(self, delivery_id: str, worker: str, lease_seconds: float) -> Future[Claimed | NotClaimable]: ...
    def postpone(self, delivery_id: str, due_at: datetime, why: str, rung: str | None) -> Future[None]: ...
    def start_attempt(self, delivery: Delivery, start: AttemptStart) -> Future[int]: ...
    def finish(self, delivery: Delivery, attempt: int | None, outcome: Outcome) -> Future[None]: ...
    def attempt_unknown(self, delivery: Delivery, attempt: int, code: str, detail: str) -> Future[None]: ...
    def resolve_unknown(self, delivery: Delivery, attempt: int, outcome: Outcome) -> Future[None]: ...
    def circuit(self, target: str) -> dict[str, Any] | None: ...
    def set_circuit(self, target: str, state: dict[str, Any]) -> Future[None]: ...

    # -- dead letters
    def bury(self, delivery_id: str | None, dead: Any, *, broker: dict[str, Any]) -> Future[str]: ...
    def dead_letters(self, **filters: Any) -> list[DeadLetter]: ...
    def redrive(self, delivery_ids: Sequence[str], *, actor: str, reason: str, confirm_repeat: bool = False) -> Future[int]: ...
    def discard(self, delivery_ids: Sequence[str], *, actor: str, reason: str) -> Future[int]: ...
    def restore(self, delivery_ids: Sequence[str], *, actor: str, reason: str) -> Future[int]: ...
    def release(self, submission_id: str, targets: Sequence[str], *, actor: str, reason: str) -> Future[None]: ...
    def record_access(self, submission_id: str, *, actor: str, what: str, reason: str) -> Future[None]: ...
    def close(self) -> None: ...

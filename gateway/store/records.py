"""What goes into the store and what comes out of it: plain values, no database in sight."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from gateway.delivery import Delivery
from xoev_schemas.findings import Finding, Text

DeadLetterState = Literal["open", "redriven", "resolved", "discarded"]


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
    """The same inbox key came with other content (or the first content is erased and cannot be compared any more)."""

    submission_id: str


@dataclass(frozen=True, slots=True)
class Claimed:
    """The delivery is ours until `delivery.claimed_until`; write with `delivery.fence`.

    unfinished_attempt: number of an attempt whose outcome is unknown, because it was recorded and never ended
    (`delivery.state` is `delivering`) or because its worker died while it asked the target (`unknown`).
    """

    delivery: Delivery
    unfinished_attempt: int | None = None


@dataclass(frozen=True, slots=True)
class NotClaimable:
    """ended: nothing to do · not_due: waits until `until` · taken: another holds it until `until` · missing · dead."""

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
class Announcement:
    """A change of state to be told. event_id is the same for every copy.

    number: of the event in its submission's history. delivery_id, target: None where the submission itself changed.
    failure, code: why it waits or died, where it does.
    """

    announcement_id: int
    submission_id: str
    number: int
    at: datetime
    old: str | None
    new: str
    case_id: str
    service: str
    received_at: datetime
    traceparent: str | None
    delivery_id: str | None
    target: str | None
    failure: str | None
    code: str | None

    @property
    def event_id(self) -> str:
        return f"{self.submission_id}.{self.number}"


@dataclass(frozen=True, slots=True)
class Likeness:
    """What a submission is compared by. persons: fingerprints. since: others that were received before do not count."""

    persons: Sequence[str]
    since: datetime


@dataclass(frozen=True, slots=True)
class Twin:
    """Another submission that may be the same application. why: `person`, `content` or `reference`. client: who handed
    it in, in a `SubmissionView`.
    """

    submission_id: str
    why: str
    client: str = ""


@dataclass(frozen=True, slots=True)
class Pair:
    """Two submissions that may be the same application. submission_id: the one at which it was noted."""

    submission_id: str
    other_id: str
    why: str
    noted_at: datetime
    service: str
    department: str


@dataclass(frozen=True, slots=True)
class AttemptStart:
    """Recorded and committed before the adapter is called. Digests are SHA-256 hex of the canonical JSON.

    likeness: what the submission is compared by; None = it is not. twins: those that the case names. step: which call,
    where the target takes several.
    """

    worker: str
    package_version: str
    case_digest: str
    request_digest: str
    possible_repeat: bool
    likeness: Likeness | None = None
    twins: Sequence[Twin] = ()
    step: str = ""


@dataclass(frozen=True, slots=True)
class Attempt:
    """One recorded try. outcome: None while it runs, else `delivered`, `failed`, `dead`, `skipped` or `unknown`.

    step: which call it was, where the target takes several; `delivered` then says that this call is done.
    """

    number: int
    worker: str
    package_version: str
    case_digest: str
    request_digest: str
    possible_repeat: bool
    started_at: datetime
    ended_at: datetime | None
    outcome: str | None
    failure: str | None
    code: str | None
    step: str = ""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """One row per death. delivery_id is None for a submission that waits for clarification and for foreign messages.

    cause: for class `expired`, the class of the last failure.
    """

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
    text: Text
    remedy: Text
    source: str
    attempts: int
    received_at: datetime | None
    died_at: datetime
    state: DeadLetterState
    broker: Mapping[str, Any] | None = None
    cause: str | None = None


@dataclass(frozen=True, slots=True)
class DeadGroup:
    """Dead letters with one cause: same fingerprint. count: open ones."""

    fingerprint: str
    target: str | None
    failure: str
    code: str
    place: str
    text: Text
    remedy: Text
    count: int
    first_seen: datetime
    last_seen: datetime


@dataclass(frozen=True, slots=True)
class Event:
    """One entry of a submission's history. `hash` covers this entry and `previous`, the hash of the one before it."""

    number: int
    at: datetime
    kind: str
    delivery_id: str | None
    old: str | None
    new: str | None
    actor: str
    details: Mapping[str, Any]
    previous: str
    hash: str

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "at": self.at.isoformat().replace("+00:00", "Z"),
            "kind": self.kind,
            "deliveryId": self.delivery_id,
            "old": self.old,
            "new": self.new,
            "actor": self.actor,
            "details": dict(self.details),
        }


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
    waits_for: str | None = None
    behind: str | None = None


@dataclass(frozen=True, slots=True)
class HeldSubmission:
    """Waits for something outside since `created_at`; nobody gets anything of it before."""

    submission_id: str
    channel: str
    client: str
    service: str
    department: str
    received_at: datetime
    created_at: datetime


@dataclass(frozen=True, slots=True)
class OpenAtTarget:
    """counts: state → number of open deliveries. oldest: when the one longest on its way began; dead ones apart."""

    counts: Mapping[str, int]
    oldest: datetime | None


@dataclass(frozen=True, slots=True)
class SubmissionView:
    """What `GET /v1/submissions/{id}` and `case show` are built from; no content. events: see `Event.as_dict`.

    sender_reference: what the portal calls it.
    """

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
    sender_reference: str | None = None
    possibly_twice: Sequence[Twin] = ()


@dataclass(frozen=True, slots=True)
class Standing:
    """What is open at one moment.

    deliveries: (target, state) → number. oldest_seconds: target → age of the longest on its way, dead ones apart.
    dead_letters: (target, class) → number of open ones.
    outbox_rows: due and not yet confirmed by the broker; outbox_oldest_seconds: since when. circuits: target → state.
    untold: changes of state not yet confirmed on `ozg.events`; untold_oldest_seconds: since when.
    held: submissions that wait for something outside; held_oldest_seconds: since the oldest was received.
    """

    deliveries: Mapping[tuple[str, str], int]
    oldest_seconds: Mapping[str, float]
    dead_letters: Mapping[tuple[str, str], int]
    outbox_rows: int
    outbox_oldest_seconds: float
    circuits: Mapping[str, str]
    untold: int
    untold_oldest_seconds: float
    held: int
    held_oldest_seconds: float


@dataclass(frozen=True, slots=True)
class Ended:
    """A submission that ended. given_up: by a person, wholly or for one of its targets."""

    submission_id: str
    service: str
    ended_at: datetime
    given_up: bool

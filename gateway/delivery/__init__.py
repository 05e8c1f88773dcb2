"""A delivery: one submission on its way to one target. Its states, the one table of allowed changes, and outcomes. No
I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from gateway.errors import IllegalTransition
from gateway.submission import SubmissionState
from xoev_schemas.findings import Text


class DeliveryState(StrEnum):
    QUEUED = "queued"
    DELIVERING = "delivering"  # claimed; the attempt is recorded before the adapter is called
    WAITING = "waiting"  # for a due time: retry, opening hours, circuit, order
    UNKNOWN = "unknown"  # only while the target is being probed
    DELIVERED = "delivered"
    SKIPPED = "skipped"  # the target's condition does not hold
    DEAD = "dead"  # a dead letter: needs a person
    RETURNED = "returned"
    DISCARDED = "discarded"


D, S = DeliveryState, SubmissionState

DELIVERY_TRANSITIONS: Mapping[DeliveryState, frozenset[DeliveryState]] = {
    D.QUEUED: frozenset({D.DELIVERING, D.WAITING, D.DEAD}),
    D.DELIVERING: frozenset({D.DELIVERED, D.SKIPPED, D.WAITING, D.UNKNOWN, D.DEAD, D.QUEUED}),
    D.WAITING: frozenset({D.QUEUED, D.DEAD}),  # dead: its give-up time passed while the target was away
    D.UNKNOWN: frozenset({D.DELIVERED, D.QUEUED, D.DEAD}),
    D.DEAD: frozenset({D.QUEUED, D.DELIVERED, D.RETURNED, D.DISCARDED}),
    D.DISCARDED: frozenset({D.DEAD}),
    D.DELIVERED: frozenset({D.DEAD}),  # only when a department's own consumer rejects a queued case (collector)
    D.SKIPPED: frozenset(),
    D.RETURNED: frozenset(),
}

SUBMISSION_TRANSITIONS: Mapping[SubmissionState | None, frozenset[SubmissionState]] = {
    None: frozenset({S.HELD, S.ACCEPTED, S.CLARIFY, S.REJECTED}),
    S.HELD: frozenset({S.ACCEPTED, S.CLARIFY, S.REJECTED}),
    S.CLARIFY: frozenset({S.ACCEPTED, S.RETURNED, S.DISCARDED}),
    S.ACCEPTED: frozenset({S.COMPLETED}),
    # A delivery that comes back to life (restored, rejected by the department's consumer) re-opens its submission.
    S.COMPLETED: frozenset({S.ACCEPTED}),
    S.REJECTED: frozenset(),
    S.RETURNED: frozenset(),
    S.DISCARDED: frozenset(),
}

OPEN: frozenset[DeliveryState] = frozenset({D.QUEUED, D.DELIVERING, D.WAITING, D.UNKNOWN, D.DEAD})
ENDED: frozenset[DeliveryState] = frozenset(DeliveryState) - OPEN


def require_delivery(old: DeliveryState, new: DeliveryState) -> None:
    """Raises IllegalTransition unless the table allows the change."""
    if new not in DELIVERY_TRANSITIONS[old]:
        raise IllegalTransition(f"a delivery cannot go from {old} to {new}")


def require_submission(old: SubmissionState | None, new: SubmissionState) -> None:
    """Raises IllegalTransition unless the table allows the change. None = not yet stored."""
    if new not in SUBMISSION_TRANSITIONS[old]:
        raise IllegalTransition(f"a submission cannot go from {old or '(none)'} to {new}")


@dataclass(frozen=True, slots=True)
class Delivery:
    """A delivery as the database knows it.

    fence: grows with every claim; a write with an older number is refused. claims: claims since the last recorded
    attempt.
    attempts: attempts recorded over all workers since acceptance or the last redrive (`attempts_total` counts all).
    possible_repeat: an earlier attempt's outcome was unknown, so the next request is marked.
    first_due: start of the current round (acceptance or redrive); give-up time counts from here.
    waits_for: why it waits, while `waiting`: as `Wait.why`, `circuit` or `order`. None: nothing, it is due.
    follows: others of its matter may have to go first. behind: the submission that it waits for (`order`).
    waived: a person let it pass although something that its service requires is not there.
    """

    delivery_id: str
    submission_id: str
    target: str
    service: str
    department: str
    state: DeliveryState
    fence: int
    claims: int
    attempts: int
    attempts_total: int
    possible_repeat: bool
    created_at: datetime
    first_due: datetime
    due_at: datetime | None
    claimed_until: datetime | None = None
    failure: str | None = None
    code: str | None = None
    waits_for: str | None = None
    follows: bool = False
    behind: str | None = None
    waived: bool = False


# Outcomes: what one turn of the worker leads to. Exactly one of these is stored, with its event and its outbox row.


@dataclass(frozen=True, slots=True)
class Delivered:
    references: Mapping[str, str] = field(default_factory=dict)
    evidence: bytes = b""
    evidence_type: str = ""
    already_there: bool = False


@dataclass(frozen=True, slots=True)
class StepDone:
    """One call of a delivery that takes several has its answer; the next one is due at once.

    step: which call, see `gateway.packages.model.Step`. result: what its answer says, for those after it. references:
    those of these that are the department's names for the case.
    """

    step: str
    result: Mapping[str, str]
    references: Mapping[str, str]
    evidence: bytes = b""
    evidence_type: str = ""
    already_there: bool = False


@dataclass(frozen=True, slots=True)
class Skipped:
    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Again at `due_at`; why: `retry`, `hours` or `rate`. rung: name of the delay queue, None = database time."""

    due_at: datetime
    why: str
    rung: str | None = None
    failure: str | None = None
    code: str | None = None
    detail: str = ""
    possible_repeat: bool = False


@dataclass(frozen=True, slots=True)
class Parked:
    """Until its target's circuit lets it go: nobody knows when. failure, code: what opened the circuit."""

    failure: str
    code: str


@dataclass(frozen=True, slots=True)
class Dead:
    """A dead letter. place: schema path or mapping rule, without indexes. text: for operators, no personal data.
    detail: stored encrypted. cause: for class `expired`, the class of the last failure.
    """

    failure: str
    code: str
    text: Text
    remedy: Text
    place: str = ""
    detail: str = ""
    source: str = "worker"
    cause: str | None = None


Outcome = Delivered | StepDone | Skipped | Wait | Dead

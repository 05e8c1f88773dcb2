"""Who goes first in a matter, seen from one delivery: what was received earlier under its case id, to the same target.

A delivery that follows waits behind the latest one before it that is still open, however long that takes: an accepted
submission without deliveries yet (held, to be clarified) counts as open. It is let on by what ends (`changes.let_on`);
the sweep is the net.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from sqlalchemy import and_, bindparam, select

from gateway.delivery import OPEN, Delivery, DeliveryState
from gateway.store import tables as t
from gateway.store.changes import changing, lock, owner_of
from gateway.store.session import Record, Session
from gateway.store.work import refusal_of
from gateway.store.writer import Transaction
from gateway.submission import Kind, SubmissionState

ORDER = "order"
"""`waits_for` of a delivery that waits behind another submission."""
LOOK_AGAIN = timedelta(minutes=15)
"""After this long the sweep has a look whether the one in front really is open still."""

D, S = DeliveryState, SubmissionState
_GIVEN_UP = (D.RETURNED, D.DISCARDED)

_OWN: Any = select(t.submission.c.case_id, t.submission.c.received_at, t.submission.c.created_at).where(
    t.submission.c.submission_id == bindparam("id")
)
_KIND = select(t.submission.c.kind).where(t.submission.c.submission_id == bindparam("id"))
_OF_MATTER = (
    select(
        t.submission.c.submission_id,
        t.submission.c.received_at,
        t.submission.c.created_at,
        t.submission.c.state.label("submission_state"),
        t.delivery.c.state,
    )
    .select_from(
        t.submission.outerjoin(
            t.delivery,
            and_(
                t.delivery.c.submission_id == t.submission.c.submission_id,
                t.delivery.c.target == bindparam("target_is"),
            ),
        )
    )
    .where(t.submission.c.case_id == bindparam("case_is"))
    .order_by(t.submission.c.received_at, t.submission.c.created_at, t.submission.c.submission_id)
)
_REFERENCES = (
    select(
        t.delivery.c.target,
        t.reference.c.name,
        t.reference.c.value,
        t.submission.c.submission_id,
        t.submission.c.received_at,
        t.submission.c.created_at,
    )
    .select_from(
        t.reference.join(t.delivery).join(t.submission, t.delivery.c.submission_id == t.submission.c.submission_id)
    )
    .where(t.submission.c.case_id == bindparam("case_is"))
    .order_by(t.reference.c.noted_at, t.reference.c.name, t.reference.c.value)
)


@dataclass(frozen=True, slots=True)
class Place:
    """behind: the submission that goes first, None = it may go. given_up: what went before was discarded or returned,
    so that the target knows nothing of the matter.
    """

    behind: str | None = None
    given_up: bool = False


def kind(session: Session, delivery: Delivery) -> Kind:
    """Of the submission that it delivers."""
    found: Kind = session.scalar(_KIND, {"id": delivery.submission_id})
    return found


def place(session: Session, delivery: Delivery) -> Place:
    """Where a delivery stands in its matter now."""
    rows = _earlier(session, delivery.submission_id, _OF_MATTER, target_is=delivery.target)
    earlier = [row for row in rows if row.submission_state != S.REJECTED]
    if waiting := [row for row in earlier if _is_open(row)]:
        return Place(waiting[-1].submission_id)
    known = any(row.state in (D.DELIVERED, D.SKIPPED) for row in earlier)
    return Place(given_up=not known and any(_is_given_up(row) for row in earlier))


def references(session: Session, submission_id: str) -> dict[str, dict[str, str]]:
    """Target → name → value, as earlier deliveries of the matter brought them; of several the latest."""
    found: dict[str, dict[str, str]] = {}
    for row in _earlier(session, submission_id, _REFERENCES):
        found.setdefault(row.target, {})[row.name] = row.value
    return found


def wait(tx: Transaction, delivery_id: str) -> bool:
    """queued (or waiting and due) → waiting, behind what goes first; no attempt is used up. False: it may go.

    One event when it begins, and when it waits for another one.
    """
    with changing(tx, owner_of(tx, delivery_id)) as change:
        delivery = change.delivery(delivery_id)
        if refusal_of(delivery, tx.now) is not None or delivery.state not in (D.QUEUED, D.WAITING):
            return False
        behind = _held_in_front(tx, delivery)
        if behind is None:
            return False
        details = {"why": ORDER, "behind": behind}
        columns = {"due_at": tx.now + LOOK_AGAIN, "waits_for": ORDER, "behind": behind}
        if delivery.state is D.QUEUED:
            change.move(delivery, D.WAITING, actor="gateway", details=details, **columns)
        else:
            change.set_delivery(delivery, **columns)
            if delivery.behind != behind:
                change.note("delivery.waits_on", delivery_id=delivery_id, details=details)
        return True


def _held_in_front(tx: Transaction, delivery: Delivery) -> str | None:
    """The submission that goes first, locked; None: there is none.

    What is in front may be ending right now: that transaction does not see who begins to wait in this one, and lets
    nobody on. So it is waited for, and looked at again.
    """
    locked = None
    while (behind := place(tx, delivery).behind) != locked and behind is not None:
        lock(tx, behind)
        locked = behind
    return behind


def _earlier(session: Session, submission_id: str, statement: Any, **parameters: str) -> list[Record]:
    """The rows of what was received before a submission in its matter."""
    own = session.row(_OWN, {"id": submission_id})
    assert own is not None
    moment = (own.received_at, own.created_at, submission_id)
    rows = session.rows(statement, {"case_is": own.case_id, **parameters})
    return [row for row in rows if (row.received_at, row.created_at, row.submission_id) < moment]


def _is_open(row: Record) -> bool:
    if row.state is None:
        return row.submission_state in (S.HELD, S.CLARIFY)
    return row.state in OPEN


def _is_given_up(row: Record) -> bool:
    return row.state in _GIVEN_UP or (row.state is None and row.submission_state in (S.RETURNED, S.DISCARDED))

"""Targets that are away: what is known of their circuits, and the deliveries that are parked until one closes.

A parked delivery (`waiting`, for `circuit`) has no due time and no row in the outbox, so it costs nothing while it
waits. It leaves by one of three ways: it is called to probe its target, its circuit closes and all are let go, or its
time to give up comes. Whoever holds the relay's lease looks after them (`gateway.delivery.parking`); all of this may be
repeated.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, insert, literal_column, select, update

from gateway.delivery import Dead, Delivery, DeliveryState
from gateway.store import tables as t
from gateway.store.changes import INSERT_OUTBOX, changing, delivery_of, outbox_row, owner_of
from gateway.store.deadletters import die
from gateway.store.session import Record, Session
from gateway.store.work import keep_for_its_time, refusal_of
from gateway.store.writer import Transaction

PARKED = "circuit"
"""`waits_for` of a parked delivery."""
LIMIT = 200
"""Deliveries per commit: others write in between."""

# Written out, not bound: only so does SQLite see that its partial index fits.
_PARKED = t.delivery.c.waits_for == literal_column(f"'{PARKED}'")
_OF_TARGET = t.delivery.c.target == bindparam("of_target")
_WITH_TRACE = select(t.delivery, t.submission.c.traceparent).join_from(t.delivery, t.submission)
_OLDEST = (
    _WITH_TRACE.where(_PARKED, _OF_TARGET)
    .order_by(t.delivery.c.first_due)
    .limit(bindparam("limit"))
    # What somebody is changing right now has a turn of its own.
    .with_for_update(of=t.delivery, skip_locked=True)
)
_ALL_CIRCUITS = select(t.circuit)
_CIRCUIT = select(t.circuit.c.state).where(t.circuit.c.target == bindparam("target_is"))
_INSERT_CIRCUIT = insert(t.circuit)
_ANY_PARKED = select(t.delivery.c.delivery_id).where(_PARKED, _OF_TARGET).limit(1)
_CALLED = (
    select(t.delivery.c.delivery_id, t.delivery.c.due_at)
    .where(_PARKED, _OF_TARGET, t.delivery.c.due_at.is_not(None))
    .with_for_update(skip_locked=True)
)
_OVERDUE = (
    select(t.delivery.c.submission_id, t.delivery.c.delivery_id)
    .where(_PARKED, _OF_TARGET, t.delivery.c.first_due < bindparam("begun_before"))
    .order_by(t.delivery.c.first_due)
    .limit(bindparam("limit"))
)
_SET_DUE = (
    update(t.delivery).where(t.delivery.c.delivery_id == bindparam("id"), _PARKED).values(due_at=bindparam("due"))
)
_LET_GO = (
    update(t.delivery)
    .where(t.delivery.c.delivery_id == bindparam("id"), _PARKED)
    .values(due_at=bindparam("due"), waits_for=None)
)
_SET_CIRCUIT = (
    update(t.circuit)
    .where(t.circuit.c.target == bindparam("target_is"))
    .values(state=bindparam("new_state"), updated_at=bindparam("now"))
)


def circuit(session: Session, target: str) -> dict[str, Any] | None:
    row = session.row(_CIRCUIT, {"target_is": target})
    return None if row is None else dict(row.state)


def circuits(session: Session) -> dict[str, dict[str, Any]]:
    """Of every target that ever was in trouble."""
    return {row.target: dict(row.state) for row in session.rows(_ALL_CIRCUITS)}


def any_parked(session: Session, target: str) -> bool:
    return session.row(_ANY_PARKED, {"of_target": target}) is not None


def set_circuit(tx: Transaction, target: str, state: dict[str, Any]) -> None:
    """What is known of a target's health, for all workers. One that closes lets go what is parked, in one commit."""
    values = {"new_state": state, "now": tx.now}
    if tx.execute(_SET_CIRCUIT, {"target_is": target, **values}) == 0:
        tx.execute(_INSERT_CIRCUIT, {"target": target, "state": state, "updated_at": tx.now})
    if state["state"] == "closed":
        let_go(tx, target)


def park(tx: Transaction, delivery_id: str, failure: str, code: str) -> None:
    """queued (or waiting and due) → waiting, until the circuit closes. failure, code: what opened it.

    One event when it begins; nothing at all for one that is parked already, is not due, or is elsewhere by now.
    """
    with changing(tx, owner_of(tx, delivery_id)) as change:
        delivery = change.delivery(delivery_id)
        if refusal := refusal_of(delivery, tx.now):
            keep_for_its_time(change, delivery, refusal)
            return
        details = {"why": PARKED, "failure": failure, "code": code}
        columns = {"due_at": None, "waits_for": PARKED}
        if delivery.state is DeliveryState.QUEUED:
            change.move(delivery, DeliveryState.WAITING, actor="gateway", details=details, **columns)
        elif delivery.state is DeliveryState.WAITING and delivery.waits_for != PARKED:
            change.set_delivery(delivery, **columns)
            change.note("delivery.parked", delivery_id=delivery_id, details=details)


def call_one(tx: Transaction, target: str, every: timedelta) -> bool:
    """Send the oldest parked delivery to its worker, which may probe the target with it. Whether one was sent.

    Not while one that was called less than `every` ago is still on its way.
    """
    called = tx.rows(_CALLED, {"of_target": target})
    if any(row.due_at > tx.now - every for row in called):
        return False
    tx.execute_many(_SET_DUE, [{"id": row.delivery_id, "due": None} for row in called])
    rows = tx.rows(_OLDEST, {"of_target": target, "limit": 1})
    _send(tx, rows)
    tx.execute_many(_SET_DUE, [{"id": row.delivery_id, "due": tx.now} for row in rows])
    return bool(rows)


def let_go(tx: Transaction, target: str) -> int:
    """Everything parked for this target is due now, the oldest first. How many; `LIMIT`: there may be more."""
    rows = tx.rows(_OLDEST, {"of_target": target, "limit": LIMIT})
    _send(tx, rows)
    tx.execute_many(_LET_GO, [{"id": row.delivery_id, "due": tx.now} for row in rows])
    return len(rows)


def give_up(
    tx: Transaction, target: str, begun_before: datetime, verdict: Callable[[Delivery], Dead]
) -> list[Delivery]:
    """Parked deliveries whose round began before this moment become dead letters. Which; `LIMIT`: there may be more."""
    rows = tx.rows(_OVERDUE, {"of_target": target, "begun_before": begun_before, "limit": LIMIT})
    given_up = []
    # In the order in which every writer locks submissions.
    for row in sorted(rows, key=lambda row: (row.submission_id, row.delivery_id)):
        with changing(tx, row.submission_id) as change:
            delivery = change.delivery(row.delivery_id)
            if delivery.waits_for == PARKED:
                die(change, delivery, verdict(delivery), f"claim:{delivery.fence}:{delivery.delivery_id}:detail")
                given_up.append(delivery)
    return given_up


def _send(tx: Transaction, rows: Sequence[Record]) -> None:
    new = [outbox_row(delivery_of(row), tx.now, None, row.traceparent, now=tx.now) for row in rows]
    tx.execute_many(INSERT_OUTBOX, new)
    tx.has_outbox_rows |= bool(new)

"""What the gateway tells the world: one row per change of state that nobody has been told of yet.

A row only points at its event, which is never changed and never deleted; what is told is read from there when it is
told. It is written in the transaction that writes the event, and goes away when the broker confirmed the message.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, delete, func, insert, select

from gateway.delivery import DeliveryState
from gateway.store import tables as t
from gateway.store.records import Announcement
from gateway.store.session import Record, Session
from gateway.store.writer import Transaction

_INSERT = insert(t.announcement).inline()
_FORGET = delete(t.announcement).where(t.announcement.c.announcement_id == bindparam("id"))
# Bounded before the joins: the planner must never think of reading all events.
_OLDEST = (
    select(t.announcement)
    .order_by(t.announcement.c.announcement_id)
    .limit(bindparam("limit"))
    .subquery(t.announcement.name)
)
_DUE = (
    select(
        _OLDEST.c.announcement_id,
        t.event.c.submission_id,
        t.event.c.number,
        t.event.c.at,
        t.event.c.delivery_id,
        t.event.c.old,
        t.event.c.new,
        t.event.c.details,
        t.submission.c.case_id,
        t.submission.c.service,
        t.submission.c.received_at,
        t.submission.c.traceparent,
        t.delivery.c.target,
    )
    .join_from(
        _OLDEST,
        t.event,
        (t.event.c.submission_id == _OLDEST.c.submission_id) & (t.event.c.number == _OLDEST.c.number),
    )
    .join(t.submission, t.submission.c.submission_id == t.event.c.submission_id)
    .outerjoin(t.delivery, t.delivery.c.delivery_id == t.event.c.delivery_id)
    .order_by(_OLDEST.c.announcement_id)
)
_TRIM = delete(t.announcement).where(
    t.announcement.c.announcement_id
    <= select(func.max(t.announcement.c.announcement_id)).scalar_subquery() - bindparam("kept")
)
_COUNT = select(func.count()).select_from(t.announcement)


def announce(tx: Transaction, events: Sequence[Mapping[str, Any]]) -> None:
    """A row for each of these events that is a change of state, if this installation tells what happens.

    In the order of the events; those of one submission are written under its lock, so their numbers grow with them.
    """
    if tx.announces:
        changes = [event for event in events if event["new"] is not None]
        tx.execute_many(_INSERT, [{"submission_id": e["submission_id"], "number": e["number"]} for e in changes])


def due(session: Session, limit: int) -> list[Announcement]:
    """What is to be told, oldest first."""
    return [_announcement(row) for row in session.rows(_DUE, {"limit": limit})]


def forget_many(tx: Transaction, groups: Sequence[Sequence[int]]) -> list[None]:
    """The confirms came: the rows go."""
    tx.execute_many(_FORGET, [{"id": identity} for group in groups for identity in group])
    return [None] * len(groups)


def trim(tx: Transaction, kept: int) -> int:
    """Drop the oldest rows above `kept` (at most: unused numbers count), untold. How many."""
    return tx.execute(_TRIM, {"kept": kept})


def waiting(session: Session, now: datetime) -> tuple[int, float]:
    """How many rows there are, and how long ago the oldest of them happened (seconds)."""
    oldest = due(session, 1)
    if not oldest:
        return 0, 0.0
    return session.scalar(_COUNT), max((now - oldest[0].at).total_seconds(), 0.0)


def _announcement(row: Record) -> Announcement:
    details = json.loads(row.details)
    return Announcement(
        announcement_id=row.announcement_id,
        submission_id=row.submission_id,
        number=row.number,
        at=row.at,
        old=row.old,
        new=row.new,
        case_id=row.case_id,
        service=row.service,
        received_at=row.received_at,
        traceparent=row.traceparent,
        delivery_id=row.delivery_id,
        target=row.target,
        failure=details.get("failure") or ("unknown_outcome" if row.new == DeliveryState.UNKNOWN else None),
        code=details.get("code"),
    )

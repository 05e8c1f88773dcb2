"""What is to be sent, what was forgotten on the way, and who may do it.

Only the holder of the relay's lease reads the outbox, so a plain read is enough: a row that is published twice is a
superfluous message, and claims make that harmless.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import and_, bindparam, case, delete, exists, func, insert, or_, select, update

from gateway.store import tables as t
from gateway.store.changes import INSERT_OUTBOX, delivery_of, outbox_row
from gateway.store.records import OutboxRow
from gateway.store.session import Session, one_of
from gateway.store.writer import Transaction

SWEEP_LIMIT = 1000
"""Rows put back per sweep: a lost broker must not come back as one wave."""
_SLACK = timedelta(seconds=5)

_DUE = (
    select(t.outbox)
    .where(t.outbox.c.publish_at <= bindparam("now"))
    .order_by(t.outbox.c.publish_at, t.outbox.c.outbox_id)
    .limit(bindparam("limit"))
)
_FORGET = delete(t.outbox).where(t.outbox.c.outbox_id == bindparam("id"))
_NOWHERE = ~exists().where(t.outbox.c.delivery_id == t.delivery.c.delivery_id)
_HELD = one_of(t.delivery.c.state, ("delivering", "unknown"))
_PENDING = one_of(t.delivery.c.state, ("queued", "waiting"))
_WITH_TRACE = select(t.delivery, t.submission.c.traceparent).join_from(t.delivery, t.submission)
_FORGOTTEN = (
    _WITH_TRACE.where(
        _NOWHERE,
        or_(
            and_(_PENDING, t.delivery.c.due_at < bindparam("overdue")),
            and_(_HELD, t.delivery.c.claimed_until < bindparam("lapsed")),
        ),
        or_(
            t.delivery.c.swept_at.is_(None),
            t.delivery.c.swept_at < bindparam("overdue"),
            # It was put back, somebody took it, and vanished as well.
            and_(_HELD, t.delivery.c.swept_at < t.delivery.c.claimed_until),
        ),
    )
    .order_by(t.delivery.c.due_at)
    .limit(SWEEP_LIMIT)
    # What somebody is changing right now is not forgotten.
    .with_for_update(of=t.delivery, skip_locked=True)
)
_UNFINISHED = _WITH_TRACE.where(_NOWHERE, or_(_PENDING, _HELD))
REBUILD_BATCH = 1000
"""Rows put back in one transaction while the installation goes on."""
_UNFINISHED_BATCH = (
    _UNFINISHED.where(t.delivery.c.delivery_id > bindparam("after"))
    .order_by(t.delivery.c.delivery_id)
    .limit(REBUILD_BATCH)
    .with_for_update(of=t.delivery, skip_locked=True)
)
UNFINISHED_BY_TARGET = (
    select(
        t.delivery.c.target,
        func.count().label("deliveries"),
        func.sum(case((_NOWHERE, 1), else_=0)).label("nowhere"),
    )
    .where(or_(_PENDING, _HELD))
    .group_by(t.delivery.c.target)
    .order_by(t.delivery.c.target)
)
_SWEPT = update(t.delivery).where(t.delivery.c.delivery_id == bindparam("id")).values(swept_at=bindparam("now"))
_EXPIRE = update(t.delivery).where(_HELD).values(claimed_until=bindparam("now"))
_END_LEASES = delete(t.lease)
_LEASE = select(t.lease).where(t.lease.c.name == bindparam("lease_name")).with_for_update()
_TAKE_LEASE = (
    update(t.lease)
    .where(t.lease.c.name == bindparam("lease_name"))
    .values(holder=bindparam("holder"), until=bindparam("until"))
)


def due(session: Session, limit: int, now: datetime) -> list[OutboxRow]:
    """Rows to publish now, oldest first: those that are due, and those for a rung (which delays by itself)."""
    rows = session.rows(_DUE, {"now": now, "limit": limit})
    return [
        OutboxRow(
            outbox_id=row.outbox_id,
            delivery_id=row.delivery_id,
            submission_id=row.submission_id,
            target=row.target,
            service=row.service,
            attempt=row.attempt,
            due_at=row.due_at,
            rung=row.rung,
            traceparent=row.traceparent,
        )
        for row in rows
    ]


def forget_many(tx: Transaction, groups: Sequence[Sequence[int]]) -> list[None]:
    """The confirms came: the rows go. Several callers' rows in one statement."""
    identities = [{"id": identity} for group in groups for identity in group]
    if identities:
        tx.execute_many(_FORGET, identities)
    return [None] * len(groups)


def sweep(tx: Transaction, now: datetime, tolerance_seconds: float) -> int:
    """Outbox rows for deliveries that are due, or whose worker vanished, and that are in no outbox. How many.

    Each is put back at most once per tolerance and claim.
    """
    rows = tx.rows(_FORGOTTEN, {"overdue": now - timedelta(seconds=tolerance_seconds), "lapsed": now - _SLACK})
    _put_back(tx, rows, now)
    if rows:
        tx.execute_many(_SWEPT, [{"id": row.delivery_id, "now": now} for row in rows])
    return len(rows)


def rebuild(tx: Transaction) -> int:
    """At the start of an installation that is one process: an outbox row for every unfinished delivery that has none.
    How many.
    """
    rows = tx.rows(_UNFINISHED)
    _put_back(tx, rows, tx.now)
    return len(rows)


def put_back_batch(tx: Transaction, after: str) -> tuple[int, str | None]:
    """`rebuild` in pieces, beside running processes: how many, and the id to go on after (None: that was all)."""
    rows = tx.rows(_UNFINISHED_BATCH, {"after": after})
    _put_back(tx, rows, tx.now)
    if rows:  # the sweep must not put the same ones back a moment later
        tx.execute_many(_SWEPT, [{"id": row.delivery_id, "now": tx.now} for row in rows])
    return len(rows), rows[-1].delivery_id if len(rows) == REBUILD_BATCH else None


def _put_back(tx: Transaction, rows: Sequence[Any], now: datetime) -> None:
    new = []
    for row in rows:
        delivery = delivery_of(row)
        waits_until = delivery.claimed_until if delivery.state in ("delivering", "unknown") else delivery.due_at
        new.append(outbox_row(delivery, max(waits_until or now, now), None, row.traceparent, now=now))
    tx.execute_many(INSERT_OUTBOX, new)
    tx.has_outbox_rows |= bool(new)


def expire_claims(tx: Transaction) -> int:
    """Every claim and every lease is over now. For the start of an installation that is one process: whoever held them
    is gone.
    """
    tx.execute(_END_LEASES)
    return tx.execute(_EXPIRE, {"now": tx.now})


def acquire_lease(tx: Transaction, name: str, holder: str, seconds: float) -> bool:
    """Take or renew a named lease, by the database's time. False: another holder has it."""
    row = tx.row(_LEASE, {"lease_name": name})
    until = tx.now + timedelta(seconds=seconds)
    if row is None:
        # Two at once: the primary key lets one in, the other is run again and finds the row.
        tx.execute(insert(t.lease), {"name": name, "holder": holder, "until": until})
        return True
    if row.holder != holder and row.until > tx.now:
        return False
    tx.execute(_TAKE_LEASE, {"lease_name": name, "holder": holder, "until": until})
    return True

"""After a loss: what the broker forgot is put back, and what a restored database cannot know is called unknown."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import bindparam, insert, select

from gateway.delivery import Delivery, DeliveryState
from gateway.store import outbox
from gateway.store import tables as t
from gateway.store.changes import Change, changing, delivery_of
from gateway.store.comparing import Sent, sent_to
from gateway.store.session import Session, one_of
from gateway.store.writer import Transaction, Writer

SUPPOSED = "restore"
"""Actor and worker of attempts that nobody saw: they may have been made after the backup."""
BATCH = 200
_UNMADE = "0" * 64

_D = t.delivery.c
_OPEN = one_of(_D.state, ("queued", "waiting", "delivering", "unknown"))
_SINCE_THE_BACKUP = (
    select(t.delivery).where(_D.delivery_id > bindparam("after"), _OPEN).order_by(_D.delivery_id).limit(BATCH)
)
_UNFINISHED_ATTEMPT = select(t.attempt.c.number).where(
    t.attempt.c.delivery_id == bindparam("id"), t.attempt.c.ended_at.is_(None)
)
_ATTEMPT = insert(t.attempt)


class Unfinished(NamedTuple):
    """Deliveries to one target that have not ended. nowhere: those of them that are in no outbox."""

    target: str
    deliveries: int
    nowhere: int


class Recovery:
    """`Store.recovery`. In batches, so that running processes do not notice."""

    def __init__(self, read: Callable[[], AbstractContextManager[Session]], writer: Writer) -> None:
        self._read = read
        self._writer = writer

    def unfinished(self) -> list[Unfinished]:
        """What there is to put back, by target."""
        with self._read() as session:
            rows = session.rows(outbox.UNFINISHED_BY_TARGET)
        return [Unfinished(row.target, row.deliveries, row.nowhere) for row in rows]

    def sent_to(self, target: str) -> list[Sent]:
        """Every delivery to a target, oldest first, to be held against what the target has."""
        with self._read() as session:
            return sent_to(session, target)

    def put_back(self, told: Callable[[int], None]) -> int:
        """After total loss of the broker: an outbox row for every unfinished delivery that has none, each once. How
        many. Beside running workers: what one of them is changing right now is passed over, it is not lost.
        told: how many are done, after every batch.
        """

        def turn(after: str) -> tuple[int, str | None]:
            return self._writer.submit("", lambda tx: outbox.put_back_batch(tx, after)).result()

        done, last = turn("")
        while last is not None:
            told(done)
            count, last = turn(last)
            done += count
        return done


def suppose_sent(tx: Transaction) -> int:
    """After a restore from a backup: what was open then may have been sent since. How many.

    Each gets an attempt of which nobody saw the end. So the next worker treats it as an unknown outcome: the target is
    asked, or it is repeated with the mark, or a person decides. In the transaction that brings the database back:
    nobody may ever find the one without the other.
    """
    count, last = _suppose_batch(tx, "")
    while last is not None:
        more, last = _suppose_batch(tx, last)
        count += more
    return count


def _suppose_batch(tx: Transaction, after: str) -> tuple[int, str | None]:
    rows = tx.rows(_SINCE_THE_BACKUP, {"after": after})
    supposed = [_suppose_one(tx, delivery_of(row)) for row in rows]
    return sum(supposed), rows[-1].delivery_id if len(rows) == BATCH else None


def _suppose_one(tx: Transaction, delivery: Delivery) -> bool:
    """False: it is unknown already."""
    if delivery.state is DeliveryState.UNKNOWN:
        return False
    if delivery.state is DeliveryState.DELIVERING and tx.row(_UNFINISHED_ATTEMPT, {"id": delivery.delivery_id}):
        return False
    with changing(tx, delivery.submission_id) as change:
        _record(change, _into_delivering(change, delivery))
    return True


def _into_delivering(change: Change, delivery: Delivery) -> Delivery:
    """Held by nobody any more: its lease is over at once."""
    why = {"why": "restored from a backup"}
    if delivery.state is DeliveryState.WAITING:
        change.move(delivery, DeliveryState.QUEUED, actor=SUPPOSED, details=why)
        delivery = replace(delivery, state=DeliveryState.QUEUED)
    over: dict[str, datetime | str | int] = {"claimed_until": change.tx.now, "claimed_by": SUPPOSED}
    if delivery.state is DeliveryState.QUEUED:
        fence = delivery.fence + 1
        change.move(delivery, DeliveryState.DELIVERING, actor=SUPPOSED, details=why, fence=fence, **over)
        return replace(delivery, state=DeliveryState.DELIVERING, fence=fence)
    change.set_delivery(delivery, **over)
    return delivery


def _record(change: Change, delivery: Delivery) -> None:
    number = delivery.attempts_total + 1
    change.set_delivery(delivery, attempts=delivery.attempts + 1, attempts_total=number)
    change.tx.execute(
        _ATTEMPT,
        {
            "delivery_id": delivery.delivery_id,
            "number": number,
            "worker": SUPPOSED,
            "package_version": "",
            "case_digest": _UNMADE,
            "request_digest": _UNMADE,
            "possible_repeat": delivery.possible_repeat,
            "started_at": change.tx.now,
        },
    )
    details = {"attempt": number, "supposed": True, "possibleRepeat": delivery.possible_repeat}
    change.note("attempt.started", delivery_id=delivery.delivery_id, actor=SUPPOSED, details=details)

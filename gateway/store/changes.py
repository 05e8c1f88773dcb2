"""The one way in which states change: conditional update, event, outbox row and consequences, together or not at all.

Every event is numbered and hash-chained per submission. The row of the submission holds number and hash of the last
one; it is read `FOR UPDATE` and written back under the number that was read, which makes it the lock for all that
belongs to it.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from functools import lru_cache
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Update, bindparam, func, insert, select, update

from gateway.delivery import ENDED, OPEN, Delivery, DeliveryState, require_delivery, require_submission
from gateway.errors import Conflict, NotFound
from gateway.store import tables as t
from gateway.store.announcements import announce
from gateway.store.session import Record, one_of
from gateway.store.writer import RowLocked, Transaction
from gateway.submission import SubmissionState

GENESIS = "0" * 64
"""`previous` of the first event of a chain."""
SYSTEM = "gateway"
"""Actor of what no person and no named worker did."""

_LOCK_SUBMISSION = select(t.submission).where(t.submission.c.submission_id == bindparam("id")).with_for_update()
_LOCK_SUBMISSION_AT_ONCE = _LOCK_SUBMISSION.with_for_update(skip_locked=True)
_EXISTS = select(t.submission.c.submission_id).where(t.submission.c.submission_id == bindparam("id"))
_DELIVERY = select(t.delivery).where(t.delivery.c.delivery_id == bindparam("id"))
_OWNER = select(t.delivery.c.submission_id).where(t.delivery.c.delivery_id == bindparam("id"))
_COUNT_OPEN = (
    select(func.count())
    .select_from(t.delivery)
    .where(t.delivery.c.submission_id == bindparam("id"), one_of(t.delivery.c.state, sorted(OPEN)))
)
_BEHIND = (
    select(t.delivery, t.submission.c.traceparent)
    .join_from(t.delivery, t.submission)
    .where(t.delivery.c.behind == bindparam("behind_id"), one_of(t.delivery.c.state, ("waiting",)))
)
_LET_ON = (
    update(t.delivery)
    .where(t.delivery.c.delivery_id == bindparam("id"), one_of(t.delivery.c.state, ("waiting",)))
    .values(due_at=bindparam("now"), first_due=bindparam("now"), waits_for=None, behind=None)
)
_INSERT_EVENT = insert(t.event)
_INSERT_RANGE = insert(t.sealed_range)
# Inline: the number it gets is of no interest here, so it is not asked for.
INSERT_OUTBOX = insert(t.outbox).inline()


def canonical(value: Any) -> str:
    """JSON with sorted keys and no blanks: equal values, equal text."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))


def event_entry(row: Mapping[str, Any]) -> str:
    """The text that an event's hash covers: canonical JSON of its row, `previous` included and `hash` left out."""
    at: datetime = row["at"]
    return canonical({**{k: row[k] for k in _COVERED}, "at": at.isoformat(timespec="microseconds")})


def event_hash(row: Mapping[str, Any]) -> str:
    """SHA-256 (hex) over `event_entry`."""
    return hashlib.sha256(event_entry(row).encode()).hexdigest()


_COVERED = ("submission_id", "number", "kind", "delivery_id", "old", "new", "actor", "details", "previous")


def link_event(
    head: tuple[int, str],
    submission_id: str,
    at: datetime,
    kind: str,
    *,
    delivery_id: str | None = None,
    old: str | None = None,
    new: str | None = None,
    actor: str = SYSTEM,
    details: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """The row of the event that follows `head` (number and hash of the last one)."""
    row: dict[str, Any] = {
        "submission_id": submission_id,
        "number": head[0] + 1,
        "at": at,
        "kind": kind,
        "delivery_id": delivery_id,
        "old": old,
        "new": new,
        "actor": actor,
        "details": canonical(details or {}),
        "previous": head[1],
    }
    row["hash"] = event_hash(row)
    return row


def write_events(tx: Transaction, events: Sequence[Mapping[str, Any]]) -> None:
    """Every event goes through here: its row, the row by which it is sealed, and the one by which it is told.

    events: those of one submission are consecutive and stand together.
    """
    tx.execute_many(_INSERT_EVENT, events)
    runs = [list(run) for _, run in groupby(events, key=itemgetter("submission_id"))]
    tx.execute_many(
        _INSERT_RANGE,
        [{"submission_id": r[0]["submission_id"], "first": r[0]["number"], "last": r[-1]["number"]} for r in runs],
    )
    announce(tx, events)


class Change:
    """Everything one job changes about one submission. Made by `changing`, which writes the chain at the end."""

    def __init__(self, tx: Transaction, row: Record) -> None:
        self.tx = tx
        self.submission: Mapping[str, Any] = row._asdict()
        self.submission_id: str = row.submission_id
        self.state = SubmissionState(row.state)
        self.claimed_by: str | None = None
        self._head: tuple[int, str] = (row.event_number, row.event_hash)
        self._events: list[dict[str, Any]] = []
        self._columns: dict[str, Any] = {}

    # -- events and outbox

    def note(self, kind: str, **facts: Any) -> None:
        """Append an event. facts: as `link_event` takes them. Nothing personal: the chain outlives the content."""
        row = link_event(self._head, self.submission_id, self.tx.now, kind, **facts)
        self._head = (row["number"], row["hash"])
        self._events.append(row)

    def send(self, delivery: Delivery, due_at: datetime, rung: str | None = None) -> None:
        """An outbox row: a message for this delivery, now (or onto a rung now), or when it is due."""
        self.tx.execute(
            INSERT_OUTBOX, outbox_row(delivery, due_at, rung, self.submission["traceparent"], now=self.tx.now)
        )
        self.tx.has_outbox_rows = True

    # -- states

    def delivery(self, delivery_id: str) -> Delivery:
        """As it is now, under the lock. Raises NotFound."""
        row = self.tx.row(_DELIVERY, {"id": delivery_id})
        if row is None or row.submission_id != self.submission_id:
            raise NotFound("there is no such delivery")
        self.claimed_by = row.claimed_by
        return delivery_of(row)

    def move(
        self,
        delivery: Delivery,
        new: DeliveryState,
        *,
        actor: str,
        details: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> None:
        """Change a delivery's state (and `columns`), with its event and what follows for the submission.

        Raises IllegalTransition, or Conflict when the row is not as `delivery` says (state and fence).
        """
        require_delivery(delivery.state, new)
        ended_at = self.tx.now if new in ENDED else None
        nothing = {"waits_for": None, "behind": None}
        self.set_delivery(delivery, **{**nothing, **columns}, state=str(new), ended_at=ended_at)
        self.note(
            f"delivery.{new}",
            delivery_id=delivery.delivery_id,
            old=str(delivery.state),
            new=str(new),
            actor=actor,
            details=details,
        )
        if new in ENDED:
            let_on(self.tx, self.submission_id, delivery.target)
            self.complete_if_ended()
        elif self.state is SubmissionState.COMPLETED:
            self.move_submission(SubmissionState.ACCEPTED, ended_at=None, keep_until=None)

    def set_delivery(self, delivery: Delivery, **columns: Any) -> None:
        """Update columns under the condition that state and fence are still those of `delivery`. Raises Conflict."""
        names = tuple(sorted(columns))
        parameters = {
            "delivery_id_is": delivery.delivery_id,
            "state_is": str(delivery.state),
            "fence_is": delivery.fence,
            **columns,
        }
        if self.tx.execute(_update_delivery(names), parameters) != 1:
            raise Conflict("somebody else changed this delivery first")

    def move_submission(
        self,
        new: SubmissionState,
        *,
        actor: str = SYSTEM,
        details: Mapping[str, Any] | None = None,
        **columns: Any,
    ) -> None:
        """Change the submission's state, with its event. Raises IllegalTransition."""
        require_submission(self.state, new)
        self.note(f"submission.{new}", old=str(self.state), new=str(new), actor=actor, details=details)
        self.state = new
        self._columns |= {"state": str(new), **columns}

    def set_submission(self, **columns: Any) -> None:
        self._columns |= columns

    def complete_if_ended(self) -> None:
        """An accepted submission is completed when its last delivery ended."""
        if self.state is not SubmissionState.ACCEPTED:
            return
        if self.tx.scalar(_COUNT_OPEN, {"id": self.submission_id}) == 0:
            self.move_submission(SubmissionState.COMPLETED, ended_at=self.tx.now)

    def write(self) -> None:
        """Write the events and the new head. Raises Conflict when another writer got in between."""
        if not self._events and not self._columns:
            return
        write_events(self.tx, self._events)
        columns = {"event_number": self._head[0], "event_hash": self._head[1], **self._columns}
        parameters = {
            "submission_id_is": self.submission_id,
            "event_number_is": self.submission["event_number"],
            **columns,
        }
        if self.tx.execute(_update_submission(tuple(sorted(columns))), parameters) != 1:
            raise Conflict("somebody else changed this submission first")


@contextmanager
def changing(tx: Transaction, submission_id: str) -> Iterator[Change]:
    """Lock a submission, change what belongs to it, write the events. Raises NotFound, and RowLocked to the writer."""
    change = Change(tx, lock(tx, submission_id))
    yield change
    change.write()


def lock(tx: Transaction, submission_id: str) -> Record:
    """The submission's row, which nobody else changes from now on. Raises NotFound, and RowLocked to the writer."""
    row = tx.row(_LOCK_SUBMISSION if tx.patient else _LOCK_SUBMISSION_AT_ONCE, {"id": submission_id})
    if row is None:
        if tx.row(_EXISTS, {"id": submission_id}) is not None:
            raise RowLocked(submission_id)
        raise NotFound("there is no such submission")
    return row


def owner_of(tx: Transaction, delivery_id: str) -> str:
    """The submission that a delivery belongs to. Raises NotFound."""
    row = tx.row(_OWNER, {"id": delivery_id})
    if row is None:
        raise NotFound("there is no such delivery")
    owner: str = row.submission_id
    return owner


def delivery_of(row: Record) -> Delivery:
    return Delivery(
        delivery_id=row.delivery_id,
        submission_id=row.submission_id,
        target=row.target,
        service=row.service,
        department=row.department,
        state=DeliveryState(row.state),
        fence=row.fence,
        claims=row.claims,
        attempts=row.attempts,
        attempts_total=row.attempts_total,
        possible_repeat=row.possible_repeat,
        created_at=row.created_at,
        first_due=row.first_due,
        due_at=row.due_at,
        claimed_until=row.claimed_until,
        failure=row.failure,
        code=row.code,
        waits_for=row.waits_for,
        follows=row.follows,
        behind=row.behind,
        waived=row.waived,
    )


def let_on(tx: Transaction, submission_id: str, target: str | None = None) -> None:
    """What waits behind this submission (for one target, or all) is due now; its round begins now.

    It may have to wait again, for another one. Without the lock of the submissions that it concerns: only what waits
    is touched, and no state changes.
    """
    rows = [row for row in tx.rows(_BEHIND, {"behind_id": submission_id}) if target in (None, row.target)]
    if not rows:
        return
    new = [outbox_row(delivery_of(row), tx.now, None, row.traceparent, now=tx.now) for row in rows]
    tx.execute_many(_LET_ON, [{"id": row.delivery_id, "now": tx.now} for row in rows])
    tx.execute_many(INSERT_OUTBOX, new)
    tx.has_outbox_rows = True


def outbox_row(
    delivery: Delivery, due_at: datetime, rung: str | None, traceparent: str | None, *, now: datetime
) -> dict[str, Any]:
    """publish_at: a rung delays by itself, so its message goes out at once."""
    return {
        "delivery_id": delivery.delivery_id,
        "submission_id": delivery.submission_id,
        "target": delivery.target,
        "service": delivery.service,
        "attempt": delivery.attempts_total + 1,
        "due_at": due_at,
        "publish_at": now if rung else due_at,
        "rung": rung,
        "traceparent": traceparent,
    }


def new_delivery(
    delivery_id: str,
    submission_id: str,
    target: str,
    service: str,
    department: str,
    now: datetime,
    *,
    follows: bool,
) -> tuple[Delivery, dict[str, Any]]:
    """A queued delivery, due now, and its row. follows: others of its matter may have to go first."""
    delivery = Delivery(
        delivery_id=delivery_id,
        submission_id=submission_id,
        target=target,
        service=service,
        department=department,
        state=DeliveryState.QUEUED,
        fence=0,
        claims=0,
        attempts=0,
        attempts_total=0,
        possible_repeat=False,
        created_at=now,
        first_due=now,
        due_at=now,
        follows=follows,
    )
    row = {name: getattr(delivery, name) for name in _NEW_DELIVERY} | {"state": str(delivery.state)}
    return delivery, row


_NEW_DELIVERY = (
    "delivery_id",
    "submission_id",
    "target",
    "service",
    "department",
    "fence",
    "claims",
    "attempts",
    "attempts_total",
    "possible_repeat",
    "created_at",
    "first_due",
    "due_at",
    "follows",
)


# Statements with the same columns are built once: building costs more than running.


@lru_cache(maxsize=64)
def _update_delivery(columns: tuple[str, ...]) -> Update:
    c = t.delivery.c
    return (
        update(t.delivery)
        .where(
            c.delivery_id == bindparam("delivery_id_is"),
            c.state == bindparam("state_is"),
            c.fence == bindparam("fence_is"),
        )
        .values({name: bindparam(name) for name in columns})
    )


@lru_cache(maxsize=64)
def _update_submission(columns: tuple[str, ...]) -> Update:
    c = t.submission.c
    return (
        update(t.submission)
        .where(c.submission_id == bindparam("submission_id_is"), c.event_number == bindparam("event_number_is"))
        .values({name: bindparam(name) for name in columns})
    )

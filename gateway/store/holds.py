"""Legal hold, and what erasing a submission would mean. Part of `Store`, see there; erasing itself is in `keeping.py`.

A submission under a hold keeps its content whatever its retention says, until a person lifts the hold. Who placed and
lifted it and why stands in its history.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Engine, bindparam, delete, insert, select

from gateway.errors import Conflict, NotFound
from gateway.store import database, keeping, views
from gateway.store import tables as t
from gateway.store.changes import changing
from gateway.store.session import Session
from gateway.store.writer import Transaction, Writer

_S, _H = t.submission.c, t.legal_hold.c
_HOLDS = (
    select(_H.submission_id, _H.since, _H.actor, _H.reason, _S.service, _S.department, _S.state)
    .join_from(t.legal_hold, t.submission)
    .order_by(_H.since, _H.submission_id)
)
_HOLD_OF = select(t.legal_hold).where(_H.submission_id == bindparam("id"))
_SUBMISSION = select(t.submission).where(_S.submission_id == bindparam("id"))
_INSERT = insert(t.legal_hold)
_DELETE = delete(t.legal_hold).where(_H.submission_id == bindparam("id"))


@dataclass(frozen=True, slots=True)
class Hold:
    """A submission whose content is kept for as long as a person says. state: of the submission."""

    submission_id: str
    since: datetime
    actor: str
    reason: str
    service: str
    department: str
    state: str


@dataclass(frozen=True, slots=True)
class Erasure:
    """What there is to erase, or that it is erased. parts, size (bytes): of the content that is there.

    keep_until: when retention takes it; None = open, or not yet dated. hold: why it may not be erased.
    certificate: the event that proves the erasure, see `Event.as_dict`, with its `hash`.
    """

    submission_id: str
    service: str
    state: str
    final: bool
    parts: int
    size: int
    keep_until: datetime | None
    erased_at: datetime | None
    hold: str | None
    certificate: dict[str, Any] | None


class Holds:
    """`Store.holds`."""

    def __init__(self, read: Callable[[], AbstractContextManager[Session]], writer: Writer, writing: Engine) -> None:
        self._read = read
        self._writer = writer
        self._writing = writing

    def add(self, submission_id: str, *, actor: str, reason: str) -> Future[None]:
        """Conflict when it is under a hold already, or has nothing left to keep."""
        return self._writer.submit(submission_id, lambda tx: _add(tx, submission_id, actor, reason))

    def remove(self, submission_id: str, *, actor: str, reason: str) -> Future[None]:
        """Conflict when there is none. Retention takes effect again, at once where its date is over."""
        return self._writer.submit(submission_id, lambda tx: _remove(tx, submission_id, actor, reason))

    def all(self) -> list[Hold]:
        """The longest first."""
        with self._read() as session:
            return [Hold(**row._asdict()) for row in session.rows(_HOLDS)]

    def erasure(self, submission_id: str) -> Erasure:
        """Raises NotFound."""
        with self._read() as session:
            return _erasure(session, submission_id)

    def scrub(self) -> bool:
        """See to it that what was erased is not in the database's log file either. False: readers are in the way, try
        again. PostgreSQL recycles its log by itself.
        """
        return database.truncate_log(self._writing)


def _add(tx: Transaction, submission_id: str, actor: str, reason: str) -> None:
    with changing(tx, submission_id) as change:
        if change.submission["erased_at"] is not None:
            raise Conflict("its content is erased: there is nothing left to keep")
        if tx.row(_HOLD_OF, {"id": submission_id}) is not None:
            raise Conflict("it is under a legal hold already")
        row = {"submission_id": submission_id, "since": tx.now, "actor": actor, "reason": reason}
        tx.execute(_INSERT, row)
        change.note("hold.added", actor=actor, details={"reason": reason})


def _remove(tx: Transaction, submission_id: str, actor: str, reason: str) -> None:
    with changing(tx, submission_id) as change:
        if tx.execute(_DELETE, {"id": submission_id}) != 1:
            raise Conflict("it is not under a legal hold")
        change.note("hold.removed", actor=actor, details={"reason": reason})


def _erasure(session: Session, submission_id: str) -> Erasure:
    identity = {"id": submission_id}
    row = session.row(_SUBMISSION, identity)
    if row is None:
        raise NotFound("there is no such submission")
    parts, size = keeping.content_size(session, submission_id)
    hold = session.row(_HOLD_OF, identity)
    proof = [event for event in views.history(session, submission_id) if event.kind == keeping.ERASED]
    return Erasure(
        submission_id,
        row.service,
        row.state,
        row.state in views.FINAL,
        parts,
        size,
        row.keep_until,
        row.erased_at,
        hold and hold.reason,
        {**proof[-1].as_dict(), "previous": proof[-1].previous, "hash": proof[-1].hash} if proof else None,
    )

"""How long content is kept, how it goes, and the proof of what happened: erasure, access records, the event chain."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, delete, exists, func, null, or_, select, text, update

from gateway.errors import Conflict
from gateway.store import likeness
from gateway.store import tables as t
from gateway.store.changes import SYSTEM, changing
from gateway.store.records import Ended
from gateway.store.session import Session
from gateway.store.views import FINAL
from gateway.store.writer import Transaction

RESERVED_PAGES = 4096
"""Free pages that stay for what comes next: 16 MiB at SQLite's 4 KiB."""
PAGES_AT_ONCE = 2048
ORPHAN_AGE = timedelta(hours=1)
"""Longer than any sender may take for one submission."""
ERASED = "content.erased"
"""Kind of the event that is the certificate of an erasure."""
_ERASE_LIMIT = 100

_OF_CONTENT = [
    delete(table).where(table.c.submission_id == bindparam("id"))
    for table in (t.content_chunk, t.content_part, t.content_key)
]
_ORPHANS = select(t.content_key.c.submission_id).where(
    t.content_key.c.claimed.is_(False), t.content_key.c.created_at < bindparam("before")
)
_UNCLAIMED = select(t.content_key.c.submission_id).where(
    t.content_key.c.submission_id == bindparam("id"), t.content_key.c.claimed.is_(False)
)
_HOLD = select(t.legal_hold.c.reason).where(t.legal_hold.c.submission_id == bindparam("id"))
_OVER = (
    select(t.submission.c.submission_id)
    .where(t.submission.c.keep_until < bindparam("now"), t.submission.c.erased_at.is_(None))
    .where(~exists().where(t.legal_hold.c.submission_id == t.submission.c.submission_id))
    .order_by(t.submission.c.keep_until)
    .limit(_ERASE_LIMIT)
)
_GIVEN_UP = or_(
    t.submission.c.state != "completed",
    exists().where(t.delivery.c.submission_id == t.submission.c.submission_id, t.delivery.c.state == "discarded"),
)
_ENDED_UNDATED = (
    select(t.submission.c.submission_id, t.submission.c.service, t.submission.c.ended_at, _GIVEN_UP.label("given_up"))
    .where(text(t.UNDATED))
    .order_by(t.submission.c.ended_at)
    .limit(bindparam("limit"))
)
_BLANK_DIGESTS = (
    update(t.attempt)
    .where(
        t.attempt.c.delivery_id.in_(
            select(t.delivery.c.delivery_id).where(t.delivery.c.submission_id == bindparam("id"))
        )
    )
    .values(case_digest="", request_digest="")
)
# Class, code and place stay: they tell what went wrong. The sentences may name masked values of the application.
_BLANK_LETTERS = (
    update(t.dead_letter)
    .where(t.dead_letter.c.submission_id == bindparam("id"))
    .values(
        text_de="Die Einzelheiten sind mit dem Inhalt gelöscht.",
        text_en="The details were erased with the content.",
        remedy_de="",
        remedy_en="",
        broker=null(),
    )
)
_CONTENT_SIZE = select(
    func.count().label("parts"), func.coalesce(func.sum(t.content_part.c.size), 0).label("size")
).where(t.content_part.c.submission_id == bindparam("id"))


# ---------------------------------------------------------------- content that goes


def undated(session: Session, limit: int) -> list[Ended]:
    """Ended submissions that nobody has told yet until when their content is kept, the oldest first."""
    rows = session.rows(_ENDED_UNDATED, {"limit": limit})
    return [Ended(row.submission_id, row.service, row.ended_at, given_up=bool(row.given_up)) for row in rows]


def set_keep_until(tx: Transaction, submission_id: str, until: datetime) -> None:
    """Content of an ended submission may go after `until`. A submission that comes back to life loses the date."""
    with changing(tx, submission_id) as change:
        if change.state not in FINAL:
            raise Conflict("content is kept as long as a submission is open")
        change.set_submission(keep_until=until)


def erase(tx: Transaction, submission_id: str, actor: str, reason: str) -> bool:
    """Delete content and key; the record stays, with the event that certifies it. False: it was erased before.

    The key goes too, so that nothing that is left of the chunks can be read. Digests that could confirm a guess of the
    content are emptied, and what dead letters quote. Raises Conflict while the submission is open or under a hold.
    """
    with changing(tx, submission_id) as change:
        if change.submission["erased_at"] is not None:
            return False
        if change.state not in FINAL:
            raise Conflict("content is kept as long as a submission is open: discard or return it first")
        if tx.row(_HOLD, {"id": submission_id}) is not None:
            raise Conflict("content is kept as long as a submission is under a legal hold")
        size = content_size(tx, submission_id)
        _delete_content(tx, submission_id)
        tx.execute(_BLANK_DIGESTS, {"id": submission_id})
        tx.execute(_BLANK_LETTERS, {"id": submission_id})
        likeness.forget(change)
        change.set_submission(erased_at=tx.now, digest="")
        change.note(ERASED, actor=actor, details={"reason": reason, "parts": size[0], "bytes": size[1]})
        return True


def content_size(session: Session, submission_id: str) -> tuple[int, int]:
    """Parts that are kept of a submission, and their bytes."""
    row: Any = session.row(_CONTENT_SIZE, {"id": submission_id})
    return row.parts, int(row.size)


def erase_due(tx: Transaction, now: datetime) -> int:
    """Erase what is past its date, at most 100 submissions at a time. How many; 0 = nothing is left."""
    due = [row.submission_id for row in tx.rows(_OVER, {"now": now})]
    for submission_id in sorted(due):
        erase(tx, submission_id, SYSTEM, "retention")
    return len(due)


def sweep_orphans(tx: Transaction) -> int:
    """Drop what was spilled and never accepted, after an hour. How many."""
    orphans = [row.submission_id for row in tx.rows(_ORPHANS, {"before": tx.now - ORPHAN_AGE})]
    for submission_id in orphans:
        _delete_content(tx, submission_id)
    return len(orphans)


def drop_unclaimed(tx: Transaction, submission_id: str) -> None:
    """Drop spilled content of a submission that was refused; what was accepted meanwhile stays."""
    if tx.row(_UNCLAIMED, {"id": submission_id}) is not None:
        _delete_content(tx, submission_id)


def give_back(tx: Transaction) -> int:
    """Give free pages of SQLite's file back to the system: a large upload that was refused would else keep its size for
    ever. At most 8 MiB a call, so that no acceptance waits long. How many pages; 0 = done. PostgreSQL does it itself.
    """
    if not tx.on_sqlite:
        return 0
    free = tx.figure("PRAGMA freelist_count")
    for _ in range(min(free - RESERVED_PAGES, PAGES_AT_ONCE)):
        tx.command("PRAGMA incremental_vacuum(1)")  # Python's driver makes one step a call, and a step is a page
    return free - tx.figure("PRAGMA freelist_count")


def _delete_content(tx: Transaction, submission_id: str) -> None:
    for statement in _OF_CONTENT:
        tx.execute(statement, {"id": submission_id})


# ---------------------------------------------------------------- proof


def record_access(tx: Transaction, submission_id: str, actor: str, what: str, reason: str) -> None:
    """Somebody looked at content: an event in the chain. Raises NotFound."""
    with changing(tx, submission_id) as change:
        change.note("access", actor=actor, details={"what": what, "reason": reason})

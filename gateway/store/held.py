"""Submissions that wait for something outside: which, and how they end up before a person. `release` lets them on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, func, insert, select, text

from gateway.store import tables as t
from gateway.store.changes import changing
from gateway.store.deadletters import clarification_letter
from gateway.store.parts import LATER, add_part
from gateway.store.records import HeldSubmission
from gateway.store.session import Session
from gateway.store.writer import Transaction
from gateway.submission import SubmissionState
from xoev_schemas.findings import Finding

_COLUMNS = ("submission_id", "channel", "client", "service", "department", "received_at", "created_at")
_HELD = (
    select(*(t.submission.c[name] for name in _COLUMNS))
    .where(text(t.HELD))
    .order_by(t.submission.c.received_at, t.submission.c.submission_id)
    .limit(bindparam("limit"))
)
_COUNT: Any = select(func.count().label("number"), func.min(t.submission.c.received_at).label("oldest")).where(
    text(t.HELD)
)
_INSERT_LETTER = insert(t.dead_letter)


def held(session: Session, limit: int) -> list[HeldSubmission]:
    """Those that came first, first."""
    return [HeldSubmission(**row._asdict()) for row in session.rows(_HELD, {"limit": limit})]


def count(session: Session) -> tuple[int, datetime | None]:
    """How many, and when the oldest was received (None: there is none)."""
    row = session.row(_COUNT)
    return (row.number, row.oldest) if row is not None else (0, None)


def clarify(tx: Transaction, submission_id: str, later: Sequence[Finding], errors: Sequence[Finding]) -> None:
    """held → clarify, with its dead letter. later: what was found since acceptance; kept encrypted with the content.

    errors: everything that a person has to clarify. Raises IllegalTransition from any other state.
    """
    with changing(tx, submission_id) as change:
        codes = sorted({finding.code for finding in later})
        change.move_submission(SubmissionState.CLARIFY, details={"findings": codes}, decision="clarify")
        written = json.dumps([finding.as_dict() for finding in later], ensure_ascii=False)
        add_part(tx, submission_id, LATER, "application/json", written.encode())
        tx.execute(_INSERT_LETTER, clarification_letter(change.submission, errors, tx.now))

"""Possibly twice: submissions that may be the same application, by person and service, content, or the portal's name.

Both are accepted and delivered; this only tells them. The person is kept as a keyed fingerprint (HMAC-SHA-256 under a
key derived from the installation's), which is deleted with the content; nothing of it can be read or tried without the
key. It is written with the first attempt, because only there the case exists.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select, union_all
from sqlalchemy.sql import literal_column

from gateway.store import tables as t
from gateway.store.changes import Change
from gateway.store.records import Likeness, Pair, Twin
from gateway.store.session import Session

IN_THE_CASE = "possiblyTwice"
"""Detail of `attempt.started`: the others that this delivery's case names."""
_LIMIT = 20
"""Others that are named for one submission; more would help nobody."""

_S = t.submission.c


def _others(why: str, condition: Any, source: Any, by: Any) -> Any:
    return (
        select(_S.submission_id, literal_column(f"'{why}'").label("why"), _S.received_at)
        .select_from(source)
        .where(condition, _S.submission_id != bindparam("id"), _S.received_at >= bindparam("since"))
        .where(_S.service == bindparam("service_is"), _S.state != "rejected")
        # By id, which begins with the time, so that the index gives the latest first and no crowd of others is read.
        .order_by(by.desc())
        .limit(_LIMIT)
    )


_BY_CONTENT = _others("content", _S.digest == bindparam("digest_is"), t.submission, _S.submission_id)
_BY_REFERENCE = _others("reference", _S.sender_folded == bindparam("folded_is"), t.submission, _S.submission_id)
_BY_PERSON = _others(
    "person",
    (t.likeness.c.value == bindparam("value_is")) & (_S.case_id != bindparam("case_is")),
    t.submission.join(t.likeness, t.likeness.c.submission_id == _S.submission_id),
    t.likeness.c.submission_id,
)
_OWN = select(_S.digest, _S.sender_folded, _S.case_id, _S.service, _S.client).where(_S.submission_id == bindparam("id"))
_CLIENT = select(_S.client).where(_S.submission_id == bindparam("id"))
_KNOWN = select(t.likeness.c.value).where(t.likeness.c.submission_id == bindparam("id"))
_TOLD = (
    select(t.possibly_twice.c.other_id, t.possibly_twice.c.why)
    .where(t.possibly_twice.c.submission_id == bindparam("id"))
    .order_by(t.possibly_twice.c.other_id, t.possibly_twice.c.why)
)
_P = t.possibly_twice.c
_BOTH_WAYS = union_all(
    select(_P.other_id.label("submission_id"), _P.why, _P.noted_at).where(_P.submission_id == bindparam("id")),
    select(_P.submission_id, _P.why, _P.noted_at).where(_P.other_id == bindparam("id")),
)
_LIST = (
    select(_P.submission_id, _P.other_id, _P.why, _P.noted_at, _S.service, _S.department)
    .select_from(t.possibly_twice.join(t.submission, _P.submission_id == _S.submission_id))
    .order_by(_P.noted_at.desc(), _P.submission_id, _P.other_id, _P.why)
    .limit(bindparam("limit"))
)
_FIRST_ATTEMPT = (
    select(t.event.c.details)
    .where(
        t.event.c.submission_id == bindparam("id"),
        t.event.c.delivery_id == bindparam("delivery_is"),
        t.event.c.kind == "attempt.started",
    )
    .order_by(t.event.c.number)
    .limit(1)
)
_FORGET = delete(t.likeness).where(t.likeness.c.submission_id == bindparam("id"))
_INSERT_LIKENESS = insert(t.likeness)
_INSERT_TWICE = insert(t.possibly_twice)


def twins(session: Session, submission_id: str, likeness: Likeness) -> list[Twin]:
    """Others that may be the same, the latest first. Whichever is compared second finds the other."""
    own: Any = session.row(_OWN, {"id": submission_id})
    common = {"id": submission_id, "since": likeness.since, "service_is": own.service}
    rows = []
    if own.digest:
        rows += session.rows(_BY_CONTENT, {**common, "digest_is": own.digest})
    if own.sender_folded:
        rows += session.rows(_BY_REFERENCE, {**common, "folded_is": own.sender_folded})
    for value in likeness.persons:
        rows += session.rows(_BY_PERSON, {**common, "value_is": value, "case_is": own.case_id})
    latest = sorted(rows, key=lambda row: (row.received_at, row.submission_id, row.why), reverse=True)
    return list(dict.fromkeys(Twin(row.submission_id, row.why) for row in latest))[:_LIMIT]


def note(change: Change, likeness: Likeness) -> None:
    """Keep what a submission is compared by, and tell once which others may be the same."""
    identity = {"id": change.submission_id}
    known = {row.value for row in change.tx.rows(_KNOWN, identity)}
    new = [{"submission_id": change.submission_id, "value": value} for value in likeness.persons if value not in known]
    change.tx.execute_many(_INSERT_LIKENESS, new)
    told = {(row.submission_id, row.why) for row in change.tx.rows(_BOTH_WAYS, identity)}
    fresh = [
        one for one in twins(change.tx, change.submission_id, likeness) if (one.submission_id, one.why) not in told
    ]
    if not fresh:
        return
    rows = [
        {
            "submission_id": change.submission_id,
            "other_id": one.submission_id,
            "why": one.why,
            "noted_at": change.tx.now,
        }
        for one in fresh
    ]
    change.tx.execute_many(_INSERT_TWICE, rows)
    change.note("submission.possibly_twice", details={"others": as_details(fresh)})


def as_details(found: Sequence[Twin]) -> list[dict[str, str]]:
    """As they stand in an event, and in a case."""
    return [{"submissionId": one.submission_id, "why": one.why} for one in found]


def sent_before(session: Session, submission_id: str, delivery_id: str) -> list[Twin]:
    """Those that the case of this delivery's first attempt named, in its order."""
    details = session.scalar(_FIRST_ATTEMPT, {"id": submission_id, "delivery_is": delivery_id})
    told = json.loads(details or "{}").get(IN_THE_CASE, [])
    return [Twin(one["submissionId"], one["why"]) for one in told]


def noted(session: Session, submission_id: str) -> list[Twin]:
    """Those that were noted at this submission."""
    return [Twin(row.other_id, row.why) for row in session.rows(_TOLD, {"id": submission_id})]


def twins_told(session: Session, submission_id: str) -> tuple[Twin, ...]:
    """Those that were noted, at this submission or at the other one."""
    found = {(row.submission_id, row.why) for row in session.rows(_BOTH_WAYS, {"id": submission_id})}
    return tuple(Twin(other, why, session.scalar(_CLIENT, {"id": other})) for other, why in sorted(found))


def pairs(session: Session, limit: int) -> list[Pair]:
    """The latest first."""
    return [Pair(**row._asdict()) for row in session.rows(_LIST, {"limit": limit})]


def forget(change: Change) -> None:
    """The fingerprints go with the content; that two were possibly the same stays in the record."""
    change.tx.execute(_FORGET, {"id": change.submission_id})

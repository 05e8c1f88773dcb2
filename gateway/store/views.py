"""Reading: what portals, operators and workers are shown. Never content, except `load`, which is for workers."""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Literal, cast

from sqlalchemy import and_, bindparam, func, or_, select, union

from gateway.delivery import OPEN, Delivery, DeliveryState
from gateway.errors import NotFound
from gateway.store import announcements, held
from gateway.store import tables as t
from gateway.store.changes import delivery_of
from gateway.store.folding import folded
from gateway.store.intake import read_record
from gateway.store.keys import KeyRing
from gateway.store.likeness import twins_told
from gateway.store.parts import LATER, open_part
from gateway.store.records import (
    Attempt,
    DeadGroup,
    DeadLetter,
    DeliveryView,
    Event,
    OpenAtTarget,
    Standing,
    SubmissionView,
)
from gateway.store.session import Record, Session, one_of
from gateway.submission import Attachment, Channel, Checked, Kind, Part, Submission
from xoev_schemas.findings import Finding, Text

FINAL = frozenset({"completed", "rejected", "returned", "discarded"})

_SUBMISSION = select(t.submission).where(t.submission.c.submission_id == bindparam("id"))
_DELIVERIES = (
    select(t.delivery)
    .where(t.delivery.c.submission_id == bindparam("id"))
    .order_by(t.delivery.c.created_at, t.delivery.c.target)
)
_DELIVERY = select(t.delivery).where(t.delivery.c.delivery_id == bindparam("id"))
_REFERENCES = (
    select(t.reference)
    .where(t.reference.c.submission_id == bindparam("id"))
    .order_by(t.reference.c.noted_at, t.reference.c.name, t.reference.c.value)
)
_EVENTS = select(t.event).where(t.event.c.submission_id == bindparam("id")).order_by(t.event.c.number)
_ATTEMPTS = select(t.attempt).where(t.attempt.c.delivery_id == bindparam("id")).order_by(t.attempt.c.number)
_PARTS = (
    select(t.content_part).where(t.content_part.c.submission_id == bindparam("id")).order_by(t.content_part.c.number)
)
_DUPLICATE = (
    select(t.submission.c.submission_id)
    .where(
        t.submission.c.digest == bindparam("digest"),
        t.submission.c.client == bindparam("client"),
        t.submission.c.received_at >= bindparam("since"),
    )
    .order_by(t.submission.c.received_at.desc())
    .limit(1)
)
_BACKLOG = (
    select(func.count())
    .select_from(t.delivery)
    .where(one_of(t.delivery.c.state, ("queued", "delivering", "waiting", "unknown")))
)
_SEARCH = union(
    select(t.submission.c.submission_id).where(
        or_(t.submission.c.submission_id == bindparam("text"), t.submission.c.case_id == bindparam("text"))
    ),
    select(t.delivery.c.submission_id).where(t.delivery.c.delivery_id == bindparam("text")),
    select(t.reference.c.submission_id).where(t.reference.c.folded == bindparam("folded_text")),
    select(t.submission.c.submission_id).where(t.submission.c.sender_folded == bindparam("folded_text")),
)
_SEARCH_LIMIT = 100
_DEAD_LETTER = select(t.dead_letter).where(t.dead_letter.c.dead_id == bindparam("id"))
_COUNTED = select(t.delivery.c.state, func.count().label("deliveries")).group_by(t.delivery.c.state)
_CIRCUITS = select(t.circuit)


# ---------------------------------------------------------------- submissions and deliveries


def view(session: Session, submission_id: str, *, events: bool) -> SubmissionView:
    """Raises NotFound."""
    row = session.row(_SUBMISSION, {"id": submission_id})
    if row is None:
        raise NotFound("there is no such submission")
    return _view(session, row, events=events)


def matter(session: Session, case_id: str, client: str | None) -> list[SubmissionView]:
    """All submissions of one case id, oldest first; of one client only, if given."""
    statement = select(t.submission).where(t.submission.c.case_id == case_id)
    if client is not None:
        statement = statement.where(t.submission.c.client == client)
    rows = session.rows(statement.order_by(t.submission.c.received_at, t.submission.c.submission_id))
    return [_view(session, row, events=False) for row in rows]


def _view(session: Session, row: Record, *, events: bool) -> SubmissionView:
    references: dict[str, dict[str, str]] = {}
    for reference in session.rows(_REFERENCES, {"id": row.submission_id}):
        references.setdefault(reference.delivery_id, {})[reference.name] = reference.value
    deliveries = tuple(
        DeliveryView(
            delivery_id=delivery.delivery_id,
            target=delivery.target,
            state=delivery.state,
            references=references.get(delivery.delivery_id, {}),
            attempts=delivery.attempts_total,
            due_at=delivery.due_at,
            failure=delivery.failure,
            code=delivery.code,
            possible_repeat=delivery.possible_repeat,
            waits_for=delivery.waits_for,
            behind=delivery.behind,
        )
        for delivery in session.rows(_DELIVERIES, {"id": row.submission_id})
    )
    return SubmissionView(
        submission_id=row.submission_id,
        case_id=row.case_id,
        channel=row.channel,
        client=row.client,
        service=row.service,
        department=row.department,
        kind=row.kind,
        state=row.state,
        standard=row.standard,
        message=row.message,
        received_at=row.received_at,
        test=row.test,
        final=row.state in FINAL,
        deliveries=deliveries,
        sender_reference=row.sender_reference,
        possibly_twice=twins_told(session, row.submission_id),
        events=[event.as_dict() for event in history(session, row.submission_id)] if events else [],
    )


def history(session: Session, submission_id: str) -> list[Event]:
    """All events of a submission, in order."""
    return [
        Event(
            number=row.number,
            at=row.at,
            kind=row.kind,
            delivery_id=row.delivery_id,
            old=row.old,
            new=row.new,
            actor=row.actor,
            details=json.loads(row.details),
            previous=row.previous,
            hash=row.hash,
        )
        for row in session.rows(_EVENTS, {"id": submission_id})
    ]


def delivery(session: Session, delivery_id: str) -> Delivery:
    """Raises NotFound."""
    row = session.row(_DELIVERY, {"id": delivery_id})
    if row is None:
        raise NotFound("there is no such delivery")
    return delivery_of(row)


def attempts(session: Session, delivery_id: str) -> list[Attempt]:
    return [
        Attempt(
            number=row.number,
            worker=row.worker,
            package_version=row.package_version,
            case_digest=row.case_digest,
            request_digest=row.request_digest,
            possible_repeat=row.possible_repeat,
            started_at=row.started_at,
            ended_at=row.ended_at,
            outcome=row.outcome,
            failure=row.failure,
            code=row.code,
            step=row.step,
        )
        for row in session.rows(_ATTEMPTS, {"id": delivery_id})
    ]


def suspected_duplicate(session: Session, client: str, digest: str, since: datetime) -> str | None:
    """The latest submission of this client with the same content since then."""
    found: str | None = session.scalar(_DUPLICATE, {"client": client, "digest": digest, "since": since})
    return found


def backlog(session: Session) -> int:
    """Deliveries that a machine still has to move; dead ones wait for people and hold up nobody."""
    count: int = session.scalar(_BACKLOG)
    return count


def search(session: Session, text: str) -> list[str]:
    """Submission ids for an exact submission id, case id or delivery id, or a reference however it is typed."""
    rows = session.rows(_SEARCH.limit(_SEARCH_LIMIT), {"text": text.strip(), "folded_text": folded(text)})
    return [row.submission_id for row in rows]


def load(session: Session, keys: KeyRing, submission_id: str) -> tuple[Submission, Checked]:
    """A submission as it was handed in and judged, data included. Raises NotFound, ContentErased, ContentDamaged."""
    row = session.row(_SUBMISSION, {"id": submission_id})
    if row is None:
        raise NotFound("there is no such submission")
    data = b"".join(open_part(session, keys, submission_id, "data").read(session))
    record = read_record(session, keys, submission_id)
    parts = {
        part.name: Part(f"{submission_id}/{part.number}", part.name, part.media_type, part.size, part.sha512)
        for part in session.rows(_PARTS, {"id": submission_id})
    }
    later = json.loads(b"".join(open_part(session, keys, submission_id, LATER).read(session))) if LATER in parts else []
    submission = Submission(
        submission_id=submission_id,
        channel=cast(Channel, row.channel),
        client=row.client,
        inbox_key=row.inbox_key,
        received_at=row.received_at,
        schema_uri=row.schema_uri,
        media_type=row.media_type,
        data=data,
        metadata=record["metadata"],
        metadata_version=row.metadata_version,
        digest=row.digest,
        service_identifier=row.service_identifier,
        case_id=row.case_id,
        kind=cast(Kind, row.kind),
        attachments=tuple(Attachment(**{**a, "part": parts[a["part"]]}) for a in record["attachments"]),
        parts=tuple(parts.values()),
        traceparent=row.traceparent,
    )
    checked = Checked(
        service=row.service,
        department=row.department,
        standard=row.standard,
        message=row.message,
        valid=row.valid,
        decision=row.decision,
        findings=tuple(Finding.from_dict(f) for f in [*record["findings"], *later]),
        test=row.test,
    )
    return submission, checked


# ---------------------------------------------------------------- dead letters

FILTERS = ("target", "service", "department", "failure", "state", "fingerprint", "delivery_id", "submission_id")


def dead_letters(session: Session, *, limit: int, after: str | None, **filters: str | None) -> list[DeadLetter]:
    """Newest first; `after`: the last `dead_id` of the page before. filters: equal values; None = any."""
    c = t.dead_letter.c
    statement = select(t.dead_letter)
    for name, value in filters.items():
        if name not in FILTERS:
            raise ValueError(f"dead letters cannot be filtered by {name}; use one of {', '.join(FILTERS)}")
        if value is not None:
            statement = statement.where(c[name] == value)
    if after is not None:
        last = dead_letter(session, after)
        statement = statement.where(
            or_(c.died_at < last.died_at, and_(c.died_at == last.died_at, c.dead_id < last.dead_id))
        )
    rows = session.rows(statement.order_by(c.died_at.desc(), c.dead_id.desc()).limit(limit))
    return [_letter(row) for row in rows]


def dead_letter(session: Session, dead_id: str) -> DeadLetter:
    """Raises NotFound."""
    row = session.row(_DEAD_LETTER, {"id": dead_id})
    if row is None:
        raise NotFound("there is no such dead letter")
    return _letter(row)


def dead_groups(session: Session, department: str | None) -> list[DeadGroup]:
    """Open dead letters by cause, the largest group first."""
    c = t.dead_letter.c
    count = func.count().label("count")
    statement = (
        select(
            c.fingerprint,
            func.max(c.target).label("target"),
            func.max(c.failure).label("failure"),
            func.max(c.code).label("code"),
            func.max(c.place).label("place"),
            *(func.max(c[name]).label(name) for name in ("text_de", "text_en", "remedy_de", "remedy_en")),
            count,
            func.min(c.died_at).label("first_seen"),
            func.max(c.died_at).label("last_seen"),
        )
        .where(c.state == "open")
        .group_by(c.fingerprint)
        .order_by(count.desc(), c.fingerprint)
    )
    if department is not None:
        statement = statement.where(c.department == department)
    return [_group(row._asdict()) for row in session.rows(statement)]


def _group(row: dict[str, Any]) -> DeadGroup:
    text, remedy = (Text(row.pop(f"{name}_de"), row.pop(f"{name}_en")) for name in ("text", "remedy"))
    return DeadGroup(**row, text=text, remedy=remedy)


def _letter(row: Record) -> DeadLetter:
    return DeadLetter(
        dead_id=row.dead_id,
        delivery_id=row.delivery_id,
        submission_id=row.submission_id,
        case_id=row.case_id,
        service=row.service,
        target=row.target,
        department=row.department,
        failure=row.failure,
        code=row.code,
        place=row.place,
        fingerprint=row.fingerprint,
        text=Text(row.text_de, row.text_en),
        remedy=Text(row.remedy_de, row.remedy_en),
        source=row.source,
        attempts=row.attempts,
        received_at=row.received_at,
        died_at=row.died_at,
        state=row.state,
        broker=row.broker,
        cause=row.cause,
    )


# ---------------------------------------------------------------- what is open


def deliveries(
    session: Session, states: Iterable[DeliveryState], target: str | None, service: str | None, limit: int
) -> list[Delivery]:
    """In these states, those first that have been on their way for longest."""
    c = t.delivery.c
    statement = select(t.delivery).where(one_of(c.state, sorted(states)))
    for column, value in ((c.target, target), (c.service, service)):
        if value is not None:
            statement = statement.where(column == value)
    return [delivery_of(row) for row in session.rows(statement.order_by(c.first_due, c.delivery_id).limit(limit))]


def open_at_targets(session: Session) -> dict[str, OpenAtTarget]:
    """Of every target that something is open for."""
    c = t.delivery.c
    by_state = (
        select(c.target, c.state, func.count().label("number"), func.min(c.first_due).label("oldest"))
        .where(one_of(c.state, sorted(OPEN)))
        .group_by(c.target, c.state)
    )
    counts: dict[str, dict[str, int]] = {}
    oldest: dict[str, list[datetime]] = {}
    for row in session.rows(by_state):
        counts.setdefault(row.target, {})[row.state] = row.number
        if row.state != DeliveryState.DEAD:
            oldest.setdefault(row.target, []).append(row.oldest)
    return {target: OpenAtTarget(made, min(oldest.get(target, ()), default=None)) for target, made in counts.items()}


def names_in_use(session: Session, column: Literal["target", "service"]) -> set[str]:
    """Targets or services that deliveries or dead letters name, configured or not any more."""
    both = union(select(t.delivery.c[column].label("name")), select(t.dead_letter.c[column].label("name")))
    return {row.name for row in session.rows(both) if row.name}


def counts(session: Session) -> dict[str, int]:
    """Deliveries by state: what every night must add up."""
    rows = session.rows(_COUNTED)
    return {row.state: row.deliveries for row in rows}


def standing(session: Session, now: datetime) -> Standing:
    """What is open right now, for gauges."""
    letter, row = t.dead_letter.c, t.outbox.c
    open_now = open_at_targets(session)
    by_class = (
        select(letter.target, letter.failure, func.count().label("number"))
        .where(letter.state == "open")
        .group_by(letter.target, letter.failure)
    )
    due: Any = select(func.count().label("number"), func.min(row.publish_at).label("oldest"))
    outbox = session.row(due.where(row.publish_at <= now))
    oldest = outbox.oldest if outbox is not None else None
    untold, untold_oldest = announcements.waiting(session, now)
    waiting, received = held.count(session)
    return Standing(
        deliveries={(name, state): n for name, at in open_now.items() for state, n in at.counts.items()},
        oldest_seconds={name: (now - at.oldest).total_seconds() for name, at in open_now.items() if at.oldest},
        dead_letters={(r.target or "", r.failure): r.number for r in session.rows(by_class)},
        outbox_rows=outbox.number if outbox is not None else 0,
        outbox_oldest_seconds=max((now - oldest).total_seconds(), 0.0) if oldest else 0.0,
        circuits={r.target: r.state["state"] for r in session.rows(_CIRCUITS)},
        untold=untold,
        untold_oldest_seconds=untold_oldest,
        held=waiting,
        held_oldest_seconds=max((now - received).total_seconds(), 0.0) if received else 0.0,
    )

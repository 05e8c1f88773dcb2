"""Keeping what was handed in: the accepting transaction, the record of a refusal, and the answer to a repeat."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, insert, select

from gateway.delivery import require_submission
from gateway.ids import new_id
from gateway.store import tables as t
from gateway.store.changes import GENESIS, INSERT_OUTBOX, link_event, new_delivery, outbox_row, write_events
from gateway.store.content import ContentErased, ContentWriter, SealedContent
from gateway.store.deadletters import clarification_letter
from gateway.store.folding import folded
from gateway.store.keys import KeyRing
from gateway.store.parts import RECORD, open_part, write_sealed
from gateway.store.records import Accepted, KeyReused
from gateway.store.session import Record, Session
from gateway.store.writer import Transaction
from gateway.submission import Checked, Submission, SubmissionState
from xoev_schemas.findings import Finding

_FIRST_STATE = {
    "accept": SubmissionState.ACCEPTED,
    "clarify": SubmissionState.CLARIFY,
    "hold": SubmissionState.HELD,
    "reject": SubmissionState.REJECTED,
}
_BY_KEY = select(t.submission).where(
    t.submission.c.channel == bindparam("channel"),
    t.submission.c.client == bindparam("client"),
    t.submission.c.inbox_key == bindparam("key"),
)
_FIRST_EVENT = select(t.event.c.new).where(t.event.c.submission_id == bindparam("id"), t.event.c.number == 1)
_INSERT_SUBMISSION = insert(t.submission)
_INSERT_DELIVERY = insert(t.delivery)
_INSERT_DEAD = insert(t.dead_letter)


@dataclass(frozen=True, slots=True)
class Intake:
    """A submission ready to be written. row: without what only the transaction knows (times, event chain).

    follows: it names a case id, so there may be others of its matter.
    """

    row: Mapping[str, Any]
    state: SubmissionState
    targets: Sequence[str]
    content: SealedContent
    findings: Sequence[Finding]
    first_outbox: bool
    follows: bool


def prepare(
    submission: Submission, checked: Checked, targets: Sequence[str], content: ContentWriter, *, first_outbox: bool
) -> Intake:
    """Everything that can be done before the transaction: the rows, and the encryption of what is not written yet."""
    state = _FIRST_STATE[checked.decision]
    if state is SubmissionState.REJECTED:
        raise ValueError("a rejected submission is recorded by `reject`")
    if state is SubmissionState.ACCEPTED and not targets:
        raise ValueError("an accepted submission needs a target")
    if not content.has_part("data"):
        content.write_part("data", submission.media_type, submission.data)
    content.write_part(RECORD, "application/json", _record(submission, checked))
    return Intake(
        submission_row(submission, checked, state),
        state,
        # Those of a submission in clarification are made when a person lets it on.
        tuple(targets) if state is SubmissionState.ACCEPTED else (),
        content.seal(),
        tuple(checked.findings),
        first_outbox,
        submission.case_id is not None,
    )


def submission_row(submission: Submission, checked: Checked, state: SubmissionState) -> dict[str, Any]:
    reference = submission.metadata.get("additionalReferenceInfo", {}).get("senderReference")
    return {
        "submission_id": submission.submission_id,
        "case_id": submission.case_id or new_id(),
        "channel": submission.channel,
        "client": submission.client,
        "inbox_key": submission.inbox_key,
        "digest": submission.digest,
        "service": checked.service,
        "service_identifier": submission.service_identifier,
        "department": checked.department,
        "kind": submission.kind,
        "state": str(state),
        "standard": checked.standard,
        "message": checked.message,
        "valid": checked.valid,
        "decision": checked.decision,
        "test": checked.test,
        "schema_uri": submission.schema_uri,
        "media_type": submission.media_type,
        "metadata_version": submission.metadata_version,
        "traceparent": submission.traceparent,
        "received_at": submission.received_at,
        "sender_reference": reference,
        "sender_folded": folded(reference) if reference else None,
    }


def accept_many(tx: Transaction, intakes: Sequence[Intake]) -> list[Accepted | KeyReused]:
    """One statement per table for all. Alone, a submission is first looked up by its key; the constraint decides.

    Raises IntegrityError when a key is there already: the writer then gives them one by one.
    """
    if len(intakes) == 1 and (answer := _answer_by_key(tx, intakes[0].row)) is not None:
        return [answer]
    rows = _Rows(tx)
    # In one order everywhere: two processes that take the same keys wait for each other in a row, never in a ring.
    for intake in sorted(intakes, key=lambda i: (i.row["client"], i.row["inbox_key"] or "")):
        rows.add(intake)
    tx.execute_many(_INSERT_SUBMISSION, rows.submissions)
    write_sealed(tx, [intake.content for intake in intakes], claimed=True)
    tx.execute_many(_INSERT_DELIVERY, rows.deliveries)
    tx.execute_many(INSERT_OUTBOX, rows.outbox)
    write_events(tx, rows.events)
    tx.execute_many(_INSERT_DEAD, rows.dead)
    tx.has_outbox_rows |= bool(rows.outbox)
    return [
        Accepted(
            True,
            intake.row["submission_id"],
            intake.row["case_id"],
            intake.row["state"],
            intake.row["received_at"],
            intake.findings,
        )
        for intake in intakes
    ]


class _Rows:
    """The rows of several new submissions, by table."""

    def __init__(self, tx: Transaction) -> None:
        self._now = tx.now
        self.submissions: list[dict[str, Any]] = []
        self.deliveries: list[dict[str, Any]] = []
        self.outbox: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.dead: list[dict[str, Any]] = []

    def add(self, intake: Intake) -> None:
        require_submission(None, intake.state)
        row, now = intake.row, self._now
        identity: str = row["submission_id"]
        event = first_event(identity, now, intake.state, row["client"], intake.findings)
        self.events.append(event)
        for target in intake.targets:
            delivery, delivery_row = new_delivery(
                new_id(), identity, target, row["service"], row["department"], now, follows=intake.follows
            )
            self.deliveries.append(delivery_row)
            event = link_event(
                (event["number"], event["hash"]),
                identity,
                now,
                "delivery.queued",
                delivery_id=delivery.delivery_id,
                new="queued",
                details={"target": target},
            )
            self.events.append(event)
            if intake.first_outbox:
                self.outbox.append(outbox_row(delivery, now, None, row["traceparent"], now=now))
        if intake.state is SubmissionState.CLARIFY:
            self.dead.append(clarification_letter(row, intake.findings, now))
        self.submissions.append(
            {**row, "created_at": now, "event_number": event["number"], "event_hash": event["hash"]}
        )


def first_event(
    submission_id: str, now: Any, state: SubmissionState, client: str, findings: Sequence[Finding]
) -> dict[str, Any]:
    """Number 1 of every chain. details: the findings' codes, which say nothing about a person."""
    codes = sorted({finding.code for finding in findings})
    return link_event(
        (0, GENESIS),
        submission_id,
        now,
        f"submission.{state}",
        new=str(state),
        actor=client,
        details={"findings": codes} if codes else None,
    )


def reject(tx: Transaction, row: Mapping[str, Any], findings: Sequence[Finding]) -> None:
    """A record without content and without the inbox key, so that a mended repeat under the same key is taken."""
    require_submission(None, SubmissionState.REJECTED)
    event = first_event(row["submission_id"], tx.now, SubmissionState.REJECTED, row["client"], findings)
    chain = {"event_number": event["number"], "event_hash": event["hash"]}
    times = {"created_at": tx.now, "ended_at": tx.now}
    tx.execute(_INSERT_SUBMISSION, {**row, **times, **chain, "inbox_key": None, "digest": ""})
    write_events(tx, [event])


def answer_by_key(
    session: Session, keys: KeyRing, channel: str, client: str, key: str, digest: str
) -> Accepted | KeyReused | None:
    """The first answer under this key, or None when the key is new."""
    row = session.row(_BY_KEY, {"channel": channel, "client": client, "key": key})
    return None if row is None else _first_answer(session, keys, row, digest)


def _answer_by_key(tx: Transaction, row: Mapping[str, Any]) -> Accepted | KeyReused | None:
    if row["inbox_key"] is None:
        return None
    return answer_by_key(tx, tx.keys, row["channel"], row["client"], row["inbox_key"], row["digest"])


def _first_answer(session: Session, keys: KeyRing, row: Record, digest: str) -> Accepted | KeyReused:
    if row.digest != digest:
        return KeyReused(row.submission_id)
    status: str = session.scalar(_FIRST_EVENT, {"id": row.submission_id})
    record = read_record(session, keys, row.submission_id)
    findings = tuple(Finding.from_dict(f) for f in record["findings"])
    return Accepted(False, row.submission_id, row.case_id, status, row.received_at, findings)


def read_record(session: Session, keys: KeyRing, submission_id: str) -> dict[str, Any]:
    """`metadata`, `findings`, `attachments` as kept at acceptance; empty when the content is erased."""
    try:
        data = b"".join(open_part(session, keys, submission_id, RECORD).read(session))
    except ContentErased:
        return {"metadata": {}, "findings": [], "attachments": []}
    record: dict[str, Any] = json.loads(data)
    return record


def _record(submission: Submission, checked: Checked) -> bytes:
    record = {
        "metadata": submission.metadata,
        "findings": [finding.as_dict() for finding in checked.findings],
        "attachments": [
            {
                "attachment_id": a.attachment_id,
                "filename": a.filename,
                "media_type": a.media_type,
                "purpose": a.purpose,
                "part": a.part.name,
            }
            for a in submission.attachments
        ],
    }
    return json.dumps(record, ensure_ascii=False, separators=(",", ":")).encode()

"""Dead letters: how one is written, and what a person may do with it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import bindparam, insert, select, update

from gateway.delivery import Dead, Delivery, DeliveryState
from gateway.delivery.words import CLASSES, REMEDIES, and_others
from gateway.errors import Conflict, NotFound
from gateway.ids import new_id
from gateway.store import tables as t
from gateway.store.changes import SYSTEM, Change, canonical, changing, let_on, new_delivery, owner_of
from gateway.store.parts import add_part
from gateway.store.writer import Transaction
from gateway.submission import SubmissionState
from xoev_schemas.findings import Finding

FINGERPRINT_VERSION = 1
CONSUMER = "consumer"
"""`Dead.source` of what a department's own consumer rejected: the one reason for which a delivered case may die."""

_POSITION = re.compile(r"\[\d+\]")
_OPEN_LETTER = select(t.dead_letter).where(
    t.dead_letter.c.delivery_id == bindparam("id"), t.dead_letter.c.state == "open"
)
_LAST_DISCARDED = (
    select(t.dead_letter.c.dead_id)
    .where(t.dead_letter.c.delivery_id == bindparam("id"), t.dead_letter.c.state == "discarded")
    .order_by(t.dead_letter.c.died_at.desc())
)
_SET_LETTER = update(t.dead_letter).where(t.dead_letter.c.dead_id == bindparam("id")).values(state="open")
_MOVE_LETTERS = {
    column: update(t.dead_letter)
    .where(t.dead_letter.c[column] == bindparam("identity"), t.dead_letter.c.state == bindparam("old"))
    .values(state=bindparam("new"))
    for column in ("delivery_id", "submission_id")
}
_INSERT_LETTER = insert(t.dead_letter)
_INSERT_DELIVERY = insert(t.delivery)
_QUARANTINED = select(t.quarantine.c.dead_id).where(t.quarantine.c.identity == bindparam("identity"))


def fingerprint(target: str | None, failure: str, code: str, place: str) -> str:
    """One cause, one value. SHA-256 over target, class, code and place without positions (version 1)."""
    parts = (target or "", failure, code, _POSITION.sub("", place))
    return hashlib.sha256("\x00".join(parts).encode()).hexdigest()


def letter_row(dead: Dead, died_at: datetime, **columns: Any) -> dict[str, Any]:
    """A row of `dead_letter`. columns: what is known of delivery and submission; the rest is null."""
    row = dict.fromkeys(_KNOWN_OF_ORIGIN)
    row |= {
        "dead_id": new_id(),
        "failure": dead.failure,
        "code": dead.code,
        "place": _POSITION.sub("", dead.place),
        "fingerprint_version": FINGERPRINT_VERSION,
        "cause": dead.cause,
        "text_de": dead.text.de,
        "text_en": dead.text.en,
        "remedy_de": dead.remedy.de,
        "remedy_en": dead.remedy.en,
        "source": dead.source,
        "attempts": 0,
        "died_at": died_at,
        "state": "open",
        **columns,
    }
    row["fingerprint"] = fingerprint(row["target"], dead.failure, dead.code, dead.place)
    return row


_KNOWN_OF_ORIGIN = (
    "delivery_id",
    "submission_id",
    "case_id",
    "service",
    "target",
    "department",
    "received_at",
    "broker",
)


def clarification_letter(submission: Mapping[str, Any], findings: Sequence[Finding], now: datetime) -> dict[str, Any]:
    """The dead letter of a submission that was accepted and waits for a person: its first error stands for all."""
    errors = [finding for finding in findings if finding.severity == "error"]
    first = errors[0] if errors else None
    dead = Dead(
        failure="clarify",
        code=first.code if first else "clarify",
        text=and_others(errors) if errors else CLASSES["clarify"],
        remedy=first.remedy if first and first.remedy.de else REMEDIES["clarify"],
        place=first.path if first else "",
        source="check",
    )
    origin = {name: submission[name] for name in ("submission_id", "case_id", "service", "department", "received_at")}
    return letter_row(dead, now, **origin)


def die(
    change: Change,
    delivery: Delivery,
    dead: Dead,
    detail_name: str,
    *,
    broker: Mapping[str, Any] | None = None,
    **columns: Any,
) -> str:
    """Move a delivery to `dead`, with its letter and the encrypted detail. The letter's id."""
    change.move(
        delivery,
        DeliveryState.DEAD,
        actor=SYSTEM if dead.source != "worker" else (change.claimed_by or SYSTEM),
        details={"failure": dead.failure, "code": dead.code, "source": dead.source},
        failure=dead.failure,
        code=dead.code,
        due_at=None,
        claimed_until=None,
        **columns,
    )
    row = letter_row(
        dead,
        change.tx.now,
        delivery_id=delivery.delivery_id,
        submission_id=delivery.submission_id,
        case_id=change.submission["case_id"],
        service=delivery.service,
        target=delivery.target,
        department=delivery.department,
        received_at=change.submission["received_at"],
        attempts=delivery.attempts_total,
        broker=broker,
    )
    change.tx.execute(_INSERT_LETTER, row)
    if dead.detail:
        add_part(change.tx, delivery.submission_id, detail_name, "text/plain; charset=utf-8", dead.detail.encode())
    dead_id: str = row["dead_id"]
    return dead_id


def set_letters(
    tx: Transaction, column: Literal["delivery_id", "submission_id"], identity: str, old: str, new: str
) -> None:
    """Move the letters of a delivery (column `delivery_id`) or submission (`submission_id`) to another state."""
    tx.execute(
        _MOVE_LETTERS[column],
        {"identity": identity, "old": old, "new": new},
    )


# ---------------------------------------------------------------- what the collector brings


def bury(tx: Transaction, delivery_id: str | None, dead: Dead, broker: Mapping[str, Any]) -> str | None:
    """A message came out of a dead-letter queue: the letter it led to, or None when it was only a stale copy.

    A delivery that a worker holds, that waits or that ended otherwise is left alone: if its message is missing, the
    sweep sends another one. What belongs to no delivery of ours is recorded by size and hash. Repeats find the first
    letter.
    """
    if delivery_id is None:
        return _quarantine(tx, dead, broker)
    try:
        owner = owner_of(tx, delivery_id)
    except NotFound:
        return _quarantine(tx, dead, broker)
    with changing(tx, owner) as change:
        delivery = change.delivery(delivery_id)
        if delivery.state is DeliveryState.DEAD:
            row = tx.row(_OPEN_LETTER, {"id": delivery_id})
            return None if row is None else str(row.dead_id)
        if not _may_die(delivery, dead):
            return None
        name = f"claim:{delivery.fence}:{delivery_id}:broker-detail"
        return die(change, delivery, dead, name, broker=dict(broker))


def _may_die(delivery: Delivery, dead: Dead) -> bool:
    if delivery.state is DeliveryState.QUEUED:
        return True
    if delivery.state is DeliveryState.DELIVERED:
        return dead.source == CONSUMER
    return False


def _quarantine(tx: Transaction, dead: Dead, broker: Mapping[str, Any]) -> str:
    """broker: `headers`, `size`, `sha256`, and whatever else is known of where it came from; never the body."""
    identity = hashlib.sha256(canonical(broker).encode()).hexdigest()
    known = tx.row(_QUARANTINED, {"identity": identity})
    if known is not None:
        return str(known.dead_id)
    row = letter_row(dead, tx.now, broker=dict(broker))
    tx.execute(_INSERT_LETTER, row)
    tx.execute(
        insert(t.quarantine),
        {
            "dead_id": row["dead_id"],
            "identity": identity,
            "size": int(broker.get("size", 0)),
            "sha256": str(broker.get("sha256", "")),
            "headers": dict(broker.get("headers", {})),
            "seen_at": tx.now,
        },
    )
    return str(row["dead_id"])


# ---------------------------------------------------------------- what people do


def redrive(
    tx: Transaction,
    delivery_ids: Sequence[str],
    actor: str,
    reason: str,
    confirm_repeat: bool,
    waive: bool = False,
) -> list[str]:
    """dead → queued, attempts counted anew, under the same idempotency key. Which; others were moved already.

    waive: from now on it passes without what its service requires, and without what should have gone first.
    Raises Conflict when none is dead any more, or when an outcome is unknown and the repeat is not confirmed (nothing
    is moved then).
    """

    def one(change: Change, delivery: Delivery) -> None:
        unknown = delivery.failure == "unknown_outcome"
        if unknown and not confirm_repeat:
            raise Conflict(
                f"delivery {delivery.delivery_id} may already have arrived (unknown_outcome): ask the department, then "
                "settle it, or confirm the repeat"
            )
        _require_content(change)
        change.move(
            delivery,
            DeliveryState.QUEUED,
            actor=actor,
            details={"reason": reason, "redrive": True, **({"waived": True} if waive else {})},
            attempts=0,
            claims=0,
            # Always later than the creation: that is how a delivery shows that it had an end before.
            first_due=max(tx.now, delivery.created_at + timedelta(microseconds=1)),
            due_at=tx.now,
            failure=None,
            code=None,
            possible_repeat=delivery.possible_repeat or unknown,
            waived=delivery.waived or waive,
        )
        set_letters(tx, "delivery_id", delivery.delivery_id, "open", "redriven")
        change.send(delivery, tx.now)

    return _each(tx, delivery_ids, DeliveryState.DEAD, one)


def end_dead(tx: Transaction, delivery_ids: Sequence[str], new: DeliveryState, actor: str, reason: str) -> list[str]:
    """dead → discarded or returned, with a reason. Which; raises Conflict when none is dead any more."""

    def one(change: Change, delivery: Delivery) -> None:
        change.move(delivery, new, actor=actor, details={"reason": reason})
        set_letters(tx, "delivery_id", delivery.delivery_id, "open", "discarded")

    return _each(tx, delivery_ids, DeliveryState.DEAD, one)


def restore(tx: Transaction, delivery_ids: Sequence[str], actor: str, reason: str) -> list[str]:
    """discarded → dead, as long as the content is there. Which; raises Conflict when none is discarded."""

    def one(change: Change, delivery: Delivery) -> None:
        _require_content(change)
        change.move(delivery, DeliveryState.DEAD, actor=actor, details={"reason": reason, "restored": True})
        letter = tx.row(_LAST_DISCARDED, {"id": delivery.delivery_id})
        if letter is not None:
            tx.execute(_SET_LETTER, {"id": letter.dead_id})

    return _each(tx, delivery_ids, DeliveryState.DISCARDED, one)


def release(tx: Transaction, submission_id: str, targets: Sequence[str], actor: str, reason: str) -> None:
    """clarify or held → accepted: the deliveries come to life. Raises IllegalTransition from any other state."""
    if not targets:
        raise ValueError("an accepted submission needs a target")
    with changing(tx, submission_id) as change:
        decided = {"decision": "accept"} if change.state is SubmissionState.HELD else {}
        change.move_submission(SubmissionState.ACCEPTED, actor=actor, details={"reason": reason}, **decided)
        for target in targets:
            delivery, row = new_delivery(
                new_id(),
                submission_id,
                target,
                change.submission["service"],
                change.submission["department"],
                tx.now,
                follows=True,
            )
            tx.execute(_INSERT_DELIVERY, row)
            change.note(
                "delivery.queued",
                delivery_id=delivery.delivery_id,
                new="queued",
                actor=actor,
                details={"target": target},
            )
            change.send(delivery, tx.now)
        set_letters(tx, "submission_id", submission_id, "open", "resolved")
        let_on(tx, submission_id)


def end_clarification(tx: Transaction, submission_id: str, new: SubmissionState, actor: str, reason: str) -> None:
    """clarify → discarded or returned, with a reason. Raises IllegalTransition from any other state."""
    with changing(tx, submission_id) as change:
        change.move_submission(new, actor=actor, details={"reason": reason}, ended_at=tx.now)
        set_letters(tx, "submission_id", submission_id, "open", "discarded")
        let_on(tx, submission_id)


def _each(
    tx: Transaction, delivery_ids: Sequence[str], state: DeliveryState, one: Callable[[Change, Delivery], None]
) -> list[str]:
    """Apply `one` to every delivery that is in `state`. Submissions are locked in order, as every writer does."""
    owners = sorted((owner_of(tx, delivery_id), delivery_id) for delivery_id in dict.fromkeys(delivery_ids))
    moved = []
    for owner, delivery_id in owners:
        with changing(tx, owner) as change:
            delivery = change.delivery(delivery_id)
            if delivery.state is state:
                one(change, delivery)
                moved.append(delivery_id)
    if owners and not moved:
        raise Conflict(f"none of these deliveries is {state} any more: somebody else was first")
    return moved


def _require_content(change: Change) -> None:
    if change.submission["erased_at"] is not None:
        raise Conflict(f"the content of submission {change.submission_id} is erased: there is nothing left to deliver")

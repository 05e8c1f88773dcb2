"""What workers write: the claim, the attempt before the call, the outcome after it. Fenced: who is late is refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import bindparam, func, insert, select, update

from gateway.delivery import ENDED, Dead, Delivered, Delivery, DeliveryState, Outcome, Skipped, StepDone, Wait
from gateway.errors import Conflict, IllegalTransition, NotFound
from gateway.store import likeness
from gateway.store import tables as t
from gateway.store.changes import Change, changing, owner_of
from gateway.store.deadletters import die, set_letters
from gateway.store.folding import folded
from gateway.store.parts import add_part
from gateway.store.records import AttemptStart, Claimed, NotClaimable
from gateway.store.writer import Transaction

DUE_TOLERANCE = timedelta(seconds=1)
"""A rung of the broker may fire this much before the moment in the database."""
REFERENCE_LENGTH = 400

D = DeliveryState
_HELD = (D.DELIVERING, D.UNKNOWN)

_IN_OUTBOX = select(t.outbox.c.outbox_id).where(t.outbox.c.delivery_id == bindparam("id")).limit(1)
_UNFINISHED = select(func.max(t.attempt.c.number)).where(
    t.attempt.c.delivery_id == bindparam("id"), t.attempt.c.ended_at.is_(None)
)
_END_ATTEMPT = (
    update(t.attempt)
    .where(
        t.attempt.c.delivery_id == bindparam("id"),
        t.attempt.c.number == bindparam("attempt"),
        t.attempt.c.ended_at.is_(None),
    )
    .values(
        ended_at=bindparam("now"),
        outcome=bindparam("result"),
        failure=bindparam("failure_class"),
        code=bindparam("error_code"),
    )
)
_RESOLVE_ATTEMPT = (
    update(t.attempt)
    .where(
        t.attempt.c.delivery_id == bindparam("id"),
        t.attempt.c.number == bindparam("attempt"),
        t.attempt.c.outcome == "unknown",
    )
    .values(outcome=bindparam("result"))
)
_INSERT_ATTEMPT = insert(t.attempt)
_REFERENCES = select(t.reference.c.name, t.reference.c.value).where(t.reference.c.delivery_id == bindparam("id"))
_INSERT_REFERENCE = insert(t.reference)


def claim(tx: Transaction, delivery_id: str, worker: str, lease_seconds: float) -> Claimed | NotClaimable:
    """Take a delivery for `lease_seconds`, by the database's time.

    Takes what is queued, what waits and is due, and what another worker held for too long. An attempt that this other
    worker recorded and never ended comes back as `unfinished_attempt`.
    """
    try:
        owner = owner_of(tx, delivery_id)
    except NotFound:
        return NotClaimable("missing")
    with changing(tx, owner) as change:
        delivery = change.delivery(delivery_id)
        refusal = refusal_of(delivery, tx.now)
        if refusal is not None:
            keep_for_its_time(change, delivery, refusal)
            return refusal
        unfinished = _unfinished_attempt(tx, delivery)
        if unfinished is not None:
            return Claimed(_hold(change, delivery, worker, lease_seconds), unfinished)
        if delivery.state is not D.QUEUED:
            why = "due" if delivery.state is D.WAITING else "the worker stopped before an attempt"
            change.move(delivery, D.QUEUED, actor=worker, details={"why": why})
            delivery = replace(delivery, state=D.QUEUED)
        return Claimed(_hold(change, delivery, worker, lease_seconds))


def refusal_of(delivery: Delivery, now: datetime) -> NotClaimable | None:
    """Why nobody may take it now; None: it may be taken."""
    if delivery.state is D.DEAD:
        return NotClaimable("dead")
    if delivery.state in ENDED:
        return NotClaimable("ended")
    if delivery.state is D.WAITING and delivery.due_at is not None and delivery.due_at > now + DUE_TOLERANCE:
        return NotClaimable("not_due", delivery.due_at)
    if delivery.state in _HELD and delivery.claimed_until is not None and delivery.claimed_until > now:
        return NotClaimable("taken", delivery.claimed_until)
    return None


def keep_for_its_time(change: Change, delivery: Delivery, refusal: NotClaimable) -> None:
    """A message that came too early (a clock was ahead for a moment) may be the only one there is: another one follows
    when the delivery is due.
    """
    waits_for_time = refusal.why == "not_due" and delivery.behind is None
    if waits_for_time and change.tx.row(_IN_OUTBOX, {"id": delivery.delivery_id}) is None:
        assert refusal.until is not None
        change.send(delivery, refusal.until)


def _unfinished_attempt(tx: Transaction, delivery: Delivery) -> int | None:
    if delivery.state is D.UNKNOWN:
        return delivery.attempts_total
    if delivery.state is D.DELIVERING:
        number: int | None = tx.scalar(_UNFINISHED, {"id": delivery.delivery_id})
        return number
    return None


def _hold(change: Change, delivery: Delivery, worker: str, lease_seconds: float) -> Delivery:
    """A new fence and lease. Where an attempt is unfinished the state stays: only who holds it changes."""
    until = change.tx.now + timedelta(seconds=lease_seconds)
    held = replace(delivery, fence=delivery.fence + 1, claims=delivery.claims + 1, claimed_until=until)
    columns = {"fence": held.fence, "claims": held.claims, "claimed_until": until, "claimed_by": worker}
    details = {"fence": held.fence}
    if delivery.state in _HELD:
        change.set_delivery(delivery, **columns)
        change.note("delivery.taken_over", delivery_id=delivery.delivery_id, actor=worker, details=details)
        return held
    change.move(delivery, D.DELIVERING, actor=worker, details=details, **columns)
    return replace(held, state=D.DELIVERING)


def postpone(tx: Transaction, delivery_id: str, due_at: datetime, why: str, rung: str | None) -> None:
    """queued (or waiting and due) → waiting, before anybody claimed it: opening hours, rate. No attempt is used up.

    One event when it begins, and when the reason changes. Does nothing to a delivery that is elsewhere by now, or that
    is not due.
    """
    with changing(tx, owner_of(tx, delivery_id)) as change:
        delivery = change.delivery(delivery_id)
        if refusal := refusal_of(delivery, tx.now):
            keep_for_its_time(change, delivery, refusal)
            return
        if delivery.state not in (D.QUEUED, D.WAITING):
            return
        details, columns = _waiting(due_at, why, rung), {"due_at": due_at, "waits_for": why}
        if delivery.state is D.QUEUED:
            change.move(delivery, D.WAITING, actor="gateway", details=details, **columns)
        else:
            change.set_delivery(delivery, **columns)
            if delivery.waits_for != why:
                change.note("delivery.waits_on", delivery_id=delivery_id, details=details)
        change.send(delivery, due_at, rung)


def start_attempt(tx: Transaction, delivery: Delivery, start: AttemptStart) -> int:
    """Record an attempt before the adapter is called: its number, counted over all workers and rounds."""
    with changing(tx, delivery.submission_id) as change:
        current = _held(change, delivery, D.DELIVERING)
        number = current.attempts_total + 1
        change.set_delivery(current, attempts=current.attempts + 1, attempts_total=number, claims=0)
        tx.execute(
            _INSERT_ATTEMPT,
            {
                "delivery_id": delivery.delivery_id,
                "number": number,
                "worker": start.worker,
                "package_version": start.package_version,
                "case_digest": start.case_digest,
                "request_digest": start.request_digest,
                "possible_repeat": start.possible_repeat,
                "started_at": tx.now,
                "step": start.step,
            },
        )
        if start.likeness is not None:
            likeness.note(change, start.likeness)
        details: dict[str, Any] = {
            "attempt": number,
            "package": start.package_version,
            "possibleRepeat": start.possible_repeat,
        }
        if start.step:
            details["step"] = start.step
        if start.twins:
            details[likeness.IN_THE_CASE] = likeness.as_details(start.twins)
        change.note("attempt.started", delivery_id=delivery.delivery_id, actor=start.worker, details=details)
        return number


def finish(tx: Transaction, delivery: Delivery, attempt: int | None, outcome: Outcome) -> None:
    """End one turn of a worker. attempt: None when it ended before one was recorded (mapping, hours, condition).

    Raises Conflict when the claim is lost: the fence moved on, or the delivery is no longer held.
    """
    with changing(tx, delivery.submission_id) as change:
        current = _held(change, delivery, D.DELIVERING)
        if attempt is not None:
            _end_attempt(tx, current, attempt, _result(outcome), outcome)
        place = f"claim:{current.fence}" if attempt is None else f"attempt:{attempt}"
        _store_outcome(change, current, outcome, f"{place}:{current.delivery_id}:")


def attempt_unknown(
    tx: Transaction, delivery: Delivery, attempt: int, code: str, detail: str, ticket: str | None
) -> None:
    """delivering → unknown: sent, and nobody knows. From here on every further request is marked as a possible repeat.

    ticket: under which the target says later what came of it (`adapters.base.InProgress`).
    Does nothing when it is unknown already (a worker took over while the target was being asked).
    """
    with changing(tx, delivery.submission_id) as change:
        current = change.delivery(delivery.delivery_id)
        if current.state is D.UNKNOWN and current.fence == delivery.fence:
            return
        current = _held(change, delivery, D.DELIVERING)
        _end_attempt(tx, current, attempt, "unknown", None, failure="unknown_outcome", code=code)
        change.move(
            current,
            D.UNKNOWN,
            actor=change.claimed_by or "gateway",
            details={"attempt": attempt, "code": code},
            possible_repeat=True,
            failure="unknown_outcome",
            code=code,
        )
        if detail:
            name = f"attempt:{attempt}:{delivery.delivery_id}:detail"
            add_part(tx, delivery.submission_id, name, "text/plain; charset=utf-8", detail.encode())
        if ticket is not None:
            name = ticket_part(delivery.delivery_id, attempt)
            add_part(tx, delivery.submission_id, name, "text/plain; charset=utf-8", ticket.encode())


def ticket_part(delivery_id: str, attempt: int) -> str:
    """Name of the encrypted part that holds an attempt's ticket."""
    return f"attempt:{attempt}:{delivery_id}:ticket"


def ask_again(tx: Transaction, delivery: Delivery, at: datetime) -> None:
    """The target could not be asked whether an attempt arrived: it stays unknown, and is asked again at `at`."""
    with changing(tx, delivery.submission_id) as change:
        current = _held(change, delivery, D.UNKNOWN)
        change.set_delivery(current, claimed_until=at, due_at=at)
        change.note(
            "probe.postponed",
            delivery_id=delivery.delivery_id,
            actor=_actor(change),
            details=_waiting(at, "probe", None),
        )
        change.send(current, at, None)


def resolve_unknown(tx: Transaction, delivery: Delivery, attempt: int, outcome: Outcome) -> None:
    """unknown → delivered, queued again (marked; the outbox row holds its time) or dead, after the target was asked."""
    with changing(tx, delivery.submission_id) as change:
        current = _held(change, delivery, D.UNKNOWN)
        if not isinstance(outcome, Wait):
            tx.execute(_RESOLVE_ATTEMPT, {"id": delivery.delivery_id, "attempt": attempt, "result": _result(outcome)})
        _store_outcome(change, current, outcome, f"attempt:{attempt}:{current.delivery_id}:probe-")


def settle(tx: Transaction, delivery_id: str, references: Mapping[str, str], actor: str, reason: str) -> None:
    """dead → delivered by hand: the department has it, under these references. Raises IllegalTransition otherwise."""
    with changing(tx, owner_of(tx, delivery_id)) as change:
        delivery = change.delivery(delivery_id)
        if delivery.state is not D.DEAD:
            raise IllegalTransition(f"only a dead delivery can be settled by hand, this one is {delivery.state}")
        add_references(change, delivery, references)
        details = {"reason": reason, "byHand": True, "references": sorted(references)}
        change.move(delivery, D.DELIVERED, actor=actor, details=details, failure=None, code=None)
        set_letters(tx, "delivery_id", delivery_id, "open", "resolved")


def add_references(
    change: Change, delivery: Delivery, references: Mapping[str, str], *, may_be_known: bool = False
) -> None:
    """Names the department gives the case; one that is known already is not repeated. may_be_known: some may be there,
    although the delivery did not end before.
    """
    if not references:
        return
    known: set[tuple[str, str]] = set()
    if may_be_known or had_an_end(delivery):
        known = {(row.name, row.value) for row in change.tx.rows(_REFERENCES, {"id": delivery.delivery_id})}
    wanted = {(name, value[:REFERENCE_LENGTH]) for name, value in references.items()}
    rows = [
        {
            "delivery_id": delivery.delivery_id,
            "name": name,
            "value": value,
            "folded": folded(value),
            "submission_id": delivery.submission_id,
            "noted_at": change.tx.now,
        }
        for name, value in sorted(wanted - known)
    ]
    change.tx.execute_many(_INSERT_REFERENCE, rows)


def had_an_end(delivery: Delivery) -> bool:
    """Whether it died (or arrived and came back) before: only then it has letters or references. Saves two look-ups."""
    return delivery.state is D.DEAD or delivery.first_due != delivery.created_at


# ---------------------------------------------------------------- outcomes


def _held(change: Change, claimed: Delivery, state: DeliveryState) -> Delivery:
    """The delivery as it is now, provided that the claim still holds. Raises Conflict."""
    current = change.delivery(claimed.delivery_id)
    if current.fence != claimed.fence or current.state is not state:
        raise Conflict("the claim on this delivery is lost: another worker has it, or it was ended")
    return current


def _store_outcome(change: Change, current: Delivery, outcome: Outcome, prefix: str) -> None:
    """The outcome's state, event and consequences. prefix: begin of the names of its encrypted parts."""
    match outcome:
        case Delivered():
            _store_delivered(change, current, outcome, prefix)
        case StepDone():
            _store_step(change, current, outcome, prefix)
        case Skipped():
            change.move(current, D.SKIPPED, actor=_actor(change), details={"reason": outcome.reason}, **_NOT_HELD)
        case Wait():
            _store_wait(change, current, outcome, prefix)
        case Dead():
            die(change, current, outcome, f"{prefix}detail", claims=0)


_NOT_HELD: Mapping[str, Any] = {"claims": 0, "claimed_until": None, "due_at": None}


def _store_delivered(change: Change, current: Delivery, outcome: Delivered, prefix: str) -> None:
    add_references(change, current, outcome.references)
    details = {"references": sorted(outcome.references), "alreadyThere": outcome.already_there}
    change.move(current, D.DELIVERED, actor=_actor(change), details=details, failure=None, code=None, **_NOT_HELD)
    if had_an_end(current):
        set_letters(change.tx, "delivery_id", current.delivery_id, "redriven", "resolved")
    _add_evidence(change, outcome, prefix)


def _store_step(change: Change, current: Delivery, outcome: StepDone, prefix: str) -> None:
    """The result is kept, and the next call due, in one commit. That call was never made: it bears no mark, and its
    pauses begin anew; the time to give up does not.
    """
    add_references(change, current, outcome.references, may_be_known=True)
    details = {
        "step": outcome.step,
        "references": sorted(outcome.references),
        "alreadyThere": outcome.already_there,
    }
    anew: Mapping[str, Any] = {**_NOT_HELD, "due_at": change.tx.now, "attempts": 0, "possible_repeat": False}
    change.move(current, D.QUEUED, actor=_actor(change), details=details, failure=None, code=None, **anew)
    change.send(current, change.tx.now)
    kept = json.dumps(dict(outcome.result), ensure_ascii=False, sort_keys=True).encode()
    add_part(change.tx, current.submission_id, step_part(current.delivery_id, outcome.step), "application/json", kept)
    _add_evidence(change, outcome, prefix)


def step_part(delivery_id: str, step: str) -> str:
    """Name of the encrypted part that holds what the answer to a call said: a JSON object, name → text."""
    return f"step:{delivery_id}:{step}"


def _add_evidence(change: Change, outcome: Delivered | StepDone, prefix: str) -> None:
    if outcome.evidence:
        media_type = outcome.evidence_type or "application/octet-stream"
        add_part(change.tx, change.submission_id, f"{prefix}evidence", media_type, outcome.evidence)


def _store_wait(change: Change, current: Delivery, outcome: Wait, prefix: str) -> None:
    details = _waiting(outcome.due_at, outcome.why, outcome.rung)
    if outcome.failure:
        details |= {"failure": outcome.failure, "code": outcome.code}
    new = D.QUEUED if current.state is D.UNKNOWN else D.WAITING
    change.move(
        current,
        new,
        actor=_actor(change),
        details=details,
        failure=outcome.failure,
        code=outcome.code,
        possible_repeat=current.possible_repeat or outcome.possible_repeat,
        **{**_NOT_HELD, "due_at": outcome.due_at, "waits_for": outcome.why if new is D.WAITING else None},
    )
    change.send(current, outcome.due_at, outcome.rung)
    if outcome.detail:
        media_type = "text/plain; charset=utf-8"
        add_part(change.tx, current.submission_id, f"{prefix}detail", media_type, outcome.detail.encode())


def _waiting(due_at: datetime, why: str, rung: str | None) -> dict[str, Any]:
    return {"why": why, "rung": rung, "dueAt": due_at.isoformat().replace("+00:00", "Z")}


def _end_attempt(
    tx: Transaction,
    delivery: Delivery,
    attempt: int,
    result: str,
    outcome: Outcome | None,
    *,
    failure: str | None = None,
    code: str | None = None,
) -> None:
    if isinstance(outcome, Wait | Dead):
        failure, code = outcome.failure, outcome.code
    ended = tx.execute(
        _END_ATTEMPT,
        {
            "id": delivery.delivery_id,
            "attempt": attempt,
            "now": tx.now,
            "result": result,
            "failure_class": failure,
            "error_code": code,
        },
    )
    if ended != 1:
        raise Conflict(f"attempt {attempt} of this delivery has ended already")


def _result(outcome: Outcome) -> str:
    match outcome:
        case Delivered() | StepDone():
            return "delivered"
        case Skipped():
            return "skipped"
        case Wait():
            return "failed"
        case Dead():
            return "dead"


def _actor(change: Change) -> str:
    return change.claimed_by or "gateway"

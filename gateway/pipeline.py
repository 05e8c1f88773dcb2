"""The way of a submission, in two halves, each one readable list of steps.

accept:   check ─► examine attachments ─► decide ─► keep ─► "accepted"   (the answer follows the commit)
deliver:  claim ─► may it go? ─► map ─► record the attempt ─► adapter ─► outcome
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

import structlog

from adapters.base import (
    Adapter,
    DeliveryError,
    Follows,
    InProgress,
    OutcomeUnknown,
    Permanent,
    Receipt,
    Retryable,
)
from gateway.attachments.findings import UNSAFE
from gateway.delivery import Dead, Delivered, Delivery, DeliveryState, Outcome, Parked, StepDone, Wait, notices
from gateway.delivery.ladder import again, next_question
from gateway.delivery.steps import call_of, key_of
from gateway.delivery.verdicts import bug, dead, poison
from gateway.errors import Conflict, Refused, StoreUnavailable
from gateway.intake.refusals import refused
from gateway.packages.ruling import judged_by_service
from gateway.preparing import Prepared, case_of, find_service, follows, make_case, prepare, unreadable
from gateway.services import Accepts, Service, Target
from gateway.store import Accepted, AttemptStart, Claimed, KeyReused
from gateway.submission import Checked, Submission
from xoev_schemas.documents import Unreadable
from xoev_schemas.findings import Finding, has_errors
from xoev_schemas.registry import Judgement

if TYPE_CHECKING:
    from gateway.store.content import ContentWriter
    from gateway.wiring import Gateway

log = structlog.get_logger()

DEATHS_BEFORE_POISON = 5
"""A delivery at which workers died this often, before an attempt was recorded or in the middle of one, is poison."""
WORKER_DIED = "worker.died"

PROBE_AGAIN = timedelta(seconds=60)
"""A target that cannot be asked now whether an attempt arrived is asked again after this long."""


# ------------------------------------------------------------------------------------------- accept: portal → kept


async def accept(gateway: Gateway, submission: Submission, content: ContentWriter) -> Accepted:
    """Check a submission and keep it. Returns only after the commit is on disk.

    Raises Refused (400 unreadable, 409 key reused, 422 not valid or not for us); nothing of the content is kept then.
    """
    loop = asyncio.get_running_loop()
    try:
        checked = await loop.run_in_executor(gateway.check_pool, check, gateway, submission)
        if submission.attachments:
            checked = await loop.run_in_executor(gateway.scan_pool, examine, gateway, submission, checked, content)
        if checked.decision == "reject":
            raise refused("not_valid", findings=checked.findings)
        targets = gateway.packages.services[checked.service].targets
        kept = await asyncio.wrap_future(gateway.store.accept(submission, checked, targets, content))
    except Refused as refusal:
        await loop.run_in_executor(gateway.check_pool, content.discard)
        # What was accepted stays accepted, also when the configuration has changed since and the sender repeats it.
        if first := await asyncio.to_thread(first_answer, gateway, submission):
            return first
        if refusal.code == "not_valid":
            await asyncio.wrap_future(gateway.store.reject(submission, checked))
        raise
    except BaseException:
        await loop.run_in_executor(gateway.check_pool, content.discard)
        raise
    if isinstance(kept, KeyReused):
        raise refused("key_reused", path="Idempotency-Key")
    if kept.created:
        notices.kept(kept.submission_id, checked)
    return kept


def first_answer(gateway: Gateway, submission: Submission) -> Accepted | None:
    """The answer that the same message got before, if it was accepted then."""
    if submission.inbox_key is None:
        return None
    found = gateway.store.find_by_key(submission.channel, submission.client, submission.inbox_key, submission.digest)
    return found if isinstance(found, Accepted) else None


def check(gateway: Gateway, submission: Submission) -> Checked:
    """Find the service, run its layers of validation, decide. Pure but for reading installed schemas.

    Raises Refused for what is always refused: unreadable (400), unknown service or schema (422).
    """
    service, accepts = find_service(gateway, submission)
    judgement = judged_by_service(
        service,
        accepts,
        gateway.checker,
        submission.data,
        submission.media_type,
        judge(gateway, submission, accepts),
        gateway.packages.stage,
    )
    return Checked(
        service=service.name,
        department=service.department,
        standard=judgement.standard,
        message=judgement.message,
        valid=judgement.valid,
        decision=decide(service, submission.channel, judgement.findings),
        findings=judgement.findings,
        test=judgement.test,
    )


def judge(gateway: Gateway, submission: Submission, accepts: Accepts) -> Judgement:
    """By every layer of its standard, from the first byte.

    Raises Refused: 400 for what cannot be read, whatever `on_invalid` says, for nobody could mend it; 422 when no
    schema for this form of the data is installed: not for us.
    """
    ref = gateway.registry.find(accepts.schema)
    if ref is None:
        raise refused("schema_not_accepted", path="data")
    try:
        judgement = gateway.checker.check(submission.data, submission.media_type, ref)
    except Unreadable as error:
        raise unreadable(error) from None
    if judgement.valid is None:
        raise refused("schema_not_accepted", path="data")
    return judgement


def examine(gateway: Gateway, submission: Submission, checked: Checked, content: ContentWriter) -> Checked:
    """The verdict with what there is to say about the attachments."""
    service = gateway.packages.services[checked.service]
    seen = gateway.examiner.examine(submission.attachments, service.attachments, content.read)
    findings = [*checked.findings, *seen.findings]
    decision = decide(service, submission.channel, findings)
    # What is to be refused is refused at once; whatever else it is to be, it is held until it is known to be harmless.
    held = seen.waits and decision != "reject"
    return replace(checked, findings=findings, decision="hold" if held else decision)


def decide(service: Service, channel: str, findings: Sequence[Finding]) -> Literal["accept", "clarify", "reject"]:
    """What errors lead to is the service's choice: an authority may not refuse an application for its form alone.

    An attachment that carries malware, or may, goes nowhere before a person has looked at it.
    """
    if not has_errors(findings):
        return "accept"
    on_invalid = service.on_invalid[channel]
    if on_invalid == "deliver_with_findings":
        return "clarify" if any(finding.code in UNSAFE for finding in findings) else "accept"
    return on_invalid


# ------------------------------------------------------------------------------------- deliver: queue → department


def deliver(gateway: Gateway, delivery_id: str, worker: str) -> None:
    """One turn of a worker with one delivery. Whatever happens is stored before this returns.

    Raises StoreUnavailable when nothing could be stored (the message then stays with the broker).
    """
    delivery = gateway.store.delivery(delivery_id)
    target = gateway.packages.targets[delivery.target]
    waits = delivery.state in (DeliveryState.QUEUED, DeliveryState.WAITING)
    if waits and waits_in_order(gateway, delivery):
        return
    if waits and (hold := gateway.gates.hold(target, delivery_id)):
        if isinstance(hold, Parked):
            gateway.store.park(delivery_id, hold.failure, hold.code).result()
        else:
            gateway.store.postpone(delivery_id, hold.due_at, hold.why, hold.rung).result()
        return
    claim = gateway.store.claim(delivery_id, worker, gateway.settings.lease_seconds).result()
    if not isinstance(claim, Claimed):
        # Ended, not due, or another worker has it: a superfluous message does no harm, and the sweep knows what is
        # nowhere.
        log.info("delivery.not_claimed", delivery=delivery_id, why=claim.why)
        return
    target = gateway.for_kind(target, delivery)
    if claim.unfinished_attempt is not None:
        target = call_of(gateway.store, delivery, target, claim.unfinished_attempt)
    if claim.unfinished_attempt is not None and claim.delivery.state is DeliveryState.UNKNOWN:
        settle_unknown(gateway, claim.delivery, target, claim.unfinished_attempt)
    elif claim.unfinished_attempt is not None:
        unknown(gateway, claim.delivery, target, claim.unfinished_attempt, OutcomeUnknown(WORKER_DIED))
    elif claim.delivery.claims >= DEATHS_BEFORE_POISON:
        finish(gateway, claim.delivery, None, poison(claim.delivery.claims))
    else:
        attempt(gateway, claim.delivery, target, worker)


def waits_in_order(gateway: Gateway, delivery: Delivery) -> bool:
    """Whether it now waits for an earlier submission of its matter. Seldom, so it is asked for before it is written."""
    matters = gateway.store.matters
    return (
        follows(delivery) and matters.place(delivery).behind is not None and matters.wait(delivery.delivery_id).result()
    )


def attempt(gateway: Gateway, delivery: Delivery, target: Target, worker: str) -> None:
    """Map, record the attempt, call the adapter, store the outcome."""
    try:
        prepared = prepare(gateway, delivery, target)
    except (StoreUnavailable, Conflict):
        raise
    except Exception as error:  # our own fault: a person must see it; the same input would fail again
        log.exception("mapping.crashed", delivery=delivery.delivery_id, error=type(error).__name__)
        prepared = bug(error)
    if not isinstance(prepared, Prepared):
        finish(gateway, delivery, None, prepared)
        return
    target = prepared.target
    start = AttemptStart(
        worker,
        prepared.package_version,
        prepared.case_digest,
        prepared.request_digest,
        delivery.possible_repeat,
        prepared.likeness if delivery.attempts_total == 0 else None,
        prepared.twins,
        target.step.call if target.step else "",
    )
    number = gateway.store.start_attempt(delivery, start).result()
    delivery = replace(delivery, attempts=delivery.attempts + 1)
    if delivery.claimed_until is not None and gateway.clock() >= delivery.claimed_until:
        # We stood still (paused, swapped out): another worker may have sent it meanwhile, and ours bears no mark.
        raise Conflict("the claim ran out before the call")
    outcome: Outcome
    try:
        receipt = gateway.adapter(target).deliver(prepared.request)
    except Retryable as error:
        gateway.gates.report(target, error)
        outcome = again(target.retry, error, **_round(gateway, delivery), possible_repeat=delivery.possible_repeat)
    except Permanent as error:
        gateway.gates.report(target, error)
        # Wrong credentials say nothing about the case: the circuit opens, and the delivery waits for better ones.
        outcome = again(target.retry, error, **_round(gateway, delivery)) if error.failure == "auth" else dead(error)
    except OutcomeUnknown as error:
        unknown(gateway, delivery, target, number, error)
        return
    except Exception as error:  # an adapter that breaks its promise may have sent: nobody can know
        log.exception("adapter.crashed", target=target.name, error=type(error).__name__)
        unknown(gateway, delivery, target, number, OutcomeUnknown("adapter.crashed", detail=repr(error)))
        return
    else:
        gateway.gates.report(target, None)
        outcome = delivered(target, receipt)
    finish(gateway, delivery, number, at_step(target, outcome))


def unknown(gateway: Gateway, delivery: Delivery, target: Target, number: int, error: OutcomeUnknown) -> None:
    """Sent, and nobody knows. A target that can be asked is asked a little later: it may still be at work on it."""
    if isinstance(error, InProgress):
        gateway.gates.report(target, None)  # it answered, and it took the case
        gateway.store.attempt_unknown(delivery, number, error.code, error.detail, error.ticket).result()
        gateway.store.ask_again(delivery, _next_question(gateway, delivery, error)).result()
        return
    gateway.store.attempt_unknown(delivery, number, error.code, error.detail).result()
    if target.has_probe:
        gateway.store.ask_again(delivery, gateway.clock() + gateway.probe_after).result()
    else:
        settle_unknown(gateway, delivery, target, number)


def settle_unknown(gateway: Gateway, delivery: Delivery, target: Target, number: int) -> None:
    """An attempt whose outcome nobody knows: ask the target; else repeat, marked, if allowed; else a person decides."""
    outcome = follow(gateway, delivery, target, number)
    if outcome is not None:
        pass
    elif target.has_probe:
        outcome = probe(gateway, delivery, target)
    elif target.repeatable:
        failed = OutcomeUnknown(_code_of(gateway, delivery, number))
        outcome = again(target.retry, failed, **_round(gateway, delivery), possible_repeat=True)
    else:
        outcome = dead(OutcomeUnknown(_code_of(gateway, delivery, number)))
    if isinstance(outcome, Wait) and (deaths := _deaths(gateway, delivery)) >= DEATHS_BEFORE_POISON:
        outcome = poison(deaths)  # another repeat would take the next worker with it, and bystanders' attempts
    if isinstance(outcome, AskLater):
        gateway.store.ask_again(delivery, outcome.at).result()
        return
    outcome = at_step(target, outcome)
    gateway.store.resolve_unknown(delivery, number, outcome).result()
    notices.ended(gateway.metrics, delivery, outcome)


@dataclass(frozen=True, slots=True)
class AskLater:
    """The target did not say yet, or could not be asked."""

    at: datetime


def probe(gateway: Gateway, delivery: Delivery, target: Target) -> Outcome | AskLater:
    """Did it arrive? Found = delivered. Surely not = again, marked all the same."""
    try:
        receipt = gateway.adapter(target).probe(key_of(delivery, target))
    except Retryable as error:
        gateway.gates.report(target, error)
        return _ask_later(gateway, delivery, target, OutcomeUnknown("probe.gave_up"), PROBE_AGAIN)
    except DeliveryError:
        return dead(OutcomeUnknown("probe.impossible"))
    gateway.gates.report(target, None)
    if receipt is not None:
        return delivered(target, replace(receipt, already_there=True))
    return again(target.retry, OutcomeUnknown("probe.not_there"), **_round(gateway, delivery), possible_repeat=True)


def follow(gateway: Gateway, delivery: Delivery, target: Target, number: int) -> Outcome | AskLater | None:
    """What came of a case that the target took under a ticket. None: there is none, or it leads nowhere any more."""
    adapter = gateway.adapter(target)
    ticket = gateway.store.ticket(delivery, number) if isinstance(adapter, Follows) else None
    if ticket is None or not isinstance(adapter, Follows):
        return None
    try:
        receipt = adapter.follow(ticket)
    except InProgress as error:
        gateway.gates.report(target, None)
        pause = _next_question(gateway, delivery, error) - gateway.clock()
        return _ask_later(gateway, delivery, target, error, pause)
    except OutcomeUnknown:
        return None
    except (Retryable, Permanent) as error:
        gateway.gates.report(target, error)
        if error.failure == "rejected_by_target":
            return dead(error)
        if isinstance(error, Retryable) or error.failure == "auth":  # credentials can be mended meanwhile
            return _ask_later(gateway, delivery, target, OutcomeUnknown("probe.gave_up"), PROBE_AGAIN)
        return dead(OutcomeUnknown("probe.impossible", detail=error.detail))
    gateway.gates.report(target, None)
    return delivered(target, receipt)


def _next_question(gateway: Gateway, delivery: Delivery, error: InProgress) -> datetime:
    now = gateway.clock()
    return next_question(first_due=delivery.first_due, now=now, asked=error.ask_after, least=gateway.probe_after)


def _ask_later(
    gateway: Gateway, delivery: Delivery, target: Target, given_up: OutcomeUnknown, pause: timedelta
) -> Outcome | AskLater:
    """given_up: what stands in the dead letter once the round's time is over."""
    now = gateway.clock()
    if now > delivery.first_due + timedelta(seconds=target.retry.give_up_after):
        return dead(given_up)
    return AskLater(now + pause)


def finish(gateway: Gateway, delivery: Delivery, number: int | None, outcome: Outcome) -> None:
    gateway.store.finish(delivery, number, outcome).result()
    notices.ended(gateway.metrics, delivery, outcome)


# ---------------------------------------------------------------------------------------------------------- outcomes


def delivered(target: Target, receipt: Receipt) -> Delivered | StepDone:
    """It is there; or, where a delivery takes several calls, this one is done."""
    proof = (receipt.evidence, receipt.evidence_type, receipt.already_there)
    if target.step is None:
        return Delivered(dict(receipt.references), *proof)
    named = {name: value for name, value in receipt.references.items() if name in target.step.references}
    return StepDone(target.step.call, receipt.references, named, *proof)


def at_step(target: Target, outcome: Outcome) -> Outcome:
    """A dead letter says at which step the delivery stopped."""
    if target.step is None or not isinstance(outcome, Dead):
        return outcome
    return replace(outcome, place=outcome.place or f"steps/{target.step.name}")


def _code_of(gateway: Gateway, delivery: Delivery, number: int) -> str:
    """Why the outcome of an attempt is unknown."""
    made = (a.code for a in gateway.store.attempts(delivery.delivery_id) if a.number == number)
    return next(made, None) or "outcome.unknown"


def _deaths(gateway: Gateway, delivery: Delivery) -> int:
    """Attempts of this round in which the worker died."""
    before = delivery.attempts_total - delivery.attempts
    made = gateway.store.attempts(delivery.delivery_id)
    return sum(a.number > before and a.code == WORKER_DIED for a in made)


def _round(gateway: Gateway, delivery: Delivery) -> dict[str, Any]:
    now: datetime = gateway.clock()
    return {"attempts": max(delivery.attempts, 1), "first_due": delivery.first_due, "now": now, "draw": gateway.draw}


__all__ = [
    "Adapter",
    "Prepared",
    "accept",
    "attempt",
    "case_of",
    "check",
    "deliver",
    "make_case",
    "prepare",
    "settle_unknown",
]

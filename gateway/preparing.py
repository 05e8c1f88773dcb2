"""submission → case → request, with today's configuration: a mended mapping takes effect on the next attempt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from adapters.base import Request, RequestAttachment
from gateway import case
from gateway.delivery import Dead, Delivered, Delivery, Skipped
from gateway.delivery.likeness import likeness_of
from gateway.delivery.requirements import first_given_up, unmet
from gateway.delivery.steps import key_of, next_call
from gateway.delivery.verdicts import no_longer_ours, no_request_for, unmappable
from gateway.errors import Refused
from gateway.intake.refusals import refused
from gateway.packages.deadlines import deadlines, region_of
from gateway.packages.enclosures import MESSAGE, RECEIPT, enclosures
from gateway.services import Accepts, Service, Target, applies, map_case, map_request
from gateway.store import Likeness, Twin
from gateway.submission import Checked, Submission
from xoev_schemas.documents import Unreadable, parse

if TYPE_CHECKING:
    from gateway.wiring import Gateway


def find_service(gateway: Gateway, submission: Submission) -> tuple[Service, Accepts]:
    return gateway.packages.find_service(
        schema_uri=submission.schema_uri,
        identifier=submission.service_identifier,
        channel=submission.channel,
        today=submission.received_at.date(),
    )


def unreadable(error: Unreadable) -> Refused:
    return refused("unreadable", findings=[replace(fault, path="data") for fault in error.findings])


def follows(delivery: Delivery) -> bool:
    """Whether others of its matter have to be asked for before it goes."""
    return delivery.follows and not delivery.waived


@dataclass(frozen=True, slots=True)
class Prepared:
    """A request ready to go, and what proves later what it was made from. target: as it is for this call."""

    request: Request
    target: Target
    package_version: str
    case_digest: str
    request_digest: str
    likeness: Likeness
    twins: Sequence[Twin]


def prepare(gateway: Gateway, delivery: Delivery, target: Target) -> Prepared | Delivered | Skipped | Dead:
    """What is to be sent to this target now; or why nothing is, now or ever. Delivered: its last step is done."""
    if follows(delivery) and gateway.store.matters.place(delivery).given_up:
        return first_given_up()
    submission, checked = gateway.store.submission(delivery.submission_id)
    try:
        made = make_case(gateway, submission, checked)
    except Refused as error:  # accepted under a configuration that is gone
        return no_longer_ours(error)
    service = gateway.packages.services[checked.service]
    if made.value is None:
        return unmappable(made.findings)
    if target.skips(submission.kind):
        return Skipped("kind")
    if target.kind != submission.kind:
        return no_request_for(submission.kind, target.name)
    if not applies(target, made.value):
        return Skipped("condition")
    if checked.test and not target.accepts_test:
        return Skipped("test_message")
    if not delivery.waived and (missing := unmet(service.requires, made.value)):
        return missing
    likeness = likeness_of(
        made.value,
        gateway.store.matters.fingerprint,
        submission.received_at,
        timedelta(days=gateway.settings.possibly_twice_days),
    )
    matters = gateway.store.matters
    others = (
        matters.sent_twins(delivery) if delivery.attempts_total else matters.twins(delivery.submission_id, likeness)
    )
    value = marked(made.value, others)
    call = next_call(gateway.store, delivery, target, value)
    if call is None:
        return Delivered() if delivery.attempts_total else Skipped("condition")
    target, seen = call
    body = map_request(target, service.name, seen)
    if body.value is None:
        return unmappable(body.findings)
    request = Request(
        key=key_of(delivery, target),
        submission_id=submission.submission_id,
        body=body.value,
        service=service.name,
        received_at=value["receivedAt"],
        case_id=submission.case_id,
        possible_repeat=delivery.possible_repeat,
        test=checked.test,
        traceparent=submission.traceparent,
        attachments=_attachments(gateway, submission, value, body.attachment_ids),
    )
    return Prepared(request, target, service.version, digest(value), digest(body.value), likeness, others)


def marked(value: dict[str, Any], twins: Sequence[Twin]) -> dict[str, Any]:
    """The case with these others."""
    told = [{"submissionId": one.submission_id, "why": one.why} for one in twins]
    return {**value, "possiblyTwice": told} if told else value


def make_case(gateway: Gateway, submission: Submission, checked: Checked) -> Any:
    """The normalised case of a stored submission (a MappingOutcome)."""
    service, accepts = find_service(gateway, submission)
    try:
        document = parse(submission.data, submission.media_type, gateway.checker.limits)
    except Unreadable as error:  # the limits are lower than when it was accepted
        raise unreadable(error) from None
    envelope = case.envelope(
        submission,
        checked,
        package_version=service.version,
        region=region_of(service),
        deadlines=deadlines(service, submission.received_at),
    )
    if submission.kind != "new" and (known := gateway.store.matters.references(submission.submission_id)):
        envelope["references"] = known
    return map_case(service, accepts, document, envelope)


def case_of(gateway: Gateway, submission_id: str) -> Mapping[str, Any]:
    """The case as a department fetches it. Raises NotFound, or Refused(422) when it cannot be mapped today."""
    submission, checked = gateway.store.submission(submission_id)
    made = make_case(gateway, submission, checked)
    if made.value is None:
        raise refused("not_mappable", findings=made.findings)
    return marked(made.value, gateway.store.matters.noted_twins(submission_id))


def digest(value: Any) -> str:
    """SHA-256 (hex) of the canonical JSON of a case or request body."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _attachments(
    gateway: Gateway, submission: Submission, value: Mapping[str, Any], wanted: Iterable[str]
) -> list[RequestAttachment]:
    """value: the case."""
    chosen = set(wanted)
    own = enclosures(value, submission.data, submission.media_type) if chosen & {MESSAGE, RECEIPT} else []

    def stream(name: str) -> Callable[[], Iterable[bytes]]:
        return lambda: gateway.store.read_part(submission.submission_id, name)

    handed_in = (
        RequestAttachment(a.attachment_id, a.filename, a.media_type, a.part.size, a.part.sha512, stream(a.part.name))
        for a in submission.attachments
    )
    return [one for one in (*handed_in, *own) if one.attachment_id in chosen]

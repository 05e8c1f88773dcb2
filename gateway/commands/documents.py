"""The JSON forms of what operators' commands show: names and moments as in the HTTP interface. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

from gateway.api.answers import status_document, twin_document
from gateway.case import rfc3339
from gateway.delivery import Delivery, DeliveryState
from gateway.delivery.breaker import Circuit
from gateway.delivery.words import CLASSES, WAITING, explain
from gateway.services import Target
from gateway.store import Attempt, DeadLetter, HeldSubmission, OpenAtTarget, SubmissionView
from xoev_schemas.findings import Text


def letter_document(letter: DeadLetter) -> dict[str, Any]:
    """class: what happened; cause: for class `expired`, the class of the last failure."""
    return {
        "deadId": letter.dead_id,
        "deliveryId": letter.delivery_id,
        "submissionId": letter.submission_id,
        "caseId": letter.case_id,
        "service": letter.service,
        "target": letter.target,
        "department": letter.department,
        "status": letter.state,
        "class": letter.failure,
        "cause": letter.cause,
        "code": letter.code,
        "place": letter.place,
        "fingerprint": letter.fingerprint,
        "text": letter.text.as_dict(),
        "remedy": letter.remedy.as_dict(),
        "source": letter.source,
        "attempts": letter.attempts,
        "receivedAt": when(letter.received_at),
        "diedAt": when(letter.died_at),
        "broker": letter.broker,
    }


def held_document(held: HeldSubmission) -> dict[str, Any]:
    """since: when the gateway accepted it; every one waits for the virus scanner."""
    return {
        "submissionId": held.submission_id,
        "service": held.service,
        "department": held.department,
        "channel": held.channel,
        "client": held.client,
        "receivedAt": when(held.received_at),
        "since": when(held.created_at),
    }


def explanation(letter: DeadLetter) -> dict[str, Text]:
    """Class, cause and code in words, where there are any: `class`, `cause`, `code`."""
    words = {
        "class": CLASSES.get(letter.failure),
        "cause": CLASSES.get(letter.cause or ""),
        "code": explain(letter.code),
    }
    return {name: text for name, text in words.items() if text is not None}


def attempt_document(attempt: Attempt) -> dict[str, Any]:
    return {
        "number": attempt.number,
        "startedAt": when(attempt.started_at),
        "endedAt": when(attempt.ended_at),
        "outcome": attempt.outcome,
        "class": attempt.failure,
        "code": attempt.code,
        "possibleRepeat": attempt.possible_repeat,
        "packageVersion": attempt.package_version,
        "caseDigest": attempt.case_digest,
        "requestDigest": attempt.request_digest,
        "worker": attempt.worker,
    }


def submission_document(view: SubmissionView) -> dict[str, Any]:
    """What `GET /v1/submissions/{id}` answers, and what only operators see."""
    public = status_document(view)
    more = [
        {
            "waitsFor": delivery.waits_for,
            "dueAt": when(delivery.due_at),
            "class": delivery.failure,
            "code": delivery.code,
            "possibleRepeat": delivery.possible_repeat,
        }
        for delivery in view.deliveries
    ]
    return {
        **public,
        "deliveries": [{**seen, **added} for seen, added in zip(public["deliveries"], more, strict=True)],
        "channel": view.channel,
        "client": view.client,
        "service": view.service,
        "department": view.department,
        "kind": view.kind,
        "senderReference": view.sender_reference,
        "possiblyTwice": [twin_document(one) for one in view.possibly_twice],
        "standard": view.standard,
        "message": view.message,
        "test": view.test,
        "events": list(view.events),
    }


def delivery_document(delivery: Delivery, circuit: Circuit, target: Target | None) -> dict[str, Any]:
    """A delivery that is open: what it waits for, why, until when. target: None when it is configured no more."""
    parked = delivery.waits_for == "circuit"
    why = WAITING.get(delivery.waits_for or "")
    return {
        "deliveryId": delivery.delivery_id,
        "submissionId": delivery.submission_id,
        "service": delivery.service,
        "target": delivery.target,
        "status": str(delivery.state),
        "waitsFor": delivery.waits_for,
        "behind": delivery.behind,
        "why": why.as_dict() if why else None,
        "class": delivery.failure or (circuit.failure if parked else None),
        "code": delivery.code or (circuit.why if parked else None),
        "since": when(delivery.first_due),
        "dueAt": when(delivery.due_at) if not parked else None,
        "nextProbeAt": when(circuit.probe_at) if parked else None,
        "givesUpAt": when(gives_up_at(delivery, target)),
        "attempts": delivery.attempts,
        "possibleRepeat": delivery.possible_repeat,
    }


def gives_up_at(delivery: Delivery, target: Target | None) -> datetime | None:
    """When it becomes a dead letter at the latest; None where that is not decided by time."""
    if target is None or delivery.waits_for not in ("retry", "circuit"):
        return None
    return delivery.first_due + timedelta(seconds=target.retry.give_up_after)


def target_document(name: str, target: Target | None, circuit: Circuit, work: OpenAtTarget | None) -> dict[str, Any]:
    """A target: where it is, whether it answers, what is open for it."""
    counts: Mapping[str, int] = work.counts if work else {}
    words = explain(circuit.why)
    return {
        "target": name,
        "adapter": target.adapter if target else None,
        "address": address(target) if target else None,
        "circuit": {
            "state": circuit.state,
            "since": when(circuit.opened_at),
            "class": circuit.failure or None,
            "code": circuit.why or None,
            "text": words.as_dict() if words and circuit.state == "open" else None,
            "nextProbeAt": when(circuit.probe_at) if circuit.state == "open" else None,
        },
        "deliveries": {str(state): counts.get(state, 0) for state in _COUNTED},
        "oldestSince": when(work.oldest) if work else None,
    }


_COUNTED = (
    DeliveryState.QUEUED,
    DeliveryState.DELIVERING,
    DeliveryState.WAITING,
    DeliveryState.UNKNOWN,
    DeliveryState.DEAD,
)


def address(target: Target) -> str:
    """Where a target is, without user, password or query: these may be secrets."""
    settings = target.config.settings
    url = urlsplit(str(settings.get("url", "")))
    host = url.netloc.rpartition("@")[2]
    path = url.path.rstrip("/") + str(settings.get("path", "")).partition("?")[0]
    names = (str(settings[key]) for key in ("operation", "queue") if key in settings)
    return " ".join([f"{url.scheme}://{host}{path}" if host else target.adapter, *names])


def when(moment: datetime | None) -> str | None:
    return rfc3339(moment) if moment else None

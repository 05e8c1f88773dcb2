"""Commands about matters: find one by any name it has, add a name, see what possibly came twice."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.api.answers import twin_document
from gateway.commands.documents import when
from gateway.commands.operators import (
    Limit,
    Reason,
    actor,
    cut,
    minute,
    open_store,
    require_id,
    require_reason,
    typed_references,
)
from gateway.commands.output import Config, Json, emit, program, say, settings_for, table
from gateway.errors import GatewayError, NotFound
from gateway.store import DeliveryView, Pair, Store, SubmissionView

REASON_OF_TWIN = {"person": "same person and service", "content": "same content", "reference": "same portal reference"}


def find(
    what: Annotated[
        str, typer.Argument(help="A reference (case, blanks and dashes do not matter), or an id of any kind.")
    ],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Find applications by any name: Vorgangsnummer, Aktenzeichen, Kassenzeichen, the portal's own, ids."""
    with open_store(settings_for(config)) as store:
        views = [store.view(submission_id) for submission_id in store.search(what)]
    if not views:
        raise NotFound(f"nothing is known under {what!r}")
    views.sort(key=lambda view: view.received_at)
    if as_json:
        emit([_found_document(view) for view in views])
        return
    rows = [(v.submission_id, v.case_id, v.service, v.kind, v.state, minute(v.received_at), _names(v)) for v in views]
    table("Found", ("submission", "case", "service", "kind", "state", "received", "references"), rows)
    say(f"Look at one: {program()} case show SUBMISSION")


def reference(
    which: Annotated[str, typer.Argument(metavar="ID", help="Delivery id; or submission id, with --target.")],
    names: Annotated[list[str], typer.Argument(metavar="NAME=VALUE…", help="As aktenzeichen=STK-2026-17.")],
    target: Annotated[str | None, typer.Option(help="Whose reference it is, where there are several targets.")] = None,
    reason: Reason = "",
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Add what a department calls an application, later than its system said it. Requests of the matter can read it."""
    require_id(which)
    require_reason(reason)
    told = typed_references(names)
    with open_store(settings_for(config)) as store:
        view, delivery = _delivery(store, which, target)
        store.matters.note(delivery.delivery_id, told, actor=actor(), reason=reason).result()
    if as_json:
        emit({"submissionId": view.submission_id, "deliveryId": delivery.delivery_id, "references": told})
    else:
        say(f"Noted for {delivery.target}: {', '.join(names)}.")


def twice(config: Config = None, limit: Limit = 100, as_json: Json = False) -> None:
    """What possibly came twice, the latest first: the same person and service, content or portal's reference."""
    with open_store(settings_for(config)) as store:
        pairs = cut(store.matters.pairs(limit + 1), limit)
    if as_json:
        emit([_pair_document(pair) for pair in pairs])
        return
    rows = [(p.submission_id, p.other_id, p.service, REASON_OF_TWIN[p.why], minute(p.noted_at)) for p in pairs]
    table("Possibly twice", ("submission", "other", "service", "why", "noted"), rows)


def _delivery(store: Store, which: str, target: str | None) -> tuple[SubmissionView, DeliveryView]:
    """The delivery that is meant. Raises GatewayError when it is not one."""
    found = store.search(which)
    if not found:
        raise NotFound(f"nothing is known under {which!r}")
    views = [store.view(submission_id) for submission_id in found]
    meant = [
        (view, delivery)
        for view in views
        for delivery in view.deliveries
        if delivery.delivery_id == which or (view.submission_id == which and target in (None, delivery.target))
    ]
    if len(meant) != 1:
        known = ", ".join(f"{d.target} {d.delivery_id}" for view in views for d in view.deliveries) or "none"
        raise GatewayError(
            f"{which} names {len(meant)} deliveries", code="usage", remedy=f"Name one, or --target: {known}."
        )
    return meant[0]


def _names(view: SubmissionView) -> str:
    told = [f"{name} {value}" for delivery in view.deliveries for name, value in delivery.references.items()]
    return ", ".join([*told, *([f"portal {view.sender_reference}"] if view.sender_reference else [])])


def _found_document(view: SubmissionView) -> dict[str, Any]:
    return {
        "submissionId": view.submission_id,
        "caseId": view.case_id,
        "service": view.service,
        "kind": view.kind,
        "status": view.state,
        "receivedAt": when(view.received_at),
        "senderReference": view.sender_reference,
        "references": {d.target: dict(d.references) for d in view.deliveries if d.references},
        "possiblyTwice": [twin_document(one) for one in view.possibly_twice],
    }


def _pair_document(pair: Pair) -> dict[str, Any]:
    return {
        "submissionId": pair.submission_id,
        "otherId": pair.other_id,
        "why": pair.why,
        "service": pair.service,
        "department": pair.department,
        "notedAt": when(pair.noted_at),
    }

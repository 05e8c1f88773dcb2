"""Telling what happened: every change of state as a CloudEvent (1.0.2, AMQP, binary mode) on the exchange `ozg.events`.

At least once, each copy under the same id; in the order of a submission's history, but for copies. Ids, states, names
from the configuration and times only: who listens learns nothing about a person.
"""

from __future__ import annotations

import json
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from gateway.store import Announcement
from queues.base import HeaderValue, Message, Unroutable
from queues.topology import EVENTS

if TYPE_CHECKING:
    from gateway.wiring import Gateway

BATCH = 1000
CONFIRM_SECONDS = 5.0
"""Short: while it passes, no delivery is handed over."""
EVENT_SCHEMA = "urn:ozg-gateway:schema:state-event:1"


def announce_batch(gateway: Gateway, limit: int = BATCH) -> bool:
    """Tell what nobody was told of and forget it when confirmed. Returns whether a full batch was found.

    Raises BrokerUnavailable (then nothing is forgotten, and all of it is told again), StoreUnavailable.
    """
    rows = gateway.store.due_announcements(limit)
    if not rows:
        return False
    with suppress(Unroutable):  # nobody listens to these
        gateway.broker.publish([event_message(row) for row in rows], timeout=CONFIRM_SECONDS)
    gateway.store.forget_announcements([row.announcement_id for row in rows]).result()
    return len(rows) == limit


def event_message(row: Announcement) -> Message:
    """Routing key: `submission.STATE.SERVICE` or `delivery.STATE.SERVICE.TARGET`, a dot in a name written as `_`."""
    about = "submission" if row.delivery_id is None else "delivery"
    names = (row.service,) if row.target is None else (row.service, row.target)
    headers: dict[str, HeaderValue] = {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": row.event_id,
        "cloudEvents:source": "urn:ozg-gateway",
        "cloudEvents:type": f"de.ozg-gateway.{about}.changed.v1",
        "cloudEvents:subject": row.submission_id,
        "cloudEvents:time": _moment(row.at),
        "cloudEvents:dataschema": EVENT_SCHEMA,
    }
    if row.traceparent:
        headers["cloudEvents:traceparent"] = row.traceparent
    key = ".".join((about, row.new, *(name.replace(".", "_") for name in names)))
    return Message(EVENTS, key, row.event_id, json.dumps(_data(row)).encode(), headers=headers)


def _data(row: Announcement) -> dict[str, Any]:
    """As docs/reference/state-event.schema.json describes it."""
    data: dict[str, Any] = {
        "submissionId": row.submission_id,
        "caseId": row.case_id,
        "number": row.number,
        "service": row.service,
        "state": row.new,
        "previousState": row.old,
        "receivedAt": _moment(row.received_at),
        "at": _moment(row.at),
    }
    if row.delivery_id is not None:
        data |= {"deliveryId": row.delivery_id, "target": row.target, "class": row.failure, "code": row.code}
    return data


def _moment(moment: datetime) -> str:
    """RFC 3339, UTC."""
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")

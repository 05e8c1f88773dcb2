"""The AMQP adapter: a CloudEvent 1.0 (binary mode) into the department's own queue, on the department's own broker.

Delivered means: that broker confirmed it. A confirm that does not come is retried, although the message may be there:
every attempt carries the same `cloudEvents:source` and `cloudEvents:id`, and a consumer treats two events with both
equal as one (CloudEvents 1.0.2, "id"); the published description (`asyncapi.yaml`) obliges it to.
"""

from __future__ import annotations

import base64
import json
import threading
from typing import Annotated, Any, Literal
from urllib.parse import quote, urlsplit

from pydantic import AfterValidator

from adapters import content
from adapters.base import FieldSpec, Permanent, Preview, Receipt, Request, Retryable, TargetConfig
from adapters.guard import only_decisions
from adapters.openapi import plain
from adapters.settings import AdapterSettings, read_settings
from queues import open_broker
from queues.base import Broker, BrokerUnavailable, HeaderValue, Message, Queue, Topology, TopologyMismatch, Unroutable
from xoev_schemas.findings import Finding

EVENT_TYPE = "de.ozg-gateway.case.delivered.v1"
EVENT_SCHEMA = "urn:ozg-gateway:schema:case-event:1"


def _broker_url(value: str) -> str:
    if urlsplit(value).scheme not in ("amqp", "amqps", "embedded"):
        raise ValueError("a broker's address starts with amqp:// or amqps:// (or embedded://)")
    return value


class AmqpSettings(AdapterSettings):
    """`target.yaml` of a queue.

    content: `reference` sends addresses only, to be fetched with the department's credentials; `inline` sends the
    mapped request.
    declare: whether the queue is ours to make; else the department makes it and a missing one is an error.
    dead_exchange, dead_key: for a declared queue, where messages go that its consumer rejects (dead_key default: the
    target's name).
    gateway_url: public address of the gateway, put before the addresses; without it they are relative to it.
    """

    url: Annotated[str, AfterValidator(_broker_url)]
    queue: str
    content: Literal["reference", "inline"] = "reference"
    declare: bool = False
    dead_exchange: str | None = None
    dead_key: str | None = None
    gateway_url: str = ""


class AmqpAdapter:
    """One queue. The connection is made at the first use and shared by all threads."""

    def __init__(self, config: TargetConfig) -> None:
        self._config = config
        self._settings, self._wrong = read_settings(AmqpSettings, config)
        self._lock = threading.Lock()
        self._broker: Broker | None = None

    def check(self) -> list[Finding]:
        return list(self._wrong)

    def required_fields(self) -> list[FieldSpec] | None:
        return None

    def ping(self) -> None:
        with only_decisions():
            _, broker = self._open()
            try:
                broker.depths()
            except BrokerUnavailable as error:
                raise Retryable("amqp.unavailable", detail=str(error)) from None

    def deliver(self, request: Request) -> Receipt:
        # No unknown outcome can come from here (see above), so nothing is marked as sent.
        with only_decisions():
            settings, broker = self._open()
            message = self._message(settings, request)
            try:
                broker.publish([message], timeout=self._config.timeout)
            except BrokerUnavailable as error:
                raise Retryable("amqp.unconfirmed", detail=str(error)) from None
            except Unroutable:
                raise Permanent("amqp.no_queue", failure="contract") from None
            return Receipt({}, b"", already_there=False)

    def preview(self, request: Request) -> Preview:
        settings = self._settings
        if settings is None:
            raise Permanent("config.invalid", failure="contract")
        with only_decisions():
            message = self._message(settings, request)
        broker = urlsplit(settings.url)
        address = f"{broker.scheme}://{broker.netloc.rpartition('@')[2]}{broker.path} (queue {settings.queue})"
        shown = {name: str(value) for name, value in message.headers.items()}
        properties = {"message-id": message.message_id, "content-type": message.content_type, **shown}
        return Preview("publish", address, properties, message.body)

    def probe(self, key: str) -> Receipt | None:
        raise Permanent("probe.unsupported", failure="contract")

    def close(self) -> None:
        with self._lock:
            if self._broker is not None:
                self._broker.close()
                self._broker = None

    def _open(self) -> tuple[AmqpSettings, Broker]:
        with self._lock:
            settings = self._settings
            if settings is None:
                raise Permanent("config.invalid", failure="contract")
            if self._broker is None:
                self._broker = self._connected(settings)
            return settings, self._broker

    def _connected(self, settings: AmqpSettings) -> Broker:
        broker: Broker | None = None
        try:
            broker = open_broker(settings.url, name=f"ozg-gateway target {self._config.name}")
            if settings.declare:
                dead_key = settings.dead_key or self._config.name
                queue = Queue(
                    settings.queue,
                    dead_exchange=settings.dead_exchange,
                    dead_key=dead_key if settings.dead_exchange else None,
                )
                broker.declare(Topology(queues=[queue]))
        except (BrokerUnavailable, TopologyMismatch) as error:
            if broker is not None:
                broker.close()
            if isinstance(error, TopologyMismatch):
                raise Permanent("amqp.queue_differs", failure="contract", detail=str(error)) from None
            raise Retryable("amqp.unavailable", detail=str(error)) from None
        return broker

    def _message(self, settings: AmqpSettings, request: Request) -> Message:
        """Byte for byte the same for every attempt of a delivery, but for the mark of a possible repeat."""
        inline = settings.content == "inline"
        body = _inline(request) if inline else _reference(settings, request)
        headers: dict[str, HeaderValue] = {
            "cloudEvents:specversion": "1.0",
            "cloudEvents:id": request.key,
            "cloudEvents:source": f"urn:ozg-gateway:target:{quote(self._config.name)}",
            "cloudEvents:type": EVENT_TYPE,
            "cloudEvents:subject": request.submission_id,
            "cloudEvents:time": request.received_at,
            "cloudEvents:idempotencykey": request.key,
            "cloudEvents:possiblerepeat": request.possible_repeat,
            "cloudEvents:testmessage": request.test,
        }
        if not inline:
            headers["cloudEvents:dataschema"] = EVENT_SCHEMA
        if request.traceparent:
            headers["cloudEvents:traceparent"] = request.traceparent
        # The default exchange routes to the queue that has the key's name.
        return Message("", settings.queue, request.key, body, "application/json", headers)


def _inline(request: Request) -> bytes:
    body = content.fill(request.body, request.attachments, lambda data: base64.b64encode(data).decode("ascii"))
    return _json(plain(body))


def _reference(settings: AmqpSettings, request: Request) -> bytes:
    base = f"{settings.gateway_url.rstrip('/')}/v1/submissions/{quote(request.submission_id, safe='')}"
    value: dict[str, Any] = {
        "submissionId": request.submission_id,
        "service": request.service,
        "receivedAt": request.received_at,
        "caseUrl": f"{base}/case",
        "attachments": [f"{base}/attachments/{quote(a.attachment_id, safe='')}" for a in request.attachments],
    }
    if request.case_id is not None:
        value["caseId"] = request.case_id
    return _json(value)


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()

"""Telling what happened: CloudEvents as published, after today's work, at least once, and never in the way."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import jsonschema_rs
import pytest

from gateway.delivery import DELIVERY_TRANSITIONS, SUBMISSION_TRANSITIONS, DeliveryState
from gateway.delivery.announcing import EVENT_SCHEMA, event_message
from gateway.delivery.relay import EVENTS_KEPT, EVENTS_PAUSE, Relay
from gateway.metrics import Metrics
from gateway.settings import Settings
from gateway.store import Announcement, KeyRing, Store
from gateway.submission import Checked, Submission, SubmissionState
from gateway.wiring import Gateway
from queues.base import Binding, Broker, BrokerUnavailable, Delivered, Message, Queue, Topology
from queues.embedded import EmbeddedBroker
from queues.engine import matches
from queues.testkit import Inbox
from queues.topology import EVENTS

ROOT = Path(__file__).resolve().parents[3]
SCHEMA = json.loads((ROOT / "docs" / "reference" / "state-event.schema.json").read_text(encoding="utf-8"))
NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
CHECKED = Checked("hundesteuer", "stadtkasse", "fim:S99", "S99", True, "accept")
CANARY = "Kanarienvogel-4711-Mustermann"

OF_A_SUBMISSION = Announcement(
    announcement_id=1,
    submission_id="s1",
    number=3,
    at=NOON,
    old=None,
    new="accepted",
    case_id="c1",
    service="hundesteuer",
    received_at=NOON - timedelta(minutes=1),
    traceparent=None,
    delivery_id=None,
    target=None,
    failure=None,
    code=None,
)
OF_A_DELIVERY = replace(OF_A_SUBMISSION, new="queued", delivery_id="d1", target="steuer")


# ------------------------------------------------------------------------------------------------------ what is told


def changes() -> Iterator[Announcement]:
    """Every change that the tables of states allow."""
    for before, states in SUBMISSION_TRANSITIONS.items():
        yield from (replace(OF_A_SUBMISSION, old=before and str(before), new=str(new)) for new in sorted(states))
    yield OF_A_DELIVERY
    for old, ends in DELIVERY_TRANSITIONS.items():
        yield from (replace(OF_A_DELIVERY, old=str(old), new=str(new)) for new in sorted(ends))


@pytest.mark.parametrize("row", list(changes()), ids=lambda row: f"{row.old}-{row.new}")
def test_every_change_that_can_happen_fits_the_published_schema(row: Announcement) -> None:
    data = json.loads(event_message(row).body)

    jsonschema_rs.validate(SCHEMA, data)
    assert (data["previousState"], data["state"]) == (row.old, row.new)


def test_the_published_schema_knows_the_states_and_members_of_the_code_and_no_others() -> None:
    kinds = SCHEMA["$defs"]
    told = json.loads(event_message(OF_A_DELIVERY).body)

    assert kinds["submissionState"]["enum"] == sorted(SubmissionState)
    assert kinds["deliveryState"]["enum"] == sorted(DeliveryState)
    assert set(told) == set(SCHEMA["properties"]) | set(kinds["delivery"]["properties"])
    assert set(told) == {*SCHEMA["required"], *kinds["delivery"]["required"]}
    assert SCHEMA["$id"] == EVENT_SCHEMA
    for wrong in ({"more": 1}, {"state": "accepted"}, {"target": None}, {"at": None}):
        assert not jsonschema_rs.is_valid(SCHEMA, {**told, **wrong})


def test_an_event_carries_the_attributes_of_a_cloud_event_and_one_id_for_all_its_copies() -> None:
    message = event_message(replace(OF_A_DELIVERY, traceparent="00-abc-def-01"))

    assert message.message_id == "s1.3"
    assert message.content_type == "application/json"
    assert message.headers == {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": "s1.3",
        "cloudEvents:source": "urn:ozg-gateway",
        "cloudEvents:type": "de.ozg-gateway.delivery.changed.v1",
        "cloudEvents:subject": "s1",
        "cloudEvents:time": "2026-11-24T12:00:00Z",
        "cloudEvents:dataschema": "urn:ozg-gateway:schema:state-event:1",
        "cloudEvents:traceparent": "00-abc-def-01",
    }


def test_a_dead_delivery_says_why_by_class_and_code() -> None:
    row = replace(OF_A_DELIVERY, old="delivering", new="dead", failure="contract", code="http.404")

    data = json.loads(event_message(row).body)

    jsonschema_rs.validate(SCHEMA, data)
    assert (data["class"], data["code"]) == ("contract", "http.404")


@pytest.mark.parametrize(
    ("row", "key"),
    [
        (OF_A_SUBMISSION, "submission.accepted.hundesteuer"),
        (OF_A_DELIVERY, "delivery.queued.hundesteuer.steuer"),
        (replace(OF_A_DELIVERY, service="kita.v2", target="amt.51"), "delivery.queued.kita_v2.amt_51"),
    ],
)
def test_the_routing_key_has_a_word_for_everything_one_may_listen_for(row: Announcement, key: str) -> None:
    assert event_message(row).routing_key == key


def test_the_page_for_listeners_says_what_the_code_does() -> None:
    page = (ROOT / "docs" / "how-to" / "listen-to-events.md").read_text(encoding="utf-8")
    first_cells = re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE)
    full = event_message(replace(OF_A_DELIVERY, new="dead", target="x", traceparent="00-abc-def-01"))
    keys = [
        full.routing_key,
        event_message(replace(OF_A_SUBMISSION, new="clarify")).routing_key,
        event_message(replace(OF_A_DELIVERY, service="hundesteuer-anmeldung")).routing_key,
        event_message(replace(OF_A_DELIVERY, new="delivered", target="hundesteuer")).routing_key,
    ]

    fits = {
        pattern: [number for number, key in enumerate(keys) if matches("topic", pattern, key)]
        for pattern in first_cells
        if not pattern.startswith("cloudEvents:")
    }

    assert {cell for cell in first_cells if cell.startswith("cloudEvents:")} == set(full.headers)
    assert fits == {
        "#": [0, 1, 2, 3],
        "delivery.dead.#": [0],
        "submission.clarify.#": [1],
        "*.*.hundesteuer-anmeldung.#": [2],
        "delivery.delivered.*.hundesteuer": [3],
    }
    assert f"{EVENTS_KEPT:,}" in page


# ------------------------------------------------------------------------------------------------------- how it is told


class Died(BaseException):
    """Stands for the end of the relay's process."""


@dataclass
class RecordingBroker:
    """A broker in memory; `events_fail` makes it refuse what happened, and only that."""

    inner: EmbeddedBroker = field(default_factory=EmbeddedBroker)
    published: list[str] = field(default_factory=list)
    events_fail: bool = False
    away: bool = False

    def declare(self, topology: Topology) -> None:
        if self.away:
            raise BrokerUnavailable("away")
        self.inner.declare(topology)

    def publish(self, messages: Sequence[Message], *, timeout: float = 30.0) -> None:
        if self.away or (self.events_fail and messages[0].exchange == EVENTS):
            raise BrokerUnavailable("a queue is full")
        self.published += [m.routing_key for m in messages]
        self.inner.publish(messages, timeout=timeout)


@dataclass
class Parts:
    """What a relay uses of a gateway."""

    settings: Settings
    store: Any
    broker: RecordingBroker
    now: datetime = NOON
    adapters: dict[str, None] = field(default_factory=lambda: {"steuer": None})
    metrics: Metrics = field(default_factory=Metrics)

    def clock(self) -> datetime:
        return self.now

    def relay(self) -> Relay:
        return Relay(cast(Gateway, self))

    def accept(self, number: int = 1) -> None:
        store: Store = self.store
        futures = []
        for _ in range(number):
            identity = f"s{next(_NUMBERS)}"
            handed_in = Submission(
                submission_id=identity,
                channel="rest",
                client="portal",
                inbox_key=None,
                received_at=NOON,
                schema_uri="urn:x",
                media_type="application/xml",
                data=CANARY.encode(),
                metadata={"replyChannel": CANARY},
                metadata_version="2.1.0",
                digest="d",
            )
            futures.append(store.accept(handed_in, CHECKED, ["steuer"], store.new_content(identity)))
        for future in futures:
            future.result(30)

    def untold(self) -> int:
        return len(self.store.due_announcements(10_000))


_NUMBERS = iter(range(1, 1_000_000))


@pytest.fixture
def parts(tmp_path: Path) -> Iterator[Parts]:
    settings = Settings(home=tmp_path, broker_url="amqp://unused")
    broker = RecordingBroker()
    made = Parts(settings, None, broker)
    keys = KeyRing({1: bytes(32)})
    url = settings.effective_database_url
    made.store = Store.open(url, keys=keys, clock=lambda: made.now, create=True, announces=settings.announces)
    yield made
    made.store.close()
    broker.inner.close()


def listening(broker: Broker, pattern: str = "#") -> Inbox:
    """What a listener gets from now on."""
    inbox = Inbox()
    broker.declare(Topology(queues=[Queue("listener")], bindings=[Binding(EVENTS, "listener", pattern)]))
    broker.consume("listener", inbox, prefetch=1)
    return inbox


def ids(got: Sequence[Delivered]) -> list[str]:
    return [delivered.message.message_id for delivered in got]


def test_what_happened_is_told_after_the_deliveries_of_the_day_and_then_forgotten(parts: Parts) -> None:
    parts.accept()

    parts.relay().turn()

    assert parts.broker.published == [
        "steuer",
        "submission.accepted.hundesteuer",
        "delivery.queued.hundesteuer.steuer",
    ]
    assert parts.untold() == 0, "nobody listens, and that is fine"


def test_a_listener_gets_what_its_pattern_fits_and_nothing_about_a_person(parts: Parts) -> None:
    relay = parts.relay()
    relay.turn()
    inbox = listening(parts.broker.inner, "delivery.#")
    parts.accept()
    parts.now += timedelta(seconds=2)

    relay.turn()

    (delivered,) = inbox.wait_for(1)
    assert json.loads(delivered.message.body)["state"] == "queued"
    assert CANARY not in repr(delivered)


def test_a_relay_that_dies_before_it_forgets_leads_to_copies_under_the_same_ids(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    parts.relay().turn()
    inbox = listening(parts.broker.inner)
    parts.accept(2)
    parts.now += timedelta(seconds=20)

    def die(_: Sequence[int]) -> None:
        raise Died

    with monkeypatch.context() as patched:
        patched.setattr(parts.store, "forget_announcements", die)
        with pytest.raises(Died):
            parts.relay().turn()
    parts.now += timedelta(seconds=20)
    parts.relay().turn()

    got = ids(inbox.wait_for(8))
    assert got == got[:4] * 2
    assert len(set(got)) == 4
    assert parts.untold() == 0


def test_deliveries_go_on_while_nothing_can_be_told_and_everything_is_told_later(parts: Parts) -> None:
    relay = parts.relay()
    relay.turn()
    inbox = listening(parts.broker.inner)
    parts.broker.events_fail = True
    for _ in range(3):
        parts.accept()
        parts.now += timedelta(seconds=2)
        relay.turn()

    assert parts.broker.published == ["steuer"] * 3
    assert (parts.untold(), inbox.got) == (6, [])

    parts.broker.events_fail = False
    parts.now += timedelta(seconds=EVENTS_PAUSE)
    relay.turn()
    assert [m.message.routing_key.split(".")[1] for m in inbox.wait_for(6)] == ["accepted", "queued"] * 3
    assert parts.untold() == 0


def test_what_cannot_be_told_is_bounded_also_while_the_broker_is_away(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gateway.delivery.relay.EVENTS_KEPT", 3)
    parts.accept(3)
    parts.broker.away = True

    with pytest.raises(BrokerUnavailable):
        parts.relay().turn()

    assert parts.untold() == 3
    assert len(parts.store.due_outbox(10, parts.now)) == 3, "deliveries are never dropped"


def test_much_is_told_at_once_and_little_only_as_often_as_the_relay_looks(parts: Parts) -> None:
    relay = parts.relay()
    parts.accept(501)
    assert relay.turn()
    assert parts.untold() == 2
    relay.turn()
    assert parts.untold() == 0

    parts.accept()
    relay.turn()
    assert parts.untold() == 2, "not yet: each time costs a commit"
    parts.now += timedelta(seconds=parts.settings.relay_seconds)
    relay.turn()
    assert parts.untold() == 0


@pytest.mark.parametrize(
    ("settings", "tells"),
    [
        ({"broker_url": "amqp://h"}, True),
        ({"broker_url": "amqp://h", "events": False}, False),
        ({"broker_url": "embedded://"}, False),
    ],
)
def test_what_happens_is_told_where_somebody_can_listen_unless_it_is_switched_off(
    settings: dict[str, Any], tells: bool
) -> None:
    assert Settings(**settings).announces is tells

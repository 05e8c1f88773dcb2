"""Deliveries that wait for a target that is away: they cost nothing, are probed with one at a time, go when it is back,
and become dead letters when their own time is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import structlog
from store_world import World

from adapters.base import Permanent, Retryable, TargetConfig
from gateway.delivery import Delivery, Wait
from gateway.delivery.gates import CIRCUIT_CACHE, Gates
from gateway.delivery.parking import look_after_parked
from gateway.metrics import Metrics
from gateway.packages.model import RetryPolicy, Target
from gateway.pipeline import deliver
from gateway.settings import Settings
from gateway.store.circuits import LIMIT
from gateway.wiring import Gateway

DAY = 86400.0
EVERY = timedelta(seconds=30)


def target(**changes: Any) -> Target:
    values: dict[str, Any] = {
        "name": "steuer",
        "adapter": "rest",
        "config": TargetConfig("steuer", ".", {}),
        "retry": RetryPolicy(give_up_after=DAY),
        "hours": None,
        "repeatable": False,
        "has_probe": False,
        "accepts_test": False,
        "department": "stadtkasse",
        "when": None,
        "folder": Path(),
        "requests": {},
    }
    return Target(**{**values, **changes})


@dataclass
class Office:
    """The parts of a gateway that move what is parked, on the test's store and clock."""

    world: World
    targets: Mapping[str, Target] = field(default_factory=lambda: {"steuer": target()})

    def __post_init__(self) -> None:
        self.gates = Gates(self.world.store, self.world.clock, EVERY)
        parts = SimpleNamespace(
            store=self.world.store,
            packages=SimpleNamespace(targets=self.targets),
            adapters=dict.fromkeys(self.targets),
            gates=self.gates,
            metrics=Metrics(),
            settings=Settings(),
            clock=self.world.clock,
        )
        self.gateway = cast(Gateway, parts)

    def goes_away(self, failure: str = "unavailable", code: str = "tcp.refused") -> None:
        now = self.world.clock()
        state = {"state": "open", "failures": 5, "opened_at": now.isoformat(), "why": code, "failure": failure}
        self.world.store.set_circuit("steuer", {**state, "probe_at": (now + EVERY).isoformat()}).result(30)

    def turn(self, delivery: Delivery) -> None:
        """A worker gets a message for this delivery."""
        deliver(self.gateway, delivery.delivery_id, "worker-1")

    def sweep(self) -> None:
        look_after_parked(self.gateway)

    def messages(self) -> list[str]:
        """Deliveries that the relay would hand to the broker now; it does."""
        rows = self.world.store.due_outbox(10_000, self.world.clock())
        self.world.store.forget_outbox([row.outbox_id for row in rows]).result(30)
        return [row.delivery_id for row in rows]

    def parked(self, number: int = 1) -> list[Delivery]:
        made = []
        for _ in range(number):
            made.append(self.world.delivery())
            self.world.clock.forward(0.001)
        self.messages()
        for delivery in made:
            self.turn(delivery)
        return made

    def events(self, delivery: Delivery) -> list[str]:
        return [event["kind"] for event in self.world.store.view(delivery.submission_id, events=True).events]


@pytest.fixture
def office(world: World) -> Office:
    made = Office(world)
    made.goes_away()
    return made


def test_waiting_for_a_target_that_is_away_is_one_event_however_long_it_takes(office: Office) -> None:
    (delivery,) = office.parked()
    told = office.events(delivery)

    for _ in range(20):
        office.world.clock.forward(60)
        office.goes_away()  # another one probed, in vain
        office.turn(delivery)  # a superfluous message
        office.sweep()

    assert told[-1:] == ["delivery.waiting"]
    assert office.events(delivery) == told
    assert office.messages() == []
    waiting = office.world.store.delivery(delivery.delivery_id)
    assert (waiting.state, waiting.waits_for, waiting.due_at, waiting.attempts_total) == ("waiting", "circuit", None, 0)


def test_a_thousand_that_wait_are_dead_letters_after_one_look_when_their_time_is_over(office: Office) -> None:
    number = 1000
    office.parked(number)
    office.world.clock.forward(10)
    (fresh,) = office.parked()
    office.world.clock.forward(DAY - 20)
    office.sweep()
    assert office.world.store.counts() == {"waiting": number + 1}, "not a moment too early"

    office.world.clock.forward(15)
    office.sweep()

    assert office.world.store.counts() == {"dead": number, "waiting": 1}
    assert office.world.state(fresh) == "waiting"
    letter = office.world.store.dead_letters(limit=1)[0]
    assert (letter.failure, letter.cause, letter.code) == ("expired", "unavailable", "tcp.refused")
    assert letter.text.en == (
        "Given up without an attempt. At last: The department system could not be reached. The connection was refused."
    )
    assert office.events(office.world.store.delivery(letter.delivery_id or ""))[-1] == "delivery.dead"
    assert office.world.store.verify_chain(letter.submission_id or "") == []


def test_what_had_an_attempt_says_what_went_wrong_with_it(office: Office) -> None:
    delivery = office.world.claimed()
    failed = Wait(office.world.clock(), "retry", failure="throttled", code="http.429")
    office.world.store.finish(delivery, office.world.attempt(delivery), failed).result(30)
    office.turn(delivery)

    office.world.clock.forward(DAY + 1)
    office.sweep()

    (letter,) = office.world.store.dead_letters()
    assert (letter.cause, letter.code, letter.attempts, letter.source) == ("throttled", "http.429", 1, "expired")
    assert letter.text.de.startswith("Nach einem Versuch aufgegeben. Zuletzt: Das Zielsystem war ausgelastet")


def test_one_at_a_time_is_called_to_probe_the_oldest_first_and_again_if_it_got_lost(office: Office) -> None:
    first, _, _ = office.parked(3)
    office.sweep()
    assert office.messages() == [], "the circuit may not be probed yet"

    office.world.clock.forward(31)
    office.sweep()
    office.sweep()
    assert office.messages() == [first.delivery_id]

    office.world.clock.forward(31)
    office.sweep()
    assert office.messages() == [first.delivery_id]


def test_nobody_is_called_while_the_target_is_shut(world: World) -> None:
    office = Office(world, {"steuer": target(hours="Sa 08:00-12:00")})
    office.goes_away()
    delivery = world.delivery()
    office.messages()
    world.store.park(delivery.delivery_id, "unavailable", "tcp.refused").result(30)
    world.clock.forward(60)

    office.sweep()

    assert office.messages() == []


@pytest.mark.parametrize("error", [None, Permanent("http.422")])
def test_when_the_target_answers_everything_goes_at_once_be_the_answer_a_refusal(
    office: Office, error: Permanent | None
) -> None:
    waiting = office.parked(3)

    office.gates.report(office.targets["steuer"], error)

    assert office.messages() == [delivery.delivery_id for delivery in waiting]
    assert {office.world.store.delivery(d.delivery_id).waits_for for d in waiting} == {None}


def test_what_was_left_when_the_circuit_closed_goes_with_the_next_look(office: Office) -> None:
    number = LIMIT + 50
    office.parked(number)
    office.gates.report(office.targets["steuer"], None)
    late = office.world.delivery()
    office.world.store.park(late.delivery_id, "unavailable", "tcp.refused").result(30)
    at_once = len(office.messages())

    office.sweep()

    assert at_once == LIMIT + 1, "and the message of the late one"
    assert len(office.messages()) == number - LIMIT + 1
    assert not office.world.store.any_parked("steuer")


def test_what_was_let_go_can_be_claimed_and_an_outage_that_goes_on_parks_it_again(office: Office) -> None:
    (delivery,) = office.parked()
    office.gates.report(office.targets["steuer"], None)
    office.world.clock.forward(CIRCUIT_CACHE.total_seconds())
    assert office.gates.hold(office.targets["steuer"], delivery.delivery_id) is None
    claimed = office.world.claimed(delivery)
    again = Wait(office.world.clock() + EVERY, "retry", failure="unavailable", code="http.503")
    office.world.store.finish(claimed, office.world.attempt(claimed), again).result(30)
    assert office.world.store.delivery(delivery.delivery_id).waits_for == "retry"

    office.world.clock.forward(30)
    office.goes_away(code="http.503")
    office.turn(delivery)

    assert office.events(delivery)[-1] == "delivery.parked"
    assert office.world.store.delivery(delivery.delivery_id).waits_for == "circuit"


def test_what_is_not_due_keeps_its_own_time(office: Office) -> None:
    delivery = office.world.claimed()
    asked_for = office.world.clock() + timedelta(hours=1)
    busy = Wait(asked_for, "retry", failure="throttled", code="http.429")
    office.world.store.finish(delivery, office.world.attempt(delivery), busy).result(30)

    office.turn(delivery)  # a superfluous message

    waiting = office.world.store.delivery(delivery.delivery_id)
    assert (waiting.waits_for, waiting.due_at) == ("retry", asked_for)


def test_a_delivery_that_a_worker_holds_is_not_parked_and_not_given_up(office: Office) -> None:
    held = office.world.claimed()

    office.world.store.park(held.delivery_id, "unavailable", "tcp.refused").result(30)
    office.world.clock.forward(2 * DAY)
    office.sweep()

    assert office.world.state(held) == "delivering"


def test_after_the_broker_lost_everything_what_is_parked_comes_back_and_stays_parked(office: Office) -> None:
    (delivery,) = office.parked()
    before = office.events(delivery)

    assert office.world.store.rebuild().result(30) == 1
    assert office.messages() == [delivery.delivery_id]
    office.turn(delivery)

    assert office.events(delivery) == before


def test_the_log_tells_of_circuits_and_of_what_was_given_up(office: Office) -> None:
    (delivery,) = office.parked()
    with structlog.testing.capture_logs() as told:
        office.world.clock.forward(DAY + 1)
        office.sweep()
        office.gates.report(office.targets["steuer"], None)
        for _ in range(5):
            office.gates.report(office.targets["steuer"], Retryable("dns.failed"))

    dead, closed, opened = told
    assert dead == {
        "event": "dead_letter.created",
        "log_level": "warning",
        "failure": "expired",
        "code": "tcp.refused",
        "why": "unavailable",
        "submission": delivery.submission_id,
        "service": "hundesteuer",
        "delivery": delivery.delivery_id,
        "target": "steuer",
    }
    assert (closed["event"], closed["target"], closed["why"]) == ("circuit.closed", "steuer", "delivered")
    assert closed["seconds"] > DAY
    assert (opened["event"], opened["failure"], opened["code"]) == ("circuit.opened", "unavailable", "dns.failed")


def test_a_rate_makes_one_event_however_often_its_place_moves(office: Office) -> None:
    delivery = office.world.delivery()
    store, clock = office.world.store, office.world.clock
    for _ in range(5):
        store.postpone(delivery.delivery_id, clock() + EVERY, "rate", None).result(30)
        clock.forward(30)

    assert office.events(delivery).count("delivery.waiting") == 1
    assert not {"delivery.queued", "delivery.waits_on"} & set(office.events(delivery)[2:])


def test_a_fault_with_one_target_holds_up_no_other(office: Office) -> None:
    office.parked()
    broken = {"state": "open", "failures": 5, "opened_at": "no moment", "why": "", "failure": ""}
    office.world.store.set_circuit("broken", broken).result(30)
    other = office.world.delivery(office.world.accept("broken"))
    office.world.store.park(other.delivery_id, "unavailable", "tcp.refused").result(30)

    office.world.clock.forward(DAY + 1)
    with structlog.testing.capture_logs() as told:
        office.sweep()

    assert office.world.store.counts() == {"dead": 1, "waiting": 1}
    assert [(line["event"], line["target"]) for line in told if line["log_level"] == "error"] == [
        ("parking.failed", "broken")
    ]


def test_what_is_open_is_told_by_target_with_its_age(office: Office) -> None:
    office.parked()
    office.world.clock.forward(90)
    office.world.dead()

    standing = office.world.store.standing(office.world.clock())
    metrics = Metrics()
    metrics.standing(standing)

    told = metrics.render().decode()
    assert standing.deliveries == {("steuer", "waiting"): 1, ("steuer", "dead"): 1}
    assert 'gateway_oldest_open_seconds{target="steuer"} 90.0' in told
    assert 'gateway_target_circuit{target="steuer"} 2.0' in told

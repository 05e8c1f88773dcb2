"""May a delivery go now? Hours, circuit and rate decide before a claim, so that waiting costs no attempt."""

from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from adapters.base import Permanent, Retryable, TargetConfig
from gateway.delivery import Parked, Wait
from gateway.delivery.gates import CIRCUIT_CACHE, Gates
from gateway.packages.model import RetryPolicy, Target


@dataclass
class Circuits:
    """The part of the store that holds circuits, shared by all workers."""

    known: dict[str, Mapping[str, Any]] = field(default_factory=dict)

    def circuit(self, target: str) -> Mapping[str, Any] | None:
        return self.known.get(target)

    def set_circuit(self, target: str, state: Mapping[str, Any]) -> Future[None]:
        self.known[target] = state
        done: Future[None] = Future()
        done.set_result(None)
        return done


@dataclass
class Clock:
    now: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


TARGET = Target(
    "t", "rest", TargetConfig("t", ".", {}), RetryPolicy(), None, False, False, False, "amt", None, Path(), {}
)  # fmt: skip
DOWN = Retryable("http.503")
AUTH = Permanent("http.401", failure="auth")
EVERY = timedelta(seconds=30)


def gates_of(circuits: Circuits, clock: Clock) -> Gates:
    return Gates(circuits, clock, EVERY)  # type: ignore[arg-type]


def test_an_open_target_without_trouble_lets_everything_through() -> None:
    assert gates_of(Circuits(), Clock()).hold(TARGET, "d") is None


def test_outside_its_hours_a_delivery_waits_for_the_opening() -> None:
    closed = replace(TARGET, hours="Mo-Fr 06:00-08:00")
    wait = gates_of(Circuits(), Clock()).hold(closed, "d")
    assert isinstance(wait, Wait)
    assert (wait.why, wait.due_at) == ("hours", datetime(2026, 11, 25, 5, tzinfo=UTC))


def test_wrong_credentials_stop_the_target_at_once_and_one_probe_per_interval_goes_through() -> None:
    clock, circuits = Clock(), Circuits()
    gates = gates_of(circuits, clock)
    gates.report(TARGET, AUTH)
    assert gates.hold(TARGET, "d") == Parked("auth", "http.401")

    clock.now += EVERY
    assert gates.hold(TARGET, "d") is None, "the probe"
    assert gates.hold(TARGET, "d") is not None, "and nobody behind it"


def test_a_success_closes_the_circuit_for_everybody() -> None:
    clock, circuits = Clock(), Circuits()
    mine, other = gates_of(circuits, clock), gates_of(circuits, clock)
    mine.report(TARGET, AUTH)
    assert other.hold(TARGET, "d") is not None
    mine.report(TARGET, None)
    clock.now += CIRCUIT_CACHE
    assert other.hold(TARGET, "d") is None


def test_news_of_another_worker_arrives_within_the_age_of_the_cache() -> None:
    clock, circuits = Clock(), Circuits()
    mine, other = gates_of(circuits, clock), gates_of(circuits, clock)
    assert other.hold(TARGET, "d") is None
    for _ in range(5):
        mine.report(TARGET, DOWN)
    clock.now += CIRCUIT_CACHE
    assert other.hold(TARGET, "d") is not None


def test_a_rate_spreads_deliveries_and_each_waits_for_its_own_place_only_once() -> None:
    slow = replace(TARGET, retry=RetryPolicy(per_second=2))
    clock = Clock()
    gates = gates_of(Circuits(), clock)
    began = clock.now

    waits = {name: gates.hold(slow, name) for name in "abcdef"}

    assert [waits[name] for name in "abc"] == [None, None, None], "what starts within a second goes at once"
    due = [(w.due_at - began).total_seconds() for name in "def" if isinstance(w := waits[name], Wait)]
    assert due == [1.5, 2.0, 2.5]
    clock.now = began + timedelta(seconds=1.5)
    assert gates.hold(slow, "d") is None, "its place has come"
    assert gates.hold(slow, "g") is not None, "a new one queues behind those that wait"


def test_a_clock_that_was_an_hour_ahead_for_a_moment_holds_nobody_up_when_it_is_right_again() -> None:
    slow = replace(TARGET, retry=RetryPolicy(per_second=2))
    clock, circuits = Clock(), Circuits()
    gates, other = gates_of(circuits, clock), gates_of(circuits, clock)
    hour = timedelta(hours=1)

    # Given a place in the row, and a circuit, that were looked at while the clock was ahead
    clock.now += hour
    gates.report(slow, AUTH)
    other.report(slow, None)
    clock.now += CIRCUIT_CACHE
    assert gates.hold(slow, "a") is None
    gates.report(slow, AUTH)

    # When it is set right, and the target is well again
    clock.now -= hour
    circuits.known.clear()

    assert gates.hold(slow, "b") is None

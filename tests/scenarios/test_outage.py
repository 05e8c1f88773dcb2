"""A department system that is away: what waits arrives when it is back, or ends with a person. In both shapes."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from city import City, Shape, city, until

from gateway.delivery import DeliveryState

AWAY = "eakte-stadtkasse"
PATIENCE = 6.0
"""Seconds until a delivery is given up."""


@pytest.fixture(scope="module")
def running(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    retry = {"delays": ["0.1s"], "give_up_after": f"{PATIENCE:.0f}s", "parallel": 1}
    with city(
        tmp_path_factory.mktemp("outage"),
        database_url=shape.database_url,
        broker_url=shape.broker_url,
        targets={AWAY: {"retry": retry}},
        circuit_probe_seconds=0.5,
    ) as opened:
        yield opened


@pytest.fixture
def outage(running: City) -> City:
    running.gateway.store.set_circuit(AWAY, {"state": "closed"}).result(30)
    running.rest(AWAY).tell("down")
    return running


def parked(running: City) -> int:
    return sum(d.waits_for == "circuit" for d in running.gateway.store.deliveries([DeliveryState.WAITING], target=AWAY))


def test_what_waits_arrives_once_soon_after_the_system_is_back(outage: City) -> None:
    taken = [outage.accepted() for _ in range(10)]
    until(lambda: parked(outage) >= 8, "most of them to be parked")

    outage.rest(AWAY).tell("ok")

    for submission_id in taken:
        delivery = outage.in_state(submission_id, AWAY, "delivered")
        assert outage.effects(AWAY, delivery.delivery_id) == [False]
    assert sum(outage.delivery(s, AWAY).attempts == 1 for s in taken) >= 3, "who only waited tried once"


def test_what_waits_too_long_is_with_a_person_although_hardly_any_of_it_was_tried(outage: City) -> None:
    taken = [outage.accepted() for _ in range(10)]

    letters = [outage.letter(submission_id, target=AWAY) for submission_id in taken]

    assert {letter.failure for letter in letters} == {"expired"}
    assert {letter.cause for letter in letters} == {"unavailable"}
    assert max((letter.died_at - letter.received_at).total_seconds() for letter in letters if letter.received_at) < 20

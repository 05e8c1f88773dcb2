"""The clock of a machine jumps: nothing storms, nothing is lost or doubled, and the record's order is its numbers."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
from city import Shape, until
from crash_world import REST, SOAP, World, servers_of_its_own, wait_all, world

from gateway.demo.servers import RabbitNode

HOUR = 3600.0


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("alone"), Shape(), give_up_after="3d") as opened:
        yield opened


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory, postgres_url: str, rabbitmq_node: RabbitNode) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("many")
    with (
        servers_of_its_own(postgres_url, rabbitmq_node) as shape,
        world(folder, shape, roles=("serve", "work", "relay"), give_up_after="3d") as opened,
    ):
        yield opened


def calls(opened: World, target: str) -> int:
    department = opened.departments[target]
    return len(department.ledger.deeds)


@pytest.mark.parametrize("jump", [HOUR, 24 * HOUR, -HOUR], ids=["an-hour-on", "a-day-on", "an-hour-back"])
def test_when_the_clock_jumps_one_process_loses_and_doubles_nothing(alone: World, jump: float) -> None:
    # Given one that is under way and one that waits
    alone.tell(SOAP, "slow", seconds=1.0, times=1)
    alone.tell(REST, "down", times=1)
    (sent,) = wait_all([alone.send()])
    until(lambda: bool(alone.delivery(sent, REST).attempts), "the attempts to begin")

    # When the clock jumps
    before = calls(alone, REST)
    alone.jump("run", jump)
    time.sleep(2)
    assert calls(alone, REST) - before <= 3, "a storm"
    if jump < 0:  # what is due waits until its time comes again: the clock is set right
        alone.jump("run", 0)

    # Then both arrive, once
    alone.drain()
    alone.jump("run", 0)
    assert {alone.delivery(sent, t).state for t in (SOAP, REST)} == {"delivered"}
    alone.check()


@pytest.mark.parametrize("role", ["work", "relay"])
@pytest.mark.parametrize("jump", [HOUR, 24 * HOUR, -HOUR], ids=["an-hour-on", "a-day-on", "an-hour-back"])
def test_when_one_machines_clock_is_wrong_pauses_are_kept_and_nothing_waits_longer(
    many: World, role: str, jump: float
) -> None:
    # Given a machine whose clock is wrong, and a target that asks for a pause
    many.jump(role, jump)
    many.tell(REST, "down", status=429, retry_after=2, times=1)
    before = calls(many, REST)

    (sent,) = wait_all([many.send()])
    began = time.monotonic()
    until(lambda: calls(many, REST) > before, "the first attempt")
    many.drain(20)

    # Then the pause is as long as was asked for, by the database's time
    assert 1.5 <= time.monotonic() - began <= 15
    delivery = many.delivery(sent, REST)
    assert (delivery.state, delivery.attempts) == ("delivered", 2)
    many.jump(role, 0)
    many.check()

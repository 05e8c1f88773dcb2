"""What can go wrong between us and a department system: refused, cut at any place, answered with what is no answer."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from city import Shape, until
from crash_world import REST, SOAP, Sent, World, servers_of_its_own, wait_all, world
from tcp_proxy import TcpProxy

NO_ANSWER = (
    "hang_up",
    "html",
    "redirect",
    "fault_in_200",
    "broken",
    "cut",
    "cut_chunk",
    "commit_then_hang_up",
    "reset",
    "fail_after_commit",
    "wrong_charset",
    "crossed",
    "empty",
    "doctype",
)
REFUSALS = {"fault_in_200", "html", "redirect"}
"""What says that nothing was done."""


@dataclass
class Between:
    world: World
    proxies: Mapping[str, TcpProxy]

    def sent(self) -> Sent:
        (sent,) = wait_all([self.world.send()])
        return sent


@pytest.fixture(scope="module")
def between(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Between]:
    proxies: dict[str, TcpProxy] = {}

    def through(name: str, url: str) -> str:
        if name not in (SOAP, REST):
            return url
        proxies[name] = TcpProxy.before(url)
        return proxies[name].url(url)

    with world(tmp_path_factory.mktemp("departments"), shape, through=through) as opened:
        yield Between(opened, proxies)
    for proxy in proxies.values():
        proxy.close()


@pytest.fixture(autouse=True)
def healed(request: pytest.FixtureRequest) -> Iterator[None]:
    yield
    if "between" in request.fixturenames:
        for proxy in request.getfixturevalue("between").proxies.values():
            proxy.heal()


@pytest.mark.parametrize("target", [SOAP, REST])
def test_not_a_byte_was_sent_so_it_waits_and_is_no_repeat(between: Between, target: str) -> None:
    between.proxies[target].refuse()
    sent = between.sent()
    until(lambda: between.world.delivery(sent, target).waits_for in ("retry", "circuit"), "it to wait")

    between.proxies[target].heal()

    between.world.drain()
    delivery = between.world.delivery(sent, target)
    assert between.world.effects(target, delivery.delivery_id) == [False]
    between.world.check()


@pytest.mark.parametrize("target", [SOAP, REST])
@pytest.mark.parametrize(("way", "after"), [("out", 1), ("out", 200), ("out", 900), ("in", 1), ("in", 120)])
def test_cut_anywhere_it_is_there_once_or_a_marked_repeat(between: Between, target: str, way: str, after: int) -> None:
    cut_and_recover(between, target, way, after)


@pytest.mark.long
@pytest.mark.parametrize("target", [SOAP, REST])
@pytest.mark.parametrize("way", ["out", "in"])
def test_cut_anywhere_every_few_bytes_it_is_there_once_or_a_marked_repeat(
    between: Between, target: str, way: str
) -> None:
    for after in range(1, 1500, 37):
        cut_and_recover(between, target, way, after)


def cut_and_recover(between: Between, target: str, way: str, after: int) -> None:
    proxy = between.proxies[target]
    proxy.cut()  # so that the next request begins a connection
    proxy.cut_once(way, after=after, forward=False)  # type: ignore[arg-type]
    sent = between.sent()
    between.world.drain()
    proxy.heal()
    assert between.world.delivery(sent, target).state == "delivered"
    between.world.check()


@pytest.mark.parametrize("kind", NO_ANSWER)
def test_answers_that_are_none_are_not_believed(between: Between, kind: str) -> None:
    world = between.world
    for target in (SOAP, REST):
        world.tell(target, kind, times=1)
    sent = between.sent()
    world.drain()
    for target in (SOAP, REST):
        world.tell(target, "ok")
        delivery = world.delivery(sent, target)
        assert delivery.state == "delivered" or kind in REFUSALS
    world.check()


@pytest.fixture
def empty(shape: Shape, request: pytest.FixtureRequest) -> Iterator[Shape]:
    """The same shape, with nothing in it."""
    if not shape.database_url:
        yield shape
        return
    with servers_of_its_own(request.getfixturevalue("postgres_url"), request.getfixturevalue("rabbitmq_node")) as own:
        yield own


def test_overdue_after_a_stop_they_are_spread_out(empty: Shape, tmp_path: Path) -> None:
    with world(tmp_path, empty, per_second=4) as stopped:
        # Given a dozen that wait for their next attempt, and a process that is killed
        stopped.tell(REST, "down")
        sent = wait_all([stopped.send() for _ in range(12)])
        until(lambda: all(stopped.delivery(s, REST).state == "waiting" for s in sent), "all to wait")
        (role,) = stopped.roles
        stopped.installation.kill(role)

        # When it comes back after all of them were due
        stopped.tell(REST, "ok")
        until(lambda: all(is_due(stopped, s) for s in sent), "all to be due")
        stopped.start(role)
        stopped.drain()

        # Then they go at the target's rate, not at once
        starts = sorted(moment for s in sent for moment in attempts_at(stopped, s))
        assert (starts[-1] - starts[-12]).total_seconds() >= 1.5
        stopped.check()


def is_due(stopped: World, sent: Sent) -> bool:
    due = stopped.delivery(sent, REST).due_at
    return due is None or due <= datetime.now(UTC)


def attempts_at(stopped: World, sent: Sent) -> list[datetime]:
    return [a.started_at for a in stopped.store.attempts(stopped.delivery(sent, REST).delivery_id)]

"""What is to be sent, what was forgotten on the way, and who may do it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from store_world import World

from gateway.delivery import Skipped, Wait


def forget_all(world: World) -> None:
    """As a relay that published everything (or a broker that then lost it)."""
    rows = world.store.due_outbox(1000, world.clock() + timedelta(days=1))
    world.store.forget_outbox([row.outbox_id for row in rows]).result(30)


def test_rows_come_oldest_first_and_stay_until_they_are_forgotten(world: World) -> None:
    deliveries = []
    for _ in range(3):
        deliveries.append(world.delivery().delivery_id)
        world.clock.forward(1)

    first_two = world.store.due_outbox(2, world.clock())
    world.store.forget_outbox([row.outbox_id for row in first_two]).result(30)

    assert [row.delivery_id for row in first_two] == deliveries[:2]
    assert [row.delivery_id for row in world.store.due_outbox(10, world.clock())] == deliveries[2:]


def test_a_message_id_is_never_given_out_twice(world: World) -> None:
    delivery = world.delivery()
    seen = []
    for _ in range(3):
        (row,) = world.store.due_outbox(10, world.clock())
        seen.append(row.message_id)
        world.store.forget_outbox([row.outbox_id]).result(30)
        world.store.rebuild().result(30)

    assert len(set(seen)) == 3
    assert all(message_id.startswith(delivery.delivery_id) for message_id in seen)


def test_a_row_carries_the_trace_of_its_submission(world: World) -> None:
    world.accept(submission=world.submission(traceparent="00-abc-def-01"))

    assert [row.traceparent for row in world.store.due_outbox(10, world.clock())] == ["00-abc-def-01"]


def test_the_sweep_puts_back_what_is_due_and_nowhere_once_per_tolerance(world: World) -> None:
    delivery = world.delivery()
    forget_all(world)

    fresh = world.store.sweep(world.clock(), 900).result(30)
    world.clock.forward(901)
    swept = world.store.sweep(world.clock(), 900).result(30)
    rows = world.store.due_outbox(10, world.clock())
    forget_all(world)
    at_once_again = world.store.sweep(world.clock(), 900).result(30)
    world.clock.forward(901)
    later = world.store.sweep(world.clock(), 900).result(30)

    assert (fresh, swept, at_once_again, later) == (0, 1, 0, 1)
    assert [row.delivery_id for row in rows] == [delivery.delivery_id]


def test_the_sweep_leaves_alone_what_is_in_the_outbox_held_by_a_worker_or_ended(world: World) -> None:
    world.delivery()
    ended = world.claimed()
    world.store.finish(ended, None, Skipped("no")).result(30)
    world.clock.forward(1000)
    world.claimed()
    rows = world.store.due_outbox(10, world.clock())
    world.store.forget_outbox([row.outbox_id for row in rows[1:]]).result(30)

    assert world.store.sweep(world.clock(), 900).result(30) == 0


def test_the_sweep_finds_what_a_vanished_worker_held(world: World) -> None:
    lost, asking = world.claimed(), world.claimed()
    world.store.attempt_unknown(asking, world.attempt(asking), "http.timeout", "").result(30)
    forget_all(world)
    world.clock.forward(130)

    assert world.store.sweep(world.clock(), 900).result(30) == 2
    assert {row.delivery_id for row in world.store.due_outbox(10, world.clock())} == {
        lost.delivery_id,
        asking.delivery_id,
    }


def test_a_delivery_whose_second_worker_vanished_as_well_is_put_back_as_soon_as_its_first(world: World) -> None:
    delivery = world.claimed()
    put_back = []
    for _ in range(2):
        forget_all(world)
        world.clock.forward(130)
        put_back.append(world.store.sweep(world.clock(), 900).result(30))
        forget_all(world)
        put_back.append(world.store.sweep(world.clock(), 900).result(30))
        world.store.claim(delivery.delivery_id, "another", 120).result(30)

    assert put_back == [1, 0, 1, 0]


@pytest.mark.parametrize("turn", ["claim", "postpone", "park"])
def test_a_message_that_came_before_its_time_is_followed_by_one_in_time(world: World, turn: str) -> None:
    # Given one that waits, and a relay whose clock was ahead for a moment
    delivery = world.claimed()
    until = world.clock() + timedelta(minutes=10)
    world.store.finish(delivery, None, Wait(until, "hours")).result(30)
    forget_all(world)

    # When a worker looks at it
    if turn == "claim":
        world.store.claim(delivery.delivery_id, "w", 60).result(30)
    elif turn == "postpone":
        world.store.postpone(delivery.delivery_id, until + timedelta(hours=1), "rate", None).result(30)
    else:
        world.store.park(delivery.delivery_id, "unavailable", "http.503").result(30)

    # Then it is sent when it is due
    (row,) = world.store.due_outbox(10, until)
    assert (row.delivery_id, row.due_at) == (delivery.delivery_id, until)
    assert world.store.due_outbox(10, world.clock()) == []


def test_after_the_broker_lost_everything_each_unfinished_delivery_has_one_row_again(world: World) -> None:
    queued, delivering, waiting = world.delivery(), world.claimed(), world.claimed()
    until = world.clock() + timedelta(hours=2)
    world.store.finish(waiting, None, Wait(until, "hours")).result(30)
    world.dead()
    forget_all(world)

    first, again = world.store.rebuild().result(30), world.store.rebuild().result(30)

    rows = {row.delivery_id: row.due_at for row in world.store.due_outbox(10, until)}
    assert (first, again) == (3, 0)
    assert rows == {
        queued.delivery_id: world.clock(),
        delivering.delivery_id: delivering.claimed_until,
        waiting.delivery_id: until,
    }


def test_a_relay_in_the_same_process_is_woken_by_the_commit(world: World) -> None:
    world.store.outbox_filled.clear()

    world.accept()

    assert world.store.outbox_filled.wait(10)


def test_a_lease_has_one_holder_until_it_is_over(world: World, open_world: Callable[[], World]) -> None:
    other = open_world().store

    assert world.store.acquire_lease("relay", "a", 30).result(30)
    assert not other.acquire_lease("relay", "b", 30).result(30)
    assert world.store.acquire_lease("relay", "a", 30).result(30)
    world.clock.forward(31)
    assert other.acquire_lease("relay", "b", 30).result(30)
    assert not world.store.acquire_lease("relay", "a", 30).result(30)


def test_the_backlog_counts_what_a_machine_still_has_to_move(world: World) -> None:
    world.dead()
    world.claimed()
    world.delivery()

    assert world.store.backlog() == 2
    assert world.store.counts() == {"dead": 1, "delivering": 1, "queued": 1}

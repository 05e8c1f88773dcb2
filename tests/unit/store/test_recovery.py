"""After a loss: what the broker forgot is put back once, and what a backup cannot know is called unknown."""

from __future__ import annotations

from datetime import timedelta

import pytest
from store_world import World

from gateway.delivery import Wait
from gateway.store import outbox, recovery
from gateway.store.recovery import SUPPOSED, Unfinished, suppose_sent
from gateway.store.store import Claimed


def lose_the_broker(world: World) -> None:
    rows = world.store.due_outbox(1000, world.clock() + timedelta(days=9))
    world.store.forget_outbox([row.outbox_id for row in rows]).result(30)


def test_every_unfinished_delivery_is_put_back_once_however_many_batches(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "_UNFINISHED_BATCH", outbox._UNFINISHED_BATCH.limit(2))
    monkeypatch.setattr(outbox, "REBUILD_BATCH", 2)
    open_ones = {world.delivery().delivery_id for _ in range(3)} | {world.claimed().delivery_id}
    world.dead()
    lose_the_broker(world)
    kept = world.delivery().delivery_id
    told: list[int] = []

    counted = world.store.recovery.unfinished()
    put_back = world.store.recovery.put_back(told.append)
    again = world.store.recovery.put_back(told.append)

    rows = [row.delivery_id for row in world.store.due_outbox(100, world.clock() + timedelta(days=9))]
    assert counted == [Unfinished("steuer", 5, 4)]
    assert (put_back, again) == (4, 0)
    assert told[:2] == [2, 4]
    assert sorted(rows) == sorted({*open_ones, kept})


def test_what_was_just_put_back_is_not_swept_as_well(world: World) -> None:
    world.delivery()
    lose_the_broker(world)
    world.clock.forward(1000)

    world.store.recovery.put_back(lambda _: None)
    lose_the_broker(world)  # the relay has it on its way

    assert world.store.sweep(world.clock(), 900).result(30) == 0


def test_what_was_open_in_a_backup_is_an_unknown_outcome_afterwards(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery, "_SINCE_THE_BACKUP", recovery._SINCE_THE_BACKUP.limit(2))
    monkeypatch.setattr(recovery, "BATCH", 2)
    queued, claimed = world.delivery(), world.claimed()
    waits = world.claimed()
    world.store.finish(waits, None, Wait(world.clock() + timedelta(hours=5), "hours")).result(30)
    tried = world.claimed()
    attempt = world.attempt(tried)
    ended = world.dead()

    supposed = world.store._writer.submit("", suppose_sent).result(30)
    again = world.store._writer.submit("", suppose_sent).result(30)
    world.clock.forward(200)

    # Then whoever takes one of them finds an attempt of which nobody saw the end: none is sent as if never before
    assert (supposed, again) == (3, 0)
    for delivery in (queued, claimed, waits):
        answer = world.store.claim(delivery.delivery_id, "worker-2", 60).result(30)
        assert isinstance(answer, Claimed)
        assert answer.unfinished_attempt == 1
        assert [one.worker for one in world.store.attempts(delivery.delivery_id)] == [SUPPOSED]
        assert world.store.verify_chain(delivery.submission_id) == []
    answer = world.store.claim(tried.delivery_id, "worker-2", 60).result(30)
    assert isinstance(answer, Claimed)
    assert answer.unfinished_attempt == attempt
    assert world.state(ended) == "dead"

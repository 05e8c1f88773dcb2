"""What is to be told: every change of state, in order, from the transaction that made it until it was confirmed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from store_world import CANARY, KEYS, Clock, World, death, finding, verdict

from gateway.delivery import Delivered, Skipped, Wait
from gateway.errors import Conflict
from gateway.store.store import Announcement, Store
from gateway.submission import SubmissionState

ALL = 1000


@pytest.fixture
def telling(database_url: str) -> Iterator[World]:
    """An installation that tells what happens."""
    clock = Clock()
    store = Store.open(database_url, keys=KEYS, clock=clock, create=True, announces=True)
    yield World(store, clock, database_url)
    store.close()


def told(world: World) -> list[Announcement]:
    return world.store.due_announcements(ALL)


def test_the_way_of_a_submission_is_told_in_order_from_acceptance_to_completion(telling: World) -> None:
    delivery = telling.claimed()
    telling.clock.forward(5)
    telling.store.finish(delivery, telling.attempt(delivery), Delivered({"az": CANARY})).result(30)

    rows = told(telling)

    submission, one = delivery.submission_id, delivery.delivery_id
    assert [(row.delivery_id, row.old, row.new) for row in rows] == [
        (None, None, "accepted"),
        (one, None, "queued"),
        (one, "queued", "delivering"),
        (one, "delivering", "delivered"),
        (None, "accepted", "completed"),
    ]
    assert [row.event_id for row in rows] == [f"{submission}.{number}" for number in (1, 2, 3, 5, 6)]
    assert {(row.service, row.received_at) for row in rows} == {("hundesteuer", telling.clock() - timedelta(seconds=5))}
    assert [row.target for row in rows] == [None, "steuer", "steuer", "steuer", None]
    assert rows[-1].at == telling.clock()
    assert CANARY not in repr(rows)


def test_whatever_changes_a_state_is_told_exactly_as_the_history_has_it(telling: World) -> None:
    submissions = everything_that_can_happen(telling)

    history = [
        (submission_id, event["number"], event["old"], event["new"], event["deliveryId"])
        for submission_id in submissions
        for event in telling.store.view(submission_id, events=True).events
        if event["new"] is not None
    ]
    rows = [(r.submission_id, r.number, r.old, r.new, r.delivery_id) for r in told(telling)]
    assert sorted(rows) == sorted(history)
    assert {row[3] for row in rows} >= {"rejected", "clarify", "unknown", "dead", "skipped", "waiting", "discarded"}
    for submission_id in submissions:
        numbers = [row.number for row in told(telling) if row.submission_id == submission_id]
        assert numbers == sorted(numbers)


def everything_that_can_happen(world: World) -> list[str]:
    store = world.store
    by: dict[str, Any] = {"actor": "frau-a", "reason": CANARY}
    refused = world.submission()
    store.reject(refused, verdict(decision="reject", findings=(finding(),))).result(30)
    cleared, closed = (world.accept(checked=verdict(decision="clarify", findings=(finding(),))) for _ in range(2))
    store.release(cleared.submission_id, ["steuer"], **by).result(30)
    store.end_clarification(closed.submission_id, SubmissionState.DISCARDED, **by).result(30)
    skipped, waiting, dead = world.claimed(), world.claimed(), world.dead()
    store.finish(skipped, None, Skipped("no")).result(30)
    store.finish(waiting, None, Wait(world.clock(), "retry", failure="unavailable", code="http.503")).result(30)
    again = world.claimed(waiting)
    attempt = world.attempt(again)
    store.attempt_unknown(again, attempt, "http.timeout", CANARY).result(30)
    store.resolve_unknown(again, attempt, death("unknown_outcome")).result(30)
    store.settle(again.delivery_id, {"az": CANARY}, **by).result(30)
    store.redrive([dead.delivery_id], **by).result(30)
    store.bury(dead.delivery_id, death("poison", source="delivery_limit"), broker={}).result(30)
    store.discard([dead.delivery_id], **by).result(30)
    store.restore([dead.delivery_id], **by).result(30)
    store.return_to_sender([dead.delivery_id], **by).result(30)
    store.erase(skipped.submission_id, **by).result(30)
    owners = (skipped.submission_id, waiting.submission_id, dead.submission_id)
    return [refused.submission_id, cleared.submission_id, closed.submission_id, *owners]


def test_why_a_delivery_waits_died_or_is_unknown_is_told_by_class_and_code(telling: World) -> None:
    everything_that_can_happen(telling)

    reasons = {(row.new, row.failure, row.code) for row in told(telling) if row.failure or row.code}

    assert reasons == {
        ("waiting", "unavailable", "http.503"),
        ("unknown", "unknown_outcome", "http.timeout"),
        ("dead", "unknown_outcome", "http.422"),
        ("dead", "rejected_by_target", "http.422"),
        ("dead", "poison", "http.422"),
    }


def test_an_installation_that_tells_nothing_writes_no_row(world: World) -> None:
    everything_that_can_happen(world)

    assert told(world) == []


def test_what_was_told_goes_and_the_rest_stays_in_order(telling: World) -> None:
    for _ in range(3):
        telling.accept()
    rows = told(telling)

    telling.store.forget_announcements([row.announcement_id for row in telling.store.due_announcements(4)]).result(30)

    assert told(telling) == rows[4:]


def test_a_change_that_did_not_happen_is_not_told(telling: World) -> None:
    # Given a delivery that a second worker took over, after the claim of the first had lapsed
    first = telling.submission()
    delivery = telling.claimed(telling.delivery(telling.accept(submission=first)))
    telling.clock.forward(130)
    telling.claimed(delivery, "worker-2")
    before = told(telling)

    # When the first comes too late with its outcome, and the portal repeats what it sent
    late = telling.store.finish(delivery, None, Skipped("late")).exception(30)
    repeat = telling.accept(submission=telling.submission(inbox_key=first.inbox_key, digest=first.digest))

    # Then nothing has happened
    assert isinstance(late, Conflict)
    assert not repeat.created
    assert told(telling) == before


def test_a_relay_that_comes_back_late_deletes_nothing_that_came_after(telling: World) -> None:
    telling.accept()
    numbers = [row.announcement_id for row in told(telling)]
    telling.store.forget_announcements(numbers).result(30)
    telling.accept()

    telling.store.forget_announcements(numbers).result(30)

    assert [row.new for row in told(telling)] == ["accepted", "queued"]


def test_what_cannot_be_told_is_bounded_and_the_newest_stays(telling: World) -> None:
    for _ in range(5):
        telling.accept()
    rows = told(telling)

    assert telling.store.trim_announcements(10).result(30) == 0
    assert telling.store.trim_announcements(3).result(30) == 7
    assert told(telling) == rows[-3:]


def test_how_much_is_untold_and_since_when_can_be_watched(telling: World) -> None:
    empty = telling.store.standing(telling.clock())
    telling.accept()
    telling.clock.forward(40)
    telling.accept()

    standing = telling.store.standing(telling.clock())

    assert (empty.untold, empty.untold_oldest_seconds) == (0, 0.0)
    assert (standing.untold, standing.untold_oldest_seconds) == (4, 40.0)


def test_what_is_erased_meanwhile_can_still_be_told(telling: World) -> None:
    delivery = telling.claimed()
    telling.store.finish(delivery, None, Skipped("no")).result(30)
    before = told(telling)

    telling.store.erase(delivery.submission_id, actor="gateway", reason="retention").result(30)

    assert told(telling) == before

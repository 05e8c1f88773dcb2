"""What stopped: found, grouped, sent again, ended with a reason; by one person at a time."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from store_world import World, death, finding, verdict

from gateway.delivery import Delivered, Wait
from gateway.errors import Conflict, IllegalTransition, NotFound
from gateway.submission import SubmissionState

BROKER = {"queue": "ozg.dead.steuer", "headers": {"x-death": "rejected"}, "size": 12, "sha256": "e" * 64}


def test_a_dead_letter_says_what_where_why_and_what_to_do(world: World) -> None:
    delivery = world.claimed()
    world.store.finish(delivery, world.attempt(delivery), death(place="/hund[3]/rasse[1]")).result(30)

    (letter,) = world.store.dead_letters()

    view = world.store.view(delivery.submission_id)
    assert (letter.delivery_id, letter.submission_id, letter.case_id) == (
        delivery.delivery_id,
        delivery.submission_id,
        view.case_id,
    )
    assert (letter.target, letter.service, letter.department) == ("steuer", "hundesteuer", "stadtkasse")
    assert (letter.failure, letter.code, letter.place) == ("rejected_by_target", "http.422", "/hund/rasse")
    assert (letter.attempts, letter.state, letter.received_at) == (1, "open", view.received_at)
    assert letter == world.store.dead_letter(letter.dead_id)


def test_one_cause_is_one_group_whatever_the_position(world: World) -> None:
    for place in ("/hund[1]/rasse", "/hund[2]/rasse", "/halter"):
        delivery = world.claimed()
        world.store.finish(delivery, None, death("mapping", place=place)).result(30)
        world.clock.forward(60)

    groups = world.store.dead_groups()

    assert [(group.place, group.count) for group in groups] == [("/hund/rasse", 2), ("/halter", 1)]
    assert (groups[0].last_seen - groups[0].first_seen).total_seconds() == 60
    assert world.store.dead_groups(department="jagd") == []
    assert len(world.store.dead_letters(fingerprint=groups[0].fingerprint)) == 2


def test_the_list_is_newest_first_filtered_and_paged_without_gaps(world: World) -> None:
    died = [world.dead(failure) for failure in ("auth", "mapping", "mapping", "mapping")]

    page = world.store.dead_letters(limit=3)
    rest = world.store.dead_letters(limit=3, after=page[-1].dead_id)

    assert {letter.delivery_id for letter in page + rest} == {delivery.delivery_id for delivery in died}
    assert len(page + rest) == 4
    assert [letter.failure for letter in world.store.dead_letters(failure="auth")] == ["auth"]
    with pytest.raises(ValueError, match="cannot be filtered"):
        world.store.dead_letters(colour="red")


def test_a_redriven_letter_is_queued_with_a_message_and_new_attempts(world: World) -> None:
    delivery = world.dead()
    world.clock.forward(600)

    assert world.store.redrive([delivery.delivery_id], actor="frau-a", reason="Zuordnung berichtigt").result(30)

    again = world.store.delivery(delivery.delivery_id)
    assert (again.state, again.attempts, again.attempts_total) == ("queued", 0, 1)
    assert (again.first_due, again.failure, again.possible_repeat) == (world.clock(), None, False)
    assert [row.delivery_id for row in world.store.due_outbox(10, world.clock())][-1] == delivery.delivery_id
    assert [letter.state for letter in world.store.dead_letters()] == ["redriven"]


def test_a_redrive_is_resolved_by_delivery_and_followed_by_a_new_letter_at_the_next_death(world: World) -> None:
    for outcome, states in ((Delivered(), ["resolved"]), (death("mapping"), ["open", "redriven"])):
        delivery = world.dead()
        world.store.redrive([delivery.delivery_id], actor="a", reason="r").result(30)
        claimed = world.claimed(delivery)
        world.clock.forward(1)
        world.store.finish(claimed, world.attempt(claimed), outcome).result(30)

        letters = world.store.dead_letters(delivery_id=delivery.delivery_id)
        assert [letter.state for letter in letters] == states


def test_of_two_who_redrive_the_same_letter_one_wins_and_the_other_is_told(world: World) -> None:
    delivery = world.dead()

    with ThreadPoolExecutor(8) as pool:
        futures = [
            pool.submit(lambda i=i: world.store.redrive([delivery.delivery_id], actor=f"p{i}", reason="r").result(30))
            for i in range(8)
        ]
        errors = [future.exception() for future in futures]

    assert sum(error is None for error in errors) == 1
    assert sum(isinstance(error, Conflict) for error in errors) == 7
    events = world.store.view(delivery.submission_id, events=True).events
    assert sum(bool(event["details"].get("redrive")) for event in events) == 1


def test_many_are_redriven_at_once_and_those_that_moved_already_are_left_alone(world: World) -> None:
    ids = [world.dead().delivery_id for _ in range(5)]
    world.store.redrive(ids[:2], actor="a", reason="r").result(30)

    assert sorted(world.store.redrive(ids, actor="b", reason="r").result(30)) == sorted(ids[2:])
    with pytest.raises(NotFound):
        world.store.redrive(["no-such"], actor="b", reason="r").result(30)


def test_an_unknown_outcome_is_sent_again_only_when_confirmed_and_then_marked(world: World) -> None:
    unknown, other = world.dead("unknown_outcome"), world.dead()

    with pytest.raises(Conflict, match="unknown_outcome"):
        world.store.redrive([other.delivery_id, unknown.delivery_id], actor="a", reason="r").result(30)
    untouched = (world.state(unknown), world.state(other))
    world.store.redrive([unknown.delivery_id], actor="a", reason="r", confirm_repeat=True).result(30)

    assert untouched == ("dead", "dead")
    assert world.store.delivery(unknown.delivery_id).possible_repeat


def test_discarding_ends_with_a_reason_and_restoring_undoes_it(world: World) -> None:
    delivery = world.dead()

    world.store.discard([delivery.delivery_id], actor="a", reason="Doppelt gestellt").result(30)
    ended = world.store.view(delivery.submission_id)
    world.store.restore([delivery.delivery_id], actor="b", reason="Irrtum").result(30)
    restored = world.store.view(delivery.submission_id, events=True)

    assert (ended.state, ended.deliveries[0].state) == ("completed", "discarded")
    assert (restored.state, restored.deliveries[0].state) == ("accepted", "dead")
    assert [letter.state for letter in world.store.dead_letters()] == ["open"]
    assert [e["details"]["reason"] for e in restored.events if e["kind"] == "delivery.discarded"] == [
        "Doppelt gestellt"
    ]
    assert world.store.verify_chain(delivery.submission_id) == []


def test_what_the_department_entered_by_hand_is_delivered_with_its_reference(world: World) -> None:
    delivery = world.dead()

    world.store.settle(delivery.delivery_id, {"aktenzeichen": "AZ-9"}, actor="a", reason="erfasst").result(30)

    assert world.state(delivery) == "delivered"
    assert world.store.search("AZ-9") == [delivery.submission_id]
    assert [letter.state for letter in world.store.dead_letters()] == ["resolved"]
    with pytest.raises(IllegalTransition):
        world.store.settle(delivery.delivery_id, {}, actor="a", reason="r").result(30)


def test_returning_to_the_sender_is_final(world: World) -> None:
    delivery = world.dead()
    world.store.return_to_sender([delivery.delivery_id], actor="a", reason="nicht zuständig").result(30)

    assert world.store.view(delivery.submission_id).final
    with pytest.raises(Conflict):
        world.store.restore([delivery.delivery_id], actor="a", reason="r").result(30)


def test_a_person_lets_a_submission_on_and_its_deliveries_come_to_life(world: World) -> None:
    waiting = world.accept(checked=verdict(decision="clarify", findings=(finding(),)))

    world.store.release(waiting.submission_id, ["a", "b"], actor="amt", reason="in Ordnung").result(30)

    view = world.store.view(waiting.submission_id)
    assert (view.state, [d.state for d in view.deliveries]) == ("accepted", ["queued", "queued"])
    assert len(world.store.due_outbox(10, world.clock())) == 2
    assert [letter.state for letter in world.store.dead_letters()] == ["resolved"]
    assert world.store.verify_chain(waiting.submission_id) == []
    with pytest.raises(IllegalTransition):
        world.store.release(waiting.submission_id, ["a"], actor="amt", reason="r").result(30)


def test_a_person_ends_a_submission_that_needed_clarification(world: World) -> None:
    waiting = world.accept(checked=verdict(decision="clarify"))

    world.store.end_clarification(
        waiting.submission_id, SubmissionState.RETURNED, actor="amt", reason="unleserlich"
    ).result(30)

    assert world.store.view(waiting.submission_id).state == "returned"
    assert [letter.state for letter in world.store.dead_letters()] == ["discarded"]


# ---------------------------------------------------------------- what the collector brings


def test_a_queued_delivery_whose_message_died_in_the_broker_becomes_a_dead_letter_once(world: World) -> None:
    delivery = world.delivery()
    poison = death("poison", code="broker.delivery_limit", source="delivery_limit")

    first = world.store.bury(delivery.delivery_id, poison, broker=BROKER).result(30)
    second = world.store.bury(delivery.delivery_id, poison, broker=BROKER).result(30)

    assert first == second
    (letter,) = world.store.dead_letters()
    assert (letter.dead_id, letter.source, letter.broker) == (first, "delivery_limit", BROKER)


@pytest.mark.parametrize("state", ["delivering", "waiting", "delivered"])
def test_a_stale_copy_in_a_dead_letter_queue_kills_nothing(world: World, state: str) -> None:
    delivery = world.claimed()
    if state == "waiting":
        world.store.finish(delivery, None, Wait(world.clock(), "retry")).result(30)
    if state == "delivered":
        world.store.finish(delivery, None, Delivered()).result(30)

    assert (
        world.store.bury(delivery.delivery_id, death("poison", source="delivery_limit"), broker=BROKER).result(30)
        is None
    )
    assert world.state(delivery) == state


def test_a_delivered_case_that_the_departments_consumer_rejects_is_open_again(world: World) -> None:
    delivery = world.claimed()
    world.store.finish(delivery, world.attempt(delivery), Delivered()).result(30)

    world.store.bury(delivery.delivery_id, death(source="consumer"), broker=BROKER).result(30)

    view = world.store.view(delivery.submission_id)
    assert (view.state, view.deliveries[0].state) == ("accepted", "dead")
    assert world.store.verify_chain(delivery.submission_id) == []


@pytest.mark.parametrize("delivery_id", [None, "not-one-of-ours"])
def test_a_message_that_belongs_to_nothing_is_recorded_once_by_size_and_hash(
    world: World, delivery_id: str | None
) -> None:
    unreadable = death("contract", code="message.unreadable", source="broker")

    first = world.store.bury(delivery_id, unreadable, broker=BROKER).result(30)
    second = world.store.bury(delivery_id, unreadable, broker=BROKER).result(30)
    other = world.store.bury(delivery_id, unreadable, broker={**BROKER, "sha256": "f" * 64}).result(30)

    assert first == second != other
    assert {letter.delivery_id for letter in world.store.dead_letters()} == {None}

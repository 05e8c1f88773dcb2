"""The event chain proves what happened: it is complete, unchanged, and agrees with the states."""

from __future__ import annotations

import pytest
from sqlalchemy import create_engine, text
from store_world import CANARY, World

from gateway.delivery import Delivered
from gateway.errors import NotFound
from gateway.store.database import database_url


def a_life(world: World) -> str:
    """A submission that died, was sent again and arrived; its id."""
    delivery = world.dead()
    world.store.redrive([delivery.delivery_id], actor="frau-a", reason="Zuordnung berichtigt").result(30)
    claimed = world.claimed(delivery)
    world.store.finish(claimed, world.attempt(claimed), Delivered({"az": "AZ-1"}, CANARY.encode())).result(30)
    return delivery.submission_id


def change(world: World, *statements: str) -> None:
    """As somebody with all rights on the database who knows how to get around the triggers."""
    engine = create_engine(database_url(world.url))
    if engine.dialect.name == "postgresql":
        drops = ["ALTER TABLE event DISABLE TRIGGER ALL"]
    else:
        drops = ["DROP TRIGGER event_no_update", "DROP TRIGGER event_no_delete"]
    with engine.begin() as connection:
        for statement in (*drops, *statements):
            connection.execute(text(statement))
    engine.dispose()


def test_every_change_is_in_the_history_in_order_with_its_actor(world: World) -> None:
    events = world.store.view(a_life(world), events=True).events

    assert [(event["number"], event["kind"], event["actor"]) for event in events] == [
        (1, "submission.accepted", "portal"),
        (2, "delivery.queued", "gateway"),
        (3, "delivery.delivering", "worker-1"),
        (4, "attempt.started", "worker-1"),
        (5, "delivery.dead", "worker-1"),
        (6, "delivery.queued", "frau-a"),
        (7, "delivery.delivering", "worker-1"),
        (8, "attempt.started", "worker-1"),
        (9, "delivery.delivered", "worker-1"),
        (10, "submission.completed", "gateway"),
    ]


def test_an_untouched_history_verifies_and_holds_nothing_personal(world: World) -> None:
    submission_id = a_life(world)

    assert world.store.verify_chain(submission_id) == []
    assert CANARY not in str(world.store.view(submission_id, events=True).events)
    with pytest.raises(NotFound):
        world.store.verify_chain("no-such-submission")


@pytest.mark.parametrize(
    ("statement", "fault"),
    [
        ("UPDATE event SET actor = 'herr-b' WHERE number = 6", "event 6 was changed"),
        ("UPDATE event SET details = '{}' WHERE number = 5", "event 5 was changed"),
        ("UPDATE event SET at = '2020-01-01T00:00:00.000000+00:00' WHERE number = 3", "event 3 was changed"),
        ("DELETE FROM event WHERE number = 4", "event 4 is missing"),
        ("DELETE FROM event WHERE number = 1", "event 1 is missing"),
        ("DELETE FROM event WHERE number = 10", "the chain ends at event 9, it should end at 10"),
        ("UPDATE delivery SET state = 'discarded'", "a state was changed without an event"),
        ("UPDATE submission SET state = 'rejected'", "a state was changed without an event"),
    ],
)
def test_a_change_behind_the_gateways_back_is_named(world: World, statement: str, fault: str) -> None:
    submission_id = a_life(world)

    change(world, statement)

    assert fault in world.store.verify_chain(submission_id)


def test_two_events_that_change_places_are_noticed(world: World) -> None:
    submission_id = a_life(world)

    change(
        world,
        "UPDATE event SET number = 99 WHERE number = 4",
        "UPDATE event SET number = 4 WHERE number = 5",
        "UPDATE event SET number = 5 WHERE number = 99",
    )

    assert "event 4 was changed" in world.store.verify_chain(submission_id)


@pytest.mark.parametrize("statement", ["UPDATE event SET actor = 'x'", "DELETE FROM event"])
def test_the_database_itself_refuses_to_change_events(world: World, statement: str) -> None:
    world.accept()
    engine = create_engine(database_url(world.url))

    with pytest.raises(Exception, match="events are never"), engine.begin() as connection:
        connection.execute(text(statement))
    engine.dispose()


def test_every_look_at_content_is_recorded(world: World) -> None:
    accepted = world.accept()

    world.store.record_access(accepted.submission_id, actor="frau-a", what="data", reason="Rückfrage").result(30)

    event = world.store.view(accepted.submission_id, events=True).events[-1]
    assert (event["kind"], event["actor"], event["details"]) == (
        "access",
        "frau-a",
        {"what": "data", "reason": "Rückfrage"},
    )
    assert world.store.verify_chain(accepted.submission_id) == []
    with pytest.raises(NotFound):
        world.store.record_access("no-such", actor="a", what="data", reason="r").result(30)

"""Unknown is a state: against systems that act and then hang up each case is there once, or a person decides."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from city import City, Shape, city, dog_tax_packages, until
from crash_world import REST, SOAP

KINDS = ("commit_then_hang_up", "reset", "cut", "fail_after_commit", "hang_up", "ok", "slow")
SHORT, LONG = 50, 1000


@pytest.fixture(scope="module")
def town(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with city(tmp_path_factory.mktemp("town"), database_url=shape.database_url, broker_url=shape.broker_url) as opened:
        yield opened


def each_is_there_once(town: City, count: int, seed: int) -> None:
    """Submissions against systems that misbehave at random; unknown ones are asked about, by their key."""
    draw = random.Random(seed)
    taken = []
    for _ in range(count):
        for target in (SOAP, REST):
            department = town.soap() if target == SOAP else town.rest()
            department.tell(draw.choice(KINDS), seconds=0.02, times=1)
        taken.append(town.accepted())
    for submission_id in taken:
        view = town.ended(submission_id)
        for delivery in view.deliveries:
            if delivery.target not in (SOAP, REST):
                continue
            assert delivery.state == "delivered", f"seed {seed}: {delivery}"
            marks = town.effects(delivery.target, delivery.delivery_id)
            assert len(marks) == 1, f"seed {seed}: {delivery.target} has {len(marks)} cases of {delivery.delivery_id}"


def test_against_systems_that_commit_and_hang_up_each_case_is_there_once_in_fifty_runs(town: City) -> None:
    each_is_there_once(town, SHORT, seed=1)


@pytest.mark.long
@pytest.mark.parametrize("seed", [2, 3])
def test_against_systems_that_commit_and_hang_up_each_case_is_there_once_in_a_thousand_runs(
    town: City, seed: int
) -> None:
    each_is_there_once(town, LONG, seed)


def test_where_nobody_can_tell_it_is_a_dead_letter_of_its_own_class_and_never_sent_by_itself(tmp_path: Path) -> None:
    # Given a system that can neither be asked nor gets anything twice
    packages = dog_tax_packages(tmp_path / "packages", targets={SOAP: {"probe": None}})
    with city(tmp_path / "home", packages=packages) as town:
        town.soap().tell("commit_then_hang_up", times=1)

        submission_id = town.accepted()

        # Then a person has to decide, and the system has it once
        letter = town.letter(submission_id, target=SOAP)
        assert (letter.failure, letter.attempts) == ("unknown_outcome", 1)
        assert letter.delivery_id is not None
        assert town.effects(SOAP, letter.delivery_id) == [False]

        # When the person says that it did not arrive, the repeat says what it is
        town.redrive(letter.delivery_id, confirm_repeat=True)
        until(lambda: len(town.effects(SOAP, str(letter.delivery_id))) == 2, "the repeat")
        assert town.effects(SOAP, letter.delivery_id) == [False, True]


def test_where_it_arrived_the_person_says_so_and_nothing_is_sent(tmp_path: Path) -> None:
    packages = dog_tax_packages(tmp_path / "packages", targets={SOAP: {"probe": None}})
    with city(tmp_path / "home", packages=packages) as town:
        town.soap().tell("commit_then_hang_up", times=1)
        submission_id = town.accepted()
        letter = town.letter(submission_id, target=SOAP)
        assert letter.delivery_id is not None

        found = town.gateway.store.settle(
            letter.delivery_id, {"aktenzeichen": "STK-1"}, actor="clerk", reason="they found it"
        )

        found.result(30)
        delivery = town.delivery(submission_id, SOAP)
        assert (delivery.state, dict(delivery.references)) == ("delivered", {"aktenzeichen": "STK-1"})
        assert town.effects(SOAP, letter.delivery_id) == [False]

"""A department system that takes a case with 202 and says later what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from city import City, city, dog_tax_packages

TARGET = "eakte-stadtkasse"
LATER = {"state": "$.status", "done": ["ERLEDIGT"], "failed": ["ABGELEHNT"]}
Begin = Callable[..., City]


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Begin]:
    """A city whose e-file answers later. retry: of the target."""
    with ExitStack() as stack:

        def begun(**told: Any) -> City:
            packages = dog_tax_packages(tmp_path / "packages", targets={TARGET: {"asynchronous": LATER}})
            return stack.enter_context(city(tmp_path / "home", packages=packages, targets={TARGET: told}))

        yield begun


def test_it_is_delivered_when_the_target_says_so_and_no_worker_waits_until_then(begin: Begin) -> None:
    town = begin()
    town.rest(TARGET).works = 2
    submission = town.accepted()

    waiting = town.in_state(submission, TARGET, "unknown")
    assert waiting.code == "rest.in_progress"
    view = town.ended(submission)

    [delivery] = [d for d in view.deliveries if d.target == TARGET]
    assert (delivery.state, delivery.attempts) == ("delivered", 1)
    assert delivery.references["aktenzeichen"].startswith("EAKTE")
    assert town.effects(TARGET, delivery.delivery_id) == [False], "one case, from one request"


def test_a_refusal_that_comes_later_is_a_dead_letter(begin: Begin) -> None:
    town = begin()
    town.rest(TARGET).works, town.rest(TARGET).fails = 0, True

    letter = town.letter(town.accepted(), target=TARGET)

    assert (letter.failure, letter.code) == ("rejected_by_target", "rest.refused")
    assert "unvollständig" not in f"{letter.text} {letter.remedy}"


def test_a_status_that_is_gone_leaves_the_question_by_key(begin: Begin) -> None:
    town = begin()
    town.rest(TARGET).works = 10_000
    submission = town.accepted()
    town.in_state(submission, TARGET, "unknown")

    town.rest(TARGET).works = None  # what was in work is done, and its status is not kept

    delivery = town.in_state(submission, TARGET, "delivered")
    assert delivery.references["vorgangsnummer"]
    assert town.effects(TARGET, delivery.delivery_id) == [False]


def test_who_works_on_it_for_too_long_is_left_to_a_person(begin: Begin) -> None:
    town = begin(retry={"delays": ["0.2s"], "give_up_after": "1s"})
    town.rest(TARGET).works = 10_000

    letter = town.letter(town.accepted(), target=TARGET)

    assert (letter.failure, letter.code) == ("unknown_outcome", "rest.in_progress")

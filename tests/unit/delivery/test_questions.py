"""When a target that works on a case is asked again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from gateway.delivery.ladder import LONGEST_RETRY_AFTER, next_question

BEGAN = datetime(2026, 11, 24, 9, tzinfo=UTC)
LEAST = timedelta(seconds=5)


@pytest.mark.parametrize(("asked", "seconds"), [(30.0, 30.0), (0.0, 1.0), (-5.0, 1.0), (10.0**9, LONGEST_RETRY_AFTER)])
def test_the_target_is_asked_when_it_wants_but_never_in_a_loop_and_never_so_late_that_nobody_notices(
    asked: float, seconds: float
) -> None:
    now = BEGAN + timedelta(hours=7)
    assert next_question(first_due=BEGAN, now=now, asked=asked, least=LEAST) == now + timedelta(seconds=seconds)


def test_what_takes_long_is_asked_about_ever_less_often() -> None:
    now, questions = BEGAN, 0
    while now < BEGAN + timedelta(days=3):
        then = next_question(first_due=BEGAN, now=now, asked=None, least=LEAST)
        assert then - now >= LEAST
        assert then - now <= max(LEAST, (now - BEGAN) / 10), "an end is seen soon after it came"
        now, questions = then, questions + 1
    assert 150 < questions < 250

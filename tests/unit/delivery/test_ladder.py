"""Retries that do no harm: the one function that decides when, by which way, and when to give up."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from adapters.base import OutcomeUnknown, Retryable
from gateway.delivery import Dead, Wait
from gateway.delivery.ladder import JITTER, LONGEST_RETRY_AFTER, again
from gateway.delivery.verdicts import expired
from gateway.packages.model import RetryPolicy
from queues.topology import RUNGS

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
POLICY = RetryPolicy(delays=(30, 120, 600, 3600, 21600), give_up_after=3 * 86400)


def after(
    attempts: int, *, error: Retryable | OutcomeUnknown | None = None, started: datetime = NOW, draw: float = 0.5
) -> Wait | Dead:
    failed = error or Retryable("tcp.refused")
    return again(POLICY, failed, attempts=attempts, first_due=started, now=NOW, draw=lambda: draw)


@pytest.mark.parametrize(("attempts", "seconds"), [(1, 30), (2, 120), (3, 600)])
def test_short_delays_travel_through_the_rung_of_exactly_that_delay(attempts: int, seconds: int) -> None:
    wait = after(attempts)
    assert isinstance(wait, Wait)
    assert wait.rung is not None
    assert RUNGS[wait.rung] == seconds
    assert wait.due_at == NOW + timedelta(seconds=seconds)


def test_long_delays_wait_in_the_database_and_are_spread() -> None:
    early, late = after(4, draw=0.0), after(4, draw=0.999)
    assert isinstance(early, Wait)
    assert isinstance(late, Wait)
    assert early.rung is late.rung is None
    assert early.due_at < late.due_at


def test_the_last_delay_repeats() -> None:
    assert after(5) == after(17)


def test_the_targets_own_wish_wins_but_not_without_bound() -> None:
    asked = after(1, error=Retryable("http.503", retry_after=77))
    assert isinstance(asked, Wait)
    assert (asked.due_at, asked.rung) == (NOW + timedelta(seconds=77), None)
    endless = after(1, error=Retryable("http.503", retry_after=10**9))
    assert isinstance(endless, Wait)
    assert endless.due_at == NOW + timedelta(seconds=LONGEST_RETRY_AFTER)


def test_when_the_next_try_would_come_too_late_a_person_is_asked() -> None:
    given_up = after(9, started=NOW - timedelta(days=3))
    assert isinstance(given_up, Dead)
    assert (given_up.failure, given_up.cause, given_up.code) == ("expired", "unavailable", "tcp.refused")
    assert given_up.text.en == (
        "Given up after 9 attempts. At last: The department system could not be reached. The connection was refused."
    )


@pytest.mark.parametrize(
    ("attempts", "begins"), [(0, "Ohne Versuch"), (1, "Nach einem Versuch"), (2, "Nach 2 Versuchen")]
)
def test_giving_up_is_said_in_good_german(attempts: int, begins: str) -> None:
    assert expired(attempts, "auth", "http.401").text.de.startswith(f"{begins} aufgegeben. Zuletzt: Das Zielsystem")


@given(st.integers(1, 50), st.floats(0, 1, exclude_max=True), st.one_of(st.none(), st.floats(0, 1e7)))
def test_a_retry_is_always_ahead_and_never_beyond_giving_up(attempts: int, draw: float, asked: float | None) -> None:
    result = after(attempts, error=Retryable("http.503", retry_after=asked), draw=draw)
    assert isinstance(result, Wait)
    assert NOW < result.due_at <= NOW + timedelta(seconds=max(POLICY.delays[-1] * (1 + JITTER), LONGEST_RETRY_AFTER))


def test_time_that_is_over_does_not_make_an_unknown_outcome_known() -> None:
    verdict = again(
        RetryPolicy(delays=(60.0,), give_up_after=30.0, per_second=None, parallel=None),
        OutcomeUnknown("rest.answer_invalid"),
        attempts=1,
        first_due=NOW,
        now=NOW,
        draw=lambda: 0.5,
    )

    assert isinstance(verdict, Dead)
    assert (verdict.failure, verdict.code) == ("unknown_outcome", "rest.answer_invalid")

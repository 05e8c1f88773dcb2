"""Opening hours: when a target may be called, in local time, over weekends and clock changes."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.delivery.hours import BERLIN, parse_hours

WORKING_WEEK = parse_hours("Mo-Fr 06:00-20:00")


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN).astimezone(UTC)


def test_without_hours_a_target_is_always_open() -> None:
    moment = at("2026-11-22T03:00")
    assert parse_hours(None).next_open(moment) == moment
    assert parse_hours("  ").is_open(moment)


@pytest.mark.parametrize(
    ("asked", "opens"),
    [
        ("2026-11-24T10:00", "2026-11-24T10:00"),  # Tuesday, open
        ("2026-11-24T05:59", "2026-11-24T06:00"),  # before opening
        ("2026-11-24T20:00", "2026-11-25T06:00"),  # the end itself is closed
        ("2026-11-27T21:00", "2026-11-30T06:00"),  # Friday night waits for Monday
        ("2026-10-24T12:00", "2026-10-26T06:00"),  # over the end of summer time
        ("2026-03-28T12:00", "2026-03-30T06:00"),  # over its beginning
    ],
)
def test_a_closed_target_opens_at_the_next_span(asked: str, opens: str) -> None:
    assert WORKING_WEEK.next_open(at(asked)) == at(opens)


def test_several_spans_and_day_lists_are_understood() -> None:
    hours = parse_hours("Mo,Mi 08:00-12:00, Mo 14:00-16:00; Sa 22:00-24:00")
    assert hours.is_open(at("2026-11-23T15:00"))
    assert not hours.is_open(at("2026-11-23T13:00"))
    assert hours.next_open(at("2026-11-24T09:00")) == at("2026-11-25T08:00")
    assert hours.is_open(at("2026-11-28T23:59"))
    assert not hours.is_open(at("2026-11-29T00:00"))


@pytest.mark.parametrize("text", ["immer", "Mo-Fr", "Mo-Fr 6-20", "Mo 20:00-06:00", "Mo 25:00-26:00", "Xx 08:00-09:00"])
def test_what_is_not_understood_is_refused_with_the_piece_in_question(text: str) -> None:
    with pytest.raises(ValueError, match=r".+"):
        parse_hours(text)


@given(st.datetimes(datetime(2026, 1, 1), datetime(2027, 12, 31)).map(lambda d: d.replace(tzinfo=UTC)))  # noqa: DTZ001
def test_the_next_opening_is_open_and_never_in_the_past_and_at_most_a_weekend_away(moment: datetime) -> None:
    opening = WORKING_WEEK.next_open(moment)
    assert opening >= moment
    assert WORKING_WEEK.is_open(opening)
    assert opening - moment <= timedelta(hours=24 * 2 + 11)

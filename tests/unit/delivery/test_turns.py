"""What is done now and then is done again in time, also when somebody sets the clock."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from test_announcing import Parts, parts

from gateway.delivery.turns import is_due

__all__ = ["parts"]

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
PAUSE = timedelta(seconds=60)


@pytest.mark.parametrize(
    ("next_at", "due"),
    [
        (None, True),
        (NOON, True),
        (NOON - PAUSE, True),
        (NOON + PAUSE, False),
        (NOON + timedelta(days=1), True),  # the clock was set back
    ],
)
def test_it_is_time_when_the_moment_has_come_or_lies_further_ahead_than_anybody_set_it(
    next_at: datetime | None, due: bool
) -> None:
    assert is_due(next_at, NOON, PAUSE) is due


def test_a_relay_whose_clock_was_a_day_ahead_for_a_moment_sweeps_and_keeps_its_lease_as_before(
    parts: Parts, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: list[str] = []
    for name in ("sweep", "acquire_lease"):
        original = getattr(parts.store, name)
        monkeypatch.setattr(parts.store, name, lambda *a, n=name, o=original: (done.append(n), o(*a))[1])
    relay = parts.relay()
    relay.turn()
    parts.now += timedelta(days=1)
    relay.turn()

    # When the clock is set right
    parts.now -= timedelta(days=1)
    done.clear()
    parts.now += timedelta(seconds=parts.settings.sweep_seconds)
    relay.turn()

    assert sorted(done) == ["acquire_lease", "sweep"]

"""The embedded shape is killed at every named moment, and comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from city import Shape
from crash_kills import as_the_row_says, kill_and_recover
from crash_rows import KILLS, Kill
from crash_world import World, world

ROWS = [pytest.param(row, id=f"{row.f}-{row.moment}") for row in KILLS if "embedded" in row.shapes]


@pytest.fixture(scope="module")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("embedded"), Shape()) as opened:
        yield opened


@pytest.mark.parametrize("row", ROWS)
def test_killed_at_this_moment_it_loses_and_doubles_nothing(embedded: World, row: Kill) -> None:
    as_the_row_says(embedded, row, kill_and_recover(embedded, row))


@pytest.mark.long
@pytest.mark.parametrize("hit", [1, 2, 20])
@pytest.mark.parametrize("row", ROWS)
def test_killed_at_this_moment_among_fifty_it_loses_and_doubles_nothing(embedded: World, row: Kill, hit: int) -> None:
    kill_and_recover(embedded, row, count=50, hit=1 if row.told else hit)

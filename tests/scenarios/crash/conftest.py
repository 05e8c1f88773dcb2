"""Each test finds the installation that it shares with others as if it were the first. What is long is said here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from crash_rows import Kill
from crash_world import OPEN

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What the production shape proves in the short form as well is long for the embedded one: tests of both shapes,
    and deaths of a worker.
    """
    for item in items:
        if item.path.parent != HERE or not isinstance(item, pytest.Function) or not hasattr(item, "callspec"):
            continue
        row = item.callspec.params.get("row")
        worker = isinstance(row, Kill) and row.point.startswith("worker.") and "embedded" in item.path.name
        if worker or "[embedded" in item.name:
            item.add_marker(pytest.mark.long)


@pytest.fixture(autouse=True)
def nothing_is_left_behind() -> Iterator[None]:
    """Also after a test that failed: else the ones after it fail as well, and nobody sees which one found something."""
    yield
    for world in list(OPEN):
        world.calm()

"""Stores for the tests of this folder: every test that asks for a `world` runs on SQLite and on PostgreSQL."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from store_world import KEYS, Clock, World

from gateway.store.store import Store


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        url: str = request.getfixturevalue("fresh_postgres_url")
        return url
    return f"sqlite:///{tmp_path / 'gateway.db'}"


@pytest.fixture
def open_world(database_url: str) -> Iterator[Callable[[], World]]:
    """Opens the test's database, as often as wanted: a second one is a second process or a restart."""
    opened: list[World] = []
    clock = Clock()

    def open_one() -> World:
        opened.append(World(Store.open(database_url, keys=KEYS, clock=clock, create=True), clock, database_url))
        return opened[-1]

    yield open_one
    for world in opened:
        world.store.close()


@pytest.fixture
def world(open_world: Callable[[], World]) -> World:
    return open_world()

"""The production shape (PostgreSQL, RabbitMQ) is killed at every named moment, and comes back."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from crash_kills import as_the_row_says, kill_and_recover
from crash_rows import KILLS, Kill
from crash_world import World, servers_of_its_own, world

from gateway.demo.servers import RabbitNode

ROWS = [pytest.param(row, id=f"{row.f}-{row.moment}") for row in KILLS if "production" in row.shapes]


@pytest.fixture(scope="module")
def production(
    tmp_path_factory: pytest.TempPathFactory, postgres_url: str, rabbitmq_node: RabbitNode
) -> Iterator[World]:
    with (
        servers_of_its_own(postgres_url, rabbitmq_node) as shape,
        world(tmp_path_factory.mktemp("production"), shape) as opened,
    ):
        yield opened


@pytest.mark.parametrize("row", ROWS)
def test_killed_at_this_moment_it_loses_and_doubles_nothing(production: World, row: Kill) -> None:
    as_the_row_says(production, row, kill_and_recover(production, row))


@pytest.mark.long
@pytest.mark.parametrize("hit", [1, 2, 20])
@pytest.mark.parametrize("row", ROWS)
def test_killed_at_this_moment_among_fifty_it_loses_and_doubles_nothing(production: World, row: Kill, hit: int) -> None:
    kill_and_recover(production, row, count=50, hit=1 if row.told else hit)

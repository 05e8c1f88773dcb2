"""PostgreSQL, RabbitMQ and processes of every role under torture; and faults of what lies between them."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.demo.servers import PostgresServer, RabbitNode
from tests.torture.plan import make
from tests.torture.proofs import PROOFS, SELDOM, prove
from tests.torture.run import Ground, run
from tests.torture.seeded import FAULTS

pytestmark = pytest.mark.timeout(600)
PRODUCTION = [
    pytest.param(name, marks=[pytest.mark.long] if name in SELDOM else [])
    for name, proof in PROOFS.items()
    if proof.shape == "production"
]


@pytest.fixture
def ground(
    tmp_path: Path,
    fresh_postgres_url: str,
    fresh_rabbitmq_url: str,
    postgres_server: PostgresServer,
    rabbitmq_node: RabbitNode,
) -> Ground:
    return Ground(
        tmp_path, fresh_postgres_url, fresh_rabbitmq_url, {"database": postgres_server, "broker": rabbitmq_node}
    )


def test_nothing_is_lost_doubled_or_seen_whatever_breaks_among_many_processes(ground: Ground) -> None:
    result = run(make(5, "production", 10.0, every=0.7), ground)

    assert result.violations == []
    assert result.accepted > 50
    assert result.faults.total() > 6


@pytest.mark.parametrize("name", PRODUCTION)
def test_a_fault_between_the_parts_is_reported_by_name(ground: Ground, name: str) -> None:
    result = prove(name, 3, ground)

    assert result.accepted > 5
    assert FAULTS[name].reported in result.names, result.violations


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(200, 220))
def test_twenty_seeds_lose_and_double_nothing_among_many_processes(ground: Ground, seed: int) -> None:
    assert run(make(seed, "production", 45.0), ground).violations == []

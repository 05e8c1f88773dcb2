"""The embedded shape under torture; and faults put into the program, each reported by the name of what it breaks."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture.plan import make
from tests.torture.proofs import PROOFS, SELDOM, prove
from tests.torture.run import Ground, run
from tests.torture.seeded import FAULTS

pytestmark = pytest.mark.timeout(600)
EMBEDDED = [
    pytest.param(name, marks=[pytest.mark.long] if name in SELDOM else [])
    for name, proof in PROOFS.items()
    if proof.shape == "embedded"
]


def test_nothing_is_lost_doubled_or_seen_whatever_breaks(tmp_path: Path) -> None:
    result = run(make(11, "embedded", 10.0, every=0.6), Ground(tmp_path))

    assert result.violations == []
    assert result.accepted > 50
    assert result.faults.total() > 6


@pytest.mark.parametrize("name", EMBEDDED)
def test_a_fault_in_the_program_is_reported_by_name(tmp_path: Path, name: str) -> None:
    result = prove(name, 3, Ground(tmp_path))

    assert result.accepted > 5
    expected = FAULTS[name].reported
    assert expected in result.names if expected else result.names == set(), result.violations


@pytest.mark.long
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("seed", range(100, 120))
def test_twenty_seeds_lose_and_double_nothing(tmp_path: Path, seed: int) -> None:
    assert run(make(seed, "embedded", 45.0), Ground(tmp_path)).violations == []

"""A plan is made from its seed alone, and what a run writes can be read again."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.torture import report
from tests.torture.plan import SETTLE_SECONDS, WEIGHTS, ShapeName, make
from tests.torture.portals import canary_of
from tests.torture.proofs import PROOFS
from tests.torture.seeded import FAULTS


@pytest.mark.parametrize("shape", ["embedded", "production"])
def test_the_same_seed_makes_the_same_plan_and_another_seed_another(shape: ShapeName) -> None:
    assert make(7, shape, 60) == make(7, shape, 60)
    assert make(7, shape, 60).faults != make(8, shape, 60).faults
    assert make(7, shape, 60).orders != make(8, shape, 60).orders


def test_a_long_plan_has_every_kind_of_fault_and_of_order_within_its_time() -> None:
    plan = make(1, "production", 600)

    assert {fault.kind for fault in plan.faults} == set(WEIGHTS)
    assert {order.style for order in plan.orders} == {
        *("once", "again", "at once", "wrong", "reused", "follows", "shared key")
    }
    assert all(SETTLE_SECONDS <= fault.at < 600 for fault in plan.faults)
    assert all(order.of is None or order.of < order.number for order in plan.orders)


def test_only_the_kinds_that_were_asked_for_are_drawn() -> None:
    assert {fault.kind for fault in make(1, "production", 120, kinds=("kill", "cut")).faults} == {"kill", "cut"}


def test_no_two_messages_carry_the_same_name() -> None:
    assert len({canary_of(seed, number) for seed in range(20) for number in range(500)}) == 10_000


def test_every_fault_that_can_be_put_into_the_program_has_a_run_that_has_to_catch_it() -> None:
    assert set(PROOFS) == set(FAULTS)


def test_only_what_stands_between_the_markers_of_a_page_is_replaced(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{report.BEGIN}\nold\n{report.END}\nafter\n", encoding="utf-8")

    report.write(page, "new\n")

    assert page.read_text(encoding="utf-8") == f"before\n{report.BEGIN}\n\nnew\n\n{report.END}\nafter\n"
    page.write_text("no place", encoding="utf-8")
    with pytest.raises(ValueError, match="no place"):
        report.write(page, "new\n")

"""References however they are written, and what the store keeps of persons."""

from __future__ import annotations

import pytest

from gateway.store import KeyRing
from gateway.store.folding import folded


@pytest.mark.parametrize(
    "typed", ["STK-2026/17", " stk 2026/17", "Stk\u20132026 / 17", "\uff33\uff34\uff2b2026/17", "stk\u00a02026/17"]
)
def test_case_blanks_and_dashes_do_not_matter(typed: str) -> None:
    assert folded(typed) == "stk2026/17"


def test_other_signs_do() -> None:
    assert len({folded("1/17"), folded("11/7"), folded("1.17"), folded("117")}) == 4


def test_a_fingerprint_tells_equal_persons_and_needs_the_key() -> None:
    ours, other = KeyRing({1: b"a" * 32}), KeyRing({1: b"b" * 32})
    assert ours.fingerprint("Muster") == ours.fingerprint("Muster") != ours.fingerprint("Meister")
    assert ours.fingerprint("Muster") != other.fingerprint("Muster")
    assert "Muster" not in ours.fingerprint("Muster")


def test_a_new_key_makes_nobody_a_stranger() -> None:
    before, after = KeyRing({1: b"a" * 32}), KeyRing({1: b"a" * 32, 2: b"b" * 32})
    assert before.fingerprint("Muster") == after.fingerprint("Muster")

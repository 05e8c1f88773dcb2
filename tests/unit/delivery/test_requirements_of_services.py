"""What is below a service's requirements, from the case alone."""

from __future__ import annotations

from typing import Any, Literal

import pytest

from gateway.delivery.requirements import unmet
from gateway.packages.model import Requires

Level = Literal["none", "low", "substantial", "high"]


@pytest.mark.parametrize(
    ("required", "proven", "passes"),
    [
        ("none", None, True),
        ("low", None, False),
        ("low", "none", False),
        ("substantial", "low", False),
        ("substantial", "substantial", True),
        ("substantial", "high", True),
        ("high", "substantial", False),
    ],
)
def test_an_identification_counts_for_its_level_and_those_below(
    required: Level, proven: Level | None, passes: bool
) -> None:
    case: dict[str, Any] = {"authentication": {"trustLevel": proven}} if proven else {}
    found = unmet(Requires(trust_level=required), case)
    assert (found is None) is passes
    if found is not None:
        assert (found.failure, found.code) == ("requirement", "requirement.trust_level")


@pytest.mark.parametrize(
    ("payment", "passes"),
    [
        (None, False),
        ({"transactionId": "T-1"}, False),
        ({"status": "INITIAL"}, False),
        ({"status": "FAILED"}, False),
        ({"status": "BOOKED"}, True),
        ({"status": "booked"}, True),
    ],
)
def test_only_what_is_booked_is_paid(payment: dict[str, str] | None, passes: bool) -> None:
    case: dict[str, Any] = {"payment": payment} if payment is not None else {}
    found = unmet(Requires(payment="required"), case)
    assert (found is None) is passes
    assert found is None or found.code == "requirement.payment"


def test_without_requirements_nothing_is_asked() -> None:
    assert unmet(Requires(), {}) is None

"""All layers of checking for tests that have a registry."""

from __future__ import annotations

from xoev_schemas.documents import Limits
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import Registry
from xoev_schemas.workers import Workers


def checker_of(registry: Registry) -> Checker:
    """Its processes start only for standards with business rules and for large messages, and end with this one."""
    return Checker(registry, Workers(1, 2 << 30, 60.0), Limits())

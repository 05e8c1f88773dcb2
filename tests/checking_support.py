"""All layers of checking for tests that have a registry, and everything published in one."""

from __future__ import annotations

from pathlib import Path

from xoev_schemas.documents import Limits
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import Registry
from xoev_schemas.workers import Workers

PUBLISHED = ("xoev", "codelists", "fim/generated", "fim/xdf3")
"""The folders of the test data that hold standards and code lists."""


def checker_of(registry: Registry) -> Checker:
    """Its processes start only for standards with business rules and for large messages, and end with this one."""
    return Checker(registry, Workers(1, 2 << 30, 60.0), Limits())


def install_published(test_data: Path, folder: Path) -> Registry:
    """All published standards, rules, code lists and FIM schemas of the test data, installed in `folder`."""
    registry = Registry(folder)
    for source in PUBLISHED:
        registry.import_path(test_data / source)
    return registry

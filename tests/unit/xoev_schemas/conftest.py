"""Registries with the small standards of `muster_standard.py`, and one with the published ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from checking_support import install_published
from muster_standard import FIM_JSON, FIM_XSD, MUSTER, write

from xoev_schemas.documents import Limits
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import Registry
from xoev_schemas.workers import Workers


@pytest.fixture
def muster(tmp_path: Path) -> Path:
    """A folder with the standard xmuster 1.0."""
    return write(tmp_path / "muster", MUSTER)


@pytest.fixture
def fim(tmp_path: Path) -> Path:
    """A folder with a FIM schema as XSD and as JSON Schema, with the generator's fault in its pattern."""
    return write(
        tmp_path / "fim", {"S99000000001V1.0.0.xfall.xsd": FIM_XSD, "S99000000001V1.0.0.schema.json": FIM_JSON}
    )


@pytest.fixture
def registry(tmp_path: Path, muster: Path, fim: Path) -> Registry:
    """Both installed."""
    registry = Registry(tmp_path / "home" / "schemas")
    registry.import_path(muster)
    registry.import_path(fim)
    return registry


@pytest.fixture(scope="session")
def real(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Registry:
    """The published collection of XÖV standards and the generated FIM schemas, installed."""
    registry = Registry(tmp_path_factory.mktemp("real") / "schemas")
    registry.import_path(test_data / "xoev")
    registry.import_path(test_data / "fim" / "generated")
    return registry


@pytest.fixture(scope="session")
def everything(test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Checker]:
    """Every layer of checking, with all that was published installed: standards, rules, code lists, FIM schemas."""
    workers = Workers(1, 2 << 30, 60.0)
    yield Checker(install_published(test_data, tmp_path_factory.mktemp("everything") / "schemas"), workers, Limits())
    workers.close()

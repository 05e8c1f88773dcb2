"""The published code lists, and XBau's schema as the gateway compiles it."""

from __future__ import annotations

from pathlib import Path

import pytest
from code_list_files import XBAU, published_lists, xsd_source
from lxml import etree

from xoev_schemas.codelists import CodeLists
from xoev_schemas.xsd import compile_xsd


@pytest.fixture(scope="session")
def published(test_data: Path) -> CodeLists:
    return published_lists(test_data)


@pytest.fixture(scope="session")
def xbau(test_data: Path) -> etree.XMLSchema:
    return compile_xsd(xsd_source(test_data, XBAU))

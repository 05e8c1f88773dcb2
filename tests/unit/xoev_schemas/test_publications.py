"""What the publishers issue compiles: every schema file alone, by the catalog, without a network.

That every code list loads is proven in `tests/unit/codelists/test_reading_code_lists.py`, that every Schematron file
compiles to the last expression in `tests/unit/schematron/test_schematron_published.py`.
"""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from lxml import etree

from xoev_schemas.xsd import XsdSource, compile_xsd

CATALOG_ENTRY = "{urn:oasis:names:tc:entity:xmlns:xml:catalog}uri"


def catalog(folder: Path) -> dict[str, str]:
    entries = etree.parse(folder / "catalog.xml").getroot().iter(CATALOG_ENTRY)
    return {str(entry.get("name")): str(entry.get("uri")) for entry in entries}


def test_every_schema_file_compiles_alone_by_the_catalog_without_a_network(
    test_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Given each file of the collection as a start of its own (one of them is called `.xsd`), and nothing to ask
    def refuse(*_arguments: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    folder = test_data / "xoev"
    files = {file.relative_to(folder).as_posix(): file.read_bytes() for file in sorted(folder.rglob("*.xsd"))}
    published = catalog(folder)
    assert (len(files), len(published)) == (313 + 1, 17)

    # When it is compiled; then nothing is missing (NotCompiled would say what)
    for path in files:
        compile_xsd(XsdSource(f"alone: {path}", path, files, published))

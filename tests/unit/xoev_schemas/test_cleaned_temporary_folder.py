"""Systems take old files out of their temporary folder (systemd-tmpfiles: after ten days); a gateway runs longer."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from xoev_schemas.xsd import XsdSource, compile_xsd

MAIN = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:include schemaLocation="types/size.xsd"/>
<xs:element name="dog" type="size"/></xs:schema>"""
SIZE = b"""<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:simpleType name="size">
<xs:restriction base="xs:int"/></xs:simpleType></xs:schema>"""


@pytest.mark.parametrize("taken", ["main.xsd", "types/size.xsd", "types", ""])
def test_a_schema_still_compiles_when_files_were_taken_out_of_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, taken: str
) -> None:
    # Given a schema that was compiled once
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    source = XsdSource(f"cleaned: {taken}", "main.xsd", {"main.xsd": MAIN, "types/size.xsd": SIZE})
    compile_xsd(source)
    (folder,) = tmp_path.iterdir()

    # When its files, or all of them, are gone
    gone = sorted((folder / taken).rglob("*"), reverse=True) if (folder / taken).is_dir() else []
    for path in [*gone, folder / taken]:
        path.rmdir() if path.is_dir() else path.unlink()

    # Then the next thread can compile it
    assert compile_xsd(source) is not None

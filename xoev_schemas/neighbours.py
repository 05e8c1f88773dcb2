"""Installed schemas to which the import of another standard may lead, by their target namespace."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote

from xoev_schemas.candidates import is_made
from xoev_schemas.standards import Standard
from xoev_schemas.xsd import parse_schema

_PREFIX = "installed"


class InstalledNeighbours:
    """See `xsd_files.Neighbours`. A standard whose own namespace it is comes before those that only carry the file."""

    def __init__(self, folder: Path, standards: Sequence[Standard]) -> None:
        self._folder = folder.resolve()
        self._standards = {standard.folder: standard for standard in standards}

    def with_namespace(self, namespace: str) -> Path | None:
        owners_first = sorted(
            self._standards.values(), key=lambda s: (namespace not in s.schema_uris, s.variant, s.ref)
        )
        for standard in owners_first:
            for name in sorted(standard.files):
                path = self._folder / standard.folder / name
                if name.endswith(".xsd") and not is_made(name) and _has_namespace(path, namespace):
                    return path
        return None

    def target(self, file: Path, location: str) -> Path | None:
        standard = self._standards[file.relative_to(self._folder).parts[0]]
        if location in standard.catalog:
            return self._folder / standard.folder / standard.catalog[location]
        path = Path(os.path.normpath(file.parent / unquote(location)))
        return path if path.is_relative_to(self._folder / standard.folder) and path.is_file() else None

    def name(self, file: Path) -> str | None:
        return f"{_PREFIX}/{file.relative_to(self._folder).as_posix()}" if file.is_relative_to(self._folder) else None


def _has_namespace(path: Path, namespace: str) -> bool:
    data = path.read_bytes()
    return namespace.encode() in data and parse_schema(data).get("targetNamespace") == namespace

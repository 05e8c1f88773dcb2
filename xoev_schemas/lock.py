"""`schemas.lock`: the installed standards and code lists, with a digest of every file. JSON in a stable order."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from xoev_schemas.standards import InstalledList, Schema, Standard

LOCK_NAME = "schemas.lock"
_FORMAT = 2
_READABLE = (1, 2)  # 1 had neither code lists nor Schematron


class RegistryDamaged(Exception):
    """The registry's folder is not what its lock file says: a file is missing, changed, or the lock is unreadable."""


@dataclass(frozen=True)
class Installed:
    """standards: by ref. lists: by (URI, version). Replaced as a whole by an import, never changed."""

    standards: Mapping[str, Standard] = field(default_factory=dict)
    lists: Mapping[tuple[str, str], InstalledList] = field(default_factory=dict)


def read_lock(folder: Path) -> Installed:
    """What is installed; nothing where nothing was ever imported. Raises RegistryDamaged."""
    path = folder / LOCK_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return Installed()
    except ValueError as error:
        raise RegistryDamaged(f"{path} is not readable as JSON; restore it or import the standards again") from error
    if not isinstance(content, dict) or content.get("format") not in _READABLE:
        raise RegistryDamaged(
            f"{path} has another format than {_FORMAT}; it was written by another version of this program"
        )
    try:
        standards = {ref: _standard(ref, entry) for ref, entry in content["standards"].items()}
        lists = [InstalledList(**entry) for entry in content.get("code_lists", ())]
    except (KeyError, TypeError, AttributeError) as error:
        raise RegistryDamaged(f"{path} lacks an entry; restore it or import the standards again") from error
    return Installed(standards, {(one.uri, one.version): one for one in lists})


def write_lock(folder: Path, installed: Installed) -> None:
    """Replace the lock file in one step, so that a reader sees the old one or the new one."""
    content = {
        "format": _FORMAT,
        "standards": {ref: _entry(installed.standards[ref]) for ref in sorted(installed.standards)},
        "code_lists": [asdict(installed.lists[key]) for key in sorted(installed.lists)],
    }
    fresh = folder / f".{LOCK_NAME}.new"
    with fresh.open("w", encoding="utf-8") as file:
        json.dump(content, file, ensure_ascii=False, indent=1, sort_keys=True)
        file.write("\n")
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / LOCK_NAME)


def _entry(standard: Standard) -> dict[str, Any]:
    return {
        "title": standard.title,
        "version": standard.version,
        "publisher": standard.publisher,
        "schema_uris": standard.schema_uris,
        "messages": standard.messages,
        "folder": standard.folder,
        "schemas": [{"kind": s.kind, "entry": s.entry, "messages": s.messages} for s in standard.schemas],
        "catalog": dict(standard.catalog),
        "files": dict(standard.files),
        "variant": standard.variant,
        "licences": list(standard.licences),
        "schematron": list(standard.schematron),
        "xdf": standard.xdf,
    }


def _standard(ref: str, entry: dict[str, Any]) -> Standard:
    schemas = [
        Schema(kind=s["kind"], entry=s["entry"], messages=tuple((ns, name) for ns, name in s["messages"]))
        for s in entry["schemas"]
    ]
    return Standard(**{**entry, "ref": ref, "schemas": schemas})

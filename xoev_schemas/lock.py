"""`schemas.lock`: which standards are installed and the digest of every file. JSON, stable order, made for diffs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from xoev_schemas.standards import Schema, Standard

LOCK_NAME = "schemas.lock"
_FORMAT = 1


class RegistryDamaged(Exception):
    """The registry's folder is not what its lock file says: a file is missing, changed, or the lock is unreadable."""


def read_lock(folder: Path) -> dict[str, Standard]:
    """The installed standards by ref; empty where nothing was ever imported. Raises RegistryDamaged."""
    path = folder / LOCK_NAME
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise RegistryDamaged(f"{path} is not readable as JSON; restore it or import the standards again") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise RegistryDamaged(
            f"{path} has another format than {_FORMAT}; it was written by another version of this program"
        )
    try:
        return {ref: _standard(ref, entry) for ref, entry in content["standards"].items()}
    except (KeyError, TypeError, AttributeError) as error:
        raise RegistryDamaged(f"{path} lacks an entry; restore it or import the standards again") from error


def write_lock(folder: Path, standards: Iterable[Standard]) -> None:
    """Replace the lock file in one step, so that a reader sees the old one or the new one."""
    content = {"format": _FORMAT, "standards": {s.ref: _entry(s) for s in sorted(standards, key=lambda s: s.ref)}}
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
    }


def _standard(ref: str, entry: dict[str, Any]) -> Standard:
    schemas = [
        Schema(kind=s["kind"], entry=s["entry"], messages=tuple((ns, name) for ns, name in s["messages"]))
        for s in entry["schemas"]
    ]
    return Standard(**{**entry, "ref": ref, "schemas": schemas})

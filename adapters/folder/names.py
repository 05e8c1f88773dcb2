"""Names in a target's folder: safe ones for what we write, patterns for what the department makes of it.

A path is a tuple of names relative to the target's folder, so nothing can lead out of it: no name is empty, `.`, `..`
or holds a separator, and places never follow links.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from fnmatch import fnmatchcase
from typing import Annotated

from pydantic import AfterValidator

from adapters.base import RequestAttachment
from adapters.folder.place import Names, Place

REQUEST = "request"
MANIFEST = "manifest.json"
READY = ".ready"
"""Lies in a folder that was not handed over yet, where the department waits for a ready-file: it becomes that file."""
PART = ".ozg-part"
"""Below it folders are written before they are moved to their place."""

_KEY = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,99}")
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]+")
_LENGTH = 100
"""Characters of a file's name: with the id before it far below every file system's 255 bytes."""
_SPELT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "Ä": "Ae", "Ö": "Oe", "Ü": "Ue", "ß": "ss"})


def is_key(key: str) -> bool:
    """Whether a delivery's key can be the name of a folder on every file system."""
    return _KEY.fullmatch(key) is not None


def file_names(attachments: Sequence[RequestAttachment]) -> list[str]:
    """`ID-NAME` for each, in ASCII, different also where upper and lower case are one (Windows shares)."""
    found: list[str] = []
    taken: set[str] = set()
    for attachment in attachments:
        name = f"{_clean(attachment.attachment_id)[:_LENGTH] or 'attachment'}-{_shortened(_clean(attachment.filename))}"
        number = 1
        unique = name
        while unique.casefold() in taken:
            number += 1
            unique = f"{number}-{name}"
        taken.add(unique.casefold())
        found.append(unique)
    return found


def _clean(name: str) -> str:
    """Only letters, digits, `.`, `_` and `-`; neither hidden nor with a dot at the end, which Windows takes away."""
    spelt = unicodedata.normalize("NFC", name).translate(_SPELT)
    ascii_only = unicodedata.normalize("NFKD", spelt).encode("ascii", "ignore").decode()
    return _UNSAFE.sub("_", ascii_only).strip("._-")


def _shortened(name: str) -> str:
    """At most `_LENGTH` characters; the ending stays, because programs go by it."""
    stem, dot, ending = name.rpartition(".")
    if not dot or len(ending) > 10:
        return name[:_LENGTH] or "file"
    return f"{stem[: _LENGTH - len(ending) - 1]}.{ending}"


def _is_pattern(value: str) -> str:
    parts = value.split("/")
    if "{key}" not in value:
        raise ValueError("a pattern names the key: erledigt/{key}")
    if any(part in ("", ".", "..", "**") or "\\" in part for part in parts):
        raise ValueError("a pattern is relative to the target's folder, without '..', '**' and empty names")
    return value


PathPattern = Annotated[str, AfterValidator(_is_pattern)]
"""`erledigt/{key}`, `archiv/*/{key}*`: names joined by `/`, in each `*`, `?` and `[…]` as in a shell."""


def matches(place: Place, pattern: str, key: str) -> Iterator[Names]:
    """Files and folders that a pattern means for this key (see `is_key`); links are neither followed nor found."""
    yield from _matches(place, (), pattern.replace("{key}", key).split("/"))


def _matches(place: Place, here: Names, parts: list[str]) -> Iterator[Names]:
    # Archives are large: a folder is only listed where its names are not known.
    known = not set("*?[") & set(parts[0])
    entries = {parts[0]: place.kind((*here, parts[0]))} if known else place.entries(here)
    for name, kind in sorted(entries.items()):
        if not known and not fnmatchcase(name, parts[0]):
            continue
        if len(parts) == 1 and kind in ("file", "folder"):
            yield (*here, name)
        elif len(parts) > 1 and kind == "folder":
            yield from _matches(place, (*here, name), parts[1:])

"""What an import found, before it is installed; and how a standard's files are compiled."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import PurePosixPath

from xoev_schemas.findings import Finding, Text
from xoev_schemas.json_schema import CompiledJsonSchema, with_anchored_patterns, with_dates
from xoev_schemas.sources import import_finding
from xoev_schemas.standards import InstalledList, Schema, Standard
from xoev_schemas.xsd import NotCompiled, XsdSource, compile_xsd

MADE = "made-"
"""Begins the names of schemas that were made here from a FIM schema's XDatenfelder file."""


@dataclass(frozen=True)
class Candidate:
    """A standard found in a source, with its bytes, compiled once and so known to work.

    origin: path of the folder it came from, relative to the source's top; empty for the top itself.
    """

    standard: Standard
    contents: Mapping[str, bytes] = field(repr=False)
    origin: str = ""


@dataclass(frozen=True)
class FoundList:
    """A code list found in a source. codes: its keys, to compare two files that say they are the same list."""

    entry: InstalledList
    data: bytes = field(repr=False)
    codes: frozenset[str] = field(repr=False)


@dataclass(frozen=True)
class Found:
    """Everything in a source. notes: warnings, about what was found and will not be used."""

    candidates: list[Candidate]
    lists: list[FoundList]
    notes: list[Finding]


def compiles(candidate: Candidate, problems: list[Finding]) -> bool:
    """False, with a finding per fault, where one of its schemas does not compile."""
    standard = candidate.standard
    for schema in standard.schemas:
        try:
            if schema.kind == "json":
                json_of(standard, schema, candidate.contents[schema.entry])
            else:
                compile_xsd(xsd_of(standard, schema, candidate.contents))
        except NotCompiled as error:
            problems.extend(does_not_compile(standard.ref, file, reason) for file, reason in error.problems)
            return False
    return True


def in_file(file: str, findings: Iterable[Finding]) -> list[Finding]:
    """Findings about the content of a file, with its name before their place."""
    return [replace(finding, path=f"{file} {finding.path}".strip()) for finding in findings]


def does_not_compile(ref: str, file: str, reason: str) -> Finding:
    return import_finding(
        "schemas.not_compiled",
        file or ref,
        Text(f"{ref} lässt sich nicht übersetzen: {reason}", f"{ref} does not compile: {reason}"),
        Text(
            "Holen Sie die Dateien noch einmal vom Herausgeber und melden Sie ihm den Fehler, wenn er bleibt.",
            "Get the files again from their publisher, and tell the publisher if the fault stays.",
        ),
    )


def xsd_of(standard: Standard, schema: Schema, contents: Mapping[str, bytes]) -> XsdSource:
    """What is compiled for a schema of a standard; the cache key is the digest of everything that goes in."""
    key = sha256(json.dumps([schema.entry, standard.is_fim, sorted(standard.files.items())]).encode()).hexdigest()
    return XsdSource(key, schema.entry, contents, standard.catalog, strip_anchors=standard.is_fim)


def json_of(standard: Standard, schema: Schema, data: bytes) -> CompiledJsonSchema:
    """Raises NotCompiled."""
    value = json.loads(data)
    if standard.is_fim:
        value = with_dates(with_anchored_patterns(value))
    return CompiledJsonSchema(value, f"{standard.ref} {schema.entry}")


def digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {path: sha256(data).hexdigest() for path, data in sorted(contents.items())}


def is_made(path: str) -> bool:
    """Whether a file of a standard was made here rather than published: drivers, and schemas made from XDatenfelder."""
    return PurePosixPath(path).name.startswith((MADE, "driver"))


def safe_name(text: str) -> str:
    """A file or folder name for a ref or URN: `xoev:xbau/2.6` → `xoev-xbau-2.6`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).strip("-.")[:120]

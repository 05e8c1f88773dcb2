"""FIM schemas found in a source: XSD and JSON Schema in two forms of naming, as published, and XDatenfelder files, from
which all four are made here.

A published form decides where there is one; what was made from the XDatenfelder fills the places of those that are not.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from lxml import etree

from xoev_schemas.candidates import MADE, Candidate, compiles, digests, in_file, safe_name
from xoev_schemas.documents import Unreadable, parse_json
from xoev_schemas.fim import NotAnXdf, read_xdf
from xoev_schemas.fim.json_form import to_json_schema
from xoev_schemas.fim.xsd_form import to_xsd
from xoev_schemas.findings import Finding
from xoev_schemas.sources import Source
from xoev_schemas.standards import Schema, Standard, fim_id
from xoev_schemas.xsd_files import XsdFile

XDF = "xdatenfelder.xml"
_VERSIONED_NAME = re.compile(r"V\d+\.\d+")
_XFALL = "urn:fim-de:xfall:"
_XDF = re.compile(r"urn:xoev-de:fim:standard:xdatenfelder_")
_XSD = "xsd"


def fim_root(file: XsdFile) -> str | None:
    """The element that carries the FIM id, in a schema derived from a Stammdatenschema."""
    if not file.namespace.startswith(_XFALL):
        return None
    return next((name for name in file.elements if fim_id(name) == name), None)


def fim_xsd(file: XsdFile, problems: list[Finding]) -> Candidate | None:
    """None for an XSD that is not FIM's, or, with findings, for one that does not compile."""
    root = fim_root(file)
    if root is None:
        return None
    title = (file.root_documentation.get(root) or root).removeprefix("Datenschema:").strip()
    schema, uris = _xsd_schema(root, file.namespace)
    candidate = _candidate(root, title, [schema], {schema.entry: file.data}, uris)
    return candidate if compiles(candidate, problems) else None


def fim_json(path: Path, source: Source, problems: list[Finding]) -> Candidate | None:
    """None for JSON files that are no schema, or no FIM schema: collections hold many others."""
    try:
        value = parse_json(path.read_bytes()).value
    except Unreadable as error:
        if path.name.endswith(".schema.json"):
            problems.extend(replace(finding, path=source.name(path)) for finding in error.findings)
        return None
    if not isinstance(value, dict) or "json-schema.org" not in str(value.get("$schema")):
        return None
    root = fim_id(str(value.get("$id", ""))) or fim_id(path.name)
    if root is None:
        return None
    versioned = any(_VERSIONED_NAME.search(name) for name in value.get("properties", {}))
    schema = Schema("json", _entry("schema.json", versioned=versioned), (("", root),))
    candidate = _candidate(root, str(value.get("title", root)), [schema], {schema.entry: path.read_bytes()}, [])
    return candidate if compiles(candidate, problems) else None


def xdf_standard(path: Path, root: etree.QName, source: Source, problems: list[Finding]) -> Candidate | None:
    """A standard from a Stammdatenschema (XDatenfelder 2 or 3). None for other XML; for a bad one, with findings."""
    if not _XDF.match(root.namespace or ""):
        return None
    data = path.read_bytes()
    try:
        model = read_xdf(data)
    except NotAnXdf as error:
        problems.extend(in_file(source.name(path), error.findings))
        return None
    contents, schemas, uris = {XDF: data}, list[Schema](), list[str]()
    name = f"{model.id}V{model.version}"
    for versioned in (False, True):
        xsd = to_xsd(model, versioned_names=versioned)
        schema, more = _xsd_schema(name, str(etree.fromstring(xsd).get("targetNamespace")))
        schemas.append(replace(schema, entry=MADE + schema.entry))
        contents[schemas[-1].entry], uris = xsd, uris + more
        schemas.append(Schema("json", MADE + _entry("schema.json", versioned=versioned), (("", name),)))
        made = json.dumps(to_json_schema(model, versioned_names=versioned), ensure_ascii=False, indent=1)
        contents[schemas[-1].entry] = made.encode()
    candidate = _candidate(name, model.title, schemas, contents, uris, xdf=XDF)
    return candidate if compiles(candidate, problems) else None


def merged_forms(known: Sequence[Schema], new: Sequence[Schema]) -> list[Schema]:
    """All forms of one FIM schema; a made one only where the same is not published."""
    forms = {schema.entry: schema for schema in [*known, *new]}
    made = {entry for entry in forms if entry.startswith(MADE) and entry.removeprefix(MADE) in forms}
    return [forms[entry] for entry in sorted(forms.keys() - made)]


def _xsd_schema(root: str, namespace: str) -> tuple[Schema, list[str]]:
    """Names with versions live in one namespace for all schemas, names without in one of their own."""
    versioned = root not in namespace
    schema = Schema("xsd", _entry(_XSD, versioned=versioned), ((namespace, root),))
    return schema, [] if versioned else [namespace]


def _entry(ending: str, *, versioned: bool) -> str:
    return f"{'versioned' if versioned else 'plain'}.{ending}"


def _candidate(
    root: str,
    title: str,
    schemas: Sequence[Schema],
    contents: dict[str, bytes],
    uris: list[str],
    xdf: str | None = None,
) -> Candidate:
    identifier, _, version = root.partition("V")
    published = f"https://schema.fitko.de/fim/{identifier.lower()}_{version}.schema.json"
    standard = Standard(
        ref=f"fim:{root}",
        title=title,
        version=version,
        publisher=None,
        schema_uris=[*uris, published],
        messages=[root],
        files=digests(contents),
        folder=safe_name(f"fim:{root}"),
        schemas=schemas,
        xdf=xdf,
    )
    return Candidate(standard, contents)

"""From files to standards: which standard a schema belongs to, which files it needs, and whether it compiles.

XÖV (NDR-30 to 32): a folder of XSD files that say in their `appinfo` what they belong to. There need not be a root
schema, so one is made for each namespace (`driver-N.xsd`) and one that imports those, needed namespaces first: libxml2
loads only the first file that is imported for a namespace. FIM: one XSD or JSON Schema per Stammdatenschema, in two
forms of naming.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from hashlib import sha256
from pathlib import Path
from xml.sax.saxutils import quoteattr

from xoev_schemas.documents import Unreadable, parse_json
from xoev_schemas.findings import Finding, Text
from xoev_schemas.json_schema import CompiledJsonSchema, with_anchored_patterns
from xoev_schemas.sources import Source, import_finding
from xoev_schemas.standards import ImportRefused, Schema, Standard, fim_id
from xoev_schemas.xsd import NotCompiled, XsdSource, compile_xsd
from xoev_schemas.xsd_files import XsdFile, XsdFiles

_DRIVER = "driver.xsd"
_NUMBERED = re.compile(r"\.\d{4,}$")  # NDR-16: a message's name ends with its number
_VERSIONED_NAME = re.compile(r"V\d+\.\d+")
_FIM_XFALL = "urn:fim-de:xfall:"


@dataclass(frozen=True)
class Candidate:
    """A standard found in a source, with its bytes, compiled once and so known to work. origin: folder it came from."""

    standard: Standard
    contents: Mapping[str, bytes] = field(repr=False)
    origin: str = ""


def discover(source: Source) -> list[Candidate]:
    """Every standard in a source. Raises ImportRefused with all that is wrong, or if there is none."""
    problems: list[Finding] = []
    files = XsdFiles(source)
    xsds = [file for path in source.paths if path.suffix == ".xsd" and (file := files.read(path, problems))]
    found = [candidate for file in xsds if (candidate := _fim_xsd(file))]
    fim_paths = {file.path for file in xsds if _fim_root(file)}
    for group in _groups([file for file in xsds if file.path not in fim_paths], single=len(source.paths) == 1):
        if candidate := _xsd_standard(group, files, problems):
            found.append(candidate)
    for path in source.paths:
        if path.suffix == ".json" and (candidate := _fim_json(path, source, problems)):
            found.append(candidate)
    if not found and not problems:
        problems.append(_nothing_found(source))
    if problems:
        raise ImportRefused(problems)
    return found


def _nothing_found(source: Source) -> Finding:
    return import_finding(
        "schemas.nothing_found",
        "",
        Text(
            "Hier ist kein Schema, das sich einem XÖV-Standard oder einer FIM-Kennung zuordnen lässt.",
            "There is no schema here that belongs to an XÖV standard or carries a FIM id.",
        ),
        Text(
            f"{len(source.paths)} Dateien wurden angesehen. Geben Sie den Ordner mit den XSD-Dateien des Standards an.",
            f"{len(source.paths)} files were looked at. Name the folder that holds the XSD files of the standard.",
        ),
    )


# --- XÖV and other XSD ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """The files of one folder that belong to one standard in one version (empty names: no metadata)."""

    files: list[XsdFile]

    @property
    def head(self) -> XsdFile:
        return self.files[0]

    @property
    def namespaces(self) -> set[str]:
        return {file.namespace for file in self.files}


def _groups(files: Iterable[XsdFile], *, single: bool) -> list[_Group]:
    """The standards that files belong to. Files without metadata are components, unless one of them was named alone.

    A module that another standard in the same folder imports (XBau's Kernmodul) is a part of that one there.
    """
    by_key: dict[tuple[Path, str, str], list[XsdFile]] = {}
    for file in files:
        if file.urn or single:
            by_key.setdefault((file.path.parent, file.urn or file.namespace, file.version), []).append(file)
    groups = [_Group(members) for members in by_key.values()]
    return [group for group in groups if not any(_imports(other, group) for other in groups if other is not group)]


def _imports(one: _Group, other: _Group) -> bool:
    together = one.head.path.parent == other.head.path.parent
    return together and any(file.imported_namespaces & other.namespaces for file in one.files)


def _xsd_standard(group: _Group, files: XsdFiles, problems: list[Finding]) -> Candidate | None:
    """None: a group of mere components, or a problem was noted."""
    before = len(problems)
    beside = files.in_folder(group.head.path.parent)
    starts = [file for file in beside if file.namespace in group.namespaces]
    closure = files.closure(starts, problems)
    own = _messages(group, closure)
    if len(problems) > before or not own:
        return None
    candidate = _assembled(group, closure, own, files)
    return candidate if _compiles(candidate, problems) else None


def _messages(group: _Group, closure: list[XsdFile]) -> list[tuple[str, str]]:
    """Global elements of the standard itself, and numbered messages of the modules that it draws in."""
    return sorted(
        {
            (file.namespace, name)
            for file in closure
            for name in file.elements
            if file.namespace in group.namespaces or (file.urn and _NUMBERED.search(name))
        }
    )


def _assembled(group: _Group, closure: list[XsdFile], messages: list[tuple[str, str]], files: XsdFiles) -> Candidate:
    base = Path(os.path.commonpath([file.path.parent for file in closure]))
    contents = {file.path.relative_to(base).as_posix(): file.data for file in closure}
    catalog = {
        url: path.relative_to(base).as_posix()
        for url, path in files.used_urls(closure).items()
        if path.is_relative_to(base)
    }
    contents |= _drivers(closure, base)
    head = next((file for file in group.files if file.title), group.head)
    ref = f"xoev:{head.short_name}/{head.version}" if head.urn else f"xsd:{head.namespace}"
    uris = sorted(group.namespaces) + ([f"{head.urn}_{head.version}"] if head.urn else [])
    standard = Standard(
        ref=ref,
        title=head.title or head.namespace,
        version=head.version,
        publisher=head.urn.split(":")[2] if head.urn.count(":") > 2 else None,
        schema_uris=uris,
        messages=sorted({name for _namespace, name in messages}),
        files=digests(contents),
        folder=folder_name(ref),
        schemas=[Schema("xsd", _DRIVER, tuple(messages))],
        catalog=catalog,
    )
    return Candidate(standard, contents, group.head.path.parent.name)


def _drivers(closure: list[XsdFile], base: Path) -> dict[str, bytes]:
    """One schema per namespace that includes its files, and one that imports those, needed namespaces first."""
    drivers: dict[str, bytes] = {}
    imports = []
    for number, namespace in enumerate(_needed_first(closure), start=1):
        # A collection may hold a component twice, here and where a catalog points: by one name, one of them is enough.
        members = {file.path.name: file for file in reversed(closure) if file.namespace == namespace}
        locations = sorted(file.path.relative_to(base).as_posix() for file in members.values())
        includes = "".join(f"<xs:include schemaLocation={quoteattr(location)}/>" for location in locations)
        target = f"targetNamespace={quoteattr(namespace)}" if namespace else ""
        drivers[f"driver-{number}.xsd"] = _schema(includes, target)
        attribute = f"namespace={quoteattr(namespace)} " if namespace else ""
        imports.append(f'<xs:import {attribute}schemaLocation="driver-{number}.xsd"/>')
    drivers[_DRIVER] = _schema("".join(imports), 'targetNamespace="urn:driver"')
    return drivers


def _schema(content: str, attributes: str) -> bytes:
    return f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {attributes}>{content}</xs:schema>\n'.encode()


def _needed_first(closure: list[XsdFile]) -> list[str]:
    """Namespaces in an order in which each comes after those it imports, as far as there is no circle."""
    needs: dict[str, set[str]] = {}
    for file in closure:
        needs.setdefault(file.namespace, set()).update(file.imported_namespaces)
    order: list[str] = []
    visited: set[str] = set()

    def visit(namespace: str) -> None:
        if namespace in visited or namespace not in needs:
            return
        visited.add(namespace)
        for needed in sorted(needs[namespace]):
            visit(needed)
        order.append(namespace)

    for namespace in sorted(needs):
        visit(namespace)
    return order


def _compiles(candidate: Candidate, problems: list[Finding]) -> bool:
    standard = candidate.standard
    for schema in standard.schemas:
        try:
            if schema.kind == "json":
                json_of(standard, schema, candidate.contents[schema.entry])
            else:
                compile_xsd(xsd_of(standard, schema, candidate.contents))
        except NotCompiled as error:
            problems.extend(_does_not_compile(standard.ref, file, reason) for file, reason in error.problems)
            return False
    return True


def _does_not_compile(ref: str, file: str, reason: str) -> Finding:
    return import_finding(
        "schemas.not_compiled",
        file or ref,
        Text(f"{ref} lässt sich nicht übersetzen: {reason}", f"{ref} does not compile: {reason}"),
        Text(
            "Ergänzen Sie die fehlende Datei oder einen XML-Katalog (catalog.xml), der ihre Adresse auf sie abbildet.",
            "Add the missing file, or an XML catalog (catalog.xml) that maps its address to a file.",
        ),
    )


# --- FIM -----------------------------------------------------------------------------------------------------------


def _fim_root(file: XsdFile) -> str | None:
    """The element that carries the FIM id, in a schema derived from a Stammdatenschema."""
    if not file.namespace.startswith(_FIM_XFALL):
        return None
    return next((name for name in file.elements if fim_id(name) == name), None)


def _fim_xsd(file: XsdFile) -> Candidate | None:
    root = _fim_root(file)
    if root is None:
        return None
    # Names with versions live in one namespace for all schemas, names without in one of their own.
    versioned = root not in file.namespace
    entry = "versioned.xsd" if versioned else "plain.xsd"
    uris = [] if versioned else [file.namespace]
    schema = Schema("xsd", entry, ((file.namespace, root),))
    title = (file.root_documentation.get(root) or root).removeprefix("Datenschema:").strip()
    return _fim_candidate(root, title, schema, file.data, uris, file.path.parent.name)


def _fim_json(path: Path, source: Source, problems: list[Finding]) -> Candidate | None:
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
    entry = "versioned.schema.json" if versioned else "plain.schema.json"
    candidate = _fim_candidate(
        root,
        str(value.get("title", root)),
        Schema("json", entry, (("", root),)),
        path.read_bytes(),
        [],
        path.parent.name,
    )
    return candidate if _compiles(candidate, problems) else None


def _fim_candidate(root: str, title: str, schema: Schema, data: bytes, uris: list[str], origin: str) -> Candidate:
    identifier, _, version = root.partition("V")
    contents = {schema.entry: data}
    published = f"https://schema.fitko.de/fim/{identifier.lower()}_{version}.schema.json"
    standard = Standard(
        ref=f"fim:{root}",
        title=title,
        version=version,
        publisher=None,
        schema_uris=[*uris, published],
        messages=[root],
        files=digests(contents),
        folder=folder_name(f"fim:{root}"),
        schemas=[schema],
    )
    return Candidate(standard, contents, origin)


# --- shared with the registry --------------------------------------------------------------------------------------


def xsd_of(standard: Standard, schema: Schema, contents: Mapping[str, bytes]) -> XsdSource:
    """What is compiled for a schema of a standard; the cache key is the digest of everything that goes in."""
    key = sha256(json.dumps([schema.entry, standard.is_fim, sorted(standard.files.items())]).encode()).hexdigest()
    return XsdSource(key, schema.entry, contents, standard.catalog, strip_anchors=standard.is_fim)


def json_of(standard: Standard, schema: Schema, data: bytes) -> CompiledJsonSchema:
    """Raises NotCompiled."""
    value = json.loads(data)
    return CompiledJsonSchema(
        with_anchored_patterns(value) if standard.is_fim else value, f"{standard.ref} {schema.entry}"
    )


def digests(contents: Mapping[str, bytes]) -> dict[str, str]:
    return {path: sha256(data).hexdigest() for path, data in sorted(contents.items())}


def folder_name(ref: str) -> str:
    """A folder for a standard: `xoev:xbau/2.6` → `xoev-xbau-2.6`."""
    return re.sub(r"[^A-Za-z0-9._-]+", "-", ref).strip("-.")[:120]

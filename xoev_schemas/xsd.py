"""Compile and run XML Schemas with lxml, without ever touching the network.

A schema is compiled from files of our own in a temporary folder, in which every include and import leads to a file
beside it. Answering them from memory by a resolver is not safe with threads: libxml2 has one loader for the whole
process, lxml exchanges it while it parses, and a compilation that runs beside a parse in another thread now and then
loses its imports without an error; the schema then refuses valid messages for ever.

libxml2 keeps the errors of a validation in the schema object: shared between threads, a document is answered with the
errors, and so the values, of another citizen's. Each thread therefore compiles its own copy (XBau 2.6: 40 ms, 8 MiB).
"""

from __future__ import annotations

import posixpath
import re
import tempfile
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast
from urllib.parse import unquote

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
_REFERENCES = (f"{XS}import", f"{XS}include", f"{XS}redefine")


class NotCompiled(Exception):
    """A schema does not compile. `problems`: (file or empty, sentence in English from the compiler)."""

    def __init__(self, problems: list[tuple[str, str]]) -> None:
        self.problems = problems
        super().__init__("; ".join(f"{file}: {problem}" if file else problem for file, problem in problems))


@dataclass(frozen=True)
class XsdSource:
    """The bytes of a standard's XSD files and where to start.

    key: identifies the content (digest), for caches. files: relative path → bytes. catalog: published URL → path.
    strip_anchors: take `^` and `$` off the ends of patterns, which the FIM generator writes although they are literals
    in XSD (reference: XML Schema Part 2, F.1).
    """

    key: str
    entry: str
    files: Mapping[str, bytes]
    catalog: Mapping[str, str] = field(default_factory=dict)
    strip_anchors: bool = False


def parse_schema(data: bytes) -> etree._Element:
    """Read a schema document. Unlike a message it may have a DOCTYPE (xmldsig has), whose own entities are expanded.

    Raises etree.XMLSyntaxError.
    """
    internal: Any = "internal"  # the stubs know booleans only
    parser = etree.XMLParser(resolve_entities=internal, no_network=True, load_dtd=False, huge_tree=False)
    return etree.fromstring(data, parser)


def compile_xsd(source: XsdSource) -> etree.XMLSchema:
    """Raises NotCompiled. An import that leads nowhere is an error here, though libxml2 only warns.

    While it validates, the schema writes attributes that it fixes or defaults into the tree: XÖV leaves `listURI` and
    `listVersionID` out of the message where the schema fixes them, and the code lists are looked up by them. Verdicts
    are the same; a tree that has been judged is no longer exactly what was sent.
    """
    folder = _laid_out(source)
    make: Any = etree.XMLSchema  # the stubs do not know attribute_defaults
    try:
        return cast("etree.XMLSchema", make(file=str(folder / source.entry), attribute_defaults=True))
    except etree.LxmlError as error:
        raise NotCompiled(_problems(error, folder, source.files)) from None


class _Compiled(threading.local):
    def __init__(self) -> None:
        self.schemas: dict[str, etree.XMLSchema] = {}


_compiled = _Compiled()


def compiled_for_this_thread(source: XsdSource) -> etree.XMLSchema:
    """The thread's own compiled copy; made at the first use."""
    schemas = _compiled.schemas
    if source.key not in schemas:
        schemas[source.key] = compile_xsd(source)
    return schemas[source.key]


@dataclass(frozen=True, slots=True)
class _LaidOut:
    files: Mapping[str, bytes]
    folder: tempfile.TemporaryDirectory[str]


_laid: dict[str, _LaidOut] = {}
_laying_out = threading.Lock()


def _laid_out(source: XsdSource) -> Path:
    """The source's files in a temporary folder, made once per process and gone with it. Raises NotCompiled.

    Whatever is no longer there is written again: systems take old files out of their temporary folder, and a process
    that runs for weeks still has to compile for a new thread.
    """
    with _laying_out:
        if source.key not in _laid:
            _laid[source.key] = _LaidOut(_connected(source), tempfile.TemporaryDirectory(prefix="xsd-"))
        laid = _laid[source.key]
        for path, data in laid.files.items():
            file = Path(laid.folder.name, path)
            if not file.exists():
                file.parent.mkdir(parents=True, exist_ok=True)
                file.write_bytes(data)
        return Path(laid.folder.name)


def _connected(source: XsdSource) -> dict[str, bytes]:
    """The files that the entry reaches, with relative locations only. Raises NotCompiled for what is not there."""
    connected: dict[str, bytes] = {}
    problems: list[tuple[str, str]] = []
    waiting = [source.entry]
    while waiting:
        path = waiting.pop()
        if path in connected:
            continue
        if path not in source.files:
            problems.append((path, "is imported or included but not there"))
            continue
        try:
            root = parse_schema(source.files[path])
        except etree.XMLSyntaxError as error:
            problems.append((path, str(error.msg)))
            continue
        for reference in root.iter(*_REFERENCES):
            if (location := reference.get("schemaLocation")) is not None:
                found = _leads_to(source, path, location)
                reference.set("schemaLocation", posixpath.relpath(found, posixpath.dirname(path) or "."))
                waiting.append(found)
        if source.strip_anchors:
            _take_anchors_off(root)
        connected[path] = etree.tostring(root, encoding="utf-8")
    if problems:
        raise NotCompiled(sorted(set(problems)))
    return connected


def _leads_to(source: XsdSource, path: str, location: str) -> str:
    """A published URL by the catalog, anything else from the place of the file that says it."""
    if location in source.catalog:
        return source.catalog[location]
    if "://" in location:
        return location
    return posixpath.normpath(posixpath.join(posixpath.dirname(path), unquote(location)))


def _problems(error: etree.LxmlError, folder: Path, files: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """`FILE:LINE`, as the files were sent, and what is wrong there."""
    log = [entry for entry in cast(Any, error.error_log) if entry.level_name != "WARNING"]
    return [(_place(entry, folder, files), entry.message) for entry in log] or [("", str(error))]


def _place(entry: Any, folder: Path, files: Mapping[str, bytes]) -> str:
    name = unquote(entry.filename).removeprefix("file://").removeprefix(f"{folder}/")
    if name not in files:
        return name
    # What was laid out has the same elements, but not the same line breaks inside of tags.
    pairs = zip(parse_schema((folder / name).read_bytes()).iter(), parse_schema(files[name]).iter(), strict=True)
    line = next((own.sourceline for laid_out, own in pairs if laid_out.sourceline >= entry.line), None)
    return f"{name}:{line}" if line else name


def without_anchors(xsd: bytes) -> bytes:
    """A schema with `^` and `$` taken off the ends of its patterns; the file on disk stays as published."""
    root = parse_schema(xsd)
    _take_anchors_off(root)
    return etree.tostring(root, encoding="utf-8")


def _take_anchors_off(root: etree._Element) -> None:
    for pattern in root.iter(f"{XS}pattern"):
        pattern.set("value", unanchored(str(pattern.get("value", ""))))


def unanchored(pattern: str) -> str:
    """`^a$` → `a`. An escaped dollar at the end is a literal and stays."""
    pattern = pattern.removeprefix("^")
    return re.sub(r"(?<!\\)((?:\\\\)*)\$$", r"\1", pattern)

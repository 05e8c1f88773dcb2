"""Compile and run XML Schemas with lxml, from bytes in memory, without ever touching the network or the disk.

libxml2 keeps the errors of a validation in the schema object: shared between threads, a document is answered with the
errors, and so the values, of another citizen's. Each thread therefore compiles its own copy (XBau 2.6: 40 ms, 8 MiB).
"""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

from lxml import etree

XS = "{http://www.w3.org/2001/XMLSchema}"
_BASE = "standard:///"


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


def parse_schema(data: bytes, resolver: etree.Resolver | None = None, base_url: str = _BASE) -> etree._Element:
    """Read a schema document. Unlike a message it may have a DOCTYPE (xmldsig has), whose own entities are expanded.

    Raises etree.XMLSyntaxError.
    """
    internal: Any = "internal"  # the stubs know booleans only
    parser = etree.XMLParser(resolve_entities=internal, no_network=True, load_dtd=False, huge_tree=False)
    if resolver is not None:
        parser.resolvers.add(resolver)
    return etree.fromstring(data, parser, base_url=base_url)


def compile_xsd(source: XsdSource) -> etree.XMLSchema:
    """Raises NotCompiled. An import that leads nowhere is an error here, though libxml2 only warns."""
    resolver = _InMemory(source)
    try:
        root = parse_schema(resolver.content(source.entry), resolver, _BASE + source.entry)
        schema = etree.XMLSchema(root)
    except (etree.XMLSchemaParseError, etree.XMLSyntaxError) as error:
        raise NotCompiled(resolver.missing() or _problems(error)) from None
    if resolver.unresolved:
        raise NotCompiled(resolver.missing())
    return schema


_compiled = threading.local()


def compiled_for_this_thread(source: XsdSource) -> etree.XMLSchema:
    """The thread's own compiled copy; made at the first use."""
    cache: dict[str, etree.XMLSchema] = _compiled.__dict__.setdefault("schemas", {})
    if source.key not in cache:
        cache[source.key] = compile_xsd(source)
    return cache[source.key]


class _InMemory(etree.Resolver):
    """Answers every include and import from memory and notes what it could not find."""

    def __init__(self, source: XsdSource) -> None:
        super().__init__()
        self.source = source
        self.unresolved: list[str] = []

    def resolve(self, system_url: str, public_id: str, context: Any = None) -> Any:
        own = system_url.startswith(_BASE)
        path = system_url.removeprefix(_BASE) if own else self.source.catalog.get(system_url)
        if path is None or path not in self.source.files:
            self.unresolved.append(system_url.removeprefix(_BASE))
            return cast(Any, self).resolve_empty(context)  # None would let libxml2 look on the disk
        return self.resolve_string(self.content(path), context, base_url=_BASE + path)

    def content(self, path: str) -> bytes:
        data = self.source.files[path]
        return without_anchors(data) if self.source.strip_anchors else data

    def missing(self) -> list[tuple[str, str]]:
        return [(url, "is imported or included but not there") for url in sorted(set(self.unresolved))]


def _problems(error: etree.LxmlError) -> list[tuple[str, str]]:
    log = [entry for entry in cast(Any, error.error_log) if entry.level_name != "WARNING"]
    return [(entry.filename.removeprefix(_BASE), entry.message) for entry in log] or [("", str(error))]


def without_anchors(xsd: bytes) -> bytes:
    """A schema with `^` and `$` taken off the ends of its patterns; the file on disk stays as published."""
    root = parse_schema(xsd)
    for pattern in root.iter(f"{XS}pattern"):
        pattern.set("value", unanchored(str(pattern.get("value", ""))))
    return etree.tostring(root, encoding="utf-8")


def unanchored(pattern: str) -> str:
    """`^a$` → `a`. An escaped dollar at the end is a literal and stays."""
    pattern = pattern.removeprefix("^")
    return re.sub(r"(?<!\\)((?:\\\\)*)\$$", r"\1", pattern)

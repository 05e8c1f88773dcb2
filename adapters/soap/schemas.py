"""The types of a WSDL: the schemas inside it and beside it, from local files only."""

from __future__ import annotations

import tempfile
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import xmlschema
from lxml import etree

from adapters.base import FieldSpec
from adapters.xsd_fields import type_fields

XS = "{http://www.w3.org/2001/XMLSchema}"
_REFERENCES = (f"{XS}import", f"{XS}include", f"{XS}redefine")
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"
_OSCI = "http://www.osci.de/2006/07/wsdl/"


class WsdlUnusable(Exception):
    """The WSDL (or a schema it needs) cannot be read, or lacks what was asked for. The text is in English and names
    no values.
    """


class Types:
    """Two readers of the same schemas: lxml validates (fast; one at a time, because it mixes error logs otherwise),
    xmlschema answers questions about types and facets, and bears what only it finds wrong in a published schema.

    Raises WsdlUnusable, or what the libraries raise.
    """

    def __init__(self, path: Path, added: Sequence[etree._Element] = ()) -> None:
        """added: schemas that the WSDL does not have and its messages need."""
        self._validating = threading.Lock()
        with tempfile.TemporaryDirectory(prefix="wsdl-") as name:
            root = _lay_out([*inline_schemas(path), *added], Path(name))
            self._model = xmlschema.XMLSchema(str(root), allow="local", defuse="always", validation="lax")
            self._schema = etree.XMLSchema(etree.parse(str(root), parser()))

    def declares(self, name: str) -> bool:
        """Whether an element of this name can be judged. libxml2 only warns of an import that it could not load."""
        known = name in self._model.maps.elements
        return known and not any("No matching global" in error for error in self.errors(etree.Element(name)))

    def errors(self, element: etree._Element) -> list[str]:
        """What the types say against this element and everything in it; may repeat values. Empty = valid."""
        with self._validating:
            if self._schema.validate(element):
                return []
            log: Any = self._schema.error_log  # its stub lacks __iter__
        return [f"{error.path}: {error.message}" for error in log]

    def fields(self, element: str | None) -> list[FieldSpec]:
        """Every leaf and group below a global element, outermost first; `required` holds below a present parent."""
        declared = self._model.maps.elements.get(element) if element is not None else None
        return type_fields(declared.type) if declared is not None else []


def refuse_other_transports(path: Path) -> None:
    """Raises WsdlUnusable for a description of OSCI transport, which looks like a WSDL of SOAP and is none."""
    root = etree.parse(str(path), parser()).getroot()
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise WsdlUnusable(f"{path.name} has a DOCTYPE, which no WSDL needs")
    if root.find(f"{WSDL}binding/{{{_OSCI}}}binding") is not None:
        raise WsdlUnusable(
            f"{path.name} describes messages over OSCI transport, not over SOAP: reach this service over XTA, whose "
            "server speaks OSCI"
        )


def local_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme not in ("", "file"):
        raise WsdlUnusable(f"{url} is not a local file: bring a copy and correct the location in the WSDL")
    return Path(unquote(parts.path))


def parser() -> etree.XMLParser:
    return etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False, huge_tree=False)


def inline_schemas(path: Path) -> list[etree._Element]:
    """The `xs:schema` elements of a WSDL and of those it imports, their locations made absolute."""
    schemas: list[etree._Element] = []
    seen: set[Path] = set()
    for file, root in _wsdls(path, set()):
        for schema in root.iterfind(f"{WSDL}types/{XS}schema"):
            for reference in schema.iterchildren(*_REFERENCES):
                if location := reference.get("schemaLocation"):
                    target = (file.parent / local_path(location)).resolve()
                    _require_local(target, seen)
                    reference.set("schemaLocation", target.as_uri())
            schemas.append(schema)
    return schemas


def encoded_operations(path: Path) -> set[tuple[str, str]]:
    """(binding, operation) of all that use SOAP's own encoding of values, which no schema describes."""
    return {
        (binding.get("name", ""), operation.get("name", ""))
        for _, root in _wsdls(path, set())
        for binding in root.iterfind(f"{WSDL}binding")
        for operation in binding.iterfind(f"{WSDL}operation")
        if any(body.get("use") == "encoded" for body in operation.iter("{*}body"))
    }


def _wsdls(path: Path, seen: set[Path]) -> Iterator[tuple[Path, etree._Element]]:
    """A WSDL and those it imports."""
    if path in seen:
        return
    seen.add(path)
    refuse_other_transports(path)
    root = etree.parse(str(path), parser()).getroot()
    yield path, root
    for imported in root.iterfind(f"{WSDL}import"):
        yield from _wsdls((path.parent / local_path(imported.get("location", ""))).resolve(), seen)


def _require_local(path: Path, seen: set[Path]) -> None:
    """Refuse a schema file that leads to the network, however far down."""
    if path in seen:
        return
    seen.add(path)
    for reference in etree.parse(str(path), parser()).getroot().iterchildren(*_REFERENCES):
        if location := reference.get("schemaLocation"):
            _require_local((path.parent / local_path(location)).resolve(), seen)


def _lay_out(schemas: list[etree._Element], folder: Path) -> Path:
    """All schemas as files, and a root that imports every namespace.

    Both libraries take one file per namespace and silently leave out others, which some standards (StUF) rely on: what
    imports a namespace that lies in several files gets one that includes them all. As files, because a resolver that
    hands schemas over from memory hangs on a global of libxml2 that lxml exchanges at every parse: a parse in another
    thread would leave imports silently out.
    """
    copies = _Copies()
    for schema in schemas:
        copies.add(schema, f"{len(copies.written)}.xsd")
    addresses: dict[str, str] = {}
    for namespace, names in copies.entries.items():
        addresses[namespace] = names[0] if len(names) == 1 else f"all-{names[0]}"
        if len(names) > 1:
            parts = [("", part) for part in names]
            (folder / addresses[namespace]).write_bytes(_gather("include", namespace, parts))
    for name, schema in copies.written.items():
        for reference in schema.iterchildren(f"{XS}import"):
            if (address := addresses.get(reference.get("namespace", ""))) is not None:
                reference.set("schemaLocation", address)
        (folder / name).write_bytes(etree.tostring(schema))
    root = folder / "root.xsd"
    # A name of its own: a schema without one cannot import one without.
    root.write_bytes(_gather("import", "urn:all", list(addresses.items())))
    return root


class _Copies:
    """written: name → schema, its locations made names. entries: namespace → the schemas to import for it."""

    def __init__(self) -> None:
        self.written: dict[str, etree._Element] = {}
        self.entries: dict[str, list[str]] = {}
        self._names: dict[Path, str] = {}

    def add(self, schema: etree._Element, name: str, base: Path | None = None) -> None:
        """base: the file that it stands in; None: of a WSDL, with absolute locations."""
        self.written[name] = schema
        if base is None:
            self._enter(schema.get("targetNamespace", ""), name)
        for reference in schema.iterchildren(*_REFERENCES):
            if (location := reference.get("schemaLocation")) is None:
                continue
            file = local_path(location) if base is None else (base.parent / local_path(location)).resolve()
            if file not in self._names:
                self._names[file] = f"f{len(self._names)}.xsd"
                self.add(etree.parse(str(file), parser()).getroot(), self._names[file], file)
            reference.set("schemaLocation", self._names[file])
            if reference.tag == f"{XS}import":
                self._enter(reference.get("namespace", ""), self._names[file])

    def _enter(self, namespace: str, name: str) -> None:
        names = self.entries.setdefault(namespace, [])
        if name not in names:
            names.append(name)


def _gather(kind: str, target: str | None, parts: list[tuple[str, str]]) -> bytes:
    schema = etree.Element(f"{XS}schema", attrib={"targetNamespace": target} if target else {})
    for namespace, location in parts:
        attributes = {"schemaLocation": location} | ({"namespace": namespace} if namespace else {})
        etree.SubElement(schema, f"{XS}{kind}", attrib=attributes)
    return etree.tostring(schema)

"""A target's WSDL, from local files only: its operations, its types for checking messages, its fields for checking
mappings.

Three readers of one file, each for what it does best: zeep builds messages, lxml validates them (fast; one at a time,
because it mixes error logs otherwise), xmlschema answers questions about types and facets.
"""

from __future__ import annotations

import logging
import tempfile
import threading
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import xmlschema
import zeep
from lxml import etree
from zeep.wsa import WsAddressingPlugin
from zeep.wsdl import Document
from zeep.wsdl.bindings import Soap12Binding
from zeep.wsdl.bindings.soap import SoapBinding

from adapters.base import FieldSpec
from adapters.xsd_fields import type_fields

XS = "{http://www.w3.org/2001/XMLSchema}"
_REFERENCES = (f"{XS}import", f"{XS}include", f"{XS}redefine")
WSDL = "{http://schemas.xmlsoap.org/wsdl/}"

# At DEBUG it writes whole messages.
logging.getLogger("zeep").setLevel(logging.INFO)


class WsdlUnusable(Exception):
    """The WSDL (or a schema it needs) cannot be read, or lacks what was asked for. The text is in English and names
    no values.
    """


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one port. binding: `{namespace}name`.

    request, response: names of the body's element; response None = one-way.
    """

    name: str
    action: str
    binding: str
    soap12: bool
    request: str
    response: str | None

    @property
    def http_headers(self) -> dict[str, str]:
        """SOAP 1.1 §6.1.1 and SOAP 1.2 part 2 §7.1.4; servers of 1.2 that want the old header too get it."""
        media_type = f'application/soap+xml; charset=utf-8; action="{self.action}"' if self.soap12 else None
        return {"SOAPAction": f'"{self.action}"', "Content-Type": media_type or "text/xml; charset=utf-8"}


class LocalTransport(zeep.Transport):
    """Loads files and nothing else: a WSDL that imports from the network is refused instead of fetched."""

    def load(self, url: str) -> bytes:
        return _local_path(url).read_bytes()


class Wsdl:
    """Parsed once, shared by all threads. Raises WsdlUnusable from the constructor."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        self._validating = threading.Lock()
        try:
            self._model = _model(list(_inline_schemas(self._path, set())), self._path.parent)
            self._schema = _compile(list(_inline_schemas(self._path, set())))
            # Any: zeep is annotated for a class here and wants an object.
            transport: Any = LocalTransport()  # type: ignore[no-untyped-call]
            self.document = Document(
                str(self._path),
                transport,
                settings=zeep.Settings(strict=True, forbid_dtd=True, forbid_external=True, xml_huge_tree=False),
            )
            self._require_types()
        except WsdlUnusable:
            raise
        except Exception as error:  # three parsers, each with its own families of errors
            raise WsdlUnusable(f"{path.name} cannot be read: {type(error).__name__}: {error}") from error

    def operation(self, name: str, *, port: str | None = None) -> Operation:
        """The operation of this name, of the given port or of the first that has it. Raises WsdlUnusable with the
        nearest name.
        """
        seen: list[str] = []
        for port_name, binding in self._bindings():
            if port is not None and port_name != port:
                continue
            if name in binding.all():
                return _operation(name, binding, binding.get(name))
            seen.extend(binding.all())
        near = get_close_matches(name, seen, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(set(seen))) or 'none'}."
        raise WsdlUnusable(
            f"{self._path.name} has no SOAP operation {name}{f' at port {port}' if port else ''}; {hint}"
        )

    def operations(self) -> list[Operation]:
        """All usable operations of the first SOAP port."""
        for _, binding in self._bindings():
            return [_operation(name, binding, operation) for name, operation in binding.all().items()]
        return []

    def errors(self, element: etree._Element) -> list[str]:
        """What the WSDL's types say against this element and everything in it; may repeat values. Empty = valid."""
        with self._validating:
            if self._schema.validate(element):
                return []
            log: Any = self._schema.error_log  # its stub lacks __iter__
        return [f"{error.path}: {error.message}" for error in log]

    def fields(self, element: str) -> list[FieldSpec]:
        """Every leaf and group below a global element, outermost first; `required` holds below a present parent."""
        declared = self._model.maps.elements.get(element)
        return type_fields(declared.type) if declared is not None else []

    def message(self, operation: Operation, values: Mapping[str, Any], address: str) -> etree._Element:
        """An envelope that asks for this operation, with the WS-Addressing headers that the WSDL wants. values: names
        below the request's element. Raises ValueError.
        """
        port = self._operation(operation)
        envelope = _serialized(port.input, values, operation)
        if port.abstract.wsa_action:
            WsAddressingPlugin(address).egress(envelope, {}, port, {})  # type: ignore[no-untyped-call]
        return envelope

    def answer(self, operation: Operation, values: Mapping[str, Any]) -> etree._Element:
        """An envelope as a server of this WSDL answers. values: names below the answer's element. Raises ValueError."""
        return _serialized(self._operation(operation).output, values, operation)

    def _operation(self, operation: Operation) -> Any:
        return next(binding for _, binding in self._bindings() if str(binding.name) == operation.binding).get(
            operation.name
        )

    def _bindings(self) -> Iterator[tuple[str, Any]]:
        for service in self.document.services.values():
            for port in service.ports.values():
                if isinstance(port.binding, SoapBinding):
                    yield port.name, port.binding

    def _require_types(self) -> None:
        """libxml2 only warns of an import that it could not load; every message must have its element."""
        for operation in self.operations():
            for name in (operation.request, operation.response):
                if name is not None and any("No matching global" in e for e in self.errors(etree.Element(name))):
                    raise WsdlUnusable(f"{self._path.name}: the schema of {name} is missing or cannot be loaded")


def _model(schemas: list[etree._Element], folder: Path) -> Any:
    texts: list[Any] = [etree.tostring(schema, encoding="unicode") for schema in schemas]
    return xmlschema.XMLSchema(texts, allow="local", defuse="always", base_url=folder.as_uri())


def _serialized(message: Any, values: Mapping[str, Any], operation: Operation) -> etree._Element:
    try:
        envelope: etree._Element = message.serialize(**values).content
    except (zeep.exceptions.Error, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not a message of {operation.name}: {error}") from error
    return envelope


def _operation(name: str, binding: Any, operation: Any) -> Operation:
    if operation.style != "document":
        raise WsdlUnusable(f"the operation {name} is {operation.style}/…; only document/literal is supported")
    request = operation.input.body
    response = operation.output.body if operation.output is not None else None
    if request is None or not hasattr(request, "qname") or (response is not None and not hasattr(response, "qname")):
        raise WsdlUnusable(f"the messages of operation {name} have no body element")
    return Operation(
        name,
        operation.soapaction or "",
        str(binding.name),
        isinstance(binding, Soap12Binding),
        str(request.qname),
        str(response.qname) if response is not None else None,
    )


# --- The types: schemas inside the WSDL and beside it -----------------------------------------------------------------


def _local_path(url: str) -> Path:
    parts = urlsplit(url)
    if parts.scheme not in ("", "file"):
        raise WsdlUnusable(f"{url} is not a local file: bring a copy and correct the location in the WSDL")
    return Path(unquote(parts.path))


def _parser() -> etree.XMLParser:
    return etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False, huge_tree=False)


def _inline_schemas(path: Path, seen: set[Path]) -> Iterator[etree._Element]:
    """The `xs:schema` elements of a WSDL and of those it imports, their locations made absolute."""
    if path in seen:
        return
    seen.add(path)
    root = etree.parse(str(path), _parser()).getroot()
    if root.getroottree().docinfo.doctype:  # type: ignore[union-attr]
        raise WsdlUnusable(f"{path.name} has a DOCTYPE, which no WSDL needs")
    for imported in root.iterfind(f"{WSDL}import"):
        yield from _inline_schemas((path.parent / _local_path(imported.get("location", ""))).resolve(), seen)
    for schema in root.iterfind(f"{WSDL}types/{XS}schema"):
        for reference in schema.iterchildren(*_REFERENCES):
            if location := reference.get("schemaLocation"):
                file = (path.parent / _local_path(location)).resolve()
                _require_local(file, seen)
                reference.set("schemaLocation", file.as_uri())
        yield schema


def _require_local(path: Path, seen: set[Path]) -> None:
    """Refuse a schema file that leads to the network, however far down."""
    if path in seen:
        return
    seen.add(path)
    for reference in etree.parse(str(path), _parser()).getroot().iterchildren(*_REFERENCES):
        if location := reference.get("schemaLocation"):
            _require_local((path.parent / _local_path(location)).resolve(), seen)


def _compile(schemas: list[etree._Element]) -> etree.XMLSchema:
    """One schema over all inline ones: a root that imports every namespace; one that has several schemas includes them.

    The inline schemas are written to files for the moment: a resolver that hands them over from memory hangs on a
    global of libxml2 that lxml exchanges at every parse, so that a parse in another thread would leave imports
    silently out.
    """
    by_namespace: dict[str, list[str]] = {}
    for number, schema in enumerate(schemas):
        by_namespace.setdefault(schema.get("targetNamespace", ""), []).append(f"{number}.xsd")
    addresses = {
        namespace: names[0] if len(names) == 1 else f"all-{names[0]}" for namespace, names in by_namespace.items()
    }
    with tempfile.TemporaryDirectory(prefix="wsdl-") as name:
        folder = Path(name)
        for number, schema in enumerate(schemas):
            for reference in schema.iterchildren(f"{XS}import"):
                if reference.get("schemaLocation") is None and reference.get("namespace", "") in addresses:
                    reference.set("schemaLocation", addresses[reference.get("namespace", "")])
            (folder / f"{number}.xsd").write_bytes(etree.tostring(schema))
        for namespace, names in by_namespace.items():
            if len(names) > 1:
                parts = [("", part) for part in names]
                (folder / addresses[namespace]).write_bytes(_gather("include", namespace, parts))
        root = folder / "root.xsd"
        root.write_bytes(_gather("import", None, list(addresses.items())))
        return etree.XMLSchema(etree.parse(str(root), _parser()))


def _gather(kind: str, target: str | None, parts: list[tuple[str, str]]) -> bytes:
    schema = etree.Element(f"{XS}schema", attrib={"targetNamespace": target} if target else {})
    for namespace, location in parts:
        attributes = {"schemaLocation": location} | ({"namespace": namespace} if namespace else {})
        etree.SubElement(schema, f"{XS}{kind}", attrib=attributes)
    return etree.tostring(schema)

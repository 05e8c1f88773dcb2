"""A target's WSDL, from local files only: its operations, its messages, and their types (`adapters.soap.schemas`).

zeep reads the WSDL and builds messages; what it builds is judged by the types before it goes anywhere.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import Any

import zeep
from lxml import etree
from zeep.wsdl import Document
from zeep.wsdl.bindings import Soap12Binding
from zeep.wsdl.bindings.soap import SoapBinding

from adapters.base import FieldSpec
from adapters.soap.envelope import SOAP11, SOAP12
from adapters.soap.schemas import XS, Types, WsdlUnusable, encoded_operations, inline_schemas, local_path
from adapters.soap.writer import NotABoolean, NotPlain, Write, writer_of

__all__ = ["Operation", "Wsdl", "WsdlUnusable"]

# At DEBUG it writes whole messages.
logging.getLogger("zeep").setLevel(logging.INFO)


@dataclass(frozen=True, slots=True)
class Operation:
    """One operation of one port. binding: `{namespace}name`.

    request, response: names of the body's element; None = an empty body. two_way: whether an answer comes at all.
    rpc: the body's element is made for the operation, by SOAP's rules, and the WSDL's types do not have it.
    headers: name of the WSDL's part → name of its element, for every header that the request may have.
    addressing: the action in WS-Addressing, where the WSDL wants it.
    """

    name: str
    action: str
    binding: str
    soap12: bool
    request: str | None
    response: str | None
    two_way: bool = True
    rpc: bool = False
    headers: tuple[tuple[str, str], ...] = ()
    addressing: str | None = None

    @property
    def media_type(self) -> str:
        return "application/soap+xml" if self.soap12 else "text/xml"

    @property
    def http_headers(self) -> dict[str, str]:
        """SOAP 1.1 §6.1.1 and SOAP 1.2 part 2 §7.1.4; servers of 1.2 that want the old header too get it."""
        action = f'; action="{self.action}"' if self.soap12 else ""
        return {"SOAPAction": f'"{self.action}"', "Content-Type": f"{self.media_type}; charset=utf-8{action}"}


class LocalTransport(zeep.Transport):
    """Loads files and nothing else: a WSDL that imports from the network is refused instead of fetched."""

    def load(self, url: str) -> bytes:
        return local_path(url).read_bytes()


class Wsdl:
    """Parsed once, shared by all threads. Raises WsdlUnusable from the constructor."""

    def __init__(self, path: Path) -> None:
        self._path = path.resolve()
        if not path.is_file():
            beside = ", ".join(sorted(file.name for file in path.parent.glob("*.wsdl")))
            raise WsdlUnusable(f"there is no file {path.name}; there is: {beside or 'no WSDL at all'}")
        self._writers: dict[tuple[str, str], Write | None] = {}
        try:
            self._encoded = encoded_operations(self._path)
            inline_schemas(self._path)  # before zeep looks at them: here it is told what is wrong with a location
            # Any: zeep is annotated for a class here and wants an object.
            transport: Any = LocalTransport()  # type: ignore[no-untyped-call]
            self.document = Document(
                str(self._path),
                transport,
                settings=zeep.Settings(strict=True, forbid_dtd=True, forbid_external=True, xml_huge_tree=False),
            )
            self._types = Types(self._path, list(_wrappers(self._usable())))
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
                if (reason := self._unsupported(binding, name)) is not None:
                    raise WsdlUnusable(f"the operation {name} {reason}; ask for a literal binding")
                return _operation(name, binding, binding.get(name))
            seen.extend(binding.all())
        if not seen and port is None:
            raise WsdlUnusable(
                f"{self._path.name} has no port that speaks SOAP; where a WSDL is split, name the file with the service"
            )
        near = get_close_matches(name, seen, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are: {', '.join(sorted(set(seen))) or 'none'}."
        raise WsdlUnusable(
            f"{self._path.name} has no SOAP operation {name}{f' at port {port}' if port else ''}; {hint}"
        )

    def errors(self, element: etree._Element) -> list[str]:
        """What the WSDL's types say against this element and everything in it; may repeat values. Empty = valid."""
        return self._types.errors(element)

    def declares(self, name: str) -> bool:
        """Whether the types have an element of this name."""
        return self._types.declares(name)

    def fields(self, element: str | None) -> list[FieldSpec]:
        """Every leaf and group below an element of a body or header; `required` holds below a present parent."""
        return self._types.fields(element)

    def message(
        self, operation: Operation, values: Mapping[str, Any], headers: Mapping[str, Any] | None = None
    ) -> etree._Element:
        """An envelope that asks for this operation. values: names below the request's element; headers: part of the
        WSDL → names below its element. Raises ValueError.
        """
        if values and operation.request is None:
            raise ValueError(f"a message of {operation.name} has an empty body")
        if unknown := set(headers or {}) - {part for part, _ in operation.headers}:
            known = ", ".join(part for part, _ in operation.headers) or "none"
            raise ValueError(f"{operation.name} has no header {', '.join(sorted(unknown))}; there are: {known}")
        if not headers and (envelope := self._plain(operation, values)) is not None:
            return envelope
        return _serialized(self._operation(operation).input, {**values, "_soapheaders": dict(headers or {})}, operation)

    def answer(self, operation: Operation, values: Mapping[str, Any]) -> etree._Element:
        """An envelope as a server of this WSDL answers. values: names below the answer's element. Raises ValueError."""
        envelope = _serialized(self._operation(operation).output, values, operation)
        if operation.rpc and operation.response is not None:
            envelope[-1][0].tag = operation.response  # zeep writes the message's name there
        return envelope

    def _plain(self, operation: Operation, values: Mapping[str, Any]) -> etree._Element | None:
        """The envelope as zeep would build it, or None: see `adapters.soap.writer`. Raises NotABoolean."""
        if operation.rpc or operation.request is None:
            return None
        key = (operation.binding, operation.name)
        try:
            if key not in self._writers:
                self._writers[key] = None
                self._writers[key] = writer_of(self._operation(operation).input.body.type)
            write = self._writers[key]
            if write is None:
                return None
            namespace = SOAP12 if operation.soap12 else SOAP11
            envelope = etree.Element(f"{{{namespace}}}Envelope", nsmap={"soap-env": namespace})
            etree.SubElement(envelope, f"{{{namespace}}}Body")
            write(etree.SubElement(envelope[0], operation.request), values)
        except NotABoolean:
            raise
        except (NotPlain, TypeError, ValueError):
            return None
        return envelope

    def _operation(self, operation: Operation) -> Any:
        return next(binding for _, binding in self._bindings() if str(binding.name) == operation.binding).get(
            operation.name
        )

    def _bindings(self) -> Iterator[tuple[str, Any]]:
        for service in self.document.services.values():
            for port in service.ports.values():
                if isinstance(port.binding, SoapBinding):
                    yield port.name, port.binding

    def _usable(self) -> Iterator[tuple[Operation, Any]]:
        """Every operation that can be called, and zeep's."""
        for _, binding in self._bindings():
            for name, described in binding.all().items():
                if self._unsupported(binding, name) is None:
                    yield _operation(name, binding, described), described

    def _unsupported(self, binding: Any, name: str) -> str | None:
        """Why an operation cannot be called, or None; said when somebody asks for it, for the others may do."""
        described = binding.get(name)
        if any(getattr(message, "_is_body_wrapped", False) for message in (described.input, described.output)):
            return "has several elements in the body of one message, which WS-I Basic Profile forbids (R2210)"
        if (etree.QName(str(binding.name)).localname, name) in self._encoded:
            return 'is use="encoded", which WS-I Basic Profile forbids (R2706)'
        return None

    def _require_types(self) -> None:
        """Every message must have its element, or nothing could be said about it."""
        for operation, _ in self._usable():
            for element in (operation.request, operation.response):
                if element is not None and not self._types.declares(element):
                    raise WsdlUnusable(f"{self._path.name}: the schema of {element} is missing or cannot be loaded")


def _serialized(message: Any, values: Mapping[str, Any], operation: Operation) -> etree._Element:
    try:
        envelope: etree._Element = message.serialize(**values).content
    except (zeep.exceptions.Error, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"not a message of {operation.name}: {error}") from error
    return envelope


def _operation(name: str, binding: Any, operation: Any) -> Operation:
    rpc = operation.style == "rpc"
    request = operation.input.body
    response = operation.output.body if operation.output is not None else None
    answer = str(response.qname) if response is not None else None
    if rpc and response is not None:
        answer = str(etree.QName(response.qname.namespace, f"{name}Response"))  # WS-I Basic Profile R2729
    header = operation.input.header
    return Operation(
        name,
        operation.soapaction or "",
        str(binding.name),
        isinstance(binding, Soap12Binding),
        str(request.qname) if request is not None else None,
        answer,
        two_way=operation.output is not None,
        rpc=rpc,
        headers=tuple((part, str(element.qname)) for part, element in header.type.elements) if header else (),
        addressing=operation.abstract.wsa_action or None,
    )


# --- Elements of messages that the types of a WSDL do not have -------------------------------------------------------


def _wrappers(operations: Iterator[tuple[Operation, Any]]) -> Iterator[etree._Element]:
    """A schema for every body that is described by types instead of an element (WSDL 1.1 §3.5): the element of RPC with
    a member per part, or of a document with one part.
    """
    seen: set[str] = set()
    for operation, described in operations:
        for element, message in ((operation.request, described.input), (operation.response, described.output)):
            if element is None or element in seen:
                continue
            schema = _wrapper(element, message, rpc=operation.rpc)
            if schema is not None:
                seen.add(element)
                yield schema


def _wrapper(element: str, message: Any, *, rpc: bool) -> etree._Element | None:
    parts = {name: part for name, part in message.abstract.parts.items() if name not in _header_parts(message)}
    if not rpc and all(part.element is not None for part in parts.values()):
        return None
    tag = etree.QName(element)
    schema = etree.Element(f"{XS}schema", {"targetNamespace": tag.namespace} if tag.namespace else {})
    names = [part.type.qname if part.element is None else part.element.qname for part in parts.values()]
    for namespace in sorted({str(name.namespace) for name in names} - {str(tag.namespace), XS.strip("{}")}):
        etree.SubElement(schema, f"{XS}import", namespace=namespace)
    if not rpc:
        _typed(schema, str(tag.localname), names[0])
        return schema
    wrapper = etree.SubElement(schema, f"{XS}element", name=str(tag.localname))
    sequence = etree.SubElement(etree.SubElement(wrapper, f"{XS}complexType"), f"{XS}sequence")
    for (name, part), of in zip(parts.items(), names, strict=True):
        if part.element is None:
            _typed(sequence, name, of)
        else:
            etree.SubElement(sequence, f"{XS}element", {"ref": f"p:{of.localname}"}, nsmap={"p": of.namespace})
    return schema


def _typed(parent: etree._Element, name: str, of: etree.QName) -> None:
    attributes = {"name": name, "type": f"p:{of.localname}"}
    etree.SubElement(parent, f"{XS}element", attributes, nsmap={"p": str(of.namespace)})


def _header_parts(message: Any) -> set[str]:
    return {name for name, _ in message.header.type.elements} if message.header is not None else set()

"""A plain body that is written straight is, byte for byte, the one that zeep would have written."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree
from test_soap_wsdls import _SLOW, VERDICTS, load
from zeep.xsd.elements import All, Attribute, Element
from zeep.xsd.elements import Sequence as InSequence
from zeep.xsd.types import AnySimpleType, ComplexType

from adapters.soap.schemas import XS
from adapters.soap.writer import NotABoolean, NotPlain, writer_of
from adapters.soap.wsdl import Operation, Wsdl
from gateway.services import shipped_folder

SHIPPED = sorted((shipped_folder() / "targets").rglob("*.wsdl"))
PUBLISHED = [file for file, verdict in VERDICTS.items() if isinstance(verdict, int) and file not in _SLOW]
DEPTH = 5


def operations(wsdl: Wsdl) -> Iterator[tuple[Operation, Any]]:
    for service in wsdl.document.services.values():
        for name, port in service.ports.items():
            for operation in port.binding.all():
                found = wsdl.operation(operation, port=name)
                yield found, port.binding.get(operation).input


def values(kind: Any, *, fully: bool, depth: int = DEPTH) -> Any:
    """What a mapping might have made for a type of zeep's. fully: with everything that is optional, lists of two."""
    if isinstance(kind, AnySimpleType):
        return _simple(kind)
    assert isinstance(kind, ComplexType)
    made: dict[str, Any] = {}
    for name, attribute in kind.attributes:
        if isinstance(attribute, Attribute) and (fully or attribute.required):
            made[name] = _simple(attribute.type)
    for _, group in kind.elements_nested:
        made |= _members(group, fully, depth)
    return made


def _members(group: Any, fully: bool, depth: int) -> dict[str, Any]:
    if not isinstance(group, InSequence | All) or group.accepts_multiple:
        return {}
    made: dict[str, Any] = {}
    for name, element in group.elements_nested:
        if name is None:
            made |= _members(element, fully, depth)
        elif isinstance(element, Element) and (not element.is_optional or (fully and depth)):
            value = values(element.type, fully=fully, depth=depth - 1) if depth > -DEPTH else None
            made[name] = [value] * max(element.min_occurs, 2 if fully else 1) if element.accepts_multiple else value
    return made


def _simple(kind: Any) -> Any:
    names = {name.__name__ for name in type(kind).__mro__}
    if "Boolean" in names:
        return True
    if "Base64Binary" in names:
        return b"content"
    if names & {"Integer", "Long", "Int"}:
        return 7
    return Decimal("12.50") if "Decimal" in names else "straße & <ö>"


def told(build: Any) -> bytes:
    try:
        return etree.tostring(build())
    except Exception as error:
        return type(error).__name__.encode()


def both(wsdl: Wsdl, operation: Operation, message: Any, body: Mapping[str, Any]) -> tuple[bytes, bytes]:
    ours = told(lambda: wsdl.message(operation, body))
    zeeps = told(lambda: message.serialize(**body, _soapheaders={} if operation.headers else None).content)
    return ours, zeeps


@pytest.mark.parametrize("fully", [True, False])
@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: str(path.stem))
def test_requests_of_the_shipped_targets_are_what_zeep_would_write(path: Path, fully: bool) -> None:
    for operation, message in operations(load(path)):
        writer_of(message.body.type)  # raises if it is not plain

        ours, zeeps = both(load(path), operation, message, values(message.body.type, fully=fully))

        assert ours == zeeps
        assert ours.startswith(b"<soap-env:Envelope")


@pytest.mark.parametrize("file", PUBLISHED)
def test_requests_of_published_descriptions_are_what_zeep_would_write(test_data: Path, file: str) -> None:
    wsdl = load(test_data / file)
    compared = 0
    for operation, message in operations(wsdl):
        if operation.rpc or operation.request is None:
            continue
        try:
            writer_of(message.body.type)
        except NotPlain:
            continue
        for fully in (True, False):
            ours, zeeps = both(wsdl, operation, message, values(message.body.type, fully=fully))
            assert ours == zeeps or (ours == b"ValueError" and zeeps.isalpha())
            compared += ours.startswith(b"<")
    assert compared or file not in PLAIN


PLAIN = {
    "wsdl/eakte-dms-muenchen/dmsin-eai-1.10.wsdl",
    "wsdl/xroad-management/managementservices.wsdl",
    "wsdl/jcc-afspraken/GenericGuidanceSystem2.wsdl",
}
"""Those that would make this test worthless if none of their operations were plain."""


def test_what_is_not_plain_is_left_to_zeep() -> None:
    """Given a body with a name that the type does not have, then zeep says so, as it always did."""
    wsdl = load(SHIPPED[0])
    operation, message = next(operations(wsdl))
    body = {**values(message.body.type, fully=True), "unknown": "x"}

    with pytest.raises(ValueError, match="unknown"):
        wsdl.message(operation, body)


def test_a_text_that_is_no_boolean_is_not_taken_for_true() -> None:
    """zeep writes `true` for every text that is not empty."""
    kind = load(SHIPPED[0]).document.types.get_type(f"{XS}boolean")
    element = etree.Element("e")

    writer_of(kind)(element, "0")
    with pytest.raises(NotABoolean):
        writer_of(kind)(element, "vielleicht")

    assert element.text == "false"

"""Plain bodies, written straight: what zeep would write, in a fifth of the time.

zeep makes an object of every value and asks the object back. Where a type is plain (attributes, and elements in a
sequence, each simple or plain again) and the values are, the same elements are written at once. Everything else is left
to zeep: a choice, a wildcard, something that is missing, a name that the type does not have. It also says what is
wrong.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from lxml import etree
from zeep.xsd.elements import All, Attribute, Element
from zeep.xsd.elements import Sequence as InSequence
from zeep.xsd.types import AnySimpleType, ComplexType
from zeep.xsd.types.builtins import Boolean

Write = Callable[[etree._Element, Any], None]
"""Puts a value below (or, of a simple type, into) an element. Raises NotPlain when it has written only a part."""


class NotPlain(Exception):
    """The type or the value is zeep's business."""


def writer_of(kind: Any) -> Write:
    """For a type of zeep's. Raises NotPlain."""
    return _writer(kind, {})


def _writer(kind: Any, made: dict[int, Write | None]) -> Write:
    """made: by identity of their types; None while it is being made, for a type may hold itself."""
    if isinstance(kind, AnySimpleType):
        return _simple(kind)
    if not isinstance(kind, ComplexType) or kind._array_type:
        raise NotPlain
    name = id(kind)
    if name not in made:
        made[name] = None
        made[name] = _complex(kind, made)
    return made[name] or (lambda element, value: _found(made, name)(element, value))


def _found(made: Mapping[int, Write | None], name: int) -> Write:
    write = made[name]
    assert write is not None
    return write


class NotABoolean(ValueError):
    """zeep would write `true` for any text; what was meant, nobody knows."""


def _text_of(kind: Any) -> Callable[[Any], str]:
    """How a simple type writes a value."""
    as_xml: Callable[[Any], str] = kind.xmlvalue
    if not isinstance(kind, Boolean):
        return as_xml

    def strictly(value: Any) -> str:
        if value not in _TRUTHS:
            raise NotABoolean("a text that is no boolean stands where the type wants one")
        return as_xml(value)

    return strictly


_TRUTHS = (True, False, "true", "false", "1", "0")


def _simple(kind: Any) -> Write:
    as_xml = _text_of(kind)

    def write(element: etree._Element, value: Any) -> None:
        if value is None or isinstance(value, Mapping | list | tuple):
            raise NotPlain
        element.text = as_xml(value)

    return write


def _complex(kind: Any, made: dict[int, Write | None]) -> Write:
    members = [(name, attribute.default_value, _attribute(attribute)) for name, attribute in kind.attributes]
    for name, element in (pair for _, group in kind.elements_nested for pair in _plain(group)):
        members.append((name, element.default_value, _element(element, made)))
    names = {name for name, _, _ in members}
    if len(names) < len(members):
        raise NotPlain

    def write(element: etree._Element, value: Any) -> None:
        if not isinstance(value, Mapping) or not value.keys() <= names:
            raise NotPlain
        for name, default, put in members:
            put(element, value.get(name, default))

    return write


def _plain(group: Any) -> Sequence[tuple[str, Any]]:
    """The elements of a group that has each of them once, in order."""
    if type(group) not in (InSequence, All) or group.accepts_multiple or group.is_optional:
        raise NotPlain
    found: list[tuple[str, Any]] = []
    for name, element in group.elements_nested:
        found += [(name, element)] if name else _plain(element)
    return found


def _attribute(attribute: Any) -> Write:
    if type(attribute) is not Attribute or not isinstance(attribute.type, AnySimpleType):
        raise NotPlain
    name, required = attribute.qname.text, attribute.required
    as_xml = _text_of(attribute.type)

    def put(element: etree._Element, value: Any) -> None:
        if value is not None:
            element.set(name, as_xml(value))
        elif required:
            raise NotPlain

    return put


def _element(element: Any, made: dict[int, Write | None]) -> Write:
    if type(element) is not Element or element.max_occurs == 0:
        raise NotPlain
    tag, write, required = element.qname.text, _writer(element.type, made), not element.is_optional
    least, unbounded = element.min_occurs, element.max_occurs == "unbounded"
    most = 0 if unbounded else int(element.max_occurs)
    new = etree.SubElement

    def put_one(parent: etree._Element, value: Any) -> None:
        if value is not None:
            write(new(parent, tag), value)
        elif required:
            raise NotPlain

    def put_many(parent: etree._Element, value: Any) -> None:
        if not isinstance(value, list) or len(value) < least or len(value) > most > 0:
            raise NotPlain
        for one in value:
            write(new(parent, tag), one)

    return put_many if element.accepts_multiple else put_one

"""Messages made from an XML Schema: for samples of a new service, and for tests. Everything in them is invented.

What a schema cannot say (Schematron, code lists outside of it) an example does not know: who needs it checks the
result and asks again with another `random`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from random import Random
from typing import Any

from lxml import etree
from xmlschema.validators import XsdElement, XsdGroup

from xoev_schemas.fim.examples import NoExample

_DEEPEST = 40
_DECAY = 0.6
"""How much rarer optional content gets with every level: content that may contain itself would else have no end."""
ANYTHING = "Beispiel"
"""What stands where a type takes any text."""
_TEXTS = (
    ANYTHING, "1", "44135", "true", "2024-02-29", "2024", "2024-02", "2024-02-29T09:30:00+01:00", "09:30:00",
    "01", "0001", "X", "1.00", "12,50", "05913000", "059130000000", "name@example.de", "https://example.de/",
    "urn:de:example:beispiel", "+49 231 5000", "DE02120300000000202051", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff",
    "00000000-0000-4000-8000-000000000000", "P1M", "Beispiel.pdf", "application/pdf", "AAAA", "0A", "de", "EUR",
    "100", "0", "10", "1000", "51.5 7.4", "1.0", "1.0.0", "---15", "--02", "Muster Beispiel",
)  # fmt: skip
"""What the types of published standards usually mean; each type takes the first that is valid."""
_LENGTHS = range(1, 41)


def example(root: XsdElement, random: Random, *, fullness: float) -> bytes:
    """A document in UTF-8 that begins with `root`.

    fullness: 0 = only what must be there, 1 = everything optional at the top once, and less of it below. Raises
    NoExample: a type that no text is known for, or content without end.
    """
    made = _Making(random, fullness, str(root.local_name)).element(root, 0)
    return etree.tostring(with_plain_names(made), encoding="utf-8", xml_declaration=True, pretty_print=True)


class _Making:
    def __init__(self, random: Random, fullness: float, message: str) -> None:
        self._random = random
        self._fullness = fullness
        self._message = message

    def element(self, declared: XsdElement, depth: int) -> etree._Element:
        if depth > _DEEPEST:
            raise NoExample(f"{declared.local_name} has no end")
        if declared.abstract or declared.type.abstract:
            raise NoExample(f"{declared.local_name} is abstract")
        made = etree.Element(str(declared.name))
        kind: Any = declared.type
        for name, attribute in kind.attributes.items() if kind.is_complex() else ():
            if name and (
                attribute.use == "required" or (attribute.fixed is not None and attribute.use != "prohibited")
            ):
                made.set(name, attribute.fixed if attribute.fixed is not None else value(attribute.type))
        if kind.is_simple() or kind.has_simple_content():
            simple = kind if kind.is_simple() else kind.content
            made.text = declared.fixed if declared.fixed is not None else value(simple, self._message)
        elif isinstance(kind.content, XsdGroup):
            made.extend(self._group(kind.content, depth) or self._something(kind.content, depth))
        return made

    def _something(self, group: XsdGroup, depth: int) -> list[etree._Element]:
        """The first optional part that can be made: schemas often allow empty elements that their rules refuse."""
        for particle in group:
            with suppress(NoExample):
                if made := self._times(particle, 1, depth):
                    return made
        return []

    def _group(self, group: XsdGroup, depth: int) -> list[etree._Element]:
        particles = [particle for particle in group if particle.max_occurs != 0]
        if group.model != "choice":
            return [made for particle in particles for made in self._particle(particle, depth)]
        self._random.shuffle(particles)
        # Something rather than nothing: a choice of optional things is a choice all the same.
        for particle in particles:
            with suppress(NoExample):
                return self._times(particle, max(1, particle.min_occurs), depth)
        if particles:
            raise NoExample(f"nothing in a choice of {len(particles)} can be made")
        return []

    def _particle(self, particle: Any, depth: int) -> list[etree._Element]:
        if particle.min_occurs:
            return self._times(particle, particle.min_occurs, depth)
        if self._random.random() >= self._fullness * _DECAY**depth:
            return []
        with suppress(NoExample):
            return self._times(particle, 1, depth)
        return []

    def _times(self, particle: Any, count: int, depth: int) -> list[etree._Element]:
        if isinstance(particle, XsdGroup):
            return [made for _ in range(count) for made in self._group(particle, depth)]
        if isinstance(particle, XsdElement):
            return [self.element(particle, depth + 1) for _ in range(count)]
        raise NoExample("content of any kind")


def with_plain_names(made: etree._Element) -> etree._Element:
    """The same with a default namespace where it can hold for everything: an element without one would have to undo it.

    Otherwise the root's has the prefix `msg`.
    """
    namespace = etree.QName(made).namespace
    everywhere = all(etree.QName(element).namespace for element in made.iter(etree.Element))
    prefixes: Any = {None if everywhere else "msg": namespace} if namespace else None
    root = etree.Element(made.tag, nsmap=prefixes)
    root.attrib.update(made.attrib)
    root.extend(list(made))
    etree.cleanup_namespaces(root)
    return root


def value(kind: Any, message: str = "") -> str:
    """A text that is valid for a simple type. message: name of the root; XÖV ends it with the message's own code, as in
    `baugenehmigung.antrag.0200`. Raises NoExample.
    """
    for text in _candidates(kind, message):
        if kind.text_is_valid(text):
            return text
    raise NoExample(f"no text is known that {kind.local_name or 'this type'} takes")


def _candidates(kind: Any, message: str) -> Iterator[str]:
    allowed = [str(one) for one in getattr(kind, "enumeration", None) or ()]
    yield from (one for one in allowed if message.endswith(f".{one}"))
    yield from allowed
    yield from _TEXTS
    for facet in ("min_value", "max_value"):
        if (bound := getattr(kind, facet, None)) is not None:
            yield str(bound)
    for letter in "X1A":
        yield from (letter * length for length in _LENGTHS)

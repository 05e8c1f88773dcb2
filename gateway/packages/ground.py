"""Where counterexamples are looked for: one schema of a service in one form, and what its mapping looks at there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gateway.mapping.reads import reads
from gateway.packages.model import Accepts, Service
from xoev_schemas.contents import Element, JsonPlace, XsdPlace
from xoev_schemas.documents import Unreadable, XmlDocument, parse
from xoev_schemas.fim.examples import NoExample
from xoev_schemas.ladder import Checker
from xoev_schemas.planned import Edit, Plan, Steps, below, planned, position_at
from xoev_schemas.standards import without_version

_FEW = 40
"""Values that are tried together with everything else: longer lists of codes are tried one by one only."""
_MOST_VALUES = 300
_MANY = 50
"""How often a place is there at most, where its number has no limit or a higher one."""


@dataclass(frozen=True, slots=True)
class Ground:
    """root: what the message begins with. looked_at: place of a leaf → texts that the mapping compares it with.

    known: values from the package's own samples, more likely to keep rules that no schema knows.
    """

    accepts: Accepts
    media_type: str
    root: Element = field(repr=False)
    looked_at: Mapping[Steps, tuple[str, ...]] = field(repr=False)
    known: Mapping[Steps, str] = field(repr=False)

    def message(self, plan: Plan) -> bytes:
        """Raises NoExample."""
        return planned(self.root, plan, self.known)

    def plans(self) -> Iterator[Plan]:
        """What to try, the likely first: everything left out, everything there, each place alone and left out, each
        value at the edge of what is allowed, each number; then every value that decides something with all that.
        """
        edits = [Edit(place) for place in self.looked_at]
        yield ()
        yield tuple(edits)
        for edit in edits:
            yield (edit,)
            yield _without(edit, edits)
            yield (edit, *_without(edit, edits))
        deciding = []
        for place in self.looked_at:
            values = [Edit(place, text) for text in self._values(place)]
            deciding += values if self._decides(place, len(values)) else []
            for value in values:
                yield (value,)
                yield (value, *edits)
        for more in self._numbers():
            yield (more,)
            yield (more, *edits)
        for value in deciding:
            for edit in edits:
                if edit.place != value.place:
                    yield (value, edit)
                    yield (value, *_without(edit, edits))

    def _values(self, place: Steps) -> list[str]:
        position = position_at(self.root, place)
        if position is None:
            return []
        element = position.element
        compared = [text for text in self.looked_at[place] if text and element.takes(text)]
        return list(dict.fromkeys([*compared, *element.extremes()]))[:_MOST_VALUES]

    def _decides(self, place: Steps, count: int) -> bool:
        return bool(self.looked_at[place]) and count <= _FEW

    def _numbers(self) -> Iterator[Edit]:
        """Every place that may stand there several times: twice, and as often as may be."""
        around = dict.fromkeys(place[:end] for place in self.looked_at for end in range(1, len(place) + 1))
        for place in around:
            position = position_at(self.root, place)
            if position is not None and (position.most is None or position.most > 1):
                yield Edit(place, times=2)
                yield Edit(place, times=min(position.most or _MANY, _MANY))


def _without(edit: Edit, edits: list[Edit]) -> Plan:
    return tuple(other for other in edits if other.place[: len(edit.place)] != edit.place)


def grounds(service: Service, accepts: Accepts, checker: Checker) -> Iterator[Ground]:
    """XML and JSON, as far as the schema is installed for them."""
    ref, registry = accepts.ref, checker.registry
    if ref is None or not ref.message:
        return
    model = registry.model(ref)
    roots: list[tuple[str, Element]] = []
    if "application/xml" in ref.media_types:
        roots.append(("application/xml", XsdPlace(model.root, ref.message)))
    if (schema := registry.json_schema(ref)) is not None:
        roots.append(("application/json", JsonPlace(schema, schema)))
    found = reads(accepts.compiled, model)
    known = _known(service)
    for media_type, root in roots:
        leaves: dict[Steps, tuple[str, ...]] = {}
        for place, texts in found.items():
            try:
                for leaf in below(root, place):
                    leaves[leaf] = tuple(dict.fromkeys([*leaves.get(leaf, ()), *(texts if leaf == place else ())]))
            except NoExample:
                continue
        yield Ground(accepts, media_type, root, leaves, known)


def _known(service: Service) -> dict[Steps, str]:
    """The values of the package's samples that are accepted; the first sample's where several have one."""
    known: dict[Steps, str] = {}
    for file in sorted((service.folder / "samples").glob("*/data.*")):
        if not (file.parent / "case.json").is_file():
            continue
        try:
            document = parse(file.read_bytes(), f"application/{file.suffix[1:]}")
        except (OSError, Unreadable):
            continue
        found = _xml(document.root, ()) if isinstance(document, XmlDocument) else _json(document.value, ())
        for place, text in found:
            known.setdefault(place, text)
    return known


def _xml(element: Any, place: Steps) -> Iterator[tuple[Steps, str]]:
    if not len(element) and element.text and element.text.strip():
        yield place, element.text.strip()
    for child in element:
        yield from _xml(child, (*place, without_version(child.tag.rpartition("}")[2])))


def _json(value: Any, place: Steps) -> Iterator[tuple[Steps, str]]:
    if isinstance(value, dict):
        for name, member in value.items():
            yield from _json(member, (*place, without_version(name)))
    elif isinstance(value, list):
        for item in value:
            yield from _json(item, place)
    elif value is not None:
        yield place, {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)

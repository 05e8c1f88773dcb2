"""Messages made to a plan: the smallest that a schema allows, and around it exactly what the plan says.

A plan is a tuple of edits of that smallest message. Dropping an edit gives a smaller message, so the smallest one that
has some property is found by dropping what it does not need.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from lxml import etree

from xoev_schemas.contents import Element, Group, JsonPlace, Particle, XsdPlace, is_listed
from xoev_schemas.examples import with_plain_names
from xoev_schemas.fim.examples import NoExample

Steps = tuple[str, ...]
"""Names from below the root down to a place, without namespaces, positions and FIM versions."""
_DEEPEST = 40


@dataclass(frozen=True, slots=True)
class Edit:
    """A place is there, with all that is above it. text: its value, None = any valid one. times: how often."""

    place: Steps
    text: str | None = None
    times: int = 1


Plan = tuple[Edit, ...]
"""Where a choice cannot take all, the earlier edit decides."""


def planned(root: Element, plan: Plan, known: Mapping[Steps, str]) -> bytes:
    """The message, in UTF-8. known: values that places take where the plan says nothing, if the schema allows them.

    Raises NoExample: the schema wants something that no example is known of.
    """
    made = _Making(plan, known).element(root, ())
    if isinstance(root, XsdPlace):
        whole = with_plain_names(_as_xml(made))
        return etree.tostring(whole, encoding="utf-8", xml_declaration=True, pretty_print=True)
    return json.dumps(_as_json(made), ensure_ascii=False, indent=2).encode() + b"\n"


@dataclass(frozen=True, slots=True)
class _Made:
    element: Element
    text: str
    inside: tuple[_Made, ...] | None


class _Making:
    def __init__(self, plan: Plan, known: Mapping[Steps, str]) -> None:
        self._known = known
        self._texts = {edit.place: edit.text for edit in reversed(plan) if edit.text is not None}
        self._times = {edit.place: edit.times for edit in reversed(plan)}
        self._rank: dict[Steps, int] = {}
        for rank, edit in enumerate(plan):
            for end in range(1, len(edit.place) + 1):
                self._rank.setdefault(edit.place[:end], rank)

    def element(self, element: Element, place: Steps) -> _Made:
        if len(place) > _DEEPEST:
            raise NoExample(f"{element.name} has no end")
        content = element.content
        if content is not None:
            return _Made(element, "", tuple(self._group(content, place)))
        text = self._texts.get(place)
        known = self._known.get(place)
        if text is None:
            text = known if known is not None and element.takes(known) else element.text()
        return _Made(element, text, None)

    def _group(self, group: Group, place: Steps) -> Iterator[_Made]:
        if not group.choice:
            for particle in group.particles:
                yield from self._particle(particle, place, particle.least)
        elif group.particles:
            yield from self._chosen(group.particles, place)

    def _chosen(self, branches: tuple[Particle, ...], place: Steps) -> list[_Made]:
        """The branch that the plan names first; without one the first that can be made, something before nothing."""
        ranked = sorted(
            branches,
            key=lambda branch: (self._wanted(branch.part, place) is None, self._wanted(branch.part, place) or 0),
        )
        for branch in ranked:
            try:
                return list(self._particle(branch, place, max(1, branch.least)))
            except NoExample:
                continue
        raise NoExample(f"nothing in a choice of {len(branches)} can be made")

    def _particle(self, particle: Particle, place: Steps, least: int) -> Iterator[_Made]:
        part = particle.part
        wanted = self._wanted(part, place)
        if isinstance(part, Group):
            for _ in range(least or int(wanted is not None)):
                yield from self._group(part, place)
            return
        here = (*place, part.name)
        most = particle.most if particle.most is not None else max(least, 1 << 20)
        asked = self._times.get(here, 1) if wanted is not None else 0
        for _ in range(min(max(least, asked), most)):
            yield self.element(part, here)

    def _wanted(self, part: Element | Group, place: Steps) -> int | None:
        """How early the plan names something of this part; None = not at all."""
        if not isinstance(part, Group):
            return self._rank.get((*place, part.name))
        ranks = [rank for one in part.particles if (rank := self._wanted(one.part, place)) is not None]
        return min(ranks, default=None)


def _as_xml(made: _Made) -> etree._Element:
    assert isinstance(made.element, XsdPlace)
    element = etree.Element(made.element.written)
    for name, text in made.element.attributes.items():
        element.set(name, text)
    if made.inside is None:
        element.text = made.text
    else:
        element.extend([_as_xml(one) for one in made.inside])
    return element


def _as_json(made: _Made) -> Any:
    if made.inside is None:
        assert isinstance(made.element, JsonPlace)
        return made.element.json_value(made.text)
    members: dict[str, Any] = {}
    for one in made.inside:
        if is_listed(one.element):
            members.setdefault(one.element.written, []).append(_as_json(one))
        else:
            members[one.element.written] = _as_json(one)
    return members


@dataclass(frozen=True, slots=True)
class Position:
    """An element, and how often it may occur; most None = unbounded."""

    least: int
    most: int | None
    element: Element


def position_at(root: Element, place: Steps) -> Position | None:
    """What the schema says of a place; None where it has no such place, or nothing can be made of what is above it."""
    found = Position(1, 1, root)
    for name in place:
        try:
            content = found.element.content
        except NoExample:
            return None
        inside = next((one for one in _elements(content or Group(())) if one.element.name == name), None)
        if inside is None:
            return None
        found = inside
    return found


def _elements(group: Group) -> Iterator[Position]:
    for particle in group.particles:
        if isinstance(particle.part, Group):
            yield from _elements(particle.part)
        else:
            yield Position(particle.least, particle.most, particle.part)


def below(root: Element, place: Steps, depth: int = 5) -> Iterator[Steps]:
    """The places of the leaves below a place, itself if it is one."""
    position = position_at(root, place)
    if position is None:
        return
    content = position.element.content
    if content is None:
        yield place
    elif depth:
        for one in _elements(content):
            yield from below(root, (*place, one.element.name), depth - 1)

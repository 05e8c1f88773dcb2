"""Conditions: `when:` in mappings and targets, `when:` and `require:` in the rules of a service. One small set for all.

Read by `gateway.mapping.condition_reader`, proven against schemas by `gateway.mapping.check`. A condition about a value
looks at the first one that its paths find; where there is none it does not hold, whatever it compares with. The page
for people is `docs/reference/mapping-language.md`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import jsonschema_rs

from gateway.mapping.nodes import Node
from gateway.mapping.paths import Path, finder, reader
from gateway.mapping.problems import Place
from gateway.mapping.values import WrongValue, to_boolean, to_date, to_number

Test = Callable[[Node], bool]
Measure = date | Decimal
"""What can be larger and smaller. A date and a number are neither to each other."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """A statement about one value: the first that the paths find."""

    place: Place
    paths: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Present(Leaf):
    """present: whether a value must be there, or must not."""

    present: bool


@dataclass(frozen=True, slots=True)
class OneOf(Leaf):
    """`equals: VALUE`, `in: […]`. allowed: texts, and booleans, which are compared as such."""

    allowed: tuple[str | bool, ...]


@dataclass(frozen=True, slots=True)
class SameAs(Leaf):
    """`equals: {path: …}`. The same text as there."""

    other: tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Matches(Leaf):
    """fits: whether a text as a whole is of the form `pattern`, in time linear in its length."""

    pattern: str
    fits: Callable[[str], bool] = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Bound(Leaf):
    """`at_least`, `at_most`. limit: itself allowed; paths: what stands there."""

    least: bool
    limit: Measure | tuple[Path, ...]


@dataclass(frozen=True, slots=True)
class Not:
    part: Condition


@dataclass(frozen=True, slots=True)
class Every:
    """`all:`"""

    parts: tuple[Condition, ...]


@dataclass(frozen=True, slots=True)
class Some:
    """`any:`"""

    parts: tuple[Condition, ...]


Condition = Present | OneOf | SameAs | Matches | Bound | Not | Every | Some


def compiled_condition(condition: Condition | None) -> Test:
    """The condition, ready to be judged many times. None holds everywhere."""
    match condition:
        case None:
            return lambda node: True
        case Not(part):
            inner = compiled_condition(part)
            return lambda node: not inner(node)
        case Every(parts):
            tests = [compiled_condition(part) for part in parts]
            return lambda node: all(test(node) for test in tests)
        case Some(parts):
            choices = [compiled_condition(part) for part in parts]
            return lambda node: any(test(node) for test in choices)
        case Present(_, paths, present):
            return _presence(paths, present)
        case _:
            return _comparison(condition)


def leaves(condition: Condition) -> Iterator[Present | OneOf | SameAs | Matches | Bound]:
    match condition:
        case Not(part):
            yield from leaves(part)
        case Every(parts) | Some(parts):
            for part in parts:
                yield from leaves(part)
        case _:
            yield condition


def other_paths(leaf: Leaf) -> tuple[Path, ...]:
    """Where the value stands that a leaf compares with; empty if it is a constant."""
    match leaf:
        case SameAs(other=paths) | Bound(limit=tuple() as paths):
            return paths
        case _:
            return ()


def blamed(condition: Condition, node: Node) -> tuple[Node, str | None]:
    """Why a condition does not hold at `node`: the place that it looks at, and what may stand there (None: see its
    author's words). Where nothing stands, the place is the nearest around it that exists.
    """
    match condition:
        case Not(part):
            return blamed(part, node)[0], None
        case Every(parts):
            return blamed(next(part for part in parts if not compiled_condition(part)(node)), node)
        case Some(parts):
            return blamed(parts[0], node)[0], None
        case _:
            return _looked_at(condition.paths, node), _allowed(condition)


def pattern_test(pattern: str) -> Callable[[str], bool] | None:
    """Whether a whole text has the form; None where this is no regular expression (syntax of ECMA-262 without
    look-around and back-references, which only a backtracking engine could follow).
    """
    options = jsonschema_rs.RegexOptions(size_limit=_PATTERN_BYTES)
    try:
        for form in (pattern, f"^(?:{pattern})$"):
            whole = jsonschema_rs.validator_for({"pattern": form}, pattern_options=options)
    except jsonschema_rs.ValidationError:
        return None
    return whole.is_valid


def measure(text: str) -> Measure | None:
    """The date or number that a text says; None if it says neither."""
    try:
        return date.fromisoformat(to_date(text))
    except WrongValue:
        pass
    try:
        return to_number(text)
    except WrongValue:
        return None


_PATTERN_BYTES = 1 << 20
"""Size up to which a compiled regular expression is taken."""


def _value_at(paths: tuple[Path, ...]) -> Callable[[Node], str]:
    """The first text that is not empty; empty if there is none."""
    ways = [reader(path) for path in paths]
    if len(ways) == 1:
        return ways[0]
    return lambda node: next((text for read in ways if (text := read(node))), "")


def _presence(paths: tuple[Path, ...], present: bool) -> Test:
    ways = [finder(path) for path in paths]

    def test(node: Node) -> bool:
        for find in ways:
            for found in find(node):
                if found.filled():
                    return present
        return not present

    return test


def _comparison(leaf: OneOf | SameAs | Matches | Bound) -> Test:
    value = _value_at(leaf.paths)
    match leaf:
        case OneOf(allowed=allowed):
            return lambda node: bool(text := value(node)) and any(_equal(text, one) for one in allowed)
        case SameAs(other=paths):
            other = _value_at(paths)
            return lambda node: bool(text := value(node)) and text == other(node)
        case Matches(fits=fits):
            return lambda node: bool(text := value(node)) and fits(text)
        case Bound(least=least, limit=limit):
            if isinstance(limit, tuple):
                there = _value_at(limit)
                return lambda node: _within(measure(value(node)), measure(there(node)), least)
            return lambda node: _within(measure(value(node)), limit, least)


def _within(value: Measure | None, limit: Measure | None, least: bool) -> bool:
    match value, limit:
        case (date() as one, date() as other):
            return one >= other if least else one <= other
        case (Decimal() as number, Decimal() as bound):
            return number >= bound if least else number <= bound
        case _:
            return False


def _equal(text: str, allowed: str | bool) -> bool:
    if isinstance(allowed, str):
        return text == allowed
    try:
        return to_boolean(text) is allowed
    except WrongValue:
        return False


def _looked_at(paths: tuple[Path, ...], node: Node) -> Node:
    found = [place for path in paths for place in finder(path)(node)]
    filled = next((place for place in found if place.text()), None)
    if filled is not None or found:
        return filled or found[0]
    steps = paths[0].steps
    for count in range(len(steps) - 1, 0, -1):
        around = finder(Path(paths[0].source, steps[:count], paths[0].absolute))(node)
        if around:
            return around[0]
    return node


def _allowed(leaf: Leaf) -> str | None:
    match leaf:
        case OneOf(allowed=values):
            return ", ".join(one if isinstance(one, str) else str(one).lower() for one in values)
        case SameAs(other=paths):
            return " | ".join(str(path) for path in paths)
        case Matches(pattern=pattern):
            return pattern
        case Bound(least=least, limit=limit):
            bound = " | ".join(str(path) for path in limit) if isinstance(limit, tuple) else str(limit)
            return f"{'≥' if least else '≤'} {bound}"
        case _:
            return None

"""Small paths into bodies and answers: `$.Vorgang.FremdId`, `$[0].vorgangsnummer`, `$.items[0].id`.

A subset of JSONPath (RFC 9535): names joined by dots, or in brackets and quotes where they have other characters
(`$['cmis:name']`), and 0-based indexes; one value at most. Names are local names, so the same path reads a JSON answer
and the XML of a SOAP answer; there `@name` reads an attribute.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from lxml import etree

from xoev_schemas.findings import Text

Step = str | int

_STEP = re.compile(r"\.(@?[\w-]+)|\['([^']+)'\]|\[(\d+)\]")


class NotAPath(ValueError):
    """remedy: what to write instead."""

    def __init__(self, reason: str, remedy: Text) -> None:
        super().__init__(reason)
        self.remedy = remedy


def parse(path: str) -> tuple[Step, ...]:
    """`$.A[0].B` → ("A", 0, "B"). Raises NotAPath."""
    if not path.startswith("$"):
        meant = "$." + ".".join(re.findall(r"@?[\w-]+(?:\[\d+\])?", path))
        raise NotAPath("a path begins with '$.'", Text(f"Schreiben Sie „{meant}“.", f"Write '{meant}'."))
    steps: list[Step] = []
    position = 1
    while position < len(path):
        match = _STEP.match(path, position)
        if match is None:
            raise NotAPath(
                f"this is no path from its character {position + 1} on",
                Text(
                    "Schreiben Sie Namen mit Punkten, Stellen in Klammern: $.akten[0].nummer.",
                    "Write names with dots, positions in brackets: $.akten[0].nummer.",
                ),
            )
        name = match[1] or match[2]
        steps.append(name if name is not None else int(match[3]))
        position = match.end()
    return tuple(steps)


def read(value: Any, path: str) -> Any:
    """The value at `path` in JSON-like data; None when there is none (or it is null)."""
    for step in parse(path):
        if isinstance(step, int):
            listed = isinstance(value, Sequence) and not isinstance(value, str | bytes)
            if not listed or step >= len(value):
                return None
            value = value[step]
        elif isinstance(value, Mapping):
            value = value.get(step)
        else:
            return None
    return value


def read_xml(element: etree._Element, path: str) -> str | None:
    """The text at `path` below `element` (which the path does not name); None when absent, empty or not a leaf.

    An index counts the siblings of the same name: `$.Akte[1].Nummer` is the number in the second `Akte`.
    """
    here: list[etree._Element] = [element]
    for step in parse(path):
        if isinstance(step, int):
            here = here[step : step + 1]
        elif step.startswith("@"):
            return _attribute(here, step[1:])
        else:
            here = [c for c in here[0].iterchildren("*") if etree.QName(c).localname == step] if here else []
    if not here or len(here[0]):
        return None
    return (here[0].text or "").strip() or None


def _attribute(here: list[etree._Element], name: str) -> str | None:
    if not here:
        return None
    found = (str(v) for k, v in here[0].attrib.items() if etree.QName(k).localname == name)
    return next(found, None)


def dotted(path: str) -> str:
    """A path as lists of fields have it, without indexes: `$[0].a.b` → `a.b`. Raises NotAPath."""
    return ".".join(step for step in parse(path) if isinstance(step, str))


def write(body: Mapping[str, Any], path: str, value: Any) -> dict[str, Any]:
    """A copy of `body` with `value` at `path`; objects on the way are made where they are missing, lists are not.

    Raises ValueError (NotAPath too) when something that is no object stands in the way.
    """
    steps = parse(path)
    if not steps or any(isinstance(step, int) for step in steps):
        raise ValueError(f"a place to write to is made of names: {path!r}")
    return _written(body, [str(step) for step in steps], value, path)


def _written(body: Any, names: list[str], value: Any, path: str) -> dict[str, Any]:
    if body is not None and not isinstance(body, Mapping):
        raise ValueError(f"{path!r} leads through something that is no object")
    copy = dict(body or {})
    copy[names[0]] = value if len(names) == 1 else _written(copy.get(names[0]), names[1:], value, path)
    return copy

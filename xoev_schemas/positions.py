"""Where in the bytes a finding's path leads: line and column, for XML and JSON.

The validators know lines at best; who mends a message wants the very tag. One pass over the document finds all places
at once, and only documents that have findings are read for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pyexpat import ExpatError, ParserCreate, XMLParserType

from xoev_schemas.documents import is_xml
from xoev_schemas.findings import Finding

Position = tuple[int, int]
"""(line, column), both 1-based; columns count characters."""

_STEP = re.compile(r"([^\[/]+)(?:\[(\d+)\])?")
_LONGEST_TAG = 4096
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]:,]|[^\s{}\[\]:,"]+')


def located(findings: Sequence[Finding], data: bytes, media_type: str) -> list[Finding]:
    """The findings with line and column wherever their paths lead to a place in the document; others as they are.

    A path with a hidden name in it (`*`) leads nowhere.
    """
    paths = {finding.path for finding in findings if finding.path and finding.column is None}
    if not paths:
        return list(findings)
    find = positions_in_xml if is_xml(media_type.partition(";")[0].strip().lower()) else positions_in_json
    places = find(data, paths)
    return [
        replace(finding, line=places[finding.path][0], column=places[finding.path][1])
        if finding.column is None and finding.path in places
        else finding
        for finding in findings
    ]


# --- XML -----------------------------------------------------------------------------------------------------------


@dataclass(slots=True)
class _Wanted:
    """A tree of the paths that are looked for. attributes: name → path, of the element itself `""` → path."""

    children: dict[tuple[str, int], _Wanted] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class _Open:
    """An element whose end is still to come. seen: how many children of each qualified name there were."""

    wanted: _Wanted | None
    seen: dict[str, int] = field(default_factory=dict)


def positions_in_xml(data: bytes, paths: set[str]) -> dict[str, Position]:
    """path (`/antrag/anlage[2]/@nr`) → position of its start tag or attribute; what cannot be found is left out."""
    finder = _Finder(data, _tree(paths))
    with suppress(ExpatError):  # found up to the fault, which the parser that judged the message has told
        finder.expat.Parse(data, True)
    return finder.found


class _Finder:
    def __init__(self, data: bytes, wanted: _Wanted) -> None:
        self.data = data
        self.found: dict[str, Position] = {}
        self._open = [_Open(wanted)]
        # Children are counted by qualified name, as paths do.
        self.expat: XMLParserType = ParserCreate("utf-8", namespace_separator="}")
        self.expat.StartElementHandler = self._start
        self.expat.EndElementHandler = self._end

    def _start(self, name: str, _attributes: Mapping[str, str]) -> None:
        parent = self._open[-1]
        if parent.wanted is None:
            self._open.append(parent)  # nothing below is wanted, and nothing is counted
            return
        number = parent.seen[name] = parent.seen.get(name, 0) + 1
        wanted = parent.wanted.children.get((name.rpartition("}")[2], number))
        self._open.append(_Open(wanted))
        for attribute, path in wanted.attributes.items() if wanted else ():
            self.found.setdefault(path, self._position(attribute))

    def _end(self, _name: str) -> None:
        self._open.pop()

    def _position(self, attribute: str) -> Position:
        start = self.expat.CurrentByteIndex
        if attribute:
            tag = self.data[start : start + _LONGEST_TAG]
            there = re.search(rb"[\s:](" + re.escape(attribute.encode()) + rb")\s*=", tag)
            start += there.start(1) if there else 0
        line_start = self.data.rfind(b"\n", 0, start) + 1
        line = self.expat.CurrentLineNumber + (self.data.count(b"\n", self.expat.CurrentByteIndex, start))
        return line, len(self.data[line_start:start].decode("utf-8", "replace")) + 1


def _tree(paths: set[str]) -> _Wanted:
    root = _Wanted()
    for path in paths:
        node = root
        place, _, attribute = path.partition("/@")
        steps = [step for step in place.split("/") if step]
        for step in steps:
            found = _STEP.fullmatch(step)
            key = (found[1], int(found[2] or 1)) if found else (step, 1)
            node = node.children.setdefault(key, _Wanted())
        if steps:
            node.attributes[attribute] = path
    return root


# --- JSON ----------------------------------------------------------------------------------------------------------


def positions_in_json(data: bytes, paths: set[str]) -> dict[str, Position]:
    """JSON pointer → position of the member's name, or of the entry of an array."""
    text = data.decode("utf-8", "replace")
    found: dict[str, Position] = {}
    for pointer, at in _pointers(text):
        if pointer in paths:
            found.setdefault(pointer, _in_text(text, at))
            if len(found) == len(paths):
                break
    return found


def _pointers(text: str) -> Iterator[tuple[str, int]]:
    """The pointer of each value with the offset where its member or entry begins, in a text that is valid JSON."""
    stack: list[tuple[str, int | None]] = []  # (pointer of an open object or array, next index of an array)
    pointer, begins = "", 0
    expects_name = False
    for token in _TOKEN.finditer(text):
        word = token[0]
        if word in "}]":
            stack.pop()
        elif word == ":":
            expects_name = False
        elif word == ",":
            expects_name = bool(stack) and stack[-1][1] is None
        elif expects_name:
            name = word[1:-1].replace("~", "~0").replace("/", "~1")
            pointer, begins = f"{stack[-1][0]}/{name}", token.start()
        else:
            above, index = stack[-1] if stack else ("", None)
            if index is not None:
                pointer, begins = f"{above}/{index}", token.start()
                stack[-1] = (above, index + 1)
            yield pointer, begins
            if word in "{[":
                stack.append((pointer, 0 if word == "[" else None))
        if word in "{}]":
            expects_name = word == "{"


def _in_text(text: str, at: int) -> Position:
    return text.count("\n", 0, at) + 1, at - (text.rfind("\n", 0, at) + 1) + 1

"""The files of a Schematron schema and what may stand in them.

Everything that ISO/IEC 19757-3 knows is either read or refused by name: a rule that is silently ignored is a message
that is silently called valid.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import cast

from lxml import etree

from xoev_schemas.schematron.expressions import forbidden_functions
from xoev_schemas.schematron.model import Place
from xoev_schemas.xsd import parse_schema

SCH = "{http://purl.oclc.org/dsdl/schematron}"
XSL = "{http://www.w3.org/1999/XSL/Transform}"
_XML = "{http://www.w3.org/XML/1998/namespace}"

# Without effect on a verdict, wherever they stand.
_INFORMATION = {"id", "icon", "see", "fpi"}
_TEXT = {"name", "value-of", "emph", "dir", "span"}
_ALLOWED: dict[str, tuple[set[str], set[str]]] = {
    # element: (attributes, children)
    "schema": (
        {"schemaVersion", "defaultPhase", "queryBinding"},
        {"title", "p", "ns", "let", "phase", "pattern", "diagnostics"},
    ),
    "title": (set(), {"dir"}),
    "p": ({"class"}, {"dir", "emph", "span"}),
    "ns": ({"prefix", "uri"}, set()),
    "let": ({"name", "value", "as"}, set()),
    "phase": (set(), {"p", "let", "active"}),
    "active": ({"pattern"}, {"dir", "emph", "span"}),
    "pattern": ({"abstract", "is-a"}, {"title", "p", "let", "rule", "param"}),
    "param": ({"name", "value"}, set()),
    "rule": ({"abstract", "context", "role", "flag", "subject"}, {"p", "let", "assert", "report", "extends"}),
    "extends": ({"rule"}, set()),
    "assert": ({"test", "role", "flag", "subject", "diagnostics"}, _TEXT),
    "report": ({"test", "role", "flag", "subject", "diagnostics"}, _TEXT),
    "diagnostics": (set(), {"diagnostic"}),
    "diagnostic": (set(), _TEXT),
    "name": ({"path"}, set()),
    "value-of": ({"select"}, set()),
    "emph": (set(), set()),
    "dir": ({"value"}, set()),
    "span": ({"class"}, set()),
}
_REQUIRED = {
    "ns": ("prefix", "uri"),
    "let": ("name", "value"),
    "phase": ("id",),
    "active": ("pattern",),
    "param": ("name", "value"),
    "extends": ("rule",),
    "assert": ("test",),
    "report": ("test",),
    "diagnostic": ("id",),
    "value-of": ("select",),
}
_EXPRESSIONS = ("context", "test", "select", "path", "subject", "value")
# What a function of XSLT may be made of; everything that writes, reads or runs text as code is not among them.
_XSLT = {
    "analyze-string", "choose", "copy-of", "fallback", "for-each", "for-each-group", "function", "if", "key",
    "matching-substring", "non-matching-substring", "otherwise", "param", "perform-sort", "sequence", "sort", "text",
    "value-of", "variable", "when",
}  # fmt: skip
_TOP_LEVEL_XSLT = {"function", "key"}


@dataclass(frozen=True, slots=True)
class Node:
    """An element and the file that it stands in: includes bring several together."""

    element: etree._Element
    file: str

    @property
    def name(self) -> str:
        """Local name of an element of Schematron, Clark name of any other."""
        return str(self.element.tag).removeprefix(SCH)

    @property
    def place(self) -> Place:
        return Place(self.file, cast("int | None", self.element.sourceline) or 0)  # the stubs say float

    def get(self, attribute: str) -> str | None:
        value = self.element.get(attribute)
        return None if value is None else str(value)

    def need(self, attribute: str) -> str:
        """An attribute that `Files.check` has seen to be there."""
        return str(self.element.get(attribute))


class Files:
    """Reads the entry file and what it includes. `problems` collects what is wrong, with its place."""

    def __init__(self, resolve: Callable[[str], bytes] | None) -> None:
        self.problems: list[tuple[Place, str]] = []
        self._resolve = resolve
        self._included: dict[str, etree._Element | None] = {}

    def problem(self, node: Node, sentence: str) -> None:
        self.problems.append((node.place, sentence))

    def read(self, data: bytes, file: str) -> Node | None:
        """The root element, or None and a problem."""
        try:
            return Node(parse_schema(data), file)
        except etree.XMLSyntaxError as error:
            self.problems.append((Place(file, error.position[0] or 1), f"not well-formed: {error.msg}"))
            return None

    def children(self, node: Node, _within: tuple[str, ...] = ()) -> Iterator[Node]:
        """Child elements; an `include` is replaced by the element that it names."""
        for element in node.element:
            if isinstance(element.tag, str):
                yield from self._followed(Node(element, node.file), _within)

    def check(self, node: Node) -> None:
        """Refuse, by name, what is not known or not allowed here; the children too."""
        if node.name.startswith(XSL):
            self._check_xslt(node, _TOP_LEVEL_XSLT)
        elif node.name in _ALLOWED:
            self._check_attributes(node)
            self._check_children(node)
        elif node.element.tag == f"{SCH}{node.name}":
            self.problem(node, f"the element {node.name} is not supported")

    def _followed(self, node: Node, within: tuple[str, ...]) -> Iterator[Node]:
        if node.name != "include":
            yield node
            return
        href = node.get("href") or ""
        if href in (node.file, *within):
            self.problem(node, f"include of {href!r} leads back to itself")
        elif (included := self._include(node, href)) is not None:
            yield from self._followed(Node(included, href), (*within, href))

    def _include(self, node: Node, href: str) -> etree._Element | None:
        if href not in self._included:
            self._included[href] = self._read_included(node, href)
        return self._included[href]

    def _read_included(self, node: Node, href: str) -> etree._Element | None:
        if not re.fullmatch(r"\w[\w.\- ]*", href):
            self.problem(node, f"include of {href!r} is refused: only files of the same folder may be included")
            return None
        try:
            if self._resolve is None:
                raise KeyError(href)
            data = self._resolve(href)
        except (KeyError, OSError):
            self.problem(node, f"include of {href!r}: the file is not there")
            return None
        read = self.read(data, href)
        return None if read is None else read.element

    def _check_attributes(self, node: Node) -> None:
        allowed = _ALLOWED[node.name][0] | _INFORMATION
        for name in map(str, node.element.attrib):
            if name not in allowed and not name.startswith("{"):
                self.problem(node, f"the attribute {name} of {node.name} is not supported")
        for name in _REQUIRED.get(node.name, ()):
            if not (node.get(name) or "").strip():
                self.problem(node, f"{node.name} lacks the attribute {name}")
        for name in _EXPRESSIONS:
            self._check_expression(node, node.get(name) or "")

    def _check_children(self, node: Node) -> None:
        for child in self.children(node):
            ours = child.element.tag == f"{SCH}{child.name}"
            top_level_xslt = node.name == "schema" and child.name.startswith(XSL)
            if (ours and child.name in _ALLOWED and child.name not in _ALLOWED[node.name][1]) or (
                child.name.startswith(XSL) and not top_level_xslt
            ):
                self.problem(child, f"{_shown(child)} is not supported in {node.name}")
            else:
                self.check(child)

    def _check_xslt(self, node: Node, allowed: set[str]) -> None:
        if node.name.startswith(XSL) and node.name.removeprefix(XSL) not in allowed:
            self.problem(node, f"{_shown(node)} is not supported here")
        for attribute in node.element.attrib.values():
            self._check_expression(node, str(attribute))
        for child in self.children(node):
            self._check_xslt(child, _XSLT)

    def _check_expression(self, node: Node, expression: str) -> None:
        for function in forbidden_functions(expression):
            self.problem(node, f"the function {function}() reaches outside the message and is not allowed")


def _shown(node: Node) -> str:
    return "xsl:" + node.name.removeprefix(XSL) if node.name.startswith(XSL) else node.name

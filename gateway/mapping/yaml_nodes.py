"""YAML with positions: every value knows its file, line and column, so that every fault can be shown where it is.

Read by the YAML 1.2 core schema, not 1.1: only `true` and `false` are booleans, `01` and `2026-01-01` stay text. Keys
and codes are where 1.1 does silent harm (`no` → False, `0200` → 128).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from gateway.mapping.problems import Place, Problems
from xoev_schemas.findings import Text

Constant = str | int | float | bool

_INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_FLOAT = re.compile(r"-?(0|[1-9][0-9]*)\.[0-9]+([eE][-+]?[0-9]+)?")
_MAX_BYTES = 5_000_000
_MAX_DEPTH = 50
_MAX_NODES = 200_000
# libyaml's reader, where the package has it, is ten times as fast: packages are read at every start.
_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Scalar:
    """value: None stands for an empty value (`key:` or `null`). raw: as written, for codes."""

    place: Place
    value: Constant | None
    raw: str


@dataclass(frozen=True, slots=True)
class Items:
    place: Place
    nodes: tuple[YamlNode, ...]


@dataclass(frozen=True, slots=True)
class Members:
    """nodes: by key, keys always text, in the file's order. keys: where each key stands."""

    place: Place
    nodes: dict[str, YamlNode]
    keys: dict[str, Place] = field(default_factory=dict)


YamlNode = Scalar | Items | Members


def read_yaml(path: Path, problems: Problems) -> YamlNode | None:
    """The file as nodes, or None with the reason added to `problems` (missing, not YAML, doubled key, too large)."""
    try:
        data = path.read_bytes()
    except OSError:
        problems.add(Place(path), "config.missing_file", Text("Die Datei fehlt.", "the file does not exist."))
        return None
    if len(data) > _MAX_BYTES:
        problems.add(Place(path), "config.too_large", Text("Die Datei ist zu groß.", "the file is too large."))
        return None
    return parse_yaml(data, path, problems)


def parse_yaml(data: bytes | str, path: Path, problems: Problems) -> YamlNode | None:
    """Like `read_yaml`, for text already at hand; `path` only names it in findings."""
    try:
        root = yaml.compose(data, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Place(path, mark.line + 1, mark.column + 1) if mark else Place(path)
        problems.add(place, "config.not_yaml", Text("Die Datei ist kein YAML.", f"this is not YAML: {error.problem}."))
        return None
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError):
        problems.add(Place(path), "config.not_yaml", Text("Die Datei ist kein YAML.", "this is not YAML in UTF-8."))
        return None
    if root is None:
        problems.add(Place(path), "config.empty", Text("Die Datei ist leer.", "the file is empty."))
        return None
    return _Converter(path, problems).convert(root)


def plain(node: YamlNode) -> object:
    """The node without positions: str, int, float, bool, None, list, dict."""
    if isinstance(node, Scalar):
        return node.value
    if isinstance(node, Items):
        return [plain(item) for item in node.nodes]
    return {key: plain(value) for key, value in node.nodes.items()}


def find(node: YamlNode, location: tuple[str | int, ...]) -> Place:
    """Where the value at `location` (keys and 0-based indexes) stands; the nearest enclosing place if it is missing."""
    place = node.place
    for step in location:
        if isinstance(node, Members) and isinstance(step, str) and step in node.nodes:
            place, node = node.keys[step], node.nodes[step]
        elif isinstance(node, Items) and isinstance(step, int) and step < len(node.nodes):
            node = node.nodes[step]
            place = node.place
        else:
            break
    return place


class _Converter:
    """From PyYAML's nodes to ours. The budget ends aliases that contain themselves or multiply."""

    def __init__(self, path: Path, problems: Problems) -> None:
        self._path = path
        self._problems = problems
        self._budget = _MAX_NODES

    def convert(self, node: yaml.Node, depth: int = 0) -> YamlNode:
        place = self._place(node)
        self._budget -= 1
        if depth > _MAX_DEPTH or self._budget < 0:
            text = Text(
                "Die Datei ist zu tief oder zu groß geschachtelt.", "the file is nested too deeply or too widely."
            )
            self._problems.add(Place(self._path), "config.too_deep", text)
            return Scalar(place, None, "")
        if isinstance(node, yaml.SequenceNode):
            return Items(place, tuple(self.convert(item, depth + 1) for item in node.value if self._budget >= 0))
        if isinstance(node, yaml.MappingNode):
            return self._members(node, place, depth)
        if isinstance(node, yaml.ScalarNode):
            return Scalar(place, _constant(node), node.value)
        raise AssertionError("YAML has three kinds of nodes")

    def _members(self, node: yaml.MappingNode, place: Place, depth: int) -> Members:
        members = Members(place, {})
        for key_node, value_node in node.value:
            key_place = self._place(key_node)
            if not isinstance(key_node, yaml.ScalarNode):
                text = Text("Schlüssel müssen Text sein.", "a key must be text.")
                self._problems.add(key_place, "config.key", text)
            elif key_node.value in members.nodes:
                first = members.keys[key_node.value].line
                text = Text(
                    f"„{key_node.value}“ steht doppelt, zuerst in Zeile {first}.",
                    f"'{key_node.value}' stands here twice, first in line {first}.",
                )
                self._problems.add(key_place, "config.duplicate_key", text)
            elif self._budget >= 0:
                members.nodes[key_node.value] = self.convert(value_node, depth + 1)
                members.keys[key_node.value] = key_place
        return members

    def _place(self, node: yaml.Node) -> Place:
        return Place(self._path, node.start_mark.line + 1, node.start_mark.column + 1)


def _constant(node: yaml.ScalarNode) -> Constant | None:
    text: str = node.value
    if node.style:  # quoted or block: always text
        return text
    if text in ("", "~", "null"):
        return None
    if text in ("true", "false"):
        return text == "true"
    if _INTEGER.fullmatch(text):
        return int(text)
    return float(text) if _FLOAT.fullmatch(text) else text

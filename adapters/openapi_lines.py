"""The line of an OpenAPI document's text at which a fault stands."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from adapters.openapi import OpenApiUnusable

_MOST_REFERENCES = 40


def fault_line(file: Path, error: OpenApiUnusable) -> int | None:
    """From 1. Of a place that is not there the line of what is nearest above it; None if the file cannot be read."""
    if error.line is not None:
        return error.line
    try:
        # JSON is YAML, too.
        root = yaml.compose(file.read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    except (OSError, ValueError, yaml.YAMLError):
        return None
    if root is None:
        return None
    if error.reference is not None:
        return next((_line(node) for node in _references(root) if _is_named(node.value, error.reference)), None)
    return _line(_place(root, error.place)) if error.place else None


def _line(node: yaml.Node) -> int:
    return int(node.start_mark.line) + 1


def _place(root: yaml.Node, place: Sequence[str | int]) -> yaml.Node:
    """A member is found at its name, which also stands where its value has lines of its own."""
    found, current = root, root
    for step in place:
        current = _followed(root, current, str(step))
        if isinstance(current, yaml.SequenceNode) and str(step).isdigit() and int(step) < len(current.value):
            found = current = current.value[int(step)]
            continue
        pair = _member(current, str(step))
        if pair is None:
            return found
        found, current = pair
    return found


def _followed(root: yaml.Node, node: yaml.Node, step: str) -> yaml.Node:
    """Where the node refers to, if it does and has no such member itself."""
    for _ in range(_MOST_REFERENCES):
        pair = _member(node, "$ref")
        if pair is None or _member(node, step) is not None or not str(pair[1].value).startswith("#/"):
            break
        target = root
        for part in str(pair[1].value)[2:].split("/"):
            inner = _member(target, part.replace("~1", "/").replace("~0", "~"))
            if inner is None:
                return node
            target = inner[1]
        node = target
    return node


def _member(node: yaml.Node, name: str) -> tuple[yaml.Node, yaml.Node] | None:
    pairs = node.value if isinstance(node, yaml.MappingNode) else ()
    return next(((key, value) for key, value in pairs if key.value == name), None)


def _references(node: yaml.Node) -> Iterator[yaml.Node]:
    """Values of `$ref`, in the order of the document."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == "$ref" and isinstance(value, yaml.ScalarNode):
                yield value
            yield from _references(value)
    elif isinstance(node, yaml.SequenceNode):
        for item in node.value:
            yield from _references(item)


def _is_named(reference: str, words: str) -> bool:
    """Whether the words of a fault name this reference: as it is written, or a library's by its pointer."""
    return words in (reference, reference.removeprefix("#")) or bool(
        re.search(rf"'{re.escape(reference.removeprefix('#'))}'", words)
    )

"""From YAML to a condition. Faults go to `problems`; an unusable condition gives None."""

from __future__ import annotations

from collections.abc import Callable

from gateway.mapping.conditions import (
    Bound,
    Condition,
    Every,
    Matches,
    Measure,
    Not,
    OneOf,
    Present,
    SameAs,
    Some,
    measure,
    pattern_test,
)
from gateway.mapping.paths import Path
from gateway.mapping.pieces import read_boolean, read_constant, read_options, read_paths
from gateway.mapping.problems import Problems
from gateway.mapping.yaml_nodes import Items, Members, Scalar, YamlNode
from xoev_schemas.findings import Text

JOINTS = ("not", "all", "any")
"""What makes a condition of others."""
TESTS = ("equals", "in", "present", "matches", "at_least", "at_most")
"""What may be said of the value at `path`."""


def read_condition(node: YamlNode, problems: Problems) -> Condition | None:
    options = read_options(node, {"path", *TESTS, *JOINTS}, problems)
    if options is None:
        return None
    said = [name for name in options.nodes if name in (*TESTS, *JOINTS)]
    if len(said) != 1 or (said[0] in TESTS) is not ("path" in options.nodes):
        tests, joints = ", ".join(TESTS), ", ".join(JOINTS)
        text = Text(
            f"Eine Bedingung hat „path“ und genau eines von: {tests}; oder nur eines von: {joints}.",
            f"a condition takes 'path' and exactly one of {tests}; or nothing but one of {joints}.",
        )
        problems.add(node.place, "mapping.condition", text)
        return None
    if said[0] in JOINTS:
        return _joint(said[0], options.nodes[said[0]], problems)
    paths = read_paths(options.nodes["path"], problems)
    return _READERS[said[0]](options, paths, problems) if paths else None


def _joint(word: str, node: YamlNode, problems: Problems) -> Condition | None:
    if word == "not":
        part = read_condition(node, problems)
        return Not(part) if part else None
    if not isinstance(node, Items) or not node.nodes:
        text = Text(f"„{word}“ braucht eine Liste von Bedingungen.", f"'{word}' takes a list of conditions.")
        problems.add(node.place, "mapping.list", text)
        return None
    parts = [read_condition(item, problems) for item in node.nodes]
    usable = tuple(part for part in parts if part)
    if len(usable) < len(parts):
        return None
    return Every(usable) if word == "all" else Some(usable)


def _present(options: Members, paths: tuple[Path, ...], problems: Problems) -> Condition:
    return Present(options.place, paths, read_boolean(options.nodes["present"], problems))


def _equals(options: Members, paths: tuple[Path, ...], problems: Problems) -> Condition:
    value = options.nodes["equals"]
    other = _other(value, problems)
    if other is not None:
        return SameAs(options.place, paths, other)
    return OneOf(options.place, paths, (_comparable(value, problems),))


def _in(options: Members, paths: tuple[Path, ...], problems: Problems) -> Condition:
    values = options.nodes["in"]
    choices = values.nodes if isinstance(values, Items) else (values,)
    return OneOf(options.place, paths, tuple(_comparable(choice, problems) for choice in choices))


def _matches(options: Members, paths: tuple[Path, ...], problems: Problems) -> Condition | None:
    node = options.nodes["matches"]
    pattern = node.raw if isinstance(node, Scalar) else ""
    fits = pattern_test(pattern) if pattern else None
    if fits is None:
        text = Text(
            "Das ist kein regulärer Ausdruck, den das Gateway versteht.",
            "this is not a regular expression that the gateway understands.",
        )
        problems.add(node.place, "mapping.pattern", text)
        return None
    return Matches(options.place, paths, pattern, fits)


def _bound(word: str) -> Reader:
    def read(options: Members, paths: tuple[Path, ...], problems: Problems) -> Condition | None:
        node = options.nodes[word]
        limit: Measure | tuple[Path, ...] | None = _other(node, problems)
        if limit is None:
            limit = measure(node.raw) if isinstance(node, Scalar) else None
        if limit is None:
            text = Text(
                f"„{word}“ nimmt eine Zahl, ein Datum oder „path“.", f"'{word}' takes a number, a date, or 'path'."
            )
            problems.add(node.place, "mapping.bound", text)
            return None
        return Bound(options.place, paths, word == "at_least", limit)

    return read


def _other(node: YamlNode, problems: Problems) -> tuple[Path, ...] | None:
    """The paths of `{path: …}`; None where a constant stands."""
    if not isinstance(node, Members):
        return None
    options = read_options(node, {"path"}, problems)
    return read_paths(options.nodes["path"], problems) if options and "path" in options.nodes else None


def _comparable(node: YamlNode, problems: Problems) -> str | bool:
    if isinstance(node, Scalar) and node.value is not None:
        return node.value if isinstance(node.value, bool) else node.raw
    read_constant(node, problems)
    return ""


Reader = Callable[[Members, tuple[Path, ...], Problems], Condition | None]
_READERS: dict[str, Reader] = {
    "present": _present,
    "equals": _equals,
    "in": _in,
    "matches": _matches,
    "at_least": _bound("at_least"),
    "at_most": _bound("at_most"),
}

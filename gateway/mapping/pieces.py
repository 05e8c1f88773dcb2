"""The small pieces that mappings, conditions and rules are written of: paths, plain values, named options."""

from __future__ import annotations

from collections.abc import Collection

from gateway.mapping.paths import Path, PathError, parse_path
from gateway.mapping.problems import Problems
from gateway.mapping.values import Json
from gateway.mapping.yaml_nodes import Items, Members, Scalar, YamlNode
from xoev_schemas.findings import Text


def read_paths(node: YamlNode, problems: Problems) -> tuple[Path, ...]:
    """One path, or a list of them; without those that are none."""
    compiled: list[Path] = []
    for item in node.nodes if isinstance(node, Items) else (node,):
        source = item.value if isinstance(item, Scalar) else None
        try:
            compiled.append(parse_path(source if isinstance(source, str) else ""))
        except PathError as error:
            text = Text(f"Das ist kein Pfad. ({error})", f"this is not a path: {error}.")
            problems.add(item.place, "mapping.path", text)
    return tuple(compiled)


def read_constant(node: YamlNode, problems: Problems) -> Json:
    if isinstance(node, Scalar) and node.value is not None:
        return node.value
    text = Text("Hier muss ein Wert stehen.", "a value must stand here.")
    problems.add(node.place, "mapping.constant", text)
    return None


def read_boolean(node: YamlNode, problems: Problems) -> bool:
    if isinstance(node, Scalar) and isinstance(node.value, bool):
        return node.value
    problems.add(node.place, "mapping.boolean", Text("Hier steht true oder false.", "this is true or false."))
    return False


def read_number(node: YamlNode, most: int, problems: Problems) -> int:
    """A whole number from 0 to `most`; 0 with the reason added to `problems` if it is none."""
    value = node.value if isinstance(node, Scalar) else None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most:
        return value
    text = Text(f"Hier steht eine ganze Zahl von 0 bis {most}.", f"this is a whole number from 0 to {most}.")
    problems.add(node.place, "mapping.number", text)
    return 0


def read_options(node: YamlNode, known: Collection[str], problems: Problems) -> Members | None:
    """The node, if it has named options; one that is not among `known` is told."""
    if not isinstance(node, Members):
        text = Text("Hier müssen benannte Angaben stehen.", "named options must stand here.")
        problems.add(node.place, "mapping.options", text, allowed=", ".join(sorted(known)))
        return None
    for name, place in node.keys.items():
        if name not in known:
            problems.unknown(place, "mapping.unknown_option", Text("Die Angabe", "option"), name, known)
    return node

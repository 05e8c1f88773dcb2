"""Settings of one installation laid over the shipped `target.yaml` (`targets:` in `gateway.yaml`).

They become nodes of the same kind as the file's own, so that one reader judges both, and a fault is shown in the file
that it stands in.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from gateway.mapping.problems import Place, Problems
from gateway.mapping.yaml_nodes import Items, Members, Scalar, YamlNode, find, read_yaml

_VARIABLE = Place(Path("GATEWAY_TARGETS"))
"""Where that comes from which no file says."""
_MERGED = "retry"
"""The one key of which an installation may change a part; every other is replaced whole."""


def overlay(targets: Mapping[str, Mapping[str, Any]], file: Path | None) -> Members:
    """`targets` of the settings, as nodes. file: where they were read, None = from the environment alone."""
    written = read_yaml(file, Problems()) if file is not None else None
    node = _placed(targets, _below(written, "targets"))
    assert isinstance(node, Members)
    return node


def places_in(file: Path | None) -> Callable[[str, int], Place | None]:
    """Where entries of lists in the settings stand: in the file, or, where it wins, in an environment variable."""
    node = read_yaml(file, Problems()) if file is not None else None

    def place(setting: str, index: int) -> Place | None:
        variable = f"GATEWAY_{setting.upper()}"
        return Place(Path(variable)) if node is None or variable in os.environ else find(node, (setting, index))

    return place


def laid_over(own: Members, changes: Members) -> Members:
    """The target's own settings with those of the installation in their place."""
    nodes = {**own.nodes, **changes.nodes}
    theirs, ours = own.nodes.get(_MERGED), changes.nodes.get(_MERGED)
    if isinstance(theirs, Members) and isinstance(ours, Members):
        nodes[_MERGED] = replace(ours, nodes={**theirs.nodes, **ours.nodes}, keys={**theirs.keys, **ours.keys})
    return replace(own, nodes=nodes, keys={**own.keys, **changes.keys})


def _placed(value: Any, written: YamlNode | None) -> YamlNode:
    """written: what the file has here, None = nothing."""
    place = written.place if written is not None else _VARIABLE
    if isinstance(value, Mapping):
        nodes = {str(name): _placed(inner, _below(written, name)) for name, inner in value.items()}
        known = written.keys if isinstance(written, Members) else {}
        return Members(place, nodes, {name: known.get(name, _VARIABLE) for name in nodes})
    if isinstance(value, list | tuple):
        return Items(place, tuple(_placed(inner, _below(written, index)) for index, inner in enumerate(value)))
    return Scalar(place, value, str(value))


def _below(node: YamlNode | None, step: Any) -> YamlNode | None:
    if isinstance(node, Members):
        return node.nodes.get(str(step))
    if isinstance(node, Items) and isinstance(step, int) and step < len(node.nodes):
        return node.nodes[step]
    return None

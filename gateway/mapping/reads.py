"""Which places of a source a mapping looks at, and which values it tells apart there."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.mapping.check import follow
from gateway.mapping.conditions import Condition, OneOf, leaves, other_paths
from gateway.mapping.language import CompiledMapping, Each, Read, Template, children
from gateway.mapping.nodes import scalar_text
from gateway.mapping.paths import Equals, Path
from gateway.mapping.shapes import SchemaModel

Steps = tuple[str, ...]


def reads(mapping: CompiledMapping, model: SchemaModel) -> dict[Steps, tuple[str, ...]]:
    """Place → the texts that the mapping compares it with; in the order of the mapping. Attributes are left out."""
    looking = _Looking(model)
    looking.template(mapping.root, ((),))
    return {place: tuple(texts) for place, texts in looking.found.items()}


class _Looking:
    def __init__(self, model: SchemaModel) -> None:
        self.found: dict[Steps, dict[str, None]] = {}
        self._model = model

    def template(self, template: Template, start: tuple[Steps, ...]) -> None:
        if template.common.when is not None:
            self._condition(template.common.when, start)
        if isinstance(template, Read):
            for path in template.paths:
                self._path(path, start, template.codes or ())
        elif isinstance(template, Each):
            self.template(template.make, self._path(template.path, start))
        else:
            for child in children(template):
                self.template(child, start)

    def _condition(self, condition: Condition, start: tuple[Steps, ...]) -> None:
        for leaf in leaves(condition):
            compared = [scalar_text(value) for value in leaf.allowed] if isinstance(leaf, OneOf) else []
            for path in leaf.paths:
                self._path(path, start, compared)
            for path in other_paths(leaf):
                self._path(path, start)

    def _path(self, path: Path, start: tuple[Steps, ...], texts: Iterable[str] = ()) -> tuple[Steps, ...]:
        """Where it leads; what its predicates look at is looked at too."""
        for end, step in enumerate(path.steps, start=1):
            for rule in step.filters:
                if isinstance(rule, Equals):
                    here = follow(Path(path.source, path.steps[:end], path.absolute), start, self._model).places
                    self._path(rule.path, here, [rule.value])
        reached = follow(path, start, self._model)
        if reached.missing or reached.unknown:
            return ()
        for place in reached.places:
            if not any(name.startswith("@") for name in place):
                self.found.setdefault(place, {}).update(dict.fromkeys(texts))
        return reached.places

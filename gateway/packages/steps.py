"""The calls of a delivery that takes several: which there are for a case, and what each of them reads. Pure.

The request of a step, and its `when`, read the case with two members more: `steps/NAME/…`, what the answers to earlier
steps said (a list, where a step is made once per attachment), and, where the step itself is, `attachment`: the one it
is for, with its `number`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from gateway.mapping.conditions import Present, leaves
from gateway.mapping.shapes import SchemaModel, SchemaNode, Shape
from gateway.packages.model import Step, Target

Results = Mapping[str, Mapping[str, str]]
"""Call (`find-file`, `attach.2`) → what its answer said."""


def calls_of(target: Target, case: Mapping[str, Any]) -> Iterator[Target]:
    """One step for this case: itself, or once for each attachment."""
    step = target.step
    if step is None or not step.each:
        yield target
        return
    for number, _ in enumerate(case.get("attachments", ()), 1):
        yield replace(target, step=replace(step, number=number))


def seen_by(target: Target, case: Mapping[str, Any], results: Results) -> dict[str, Any]:
    """The case as a call reads it; as it is, where the target takes one call."""
    if target.step is None:
        return dict(case)
    told = {step.name: said for step in target.step.before if (said := _said(step, results))}
    seen = {**case, "steps": told}
    if number := target.step.number:
        seen["attachment"] = {**case["attachments"][number - 1], "number": number}
    return seen


def _said(step: Step, results: Results) -> Any:
    if not step.each:
        return results.get(step.name)
    ours = sorted((int(call.partition(".")[2]), call) for call in results if call.startswith(f"{step.name}."))
    return [results[call] for _, call in ours]


def examples_of(target: Target, case: Mapping[str, Any]) -> Iterator[tuple[Target, dict[str, Any]]]:
    """The calls that a step makes for this case, with what they would read: for everything that only the target can
    tell there is a text that says so, but for what the step wants to be absent.
    """
    step = target.step
    if step is None:
        yield target, dict(case)
        return
    count = len(case.get("attachments", ()))
    results: dict[str, dict[str, str]] = {}
    for earlier in step.before:
        for number in range(1, count + 1) if earlier.each else (0,):
            call = replace(earlier, number=number).call
            results[call] = {name: f"{call}.{name}" for name in earlier.tells}
    for name, told in _unwanted(target):
        results.get(name, {}).pop(told, None)
    for one in calls_of(target, case):
        yield one, seen_by(one, case, results)


class StepModel:
    """The case as a step reads it, for `gateway check`. case: as every request reads it."""

    def __init__(self, case: SchemaModel, step: Step) -> None:
        self._case = case
        self._step = step
        self._before = {earlier.name: earlier for earlier in step.before}

    def children(self, path: tuple[str, ...]) -> Mapping[str, SchemaNode] | None:
        match path:
            case ():
                mine = {"steps": Shape("steps", kind="group")}
                if self._step.each:
                    mine["attachment"] = Shape("attachment", 1, kind="group")
                return {**(self._case.children(()) or {}), **mine}
            case ("steps",):
                return {n: Shape(n, 0, None if s.each else 1, "group") for n, s in self._before.items()}
            case ("steps", name):
                return {told: Shape(told) for told in self._before[name].tells} if name in self._before else {}
            case ("steps", *_):
                return {}
            case ("attachment", *below) if self._step.each:
                found = self._case.children(("attachments", *below))
                return found if below or found is None else {**found, "number": Shape("number", 1)}
            case _:
                return self._case.children(path)


def _unwanted(target: Target) -> Iterator[tuple[str, str]]:
    """What the answers of earlier steps must not have said for this one to be made: step and name."""
    for leaf in leaves(target.when) if target.when is not None else ():
        if isinstance(leaf, Present) and not leaf.present:
            for path in leaf.paths:
                names = [step.name for step in path.steps]
                if len(names) == 3 and names[0] == "steps":
                    yield names[1], names[2]

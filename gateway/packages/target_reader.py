"""`target.yaml` → one target, with what it is for kinds of submissions and for each of its steps. Faults go to
`problems`; an unusable file gives None.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from adapters.base import TargetConfig
from adapters.settings import keys_of
from gateway.mapping.condition_reader import read_condition
from gateway.mapping.language import CompiledMapping
from gateway.mapping.problems import Place, Problems
from gateway.mapping.reader import read_mapping
from gateway.mapping.yaml_nodes import Items, Members, Scalar, YamlNode, find, read_yaml
from gateway.packages.forms import StepForm, TargetForm, read_form, suspicious
from gateway.packages.kinds import KINDS, Requests, kind_of, requests_for
from gateway.packages.model import RetryPolicy, Step, Target
from gateway.packages.overlays import laid_over
from gateway.packages.readers import mapping_in, resolved
from gateway.submission import Kind
from xoev_schemas.findings import Text

if TYPE_CHECKING:
    from xoev_schemas.registry import Registry

_OF_A_STEP = ("request", "references", "key", "repeatable", "probe")
"""Keys that stand in each step, where there are steps: they say what one call sends and what its answer means."""
_OF_THE_WHOLE = ("department", "retry", "hours", "accepts_test", "kinds", "steps")
"""Keys that cannot differ between the steps of one delivery."""


def read_target(
    name: str,
    file: Path,
    services: Collection[str],
    registry: Registry,
    problems: Problems,
    changes: YamlNode | None = None,
) -> Target | None:
    """services: names that a `request-SERVICE.yaml` may be for. changes: the installation's settings for it."""
    node = read_yaml(file, problems)
    if isinstance(node, Members) and isinstance(changes, Members):
        node = laid_over(node, changes)
    foreign = _foreign(node, problems) if isinstance(node, Members) else []
    form = read_form(TargetForm, node, problems, without=["when", *foreign]) if node is not None else None
    if form is None or not isinstance(node, Members):
        return None
    target = _target(name, file, node, form, foreign, problems)
    target, general = _called(target, node, services, registry, problems), {}
    if not target.steps:
        general = _requests(form, node, file.parent, services, registry, problems)
    kinds = _kinds(target, node, form, general, services, registry, problems)
    return replace(target, requests=general, kinds=kinds)


def _target(
    name: str, file: Path, node: Members, form: TargetForm, foreign: Collection[str], problems: Problems
) -> Target:
    """What the file says, still without requests."""
    # `repeatable` concerns both: the gateway decides with it, an adapter may have to handle connections accordingly.
    shared = [key for key in ("repeatable",) if key in node.nodes]
    settings = {key: resolved(node.nodes[key], problems) for key in (*foreign, *shared)}
    probe = resolved(node.nodes["probe"], problems) if form.probe is not None else None
    return Target(
        name=name,
        adapter=form.adapter,
        config=TargetConfig(name, str(file.parent), settings, form.references, form.key, probe, form.timeout),
        retry=_retry(form),
        hours=form.hours,
        repeatable=form.repeatable,
        has_probe=form.probe is not None,
        accepts_test=form.accepts_test,
        department=form.department,
        when=read_condition(node.nodes["when"], problems) if "when" in node.nodes else None,
        folder=file.parent,
        requests={},
        source=node,
    )


def _kinds(
    target: Target,
    node: Members,
    form: TargetForm,
    general: Requests,
    services: Collection[str],
    registry: Registry,
    problems: Problems,
) -> dict[Kind, Target | None]:
    """The target as it is for single kinds: those that `kinds` names, and those that have a request file by name."""
    own: dict[Kind, dict[str, CompiledMapping]] = {}
    for file in sorted(target.folder.glob("request-*.yaml")):
        if (of := kind_of(file, services)) and (mapping := read_mapping(file, "request", problems, registry)):
            own.setdefault(of[1], {})[of[0]] = mapping
    made: dict[Kind, Target | None] = {}
    for kind in (kind for kind in KINDS if kind in form.kinds or kind in own):
        if form.kinds.get(kind) == "skip":
            made[kind] = None
            continue
        changes = _said_of(node, kind)
        laid = _without_kinds(laid_over(node, changes) if isinstance(changes, Members) else node)
        foreign = _foreign(laid, problems)
        its_form = read_form(TargetForm, laid, problems, without=["when", *foreign])
        if its_form is None:
            continue
        files = own.get(kind, {})
        if isinstance(changes, Members) and "request" in changes.nodes:
            place = changes.nodes["request"].place
            if mapping := mapping_in(target.folder, its_form.request, "request", place, problems, registry):
                files[""] = mapping
        its = _target(target.name, target.folder / "target.yaml", laid, its_form, foreign, problems)
        its = _called(replace(its, kind=kind), laid, services, registry, problems)
        requests = {} if its.steps else requests_for(files, general, declared=kind in form.kinds)
        made[kind] = replace(its, requests=requests)
    return made


def _said_of(node: Members, kind: Kind) -> YamlNode | None:
    kinds = node.nodes.get("kinds")
    return kinds.nodes.get(kind) if isinstance(kinds, Members) else None


def _without_kinds(node: Members) -> Members:
    return replace(node, nodes={name: inner for name, inner in node.nodes.items() if name != "kinds"})


def _foreign(node: Members, problems: Problems) -> list[str]:
    """Keys that belong to the adapter. One that looks like a slip of ours is refused: it would silently do nothing."""
    foreign = [key for key in node.nodes if key not in {*keys_of(TargetForm), "when"}]
    for key in foreign:
        if meant := suspicious(key):
            text = Text(f"„{key}“ gibt es hier nicht.", f"there is no '{key}' here.")
            remedy = Text(f"Meinten Sie „{meant}“?", f"Did you mean '{meant}'?")
            problems.add(node.keys[key], "config.unknown_key", text, remedy=remedy)
    return foreign


# ------------------------------------------------------------------------------------------------------------- steps


def _called(target: Target, node: Members, services: Collection[str], registry: Registry, problems: Problems) -> Target:
    """With its steps, where it has some."""
    listed = node.nodes.get("steps")
    if not isinstance(listed, Items):
        return target
    for key in (key for key in _OF_A_STEP if key in node.nodes):
        text = Text(f"„{key}“ steht bei „steps“ in jedem Schritt.", f"with `steps`, '{key}' stands in each of them.")
        problems.add(node.keys[key], "config.beside_steps", text)
    for file in sorted(target.folder.glob("request*.yaml")):
        text = Text(
            f"{file.name} wird nicht gebraucht: Jeder Schritt hat seine Anfrage.",
            f"{file.name} is not used: each step has its own request.",
        )
        problems.add(Place(file), "config.beside_steps", text)
    steps: list[Target] = []
    for step in listed.nodes:
        before = tuple(one.step for one in steps if one.step)
        made = _step(target, node, step, before, services, registry, problems)
        if made is not None:
            steps.append(made)
    return replace(target, steps=tuple(steps))


def _step(
    target: Target,
    node: Members,
    said: YamlNode,
    before: tuple[Step, ...],
    services: Collection[str],
    registry: Registry,
    problems: Problems,
) -> Target | None:
    """The target as it is for one call. node: its file; said: the entry of `steps`."""
    own = set(keys_of(StepForm))
    others = set(said.nodes) - own if isinstance(said, Members) else ()
    step = read_form(StepForm, said, problems, without=others)
    if step is None or not isinstance(said, Members):
        return None
    if any(step.name == earlier.name for earlier in before):
        text = Text(f"Den Schritt „{step.name}“ gibt es schon.", f"there is a step '{step.name}' already.")
        problems.add(find(said, ("name",)), "config.duplicate_key", text)
    for key in (key for key in _OF_THE_WHOLE if key in said.nodes):
        text = Text(f"„{key}“ gilt für alle Schritte.", f"'{key}' holds for all steps.")
        problems.add(said.keys[key], "config.beside_steps", text)
    laid = _laid_over_target(node, said, step)
    foreign = _foreign(laid, problems)
    form = read_form(TargetForm, laid, problems, without=["when", *foreign])
    if form is None:
        return None
    made = _target(target.name, target.folder / "target.yaml", laid, form, foreign, problems)
    references = _names(said.nodes.get("references"))
    place = find(said, ("request",) if "request" in said.nodes else ("name",))
    mapping = mapping_in(target.folder, form.request, "request", place, problems, registry)
    return replace(
        made,
        kind=target.kind,
        step=Step(step.name, step.each is not None, tuple(form.references), references, before),
        requests={"": mapping} if mapping is not None else {},
    )


def _laid_over_target(node: Members, said: Members, step: StepForm) -> Members:
    """The settings of the target with those of the step in their place; what the step wants of the answer counts as
    references of this one call.
    """
    left_out = ("steps", "kinds", "when", *_OF_A_STEP)
    shared = {key: inner for key, inner in node.nodes.items() if key not in left_out}
    nodes = {**shared, **{key: inner for key, inner in said.nodes.items() if key not in keys_of(StepForm)}}
    keys = {**node.keys, **said.keys}
    if "request" not in nodes:
        nodes["request"] = Scalar(keys["name"], f"{step.name}.yaml", f"{step.name}.yaml")
        keys["request"] = keys["name"]
    told = [one for name in ("references", "result") if isinstance(one := said.nodes.get(name), Members)]
    if told:
        nodes["references"] = replace(
            told[0],
            nodes={name: inner for one in told for name, inner in one.nodes.items()},
            keys={name: place for one in told for name, place in one.keys.items()},
        )
        keys["references"] = told[0].place
    return Members(said.place, nodes, keys)


def _names(node: YamlNode | None) -> tuple[str, ...]:
    return tuple(node.nodes) if isinstance(node, Members) else ()


# ------------------------------------------------------------------------------------------------------------ settings


def _retry(form: TargetForm) -> RetryPolicy:
    if form.retry is None:
        return RetryPolicy()
    return RetryPolicy(
        delays=tuple(form.retry.delays),
        give_up_after=form.retry.give_up_after,
        per_second=form.retry.per_second,
        parallel=form.retry.parallel,
    )


def _requests(
    form: TargetForm,
    node: Members,
    folder: Path,
    services: Collection[str],
    registry: Registry,
    problems: Problems,
) -> dict[str, CompiledMapping]:
    """`request.yaml` (key `""`) for every service, `request-SERVICE.yaml` for one."""
    found: dict[str, CompiledMapping | None] = {}
    special = [file for file in sorted(folder.glob("request-*.yaml")) if not kind_of(file, services)]
    if "request" in node.nodes or (folder / form.request).is_file() or not special:
        found[""] = mapping_in(folder, form.request, "request", find(node, ("request",)), problems, registry)
    for file in special:
        if file.name in _named_by_kinds(form):
            continue
        service = file.stem.removeprefix("request-")
        if service in services:
            found[service] = read_mapping(file, "request", problems, registry)
        else:
            problems.unknown(Place(file), "config.unknown_service", Text("Die Leistung", "service"), service, services)
    return {service: mapping for service, mapping in found.items() if mapping is not None}


def _named_by_kinds(form: TargetForm) -> set[str]:
    settings = (said for said in form.kinds.values() if said != "skip")
    return {str(said["request"]) for said in settings if "request" in said}

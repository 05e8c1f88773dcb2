"""One package file → one service, target or client. Faults go to `problems`; an unusable file gives None."""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from adapters.base import TargetConfig
from adapters.settings import keys_of
from gateway.attachments.rules import AttachmentRules
from gateway.errors import ConfigurationError
from gateway.mapping.condition_reader import read_condition
from gateway.mapping.language import CompiledMapping
from gateway.mapping.problems import Place, Problems, nearest
from gateway.mapping.reader import read_mapping
from gateway.mapping.rules import RuleSet
from gateway.mapping.yaml_nodes import Members, YamlNode, find, plain, read_yaml
from gateway.packages.forms import CHANNELS, ClientForm, ServiceForm, TargetForm, read_form, suspicious
from gateway.packages.kinds import KINDS, Requests, kind_of, requests_for
from gateway.packages.model import (
    Accepts,
    Client,
    Contact,
    Keep,
    Law,
    OnInvalid,
    Requires,
    RetryPolicy,
    Service,
    Statutory,
    Target,
)
from gateway.packages.overlays import laid_over
from gateway.packages.rule_files import read_rules
from gateway.packages.schema_names import explain_missing
from gateway.settings import resolve_references
from gateway.submission import Kind
from xoev_schemas.findings import Text

if TYPE_CHECKING:
    from xoev_schemas.registry import Registry

_FORMS = ("service.yaml", "target.yaml")
"""Files of a package that no setting names."""


def read_service(name: str, file: Path, registry: Registry, problems: Problems) -> tuple[Service, Members] | None:
    """The service (its version still empty) and its file, for faults that only show later."""
    node = read_yaml(file, problems)
    form = read_form(ServiceForm, node, problems) if node is not None else None
    if form is None or not isinstance(node, Members):
        return None
    accepts = _accepts(form, node, file.parent, registry, problems)
    schema, validator = _data_schema(file.parent / "data.schema.json", problems)
    missing = [explain_missing(entry.schema, registry).reason for entry in accepts if entry.ref is None]
    statutory = form.statutory
    service = Service(
        name=name,
        title=form.title,
        identifiers=tuple(form.identifiers),
        department=form.department,
        regions=tuple(form.regions),
        addressees={channel: tuple(ids) for channel, ids in form.addressees.items()},
        accepts=accepts,
        on_invalid=_on_invalid(form),
        requires=Requires(form.requires.trust_level, form.requires.payment),
        law=Law(form.law.regime, form.law.secrecy),
        transport_within=form.transport_within.fixed if form.transport_within else None,
        statutory=Statutory(statutory.duration, statutory.starts, statutory.basis) if statutory else None,
        cutoff=form.cutoff,
        contact=Contact(**form.contact.model_dump()) if form.contact else None,
        targets=tuple(form.targets),
        keep=Keep(form.keep.delivered, form.keep.discarded),
        folder=file.parent,
        version="",
        inactive=" · ".join(missing) if len(missing) == len(accepts) else None,
        test_messages=form.test_messages,
        attachments=AttachmentRules(
            tuple(form.attachments.allow), form.attachments.max_bytes, form.attachments.max_count
        ),
        data_schema=schema,
        data_validator=validator,
    )
    return service, node


def _on_invalid(form: ServiceForm) -> dict[str, OnInvalid]:
    """Only where the portal still holds the form and learns it at once may an error mean refusal by default."""
    chosen: dict[str, OnInvalid] = {channel: "reject" if channel == "rest" else "clarify" for channel in CHANNELS}
    chosen.update({str(channel): decision for channel, decision in form.on_invalid.items()})
    return chosen


def _accepts(
    form: ServiceForm, node: Members, folder: Path, registry: Registry, problems: Problems
) -> tuple[Accepts, ...]:
    entries: list[Accepts] = []
    compiled: dict[str, CompiledMapping | None] = {}
    rules: dict[str, RuleSet | None] = {}
    for index, entry in enumerate(form.accepts):
        name = entry.mapping
        if name not in compiled:
            place = find(node, ("accepts", index, "mapping"))
            runs = any(other.mapping == name and registry.find(other.schema_) for other in form.accepts)
            compiled[name] = _mapping(folder, name, "case", place, problems, registry if runs else None)
        if entry.rules and entry.rules not in rules:
            rules[entry.rules] = _rules(folder, entry.rules, find(node, ("accepts", index, "rules")), problems)
        mapping = compiled[name]
        if mapping is not None:
            line = find(node, ("accepts", index, "schema")).line
            ref, own = registry.find(entry.schema_), rules[entry.rules] if entry.rules else None
            entries.append(Accepts(entry.schema_, name, entry.from_, mapping, ref, line, own, entry.kind))
    return tuple(entries)


def _mapping(
    folder: Path, name: str, kind: str, place: Place, problems: Problems, registry: Registry | None
) -> CompiledMapping | None:
    """place: where the file is named. registry: None where no schema that the mapping reads is installed."""
    return read_mapping(folder / name, kind, problems, registry) if _is_there(folder, name, place, problems) else None


def _rules(folder: Path, name: str, place: Place, problems: Problems) -> RuleSet | None:
    return read_rules(folder / name, problems) if _is_there(folder, name, place, problems) else None


def _is_there(folder: Path, name: str, place: Place, problems: Problems) -> bool:
    if Path(name).name == name and (folder / name).is_file():
        return True
    known = sorted(found.stem for found in folder.glob("*.yaml") if found.name not in _FORMS)
    meant = nearest(Path(name).stem, known)
    text = Text(f"Die Datei „{name}“ gibt es hier nicht.", f"there is no file '{name}' here.")
    remedy = Text(f"Meinten Sie „{meant}.yaml“?", f"Did you mean '{meant}.yaml'?") if meant else None
    allowed = ", ".join(f"{stem}.yaml" for stem in known) or None
    problems.add(place, "config.missing_file", text, remedy=remedy, allowed=allowed)
    return False


def _data_schema(file: Path, problems: Problems) -> tuple[Mapping[str, Any] | None, Any]:
    if not file.is_file():
        return None, None
    try:
        schema = json.loads(file.read_bytes())
        return schema, jsonschema_rs.validator_for(schema, validate_formats=True)
    except (ValueError, jsonschema_rs.ValidationError) as error:
        line = error.lineno if isinstance(error, json.JSONDecodeError) else None
        text = Text("Das ist kein gültiges JSON-Schema.", "this is not a valid JSON Schema.")
        problems.add(Place(file, line), "config.data_schema", text)
        return None, None


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
    general = _requests(form, node, file.parent, services, registry, problems)
    kinds = _kinds(target, node, form, general, services, registry, problems)
    return replace(target, requests=general, kinds=kinds)


def _target(
    name: str, file: Path, node: Members, form: TargetForm, foreign: Collection[str], problems: Problems
) -> Target:
    """What the file says, still without requests."""
    # `repeatable` concerns both: the gateway decides with it, an adapter may have to handle connections accordingly.
    shared = [key for key in ("repeatable",) if key in node.nodes]
    settings = {key: _resolved(node.nodes[key], problems) for key in (*foreign, *shared)}
    probe = _resolved(node.nodes["probe"], problems) if form.probe is not None else None
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
            if mapping := _mapping(target.folder, its_form.request, "request", place, problems, registry):
                files[""] = mapping
        its = _target(target.name, target.folder / "target.yaml", laid, its_form, foreign, problems)
        requests = requests_for(files, general, declared=kind in form.kinds)
        made[kind] = replace(its, kind=kind, requests=requests)
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
        found[""] = _mapping(folder, form.request, "request", find(node, ("request",)), problems, registry)
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


def read_client(name: str, file: Path, problems: Problems) -> Client | None:
    node = read_yaml(file, problems)
    form = read_form(ClientForm, node, problems) if node is not None else None
    if form is None or not isinstance(node, Members):
        return None
    services: tuple[str, ...] | None = ()
    if form.kind == "portal":
        services = tuple(form.services) if isinstance(form.services, list) else None
    return Client(
        name=name,
        kind=form.kind,
        issuer=form.issuer,
        client_id=form.client_id,
        certificate_sha256=form.certificate.sha256 if form.certificate else None,
        services=services,
        department=form.department,
        secret_scrypt=_resolved(node.nodes["secret_scrypt"], problems) if form.secret_scrypt else None,
        source=node,
    )


def _resolved(node: YamlNode, problems: Problems) -> Any:
    """A setting with its `${file:…}` and `${env:…}` filled in."""
    try:
        return resolve_references(plain(node))
    except ConfigurationError as error:
        place = node.place
        for finding in error.findings:
            # There the reference is the finding's path, because the file is unknown; here it is known.
            text = Text(f"{finding.path} {finding.text.de}.", f"{finding.path} {finding.text.en}.")
            placed = replace(finding, path=str(place.file), line=place.line, column=place.column, text=text)
            problems.findings.append(placed)
        return None

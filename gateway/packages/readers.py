"""One package file → one service or client. Faults go to `problems`; an unusable file gives None.

What a target is, is read by `gateway.packages.target_reader`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jsonschema_rs

from gateway.attachments.rules import AttachmentRules
from gateway.errors import ConfigurationError
from gateway.mapping.language import CompiledMapping
from gateway.mapping.problems import Place, Problems, nearest
from gateway.mapping.reader import read_mapping
from gateway.mapping.rules import RuleSet
from gateway.mapping.yaml_nodes import Members, YamlNode, find, plain, read_yaml
from gateway.packages.forms import CHANNELS, ClientForm, ServiceForm, read_form
from gateway.packages.model import (
    Accepts,
    Client,
    Contact,
    Keep,
    Law,
    OnInvalid,
    Requires,
    Service,
    Statutory,
)
from gateway.packages.rule_files import read_rules
from gateway.packages.schema_names import explain_missing
from gateway.settings import resolve_references
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
            compiled[name] = mapping_in(folder, name, "case", place, problems, registry if runs else None)
        if entry.rules and entry.rules not in rules:
            rules[entry.rules] = _rules(folder, entry.rules, find(node, ("accepts", index, "rules")), problems)
        mapping = compiled[name]
        if mapping is not None:
            line = find(node, ("accepts", index, "schema")).line
            ref, own = registry.find(entry.schema_), rules[entry.rules] if entry.rules else None
            entries.append(Accepts(entry.schema_, name, entry.from_, mapping, ref, line, own, entry.kind))
    return tuple(entries)


def mapping_in(
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
        secret_scrypt=resolved(node.nodes["secret_scrypt"], problems) if form.secret_scrypt else None,
        source=node,
    )


def resolved(node: YamlNode, problems: Problems) -> Any:
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

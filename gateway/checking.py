"""Proves packages without network or running parts: paths, members, duties, adapters, samples; and who learns what."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from adapters.base import Adapter, TargetConfig
from adapters.registry import AdapterUnknown
from gateway.case import case_schema
from gateway.mapping.check import certain_rules, check_paths, check_shape
from gateway.mapping.language import CompiledMapping
from gateway.mapping.shapes import CaseModel, FieldsModel, SchemaModel, TemplateModel
from gateway.packages.recipients import recipients
from gateway.packages.samples import SampleResult, run_samples, sample_envelope
from gateway.services import Accepts, Packages, Service, Target
from xoev_schemas.findings import Finding, Text
from xoev_schemas.model import json_model
from xoev_schemas.registry import Registry

__all__ = ["AdapterLoader", "SampleResult", "check_packages", "recipients", "run_samples", "sample_envelope"]

AdapterLoader = Callable[[str], Callable[[TargetConfig], Adapter]]
"""Name → factory, as `adapters.registry.load_adapter`."""

ENVELOPE = frozenset(
    {"schemaVersion", "submissionId", "caseId", "service", "kind", "receivedAt", "test", "provenance", "attachments"}
)
"""Members of a case that the gateway fills itself (`gateway.case.envelope`)."""


def check_packages(packages: Packages, registry: Registry, load_adapter: AdapterLoader) -> list[Finding]:
    """Everything that can be said about the packages in use. No error among the findings = they fit together."""
    findings: list[Finding] = []
    adapters = {name: _adapter(target, load_adapter, findings) for name, target in packages.targets.items()}
    for service in packages.services.values():
        if service.inactive is not None:
            findings.append(_inactive(service))
            continue
        findings += _check_cases(service, registry)
        for target in (packages.targets[name] for name in service.targets):
            findings += _check_request(service, target, adapters[target.name])
        findings += [_sample_finding(service, result) for result in run_samples(service, registry) if not result.ok]
    return list(dict.fromkeys(findings))


def _check_cases(service: Service, registry: Registry) -> Iterator[Finding]:
    for accepts in service.accepts:
        if accepts.ref is None:
            continue
        mapping, model = accepts.compiled, _model(accepts, registry)
        if model is None:
            yield _without_model(service, accepts)
        else:
            yield from check_paths(mapping, model, accepts.schema)
        certain = certain_rules(mapping, model) if model is not None else frozenset()
        yield from check_shape(mapping, case_model(service), "case.schema.json", certain, ENVELOPE)


def case_model(service: Service) -> CaseModel:
    """What a case of this service can hold: the schema, and `data` as the package describes or else makes it."""
    if service.data_schema is not None:
        return CaseModel(case_schema(), json_model(service.data_schema))
    made = [accepts.compiled.root.members.get("data") for accepts in service.accepts]
    return CaseModel(case_schema(), TemplateModel(template for template in made if template is not None))


def _model(accepts: Accepts, registry: Registry) -> SchemaModel | None:
    try:
        return registry.model(accepts.ref) if accepts.ref is not None else None
    except (KeyError, ValueError):
        return None


def _check_request(service: Service, target: Target, adapter: Adapter | None) -> Iterator[Finding]:
    mapping: CompiledMapping | None = target.request_for(service.name)
    if mapping is None:
        return
    case = case_model(service)
    yield from check_paths(mapping, case, f"case ({service.name})")
    fields = adapter.required_fields() if adapter is not None else None
    if fields is not None:
        model = FieldsModel(fields, _filled_by_adapter(target))
        yield from check_shape(mapping, model, target.name, certain_rules(mapping, case))


def _filled_by_adapter(target: Target) -> list[str]:
    """Fields that the adapter puts in: `key: $.Vorgang.FremdId`, `repeat_mark: …`."""
    named = [target.config.key, target.config.settings.get("repeat_mark")]
    return [path.removeprefix("$.") for path in named if isinstance(path, str)]


def _adapter(target: Target, load_adapter: AdapterLoader, findings: list[Finding]) -> Adapter | None:
    try:
        adapter = load_adapter(target.adapter)(target.config)
    except AdapterUnknown as error:
        text = Text(f"Den Adapter „{target.adapter}“ gibt es hier nicht.", f"{error}")
        findings.append(Finding("config.unknown_adapter", "error", "service", text, path=_file(target)))
        return None
    # An adapter knows its settings, not the file they come from.
    findings += [f if f.path else replace(f, path=_file(target)) for f in adapter.check()]
    return adapter


def _file(target: Target) -> str:
    return str(target.folder / "target.yaml")


def _inactive(service: Service) -> Finding:
    return Finding(
        "service.inactive",
        "info",
        "service",
        Text(
            f"Die Leistung „{service.name}“ ruht: Ihr Schema ist nicht installiert.",
            f"the service '{service.name}' is inactive: {service.inactive}.",
        ),
        path=str(service.folder / "service.yaml"),
        remedy=Text("Spielen Sie den Standard ein: gateway schemas import.", "Import it: gateway schemas import PATH."),
    )


def _without_model(service: Service, accepts: Accepts) -> Finding:
    return Finding(
        "mapping.schema_without_model",
        "info",
        "service",
        Text(
            f"Die Pfade konnten nicht geprüft werden: {accepts.schema} nennt keine einzelne Nachricht.",
            f"the paths could not be checked: {accepts.schema} names no single message.",
        ),
        path=str(service.folder / accepts.mapping),
    )


def _sample_finding(service: Service, result: SampleResult) -> Finding:
    return Finding(
        "sample.differs",
        "error",
        "service",
        Text(
            f"Das Beispiel „{result.sample}“ ergibt etwas anderes als erwartet.",
            f"sample {result.sample}: {result.difference}",
        ),
        path=str(service.folder / "samples" / result.sample),
    )

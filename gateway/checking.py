"""Proves packages without network or running parts: paths, members, duties, adapters, samples; and who learns what."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from adapters.base import Adapter
from gateway.case import case_schema
from gateway.mapping.check import certain_rules, check_paths, check_rules, check_shape
from gateway.mapping.language import CompiledMapping
from gateway.mapping.problems import Problems
from gateway.mapping.remedies import remedy_for
from gateway.mapping.shapes import CaseModel, FieldsModel, SchemaModel, TemplateModel
from gateway.packages.proving import AdapterLoader, prove_adapter
from gateway.packages.recipients import recipients
from gateway.packages.samples import SampleResult, run_samples, sample_envelope
from gateway.packages.schema_names import explain_missing
from gateway.services import Accepts, Packages, Service, Target
from xoev_schemas.findings import Finding, Text
from xoev_schemas.ladder import Checker
from xoev_schemas.model import json_model
from xoev_schemas.registry import Registry

__all__ = ["AdapterLoader", "SampleResult", "check_packages", "recipients", "run_samples", "sample_envelope"]

ENVELOPE = frozenset(
    {"schemaVersion", "submissionId", "caseId", "service", "kind", "receivedAt", "test", "provenance", "attachments"}
)
"""Members of a case that the gateway fills itself (`gateway.case.envelope`)."""


def check_packages(
    packages: Packages, checker: Checker, load_adapter: AdapterLoader, *, strict: bool = False
) -> list[Finding]:
    """Everything that can be said about the packages in use. No error among the findings = they fit together.

    strict: warnings count as errors, for pipelines in which everything has to be installed. A finding has a file, a
    line where there is one, and a remedy.
    """
    registry = checker.registry
    findings: list[Finding] = []
    adapters: dict[str, Adapter | None] = {}
    for name, target in packages.targets.items():
        adapters[name], found = prove_adapter(target, load_adapter)
        findings += found
    for service in packages.services.values():
        findings += _missing_schemas(service, registry)
        if service.inactive is not None:
            continue
        findings += _check_cases(service, registry)
        for target in (packages.targets[name] for name in service.targets):
            findings += _check_request(service, target, adapters[target.name])
        findings += [_sample_finding(service, result) for result in run_samples(service, checker) if not result.ok]
    told = list(dict.fromkeys(findings))
    return [replace(f, severity="error") if strict and f.severity == "warning" else f for f in told]


def _check_cases(service: Service, registry: Registry) -> Iterator[Finding]:
    for accepts in service.accepts:
        if accepts.ref is None:
            continue
        mapping, model = accepts.compiled, _model(accepts, registry)
        if model is None:
            yield _without_model(service, accepts)
        else:
            yield from check_paths(mapping, model, accepts.schema)
            if accepts.rules is not None:
                yield from check_rules(accepts.rules, model, accepts.schema)
        yield from _check_covered(accepts, registry)
        certain = certain_rules(mapping, model) if model is not None else frozenset()
        yield from check_shape(mapping, case_model(service), "case.schema.json", certain, ENVELOPE)


def _check_covered(accepts: Accepts, registry: Registry) -> Iterator[Finding]:
    """Every FIM rule that a rule of the service claims to evaluate is one of the schema."""
    if accepts.rules is None or accepts.ref is None:
        return
    schema = registry.fim(accepts.ref.standard)
    known = [rule.id for rule in schema.rules] if schema else []
    problems = Problems()
    for rule in accepts.rules.rules:
        for fim in rule.covers:
            if fim not in known:
                what = Text(f"In {accepts.schema} die Regel", f"rule of {accepts.schema} named")
                problems.unknown(rule.place, "config.unknown_fim_rule", what, fim, known)
    yield from problems.findings


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


def _missing_schemas(service: Service, registry: Registry) -> Iterator[Finding]:
    for accepts in service.accepts:
        if accepts.ref is None:
            missing = explain_missing(accepts.schema, registry)
            de = f"{missing.text.de} Die Leistung „{service.name}“ " + (
                "ruht." if service.inactive else "nimmt ihn nicht an."
            )
            en = f"{missing.text.en} The service '{service.name}' " + (
                "is inactive." if service.inactive else "does not take it."
            )
            yield Finding(
                missing.code,
                missing.severity,
                "service",
                Text(de, en),
                path=str(service.folder / "service.yaml"),
                line=accepts.line,
                allowed=missing.allowed,
                remedy=missing.remedy,
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
        path=str(service.folder / "service.yaml"),
        line=accepts.line,
        remedy=remedy_for("mapping.schema_without_model"),
    )


def _sample_finding(service: Service, result: SampleResult) -> Finding:
    assert result.fault is not None
    return Finding(
        "sample.differs",
        "error",
        "service",
        Text(
            f"Leistung „{service.name}“, Beispiel „{result.sample}“: {result.fault.text.de}",
            f"service {service.name}, sample {result.sample}: {result.fault.text.en}",
        ),
        path=str(result.fault.place.file),
        line=result.fault.place.line,
        column=result.fault.place.column,
        remedy=result.fault.remedy,
    )

"""Proves packages without network or running parts: paths, members, duties, adapters, samples, whose every case is
made into a request for every target that wants it; and who learns what.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import chain

from gateway.case import ENVELOPE, case_schema
from gateway.mapping.check import Finds, check_condition, check_paths, check_rules, check_shape, finds
from gateway.mapping.language import CompiledMapping
from gateway.mapping.problems import Problems
from gateway.mapping.remedies import remedy_for
from gateway.mapping.shapes import CaseModel, FieldsModel, MatterModel, SchemaModel, TemplateModel
from gateway.packages.handed import attachments_to_nobody
from gateway.packages.proving import AdapterLoader, prove_adapter
from gateway.packages.recipients import recipients
from gateway.packages.required import unmapped_requirements
from gateway.packages.samples import SampleResult, run_samples, sample_envelope
from gateway.packages.schema_names import explain_missing
from gateway.packages.steps import StepModel
from gateway.packages.tracing import model_of
from gateway.packages.trials import Fault, Trial
from gateway.services import Accepts, Packages, Service, Target
from xoev_schemas.findings import Finding, Text, has_errors
from xoev_schemas.ladder import Checker
from xoev_schemas.model import json_model
from xoev_schemas.registry import Registry

__all__ = [
    "AdapterLoader",
    "SampleResult",
    "check_packages",
    "recipients",
    "run_samples",
    "sample_envelope",
    "trial_of",
    "try_samples",
]


def check_packages(
    packages: Packages, checker: Checker, load_adapter: AdapterLoader, *, strict: bool = False
) -> list[Finding]:
    """Everything that can be said about the packages in use. No error among the findings = they fit together.

    strict: warnings count as errors, for pipelines in which everything has to be installed. A finding has a file, a
    line where there is one, and a remedy.
    """
    findings: list[Finding] = []
    trials: dict[str, list[Trial]] = {}
    for name, target in packages.targets.items():
        for variant in target.variants():
            trial, found = trial_of(variant, load_adapter)
            trials.setdefault(name, []).append(trial)
            findings += found
    about_cases: dict[tuple[str, str], list[Finding]] = {}
    for service in packages.services.values():
        findings += _missing_schemas(service, checker.registry)
        findings += unmapped_requirements(service)
        if service.inactive is not None:
            continue
        findings += attachments_to_nobody(service, [packages.targets[name] for name in service.targets])
        cases = _Cases(service, checker.registry)
        findings += cases.findings()
        known = {name: packages.targets[name].references for name in service.targets}
        for name in service.targets:
            said = (_check_request(cases, trial, known) for trial in trials[name])
            about_cases[name, service.name] = list(chain.from_iterable(said))
    findings += _for_all_services(about_cases)
    active = [service for service in packages.services.values() if service.inactive is None]
    for service in active:
        for result in run_samples(service, checker, [trial for name in service.targets for trial in trials[name]]):
            findings += [_sample_finding(service, result, fault) for fault in result.faults]
    for trial in chain.from_iterable(trials.values()):
        trial.close()
    told = list(dict.fromkeys(findings))
    return [replace(f, severity="error") if strict and f.severity == "warning" else f for f in told]


def try_samples(
    packages: Packages, services: Iterable[Service], checker: Checker, load_adapter: AdapterLoader
) -> list[SampleResult]:
    """The samples of these services, each made into the request of every target that wants its case."""
    trials = {
        name: [trial_of(variant, load_adapter)[0] for variant in target.variants()]
        for name, target in packages.targets.items()
    }
    try:
        return [
            result
            for service in services
            for result in run_samples(service, checker, [trial for name in service.targets for trial in trials[name]])
        ]
    finally:
        for trial in chain.from_iterable(trials.values()):
            trial.close()


def trial_of(target: Target, load_adapter: AdapterLoader) -> tuple[Trial, list[Finding]]:
    """An adapter with wrong settings can list its fields; requests it makes none."""
    adapter, found = prove_adapter(target, load_adapter)
    return Trial(target, adapter, ready=not has_errors(found)), found


def _for_all_services(found: Mapping[tuple[str, str], list[Finding]]) -> Iterator[Finding]:
    """What (target, service) → findings say together: that a value never comes has to hold for every service that the
    target serves by the same file.
    """

    def place(finding: Finding) -> tuple[object, ...]:
        return finding.path, finding.line, finding.column, finding.found

    for (target, _), findings in found.items():
        others = [{place(f) for f in theirs} for (other, _), theirs in found.items() if other == target]
        for finding in findings:
            if finding.code != "mapping.code_never" or all(place(finding) in theirs for theirs in others):
                yield finding


class _Cases:
    """The cases that a service makes, seen from its mappings."""

    def __init__(self, service: Service, registry: Registry) -> None:
        self.service = service
        self._registry = registry
        self._models = [(accepts, model_of(accepts, registry)) for accepts in service.accepts]
        self._finds = [finds(a.compiled, model) if model is not None else Finds() for a, model in self._models]
        values = {place: texts for found in self._finds for place, texts in found.values.items()}
        made = TemplateModel([accepts.compiled.root for accepts in service.accepts], values)
        data = json_model(service.data_schema) if service.data_schema is not None else None
        self.model = CaseModel(case_schema(), data, made)

    def findings(self) -> Iterator[Finding]:
        for (accepts, model), found in zip(self._models, self._finds, strict=True):
            if accepts.ref is None:
                continue
            if model is None:
                yield _without_model(self.service, accepts)
            else:
                yield from check_paths(accepts.compiled, model, accepts.schema)
                if accepts.rules is not None:
                    yield from check_rules(accepts.rules, model, accepts.schema)
            yield from _check_covered(accepts, self._registry)
            yield from check_shape(accepts.compiled, self.model, "case.schema.json", found, ENVELOPE)


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


def _check_request(cases: _Cases, trial: Trial, known: Mapping[str, Sequence[str]]) -> Iterator[Finding]:
    """known: target → names of the references that it gives."""
    target, name = trial.target, f"case ({cases.service.name})"
    case: SchemaModel = MatterModel(cases.model, known.get(target.name, ()), known)
    if target.step is not None:
        case = StepModel(case, target.step)
    if target.when is not None:
        yield from check_condition(target.when, case if target.step else cases.model, name)
    mapping: CompiledMapping | None = target.request_for(cases.service.name)
    if mapping is None:
        return
    yield from check_paths(mapping, case, name)
    fields = trial.adapter.required_fields() if trial.adapter is not None else None
    if fields is not None:
        model = FieldsModel(fields, target.filled_by_adapter)
        yield from check_shape(mapping, model, target.name, finds(mapping, case))


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


def _sample_finding(service: Service, result: SampleResult, fault: Fault) -> Finding:
    return Finding(
        fault.code,
        "error",
        "service",
        Text(
            f"Leistung „{service.name}“, Beispiel „{result.sample}“: {fault.text.de}",
            f"service {service.name}, sample {result.sample}: {fault.text.en}",
        ),
        path=str(fault.place.file),
        line=fault.place.line,
        column=fault.place.column,
        remedy=fault.remedy,
    )

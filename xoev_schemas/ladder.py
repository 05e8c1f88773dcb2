"""All layers of checking, in order, for one message: the way from its bytes to a judgement.

parse ─► schema ─► code lists ─► Schematron ─► conventions, each adding findings. Only two steps stop those after them:
what cannot be read has no fields, and rules are written for messages that keep the schema (KoSIT's validator has it so
too); that they were not run is said. Code lists and conventions are checked in an invalid message as well, so that one
answer tells all.

Up to `LARGE`, everything but Schematron runs in the caller's thread (lxml releases Python's lock). Schematron, and all
of a larger message, run in watched processes: what exhausts one of them costs nobody else anything, and is a finding.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from xoev_schemas.codelists import codelist_findings
from xoev_schemas.documents import Document, JsonDocument, Limits, Unreadable, XmlDocument, parse
from xoev_schemas.fim.codes import codelist_findings as fim_codelist_findings
from xoev_schemas.fim.explain import explain
from xoev_schemas.fim.rules import unevaluated_rules
from xoev_schemas.findings import Finding, Text, has_errors
from xoev_schemas.registry import Registry
from xoev_schemas.schematron import SchematronFailure, exhausted, schematron_findings
from xoev_schemas.standards import Judgement, SchemaRef
from xoev_schemas.workers import WorkerKilled, Workers

LARGE = 1 << 20
"""Bytes up to which a message is checked in the caller's thread."""


class Checker:
    """For use by many threads. `check` blocks."""

    def __init__(self, registry: Registry, workers: Workers, limits: Limits) -> None:
        self._registry = registry
        self._workers = workers
        self._limits = limits

    @property
    def registry(self) -> Registry:
        return self._registry

    @property
    def limits(self) -> Limits:
        return self._limits

    def check(self, data: bytes, media_type: str, ref: SchemaRef | None = None) -> Judgement:
        """Judge a message by every layer. All findings, layer by layer, in document order.

        ref: the message to judge by; None = what the data says it is. Where nothing installed fits, `valid` is None and
        `standard` empty. Raises Unreadable for what cannot be read, RegistryDamaged.
        """
        if len(data) > LARGE:
            return self._in_a_process(data, media_type, ref)
        document = parse(data, media_type, self._limits)
        judgement = judged(self._registry, document, ref)
        if not self._has_rules(judgement):
            return judgement
        assert isinstance(document, XmlDocument)
        if not keeps_schema(judgement):
            return with_findings(judgement, [_rules_not_run(judgement.standard)])
        try:
            failures = self._failures(judgement.standard, data)
        except WorkerKilled as error:
            return with_findings(judgement, [exhausted(error.reason, judgement.standard)])
        return with_findings(judgement, schematron_findings(failures, judgement.standard, document.root))

    def _in_a_process(self, data: bytes, media_type: str, ref: SchemaRef | None) -> Judgement:
        """The same for a large message."""
        task = {
            "folder": str(self._registry.folder.resolve()),
            "media_type": media_type,
            "limits": asdict(self._limits),
            "ref": asdict(ref) if ref else None,
        }
        try:
            judgement = _read_judgement(self._call(judge_in_process, task, data))
            if not self._has_rules(judgement):
                return judgement
            if not keeps_schema(judgement):
                return with_findings(judgement, [_rules_not_run(judgement.standard)])
            if failures := self._failures(judgement.standard, data):
                placed = self._call(
                    place_in_process,
                    {**task, "standard": judgement.standard, "failures": [asdict(f) for f in failures]},
                    data,
                )
                return with_findings(judgement, [Finding.from_dict(finding) for finding in placed["findings"]])
        except WorkerKilled as error:
            return Judgement(
                False, ref.standard if ref else "", ref.message if ref else "", [exhausted(error.reason, "")]
            )
        return judgement

    def _call(self, function: Any, task: dict[str, Any], data: bytes) -> dict[str, Any]:
        answer = self._workers.call(f"{__name__}:{function.__name__}", json.dumps(task).encode(), data)
        value: dict[str, Any] = json.loads(answer)
        if "unreadable" in value:
            raise Unreadable([Finding.from_dict(finding) for finding in value["unreadable"]])
        return value

    def _has_rules(self, judgement: Judgement) -> bool:
        return judgement.valid is not None and bool(self._registry.schematron(judgement.standard))

    def _failures(self, standard: str, data: bytes) -> list[SchematronFailure]:
        stylesheets = self._registry.schematron(standard)
        return self._workers.schematron(_key(stylesheets), stylesheets, data)


def judged(registry: Registry, document: Document, ref: SchemaRef | None) -> Judgement:
    """All layers but the first and Schematron. An XML document gets the attributes that its schema fixes."""
    ref = ref or registry.recognise(document)
    if ref is None:
        return Judgement(None, "", "", [])
    judgement = registry.validate(document, ref)
    if judgement.valid is None:
        return judgement
    more = list(_coded(registry, document, judgement))
    model = registry.fim(judgement.standard)
    if model is not None:
        more += fim_codelist_findings(document, model, registry.code_lists())
        judgement = replace(judgement, findings=explain(judgement.findings, model))
        more += [note for note in [unevaluated_rules(model)] if note]
    return with_findings(judgement, more)


def _coded(registry: Registry, document: Document, judgement: Judgement) -> Iterable[Finding]:
    if isinstance(document, JsonDocument):
        return ()
    enumerated = registry.enumerated_lists(judgement.standard)
    return codelist_findings(document.root, registry.code_lists(), judgement.standard, enumerated, judgement.findings)


def keeps_schema(judgement: Judgement) -> bool:
    return not any(f.layer == "schema" and f.severity == "error" for f in judgement.findings)


def with_findings(judgement: Judgement, more: Sequence[Finding]) -> Judgement:
    if not more:
        return judgement
    findings = [*judgement.findings, *more]
    return replace(judgement, findings=findings, valid=not has_errors(findings))


def _rules_not_run(standard: str) -> Finding:
    return Finding(
        "schematron.not_run",
        "info",
        "schematron",
        Text(
            "Die Geschäftsregeln des Standards wurden nicht geprüft, weil die Nachricht das Schema nicht einhält.",
            "The standard's business rules were not checked, because the message does not keep the schema.",
        ),
        remedy=Text(
            "Beheben Sie zuerst die Fehler gegen das Schema und prüfen Sie erneut.",
            "Mend the errors against the schema first, then check again.",
        ),
        source=standard,
    )


def _key(stylesheets: Sequence[bytes]) -> str:
    return sha256(b"\0".join(stylesheets)).hexdigest()


# --- in a worker process -------------------------------------------------------------------------------------------

_registries: dict[str, Registry] = {}


def judge_in_process(task: bytes, data: bytes) -> bytes:
    """`judged` for bytes; JSON in, JSON out."""
    wanted = json.loads(task)
    registry = _registry(wanted["folder"])
    try:
        document = parse(data, wanted["media_type"], Limits(**wanted["limits"]))
    except Unreadable as error:
        return json.dumps({"unreadable": [finding.as_dict() for finding in error.findings]}).encode()
    ref = SchemaRef(**wanted["ref"]) if wanted["ref"] else None
    judgement = judged(registry, document, ref)
    return json.dumps({**asdict(judgement), "findings": [f.as_dict() for f in judgement.findings]}).encode()


def place_in_process(task: bytes, data: bytes) -> bytes:
    """`schematron_findings` for bytes."""
    wanted = json.loads(task)
    document = parse(data, wanted["media_type"], Limits(**wanted["limits"]))
    assert isinstance(document, XmlDocument)
    failures = [SchematronFailure(**failure) for failure in wanted["failures"]]
    findings = schematron_findings(failures, wanted["standard"], document.root)
    return json.dumps({"findings": [finding.as_dict() for finding in findings]}).encode()


def _registry(folder: str) -> Registry:
    """Read anew when the lock file has changed: an import shows in every process."""
    lock = Path(folder, "schemas.lock")
    key = f"{folder} {lock.stat().st_mtime_ns if lock.exists() else 0}"
    if key not in _registries:
        _registries.clear()
        _registries[key] = Registry(Path(folder))
    return _registries[key]


def _read_judgement(value: dict[str, Any]) -> Judgement:
    return Judgement(**{**value, "findings": [Finding.from_dict(finding) for finding in value["findings"]]})

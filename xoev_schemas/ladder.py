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
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast, get_args

from lxml import etree

from xoev_schemas.codelists import codelist_findings
from xoev_schemas.conventions import convention_findings, without_repetitions
from xoev_schemas.documents import Document, Limits, Unreadable, XmlDocument, parse
from xoev_schemas.fim.codes import codelist_findings as fim_codelist_findings
from xoev_schemas.fim.explain import explain
from xoev_schemas.fim.rules import unevaluated_rules
from xoev_schemas.findings import Finding, Layer, Text, has_errors
from xoev_schemas.places import Names, Places
from xoev_schemas.registry import Registry
from xoev_schemas.schematron import SchematronFailure, exhausted, schematron_findings
from xoev_schemas.standards import Judgement, SchemaRef, without_version
from xoev_schemas.text import normal_form_findings
from xoev_schemas.workers import WorkerKilled, Workers

LARGE = 1 << 20
"""Bytes up to which a message is checked in the caller's thread."""

_ORDER = {layer: number for number, layer in enumerate(get_args(Layer))}


def utc_now() -> datetime:
    return datetime.now(UTC)


class Checker:
    """For use by many threads. `check` blocks."""

    def __init__(
        self, registry: Registry, workers: Workers, limits: Limits, clock: Callable[[], datetime] = utc_now
    ) -> None:
        self._registry = registry
        self._workers = workers
        self._limits = limits
        self._clock = clock

    @property
    def registry(self) -> Registry:
        return self._registry

    @property
    def limits(self) -> Limits:
        return self._limits

    def check(self, data: bytes, media_type: str, ref: SchemaRef | None = None) -> Judgement:
        """Judge a message by every layer. All findings, layer by layer, in document order.

        ref: the message to judge by; None = what the data says it is. Where nothing installed fits, `valid` is None and
        `standard` empty; if the message is known in another version, a finding says which. Raises Unreadable for what
        cannot be read, RegistryDamaged.
        """
        if len(data) > LARGE:
            return self._in_a_process(data, media_type, ref)
        document, judgement = read_and_judged(self._registry, data, media_type, self._limits, ref, self._clock())
        ruled = self._ruled(judgement, data, lambda failures: placed(failures, judgement.standard, document))
        return replace(ruled, document=document)

    def _in_a_process(self, data: bytes, media_type: str, ref: SchemaRef | None) -> Judgement:
        """The same for a large message."""
        task = {
            "folder": str(self._registry.folder.resolve()),
            "media_type": media_type,
            "limits": asdict(self._limits),
            "ref": asdict(ref) if ref else None,
            "now": self._clock().isoformat(),
        }
        try:
            judgement = _read_judgement(self._call(judge_in_process, task, data))
        except WorkerKilled as error:
            name = (ref.standard, ref.message) if ref else ("", "")
            return Judgement(False, *name, [_exhausted(error.reason)])

        def located(failures: Sequence[SchematronFailure]) -> list[Finding]:
            told = {**task, "standard": judgement.standard, "failures": [asdict(failure) for failure in failures]}
            return [Finding.from_dict(finding) for finding in self._call(place_in_process, told, data)["findings"]]

        return self._ruled(judgement, data, located)

    def _call(self, function: Any, task: dict[str, Any], data: bytes) -> dict[str, Any]:
        answer = self._workers.call(f"{__name__}:{function.__name__}", json.dumps(task).encode(), data)
        value: dict[str, Any] = json.loads(answer)
        if "unreadable" in value:
            raise Unreadable([Finding.from_dict(finding) for finding in value["unreadable"]])
        return value

    def _ruled(
        self, judgement: Judgement, data: bytes, place: Callable[[Sequence[SchematronFailure]], list[Finding]]
    ) -> Judgement:
        """With the standard's business rules. place: makes findings of what fails."""
        rules = self._registry.schematron(judgement.standard) if judgement.valid is not None else None
        if rules is None:
            return judgement
        if not keeps_schema(judgement):
            return with_findings(judgement, [_rules_not_run(judgement.standard)])
        try:
            failures = self._workers.schematron(rules.key, rules.each, data)
            return with_findings(judgement, place(failures)) if failures else judgement
        except WorkerKilled as error:
            return with_findings(judgement, [exhausted(error.reason, judgement.standard)])


def read_and_judged(
    registry: Registry, data: bytes, media_type: str, limits: Limits, ref: SchemaRef | None, now: datetime
) -> tuple[Document, Judgement]:
    """All layers but Schematron, from the bytes on. Raises Unreadable."""
    document = parse(data, media_type, limits, to_judge=True)
    judgement = judged(registry, document, data, ref, now)
    if isinstance(document, XmlDocument) and not keeps_schema(judgement):
        # Once more, white space and all: findings describe what stands there.
        document = parse(data, media_type, limits)
        judgement = judged(registry, document, data, ref, now)
    return document, judgement


def judged(registry: Registry, document: Document, data: bytes, ref: SchemaRef | None, now: datetime) -> Judgement:
    """All layers but the first and Schematron. An XML document gets the attributes that its schema fixes.

    data: the document's bytes.
    """
    ref = ref or registry.recognise(document)
    if ref is None:
        other = _other_version(registry, document) if isinstance(document, XmlDocument) else None
        return Judgement(None, "", "", [other] if other else [])
    judgement = registry.validate(document, ref)
    if judgement.valid is None:
        return judgement
    standard = judgement.standard
    names = None if judgement.valid and isinstance(document, XmlDocument) else registry.names(standard)
    more = _xoev(registry, document, data, judgement, names, now) if isinstance(document, XmlDocument) else []
    more += normal_form_findings(document, data, reported=judgement.findings, names=names)
    model = registry.fim(standard)
    if model is not None:
        more += fim_codelist_findings(document, model, registry.code_lists())
        more += filter(None, [unevaluated_rules(model)])
        if judgement.findings:
            judgement = replace(judgement, findings=explain(judgement.findings, model))
    return with_findings(judgement, more)


def _other_version(registry: Registry, document: XmlDocument) -> Finding | None:
    """Where what is installed has a message of that name in another namespace, or a FIM schema in another version."""
    message = without_version(str(etree.QName(document.root).localname))
    known = sorted(
        f'{name} xmlns="{namespace}" ({standard.ref})'
        for standard in registry.standards()
        for schema in standard.schemas
        for namespace, name in schema.messages
        if schema.kind == "xsd" and not standard.variant and without_version(name) == message
    )
    if not known:
        return None
    return Finding(
        "schema.version_not_installed",
        "warning",
        "schema",
        Text(
            "Diese Nachricht ist hier in anderer Version oder mit anderem Namensraum bekannt; sie wurde nicht geprüft.",
            "This message is known here in another version, or by another namespace; it was not judged.",
        ),
        line=cast("int | None", document.root.sourceline),  # the stubs say float
        allowed=", ".join(known),
        remedy=Text(
            "Senden Sie die Nachricht in einer installierten Version, mit deren Wurzelelement und Namensraum, oder "
            "lassen Sie Ihre Version einspielen: gateway schemas import PFAD.",
            "Send the message in a version that is installed, with its root element and namespace, or have yours "
            "imported: gateway schemas import PATH.",
        ),
    )


def _xoev(
    registry: Registry, document: XmlDocument, data: bytes, judgement: Judgement, names: Names | None, now: datetime
) -> list[Finding]:
    """Code lists and conventions of an XML message."""
    ref, root = judgement.standard, document.root
    places = Places(root, names) if names else None
    enumerated = registry.enumerated_lists(ref)
    codes = codelist_findings(root, registry.code_lists(), ref, enumerated, judgement.findings, places)
    reported = [*judgement.findings, *codes]
    return codes + convention_findings(document, data, registry.standard(ref), now=now, reported=reported, names=names)


def placed(failures: Sequence[SchematronFailure], standard: str, document: Document) -> list[Finding]:
    assert isinstance(document, XmlDocument)
    return schematron_findings(failures, standard, document.root)


def keeps_schema(judgement: Judgement) -> bool:
    return not any(f.layer == "schema" and f.severity == "error" for f in judgement.findings)


def with_findings(judgement: Judgement, more: Sequence[Finding]) -> Judgement:
    """In the order of the layers, and none that another layer has said."""
    if not more:
        return judgement
    findings = sorted([*judgement.findings, *more], key=lambda finding: _ORDER[finding.layer])
    findings = without_repetitions(findings)
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


def _exhausted(reason: str) -> Finding:
    """A large message took more than it may before its schema was through."""
    de, en = {
        "memory": ("braucht mehr Arbeitsspeicher, als erlaubt ist", "takes more memory than is allowed"),
        "time": ("dauert länger, als erlaubt ist", "takes longer than is allowed"),
    }.get(reason, ("ist abgebrochen", "broke off"))
    return Finding(
        "schema.exhausted",
        "error",
        "schema",
        Text(
            f"Die Prüfung der Nachricht {de}. Ob sie das Schema einhält, ist offen.",
            f"The check of the message {en}. Whether it keeps its schema is open.",
        ),
        remedy=Text(
            "Senden Sie eine kleinere Nachricht, oder lassen Sie die Grenze anheben.",
            "Send a smaller message, or have the limit raised.",
        ),
    )


# --- in a worker process -------------------------------------------------------------------------------------------

_registries: dict[str, Registry] = {}


def judge_in_process(task: bytes, data: bytes) -> bytes:
    """`read_and_judged`; JSON in, JSON out."""
    wanted = json.loads(task)
    registry = _registry(wanted["folder"])
    ref = SchemaRef(**wanted["ref"]) if wanted["ref"] else None
    now, limits = datetime.fromisoformat(wanted["now"]), Limits(**wanted["limits"])
    try:
        _, judgement = read_and_judged(registry, data, wanted["media_type"], limits, ref, now)
    except Unreadable as error:
        return json.dumps({"unreadable": [finding.as_dict() for finding in error.findings]}).encode()
    return json.dumps({**asdict(judgement), "findings": [f.as_dict() for f in judgement.findings]}).encode()


def place_in_process(task: bytes, data: bytes) -> bytes:
    """`schematron_findings` for bytes."""
    wanted = json.loads(task)
    document = parse(data, wanted["media_type"], Limits(**wanted["limits"]), to_judge=True)
    failures = [SchematronFailure(**failure) for failure in wanted["failures"]]
    findings = placed(failures, wanted["standard"], document)
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

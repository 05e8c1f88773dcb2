"""Samples of a service package: `samples/NAME/` holds a message and what must become of it.

`data.xml` or `data.json` · `metadata.json` (optional, names attachments) · `case.json` (the case without the gateway's
own members) · `expect.yaml` (optional: `outcome: accepted | rejected | clarify`, `codes: […]` of all errors; a broken
rule of the service as `service.rule`, or more exactly as `service.rule:ID`).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from gateway.case import CASE_SCHEMA_VERSION, rfc3339
from gateway.mapping.problems import Place, Problems
from gateway.mapping.rules import RULE, rule_of
from gateway.mapping.yaml_nodes import find, read_yaml
from gateway.packages.deadlines import deadlines, region_of
from gateway.packages.enclosures import enclosures
from gateway.packages.forms import read_form
from gateway.packages.model import Accepts, Service
from gateway.packages.ruling import judged_by_service
from gateway.packages.trials import Fault, Trial, sample_attachments
from gateway.services import map_case
from gateway.submission import Kind
from xoev_schemas.documents import Document, Unreadable, parse
from xoev_schemas.findings import Finding, Text
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import Registry, SchemaRef

Outcome = Literal["accepted", "rejected", "clarify"]


class ExpectForm(BaseModel):
    """`expect.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: Outcome = "accepted"
    codes: list[str] = []


_SHOWN = 10
"""Differences of one case that are listed."""


@dataclass(frozen=True, slots=True)
class SampleResult:
    """faults: none = as expected, and every target of the service that wants the case gets a request it takes."""

    service: str
    sample: str
    faults: tuple[Fault, ...] = ()

    @property
    def ok(self) -> bool:
        return not self.faults

    @property
    def difference(self) -> str:
        """The faults in English; empty if there is none."""
        return " ".join(fault.text.en for fault in self.faults)


def run_samples(service: Service, checker: Checker, trials: Sequence[Trial] = ()) -> list[SampleResult]:
    """Judge and map every sample of an active service, as REST intake would. trials: its targets, for which the
    request is made of every case that comes out as it should.
    """
    folders = sorted(folder for folder in (service.folder / "samples").glob("*") if folder.is_dir())
    return [
        SampleResult(service.name, folder.name, _faults(service, checker, _Sample(folder), trials))
        for folder in folders
    ]


def sample_envelope(
    service: Service,
    ref: SchemaRef,
    attachments: list[dict[str, Any]] | None = None,
    *,
    received_at: datetime = datetime(2000, 1, 1, tzinfo=UTC),
    kind: Kind | None = None,
) -> dict[str, Any]:
    """The gateway's part of a case that nobody handed in: fixed, recognisable values. kind: as the package says of the
    message.
    """
    until = deadlines(service, received_at)
    region = region_of(service)
    return {
        "schemaVersion": CASE_SCHEMA_VERSION,
        "submissionId": "00000000-0000-4000-8000-000000000000",
        "caseId": None,
        "service": {"name": service.name, "identifier": next(iter(service.identifiers), None)},
        "kind": kind or "new",
        "receivedAt": rfc3339(received_at),
        "test": True,
        "provenance": {
            "channel": "rest",
            "sender": "sample",
            "standard": ref.standard,
            "message": ref.message,
            "schemaUri": ref.source,
            "valid": True,
            "packageVersion": service.version,
            "dataSha512": None,
        },
        "attachments": attachments or [],
        **({"region": region} if region else {}),
        **({"deadlines": until} if until else {}),
    }


def _faults(service: Service, checker: Checker, sample: _Sample, trials: Sequence[Trial]) -> tuple[Fault, ...]:
    try:
        case = _case(service, checker, sample)
    except _Otherwise as error:
        return (error.fault,)
    if case is None:
        return ()
    attachments = sample_attachments(sample.folder, case["attachments"])
    attachments += enclosures(case, *sample.data())
    return tuple(fault for trial in trials for fault in trial.faults(service, case, attachments))


class _Otherwise(Exception):
    """The sample does not come out as it says, or is itself not complete or not readable."""

    def __init__(self, place: Place, de: str, en: str, remedy: Text | None = None) -> None:
        super().__init__(en)
        text = Text(de, en)
        self.fault = Fault(text, place, remedy) if remedy else Fault(text, place)


class _Sample:
    """The files of one sample. Every reader raises _Otherwise."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.expect_file = folder / "expect.yaml"
        self.case_file = folder / "case.json"

    def data(self) -> tuple[bytes, str]:
        """Bytes and media type."""
        for name in ("data.xml", "data.json"):
            if (self.folder / name).is_file():
                return (self.folder / name).read_bytes(), f"application/{name.rpartition('.')[2]}"
        remedy = Text("Legen Sie data.xml oder data.json an.", "Add data.xml or data.json.")
        raise _Otherwise(Place(self.folder), "Die Daten fehlen.", "there is no data.xml or data.json.", remedy)

    def expected(self) -> ExpectForm:
        if not self.expect_file.is_file():
            return ExpectForm()
        problems = Problems()
        node = read_yaml(self.expect_file, problems)
        form = read_form(ExpectForm, node, problems) if node is not None else None
        if form is None:
            first = problems.findings[0]
            raise _Otherwise(Place(self.expect_file, first.line), first.text.de, first.text.en, first.remedy)
        return form

    def case(self) -> dict[str, Any]:
        if not self.case_file.is_file():
            remedy = Text(
                "Legen Sie sie an: `gateway map DATEI` zeigt den Fall.", "Add it: `gateway map FILE` shows the case."
            )
            raise _Otherwise(Place(self.case_file), "case.json fehlt.", "there is no case.json.", remedy)
        return self._object(self.case_file)

    def attachments(self) -> list[dict[str, Any]]:
        """As the case lists them; the files lie beside the metadata that announce them."""
        file = self.folder / "metadata.json"
        if not file.is_file():
            return []
        try:
            announced = self._object(file).get("contentStructure", {}).get("attachments", [])
            return [_attachment(self.folder, attachment) for attachment in announced]
        except (AttributeError, KeyError, TypeError):
            raise _Otherwise(
                Place(file), "Eine Anlage ist unvollständig beschrieben.", "an attachment is not described completely."
            ) from None
        except OSError:
            raise _Otherwise(
                Place(file), "Eine angekündigte Anlage fehlt.", "an attachment that it announces is not there."
            ) from None

    def _object(self, file: Path) -> dict[str, Any]:
        try:
            value = json.loads(file.read_bytes())
        except ValueError as error:
            line = error.lineno if isinstance(error, json.JSONDecodeError) else None
            raise _Otherwise(Place(file, line), f"{file.name} ist kein JSON.", f"{file.name} is not JSON.") from None
        if not isinstance(value, dict):
            raise _Otherwise(Place(file, 1), f"{file.name} ist kein JSON-Objekt.", f"{file.name} is not a JSON object.")
        return value


def _case(service: Service, checker: Checker, sample: _Sample) -> dict[str, Any] | None:
    """The case that the sample makes; None where it is not accepted, as expected. Raises _Otherwise."""
    data, media_type = sample.data()
    expected = sample.expected()
    try:
        document = parse(data, media_type)
    except Unreadable as error:
        _hold(sample, expected, "rejected", error.findings)
        return None
    found = _accepting(service, checker.registry, document)
    if found is None:
        de, en = "Die Leistung nimmt kein Schema an, das dazu passt.", "the service accepts no schema that fits it."
        raise _Otherwise(Place(sample.folder), de, en)
    accepts, ref = found
    judgement = checker.check(data, media_type, ref)
    if judgement.valid is None:
        form = media_type.rpartition("/")[2].upper()
        de, en = f"{accepts.schema} ist für {form} nicht installiert.", f"{accepts.schema} is not installed for {form}."
        remedy = Text("Spielen Sie das Schema ein: gateway schemas import PFAD.", "Run: gateway schemas import PATH.")
        raise _Otherwise(Place(sample.folder), de, en, remedy)
    # What a package says of its samples holds wherever it is installed.
    judgement = judged_by_service(service, accepts, checker, data, media_type, judgement, stage="test")
    errors = [finding for finding in judgement.findings if finding.severity == "error"]
    outcome = _outcome(service) if errors else "accepted"
    _hold(sample, expected, outcome, errors)
    if outcome != "accepted":
        return None
    envelope = sample_envelope(service, ref, sample.attachments(), kind=accepts.kind)
    return _mapped(service, accepts, document, envelope, sample)


def _outcome(service: Service) -> Outcome:
    outcomes: dict[str, Outcome] = {"reject": "rejected", "clarify": "clarify", "deliver_with_findings": "accepted"}
    return outcomes[service.on_invalid["rest"]]


def _hold(sample: _Sample, expected: ExpectForm, outcome: Outcome, errors: list[Finding]) -> None:
    """What was found against what was expected. Raises _Otherwise."""
    wanted = sorted(set(expected.codes))
    codes = sorted({_named(finding, wanted) for finding in errors})
    if outcome != expected.outcome:
        told = ", ".join(codes)
        raise _otherwise(sample, expected.outcome, f"{outcome} ({told})" if told else outcome)
    if codes != wanted:
        raise _otherwise(sample, ", ".join(wanted) or "[]", ", ".join(codes) or "[]")


def _named(finding: Finding, wanted: Sequence[str]) -> str:
    """The code; of a rule of the service with its id, unless the sample is content with any rule."""
    if finding.code != RULE or RULE in wanted:
        return finding.code
    return f"{RULE}:{rule_of(finding)}"


def _otherwise(sample: _Sample, wanted: str, got: str) -> _Otherwise:
    by_file = sample.expect_file.is_file()
    place = Place(sample.expect_file, 1) if by_file else Place(sample.folder)
    de = f"erwartet: {wanted} ({'expect.yaml' if by_file else 'ohne expect.yaml'}), tatsächlich: {got} (die Prüfung)."
    en = f"expected {wanted} ({'expect.yaml' if by_file else 'no expect.yaml'}), got {got} (the check)."
    return _Otherwise(place, de, en)


def _accepting(service: Service, registry: Registry, document: Document) -> tuple[Accepts, SchemaRef] | None:
    """By what the document says it is; a document that does not say (JSON) by the service's first schema."""
    installed = [(accepts, accepts.ref) for accepts in service.accepts if accepts.ref is not None]
    recognised = registry.recognise(document)
    if recognised is not None:
        for accepts, ref in installed:
            if ref.standard == recognised.standard and ref.message in ("", recognised.message):
                return accepts, ref
    return installed[0] if installed else None


def _mapped(
    service: Service, accepts: Accepts, document: Document, envelope: Mapping[str, Any], sample: _Sample
) -> dict[str, Any]:
    """The case. Raises _Otherwise when there is none, or another than the sample says."""
    made = map_case(service, accepts, document, envelope)
    if made.value is None:
        told = [(f"{f.path}: {f.text.de}", f"{f.path}: {f.text.en}") for f in made.findings[:_SHOWN]]
        place = Place(service.folder / accepts.mapping, made.findings[0].line)
        raise _Otherwise(place, "; ".join(de for de, _ in told), "; ".join(en for _, en in told))
    got = {name: value for name, value in made.value.items() if name not in envelope}
    differences = list(islice(_differences(sample.case(), got, ()), _SHOWN))
    if differences:
        # JSON is YAML: the reader with positions finds the line.
        node = read_yaml(sample.case_file, Problems())
        place = find(node, differences[0].path) if node else Place(sample.case_file)
        raise _Otherwise(place, "; ".join(d.text.de for d in differences), "; ".join(d.text.en for d in differences))
    return made.value


def _attachment(folder: Path, announced: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "attachmentId": announced["attachmentId"],
        "filename": announced.get("filename", ""),
        "mediaType": announced["mimeType"],
        "purpose": announced["purpose"],
        "size": (folder / Path(announced.get("filename", "")).name).stat().st_size,
        "sha512": announced["hash"]["content"],
    }


@dataclass(frozen=True, slots=True)
class _Difference:
    path: tuple[str | int, ...]
    text: Text


_NOTHING = object()


def _differences(expected: Any, got: Any, path: tuple[str | int, ...]) -> Iterator[_Difference]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in [*expected, *(name for name in got if name not in expected)]:
            yield from _differences(expected.get(name, _NOTHING), got.get(name, _NOTHING), (*path, name))
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _differences(one, other, (*path, index))
    elif expected != got or type(expected) is not type(got):
        place = "".join(f"/{step}" for step in path) or "/"
        wanted, made = _shown(expected, "nichts"), _shown(got, "nichts")
        de = f"{place}: erwartet {wanted} (case.json), erzeugt {made} (die Zuordnung)"
        wanted, made = _shown(expected, "nothing"), _shown(got, "nothing")
        yield _Difference(path, Text(de, f"{place}: expected {wanted} (case.json), got {made} (the mapping)"))


def _shown(value: Any, nothing: str) -> str:
    return nothing if value is _NOTHING else json.dumps(value, ensure_ascii=False)

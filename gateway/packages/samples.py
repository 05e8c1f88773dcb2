"""Samples of a service package: `samples/NAME/` holds a message and what must become of it.

`data.xml` or `data.json` · `metadata.json` (optional, names attachments) · `case.json` (the case without the gateway's
own members) · `expect.yaml` (optional: `outcome: accepted | rejected | clarify`, `codes: […]` of all errors).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from gateway.case import CASE_SCHEMA_VERSION
from gateway.mapping.problems import Place, Problems
from gateway.mapping.yaml_nodes import find, read_yaml
from gateway.packages.forms import read_form
from gateway.packages.model import Accepts, Service
from gateway.packages.ruling import judged_by_service
from gateway.services import map_case
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


_DEFAULT_REMEDY = Text("Berichtigen Sie die Zuordnung oder das Beispiel.", "Correct the mapping, or the sample.")
_SHOWN = 10
"""Differences of one case that are listed."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What came out otherwise than a sample says, and where it says so. Samples hold made-up data: it may be shown."""

    text: Text
    place: Place
    remedy: Text = _DEFAULT_REMEDY


@dataclass(frozen=True, slots=True)
class SampleResult:
    """fault: None = as expected."""

    service: str
    sample: str
    fault: Fault | None = None

    @property
    def ok(self) -> bool:
        return self.fault is None

    @property
    def difference(self) -> str:
        """The fault in English; empty if there is none."""
        return self.fault.text.en if self.fault else ""


def run_samples(service: Service, checker: Checker) -> list[SampleResult]:
    """Judge and map every sample of an active service, as REST intake would."""
    folders = sorted(folder for folder in (service.folder / "samples").glob("*") if folder.is_dir())
    return [SampleResult(service.name, folder.name, _fault(service, checker, folder)) for folder in folders]


def sample_envelope(
    service: Service, ref: SchemaRef, attachments: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    """The gateway's part of a case that nobody handed in: fixed, recognisable values."""
    return {
        "schemaVersion": CASE_SCHEMA_VERSION,
        "submissionId": "00000000-0000-4000-8000-000000000000",
        "caseId": None,
        "service": {"name": service.name, "identifier": next(iter(service.identifiers), None)},
        "kind": "new",
        "receivedAt": "2000-01-01T00:00:00Z",
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
    }


def _fault(service: Service, checker: Checker, folder: Path) -> Fault | None:
    try:
        return _judge(service, checker, _Sample(folder))
    except _Unusable as error:
        return error.fault


class _Unusable(Exception):
    """The sample itself is not complete or not readable."""

    def __init__(self, place: Place, de: str, en: str, remedy: Text = _DEFAULT_REMEDY) -> None:
        super().__init__(en)
        self.fault = Fault(Text(de, en), place, remedy)


class _Sample:
    """The files of one sample. Every reader raises _Unusable."""

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
        raise _Unusable(Place(self.folder), "Die Daten fehlen.", "there is no data.xml or data.json.", remedy)

    def expected(self) -> ExpectForm:
        if not self.expect_file.is_file():
            return ExpectForm()
        problems = Problems()
        node = read_yaml(self.expect_file, problems)
        form = read_form(ExpectForm, node, problems) if node is not None else None
        if form is None:
            first = problems.findings[0]
            raise _Unusable(Place(self.expect_file, first.line), first.text.de, first.text.en, first.remedy)
        return form

    def case(self) -> dict[str, Any]:
        if not self.case_file.is_file():
            remedy = Text(
                "Legen Sie sie an: `gateway map DATEI` zeigt den Fall.", "Add it: `gateway map FILE` shows the case."
            )
            raise _Unusable(Place(self.case_file), "case.json fehlt.", "there is no case.json.", remedy)
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
            raise _Unusable(
                Place(file), "Eine Anlage ist unvollständig beschrieben.", "an attachment is not described completely."
            ) from None
        except OSError:
            raise _Unusable(
                Place(file), "Eine angekündigte Anlage fehlt.", "an attachment that it announces is not there."
            ) from None

    def _object(self, file: Path) -> dict[str, Any]:
        try:
            value = json.loads(file.read_bytes())
        except ValueError as error:
            line = error.lineno if isinstance(error, json.JSONDecodeError) else None
            raise _Unusable(Place(file, line), f"{file.name} ist kein JSON.", f"{file.name} is not JSON.") from None
        if not isinstance(value, dict):
            raise _Unusable(Place(file, 1), f"{file.name} ist kein JSON-Objekt.", f"{file.name} is not a JSON object.")
        return value


def _judge(service: Service, checker: Checker, sample: _Sample) -> Fault | None:
    data, media_type = sample.data()
    expected = sample.expected()
    try:
        document = parse(data, media_type)
    except Unreadable as error:
        return _judged(sample, expected, "rejected", error.findings)
    found = _accepting(service, checker.registry, document)
    if found is None:
        de, en = "Die Leistung nimmt kein Schema an, das dazu passt.", "the service accepts no schema that fits it."
        return Fault(Text(de, en), Place(sample.folder))
    accepts, ref = found
    judgement = checker.check(data, media_type, ref)
    if judgement.valid is None:
        form = media_type.rpartition("/")[2].upper()
        de, en = f"{accepts.schema} ist für {form} nicht installiert.", f"{accepts.schema} is not installed for {form}."
        remedy = Text("Spielen Sie das Schema ein: gateway schemas import PFAD.", "Run: gateway schemas import PATH.")
        return Fault(Text(de, en), Place(sample.folder), remedy)
    # What a package says of its samples holds wherever it is installed.
    judgement = judged_by_service(service, accepts, checker, data, media_type, judgement, stage="test")
    errors = [finding for finding in judgement.findings if finding.severity == "error"]
    outcome = _outcome(service) if errors else "accepted"
    fault = _judged(sample, expected, outcome, errors)
    if fault or outcome != "accepted":
        return fault
    return _mapped(service, accepts, document, sample_envelope(service, ref, sample.attachments()), sample)


def _outcome(service: Service) -> Outcome:
    outcomes: dict[str, Outcome] = {"reject": "rejected", "clarify": "clarify", "deliver_with_findings": "accepted"}
    return outcomes[service.on_invalid["rest"]]


def _judged(sample: _Sample, expected: ExpectForm, outcome: Outcome, errors: list[Finding]) -> Fault | None:
    codes, wanted = sorted({finding.code for finding in errors}), sorted(set(expected.codes))
    if outcome != expected.outcome:
        told = ", ".join(codes)
        return _otherwise(sample, expected.outcome, f"{outcome} ({told})" if told else outcome)
    if codes != wanted:
        return _otherwise(sample, ", ".join(wanted) or "[]", ", ".join(codes) or "[]")
    return None


def _otherwise(sample: _Sample, wanted: str, got: str) -> Fault:
    by_file = sample.expect_file.is_file()
    text = Text(
        f"erwartet: {wanted} ({'expect.yaml' if by_file else 'ohne expect.yaml'}), tatsächlich: {got} (die Prüfung).",
        f"expected {wanted} ({'expect.yaml' if by_file else 'no expect.yaml'}), got {got} (the check).",
    )
    return Fault(text, Place(sample.expect_file, 1) if by_file else Place(sample.folder))


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
) -> Fault | None:
    made = map_case(service, accepts, document, envelope)
    if made.value is None:
        told = [(f"{f.path}: {f.text.de}", f"{f.path}: {f.text.en}") for f in made.findings[:_SHOWN]]
        text = Text("; ".join(de for de, _ in told), "; ".join(en for _, en in told))
        return Fault(text, Place(service.folder / accepts.mapping, made.findings[0].line))
    got = {name: value for name, value in made.value.items() if name not in envelope}
    differences = list(islice(_differences(sample.case(), got, ()), _SHOWN))
    if not differences:
        return None
    text = Text("; ".join(d.text.de for d in differences), "; ".join(d.text.en for d in differences))
    # JSON is YAML: the reader with positions finds the line.
    node = read_yaml(sample.case_file, Problems())
    return Fault(text, find(node, differences[0].path) if node else Place(sample.case_file))


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

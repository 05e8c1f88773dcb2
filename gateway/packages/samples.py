"""Samples of a service package: `samples/NAME/` holds a message and what must become of it.

`data.xml` or `data.json` · `metadata.json` (optional, names attachments) · `case.json` (the case without the gateway's
own members) · `expect.yaml` (optional: `outcome: accepted | rejected | clarify`, `codes: […]` of all errors).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from gateway.case import CASE_SCHEMA_VERSION
from gateway.mapping.problems import Problems
from gateway.mapping.yaml_nodes import read_yaml
from gateway.packages.forms import read_form
from gateway.packages.model import Accepts, Service
from gateway.services import map_case
from xoev_schemas.documents import Document, Unreadable, parse
from xoev_schemas.findings import Finding
from xoev_schemas.registry import Registry, SchemaRef

Outcome = Literal["accepted", "rejected", "clarify"]


class ExpectForm(BaseModel):
    """`expect.yaml`."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    outcome: Outcome = "accepted"
    codes: list[str] = []


@dataclass(frozen=True, slots=True)
class SampleResult:
    """difference: empty if `ok`; else what came out otherwise. Samples hold made-up data, so it may be shown."""

    service: str
    sample: str
    ok: bool
    difference: str = ""


def run_samples(service: Service, registry: Registry) -> list[SampleResult]:
    """Judge and map every sample of an active service, as REST intake would."""
    folders = sorted(folder for folder in (service.folder / "samples").glob("*") if folder.is_dir())
    return [_result(service, folder, _difference(service, registry, folder)) for folder in folders]


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


def _result(service: Service, folder: Path, difference: str) -> SampleResult:
    return SampleResult(service.name, folder.name, not difference, difference)


def _difference(service: Service, registry: Registry, folder: Path) -> str:
    data = next((folder / name for name in ("data.xml", "data.json") if (folder / name).is_file()), None)
    expected, complaint = _expected(folder / "expect.yaml")
    if data is None or expected is None:
        return complaint or "there is no data.xml or data.json"
    try:
        document = parse(data.read_bytes(), f"application/{data.suffix[1:]}")
    except Unreadable as error:
        return _judged(expected, "rejected", error.findings)
    found = _accepting(service, registry, document)
    if found is None:
        return "the service accepts no schema that fits this sample"
    accepts, ref = found
    judgement = registry.validate(document, ref)
    if judgement.valid is None:
        return f"{accepts.schema} is not installed for {data.suffix[1:].upper()}: the sample could not be judged"
    errors = [finding for finding in judgement.findings if finding.severity == "error"]
    outcome = _outcome(service) if errors else "accepted"
    difference = _judged(expected, outcome, errors)
    if difference or outcome != "accepted":
        return difference
    return _mapped(service, accepts, document, sample_envelope(service, ref, _attachments(folder)), folder)


def _expected(file: Path) -> tuple[ExpectForm | None, str]:
    if not file.is_file():
        return ExpectForm(), ""
    problems = Problems()
    node = read_yaml(file, problems)
    form = read_form(ExpectForm, node, problems) if node is not None else None
    return form, "; ".join(f"expect.yaml:{finding.line}: {finding.text.en}" for finding in problems.findings)


def _outcome(service: Service) -> Outcome:
    outcomes: dict[str, Outcome] = {"reject": "rejected", "clarify": "clarify", "deliver_with_findings": "accepted"}
    return outcomes[service.on_invalid["rest"]]


def _judged(expected: ExpectForm, outcome: Outcome, errors: list[Finding]) -> str:
    codes = sorted({finding.code for finding in errors})
    if outcome != expected.outcome:
        return f"expected {expected.outcome}, got {outcome} ({', '.join(codes) or 'no error'})"
    wanted = sorted(set(expected.codes))
    return "" if codes == wanted else f"expected the codes {wanted}, got {codes}"


def _accepting(service: Service, registry: Registry, document: Document) -> tuple[Accepts, SchemaRef] | None:
    """By what the document says it is; a document that does not say (JSON) by the service's first schema."""
    installed = [(accepts, accepts.ref) for accepts in service.accepts if accepts.ref is not None]
    recognised = registry.recognise(document)
    if recognised is not None:
        for accepts, ref in installed:
            if ref.standard == recognised.standard and ref.message in ("", recognised.message):
                return accepts, ref
    return installed[0] if installed else None


def _mapped(service: Service, accepts: Accepts, document: Document, envelope: Mapping[str, Any], folder: Path) -> str:
    made = map_case(service, accepts, document, envelope)
    if made.value is None:
        return "; ".join(f"{finding.path}: {finding.text.en}" for finding in made.findings)
    file = folder / "case.json"
    if not file.is_file():
        return "there is no case.json"
    got = {name: value for name, value in made.value.items() if name not in envelope}
    return "; ".join(list(_differences(json.loads(file.read_bytes()), got, ""))[:10])


def _attachments(folder: Path) -> list[dict[str, Any]]:
    file = folder / "metadata.json"
    if not file.is_file():
        return []
    announced = json.loads(file.read_bytes()).get("contentStructure", {}).get("attachments", [])
    return [
        {
            "attachmentId": attachment["attachmentId"],
            "filename": attachment.get("filename", ""),
            "mediaType": attachment["mimeType"],
            "purpose": attachment["purpose"],
            "size": (folder / Path(attachment.get("filename", "")).name).stat().st_size,
            "sha512": attachment["hash"]["content"],
        }
        for attachment in announced
    ]


def _differences(expected: Any, got: Any, place: str) -> Iterator[str]:
    if isinstance(expected, dict) and isinstance(got, dict):
        for name in expected.keys() | got.keys():
            yield from _differences(expected.get(name), got.get(name), f"{place}/{name}")
    elif isinstance(expected, list) and isinstance(got, list) and len(expected) == len(got):
        for index, (one, other) in enumerate(zip(expected, got, strict=True)):
            yield from _differences(one, other, f"{place}/{index}")
    elif expected != got or type(expected) is not type(got):
        yield f"{place}: expected {json.dumps(expected, ensure_ascii=False)}, got {json.dumps(got, ensure_ascii=False)}"

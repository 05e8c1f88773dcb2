"""FIT-Connect metadata, versions 1.0 and 2.1: read, checked against our own JSON Schemas, and reduced to what intake
needs.

Source: FITKO, *FIT-Connect Metadatenschema*; the version is read from `$schema` (absent = 1.0.0) and never fetched.
What a 2.1 document no longer carries (the service's identifier) comes from the request instead.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

from gateway.intake.filenames import is_safe
from gateway.intake.refusals import finding, refused
from xoev_schemas.documents import JsonDocument, Limits, Unreadable, parse
from xoev_schemas.findings import Finding, Text
from xoev_schemas.json_schema import member_names
from xoev_schemas.places import Names

_VERSION = re.compile(
    r"https://schema\.fitko\.de/fit-connect/(?:schemas/)?metadata/((\d{1,3}\.\d{1,3})\.\d{1,3})/metadata\.schema\.json"
)
_SCHEMA_FILES = {"1.0": "metadata-1.0.0.schema.json", "2.1": "metadata-2.1.0.schema.json"}
_SOURCE = "FIT-Connect metadata {version}"


@dataclass(frozen=True, slots=True)
class Announced:
    """An attachment as the metadata announce it. filename: checked; the attachment id where the sender gave none."""

    attachment_id: str
    filename: str
    media_type: str
    purpose: str
    sha512: str


@dataclass(frozen=True, slots=True)
class Metadata:
    """What intake needs to know, and the whole as sent.

    version: as declared (`2.1.0`). sha512: lower-case hex. service_identifier: URN, 1.0 only.
    """

    version: str
    schema_uri: str
    media_type: str
    data_sha512: str
    attachments: Mapping[str, Announced]
    service_identifier: str | None
    value: Mapping[str, Any]


def read_metadata(data: bytes, *, json_depth: int = 64) -> Metadata:
    """Parse and judge the metadata part.

    Raises Refused: 400 `metadata_invalid` (with one finding per fault), `metadata_version_unknown`, `filename_unsafe`.
    """
    try:
        document = parse(data, "application/json", Limits(json_depth=json_depth))
    except Unreadable as error:
        raise refused("metadata_invalid", findings=[_unreadable(fault) for fault in error.findings]) from None
    assert isinstance(document, JsonDocument)
    value = document.value
    version = _version(value)
    faults = list(_faults(value, version.rpartition(".")[0])) or list(_beyond_the_schema(value))
    if faults:
        raise refused("metadata_invalid", findings=faults)
    # Plain numbers instead of decimals from here on: the metadata are kept as JSON.
    return _reduce(json.loads(data), version)


@cache
def schema(version: str) -> dict[str, Any]:
    """Our JSON Schema (draft 2020-12) for metadata of `version` (`1.0` or `2.1`)."""
    text = files("gateway.intake").joinpath(_SCHEMA_FILES[version]).read_text(encoding="utf-8")
    value: dict[str, Any] = json.loads(text)
    return value


@cache
def _member_names(version: str) -> frozenset[str]:
    return member_names(schema(version))


@cache
def _validator(version: str) -> Any:
    return jsonschema_rs.Draft202012Validator(schema(version), validate_formats=True)


def _version(value: Any) -> str:
    declared = value.get("$schema") if isinstance(value, dict) else None
    if declared is None:
        return "1.0.0"
    match = _VERSION.fullmatch(declared) if isinstance(declared, str) else None
    if match is None or match[2] not in _SCHEMA_FILES:
        raise refused("metadata_version_unknown", path="/$schema", allowed=", ".join(_SCHEMA_FILES))
    return match[1]


def _unreadable(fault: Finding) -> Finding:
    """The parser's sentences speak of "the data", which is the name of another part here."""
    text = Text(
        f"Die Metadaten sind nicht lesbar. {fault.text.de.replace('Die Daten', 'Sie')}",
        f"The metadata cannot be read. {fault.text.en.replace('The data', 'They')}",
    )
    return replace(fault, path="metadata", text=text)


def _faults(value: Any, version: str) -> Iterable[Finding]:
    names = Names(_member_names(version))
    for error in _validator(version).iter_errors(value):
        keyword = str(error.schema_path[-1]) if error.schema_path else ""
        for path in _places(error):
            yield Finding(
                f"metadata.{_CODES.get(keyword, 'not_allowed')}",
                "error",
                "convention",
                _TEXTS.get(keyword, _NOT_ALLOWED),
                path=names.pointer(path),
                allowed=_allowed(error),
                remedy=Text("Berichtigen Sie diese Stelle der Metadaten.", "Correct this place of the metadata."),
                source=_SOURCE.format(version=version),
            )


def _places(error: Any) -> list[list[str | int]]:
    """A missing member is where it should be, an unknown one where it is; every other fault where the value is."""
    path = list(error.instance_path)
    if (missing := getattr(error.kind, "property", None)) is not None:
        return [[*path, missing]]
    return [[*path, name] for name in getattr(error.kind, "unexpected", ())] or [path]


_NOT_ALLOWED = Text("Dieser Wert ist in den Metadaten nicht zulässig.", "This value is not allowed in the metadata.")
_FORM = Text(
    "Eine Angabe der Metadaten hat nicht die verlangte Form.",
    "A value in the metadata does not have the required form.",
)
_CODES = {
    "required": "member_missing",
    "additionalProperties": "member_unknown",
    "type": "type_wrong",
    "format": "format_wrong",
    "pattern": "format_wrong",
}
_TEXTS = {
    "required": Text("In den Metadaten fehlt eine verlangte Angabe.", "A required member of the metadata is missing."),
    "additionalProperties": Text(
        "Eine Angabe ist in den Metadaten nicht vorgesehen.", "A member is not meant to be in the metadata."
    ),
    "type": Text("Eine Angabe der Metadaten hat den falschen Datentyp.", "A value in the metadata has the wrong type."),
    "format": _FORM,
    "pattern": _FORM,
}


def _allowed(error: Any) -> str | None:
    """What the schema wants, in words taken from the schema alone: an error's message would repeat the sender's
    value.
    """
    kind = error.kind
    for attribute in ("property", "pattern", "format", "types", "options", "expected_value", "limit"):
        if (wanted := getattr(kind, attribute, None)) is not None:
            return ", ".join(map(str, wanted)) if isinstance(wanted, list | tuple) else str(wanted)
    return None


def _beyond_the_schema(value: dict[str, Any]) -> Iterable[Finding]:
    """What this interface needs and the schema cannot say: a data part, and attachment ids that tell attachments
    apart.
    """
    structure = value["contentStructure"]
    if "data" not in structure:
        yield Finding(
            "metadata.data_missing",
            "error",
            "convention",
            Text("Die Metadaten beschreiben keine Fachdaten.", "The metadata describe no data."),
            path="/contentStructure/data",
            remedy=Text(
                "Beschreiben Sie die Fachdaten unter contentStructure.data.",
                "Describe the data in contentStructure.data.",
            ),
        )
    seen: set[str] = set()
    for index, attachment in enumerate(structure["attachments"]):
        identifier = attachment["attachmentId"].lower()
        path = f"/contentStructure/attachments/{index}"
        if identifier in seen:
            yield finding("attachment_duplicate", path=f"{path}/attachmentId")
        seen.add(identifier)
        if "filename" in attachment and not is_safe(attachment["filename"]):
            raise refused("filename_unsafe", path=f"{path}/filename")


def _reduce(value: dict[str, Any], version: str) -> Metadata:
    structure = value["contentStructure"]
    data = structure["data"]
    announced = (
        Announced(
            attachment_id=a["attachmentId"].lower(),
            filename=a.get("filename") or a["attachmentId"].lower(),
            media_type=a["mimeType"].lower(),
            purpose=a["purpose"],
            sha512=a["hash"]["content"],
        )
        for a in structure["attachments"]
    )
    return Metadata(
        version=version,
        schema_uri=data["submissionSchema"]["schemaUri"],
        media_type=data["submissionSchema"]["mimeType"],
        data_sha512=data["hash"]["content"],
        attachments={a.attachment_id: a for a in announced},
        service_identifier=value.get("publicServiceType", {}).get("identifier") if version.startswith("1.") else None,
        value=value,
    )

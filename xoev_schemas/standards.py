"""What is known about an installed standard, and the words for judging a document by it. No I/O here."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from xoev_schemas.documents import Document
from xoev_schemas.findings import Finding

XML_MEDIA_TYPES = ("application/xml", "text/xml")
JSON_MEDIA_TYPES = ("application/json",)


@dataclass(frozen=True, slots=True)
class Schema:
    """One compilable schema of a standard.

    entry: file to start from, relative to the standard's folder: an XSD that draws in all others, or a JSON Schema.
    messages: (namespace, local name) of the elements a document may begin with; JSON: ("", FIM id).
    """

    kind: Literal["xsd", "json"]
    entry: str
    messages: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Standard:
    """A standard in one version, as installed.

    ref: `xoev:xbau/2.6`, `fim:S07000000248V1.2.0`, or `xsd:<namespace>` for a schema that is neither XÖV nor FIM.
    publisher: the owner named by the standard's URN; None where the schema does not say.
    variant: name of another set of schemas for the same messages (`schatten` in `xoev:xbau/2.6-schatten`); empty for
    the normative one, which decides wherever nobody names the variant.
    licences: what the files say of their licence, as they say it.
    schema_uris: names under which submissions may refer to it: namespace, version URN, published schema URIs.
    messages: local names of its messages, sorted.
    files: path below `folder` → SHA-256 (hex) of the bytes; exactly what was imported, plus driver schemas made by us.
    folder: name of the folder below the registry's that holds the files.
    catalog: published URL → path below `folder`, for imports that name a URL.
    schematron: paths of its Schematron schemas (ISO/IEC 19757-3), in the order in which they are run.
    xdf: path of the XDatenfelder file that a FIM standard was made from or came with.
    """

    ref: str
    title: str
    version: str
    publisher: str | None
    schema_uris: list[str]
    messages: list[str]
    files: Mapping[str, str]
    folder: str
    schemas: Sequence[Schema]
    catalog: Mapping[str, str] = field(default_factory=dict)
    variant: str = ""
    licences: list[str] = field(default_factory=list)
    schematron: list[str] = field(default_factory=list)
    xdf: str | None = None

    @property
    def is_fim(self) -> bool:
        return self.ref.startswith("fim:")

    @property
    def media_types(self) -> tuple[str, ...]:
        kinds = {schema.kind for schema in self.schemas}
        return (XML_MEDIA_TYPES if "xsd" in kinds else ()) + (JSON_MEDIA_TYPES if "json" in kinds else ())


@dataclass(frozen=True, slots=True)
class InstalledList:
    """A code list in one version, as installed.

    uri, version: as messages name it (`listURI`, `listVersionID`); opaque. file: path below the registry's folder.
    sha256: of the file. codes: how many it has.
    """

    uri: str
    version: str
    title: str
    file: str
    sha256: str
    codes: int


@dataclass(frozen=True, slots=True)
class SchemaRef:
    """One message of an installed standard.

    message: local name of the root element, or the FIM id; empty where the name that was looked up leaves it open.
    source: the name that was looked up or recognised, as given; two refs to one message are equal whatever it is.
    """

    standard: str
    message: str
    media_types: tuple[str, ...]
    source: str = field(compare=False)


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a standard says about a document.

    valid: None = could not tell (no schema for this media type). message: what the document is, empty if unknown.
    test: the message marks itself as a test. The mere presence of the root attribute `test` does, whatever its value
    (XÖV Basisnachricht G2G 1.1). document: as it was read to be judged, for who asks more of the same data; None where
    another process read it.
    """

    valid: bool | None
    standard: str
    message: str
    findings: list[Finding]
    test: bool = False
    document: Document | None = field(default=None, repr=False, compare=False)


class ImportRefused(Exception):
    """Nothing was installed. `findings` name every file and what is wrong with it."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        super().__init__("; ".join(f"{f.path}: {f.text.en}" if f.path else f.text.en for f in findings))


# --- names ---------------------------------------------------------------------------------------------------------

# S + 8 digits (XDatenfelder 2) or 11 (3), then `V1.2.0` or `_1.2.0`: one id in the names of roots, files, URLs, URNs.
_FIM_ID = re.compile(r"(?<![0-9A-Za-z])s(\d{11}|\d{8})[v_](\d+\.\d+(?:\.\d+)?)(?!\d)", re.IGNORECASE)
_FIM_VERSION = re.compile(r"(?<=\d)V\d+\.\d+(?:\.\d+)?$")


def fim_id(text: str) -> str | None:
    """The FIM id of a Stammdatenschema anywhere in a name, normalised.

    >>> fim_id("https://schema.fitko.de/fim/s00000000364_1.0.0.schema.json")
    'S00000000364V1.0.0'
    """
    found = _FIM_ID.search(text)
    return f"S{found[1]}V{found[2]}" if found else None


def without_version(name: str) -> str:
    """A FIM field or group without its version: `F60000000227V1.1.0` → `F60000000227`; other names unchanged."""
    return _FIM_VERSION.sub("", name)

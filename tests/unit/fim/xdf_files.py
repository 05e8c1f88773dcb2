"""Small XDatenfelder 3.0.0 files, written from their parts."""

from __future__ import annotations

from hashlib import sha256
from pathlib import Path

from xoev_schemas.fim import DataSchema, element_name, read_xdf
from xoev_schemas.xsd import XsdSource

XDF3 = "urn:xoev-de:fim:standard:xdatenfelder_3.0.0"
SCHEMAS = (
    "S00000000362V1.0.0",
    "S00000000364V1.0.0",
    "S00000000371V1.0.0",
    "S00000000373V1.0.0",
    "S00000000374V1.0.0",
    "S00000000377V1.0.0",
    "S00000000380V1.0.0",
    "S02000000112V1.0.0",
    "S05000001162V3.3.0",
    "S05000001195V2.3.0",
    "S05000001299V1.0.0",
    "S07000000248V1.2.0",
)
"""The published Stammdatenschemas among the test data."""


def published(test_data: Path, name: str) -> DataSchema:
    return read_xdf((test_data / "fim" / "xdf3" / f"{name}.xdf3.xml").read_bytes())


def field(
    number: int,
    name: str,
    datatype: str = "text",
    *,
    kind: str = "input",
    more: str = "",
    help_text: str = "",
    basis: str = "",
) -> str:
    """more: elements after the data type, such as praezisierung, werte, codelisteReferenz."""
    return _element("datenfeld", f"F99{number:09}", name, help_text, basis) + (
        f"<x:feldart><code>{kind}</code></x:feldart><x:datentyp><code>{datatype}</code></x:datentyp>{more}</x:datenfeld>"
    )


def group(number: int, name: str, *positions: str, choice: bool = False) -> str:
    art = "<x:art><code>X</code></x:art>" if choice else ""
    return (
        f"{_element('datenfeldgruppe', f'G99{number:09}', name, '', '')}{art}{''.join(positions)}</x:datenfeldgruppe>"
    )


def at(how_often: str, element: str) -> str:
    return f"<x:struktur><x:anzahl>{how_often}</x:anzahl><x:enthaelt>{element}</x:enthaelt></x:struktur>"


def rule(number: int, name: str) -> str:
    return (
        f"<x:regel><x:identifikation><x:id>R99{number:09}</x:id><x:version>1.0.0</x:version></x:identifikation>"
        f"<x:name>{name}</x:name><x:freitextRegel>WENN ja, DANN nein.</x:freitextRegel></x:regel>"
    )


def schema_xml(*positions: str, rules: str = "") -> bytes:
    head = _element("stammdatenschema", "S99000000001", "Hund anmelden", "", "")
    content = f"{head}{rules}{''.join(positions)}</x:stammdatenschema>"
    root = "x:xdatenfelder.stammdatenschema.0102"
    return f'<{root} xmlns:x="{XDF3}"><x:header/>{content}</{root}>'.encode()


def schema(*positions: str, rules: str = "") -> DataSchema:
    return read_xdf(schema_xml(*positions, rules=rules))


def limits(**stated: object) -> str:
    return "<x:praezisierung " + " ".join(f'{name}="{value}"' for name, value in stated.items()) + "/>"


def values(**names: str) -> str:
    """Keys are codes with a letter before them, because keywords cannot be numbers."""
    listed = (f"<x:wert><x:code>{code[1:]}</x:code><x:name>{name}</x:name></x:wert>" for code, name in names.items())
    return f"<x:werte>{''.join(listed)}</x:werte>"


def code_list(uri: str, version: str = "", key: str = "") -> str:
    said = f"<x:version>{version}</x:version>" if version else ""
    column = f"<x:codeKey>{key}</x:codeKey>" if key else ""
    return (
        f"<x:codelisteReferenz><x:canonicalIdentification>{uri}</x:canonicalIdentification>{said}"
        f"</x:codelisteReferenz>{column}"
    )


def source_of(xsd: bytes) -> XsdSource:
    """An XSD as the registry compiles those of FIM: anchors, literals in XML Schema, are taken off the patterns."""
    return XsdSource(sha256(xsd).hexdigest(), "schema.xsd", {"schema.xsd": xsd}, strip_anchors=True)


def name_of(schema: DataSchema) -> str:
    return element_name(schema, versioned=True)


def _element(tag: str, identifier: str, name: str, help_text: str, basis: str) -> str:
    bases = f"<x:bezug>{basis}</x:bezug>" if basis else ""
    texts = f"<x:hilfetextEingabe>{help_text}</x:hilfetextEingabe>" if help_text else ""
    return (
        f"<x:{tag}><x:identifikation><x:id>{identifier}</x:id><x:version>1.0.0</x:version></x:identifikation>"
        f"<x:name>{name}</x:name>{bases}<x:freigabestatus><code>6</code></x:freigabestatus>{texts}"
    )

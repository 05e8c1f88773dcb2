"""The headers of XÖV messages: four families, and where each keeps what."""

from __future__ import annotations

from dataclasses import dataclass

from lxml import etree

from xoev_schemas.documents import text_of

_G2G = "XÖV-Basisnachricht G2G 1.1"


@dataclass(frozen=True, slots=True)
class Family:
    """Where a family of headers keeps what. Paths are local names below the header; empty: it has no such thing.

    lenient: published messages of this family name a wrong type of message, and their receivers take them.
    """

    header: str
    marker: str
    message_id: str
    kind: str
    created: str
    sender: str = ""
    reader: str = ""
    version: str = ""
    source: str = ""
    lenient: bool = False


_IDENTIFICATION = "identifikation.nachricht"
FAMILIES = (
    Family(
        "nachrichtenkopf.g2g",
        _IDENTIFICATION,
        f"{_IDENTIFICATION}/nachrichtenUUID",
        f"{_IDENTIFICATION}/nachrichtentyp/code",
        f"{_IDENTIFICATION}/erstellungszeitpunkt",
        "autor",
        "leser",
        source=_G2G,
    ),
    Family(
        "nachrichtenkopf",
        _IDENTIFICATION,
        f"{_IDENTIFICATION}/nachrichtenUUID",
        f"{_IDENTIFICATION}/nachrichtentyp/code",
        f"{_IDENTIFICATION}/erstellungszeitpunkt",
        "autor",
        "leser",
        source="XInneres-Basisnachricht",
    ),
    Family(
        "Kopf",
        "ProzessID",
        "",
        "Nachrichtentyp/code",
        "Erstellungszeitpunkt",
        "Absender",
        "Empfaenger",
        source="xdomea",
        lenient=True,
    ),
    Family(
        "nachrichtenkopf",
        "nachrichtenID",
        "nachrichtenID",
        "",
        "zeitstempel",
        version="versionStandard",
        source="XGewerbesteuer",
    ),
)

_IDENTITIES = (
    ("verzeichnisdienst/code", "kennung"),
    ("behoerdenkennung/praefix/code", "behoerdenkennung/kennung/code"),
)
"""Where a party says its directory and its identifier in it."""


class Header:
    """A message's header.

    part: the element at a path of local names, the first of each name on the way; None where there is none.
    """

    __slots__ = ("family", "part")

    def __init__(self, family: Family, element: etree._Element) -> None:
        self.family = family
        parts: dict[str, etree._Element] = {}
        _collect(element, "", parts)
        self.part = parts.get

    def text(self, path: str) -> str:
        """Stripped; empty where there is no such part."""
        part = self.part(path)
        return "" if part is None else text_of(part).strip()

    def identity(self, party: str) -> tuple[str, str] | None:
        """(directory or prefix, identifier) of a party; None where it names no identifier."""
        for directory, identifier in _IDENTITIES:
            if said := self.text(f"{party}/{identifier}"):
                return self.text(f"{party}/{directory}"), said
        return None


def _collect(element: etree._Element, above: str, parts: dict[str, etree._Element]) -> None:
    """In one walk: it costs less than to look for ten paths."""
    for child in element:
        path = above + str(child.tag).rpartition("}")[2]
        if path not in parts:
            parts[path] = child
            if len(child):
                _collect(child, f"{path}/", parts)


def header_of(root: etree._Element) -> Header | None:
    """The first child of the root that is a header of a known family."""
    for child in root.iterchildren(*_HEADERS):
        name = str(child.tag).rpartition("}")[2]
        for family in FAMILIES:
            if family.header == name and next(child.iterchildren(f"{{*}}{family.marker}"), None) is not None:
                return Header(family, child)
    return None


_HEADERS = tuple({f"{{*}}{family.header}": None for family in FAMILIES})

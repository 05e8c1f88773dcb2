"""What XÖV agrees on and a schema cannot say: the header tells of the very message it heads, and what is to be attached
can be.

Four families of headers are known (XÖV-Basisnachricht G2G, qualified and unqualified; XInneres; xdomea;
XGewerbesteuer). A message with another header, or none, is judged by its root's attributes alone. What the schema or
the standard's own Schematron has said already is not said again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import cast

from lxml import etree

from xoev_schemas.documents import text_of
from xoev_schemas.findings import Finding, Severity, Text, mask
from xoev_schemas.places import Names, Places
from xoev_schemas.standards import Standard

CLOCKS_DIFFER = timedelta(days=1)
"""How far ahead a time of creation may be: clocks differ, and times without a zone are read as UTC."""

_MESSAGE_NUMBER = re.compile(r"\.(\d{4,})$")
_UUID = re.compile(r"(?:urn:uuid:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DVDV = re.compile(r"[a-z]{2,3}:\d+")
_XS_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_FILE_NAME = re.compile(r"[-a-zA-Z0-9ÄÖÜäöüß _!=+~,;.#°§$%()\[\]]+\.[a-zA-Z0-9]+")
# How the formats of documents begin, in base64: PDF, PNG, JPEG, GIF, ZIP (and with it docx, odt), old Office, TIFF.
_DOCUMENT_STARTS = ("JVBERi", "iVBORw0KGgo", "/9j/", "R0lGOD", "UEsDB", "0M8R4KGx", "SUkqA", "TU0AK")
_SHORTEST_DOCUMENT = 200

_XBAU = "XBau-Kernmodul 1.3.0, transport"
_G2G = "XÖV-Basisnachricht G2G 1.1"
_NDR = "XÖV-Profil 1.5.1, NDR-16, NDR-17"


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


_IDENTITIES = (
    ("verzeichnisdienst/code", "kennung"),
    ("behoerdenkennung/praefix/code", "behoerdenkennung/kennung/code"),
)
"""Where a party says its directory and its identifier in it."""

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


def convention_findings(
    root: etree._Element,
    standard: Standard,
    *,
    now: datetime,
    reported: Sequence[Finding] = (),
    names: Names | None = None,
) -> list[Finding]:
    """What a message breaks of the conventions, in the order of the rules; layer `convention`.

    standard: the installed one that the message was judged by. now: with a time zone. reported: what the layers before
    found in this message. names: which names may be shown; None where the message is valid.
    """
    message = _Message(root, standard, _header(root), Places(root, names), now)
    found = [finding for rule in _RULES for finding in rule(message)]
    taken = {finding.path for finding in reported if finding.severity == "error"}
    return [finding for finding in found if finding.path not in taken]


def without_repetitions(findings: Sequence[Finding]) -> list[Finding]:
    """The findings of all layers, but for what the standard's own Schematron says as well.

    XBau has a rule for identifiers of the DVDV (sch-xbau-001, -002), which places the fault at the header.
    """
    rules = [finding for finding in findings if finding.layer == "schematron" and "DVDV" in finding.text.de]
    return [finding for finding in findings if not any(_is_said(finding, rule) for rule in rules)]


def _is_said(finding: Finding, rule: Finding) -> bool:
    header, _, party = finding.path.removesuffix("/kennung").rpartition("/")
    return (
        finding.code == "convention.dvdv_identifier" and rule.path.startswith(header) and f'"{party}"' in rule.text.de
    )


@dataclass(frozen=True, slots=True)
class _Header:
    """parts: every element below the header, the first of its kind, by its path of local names."""

    family: Family
    element: etree._Element
    parts: Mapping[str, etree._Element]

    def part(self, *path: str) -> etree._Element | None:
        return self.parts.get("/".join(path))

    def text(self, *path: str) -> str:
        """Stripped; empty where there is no such part."""
        part = self.part(*path)
        return "" if part is None else text_of(part).strip()


@dataclass(frozen=True, slots=True)
class _Message:
    root: etree._Element
    standard: Standard
    header: _Header | None
    places: Places
    now: datetime

    @property
    def is_xbau(self) -> bool:
        return self.standard.ref.startswith("xoev:xbau")

    def finding(
        self,
        code: str,
        severity: Severity,
        place: etree._Element,
        text: Text,
        remedy: Text,
        *,
        source: str,
        attribute: str = "",
        found: str | None = None,
        allowed: str | None = None,
    ) -> Finding:
        """code: in full, so that it can be looked for. attribute: of `place`, where that is what is meant."""
        return Finding(
            code=code,
            severity=severity,
            layer="convention",
            text=text,
            path=self.places.path(place) + (f"/@{attribute}" if attribute else ""),
            line=cast("int | None", place.sourceline),  # the stubs say float
            found=found,
            allowed=allowed,
            remedy=remedy,
            source=source,
        )


# --- the header and the message --------------------------------------------------------------------------------------


def _message_type(message: _Message) -> Iterator[Finding]:
    number = _MESSAGE_NUMBER.search(_local(message.root))
    if message.header is None or number is None:
        return
    family, kind = message.header.family, message.header.part(message.header.family.kind)
    if kind is None or text_of(kind).strip() == number[1]:
        return
    yield message.finding(
        "convention.message_type",
        "warning" if family.lenient else "error",
        kind,
        Text(
            f"Der Nachrichtenkopf nennt einen anderen Nachrichtentyp als den der Nachricht ({number[1]}).",
            f"The header names another type of message than this message has ({number[1]}).",
        ),
        Text(
            f"Tragen Sie {number[1]} als Nachrichtentyp ein, oder senden Sie die Nachricht, die gemeint ist.",
            f"Put {number[1]} as the type of message, or send the message that is meant.",
        ),
        found=mask(text_of(kind)),
        allowed=number[1],
        source=_NDR,
    )


def _version(message: _Message) -> Iterator[Finding]:
    """The version that the message says it has is the one of its namespace."""
    place, value, attribute = message.root, message.root.get("version"), "version"
    named = message.header.part(message.header.family.version) if message.header else None
    if named is not None:
        place, value, attribute = named, text_of(named).strip(), ""
    if value is None or value == message.standard.version or not message.standard.ref.startswith("xoev:"):
        return
    expected = message.standard.version
    yield message.finding(
        "convention.version",
        "error",
        place,
        Text(
            f"Die Nachricht nennt eine andere Version des Standards als ihr Namensraum ({expected}).",
            f"The message names another version of its standard than its namespace does ({expected}).",
        ),
        Text(
            f"Nennen Sie {expected}, oder verwenden Sie den Namensraum der gemeinten Version.",
            f"Name {expected}, or use the namespace of the version that is meant.",
        ),
        attribute=attribute,
        found=mask(str(value)),
        allowed=expected,
        source=message.standard.ref,
    )


def _standard(message: _Message) -> Iterator[Finding]:
    """Names are compared as people read them: "XBau-Hochbau" is "xbau"."""
    named = message.root.get("standard")
    own = message.standard.ref.partition(":")[2].partition("/")[0]
    if named is None or not message.standard.ref.startswith("xoev:"):
        return
    said = _plain(str(named))
    if any(said in known or known in said for known in (_plain(own), _plain(message.standard.title)) if known and said):
        return
    yield message.finding(
        "convention.standard",
        "warning",
        message.root,
        Text(
            f"Die Nachricht nennt einen anderen Standard als den ihres Namensraums ({own}).",
            f"The message names another standard than that of its namespace ({own}).",
        ),
        Text("Berichtigen Sie das Attribut.", "Correct the attribute."),
        attribute="standard",
        found=mask(str(named)),
        allowed=own,
        source=_G2G,
    )


def _message_id(message: _Message) -> Iterator[Finding]:
    if message.header is None:
        return
    family, identifier = message.header.family, message.header.part(message.header.family.message_id)
    if identifier is None or _UUID.fullmatch(text_of(identifier).strip()):
        return
    yield message.finding(
        "convention.message_id",
        "warning",
        identifier,
        Text("Die Kennung der Nachricht ist keine UUID.", "The identifier of the message is no UUID."),
        Text(
            "Vergeben Sie für jede Nachricht eine neue UUID: An ihr wird eine Wiederholung erkannt.",
            "Give each message a UUID of its own: a repetition is recognised by it.",
        ),
        found=mask(text_of(identifier)),
        allowed="UUID (RFC 9562)",
        source=family.source,
    )


def _created(message: _Message) -> Iterator[Finding]:
    if message.header is None:
        return
    family, created = message.header.family, message.header.part(message.header.family.created)
    when = _moment(text_of(created)) if created is not None else None
    if created is None or when is None or when <= message.now + CLOCKS_DIFFER:
        return
    yield message.finding(
        "convention.created_in_future",
        "warning",
        created,
        Text(
            "Die Nachricht nennt einen Erstellungszeitpunkt in der Zukunft.", "The message was created in the future."
        ),
        Text("Prüfen Sie die Uhr des erzeugenden Systems.", "Check the clock of the system that made it."),
        source=family.source,
    )


def _same_party(message: _Message) -> Iterator[Finding]:
    """Only where both name themselves in a directory; names and addresses alone tell nothing."""
    header = message.header
    reader = header.part(header.family.reader) if header else None
    if header is None or reader is None:
        return
    own = _identity(header, header.family.sender)
    if own is None or own != _identity(header, header.family.reader):
        return
    yield message.finding(
        "convention.same_party",
        "warning",
        reader,
        Text("Absender und Empfänger der Nachricht sind dieselben.", "The message is addressed to its own sender."),
        Text("Nennen Sie als Empfänger die zuständige Behörde.", "Name the competent authority as its reader."),
        source=header.family.source,
    )


def _dvdv(message: _Message) -> Iterator[Finding]:
    header = message.header
    for party in (header.family.sender, header.family.reader) if header else ():
        identifier = header.part(party, "kennung") if header else None
        if header is None or identifier is None or header.text(party, "verzeichnisdienst/code") != "DVDV":
            continue
        if _DVDV.fullmatch(text_of(identifier).strip()):
            continue
        yield message.finding(
            "convention.dvdv_identifier",
            "warning",
            identifier,
            Text("Die Kennung hat nicht die Form des DVDV.", "The identifier does not have the form of the DVDV."),
            Text(
                "Schreiben Sie Präfix, Doppelpunkt und Ziffern, etwa bab:05913000.",
                "Write prefix, colon and digits, such as bab:05913000.",
            ),
            found=mask(text_of(identifier)),
            allowed=_DVDV.pattern,
            source=header.family.source,
        )


def _test_message(message: _Message) -> Iterator[Finding]:
    if message.root.get("test") is None:
        return
    yield message.finding(
        "convention.test_message",
        "info",
        message.root,
        Text(
            "Die Nachricht ist als Testnachricht gekennzeichnet; es zählt, dass das Attribut da ist, nicht sein Wert.",
            "The message is marked as a test; the presence of the attribute counts, whatever its value.",
        ),
        Text("Lassen Sie das Attribut im echten Betrieb weg.", "Leave the attribute out of real messages."),
        attribute="test",
        source=_G2G,
    )


# --- attachments (transport rules of XBau) ---------------------------------------------------------------------------


def _document_ids(message: _Message) -> Iterator[Finding]:
    if not message.is_xbau:
        return
    for identifier in message.root.iter("{*}dokumentid"):
        if _XS_ID.fullmatch(text_of(identifier).strip()):
            continue
        yield message.finding(
            "convention.document_id",
            "warning",
            identifier,
            Text(
                "Die Kennung des Dokuments taugt beim Transport nicht als Kennung des Anhangs (xs:ID).",
                "In transport the document's identifier cannot be that of its attachment (xs:ID).",
            ),
            Text(
                "Beginnen Sie sie mit einem Buchstaben, etwa urn_uuid_…; erlaubt sind Buchstaben, Ziffern, _ - .",
                "Begin it with a letter, such as urn_uuid_…; allowed are letters, digits, _ - .",
            ),
            found=mask(text_of(identifier)),
            allowed="xs:ID",
            source=f"{_XBAU}, 2026-06-18",
        )


def _file_names(message: _Message) -> Iterator[Finding]:
    if not message.is_xbau:
        return
    first: dict[str, str] = {}
    for name in message.root.iter("{*}dateiname"):
        value = text_of(name).strip()
        document = "".join(text_of(element) for element in name.itersiblings("{*}dokumentid", preceding=True)).strip()
        if not _FILE_NAME.fullmatch(value):
            yield _file_name(message, name, value)
        elif first.setdefault(value, document) != document:
            yield message.finding(
                "convention.file_name_twice",
                "warning",
                name,
                Text("Zwei Dokumente haben denselben Dateinamen.", "Two documents have the same file name."),
                Text("Geben Sie jedem Dokument einen eigenen Namen.", "Give each document a name of its own."),
                found=mask(value),
                source=_XBAU,
            )


def _file_name(message: _Message, name: etree._Element, value: str) -> Finding:
    return message.finding(
        "convention.file_name",
        "warning",
        name,
        Text(
            "Der Dateiname enthält Zeichen, die beim Transport nicht erlaubt sind, oder keine Endung.",
            "The file name has characters that are not allowed in transport, or no extension.",
        ),
        Text("Benennen Sie die Datei um.", "Rename the file."),
        found=mask(value),
        allowed=_FILE_NAME.pattern,
        source=_XBAU,
    )


def _documents_inside(message: _Message) -> Iterator[Finding]:
    if not message.is_xbau:
        return
    for element in message.root.iter():
        text = element.text
        if text is None or len(text) < _SHORTEST_DOCUMENT or not text.lstrip().startswith(_DOCUMENT_STARTS):
            continue
        yield message.finding(
            "convention.document_inside",
            "warning",
            element,
            Text("In der Nachricht steht ein Dokument (base64).", "A document stands inside the message (base64)."),
            Text(
                "Senden Sie Dokumente als Anhänge, oder nennen Sie einen Ort, an dem die Behörde sie abholt.",
                "Send documents as attachments, or name a place where the authority fetches them.",
            ),
            source=_XBAU,
        )


_RULES: tuple[Callable[[_Message], Iterator[Finding]], ...] = (
    _message_type, _version, _standard, _message_id, _created, _same_party, _dvdv, _test_message,
    _document_ids, _file_names, _documents_inside,
)  # fmt: skip


# --- helpers ---------------------------------------------------------------------------------------------------------


def _header(root: etree._Element) -> _Header | None:
    for child in root:
        for family in FAMILIES:
            if family.header == _local(child) and any(_local(part) == family.marker for part in child):
                return _Header(family, child, _parts(child))
    return None


def _parts(element: etree._Element, above: str = "") -> dict[str, etree._Element]:
    """In one walk: fourteen look-ups by path cost ten times as much."""
    parts: dict[str, etree._Element] = {}
    for child in element:
        path = above + _local(child)
        if path not in parts:
            parts[path] = child
            if len(child):
                parts |= _parts(child, f"{path}/")
    return parts


def _local(element: etree._Element) -> str:
    return str(element.tag).rpartition("}")[2]


def _identity(header: _Header, party: str) -> tuple[str, str] | None:
    """(directory or prefix, identifier) of a party; None where it names no identifier."""
    for directory, identifier in _IDENTITIES:
        if said := header.text(party, identifier):
            return header.text(party, directory), said
    return None


def _moment(text: str) -> datetime | None:
    """An xs:dateTime; one without a zone is read as UTC. None for what is none: the schema says so."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _plain(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalnum())

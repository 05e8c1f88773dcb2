"""The header tells of the very message it heads, and the message of its standard."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import lru_cache

from lxml import etree

from xoev_schemas.conventions.header import Header
from xoev_schemas.conventions.message import Message
from xoev_schemas.documents import text_of
from xoev_schemas.findings import Finding, Text, mask

CLOCKS_DIFFER = timedelta(days=1)
"""How far ahead a time of creation may be: clocks differ, and times without a zone are read as UTC."""

_MESSAGE_NUMBER = re.compile(r"\.(\d{4,})$")
_UUID = re.compile(r"(?:urn:uuid:)?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_DVDV = re.compile(r"[a-z]{2,3}:\d+")
_NOT_PLAIN = re.compile(r"[\W_]+")

_G2G = "XÖV-Basisnachricht G2G 1.1"
_NDR = "XÖV-Profil 1.5.1, NDR-16, NDR-17"


def agreement_findings(message: Message) -> list[Finding]:
    """In the order of the rules. Where the header is of no known family, the root's attributes alone tell."""
    header = message.header
    found = [_version(message), _standard(message), _test_message(message)]
    if header is not None:
        own = [_message_id(message, header), _created(message, header), _same_party(message, header)]
        found = [_message_type(message, header), *found[:2], *own, *_dvdv(message, header), found[2]]
    return [finding for finding in found if finding is not None]


def _message_type(message: Message, header: Header) -> Finding | None:
    kind = header.part(header.family.kind)
    number = _MESSAGE_NUMBER.search(str(message.root.tag))
    if kind is None or number is None or text_of(kind).strip() == number[1]:
        return None
    return message.finding(
        "convention.message_type",
        "warning" if header.family.lenient else "error",
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


def _version(message: Message) -> Finding | None:
    """The version that the message says it has is the one of its namespace. A message of a module (XBau-Kernmodul) has
    the module's namespace and version, and its schema judges that.
    """
    if etree.QName(message.root).namespace not in message.standard.schema_uris:
        return None
    place, value, attribute = message.root, message.root.get("version"), "version"
    named = message.header.part(message.header.family.version) if message.header else None
    if named is not None:
        place, value, attribute = named, text_of(named).strip(), ""
    if value is None or value == message.standard.version or not message.standard.ref.startswith("xoev:"):
        return None
    expected = message.standard.version
    return message.finding(
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


def _standard(message: Message) -> Finding | None:
    """Names are compared as people read them: "XBau-Hochbau" is "xbau"."""
    named = message.root.get("standard")
    own = message.standard.ref.partition(":")[2].partition("/")[0]
    if named is None or not message.standard.ref.startswith("xoev:"):
        return None
    said = _plain(str(named))
    if said and any(said in known or known in said for known in _known_as(own, message.standard.title)):
        return None
    return message.finding(
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


def _message_id(message: Message, header: Header) -> Finding | None:
    identifier = header.part(header.family.message_id)
    if identifier is None or _UUID.fullmatch(text_of(identifier).strip()):
        return None
    return message.finding(
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
        source=header.family.source,
    )


def _created(message: Message, header: Header) -> Finding | None:
    created = header.part(header.family.created)
    when = _moment(text_of(created)) if created is not None else None
    if created is None or when is None or when <= message.now + CLOCKS_DIFFER:
        return None
    return message.finding(
        "convention.created_in_future",
        "warning",
        created,
        Text(
            "Die Nachricht nennt einen Erstellungszeitpunkt in der Zukunft.", "The message was created in the future."
        ),
        Text("Prüfen Sie die Uhr des erzeugenden Systems.", "Check the clock of the system that made it."),
        source=header.family.source,
    )


def _same_party(message: Message, header: Header) -> Finding | None:
    """Only where both name themselves in a directory; names and addresses alone tell nothing."""
    reader = header.part(header.family.reader)
    own = header.identity(header.family.sender)
    if reader is None or own is None or own != header.identity(header.family.reader):
        return None
    return message.finding(
        "convention.same_party",
        "warning",
        reader,
        Text("Absender und Empfänger der Nachricht sind dieselben.", "The message is addressed to its own sender."),
        Text("Nennen Sie als Empfänger die zuständige Behörde.", "Name the competent authority as its reader."),
        source=header.family.source,
    )


def _dvdv(message: Message, header: Header) -> Iterator[Finding]:
    for party in filter(None, (header.family.sender, header.family.reader)):
        identifier = header.part(f"{party}/kennung")
        if identifier is None or header.text(f"{party}/verzeichnisdienst/code") != "DVDV":
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


def _test_message(message: Message) -> Finding | None:
    if message.root.get("test") is None:
        return None
    return message.finding(
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


# --- helpers ---------------------------------------------------------------------------------------------------------


def _moment(text: str) -> datetime | None:
    """An xs:dateTime; one without a zone is read as UTC. None for what is none: the schema says so."""
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@lru_cache
def _known_as(*names: str) -> list[str]:
    """A standard's names, plain; of what is installed, never of a message."""
    return [plain for name in names if (plain := _plain(name))]


def _plain(name: str) -> str:
    return _NOT_PLAIN.sub("", name.casefold())

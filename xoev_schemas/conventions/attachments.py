"""What is to be attached can be: rules of XBau for transport."""

from __future__ import annotations

import re
from collections.abc import Iterator

from lxml import etree

from xoev_schemas.conventions.message import Message
from xoev_schemas.documents import text_of
from xoev_schemas.findings import Finding, Text, mask

_XS_ID = re.compile(r"[A-Za-z_][A-Za-z0-9_.\-]*")
_FILE_NAME = re.compile(r"[-a-zA-Z0-9ÄÖÜäöüß _!=+~,;.#°§$%()\[\]]+\.[a-zA-Z0-9]+")
_ID_TAG, _FILE_TAG = "{*}dokumentid", "{*}dateiname"

# How the formats of documents begin, in base64: PDF, PNG, JPEG, GIF, ZIP (and with it docx, odt), old Office, TIFF.
_SHORTEST_DOCUMENT = 200
_DOCUMENT = re.compile(
    r"\s*+(?=(?:JVBERi|iVBORw0KGgo|/9j/|R0lGOD|UEsDB|0M8R4KGx|SUkqA|TU0AK))"
    rf"[A-Za-z0-9+/=\-_ \t\r\n]{{{_SHORTEST_DOCUMENT}}}"
)
# Bytes that may stand in base64 become `x`: two C loops, a fifth of a walk over the elements of a small message.
_IN_BASE64 = bytes(0x78 if re.fullmatch(r"[A-Za-z0-9+/=\-_ \t\r\n]", chr(byte)) else 0x20 for byte in range(256))

_XBAU = "XBau-Kernmodul 1.3.0, transport"


def attachment_findings(message: Message) -> list[Finding]:
    """In the order of the rules."""
    if not message.standard.ref.startswith("xoev:xbau"):
        return []
    found = [*_document_ids(message), *_file_names(message)]
    return found if _surely_none_inside(message) else [*found, *_documents_inside(message)]


def _document_ids(message: Message) -> Iterator[Finding]:
    for identifier in message.root.iter(_ID_TAG):
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


def _file_names(message: Message) -> Iterator[Finding]:
    first: dict[str, etree._Element] = {}
    for name in message.root.iter(_FILE_TAG):
        value = text_of(name).strip()
        if not _FILE_NAME.fullmatch(value):
            yield _file_name(message, name, value)
        elif (other := first.setdefault(value, name)) is not name and _document(other) != _document(name):
            yield message.finding(
                "convention.file_name_twice",
                "warning",
                name,
                Text("Zwei Dokumente haben denselben Dateinamen.", "Two documents have the same file name."),
                Text("Geben Sie jedem Dokument einen eigenen Namen.", "Give each document a name of its own."),
                found=mask(value),
                source=_XBAU,
            )


def _document(name: etree._Element) -> str:
    """The identifier of the document that has this file name."""
    return "".join(text_of(element) for element in name.itersiblings(_ID_TAG, preceding=True)).strip()


def _file_name(message: Message, name: etree._Element, value: str) -> Finding:
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


def _surely_none_inside(message: Message) -> bool:
    return message.document.literal and b"x" * _SHORTEST_DOCUMENT not in message.data.translate(_IN_BASE64)


def _documents_inside(message: Message) -> Iterator[Finding]:
    for element in message.root.iter():
        text = element.text
        if text is None or len(text) < _SHORTEST_DOCUMENT or not _DOCUMENT.match(text):
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

"""What a document is, how large it may be, and how it is said that bytes are none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from lxml import etree

from xoev_schemas.findings import Finding, Text

SOURCE_XML = "XML 1.0 (W3C), RFC 7303"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one document. Bytes, levels or counts; reaching a limit is fine, passing it is a finding.

    text_bytes: one text node; libxml2 itself stops at 10,000,000, so more has no effect.
    """

    max_bytes: int = 50 * 1024 * 1024
    depth: int = 100
    elements: int = 200_000
    attributes: int = 256
    json_depth: int = 64
    text_bytes: int = 10_000_000


class Unreadable(Exception):
    """The bytes are not a document that may be processed. `findings` say why; layer `parse`."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__(", ".join(finding.code for finding in findings))


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """A parsed message. The tree holds elements and text only: no comments, instructions, entities or DTD.

    literal: every text stands in the bytes as it is (but for `&lt;` and its like), so that a question about all of them
    may be answered by a look at the bytes. False where comments, instructions or CDATA sections follow the root's
    beginning, or characters are written by number.
    """

    root: etree._Element
    literal: bool = False


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A parsed JSON text. Numbers with a fraction or exponent are `Decimal`, never `float`: no digit gets lost."""

    value: Any


Document = XmlDocument | JsonDocument


def check_size(data: bytes, limits: Limits, code: str) -> None:
    if len(data) > limits.max_bytes:
        raise too_large(code, limits.max_bytes)


def too_large(code: str, limit: int) -> Unreadable:
    return unreadable(
        code,
        Text("Die Daten sind zu groß.", "The data are too large."),
        Text("Senden Sie Dokumente als Anlagen.", "Send documents as attachments."),
        allowed=f"≤ {limit} bytes",
    )


def too_deep(code: str, limit: int, line: int | None) -> Unreadable:
    text = Text("Die Daten sind zu tief verschachtelt.", "The data are nested too deeply.")
    return unreadable(code, text, line=line, allowed=f"≤ {limit}")


def too_many(code: str, de: str, en: str, limit: int, line: int) -> Unreadable:
    text = Text(f"Die Nachricht enthält zu viele {de}.", f"The message contains too many {en}.")
    return unreadable(code, text, line=line, allowed=f"≤ {limit}")


def unreadable(
    code: str,
    text: Text,
    remedy: Text | None = None,
    *,
    line: int | None = None,
    column: int | None = None,
    allowed: str | None = None,
    source: str = SOURCE_XML,
) -> Unreadable:
    return Unreadable(
        [
            Finding(
                code=code,
                severity="error",
                layer="parse",
                text=text,
                line=line,
                column=column,
                allowed=allowed,
                remedy=remedy or Text("Prüfen Sie die Erzeugung der Daten.", "Check how the data are produced."),
                source=source,
            )
        ]
    )

"""The one place where foreign bytes are parsed. Everything else works on the documents it hands out.

What it accepts is narrower than what the libraries accept: UTF-8 only, XML 1.0 only, no DOCTYPE whatever it contains
(an internal entity in an attribute survives every softer setting of lxml), no XInclude, no duplicate JSON names,
bounded in every direction. Comments and processing instructions are dropped before anything reads text, because `.text`
ends at them and a validator and a mapping would see different values.

A problem is a finding of layer `parse`; its text never repeats what stood in the document.
"""

from __future__ import annotations

from lxml import etree

from xoev_schemas.documents.model import Document, JsonDocument, Limits, Unreadable, XmlDocument, unreadable
from xoev_schemas.documents.reading_json import parse_json
from xoev_schemas.documents.reading_xml import parse_xml
from xoev_schemas.findings import Text

__all__ = [
    "Document",
    "JsonDocument",
    "Limits",
    "Unreadable",
    "XmlDocument",
    "is_xml",
    "parse",
    "parse_json",
    "parse_xml",
    "text_of",
]


def parse(data: bytes, media_type: str, limits: Limits = Limits(), *, to_judge: bool = False) -> Document:
    """Read `data` as what `media_type` (parameters allowed) says it is.

    to_judge: only by schemas and rules. White space between elements may then be left out: where the message is valid
    nothing depends on it, and it makes up half the nodes of an indented message.

    Raises Unreadable: too large, not well-formed, not harmless, or a media type other than XML and JSON.
    """
    essence = media_type.partition(";")[0].strip().lower()
    if is_xml(essence):
        return parse_xml(data, limits, to_judge=to_judge)
    if essence == "application/json" or essence.endswith("+json"):
        return parse_json(data, limits)
    raise unreadable(
        "media_type.unsupported",
        Text("Dieser Medientyp kann nicht gelesen werden.", "This media type cannot be read."),
        allowed="application/xml, text/xml, application/json, */*+xml, */*+json",
    )


def is_xml(media_type: str) -> bool:
    """Whether a media type (without parameters) names XML (RFC 7303)."""
    return media_type in ("application/xml", "text/xml") or media_type.endswith("+xml")


def text_of(element: etree._Element) -> str:
    """The whole text content of an element, children included; the only right way to read a value."""
    if not len(element):
        return element.text or ""  # nearly always, and a fifth of the time
    return "".join(map(str, element.itertext()))

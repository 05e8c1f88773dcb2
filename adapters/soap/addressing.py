"""WS-Addressing 1.0 in a request: who is asked for what, and which message this is."""

from __future__ import annotations

import uuid

from lxml import etree

WSA = "http://www.w3.org/2005/08/addressing"
_ANONYMOUS = f"{WSA}/anonymous"


def message_id(key: str) -> str:
    """The same for every attempt of a delivery, so that the target can tell a repeat."""
    return f"urn:uuid:{uuid.uuid5(uuid.NAMESPACE_URL, key)}"


def address(envelope: etree._Element, *, action: str, to: str, key: str) -> None:
    """Write the header fields of a request that is answered on the same connection (WS-Addressing 1.0 Core §3.4)."""
    header = header_of(envelope)
    for name, text in (("Action", action), ("MessageID", message_id(key)), ("To", to)):
        etree.SubElement(header, f"{{{WSA}}}{name}", nsmap={"wsa": WSA}).text = text
    reply_to = etree.SubElement(header, f"{{{WSA}}}ReplyTo", nsmap={"wsa": WSA})
    etree.SubElement(reply_to, f"{{{WSA}}}Address").text = _ANONYMOUS


def header_of(envelope: etree._Element) -> etree._Element:
    """The envelope's header, made where there is none."""
    tag = f"{{{etree.QName(envelope).namespace}}}Header"
    header = envelope.find(tag)
    if header is None:
        header = etree.Element(tag)
        envelope.insert(0, header)
    return header

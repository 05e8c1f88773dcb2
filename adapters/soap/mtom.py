"""Attachments beside the message instead of in it: MTOM (W3C, 2005), that is XOP inside `multipart/related` (RFC 2387).

zeep cannot send it, and strips line ends of what it receives; so both are done here, around the finished envelope.
"""

from __future__ import annotations

import base64
import email
import email.policy
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

from lxml import etree

from adapters.base import RequestAttachment
from adapters.multipart import Multipart, Part

XOP = "http://www.w3.org/2004/08/xop/include"
_INCLUDE = f"{{{XOP}}}Include"
_ROOT = "message@gateway"


class NotMtom(Exception):
    """The bytes are no MTOM message. The text names no content."""


@dataclass(frozen=True, slots=True)
class Place:
    """An element whose value is an attachment."""

    element: etree._Element
    attachment: RequestAttachment


class StandIns:
    """What stands in a message where an attachment belongs, until it is decided how it travels. Valid base64, so that
    the types can judge the message without the content.
    """

    def __init__(self, key: str) -> None:
        self._key = key
        self._used: dict[str, RequestAttachment] = {}

    def make(self, attachment: RequestAttachment) -> bytes:
        """Nobody who writes a message can know it."""
        value = hashlib.sha256(f"mtom:{self._key}:{attachment.attachment_id}".encode()).digest()
        self._used[base64.b64encode(value).decode()] = attachment
        return value

    def places(self, envelope: etree._Element) -> list[Place]:
        if not self._used:
            return []
        found = ((element, self._used.get(element.text or "")) for element in envelope.iter("{*}*"))
        return [Place(element, attachment) for element, attachment in found if attachment is not None]


def write_inline(places: Sequence[Place]) -> None:
    """Put the contents where they belong, as a signature sees them (XOP §1.1: it covers the message before packing)."""
    for place in places:
        place.element.text = base64.b64encode(place.attachment.read()).decode("ascii")


def pack(
    envelope: etree._Element, places: Sequence[Place], *, media_type: str, action: str, key: str
) -> tuple[Multipart, str]:
    """The message with its attachments, and its `Content-Type`. media_type: of the envelope's SOAP version; action: of
    SOAP 1.2, else empty.
    """
    attachments = {place.attachment.attachment_id: place.attachment for place in places}
    ids = {name: f"{number}@gateway" for number, name in enumerate(attachments, 1)}
    for place in places:
        place.element.text = None
        href = f"cid:{ids[place.attachment.attachment_id]}"
        etree.SubElement(place.element, _INCLUDE, {"href": href}, nsmap={"xop": XOP})
    data = etree.tostring(envelope, xml_declaration=True, encoding="utf-8")
    kind = f'application/xop+xml; charset=utf-8; type="{media_type}"'
    parts = [Part(_head(kind, "8bit", _ROOT), len(data), lambda: [data])]
    parts += [Part(_head(a.media_type, "binary", ids[n]), a.size, a.chunks) for n, a in attachments.items()]
    body = Multipart(parts, key)
    told = f'; action="{action}"' if action else ""
    return body, (
        f'multipart/related; boundary="{body.boundary}"; type="application/xop+xml"; start="<{_ROOT}>"; '
        f'start-info="{media_type}"{told}'
    )


def _head(media_type: str, encoding: str, content_id: str) -> bytes:
    lines = (
        f"Content-Type: {media_type}",
        f"Content-Transfer-Encoding: {encoding}",
        f"Content-ID: <{content_id}>",
    )
    return "\r\n".join((*lines, "", "")).encode()


def unpack(content_type: str, body: bytes) -> tuple[bytes, dict[str, bytes]]:
    """The root part, and the others by content id. Raises NotMtom."""
    header = f"Content-Type: {content_type}\r\nMIME-Version: 1.0\r\n\r\n".encode("latin-1", errors="replace")
    message = email.message_from_bytes(header + body, policy=email.policy.HTTP)
    if not message.is_multipart() or message.defects:
        raise NotMtom("not a complete multipart message")
    parts: dict[str, bytes] = {}
    first = ""
    for number, part in enumerate(message.iter_parts()):
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            raise NotMtom("a part is made of parts")
        name = str(part.get("Content-ID", f"part {number}")).strip().strip("<>")
        first = first or name
        if name in parts:
            raise NotMtom("two parts have the same id")
        parts[name] = content
    root = str(message.get_param("start") or first).strip("<>")
    if root not in parts:
        raise NotMtom("the root part is missing")
    return parts.pop(root), parts


def resolve(root: etree._Element, parts: Mapping[str, bytes]) -> None:
    """Replace every reference by the content of its part. Raises NotMtom for one that leads nowhere."""
    for include in list(root.iter(_INCLUDE)):
        name = unquote((include.get("href") or "").removeprefix("cid:"))
        parent = include.getparent()
        if parent is None or name not in parts or len(parent) != 1 or (parent.text or "").strip():
            raise NotMtom("a reference leads nowhere, or does not stand alone")
        parent.remove(include)
        parent.text = base64.b64encode(parts[name]).decode("ascii")

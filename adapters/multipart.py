"""`multipart/form-data` (RFC 7578), and the body of any other multipart message, made while it is sent: an attachment
never stands in memory as a whole.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from adapters.base import RequestAttachment


@dataclass(frozen=True, slots=True)
class Part:
    """head: header fields with the empty line after them. chunks: the content, `size` bytes, anew at each call."""

    head: bytes
    size: int
    chunks: Callable[[], Iterable[bytes]]


class Multipart:
    """The whole body. media_type: of a form, with the boundary.

    key: of the delivery. The boundary is made from it, so that every attempt sends the same bytes, and nobody who
    writes an attachment can know it.
    """

    def __init__(self, parts: Sequence[Part], key: str) -> None:
        self.boundary = boundary = hashlib.sha256(f"multipart:{key}".encode()).hexdigest()[:40]
        self.media_type = f"multipart/form-data; boundary={boundary}"
        self._parts = parts
        self._line = f"--{boundary}\r\n".encode()
        self._end = f"--{boundary}--\r\n".encode()

    @property
    def size(self) -> int:
        return sum(len(self._line) + len(part.head) + part.size + 2 for part in self._parts) + len(self._end)

    def __iter__(self) -> Iterator[bytes]:
        for part in self._parts:
            yield self._line + part.head
            yield from part.chunks()
            yield b"\r\n"
        yield self._end


def value_part(name: str, media_type: str, data: bytes) -> Part:
    return Part(_head(name, None, media_type), len(data), lambda: [data])


def file_part(name: str, attachment: RequestAttachment, allowed: str) -> Part:
    """allowed: what the document says of the part (`encoding.contentType`): one media type, a list, or nothing."""
    one = allowed and "," not in allowed and "*" not in allowed
    media_type = allowed if one else attachment.media_type
    return Part(_head(name, attachment.filename, media_type), attachment.size, attachment.chunks)


def _head(name: str, filename: str | None, media_type: str) -> bytes:
    where = f'form-data; name="{_quoted(name)}"' + (f'; filename="{_quoted(filename)}"' if filename is not None else "")
    return f"Content-Disposition: {where}\r\nContent-Type: {media_type}\r\n\r\n".encode()


def _quoted(value: str) -> str:
    """UTF-8 as it is, and as browsers escape what would end the value (WHATWG HTML, multipart/form-data)."""
    return value.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")

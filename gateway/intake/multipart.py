"""multipart/form-data as a stream of parts (RFC 7578), with bounds and without guessing.

python-multipart finds boundaries and headers; this module says what a part is. Nothing is kept here: bytes go
straight on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from gateway.intake.refusals import refused

_PLAIN_ENCODINGS = frozenset({b"", b"binary", b"8bit", b"7bit"})
_SINGLE_HEADERS = frozenset({b"content-disposition", b"content-type", b"content-transfer-encoding"})


@dataclass(frozen=True, slots=True)
class PartHeader:
    """name, filename: of `Content-Disposition`, decoded as UTF-8. media_type: lower case, without parameters; "" if
    absent.
    """

    name: str
    filename: str | None
    media_type: str


class PartSink(Protocol):
    """Takes the parts as they come. Any method may raise Refused, which ends the reading."""

    def begin(self, header: PartHeader) -> None: ...
    def write(self, data: bytes) -> None: ...
    def end(self) -> None: ...


def boundary_of(content_type: str) -> bytes:
    """The boundary of a multipart/form-data request. Raises Refused 415 for another type, 400 without a boundary."""
    media_type, options = parse_options_header(content_type)
    if media_type != b"multipart/form-data":
        raise refused("content_type_unsupported", path="Content-Type", allowed="multipart/form-data")
    boundary = options.get(b"boundary", b"")
    if not 1 <= len(boundary) <= 70:  # RFC 2046 §5.1.1
        raise refused("multipart_malformed", path="Content-Type", allowed="boundary=1…70 characters")
    return boundary


class MultipartReader:
    """Feeds a body to a sink. `feed` any number of times, then `finish`; both raise Refused for a malformed body."""

    def __init__(self, boundary: bytes, sink: PartSink) -> None:
        self._sink = sink
        self._ended = False
        self._part = ""
        self._headers: dict[bytes, bytes] = {}
        self._field = self._value = b""
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._on_part_begin,
                "on_header_field": self._on_header_field,
                "on_header_value": self._on_header_value,
                "on_header_end": self._on_header_end,
                "on_headers_finished": self._on_headers_finished,
                "on_part_data": lambda data, start, end: sink.write(data[start:end]),
                "on_part_end": self._on_part_end,
                "on_end": self._on_end,
            },
        )

    def feed(self, data: bytes) -> None:
        try:
            self._parser.write(data)
        except FormParserError:
            # Its message can repeat a character of the content, so it stays here.
            raise refused("multipart_malformed") from None

    def finish(self) -> None:
        """The body is over; without the closing boundary it was cut short. The refusal says in which part."""
        if not self._ended:
            raise refused("multipart_malformed", path=self._part)

    def _on_part_end(self) -> None:
        self._sink.end()
        self._part = ""

    def _on_end(self) -> None:
        self._ended = True

    def _on_part_begin(self) -> None:
        self._headers = {}

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._field += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        name = self._field.lower()
        if name in self._headers and name in _SINGLE_HEADERS:
            raise refused("multipart_malformed")
        self._headers[name] = self._value
        self._field = self._value = b""

    def _on_headers_finished(self) -> None:
        disposition, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        encoding = self._headers.get(b"content-transfer-encoding", b"").strip().lower()
        if disposition != b"form-data" or b"name" not in options:
            raise refused("multipart_malformed", allowed="Content-Disposition: form-data; name=…")
        if encoding not in _PLAIN_ENCODINGS:
            raise refused("content_encoding_unsupported", path="Content-Transfer-Encoding")
        try:
            name = options[b"name"].decode()
            filename = options[b"filename"].decode() if b"filename" in options else None
        except UnicodeDecodeError:
            raise refused("multipart_malformed", allowed="UTF-8") from None
        media_type, _ = parse_options_header(self._headers.get(b"content-type", b""))
        self._sink.begin(PartHeader(name, filename, media_type.decode("latin-1")))
        self._part = name  # one that the sink knows

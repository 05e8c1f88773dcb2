"""Answers that come compressed although nobody asked for it, unpacked a little at a time.

httpx unpacks whole pieces, of which one may be a thousand times as long as what came, and as many layers as it is told.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator

import httpx

_PIECE = 64 * 1024
"""Bytes handed out at a time."""
_EITHER = 47
"""`wbits` of zlib for gzip and zlib alike."""


def unpacked(raw: Iterable[bytes], encoding: str) -> Iterator[bytes]:
    """encoding: of the header; what is neither `gzip` nor `deflate`, several layers too, stays as it is.

    Raises httpx.DecodingError.
    """
    if encoding.strip().lower() not in ("gzip", "x-gzip", "deflate"):
        yield from raw
        return
    unpacker = zlib.decompressobj(_EITHER)
    try:
        for piece in raw:
            part = unpacker.decompress(piece, _PIECE)
            while part:
                yield part
                part = unpacker.decompress(unpacker.unconsumed_tail, _PIECE)
    except zlib.error as error:
        raise httpx.DecodingError(str(error)) from error
    if not unpacker.eof:
        raise httpx.DecodingError("what was compressed ends too early")

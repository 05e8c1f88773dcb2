"""Ids of our own: UUID version 7 (RFC 9562 §5.7), which grow with time.

Rows that are made together then lie together in every index. With random ids each row touches a page of its own in
a dozen trees, and writing those pages is most of what accepting a submission costs.
"""

from __future__ import annotations

import os
import time


def new_id() -> str:
    """48 bits of milliseconds since 1970, 74 random bits; 36 characters, lower case."""
    milliseconds = time.time_ns() // 1_000_000
    random = int.from_bytes(os.urandom(10)) & ((1 << 74) - 1)
    high, low = random >> 62, random & ((1 << 62) - 1)
    value = (milliseconds & ((1 << 48) - 1)) << 80 | 0x7 << 76 | high << 64 | 0b10 << 62 | low
    text = f"{value:032x}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"

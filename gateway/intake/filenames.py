"""File names are the sender's text: checked, kept as data, never used as a path."""

from __future__ import annotations

import re
import unicodedata

MAX_LENGTH = 255
_DRIVE = re.compile(r"^[A-Za-z]:")
# Control, format (bidirectional and zero-width marks among them), surrogate, private use and unassigned characters;
# line breaks.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})


def is_safe(name: str) -> bool:
    """True if the name may be shown, stored and handed on: no path, nothing invisible, at most 255 characters."""
    if not name or len(name) > MAX_LENGTH or name != name.strip() or name in (".", ".."):
        return False
    if "/" in name or "\\" in name or _DRIVE.match(name):
        return False
    return (name.isascii() and name.isprintable()) or not any(
        unicodedata.category(c) in _FORBIDDEN_CATEGORIES for c in name
    )

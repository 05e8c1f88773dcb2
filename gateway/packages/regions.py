"""Regions by official keys.

ARS: 12 digits (Land 2, Bezirk 1, Kreis 2, Verband 4, Gemeinde 3). AGS: 8 digits, the same without the Verband.
"""

from __future__ import annotations

import re

_LEVELS = (2, 3, 5, 9, 12)  # Land, Bezirk, Kreis, Verband, Gemeinde
_UNKNOWN = "????"
"""Stands for the Verband, which an AGS does not tell."""


def normalise_region(text: str) -> str:
    """An ARS or the beginning of one. An AGS becomes an ARS; `DE` in front and spaces are dropped. Raises ValueError.

    `DE05913000` → `059130000000`: a city that is its own Kreis has no Verband. `05754004` → `05754????004`.
    """
    digits = re.sub(r"\s", "", text).removeprefix("DE")
    if not re.fullmatch(r"[0-9]+", digits):
        raise ValueError("this must be an ARS (12 digits or the beginning of one) or an AGS (8 digits)")
    if len(digits) == 8:
        community = digits[5:]
        return digits[:5] + ("0000" if community == "000" else _UNKNOWN) + community
    if len(digits) not in _LEVELS:
        raise ValueError("this must have 2, 3, 5, 9 or 12 digits (ARS), or 8 (AGS)")
    return digits


def covers(region: str, place: str) -> bool:
    """Does `place` lie in `region`? Both normalised; a shorter region is everything below it."""
    return len(place) >= len(region) and all("?" in (a, b) or a == b for a, b in zip(region, place, strict=False))

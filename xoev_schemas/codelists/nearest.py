"""Which code of a list may have been meant by one that it does not have."""

from __future__ import annotations

import difflib
import heapq
from collections.abc import Collection, Mapping

MOST_COMPARED = 100
LONGEST_COMPARED = 200


def nearest(labels: Mapping[str, str], code: str, n: int) -> list[str]:
    """Up to `n` codes of a list, best first; empty where nothing is near. labels: code → label.

    First what differs in writing only, otherwise what looks alike. Takes time in proportion to the list (AGS with
    11,000 codes: 30 ms).
    """
    if len(code) > LONGEST_COMPARED:
        return []
    wanted = _bare(code)
    same = [known for known, label in labels.items() if wanted and wanted in (_bare(known), _bare(label))]
    return same[:n] or difflib.get_close_matches(code, _alike(labels, code), n)


def differs_in_writing_only(code: str, known: str, label: str) -> bool:
    """In case, separators or leading zeros; or the label was sent in place of the code."""
    return _bare(code) in (_bare(known), _bare(label))


def _bare(text: str) -> str:
    """`0 706`, `706` and `0706` are one; so are `E-Mail` and `e mail`."""
    return "".join(filter(str.isalnum, text.casefold())).lstrip("0")


def _alike(codes: Collection[str], code: str) -> Collection[str]:
    """Those worth a real comparison: the ones that begin or end the same way."""
    if len(codes) <= MOST_COMPARED:
        return codes
    return heapq.nlargest(MOST_COMPARED, codes, key=lambda known: _common_ends(known, code))


def _common_ends(one: str, other: str) -> int:
    return _common_start(one, other) + _common_start(one[::-1], other[::-1])


def _common_start(one: str, other: str) -> int:
    return next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))

"""A code list in one version, as every format of it is read into."""

from __future__ import annotations

import re
import sys
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from xoev_schemas.codelists.nearest import nearest
from xoev_schemas.findings import Finding

_WHITE_SPACE = re.compile(r"[ \t\r\n]+")  # XML's own, not Unicode's: xs:token leaves a no-break space alone

# Columns whose name says that people read them; in their order they come before any other.
_SPEAKING = re.compile(r"beschreibung|bezeichnung|bedeutung|description|name|wert", re.IGNORECASE)


class NotACodeList(Exception):
    """The bytes are no code list that can be checked against. `findings` say why."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        super().__init__(", ".join(finding.code for finding in findings))


@dataclass(frozen=True, slots=True)
class CodeList:
    """One version of a list.

    uri: the list's `CanonicalUri`, in messages `listURI`. version: opaque, in messages `listVersionID`.
    key_column: id of the column whose values are the codes. columns: ids of all columns, in order.
    valid_from: as published, mostly an ISO date. labels: code → what it means, empty where the list does not say.
    """

    uri: str
    version: str
    version_uri: str
    title: str
    agency: str | None
    key_column: str
    columns: tuple[str, ...]
    valid_from: str | None
    labels: Mapping[str, str] = field(repr=False, compare=False)

    def has(self, code: str) -> bool:
        """Whether the list has a code, white space aside (xs:token). Constant time; `01` is not `1`."""
        return code in self.labels or token(code) in self.labels

    def label(self, code: str) -> str | None:
        """What a code means, without invisible characters; None for a code that the list does not have."""
        return self.labels.get(token(code))

    def nearest(self, code: str, n: int = 3) -> list[str]:
        """Up to `n` codes that may have been meant, best first; see `nearest.nearest`."""
        return nearest(self.labels, code, n)

    def __len__(self) -> int:
        return len(self.labels)


def token(text: str) -> str:
    """Normalised as xs:token: white space collapsed, none at the ends."""
    if " " not in text and text.isprintable():
        return text
    return _WHITE_SPACE.sub(" ", text).strip(" ")


def visible(text: str) -> str:
    """Without format characters: XBau's list of messages 4.0 has a zero-width space in an entry's description."""
    return text if text.isascii() else "".join(c for c in text if not is_invisible(c))


def is_invisible(character: str) -> bool:
    """A format character (zero-width space, soft hyphen, byte order mark …)."""
    return unicodedata.category(character) == "Cf"


def speaking_columns(columns: Iterable[str], key: str, first: str | None = None) -> list[str]:
    """The columns beside the key in the order in which they are asked for a label; `first`: as the list itself says."""
    others = [column for column in columns if column != key]
    return sorted(others, key=lambda column: (column != first, not _SPEAKING.search(column)))


def labels_of(rows: Iterable[Mapping[str, str]], key: str, speaking: Sequence[str]) -> dict[str, str]:
    """Code → label. rows: column → value, without columns that have none. A row without a code is no entry.

    Strings are interned: versions of one list differ little, so most of their texts are kept once.
    """
    labels: dict[str, str] = {}
    for row in rows:
        code = token(row.get(key, ""))
        if code and code not in labels:
            label = next((row[column] for column in speaking if row.get(column)), "")
            labels[sys.intern(code)] = sys.intern(token(visible(label)))
    return labels

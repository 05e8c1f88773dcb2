"""One file with its verdict, and the words around it, shared by every form of report."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from xoev_schemas.findings import Finding, Severity, Text
from xoev_schemas.report.source import Source

Language = Literal["de", "en"]

SEVERITIES: dict[Severity, tuple[str, Text, Text]] = {
    "error": ("✗", Text("Fehler", "Error"), Text("Fehler", "errors")),
    "warning": ("!", Text("Warnung", "Warning"), Text("Warnungen", "warnings")),
    "info": ("i", Text("Hinweis", "Note"), Text("Hinweise", "notes")),
}
"""Sign, one, many."""

LABELS = {
    "place": Text("Stelle", "Place"),
    "found": Text("Gefunden", "Found"),
    "allowed": Text("Erlaubt", "Allowed"),
    "remedy": Text("Abhilfe", "To do"),
    "source": Text("Quelle", "Source"),
}

# `found` is made of these English words (see `mask`); whole words, so that quoted characters stay.
_FOUND_DE = {
    "characters": "Zeichen",
    "character": "Zeichen",
    "letters": "Buchstaben",
    "digits": "Ziffern",
    "white space": "Leerraum",
    "position": "Stelle",
    "and others": "und andere",
}
_FOUND_WORDS = re.compile(rf"(?<!')\b(?:{'|'.join(_FOUND_DE)})\b(?!')")


@dataclass(frozen=True)
class Checked:
    """valid: the standard's word, None = it could not tell. accepted: this gateway's word. standard, message: what it
    was judged by, empty where nothing is installed for it. findings: as `positions.located` gives them.
    """

    file: str
    valid: bool | None
    accepted: bool
    standard: str
    message: str
    findings: Sequence[Finding]
    source: Source

    @classmethod
    def of(
        cls, file: str, source: Source, valid: bool | None, accepted: bool, standard: str | None, message: str | None,
        findings: Sequence[Finding],
    ) -> Checked:  # fmt: skip
        """Findings are put in the order of their places; what concerns the whole message comes first, notes on it
        last.
        """
        ordered = sorted(findings, key=_order)
        return cls(file, valid, accepted, standard or "", message or "", ordered, source)

    @property
    def by_line(self) -> dict[int | None, list[Finding]]:
        """Line (None: the whole message) → its findings, in order."""
        lines: dict[int | None, list[Finding]] = {}
        for finding in self.findings:
            inside = finding.line is not None and finding.line <= self.source.count
            lines.setdefault(finding.line if inside else None, []).append(finding)
        return lines

    @property
    def counts(self) -> Counter[Severity]:
        return Counter(finding.severity for finding in self.findings)

    @property
    def verdict(self) -> Text:
        """What the standard says."""
        by = f" ({self.standard})" if self.standard else ""
        if self.valid is None:
            return Text("nicht prüfbar: Kein Schema ist dafür installiert", "cannot be judged: no schema is installed")
        if self.valid:
            return Text(f"gültig nach dem Standard{by}", f"valid by the standard{by}")
        if not self.standard:
            return Text("nicht lesbar", "not readable")
        return Text(f"nicht gültig nach dem Standard{by}", f"not valid by the standard{by}")

    @property
    def acceptance(self) -> Text:
        """What this gateway says."""
        if self.accepted:
            return Text("wird von diesem Gateway angenommen", "accepted by this gateway")
        return Text("wird von diesem Gateway nicht angenommen", "not accepted by this gateway")

    @property
    def reason(self) -> Text:
        """Why it is accepted or not, as far as the verdict tells."""
        if self.accepted and self.valid:
            return Text("Eine Leistung hier nimmt diese Nachricht an.", "A service here takes this message.")
        if self.accepted:
            return Text(
                "Eine Leistung hier nimmt sie an, obwohl sie nicht gültig ist.",
                "A service here takes it although it is not valid.",
            )
        if self.valid:
            return Text("Keine Leistung hier nimmt diese Nachricht an.", "No service here takes this message.")
        return Text("Keine Leistung hier nimmt sie so an, wie sie ist.", "No service here takes it as it is.")


def _order(finding: Finding) -> tuple[float, int]:
    nowhere = math.inf if finding.severity == "info" else 0
    return finding.line or nowhere, finding.column or 0


def in_language(text: Text, language: Language) -> str:
    return text.de if language == "de" else text.en


def first_column(findings: Sequence[Finding]) -> int | None:
    return min((finding.column for finding in findings if finding.column), default=None)


def found_words(finding: Finding) -> Text | None:
    """What was found, in both languages; None where nothing is said."""
    if not finding.found:
        return None
    return Text(_FOUND_WORDS.sub(lambda word: _FOUND_DE[word[0]], finding.found), finding.found)


def summary(counts: Counter[Severity]) -> Text:
    """`2 errors, 1 warning`."""
    de, en = [], []
    for severity, (_sign, one, many) in SEVERITIES.items():
        if number := counts[severity]:
            de.append(f"{number} {one.de if number == 1 else many.de}")
            en.append(f"{number} {one.en.lower() if number == 1 else many.en}")
    return Text(", ".join(de) or "keine Beanstandung", ", ".join(en) or "no findings")

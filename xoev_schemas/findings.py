"""Findings: one thing wrong (or noteworthy) in a message, as data.

Every layer of checking, from the parser to the attachments, speaks in findings; nothing else decides validity.
The wire form is fixed by the interface (`code`, `severity`, `layer`, `path`, `line`, `column`, `found`, `allowed`,
`text`, `remedy`, `source`) and is what portals, operators and the command line see.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

Severity = Literal["error", "warning", "info"]
Layer = Literal["parse", "schema", "codelist", "schematron", "convention", "service", "attachment"]


@dataclass(frozen=True, slots=True)
class Text:
    """A sentence in both languages that officials and portal developers read."""

    de: str
    en: str

    def as_dict(self) -> dict[str, str]:
        return {"de": self.de, "en": self.en}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing wrong or noteworthy.

    code: stable, dotted, lower case (`xml.doctype`, `schema.missing_element`); never reused for another meaning.
    path: XPath with element names and positions, or a JSON pointer; `file:line` for configuration; may be empty.
    line, column: 1-based position in the bytes as sent, where known.
    found: what stood there, already masked: never a citizen's value (see `mask`).
    allowed: what may stand there (a type, a pattern, a list of names), in words.
    source: where the rule comes from (standard, version, section or schema file).
    """

    code: str
    severity: Severity
    layer: Layer
    text: Text
    path: str = ""
    line: int | None = None
    column: int | None = None
    found: str | None = None
    allowed: str | None = None
    remedy: Text = field(default_factory=lambda: Text("", ""))
    source: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "layer": self.layer,
            "path": self.path,
            "line": self.line,
            "column": self.column,
            "found": self.found,
            "allowed": self.allowed,
            "text": self.text.as_dict(),
            "remedy": self.remedy.as_dict(),
            "source": self.source,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Finding:
        return cls(**{**data, "text": Text(**data["text"]), "remedy": Text(**data["remedy"])})


def has_errors(findings: Iterable[Finding]) -> bool:
    return any(finding.severity == "error" for finding in findings)


def mask(value: str) -> str:
    """Describe a value without repeating it: its length and the kinds of characters in it.

    `"Müller-41"` becomes `"9 characters: letters, digits, '-'"`. Enough to see a swapped field, too little to know a
    person.
    """
    kinds = []
    if any(c.isalpha() for c in value):
        kinds.append("letters")
    if any(c.isdigit() for c in value):
        kinds.append("digits")
    if any(c.isspace() for c in value):
        kinds.append("white space")
    others = sorted({c for c in value if not c.isalnum() and not c.isspace() and c.isprintable()})
    kinds.extend(f"'{c}'" for c in others[:4])
    length = f"{len(value)} character{'' if len(value) == 1 else 's'}"
    return f"{length}: {', '.join(kinds)}" if kinds else length

"""Faults in configuration files: all at once, each with file, line, column and the nearest valid alternative."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from gateway.errors import ConfigurationError
from gateway.mapping.remedies import remedy_for
from xoev_schemas.findings import Finding, Severity, Text, has_errors


@dataclass(frozen=True, slots=True)
class Place:
    """A position in a configuration file. line, column: 1-based, None = the file as a whole."""

    file: Path
    line: int | None = None
    column: int | None = None

    @property
    def label(self) -> str:
        """`folder/file.yaml:12`: enough to find it, without the machine's paths."""
        name = f"{self.file.parent.name}/{self.file.name}" if self.file.parent.name else self.file.name
        return f"{name}:{self.line}" if self.line else name


@dataclass(slots=True)
class Problems:
    """Grows while files are read; `raise_if_any` ends the reading."""

    findings: list[Finding] = field(default_factory=list)

    def add(
        self,
        place: Place,
        code: str,
        text: Text,
        *,
        remedy: Text | None = None,
        found: str | None = None,
        allowed: str | None = None,
        severity: Severity = "error",
    ) -> None:
        finding = Finding(
            code,
            severity,
            "service",
            text,
            path=str(place.file),
            line=place.line,
            column=place.column,
            found=found,
            allowed=allowed,
            remedy=remedy or remedy_for(code),
        )
        if finding not in self.findings:
            self.findings.append(finding)

    def unknown(self, place: Place, code: str, what: Text, name: str, known: Iterable[str]) -> None:
        """`name` is none of `known`: says so, lists what is known and proposes the nearest."""
        choices = sorted(set(known))
        self.add(
            place,
            code,
            Text(f"{what.de} „{name}“ gibt es hier nicht.", f"there is no {what.en} '{name}' here."),
            remedy=did_you_mean(name, choices),
            allowed=", ".join(choices[:40]) or None,
        )

    def raise_if_any(self) -> None:
        """Raises ConfigurationError with all findings if one of them is an error."""
        if has_errors(self.findings):
            raise ConfigurationError(self.findings)


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str | None:
    """The most similar name, upper and lower case and underscores aside; None if nothing is similar."""
    folded = {_fold(candidate): candidate for candidate in known}
    matches = difflib.get_close_matches(_fold(name), folded, n=1, cutoff=cutoff)
    return folded[matches[0]] if matches else None


def did_you_mean(name: str, known: Iterable[str]) -> Text | None:
    match = nearest(name, known)
    if match is None:
        return None
    return Text(f"Meinten Sie „{match}“?", f"Did you mean '{match}'?")


def _fold(name: str) -> str:
    return name.replace("_", "").replace("-", "").casefold()

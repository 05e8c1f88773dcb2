"""Why a file is not read as XDatenfelder, each reason with its place and what to do about it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pyexpat import ParserCreate

from lxml import etree

from xoev_schemas.findings import Finding, Text
from xoev_schemas.places import Places, display_name
from xoev_schemas.words import MOST_FINDINGS, more_findings

_SOURCE = "XDatenfelder"
_EDITORS = Text(
    "Berichtigen Sie die Datei oder laden Sie sie erneut aus dem FIM-Portal.",
    "Mend the file, or get it again from the FIM portal.",
)


class NotAnXdf(Exception):
    """The bytes are no XDatenfelder file that can be read. `findings` say why and where."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self.findings = list(findings)
        super().__init__("; ".join(f"line {finding.line}: {finding.text.en}" for finding in findings))


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing wrong at an element. Its place in the bytes is looked up only when the file is refused."""

    element: etree._Element
    code: str
    text: Text
    allowed: str | None = None
    remedy: Text = _EDITORS


def missing(parent: etree._Element, name: str) -> Problem:
    text = Text(
        f"In {display_name(parent)} fehlt das Element {name}.",
        f"The element {name} is missing in {display_name(parent)}.",
    )
    return Problem(parent, "fim.missing", text, allowed=name)


def duplicate(element: etree._Element) -> Problem:
    name = display_name(element)
    text = Text(f"Das Element {name} steht hier zu oft.", f"The element {name} stands here too often.")
    return Problem(element, "fim.duplicate", text)


def unexpected(element: etree._Element, allowed: str) -> Problem:
    name = display_name(element)
    text = Text(f"Das Element {name} ist hier nicht vorgesehen.", f"The element {name} is not foreseen here.")
    return Problem(element, "fim.unexpected", text, allowed=allowed or None)


def wrong_value(element: etree._Element, allowed: str) -> Problem:
    """allowed: the values, or examples of them."""
    name = display_name(element)
    text = Text(
        f"Der Inhalt von {name} ist nicht zulässig oder fehlt.", f"The content of {name} is not allowed, or missing."
    )
    return Problem(element, "fim.value", text, allowed=allowed)


def not_xdf(root: etree._Element) -> Problem:
    text = Text(
        "Die Datei ist kein Stammdatenschema und keine Datenfeldgruppe in XDatenfelder 2 oder 3.0.0.",
        "The file is neither a Stammdatenschema nor a Datenfeldgruppe in XDatenfelder 2 or 3.0.0.",
    )
    allowed = "urn:xoev-de:fim:standard:xdatenfelder_2, urn:xoev-de:fim:standard:xdatenfelder_3.0.0"
    return Problem(root, "fim.not_xdf", text, allowed=allowed)


def old_xdf(root: etree._Element) -> Problem:
    text = Text(
        "Die Datei ist in XDatenfelder 1 verfasst; gelesen werden die Versionen 2 und 3.0.0.",
        "The file is written in XDatenfelder 1; versions 2 and 3.0.0 are read.",
    )
    remedy = Text(
        "Bitten Sie die Redaktion um die Datei in XDatenfelder 3.0.0 oder laden Sie sie aus dem FIM-Portal.",
        "Ask the editors for the file in XDatenfelder 3.0.0, or get it from the FIM portal.",
    )
    return Problem(root, "fim.xdf1", text, allowed="XDatenfelder 2, 3.0.0", remedy=remedy)


def refusal(problems: Sequence[Problem], root: etree._Element, data: bytes) -> NotAnXdf:
    """data: the bytes that `root` was read from; they are read once more for the lines and columns."""
    listed = problems[:MOST_FINDINGS]
    wanted = {problem.element for problem in listed}
    numbers = {element: number for number, element in enumerate(root.iter()) if element in wanted}
    places, positions = Places(root), _positions(data, set(numbers.values()))
    findings = [
        Finding(
            problem.code,
            "error",
            "schema",
            problem.text,
            path=places.path(problem.element),
            line=positions[numbers[problem.element]][0],
            column=positions[numbers[problem.element]][1],
            allowed=problem.allowed,
            remedy=problem.remedy,
            source=_SOURCE,
        )
        for problem in listed
    ]
    if len(problems) > len(listed):
        findings.append(more_findings(len(problems) - len(listed), _SOURCE))
    return NotAnXdf(findings)


def _positions(data: bytes, numbers: set[int]) -> dict[int, tuple[int, int]]:
    """Where the elements with these numbers (in document order) begin: 1-based line and column. lxml has no columns."""
    found: dict[int, tuple[int, int]] = {}
    seen = -1
    expat = ParserCreate("utf-8")

    def start(_name: str, _attributes: dict[str, str]) -> None:
        nonlocal seen
        seen += 1
        if seen in numbers:
            found[seen] = expat.CurrentLineNumber, expat.CurrentColumnNumber + 1

    expat.StartElementHandler = start
    expat.Parse(data, True)
    return found

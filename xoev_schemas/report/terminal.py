"""A report for a terminal: verdict, then finding by finding with the line of the message that it is about."""

from __future__ import annotations

from collections.abc import Iterator

from rich.console import Console
from rich.text import Text as Line

from xoev_schemas.findings import Finding, Severity
from xoev_schemas.report.checked import (
    LABELS,
    SEVERITIES,
    Checked,
    Language,
    first_column,
    found_words,
    in_language,
    summary,
)
from xoev_schemas.report.source import Line as SourceLine

_COLOURS: dict[Severity, str] = {"error": "red", "warning": "yellow", "info": "blue"}
_STYLES = {"mark": "dim", "name": "cyan", "attribute": "magenta", "value": ""}
_NARROWEST = 40
_VALID = {True: ("✓", "green"), False: ("✗", "red"), None: ("?", "yellow")}


def print_report(checked: Checked, console: Console, language: Language) -> None:
    sign, colour = _VALID[checked.valid]
    console.print(Line.assemble((f"{sign} ", colour), (checked.file, "bold")))
    verdict, acceptance = in_language(checked.verdict, language), in_language(checked.acceptance, language)
    _print(console, 2, Line.assemble((verdict, colour), " · ", acceptance))
    about = [checked.message, in_language(summary(checked.counts), language)]
    _print(console, 2, Line(" · ".join(filter(None, about)), style="dim"))
    columns = {line: first_column(findings) for line, findings in checked.by_line.items() if line}
    lines = checked.source.lines(columns, max(_NARROWEST, console.width - len(_margin(0))))
    for line, findings in checked.by_line.items():
        console.print()
        if line:
            for text in _excerpt(line, lines[line], findings):
                console.print(text, no_wrap=True, crop=False)
        for finding in findings:
            _print_finding(finding, console, language)
    if checked.findings:
        console.print()


def _margin(number: int) -> str:
    return f"  {number or '':>6} │ "


def _excerpt(number: int, line: SourceLine, findings: list[Finding]) -> Iterator[Line]:
    """The line with its number, and a second one with marks below the places."""
    body = Line()
    for piece in line.pieces:
        body.append(piece.text.expandtabs(1), style=_STYLES[piece.kind])
    yield Line.assemble((_margin(number), "dim"), body)
    marks = [" "] * (len(body) + 1)
    for finding in findings:
        if finding.column and 0 <= finding.column - 1 - line.cut < len(marks):
            marks[finding.column - 1 - line.cut] = "▲"
    if any(mark != " " for mark in marks):
        yield Line.assemble((_margin(0), "dim"), ("".join(marks).rstrip(), "bold red"))


def _print_finding(finding: Finding, console: Console, language: Language) -> None:
    sign, one, _many = SEVERITIES[finding.severity]
    colour = _COLOURS[finding.severity]
    head = Line.assemble(
        (f"{sign} {in_language(one, language)}: ", f"bold {colour}"),
        in_language(finding.text, language),
        (f"  [{finding.code}]", "dim"),
    )
    _print(console, 2, head)
    where = " · ".join(filter(None, (finding.path, place(finding, language))))
    found = found_words(finding)
    rows = {
        "place": where,
        "found": in_language(found, language) if found else "",
        "allowed": finding.allowed or "",
        "remedy": in_language(finding.remedy, language),
        "source": finding.source or "",
    }
    for label, value in rows.items():
        if value:
            name = f"{in_language(LABELS[label], language)}: "
            _print(console, 6, Line.assemble((name, "dim"), value))


def _print(console: Console, indent: int, text: Line) -> None:
    """Wrapped to the console's width, without blanks at the ends of lines."""
    for line in text.wrap(console, max(20, console.width - indent)):
        line.rstrip()
        console.print(Line.assemble(" " * indent, line), soft_wrap=True)


def place(finding: Finding, language: Language) -> str:
    """`line 38, column 5`, as far as it is known."""
    if not finding.line:
        return ""
    words = ("Zeile", "Spalte") if language == "de" else ("line", "column")
    return f"{words[0]} {finding.line}" + (f", {words[1]} {finding.column}" if finding.column else "")

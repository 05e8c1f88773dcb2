"""A report as one page of its own: the message with its findings beside the lines.

Without script it shows everything; the script adds filtering and jumping. Reading order is that of the document: a
finding, then its lines.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from html import escape
from importlib.resources import files

from xoev_schemas.findings import Finding, Text
from xoev_schemas.report.checked import (
    LABELS,
    SEVERITIES,
    Checked,
    Language,
    first_column,
    found_words,
    summary,
)
from xoev_schemas.report.frame import both, framed
from xoev_schemas.report.source import Line

WHOLE = 3000
"""Lines up to which a message is shown as a whole; of a longer one the surroundings of its findings."""
AROUND = 4
_WHOLE_BYTES = 512 * 1024

_VALID = {
    True: ("yes", "✓", Text("Gültig", "Valid")),
    False: ("no", "✗", Text("Nicht gültig", "Not valid")),
    None: ("unknown", "?", Text("Nicht prüfbar", "Cannot be judged")),
}
_ACCEPTED = {
    True: ("yes", "✓", Text("Angenommen", "Accepted")),
    False: ("no", "✗", Text("Nicht angenommen", "Not accepted")),
}
_TITLE = Text("Prüfbericht", "Check report")
_SKIP = Text("Zum Bericht springen", "Skip to the report")
_FOOTER = Text(
    "„Gültig nach dem Standard“ und „von diesem Gateway angenommen“ sind zwei Aussagen: Die erste hängt nur von der "
    "Nachricht ab, die zweite auch davon, welche Leistungen hier eingerichtet sind. Verdeckte Zeichen (•) sind Werte "
    "der Nachricht. Auf einer Beanstandung springen die Tasten n und p zur nächsten und vorigen.",
    "“Valid by the standard” and “accepted by this gateway” are two statements: the first depends on the message "
    "alone, the second also on the services set up here. Hidden characters (•) are values of the message. On a "
    "finding, the keys n and p go to the next and the previous one.",
)


def page(reports: Sequence[Checked], language: Language = "de") -> str:
    """The page for one file or several; complete, in UTF-8."""
    here = files(__package__)
    names = ", ".join(report.file for report in reports[:3]) + (" …" if len(reports) > 3 else "")
    return framed(
        language,
        heading=_TITLE,
        title=Text(f"{_TITLE.de}: {names}", f"{_TITLE.en}: {names}"),
        skip=_SKIP,
        tools=_tools(reports),
        content=(_contents(reports) if len(reports) > 1 else "")
        + "".join(_section(report, number) for number, report in enumerate(reports, 1)),
        footer=_FOOTER,
        style=here.joinpath("page.css").read_text(encoding="utf-8"),
        script=here.joinpath("page.js").read_text(encoding="utf-8"),
    )


def _tools(reports: Sequence[Checked]) -> str:
    total = {severity: sum(report.counts[severity] for report in reports) for severity in SEVERITIES}
    filters = "".join(_filter(severity, number) for severity, number in total.items())
    return (
        f"<fieldset><legend>{both(Text('Zeigen', 'Show'))}</legend>{filters}</fieldset>"
        f'<div role="group" aria-labelledby="jump"><span id="jump" class="unseen">'
        f"{both(Text('Zur Beanstandung springen', 'Jump to finding'))}</span>"
        f'<button type="button" id="previous"><span aria-hidden="true">↑</span> {both(Text("Vorige", "Previous"))}'
        f'</button><button type="button" id="next"><span aria-hidden="true">↓</span> {both(Text("Nächste", "Next"))}'
        f'</button></div><p id="status" role="status"></p>'
    )


def _filter(severity: str, number: int) -> str:
    sign, _one, many = SEVERITIES[severity]  # type: ignore[index]
    name = Text(many.de, many.en.capitalize())
    return (
        f'<label class="{severity}"><input type="checkbox" value="{severity}" checked> '
        f'<span class="sign" aria-hidden="true">{sign}</span> {both(name)} <b>{number}</b></label>'
    )


def _contents(reports: Sequence[Checked]) -> str:
    """The list of files, for several."""
    items = []
    for number, report in enumerate(reports, 1):
        kind, sign, word = _VALID[report.valid]
        items.append(
            f'<li><span class="verdict {kind}"><span aria-hidden="true">{sign}</span> {both(word)}</span> '
            f'<a href="#file{number}">{escape(report.file)}</a> <small>{both(summary(report.counts))}</small></li>'
        )
    heading = both(Text("Dateien", "Files"))
    return f'<nav class="files" aria-labelledby="files"><h2 id="files">{heading}</h2><ul>{"".join(items)}</ul></nav>'


# --- one file ------------------------------------------------------------------------------------------------------


def _section(report: Checked, number: int) -> str:
    ids = {id(finding): f"f{number}-{at}" for at, finding in enumerate(report.findings, 1)}
    whole = report.by_line.get(None, [])
    return (
        f'<section class="file" aria-labelledby="file{number}">'
        f'<h2 id="file{number}">{escape(report.file)}</h2>{_verdicts(report)}{_jumps(report, ids)}'
        + "".join(_card(finding, ids[id(finding)]) for finding in whole)
        + _message(report, ids)
        + "</section>"
    )


def _verdicts(report: Checked) -> str:
    judged_by = " · ".join(f"<code>{escape(name)}</code>" for name in (report.standard, report.message) if name)
    rows = [
        (Text("Nach dem Standard", "By the standard"), _VALID[report.valid], judged_by or both(report.verdict)),
        (Text("In diesem Gateway", "In this gateway"), _ACCEPTED[report.accepted], both(report.reason)),
    ]
    cells = "".join(
        f'<div class="{kind}"><dt>{both(what)}</dt><dd><span class="sign" aria-hidden="true">{sign}</span> '
        f"<strong>{both(word)}</strong><small>{said}</small></dd></div>"
        for what, (kind, sign, word), said in rows
    )
    return f'<dl class="verdicts">{cells}</dl>'


def _jumps(report: Checked, ids: dict[int, str]) -> str:
    if not report.findings:
        return f"<p>{both(summary(report.counts))}</p>"
    items = "".join(
        f'<li class="{finding.severity}" data-severity="{finding.severity}"><a href="#{ids[id(finding)]}">'
        f"{_sign(finding)}<span>{both(_where(finding))}</span> {both(finding.text)}</a></li>"
        for finding in report.findings
    )
    heading = both(summary(report.counts))
    return f'<nav class="jumps"><details open><summary>{heading}</summary><ol>{items}</ol></details></nav>'


def _where(finding: Finding) -> Text:
    if not finding.line:
        return Text("Ganze Nachricht", "Whole message")
    return Text(f"Zeile {finding.line}", f"Line {finding.line}")


def _sign(finding: Finding) -> str:
    sign, one, _many = SEVERITIES[finding.severity]
    return f'<span class="sign" aria-hidden="true">{sign}</span><span class="unseen">{both(one)}: </span>'


def _card(finding: Finding, identifier: str) -> str:
    found = found_words(finding)
    column = Text(f", Spalte {finding.column}", f", column {finding.column}") if finding.column else Text("", "")
    where = _where(finding)
    rows = [
        ("place", f"<code>{_breakable(finding.path)}</code>" if finding.path else ""),
        ("found", both(found) if found else ""),
        ("allowed", f"<code>{escape(finding.allowed)}</code>" if finding.allowed else ""),
        ("remedy", both(finding.remedy) if finding.remedy.de else ""),
    ]
    source = f" · {escape(finding.source)}" if finding.source else ""
    facts = "".join(
        f'<div class="{name}"><dt>{both(LABELS[name])}</dt><dd>{value}</dd></div>' for name, value in rows if value
    )
    return (
        f'<article class="finding {finding.severity}" data-severity="{finding.severity}" id="{identifier}" '
        f'tabindex="-1" aria-labelledby="{identifier}t">'
        f'<h3 id="{identifier}t">{_sign(finding)}{both(finding.text)}</h3>'
        f"<dl>{facts}</dl>"
        f'<p class="where">{both(Text(where.de + column.de, where.en + column.en))} · '
        f"<code>{escape(finding.code)}</code>{source}</p></article>"
    )


def _breakable(path: str) -> str:
    """A path that may be broken after each of its steps."""
    return escape(path).replace("/", "/<wbr>")


# --- the message ---------------------------------------------------------------------------------------------------


def _message(report: Checked, ids: dict[int, str]) -> str:
    by_line = report.by_line
    marked = [line for line in by_line if line]
    count = report.source.count
    whole = count <= WHOLE and len(report.source.data) <= _WHOLE_BYTES
    shown = list(range(1, count + 1)) if whole else sorted(_around(marked, count))
    lines = report.source.lines({number: first_column(by_line.get(number, [])) for number in shown})
    heading = both(Text("Nachricht", "Message"))
    parts = []
    for first, last in _segments(shown, set(marked)):
        findings = by_line.get(first, [])
        cards = "".join(_card(finding, ids[id(finding)]) for finding in findings)
        code = "".join(_line(n, lines[n], findings if n == first else []) for n in range(first, last + 1))
        parts.append(f'<div class="segment"><div class="cards">{cards}</div><ol class="code">{code}</ol></div>')
        at = bisect_right(shown, last)
        following = shown[at] if at < len(shown) else count + 1
        if following > last + 1:
            parts.append(_gap(following - last - 1))
    before = _gap(shown[0] - 1) if shown and shown[0] > 1 else ""
    return f'<h3 class="message">{heading}</h3><div class="lines">{before}{"".join(parts)}</div>' if parts else ""


def _around(lines: Iterable[int], count: int) -> set[int]:
    return {near for line in lines for near in range(max(1, line - AROUND), min(count, line + AROUND) + 1)}


def _segments(shown: Sequence[int], marked: set[int]) -> Iterator[tuple[int, int]]:
    """(first line, last line): a new segment begins at every line with findings, and after every gap."""
    first = previous = None
    for line in shown:
        if first is None or previous is None:
            first = line
        elif line in marked or line != previous + 1:
            yield first, previous
            first = line
        previous = line
    if first is not None and previous is not None:
        yield first, previous


def _gap(number: int) -> str:
    left_out = Text(f"{number} Zeilen nicht gezeigt", f"{number} lines not shown")
    if number == 1:
        left_out = Text("1 Zeile nicht gezeigt", "1 line not shown")
    return f'<p class="gap">⋯ {both(left_out)}</p>'


def _line(number: int, line: Line, findings: Sequence[Finding]) -> str:
    worst = next((s for s in SEVERITIES if any(finding.severity == s for finding in findings)), "")
    marks = {finding.column - 1 for finding in findings if finding.column}
    spans, at = [], line.cut
    for piece in line.pieces:
        # A finding's column is that of `<`, of `</` or of a name in quotes: the name begins one or two further on.
        marked = piece.kind in ("name", "attribute") and any(at - 2 <= mark <= at for mark in marks)
        text = f"<mark>{escape(piece.text)}</mark>" if marked else escape(piece.text)
        spans.append(text if piece.kind == "mark" else f'<span class="{piece.kind}">{text}</span>')
        at += len(piece.text)
    return f'<li value="{number}"{f" class={worst}" if worst else ""}><span>{"".join(spans)}</span></li>'

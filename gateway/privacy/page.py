"""A document of sections and its forms: Markdown, HTML, JSON. Pure; nothing in a text is ever taken for markup."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Any

GAP = "Zu ergänzen"
_MARKUP = re.compile(r"([\\`*_\[\]<>|#])")


@dataclass(frozen=True, slots=True)
class Section:
    """key: what programs tell it by. level: 1 = title. rows: of a table with `columns`; none = no table.

    gaps: what the configuration does not say and a person has to fill in.
    """

    key: str
    heading: str
    level: int
    paragraphs: Sequence[str] = ()
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()
    gaps: Sequence[str] = ()


def as_json(sections: Iterable[Section]) -> dict[str, Any]:
    return {"language": "de", "sections": [asdict(section) for section in sections]}


def as_markdown(sections: Iterable[Section]) -> str:
    return "\n\n".join(block for section in sections for block in _markdown(section)) + "\n"


def as_html(sections: Sequence[Section]) -> str:
    body = "\n".join(block for section in sections for block in _html(section))
    title = html.escape(sections[0].heading)
    return (
        f'<!doctype html>\n<html lang="de">\n<head>\n<meta charset="utf-8">\n<title>{title}</title>\n'
        f"<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


_STYLE = (
    "body{font:16px/1.5 sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem}"
    "table{border-collapse:collapse;width:100%;margin:1rem 0}"
    "th,td{border:1px solid #767676;padding:.3rem .5rem;text-align:left;vertical-align:top}"
    ".gap{border-left:.4rem solid #b35900;padding:.2rem .8rem;background:#fff4e5}"
)


def _markdown(section: Section) -> Iterator[str]:
    yield f"{'#' * section.level} {_plain(section.heading)}"
    yield from map(_plain, section.paragraphs)
    if section.rows:
        lines = [section.columns, ["---"] * len(section.columns)]
        cells = [[_plain(cell) for cell in row] for row in section.rows]
        yield "\n".join(f"| {' | '.join(row)} |" for row in [*lines, *cells])
    yield from (f"> **{GAP}:** {_plain(gap)}" for gap in section.gaps)


def _plain(text: str) -> str:
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _html(section: Section) -> Iterator[str]:
    level = min(section.level, 6)
    yield f"<h{level}>{html.escape(section.heading)}</h{level}>"
    yield from (f"<p>{html.escape(paragraph)}</p>" for paragraph in section.paragraphs)
    if section.rows:
        head = "".join(f'<th scope="col">{html.escape(column)}</th>' for column in section.columns)
        rows = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>\n" for row in section.rows)
        yield f"<table>\n<thead><tr>{head}</tr></thead>\n<tbody>\n{rows}</tbody>\n</table>"
    yield from (f'<p class="gap"><strong>{GAP}:</strong> {html.escape(gap)}</p>' for gap in section.gaps)

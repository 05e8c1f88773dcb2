"""The tables of `gateway check` as one page of its own: where each field comes from, and who gets what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape
from importlib.resources import files
from itertools import groupby

from gateway.commands import table_words as words
from gateway.packages.disclosure import Disclosure, Unread
from gateway.packages.origins import Origin
from gateway.packages.tracing import RequestField, RequestTable
from xoev_schemas.findings import Text
from xoev_schemas.report import Language, both, framed

_TITLE = Text("Woher die Felder kommen, wer sie erhält", "Where fields come from, and who gets them")
_SKIP = Text("Zu den Tabellen springen", "Skip to the tables")
_FOOTER = Text(
    "Häufigkeit: 1..1 steht in jeder gültigen Nachricht genau einmal, 0..1 kann fehlen, 0..* und 1..* können mehrmals "
    "vorkommen. Die Tabellen folgen aus Schemas und Zuordnungen; sie zeigen keine Daten.",
    "How often: 1..1 stands exactly once in each valid message, 0..1 may be absent, 0..* and 1..* may stand several "
    "times. The tables follow from schemas and mappings; they show no data.",
)


def tables_page(tables: Sequence[RequestTable], disclosures: Sequence[Disclosure], language: Language) -> str:
    """Complete, in UTF-8. Service by service, in the order of `disclosures`."""
    sections = "".join(
        _service(one, [table for table in tables if table.service == one.service], number)
        for number, one in enumerate(disclosures, 1)
    )
    return framed(
        language,
        heading=_TITLE,
        title=_TITLE,
        skip=_SKIP,
        content=_contents(disclosures) + sections,
        footer=_FOOTER,
        style=files(__package__).joinpath("tables.css").read_text(encoding="utf-8"),
    )


def _contents(disclosures: Iterable[Disclosure]) -> str:
    links = "".join(f'<li><a href="#s{n}">{escape(one.service)}</a></li>' for n, one in enumerate(disclosures, 1))
    heading = both(Text("Leistungen", "Services"))
    return f'<nav class="contents" aria-labelledby="services"><h2 id="services">{heading}</h2><ul>{links}</ul></nav>'


def _service(one: Disclosure, tables: Sequence[RequestTable], number: int) -> str:
    requests = "".join(_request(table, f"s{number}-{at}") for at, table in enumerate(tables, 1))
    return (
        f'<section class="service" aria-labelledby="s{number}"><h2 id="s{number}">{escape(one.service)}</h2>'
        f"{requests}{_recipients(one, number)}{_attachments(one, number)}{_unread(one, number)}</section>"
    )


def _table(identifier: str, heading: Text, caption: Text, columns: Sequence[str], body: str, kind: str) -> str:
    """columns, body: HTML. Wider than the screen it is scrolled by itself, by keyboard too."""
    head = "".join(f'<th scope="col">{column}</th>' for column in columns)
    return (
        f'<h3 id="{identifier}">{both(heading)}</h3>'
        f'<div class="wide" role="region" aria-labelledby="{identifier}" tabindex="0"><table class="{kind}">'
        f"<caption>{both(caption)}</caption><thead><tr>{head}</tr></thead>{body}</table></div>"
    )


def _note(text: Text) -> str:
    return f'<p class="note">{both(text)}</p>'


# --- where a field comes from ---------------------------------------------------------------------------------------


def _request(table: RequestTable, identifier: str) -> str:
    columns = [both(words.FIELD), both(Text("Pflicht", "Required")), both(words.SOURCE), both(words.WAY)]
    caption = Text(
        f"Woher die Felder kommen, die {table.target} erhält", f"Where the fields come from that {table.target} gets"
    )
    notes = "" if table.when is None else _note(words.only_if([table.when]))
    notes += "" if table.described else _note(words.UNDESCRIBED)
    if not table.fields:
        return f'<h3 id="{identifier}">{both(words.title(table))}</h3>{notes}{_note(words.NO_REQUIRED)}'
    body = "".join(
        f"<tbody>{_group(group)}{''.join(map(_field, fields))}</tbody>"
        for group, fields in groupby(table.fields, lambda field: field.path.rpartition(".")[0])
    )
    return _table(identifier, words.title(table), caption, columns, body, "fields") + notes


def _group(path: str) -> str:
    return f'<tr><th scope="rowgroup" colspan="4">{_broken(path)}</th></tr>' if path else ""


def _field(field: RequestField) -> str:
    name = field.path.rpartition(".")[2]
    many = f" <small>{both(Text('mehrfach', 'several'))}</small>" if field.repeated else ""
    kind = f'<span class="help">{escape(field.type)}</span>' if field.type and not field.group else ""
    sources = "".join(f"<li>{_source(origin)}</li>" for origin in field.origins)
    ways = "".join(f"<li>{way}</li>" for origin in field.origins if (way := _way(origin)))
    absence = words.absence(field)
    missing = f'<span class="missing">{both(words.NOT_FILLED)}</span>'
    return (
        f'<tr><th scope="row">{escape(name)}{many}{kind}</th><td>{both(words.duty(field))}</td>'
        f"<td>{f'<ul>{sources}</ul>' if sources else missing}</td>"
        f"<td>{f'<ul>{ways}</ul>' if ways else ''}"
        f"{f'<span class=absence>{both(absence)}</span>' if absence else ''}</td></tr>"
    )


def _source(origin: Origin) -> str:
    joins = f'<span class="joins">{both(words.joined_with(origin))}</span> ' if origin.joins else ""
    shown, source = f"{joins}{both(words.called(origin))}", origin.source
    if source is None:
        return shown
    times = f'<span class="unseen">{both(Text("Häufigkeit", "how often"))} </span>{source.times}'
    place = f"<code>{_broken(source.path)}</code> " if source.named.name else ""
    shown += f'<span class="place">{place}{times}</span>'
    return shown + (f'<span class="help">{escape(source.named.help)}</span>' if source.named.help else "")


def _way(origin: Origin) -> str:
    case = f"<code>{_broken(origin.case)}</code>" if origin.case else ""
    steps = [*origin.steps, *([words.only_if(origin.conditions)] if origin.conditions else [])]
    return "<br>".join(part for part in (case, *map(both, steps)) if part)


def _broken(path: str) -> str:
    """A path that may be broken after each of its steps."""
    return escape(path).replace("/", "/<wbr>").replace(".", ".<wbr>")


# --- who gets what --------------------------------------------------------------------------------------------------


def _recipients(one: Disclosure, number: int) -> str:
    targets = [recipient.target for recipient in one.recipients]
    columns = [both(words.CASE_FIELD), both(words.MESSAGE_FIELDS), *map(escape, targets)]
    rows = []
    for field in one.fields:
        names = dict.fromkeys(found.label for sources in field.sources.values() for found in sources)
        listed = "<br>".join(map(_broken, names))
        marks = "".join(_mark(target in field.to) for target in targets)
        rows.append(f'<tr><th scope="row"><code>{_broken(field.path)}</code></th><td>{listed}</td>{marks}</tr>')
    heading = Text("Wer erhält was", "Who gets what")
    caption = Text(
        f"Felder des Falls der Leistung {one.service} und ihre Empfänger",
        f"Fields of the case of the service {one.service}, and their recipients",
    )
    notes = [
        _note(Text(f"{recipient.target}: {note.de}", f"{recipient.target}: {note.en}"))
        for recipient in one.recipients
        if (note := words.recipient_note(recipient)) is not None
    ]
    body = f"<tbody>{''.join(rows)}</tbody>"
    return _table(f"s{number}-who", heading, caption, columns, body, "who") + "".join(notes)


def _mark(gets: bool) -> str:
    sign, said = ("✓", Text("ja", "yes")) if gets else ("–", Text("nein", "no"))
    shown = f"<b>{sign}</b>" if gets else sign
    return f'<td class="gets"><span aria-hidden="true">{shown}</span><span class="unseen">{both(said)}</span></td>'


def _attachments(one: Disclosure, number: int) -> str:
    identifier, heading = f"s{number}-files", words.ATTACHMENTS
    if not one.takes_attachments or not one.attachments:
        told = Text("Anlagen erhält niemand.", "Nobody gets attachments.")
        note = told if one.takes_attachments else words.NO_ATTACHMENTS
        return f'<h3 id="{identifier}">{both(heading)}</h3>{_note(note)}'
    targets = [recipient.target for recipient in one.recipients]
    rows = "".join(
        f'<tr><th scope="row">{both(row.what)}</th>{"".join(_share(row.shares, target) for target in targets)}</tr>'
        for row in one.attachments
    )
    caption = Text("Welche Anlagen wer erhält", "Who gets which attachments")
    return _table(identifier, heading, caption, [both(heading), *map(escape, targets)], f"<tbody>{rows}</tbody>", "who")


def _share(shares: Mapping[str, str], target: str) -> str:
    return f'<td class="gets">{both(words.SHARES[shares[target]])}</td>' if target in shares else _mark(False)


def _unread(one: Disclosure, number: int) -> str:
    identifier, heading = f"s{number}-unread", words.UNREAD
    if not one.unread:
        return f'<h3 id="{identifier}">{both(heading)}</h3>{_note(words.NOTHING_UNREAD)}'
    caption = Text(
        "Felder und Gruppen der Nachricht, die kein Ziel erhält", "Fields and groups of the message that no target gets"
    )
    body = "".join(
        f'<tbody><tr><th scope="rowgroup" colspan="3">{escape(schema)}</th></tr>{"".join(_unread_rows(rows))}</tbody>'
        for schema, rows in groupby(one.unread, lambda row: row.schema)
    )
    columns = [both(words.MESSAGE_FIELDS), both(Text("Stelle", "Place")), both(Text("Bemerkung", "Remark"))]
    return _table(identifier, heading, caption, columns, body, "fields")


def _unread_rows(rows: Iterable[Unread]) -> Iterator[str]:
    whole = f" <small>{both(Text('ganze Gruppe', 'the whole group'))}</small>"
    for row in rows:
        help_text = f'<span class="help">{escape(row.named.help)}</span>' if row.named.help else ""
        yield (
            f'<tr><th scope="row">{escape(str(row.named))}{whole if row.group else ""}{help_text}</th>'
            f"<td><code>{_broken(row.path)}</code></td><td>{both(words.unread_note(row))}</td></tr>"
        )

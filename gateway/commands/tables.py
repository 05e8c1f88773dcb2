"""The tables of `gateway check` on a terminal; readable from 100 columns on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from gateway.commands import table_words as words
from gateway.commands.operators import Language, spoken
from gateway.packages.disclosure import Disclosure, Unread
from gateway.packages.origins import Origin
from gateway.packages.tracing import RequestField, RequestTable
from xoev_schemas.findings import Text

_WIDEST = 160
_NARROW, _BROAD = 3 / 11, 4 / 11
"""Shares of the width that columns with paths have."""


class Printer:
    def __init__(self, console: Console, language: Language) -> None:
        self._console = console
        self._language = language

    def requests(self, tables: Iterable[RequestTable]) -> None:
        """Where each field comes from."""
        for table in tables:
            view = self._view(words.title(table), (words.FIELD, 3), (words.SOURCE, 4), (words.WAY, 4))
            group = ""
            for field in table.fields:
                above, _, name = field.path.rpartition(".")
                if above and above != group:
                    view.add_row(RichText(self._broken(above, _NARROW), style="bold"), "", "")
                group = above
                self._add_field(view, field, f"  {name}" if above else name)
            self._console.print(view)
            if table.when is not None:
                self._note(words.only_if([table.when]))
            if not table.described or not table.fields:
                self._note(words.NO_REQUIRED if table.described else words.UNDESCRIBED)
            self._console.print()

    def disclosures(self, disclosures: Iterable[Disclosure]) -> None:
        """Who learns what."""
        for one in disclosures:
            self._recipients(one)
            self._attachments(one)
            self._unread(one)

    def _add_field(self, view: Table, field: RequestField, name: str) -> None:
        label = RichText(f"{name} […]" if field.repeated else name)
        if not field.required or field.within:
            label.append(f"\n  {self._say(words.duty(field))}", style="dim")
        absence = words.absence(field)
        if not field.origins:
            style = "red" if field.required else "dim"
            view.add_row(label, RichText(self._say(words.NOT_FILLED), style=style), "")
        for number, origin in enumerate(field.origins):
            way = RichText("\n".join(self._broken(self._say(line), _BROAD) for line in words.way(origin)))
            if absence is not None and number == len(field.origins) - 1:
                way.append(f"{chr(10) if way else ''}{self._say(absence)}", style="yellow")
            view.add_row(label if number == 0 else "", self._source(origin), way)

    def _source(self, origin: Origin) -> RichText:
        joins = self._say(words.joined_with(origin))
        shown = RichText(f"{joins} " if joins else "", style="dim")
        shown.append(self._broken(self._say(words.called(origin)), _BROAD), style="not dim")
        if place := words.place(origin):
            shown.append(f"\n{self._broken(place, _BROAD)}", style="dim")
        return shown

    def _recipients(self, one: Disclosure) -> None:
        title = Text(f"{one.service}: Wer erhält was", f"{one.service}: who gets what")
        view = self._view(title, (words.CASE_FIELD, 4), (words.MESSAGE_FIELDS, 4), (words.GETS, 3))
        for field in one.fields:
            labels = dict.fromkeys(found.label for sources in field.sources.values() for found in sources)
            names = "\n".join(self._broken(label, _BROAD) for label in labels)
            to = RichText(", ".join(field.to)) if field.to else RichText(self._say(words.NOBODY), style="dim")
            view.add_row(
                RichText(self._broken(field.path, _BROAD)),
                RichText(names),
                to,
            )
        self._console.print(view)
        for recipient in one.recipients:
            if (note := words.recipient_note(recipient)) is not None:
                self._note(Text(f"{recipient.target}: {note.de}", f"{recipient.target}: {note.en}"))
        self._console.print()

    def _attachments(self, one: Disclosure) -> None:
        title = Text(f"{one.service}: Anlagen", f"{one.service}: attachments")
        view = self._view(title, (words.ATTACHMENTS, 4), (words.GETS, 4))
        for row in one.attachments:
            to = [f"{target} ({self._say(words.SHARES[share])})" for target, share in row.shares.items()]
            view.add_row(RichText(self._say(row.what)), RichText("\n".join(to)))
        if not one.takes_attachments:
            self._console.print(RichText(self._say(title), style="bold"))
            self._note(words.NO_ATTACHMENTS)
        else:
            if not one.attachments:
                view.add_row("", RichText(self._say(words.NOBODY), style="yellow"))
            self._console.print(view)
        self._console.print()

    def _unread(self, one: Disclosure) -> None:
        title = Text(f"{one.service}: Was niemand erhält", f"{one.service}: what nobody gets")
        view = self._view(title, (words.MESSAGE_FIELDS, 6), (Text("", ""), 3))
        for schema, rows in _by_schema(one):
            view.add_row(RichText(schema, style="bold"), "")
            for row in rows:
                name = RichText(f"  {row.named}{'/…' if row.group else ''}")
                name.append(f"\n  {row.path}", style="dim")
                view.add_row(name, RichText(self._say(words.unread_note(row))))
        if one.unread:
            self._console.print(view)
        else:
            self._console.print(RichText(self._say(title), style="bold"))
            self._note(words.NOTHING_UNREAD)
        self._console.print()

    def _view(self, title: Text, *columns: tuple[Text, int]) -> Table:
        view = Table(
            title=RichText(self._say(title), style="bold"),
            title_justify="left",
            header_style="bold",
            box=None,
            pad_edge=False,
            width=min(self._console.width, _WIDEST),
        )
        for name, share in columns:
            view.add_column(self._say(name), overflow="fold", ratio=share)
        return view

    def _broken(self, text: str, share: float) -> str:
        """Paths end their lines behind a separator, as long as it fits. share: of the width, that the column has."""
        room = int(min(self._console.width, _WIDEST) * share) - 2
        lines = [""]
        for piece in re.split(r"(?<=[/.])(?=\S)", text):
            if lines[-1] and len(lines[-1]) + len(piece) > room and " " not in lines[-1]:
                lines.append("")
            lines[-1] += piece
        return "\n".join(lines)

    def _note(self, text: Text) -> None:
        self._console.print(RichText(f"  {self._say(text)}", style="dim"))

    def _say(self, text: Text) -> str:
        return spoken(text, self._language)


def _by_schema(one: Disclosure) -> Iterator[tuple[str, list[Unread]]]:
    for schema in dict.fromkeys(row.schema for row in one.unread):
        yield schema, [row for row in one.unread if row.schema == schema]

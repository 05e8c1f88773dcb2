"""`gateway validate`: what is wrong with messages, where, and what to do. Sends nothing, needs no running gateway."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Literal

import typer
from rich.console import Console
from rich.progress import track

from gateway.commands.messages import Files, Schema, media_type, read
from gateway.commands.opening import look
from gateway.commands.operators import Lang, language
from gateway.commands.output import Config, Exit, Json, emit, err, out, say, settings_for
from gateway.judging import Verdict, judge
from gateway.settings import Settings
from gateway.wiring import open_checker, utc_now
from xoev_schemas.report import Checked, Language, page, print_report
from xoev_schemas.report.source import Source

_EXITS = {True: Exit.YES, False: Exit.NO, None: Exit.UNKNOWN}
_WIDTH = 120
"""Characters of a line in a text that goes to a file."""


def validate(
    files: Files,
    config: Config = None,
    schema: Schema = None,
    as_json: Json = False,
    form: Annotated[
        Literal["text", "json", "html"], typer.Option("--format", help="html: one page of its own; json = --json.")
    ] = "text",
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="File to write the report to.", dir_okay=False)
    ] = None,
    lang: Lang = None,
    show_values: Annotated[
        bool, typer.Option("--show-values", help="Show the messages' values in text and html; else they are hidden.")
    ] = False,
) -> None:
    """Judge messages by their standard. "valid" is the standard's word, "accepted" this gateway's."""
    judged = _judged(settings_for(config), files, schema)
    spoken = language(lang)
    with output.open("w", encoding="utf-8") if output else nullcontext(sys.stdout) as stream:
        if as_json or form == "json":
            worst = _write_json(judged, stream)
        elif form == "html":
            worst = _write_page(judged, stream, spoken, show_values)
        else:
            console = Console(file=stream, width=_WIDTH, emoji=False) if output else out
            worst = _print(judged, console, spoken, show_values)
    if output:
        say(f"{output}: written")
    raise typer.Exit(worst)


@dataclass(frozen=True, slots=True)
class _Judged:
    """One file and what is said of it."""

    file: str
    data: bytes
    media_type: str
    verdict: Verdict

    @property
    def exit(self) -> Exit:
        return _EXITS[self.verdict.valid]

    def report(self, show_values: bool) -> Checked:
        said, source = self.verdict, Source(self.data, self.media_type, show_values)
        return Checked.of(self.file, source, said.valid, said.accepted, said.standard, said.message, said.findings)


def _judged(settings: Settings, files: Sequence[Path], schema: str | None) -> Iterator[_Judged]:
    """File by file, with progress on a terminal."""
    registry, packages = look(settings)
    quiet = len(files) == 1 or not err.is_terminal
    today = utc_now().date()
    with open_checker(settings, registry) as checker:
        for path in track(files, "checking", console=err, transient=True, disable=quiet):
            file = read(path)
            kind = media_type(file)
            yield _Judged(
                str(path), file.content, kind, judge(packages, checker, file.content, kind, schema=schema, today=today)
            )


def _write_json(judged: Iterator[_Judged], stream: IO[str]) -> Exit:
    """An array with one object per file; the messages themselves are not kept."""
    worst, documents = Exit.YES, []
    for one in judged:
        worst = max(worst, one.exit)
        documents.append(one.verdict.as_dict(one.file))
    emit(documents, stream)
    return worst


def _write_page(judged: Iterator[_Judged], stream: IO[str], lang: Language, show_values: bool) -> Exit:
    checked = list(judged)
    stream.write(page([one.report(show_values) for one in checked], lang))
    return max(one.exit for one in checked)


def _print(judged: Iterator[_Judged], console: Console, lang: Language, show_values: bool) -> Exit:
    worst, hidden = Exit.YES, False
    for one in judged:
        worst = max(worst, one.exit)
        report = one.report(show_values)
        hidden = hidden or (not show_values and bool(report.findings))
        print_report(report, console, lang)
    if hidden:
        say("Values of the messages are hidden (•): --show-values shows them.")
    return worst

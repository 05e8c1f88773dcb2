"""How commands speak: a table for people or one JSON document for machines on stdout; progress and logs on stderr."""

from __future__ import annotations

import json
import shutil
import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from itertools import pairwise
from pathlib import Path
from typing import IO, Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from gateway.settings import Settings, load_settings
from xoev_schemas.findings import Finding


class Exit(IntEnum):
    """Exit codes of every command; over several files the highest wins. Ended by signal n: 128 + n, as shells have
    it.
    """

    YES = 0  # done, or valid
    NO = 1  # the answer is no: what was asked about is bad
    UNKNOWN = 2  # wrong usage, or could not tell or do it
    INTERRUPTED = 130  # Ctrl-C


Json = Annotated[bool, typer.Option("--json", help="Exactly one JSON document on stdout; everything else on stderr.")]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="gateway.yaml (default: $GATEWAY_CONFIG, ./gateway.yaml).")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it; without this the command only shows what it would do.")]

# No `:id:` of anybody's text becomes a picture.
out = Console(width=None if sys.stdout.isatty() else 160, emoji=False)
err = Console(stderr=True, width=None if sys.stderr.isatty() else 160, emoji=False)


def settings_for(config: Path | None, **overrides: Any) -> Settings:
    return load_settings(config, **overrides)


def emit(document: Any, stream: IO[str] | None = None) -> None:
    """The one JSON document of a command with `--json`, to stdout or to a file."""
    (stream or sys.stdout).write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table for people. Cells are text as it is: no markup from data is ever interpreted.

    The first column is never broken: it holds what a reader copies.
    """
    view = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for number, column in enumerate(columns):
        view.add_column(column, overflow="fold", no_wrap=number == 0)
    for row in rows:
        view.add_row(*(RichText("" if cell is None else str(cell)) for cell in row))
    out.print(view)


def say(message: str) -> None:
    """A sentence of progress or advice, to stderr."""
    err.print(RichText(message))


def wants_json(words: Sequence[str]) -> bool:
    """Does a command line ask for JSON? For errors that come before, or instead of, its being parsed."""
    return "--json" in words or "--format=json" in words or ("--format", "json") in pairwise(words)


def program() -> str:
    """How this program was started, so that a hint works as it is typed: `gateway`, `.venv/bin/gateway` …"""
    started = Path(sys.argv[0])
    if started.name == "__main__.py":
        return f"{_from_here(Path(sys.executable))} -m gateway"
    on_path = shutil.which(started.name)
    return started.name if on_path and Path(on_path).samefile(started) else _from_here(started)


def _from_here(path: Path) -> str:
    absolute = path.absolute()
    return str(absolute.relative_to(Path.cwd())) if absolute.is_relative_to(Path.cwd()) else str(absolute)


def print_findings(findings: Iterable[Finding], console: Console = out) -> None:
    """Findings as a portal developer reads them: what, where, what is allowed, what to do."""
    marks = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("i", "blue")}
    for finding in findings:
        mark, colour = marks[finding.severity]
        place = finding.path + (f" (line {finding.line})" if finding.line else "")
        head = RichText(f"  {mark} {finding.text.en}", style=colour)
        console.print(head, RichText(f"[{finding.code}]", style="dim"))
        for label, value in (
            ("at", place),
            ("found", finding.found),
            ("allowed", finding.allowed),
            ("to do", finding.remedy.en),
            ("rule", finding.source),
        ):
            if value:
                console.print(RichText(f"      {label}: {value}"))

"""How commands speak: a table for people or one JSON document for machines on stdout; progress and logs on stderr."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Sequence
from enum import IntEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text as RichText

from gateway.settings import Settings, load_settings
from xoev_schemas.findings import Finding


class Exit(IntEnum):
    """Exit codes of every command; over several files the highest wins."""

    YES = 0  # done, or valid
    NO = 1  # the answer is no
    UNKNOWN = 2  # could not tell, or could not do


Json = Annotated[bool, typer.Option("--json", help="Exactly one JSON document on stdout; everything else on stderr.")]
Config = Annotated[
    Path | None, typer.Option("--config", "-c", help="gateway.yaml (default: $GATEWAY_CONFIG, ./gateway.yaml).")
]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it; without this the command only shows what it would do.")]

out = Console(width=None if sys.stdout.isatty() else 160)
err = Console(stderr=True, width=None if sys.stderr.isatty() else 160)


def settings_for(config: Path | None, **overrides: Any) -> Settings:
    return load_settings(config, **overrides)


def emit(document: Any) -> None:
    """The one JSON document of a command with `--json`."""
    sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=2, default=str) + "\n")


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table for people. Cells are text as it is: no markup from data is ever interpreted."""
    view = Table(title=title, title_justify="left", header_style="bold", box=None, pad_edge=False)
    for column in columns:
        view.add_column(column, overflow="fold")
    for row in rows:
        view.add_row(*(RichText("" if cell is None else str(cell)) for cell in row))
    out.print(view)


def say(message: str) -> None:
    """A sentence of progress or advice, to stderr."""
    err.print(RichText(message))


def print_findings(findings: Iterable[Finding]) -> None:
    """Findings as a portal developer reads them: what, where, what is allowed, what to do."""
    marks = {"error": ("✗", "red"), "warning": ("!", "yellow"), "info": ("i", "blue")}
    for finding in findings:
        mark, colour = marks[finding.severity]
        place = finding.path + (f" (line {finding.line})" if finding.line else "")
        out.print(RichText(f"  {mark} {finding.text.en}", style=colour), RichText(f"[{finding.code}]", style="dim"))
        for label, value in (
            ("at", place),
            ("found", finding.found),
            ("allowed", finding.allowed),
            ("to do", finding.remedy.en),
            ("rule", finding.source),
        ):
            if value:
                out.print(RichText(f"      {label}: {value}"))

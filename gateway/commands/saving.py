"""`gateway services watch`: proves packages anew at every save, until Ctrl-C."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from gateway.commands.opening import look
from gateway.commands.output import Config, out, print_findings, say, settings_for
from gateway.errors import ConfigurationError
from gateway.settings import Settings
from gateway.wiring import open_checker
from xoev_schemas.findings import Finding

_LOOKS_EVERY = 0.5
"""Seconds between two looks at the files: soon enough for a person, and nothing for the disk."""


def watch(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", exists=True, file_okay=False, help="A package, or a folder of packages.")
    ],
    config: Config = None,
) -> None:
    """Check and run the samples of the packages in a folder, now and whenever a file in it is saved. Ctrl-C ends it."""
    settings = settings_for(config)
    pause = threading.Event()
    with suppress(KeyboardInterrupt):
        say(f"Watching {folder}; Ctrl-C ends it.")
        for _ in saves(folder, lambda: pause.wait(_LOOKS_EVERY)):
            tell(prove(settings, folder), datetime.now(UTC).astimezone())


def saves(folder: Path, wait: Callable[[], object]) -> Iterator[None]:
    """Once at the beginning, then at every change below `folder`; `wait` is called before each further look."""
    known = None
    while True:
        found = _state(folder)
        if found != known:
            known = found
            yield
        else:
            wait()


def prove(settings: Settings, folder: Path) -> list[Finding]:
    """What `gateway check` says about files below `folder`."""
    from adapters.registry import load_adapter
    from gateway.checking import check_packages

    try:
        registry, packages = look(settings)
    except ConfigurationError as error:
        return _below(folder, error.findings)
    with open_checker(settings, registry) as checker:
        return _below(folder, check_packages(packages, checker, load_adapter))


def tell(findings: list[Finding], now: datetime) -> None:
    errors = sum(finding.severity == "error" for finding in findings)
    print_findings(findings)
    verdict = f"{errors} errors" if errors else "as it should be, samples too"
    out.print(f"{now:%H:%M:%S}  {verdict}", style="red" if errors else "green", highlight=False)


def _below(folder: Path, findings: list[Finding]) -> list[Finding]:
    place = folder.resolve()
    return [finding for finding in findings if Path(finding.path).resolve().is_relative_to(place)]


def _state(folder: Path) -> Mapping[Path, tuple[int, int]]:
    """Moment of saving (ns) and size of every file. A file may go meanwhile: editors write
    beside and move over.
    """
    state = {}
    for file in folder.rglob("*"):
        with suppress(OSError):
            found = file.stat()
            state[file] = (found.st_mtime_ns, found.st_size)
    return state

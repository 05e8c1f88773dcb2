"""`gateway`: the command line. Errors are one clean message that says what to do next; exit codes as in `Exit`."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from importlib.metadata import version
from types import FrameType
from typing import Annotated

import typer

from gateway.commands import (
    auditing,
    backups,
    describing,
    doctor,
    keeping,
    keys,
    mapping,
    messages,
    operating,
    packages,
    reaching,
    reconciling,
    report_card,
    running,
    saving,
    scaffolding,
    schemas,
    settling,
    validating,
    watching,
)
from gateway.commands.failures import failure_of, show_traceback
from gateway.commands.output import Exit, wants_json
from gateway.demo.command import demo

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    epilog="Try it: gateway demo. Exit codes: 0 done or valid, 1 the answer is no, 2 wrong usage or could not do it.",
)
database = typer.Typer(no_args_is_help=True, help="The database.")


def _version(wanted: bool) -> None:
    if wanted:
        sys.stdout.write(f"gateway {version('ozg-gateway')}\n")
        raise typer.Exit


@app.callback()
def gateway(
    _debug: Annotated[bool, typer.Option("--debug", help="Show the whole traceback of an unforeseen error.")] = False,
    _shown: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """OZG/EfA integration gateway: takes applications from portals, checks them, delivers them to departments."""


app.command()(running.run)
app.command()(demo)
app.command()(running.serve)
app.command()(running.work)
app.command()(running.relay)
app.command()(validating.validate)
app.command("map")(mapping.map_command)
app.command()(messages.send)
app.command()(packages.check)
app.command()(doctor.doctor)
app.add_typer(describing.docs, name="docs")
packages.services.command("new")(scaffolding.new)
packages.services.command("watch")(saving.watch)
app.add_typer(packages.services, name="services")
app.add_typer(schemas.app, name="schemas")
app.add_typer(reaching.targets, name="targets")
app.add_typer(report_card.adapters, name="adapters")
app.add_typer(watching.deliveries, name="deliveries")
app.add_typer(watching.held, name="held")
operating.dead.command("settle")(settling.settle)
app.add_typer(operating.dead, name="dead")
app.add_typer(watching.case, name="case")
app.command()(running.token)
database.command("upgrade")(running.db_upgrade)
app.add_typer(database, name="db")
app.add_typer(keys.keys, name="keys")
app.command()(backups.backup)
app.command()(backups.restore)
app.command()(reconciling.reconcile)
app.command()(keeping.erase)
app.add_typer(keeping.hold, name="hold")
app.add_typer(auditing.audit, name="audit")


def main() -> None:
    """Entry point of the `gateway` command."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has it ignored
            signal.signal(number, _end)
    sys.exit(run(sys.argv[1:]))


def run(words: Sequence[str]) -> int:
    """Run a command line; its exit code. Nothing is raised but SystemExit, when a signal ends the process."""
    try:
        code = app(list(words), prog_name="gateway", standalone_mode=False)
        if code == Exit.INTERRUPTED:
            raise KeyboardInterrupt
        sys.stdout.flush()
    except BrokenPipeError:
        # Who read our output has enough of it (`| head`). Python would complain once more at the end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.UNKNOWN
    except (Exception, KeyboardInterrupt) as error:
        failure = failure_of(error)
        if not failure.expected and "--debug" in words:
            show_traceback(error)
        failure.tell(as_json=wants_json(words))
        return int(failure.exit)
    return code if isinstance(code, int) else Exit.YES


def _end(number: int, _frame: FrameType | None) -> None:
    """Told to end: everything is taken down on the way out. Being told again while that happens changes nothing."""
    for again in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(again, signal.SIG_IGN)
    sys.exit(128 + number)

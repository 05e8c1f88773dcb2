"""`gateway`: the command line. Errors are one clean message that says what to do next; exit codes as in `Exit`."""

from __future__ import annotations

import sys

import typer

from gateway.commands import messages, operating, packages, running
from gateway.commands.output import Exit, err
from gateway.demo.command import demo
from gateway.errors import GatewayError
from queues.base import BrokerUnavailable, TopologyMismatch
from xoev_schemas.registry import ImportRefused

app = typer.Typer(
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="OZG/EfA integration gateway: takes applications from portals, checks them, delivers them to departments.",
    epilog="Try it: gateway demo. Exit codes: 0 done or valid, 1 the answer is no, 2 could not tell or do.",
)
database = typer.Typer(no_args_is_help=True, help="The database.")
keys = typer.Typer(no_args_is_help=True, help="The keys that content is encrypted with.")

app.command()(running.run)
app.command()(demo)
app.command()(running.serve)
app.command()(running.work)
app.command()(running.relay)
app.command()(messages.validate)
app.command("map")(messages.map_command)
app.command()(messages.send)
app.command()(packages.check)
app.add_typer(packages.services, name="services")
app.add_typer(packages.schemas, name="schemas")
app.add_typer(operating.dead, name="dead")
app.add_typer(operating.case, name="case")
app.command()(running.token)
database.command("upgrade")(running.db_upgrade)
app.add_typer(database, name="db")
keys.command("create")(running.keys_create)
app.add_typer(keys, name="keys")


def main() -> None:
    """Entry point of the `gateway` command."""
    try:
        app()
    except GatewayError as error:
        _fail(str(error), error.exit_code)
    except ImportRefused as error:
        _fail(str(error), Exit.NO)
    except (BrokerUnavailable, TopologyMismatch) as error:
        _fail(f"the broker: {error}", Exit.UNKNOWN)
    except KeyboardInterrupt:
        _fail("interrupted", Exit.UNKNOWN)


def _fail(message: str, code: int) -> None:
    err.print(f"gateway: {message}", markup=False, highlight=False, style="red")
    sys.exit(int(code))

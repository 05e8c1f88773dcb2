"""adapters card: what an adapter makes of a department that does everything wrong, for who writes or chooses one."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.output import Exit, Json, emit, out, say, table
from gateway.errors import GatewayError

if TYPE_CHECKING:
    from adapters.testkit.hostile import Row

adapters = typer.Typer(no_args_is_help=True, help="Adapters, the protocols of department systems: a report card.")

_MARKS = {True: "✓", False: "✗", None: "–"}


@adapters.command("card")
def card_command(
    rig: Annotated[
        str,
        typer.Argument(
            help="amqp, folder, rest, soap; or MODULE:FUNCTION, that brings an adapter of your own to a department of "
            "the testkit."
        ),
    ],
    failed_only: Annotated[bool, typer.Option("--failed", help="Only what was not passed.")] = False,
    as_json: Json = False,
) -> None:
    """Every misbehaviour of a department, what is right then, and what the adapter says. Nothing leaves this machine.

    Needs pytest. 1: a row failed; 2: it could not be run.
    """
    try:
        from adapters.testkit.card import RigUnusable, card, find_rig
    except ModuleNotFoundError as missing:
        if missing.name != "pytest":
            raise
        raise GatewayError("the report card needs pytest", code="usage", remedy="pip install pytest") from None
    try:
        rows = list(_watched(card(find_rig(rig)), quiet=as_json))
    except RigUnusable as error:
        remedy = "docs/how-to/write-an-adapter.md shows how a rig is written."
        raise GatewayError(str(error), code="usage", remedy=remedy) from error
    passed = sum(row.passed is True for row in rows)
    failed = [row for row in rows if row.passed is False]
    left_out = len(rows) - passed - len(failed)
    shown = failed if failed_only else rows
    if as_json:
        counts = {"passed": passed, "failed": len(failed), "notApplicable": left_out}
        emit({"rig": rig, **counts, "rows": [asdict(row) for row in shown]})
    else:
        _print(rig, shown)
        say(f"{passed} passed, {len(failed)} failed, {left_out} do not apply")
    raise typer.Exit(Exit.NO if failed else Exit.YES)


def _watched(rows: Iterable[Row], *, quiet: bool) -> Iterable[Row]:
    """It takes half a minute: every failure is said when it happens."""
    for row in rows:
        if row.passed is False and not quiet:
            say(f"✗ {row.name}: {row.fault}")
        yield row


def _print(rig: str, rows: Sequence[Row]) -> None:
    contract = [(row.name, _MARKS[row.passed], row.fault) for row in rows if row.part == "contract"]
    table(f"{rig}: the contract", ("", "", ""), contract)
    columns = ("behaviour", "", "the department", "by its own ledger it", "right is", "the adapter said")
    behaviours = [_cells(row) for row in rows if row.part == "behaviour"]
    table(f"{rig}: at a hostile department", columns, behaviours)
    _advise([row for row in rows if row.passed is False])


def _advise(failed: Sequence[Row]) -> None:
    """What goes wrong for one reason is told together."""
    lessons: dict[tuple[str, str], list[str]] = {}
    for row in failed:
        lessons.setdefault((row.why, row.remedy), []).append(f"✗ {row.name}: {row.fault}")
    for (why, remedy), alike in lessons.items():
        lines = ["", *alike, f"  why it matters: {why}", f"  to do: {remedy}"]
        out.print("\n".join(lines), markup=False, highlight=False)


def _cells(row: Row) -> tuple[str, ...]:
    said = row.fault if row.passed is None else row.said
    return row.name, _MARKS[row.passed], row.does, row.did, row.right, said

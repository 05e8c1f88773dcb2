"""The command by which a person ends a dead letter as delivered: the department has the case."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

import typer

from gateway.commands.operating import letter_of
from gateway.commands.operators import Reason, actor, open_store, require_reason, typed_references
from gateway.commands.output import Config, Exit, Json, Yes, emit, out, say, settings_for
from gateway.errors import GatewayError
from gateway.store import DeadLetter


def settle(
    delivery: Annotated[str, typer.Argument(help="Delivery id of a dead letter.")],
    references: Annotated[
        list[str] | None,
        typer.Argument(metavar="NAME=VALUE…", help="What the department calls the case, as aktenzeichen=STK-2026-17."),
    ] = None,
    config: Config = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """The department has the case: a dead letter ends as delivered by hand. Does it only with --yes."""
    require_reason(reason)
    told = typed_references(references or [])
    if not told:
        raise GatewayError(
            "what does the department call the case?",
            code="no_reference",
            remedy="Name it, as aktenzeichen=STK-2026-17: without it nobody could find the case there again.",
        )
    with open_store(settings_for(config)) as store:
        letter = letter_of(store, delivery)
        if letter.delivery_id is None:
            raise GatewayError(f"{delivery} was never sent: nobody can have it", code="not_sent")
        is_open = letter.state == "open"
        if yes and is_open:
            store.settle(letter.delivery_id, told, actor=actor(), reason=reason).result()
    _report(letter, told, "skipped" if not is_open else "settled" if yes else "selected", as_json)
    if not is_open:
        raise typer.Exit(Exit.NO)


def _report(letter: DeadLetter, told: Mapping[str, str], result: str, as_json: bool) -> None:
    why = f"the dead letter is {letter.state}, not open" if result == "skipped" else None
    if as_json:
        emit(
            {
                "deliveryId": letter.delivery_id,
                "submissionId": letter.submission_id,
                "target": letter.target,
                "references": dict(told),
                "result": result,
                "why": why,
                "dryRun": result == "selected",
            }
        )
        return
    shown = why or ", ".join(f"{name} {value}" for name, value in told.items())
    out.print(f"{letter.delivery_id}  {letter.service} → {letter.target}  {shown}", markup=False, highlight=False)
    if result == "settled":
        say("Settled: delivered by hand.")
    else:
        say("Nothing was changed." if why else "Nothing was changed; add --yes to do it.")

"""`gateway demo`: the whole way, on this machine, in a throw-away installation."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.commands.output import Config, Exit, Json, emit, out, program, say, settings_for, table
from gateway.logs import configure

if TYPE_CHECKING:
    from gateway.demo.play import Report
    from gateway.demo.stage import Stage


def demo(
    config: Config = None,
    once: Annotated[
        bool, typer.Option("--once", help="Send the samples, wait for the end, print the result, exit; so does --json.")
    ] = False,
    production: Annotated[
        bool, typer.Option(help="With real RabbitMQ and PostgreSQL (private ones unless URLs are set).")
    ] = False,
    standards: Annotated[
        Path | None,
        typer.Option(
            help="Folder with real standards: adds the services that need them.", exists=True, file_okay=False
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Watch applications arrive, be checked, mapped, cross the queue and end as cases; one fails and is sent again."""
    from gateway.demo.play import play
    from gateway.demo.samples import instances, shipped_samples
    from gateway.demo.stage import stage

    configure("ERROR")
    say("Setting up a throw-away gateway with simulated department systems …")
    with stage(production=production, standards=standards, settings=settings_for(config)) as scene:
        samples = list(shipped_samples(scene.gateway.packages))
        if standards:
            own = frozenset(s.service for s in samples)
            samples += instances(standards, scene.gateway.packages, scene.gateway.checker, skip=own)
        report = play(scene, samples, say)
        if as_json:
            emit(report.as_dict())
        else:
            show(report)
        if not once and not as_json:
            _stay(scene)
    counts = report.as_dict()
    good = not (counts["dead"] or counts["lost"] or counts["doubled"] or counts["unfinished"])
    raise typer.Exit(Exit.YES if good else Exit.NO)


def show(report: Report) -> None:
    """The cases as they ended, and the sums."""
    names = {sent.submission_id: sent.sample.name for sent in report.sent if sent.submission_id}
    rows = [
        (
            view.service,
            names.get(view.submission_id, ""),
            d.target,
            d.state,
            ", ".join(d.references.values()),
            d.attempts,
        )
        for view in report.views
        for d in view.deliveries
    ]
    out.print()
    table("Cases in the department systems", ("service", "sample", "target", "state", "references", "attempts"), rows)
    counts = report.as_dict()
    out.print()
    out.print(
        f"{counts['sent']} sent = {counts['accepted']} accepted + {counts['rejected']} rejected; "
        f"{counts['delivered']} deliveries delivered, {counts['skipped']} skipped, {counts['dead']} dead; "
        f"{counts['redriven']} redriven; lost {counts['lost']}, doubled {counts['doubled']}.",
        highlight=False,
    )


def _stay(scene: Stage) -> None:
    from gateway.runtime import until_told

    example = scene.gateway.packages.services["hundesteuer-anmeldung"].folder / "samples"
    out.print()
    out.print(
        f"The gateway stays at {scene.url} until you press Ctrl-C. Try it from another terminal:", highlight=False
    )
    sample = next(iter(sorted(example.glob("*/data.xml"))), example)
    out.print(f"  export GATEWAY_TOKEN={scene.token}", soft_wrap=True, highlight=False, markup=False)
    out.print(f"  {program()} send {sample} --url {scene.url} --wait 5", soft_wrap=True, highlight=False, markup=False)
    out.print(
        f'  curl -H "Authorization: Bearer $GATEWAY_TOKEN" {scene.url}/v1/services',
        soft_wrap=True,
        highlight=False,
        markup=False,
    )
    until_told()

"""Commands about configuration: check, services list|test."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from gateway.commands.opening import gaps, look
from gateway.commands.operators import Lang, language
from gateway.commands.output import Config, Exit, Json, emit, say, settings_for, table
from gateway.errors import ConfigurationError, GatewayError
from gateway.services import Packages
from gateway.wiring import open_checker
from xoev_schemas.findings import Finding, has_errors

SECONDS = 2.0
"""For each service: enough for all that decides something in a form of ordinary size."""

services = typer.Typer(
    no_args_is_help=True, help="Service packages: what is connected, and whether its samples come out right."
)


def check(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[SERVICE]...", help="Show the tables of these; as with --table.")
    ] = None,
    config: Config = None,
    table_view: Annotated[
        bool, typer.Option("--table", help="Show where each required field comes from, and who receives what.")
    ] = False,
    everything: Annotated[bool, typer.Option("--all", help="In the tables the fields that are optional, too.")] = False,
    form: Annotated[
        Literal["text", "json", "html"],
        typer.Option("--format", help="html: the tables as one page of its own; json = --json."),
    ] = "text",
    output: Annotated[Path | None, typer.Option("--output", "-o", help="File to write to.", dir_okay=False)] = None,
    lang: Lang = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Warnings count as errors: everything has to be installed.")
    ] = False,
    breaking: Annotated[
        Path | None, typer.Option(help="Folder to write the valid messages to that would break a mapping.")
    ] = None,
    seconds: Annotated[
        float, typer.Option(min=0, help="How long to look for such messages, for each service; 0 = not at all.")
    ] = SECONDS,
    as_json: Json = False,
) -> None:
    """Prove the whole configuration, without network or running parts. 1: a package is wrong; 2: could not check."""
    from adapters.registry import load_adapter
    from gateway.checking import check_packages, recipients
    from gateway.commands.tabled import Tables, write
    from gateway.counterexamples import look_for_breaking
    from gateway.packages.fitting import misfits

    settings, form = settings_for(config), "json" if as_json else form
    if not settings.packages:
        say("These are the packages shipped with the gateway, for no setting `packages` names folders of your own.")
    try:
        registry, packages = look(settings)
    except ConfigurationError as error:
        # The packages are what was asked about, so this is an answer.
        write(error.findings, {"recipients": {}}, None, form, output, language(lang))
        say(f"The packages cannot be read: {_count(error.findings)}.")
        raise typer.Exit(Exit.NO) from None
    _require_known(names or (), packages)
    with open_checker(settings, registry) as checker:
        findings = check_packages(packages, checker, load_adapter, strict=strict)
        looked = None
        if seconds and not has_errors(findings):
            looked = look_for_breaking(
                packages, checker, load_adapter, seconds=seconds, known=findings, strict=strict, write_to=breaking
            )
            findings += looked.findings
    findings += [*misfits(settings, packages), *gaps(settings, packages, strict=strict)]
    tables = None
    if table_view or names or form == "html":
        tables = Tables.of(packages, registry, load_adapter, names or (), everything=everything)
    write(findings, {"recipients": recipients(packages)}, tables, form, output, language(lang))
    _say_how_it_ended(findings, packages, looked.unfinished if looked else (), seconds)
    raise typer.Exit(Exit.NO if has_errors(findings) else Exit.YES)


def _say_how_it_ended(findings: Sequence[Finding], packages: Packages, names: Sequence[str], seconds: float) -> None:
    """names: of services for which time was too short."""
    if names:
        unfinished = ", ".join(names)
        say(f"{seconds:g} s were too short to try everything that could break {unfinished}; --seconds gives it more.")
    active = sum(s.inactive is None for s in packages.services.values())
    say(f"{active} of {len(packages.services)} services active, {len(packages.targets)} targets, {_count(findings)}.")


def _require_known(names: Sequence[str], packages: Packages) -> None:
    """Raises GatewayError."""
    unknown = sorted(set(names) - set(packages.services))
    if unknown:
        raise GatewayError(
            f"no such service: {', '.join(unknown)}",
            code="unknown_service",
            remedy=f"Known are: {', '.join(sorted(packages.services)) or 'none'}.",
        )
    for name in names:
        if reason := packages.services[name].inactive:
            say(f"{name} is inactive: {reason}")


def _count(findings: Sequence[Finding]) -> str:
    errors, warnings = (sum(f.severity == severity for f in findings) for severity in ("error", "warning"))
    return f"{errors} errors, {warnings} warnings"


@services.command("list")
def list_services(config: Config = None, as_json: Json = False) -> None:
    """What is connected here, with what standard, to which targets."""
    _, packages = look(settings_for(config))
    rows = [
        {
            "name": s.name,
            "title": s.title,
            "department": s.department,
            "schemas": [a.schema for a in s.accepts],
            "targets": list(s.targets),
            "version": s.version,
            "active": s.inactive is None,
            "inactive": s.inactive,
        }
        for s in packages.services.values()
    ]
    if as_json:
        emit(rows)
        return
    table(
        "Services",
        ("name", "title", "schemas", "targets", "state"),
        [
            (r["name"], r["title"], "\n".join(r["schemas"]), "\n".join(r["targets"]), _state(r["inactive"]))  # type: ignore[arg-type]
            for r in rows
        ],
    )


def _state(inactive: object) -> str:
    return f"inactive: {inactive}" if inactive else "active"


@services.command("test")
def run_service_samples(
    names: Annotated[list[str] | None, typer.Argument(help="Service packages; default: all active ones.")] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Run the samples of service packages: each must be judged, and mapped, exactly as it says, and each case become a
    request that its targets take.
    """
    from adapters.registry import load_adapter
    from gateway.checking import try_samples

    settings = settings_for(config)
    registry, packages = look(settings)
    _require_known(names or (), packages)
    chosen = [s for s in packages.services.values() if (s.name in names if names else s.inactive is None)]
    with open_checker(settings, registry) as checker:
        results = try_samples(packages, chosen, checker, load_adapter)
    if as_json:
        emit([{"service": r.service, "sample": r.sample, "ok": r.ok, "difference": r.difference} for r in results])
    else:
        table(
            "Samples",
            ("service", "sample", "result"),
            [(r.service, r.sample, "as expected" if r.ok else r.difference) for r in results],
        )
    raise typer.Exit(Exit.YES if all(r.ok for r in results) else Exit.NO)

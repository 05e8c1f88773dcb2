"""`gateway docs`: descriptions made from this installation's configuration, for departments and for data protection."""

from __future__ import annotations

import sys
from importlib.metadata import version
from typing import Annotated, Literal

import typer

from gateway.commands.opening import look
from gateway.commands.operators import require_one_of
from gateway.commands.output import Config, emit, settings_for
from gateway.services import Service

docs = typer.Typer(
    no_args_is_help=True, help="Descriptions made from this installation: for departments, and for data protection."
)


@docs.command("asyncapi")
def asyncapi(config: Config = None) -> None:
    """The department's queue, as AsyncAPI in JSON, with the case of every service that is active here."""
    from gateway.interfaces import asyncapi as described

    emit(described(_active(config)))


@docs.command("openapi")
def openapi(config: Config = None) -> None:
    """Where a department fetches a case, as OpenAPI in JSON, with the case of every service that is active here."""
    from gateway.interfaces import openapi as described

    emit(described(_active(config), version=version("ozg-gateway")))


@docs.command("privacy")
def privacy(
    service: Annotated[str | None, typer.Option(help="Only this service; default: every one.")] = None,
    form: Annotated[Literal["md", "html", "json"], typer.Option("--format", help="md, html or json.")] = "md",
    config: Config = None,
) -> None:
    """For data protection, in German: record of processing per service (Art. 30 GDPR), deletion concept, concept of
    roles. What the configuration does not say is marked as a gap.
    """
    from gateway.privacy.concepts import privacy as described
    from gateway.privacy.page import as_html, as_json, as_markdown

    settings = settings_for(config)
    registry, packages = look(settings)
    require_one_of("--service", service, packages.services)
    chosen = [one for name, one in sorted(packages.services.items()) if service in (None, name)]
    sections = described(settings, packages, registry, chosen, version=version("ozg-gateway"))
    if form == "json":
        emit(as_json(sections))
    else:
        sys.stdout.write(as_html(sections) if form == "html" else as_markdown(sections))


def _active(config: Config) -> list[Service]:
    _, packages = look(settings_for(config))
    return [service for service in packages.services.values() if service.inactive is None]

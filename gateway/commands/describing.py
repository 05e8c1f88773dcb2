"""`gateway docs`: descriptions of this installation's interfaces for departments."""

from __future__ import annotations

from enum import StrEnum
from importlib.metadata import version
from typing import Annotated

import typer

from gateway.commands.opening import look
from gateway.commands.output import Config, emit, settings_for


class Form(StrEnum):
    ASYNCAPI = "asyncapi"
    OPENAPI = "openapi"


def docs(
    form: Annotated[
        Form, typer.Argument(help="`asyncapi`: the department's queue. `openapi`: where it fetches a case.")
    ],
    config: Config = None,
) -> None:
    """Print the description of what departments take as JSON, with the case of every service that is active here."""
    from gateway.interfaces import asyncapi, openapi

    _, packages = look(settings_for(config))
    active = [service for service in packages.services.values() if service.inactive is None]
    emit(asyncapi(active) if form is Form.ASYNCAPI else openapi(active, version=version("ozg-gateway")))

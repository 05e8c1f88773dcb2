"""Which files of a target are for a kind of submission: `request-KIND.yaml`, `request-SERVICE-KIND.yaml`."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path
from typing import get_args

from gateway.mapping.language import CompiledMapping
from gateway.submission import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
Requests = Mapping[str, CompiledMapping]
"""By service; `""` = for every other one."""


def kind_of(file: Path, services: Collection[str]) -> tuple[str, Kind] | None:
    """Service (`""` = every one) and kind that a request file is for by its name; None: it is for no kind alone.

    A service that is itself called like a kind comes first.
    """
    name = file.stem.removeprefix("request-")
    if name in services:
        return None
    for kind in KINDS:
        service = name.removesuffix(kind)
        if not service and name == kind:
            return "", kind
        if service != name and service.endswith("-") and service[:-1] in services:
            return service[:-1], kind
    return None


def requests_for(own: Requests, general: Requests, *, declared: bool) -> Requests:
    """The mappings of one kind. own: its own files. general: those for new submissions, which a kind that is declared
    without a file takes.
    """
    return own if "" in own or not declared else {**general, **own}

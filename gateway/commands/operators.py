"""What the commands of operators share: the store they look into, what may be typed, language, times, reasons."""

from __future__ import annotations

import contextlib
import getpass
import os
import uuid
from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Any, Literal, TypeVar

import typer

from gateway.commands.opening import look, no_installation
from gateway.commands.output import say
from gateway.errors import GatewayError
from gateway.mapping.problems import nearest
from gateway.settings import Settings
from gateway.store import Store
from gateway.wiring import open_keys, utc_now
from xoev_schemas.findings import Text

_Found = TypeVar("_Found")

Target = Annotated[str | None, typer.Option(help="Only this target.")]
Service = Annotated[str | None, typer.Option(help="Only this service.")]
Limit = Annotated[int, typer.Option(min=1, help="At most so many.")]
Reason = Annotated[str, typer.Option(help="Why; recorded.")]
Language = Literal["de", "en"]
Lang = Annotated[Language | None, typer.Option(help="Language; default: by LC_ALL, LC_MESSAGES, LANG, else English.")]


@contextlib.contextmanager
def open_store(settings: Settings) -> Iterator[Store]:
    """The installation's database; its keys and tables must be there. Raises GatewayError."""
    if not settings.database_url and not (settings.home / "gateway.db").exists():
        raise no_installation(settings)
    keys = open_keys(settings, create=False)
    store = Store.open(settings.effective_database_url, keys=keys, clock=utc_now, announces=settings.announces)
    try:
        yield store
    finally:
        store.close()


# ------------------------------------------------------------------------------------------------- what was typed


def require_one_of(option: str, value: str | None, allowed: Collection[str]) -> None:
    """Raises GatewayError that names what is allowed, the nearest first. None: nothing was typed."""
    if value is None or value in allowed:
        return
    meant = nearest(value, sorted(allowed))
    hint = f"Did you mean {meant}? " if meant else ""
    raise GatewayError(
        f"{option} {value}: there is no such thing",
        code="unknown_value",
        remedy=f"{hint}Possible: {', '.join(sorted(allowed))}.",
    )


def require_known(store: Store, settings: Settings, *, target: str | None, service: str | None) -> None:
    """A target or service must be configured, or have been when something was accepted. Raises GatewayError."""
    for option, column, value in (("--target", "target", target), ("--service", "service", service)):
        known = store.names_in_use("target" if column == "target" else "service") if value else set()
        if value and value not in known:
            _, packages = look(settings)
            require_one_of(option, value, {*known, *(packages.targets if column == "target" else packages.services)})


def require_id(text: str) -> None:
    """Raises GatewayError for what cannot be an id."""
    try:
        uuid.UUID(text)
    except ValueError:
        raise GatewayError(
            f"{text!r} is no delivery id and no submission id", code="no_id", remedy="Ids stand in: gateway dead list"
        ) from None


def typed_references(names: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE … as typed. Raises GatewayError that names every word of another form."""
    pairs = [name.partition("=") for name in names]
    if bad := [name for name, (key, _, value) in zip(names, pairs, strict=True) if not (key.strip() and value.strip())]:
        raise GatewayError(f"{', '.join(bad)}: write NAME=VALUE", code="usage")
    return {key.strip(): value.strip() for key, _, value in pairs}


def require_reason(reason: str) -> None:
    if not reason.strip():
        raise GatewayError(
            "a reason is missing",
            code="no_reason",
            remedy="Say why with --reason: it stands in the record of every application concerned.",
        )


def cut(found: list[_Found], limit: int) -> list[_Found]:
    """At most `limit`; where one more was found, that is said."""
    if len(found) > limit:
        say(f"There are more than these {limit}: --limit {limit * 10} shows more, --target or --service fewer.")
    return found[:limit]


def actor() -> str:
    """Who did it, as the record names it."""
    return f"cli:{getpass.getuser()}"


# ------------------------------------------------------------------------------------------------- how it is told


def language(chosen: Language | None) -> Language:
    """As asked for, else by the environment as POSIX reads it."""
    if chosen:
        return chosen
    names = (os.environ.get(name) for name in ("LC_ALL", "LC_MESSAGES", "LANG"))
    return "de" if next((name for name in names if name), "").startswith("de") else "en"


def spoken(text: Text, lang: Language) -> str:
    return text.de if lang == "de" else text.en


def moment(value: Any) -> str:
    """A moment for people, in this machine's time zone; empty for none."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if isinstance(value, datetime) else ""


def minute(value: datetime | None) -> str:
    """The same for tables, which are wide enough."""
    return value.astimezone().strftime("%Y-%m-%d %H:%M") if value else ""

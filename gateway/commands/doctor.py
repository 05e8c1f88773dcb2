"""`gateway doctor`: everything that a start would refuse, and what it would not see, looked at now."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

import typer

from gateway.commands.failures import failure_of
from gateway.commands.opening import gaps, look
from gateway.commands.output import Config, Exit, Json, emit, settings_for, table
from gateway.logs import configure
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.database import database_now, database_url, reading_engine, standing_of
from gateway.store.place import nearly_full, require_local, room
from gateway.wiring import open_keys, utc_now
from queues import open_broker
from queues.topology import gateway_topology

FURTHEST = timedelta(seconds=30)
"""Tokens and opening hours go by this machine's clock, leases by the database's."""

State = Literal["good", "warning", "bad"]


@dataclass(frozen=True, slots=True)
class Look:
    """What looking at one thing told. remedy: what to do, where it is not good."""

    what: str
    state: State
    text: str
    remedy: str = ""


def doctor(config: Config = None, as_json: Json = False) -> None:
    """Look at everything that a start needs: configuration, keys, database, clock, disk, queues. Makes missing queues,
    changes nothing else. 0: all is good; 1: something is bad.
    """
    settings = settings_for(config)
    configure("ERROR", machine=False)  # what the broker's client tells on the way is no answer
    looks = [look_at for examine in _EXAMINED for look_at in _carefully(*examine, settings)]
    bad = any(one.state == "bad" for one in looks)
    if as_json:
        emit(
            {
                "good": not bad,
                "checks": [
                    {"what": one.what, "state": one.state, "text": one.text, "remedy": one.remedy} for one in looks
                ],
            }
        )
    else:
        table("Doctor", ("what", "state", "told", "to do"), [(o.what, o.state, o.text, o.remedy) for o in looks])
    raise typer.Exit(Exit.NO if bad else Exit.YES)


def _carefully(what: str, examine: Callable[[Settings], Iterator[Look]], settings: Settings) -> Iterator[Look]:
    """What a start would end with is one look more."""
    try:
        yield from examine(settings)
    except Exception as error:
        failure = failure_of(error)
        if not failure.findings:
            yield Look(what, "bad", failure.text, failure.remedy)
        for finding in failure.findings:
            yield Look(what, "bad", f"{finding.path}: {finding.text.en}", finding.remedy.en)


def _configuration(settings: Settings) -> Iterator[Look]:
    _, packages = look(settings)
    active = sum(service.inactive is None for service in packages.services.values())
    yield Look("configuration", "good", f"{active} services, {len(packages.targets)} targets, stage {settings.stage}")
    for gap in gaps(settings, packages):
        yield Look("configuration", "warning", gap.text.en, gap.remedy.en)


def _keys(settings: Settings) -> Iterator[Look]:
    ring = open_keys(settings, create=False)
    yield Look("keys", "good", f"version {ring.current} wraps; nobody else can read them")


def _tables(settings: Settings) -> Iterator[Look]:
    standing = standing_of(settings.effective_database_url)
    if standing.newer:
        yield Look("tables", "bad", f"at {standing.at}, of a newer version", "Start the newer version.")
    elif standing.missing:
        yield Look("tables", "bad", f"missing: {', '.join(standing.missing)}", "gateway db upgrade")
    else:
        yield Look("tables", "good", f"at {standing.at}")


def _database(settings: Settings) -> Iterator[Look]:
    store = Store.open(settings.effective_database_url, keys=open_keys(settings, create=False))
    try:
        counts = store.counts()
    finally:
        store.close()
    told = ", ".join(f"{count} {state}" for state, count in sorted(counts.items())) or "no deliveries"
    yield Look("database", "good", f"durable, its content opens with the keys here; {told}")


def _clock(settings: Settings) -> Iterator[Look]:
    engine = reading_engine(database_url(settings.effective_database_url))
    try:
        with engine.connect() as connection:
            apart = abs(utc_now() - database_now(connection))
    finally:
        engine.dispose()
    if apart > FURTHEST:
        remedy = "Set this machine's clock by NTP, or the database's."
        yield Look("clock", "bad", f"{apart.total_seconds():.0f} s apart from the database's", remedy)
    else:
        yield Look("clock", "good", "as the database's")


def _disk(settings: Settings) -> Iterator[Look]:
    url = database_url(settings.effective_database_url)
    require_local(url)
    left = room(url)
    if left is None:
        return
    text = f"{left[0] >> 20} MiB of {left[1] >> 20} MiB are left"
    if nearly_full(url, settings.limits.free_disk_bytes):
        yield Look("disk", "bad", f"{text}: intake answers 503", "Make room; what was accepted goes on.")
    else:
        yield Look("disk", "good", text)


def _queues(settings: Settings) -> Iterator[Look]:
    if settings.embedded:
        yield Look("queues", "good", "in memory")
        return
    _, packages = look(settings)
    used = sorted({name for s in packages.services.values() if s.inactive is None for name in s.targets})
    broker = open_broker(settings.broker_url, name="gateway doctor")
    try:
        broker.declare(gateway_topology(used))
        ready = sum(broker.depths().values())
    finally:
        broker.close()
    yield Look("queues", "good", f"as they must be; {ready} messages wait")


_EXAMINED: tuple[tuple[str, Callable[[Settings], Iterator[Look]]], ...] = (
    ("configuration", _configuration),
    ("keys", _keys),
    ("disk", _disk),
    ("tables", _tables),
    ("database", _database),
    ("clock", _clock),
    ("queues", _queues),
)

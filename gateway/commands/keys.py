"""`gateway keys`: the keys that content is encrypted with, and clients' secrets."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

import typer

from gateway.commands.operators import minute, open_store
from gateway.commands.output import Config, Exit, Json, Yes, emit, program, say, settings_for, table
from gateway.commands.running import keys_secret
from gateway.errors import GatewayError
from gateway.store.key_files import FINGERPRINTS
from gateway.wiring import open_keys

keys = typer.Typer(no_args_is_help=True, help="The keys that content is encrypted with, and clients' secrets.")
keys.command("secret")(keys_secret)


@keys.command("create")
def create(config: Config = None) -> None:
    """Make the key for content of a new installation. Never replaces one: what it wrapped could not be read again."""
    settings = settings_for(config)
    folder = settings.home / "keys"
    name = FINGERPRINTS if settings.key_service else "content-1.key"
    if any(folder.glob(name if settings.key_service else "content-*.key")):
        raise GatewayError(f"there is a key already in {folder}; nothing was changed", code="key_exists")
    try:
        open_keys(settings, create=True)
    except OSError as error:
        raise GatewayError(f"the key cannot be written to {folder}: {error.strerror}", code="file") from None
    say(f"{folder / name} was made. Back it up, and not beside the database: without it no stored content can be read.")


@keys.command("list")
def list_keys(config: Config = None, as_json: Json = False) -> None:
    """Which versions of the wrapping key there are, and how many submissions need each."""
    with open_store(settings_for(config)) as store:
        used = store.keys.use()
    if as_json:
        emit(
            [
                {
                    "version": one.version,
                    "createdAt": one.created_at and one.created_at.isoformat(timespec="seconds").replace("+00:00", "Z"),
                    "submissions": one.count,
                    "state": _state(one.current, one.missing, one.count),
                }
                for one in used
            ]
        )
        return
    rows = [
        (one.version, minute(one.created_at), one.count, _state(one.current, one.missing, one.count)) for one in used
    ]
    table("Keys", ("version", "made", "submissions", "state"), rows)


@keys.command("rotate")
def rotate(config: Config = None, as_json: Json = False) -> None:
    """Make a new wrapping key and wrap every submission's key with it, beside running processes. May be stopped at any
    time: run again, it goes on where it was.
    """
    with open_store(settings_for(config)) as store:
        rotated = store.keys.rotate(lambda done, of: say(f"{done} of {of} wrapped anew"))
    if as_json:
        emit(
            {
                "version": rotated.version,
                "made": rotated.made,
                "rewrapped": rotated.rewrapped,
                "unreadable": rotated.unreadable,
            }
        )
    did = "was made and wraps" if rotated.made else "had been made before and wraps"
    say(f"Key version {rotated.version} {did} everything that can be opened. Back it up, and not beside the database.")
    if rotated.unreadable:
        say(
            f"{len(rotated.unreadable)} could not be opened and stay as they are: {', '.join(rotated.unreadable[:5])} …"
        )
        raise typer.Exit(Exit.UNKNOWN)
    say(f"When the backups that need an older version may go: {program()} keys retire VERSION")


@keys.command("retire")
def retire(
    version: Annotated[int, typer.Argument(help="The oldest version, when nothing needs it any more.")],
    config: Config = None,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Let an old wrapping key go for good: backups that were made while it was in use cannot be read afterwards."""
    now = datetime.now(UTC)
    with open_store(settings_for(config)) as store:
        why = store.keys.refusal(version, now)
        if yes and not why:
            store.keys.retire(version, now)
    told: dict[str, Any] = {"version": version, "retired": yes and not why, "dryRun": not yes, "why": why or None}
    if as_json:
        emit(told)
    if why:
        say(f"Not retired: {why}.")
        raise typer.Exit(Exit.NO)
    if yes:
        say(f"Key version {version} is retired. Destroy its copies too, once no backup needs it.")
    else:
        say(
            f"Nothing needs key version {version} any more; backups from before the last rotation do. "
            "Nothing was changed; add --yes to retire it for good."
        )


def _state(current: bool, missing: bool, count: int) -> str:
    if missing:
        return "missing"
    return "current" if current else "in use" if count else "unused"

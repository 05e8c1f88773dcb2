"""After the broker was lost: `gateway relay --rebuild`."""

from __future__ import annotations

from gateway.commands.operators import open_store
from gateway.commands.output import emit, say, table
from gateway.settings import Settings


def rebuild(settings: Settings, *, dry_run: bool, as_json: bool) -> None:
    """Put every unfinished delivery that is in no outbox into it, beside whatever runs; say how many, by target."""
    with open_store(settings) as store:
        found = store.recovery.unfinished()
        there = sum(one.deliveries for one in found)
        put_back = 0 if dry_run else store.recovery.put_back(lambda done: say(f"{done} put back"))
    nowhere = sum(one.nowhere for one in found)
    if as_json:
        targets = [{"target": one.target, "unfinished": one.deliveries, "nowhere": one.nowhere} for one in found]
        emit({"unfinished": there, "nowhere": nowhere, "putBack": put_back, "dryRun": dry_run, "targets": targets})
        return
    rows = [(one.target, one.deliveries, one.nowhere) for one in found]
    table("Unfinished deliveries", ("target", "unfinished", "in no outbox"), rows)
    if dry_run:
        say(f"{nowhere} would be put back. Nothing was changed; leave out --dry-run to do it.")
    else:
        say(f"{put_back} deliveries put back into the outbox; the running relay sends them.")

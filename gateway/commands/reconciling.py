"""`gateway reconcile`: what a department's system has, held against what we know. Changes nothing."""

from __future__ import annotations

import csv
import io
import json
import shlex
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from adapters.base import DeliveryError, Permanent
from adapters.registry import load_adapter
from gateway.backup.manifest import read_manifest
from gateway.backup.reading import Kept, deliveries_in
from gateway.commands.opening import look
from gateway.commands.operators import open_store, require_one_of
from gateway.commands.output import Config, Exit, Json, emit, out, program, say, settings_for
from gateway.comparing import Difference, Entry, compare
from gateway.delivery import OPEN
from gateway.delivery import DeliveryState as D
from gateway.errors import GatewayError, NotFound
from gateway.packages.proving import prove_adapter
from gateway.settings import Settings
from gateway.store import Store
from gateway.store.comparing import Sent
from xoev_schemas.findings import has_errors

PROGRESS = 100
WORDS = {
    "not_known": "they have it, we never sent it there",
    "not_delivered": "they have it, for us it is not delivered",
    "missing": "for us it is delivered, they do not have it",
    "not_arrived": "we do not know whether it arrived; they do not have it",
    "doubled": "they have it more than once",
    "lost": "the backup has it, we do not",
    "undone": "delivered in the backup, not here",
    "sent_since": "delivered here, open in the backup: a restore of it may send this twice",
}


def reconcile(
    target: Annotated[str | None, typer.Option(help="The target whose cases are compared.")] = None,
    listed: Annotated[
        Path | None,
        typer.Option(
            "--list", help="What the department has: CSV with a header, or a JSON array; keys or its references."
        ),
    ] = None,
    ask: Annotated[bool, typer.Option("--ask", help="Ask the target itself, by the key of every delivery.")] = False,
    backup: Annotated[Path | None, typer.Option(help="Compare with a backup instead.")] = None,
    since: Annotated[
        datetime | None, typer.Option(help="The list goes back to here (UTC); with --ask: ask from here on.")
    ] = None,
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Compare what was delivered with a department's own list, the department's system, or a backup: missing, doubled
    and unknown cases. Changes nothing. 0: all agrees; 1: something differs; 2: not everything could be asked.
    """
    ways = [listed is not None, ask, backup is not None].count(True)
    if ways != 1 or (backup is None) == (target is None):
        raise GatewayError("say --target with --list or --ask, or --backup alone", code="usage")
    settings = settings_for(config)
    unasked = 0
    with open_store(settings) as store:
        if backup is not None:
            told = _against_backup(store, backup)
        else:
            assert target is not None
            from_here = since.replace(tzinfo=UTC) if since else None
            told, unasked = _against_target(store, settings, target, listed, from_here)
    _tell(told, unasked, as_json)
    raise typer.Exit(Exit.UNKNOWN if unasked else Exit.NO if told else Exit.YES)


def _against_target(
    store: Store, settings: Settings, target: str, listed: Path | None, since: datetime | None
) -> tuple[list[dict[str, Any]], int]:
    """What differs, and of how many the target could not be asked. listed: None = ask the target."""
    known = store.names_in_use("target")
    if target not in known:
        require_one_of("--target", target, {*known, *look(settings)[1].targets})
    ours = store.recovery.sent_to(target)
    if listed is not None:
        return [_described(difference) for difference in compare(ours, read_list(listed), since)], 0
    tried = [sent for sent in ours if sent.attempts and (since is None or sent.created_at >= since)]
    asked, entries = _ask(settings, target, tried)
    return [_described(difference) for difference in compare(asked, entries)], len(tried) - len(asked)


def _ask(settings: Settings, name: str, ours: Sequence[Sent]) -> tuple[list[Sent], list[Entry]]:
    """Those that the target could be asked about, and what it has of them. Raises GatewayError."""
    target = look(settings)[1].targets.get(name)
    adapter, findings = prove_adapter(target, load_adapter) if target else (None, [])
    if adapter is None or has_errors(findings):
        raise GatewayError(f"{name} has no settings with which it could be asked", code="no_target", findings=findings)
    asked: list[Sent] = []
    entries: list[Entry] = []
    try:
        for number, sent in enumerate(ours, 1):
            try:
                receipt = adapter.probe(sent.delivery_id)
            except Permanent as error:
                if error.code == "probe.unsupported":
                    raise GatewayError(
                        f"{name} cannot be asked by key", code="probe_unsupported", remedy="Use --list."
                    ) from None
                continue
            except DeliveryError:
                continue
            asked.append(sent)
            if receipt is not None:
                entries.append(Entry([sent.delivery_id], references=receipt.references))
            if number % PROGRESS == 0:
                say(f"{number} of {len(ours)} asked")
    finally:
        adapter.close()
    return asked, entries


def read_list(path: Path) -> Iterator[Entry]:
    """CSV with a header line (separated by comma, semicolon or tab), or JSON: an array of texts or of flat objects.

    Names of columns and members become names of references, but for `key`. Raises GatewayError, OSError.
    """
    text = path.read_text(encoding="utf-8-sig")
    try:
        rows = json.loads(text) if text.lstrip().startswith(("[", "{")) else _csv_rows(text)
        if not isinstance(rows, list):
            raise ValueError
        for line, row in enumerate(rows, 1):
            named = row if isinstance(row, dict) else {"key": row}
            values = {str(k): str(v).strip() for k, v in named.items() if isinstance(v, str | int) and str(v).strip()}
            if values:
                references = {name: value for name, value in values.items() if name != "key"}
                yield Entry(list(values.values()), line, references)
    except (ValueError, csv.Error):
        raise GatewayError(
            f"{path} is neither CSV with a header line nor a JSON array",
            code="bad_list",
            remedy="One case per line, with a column `key` or one named as the reference, as: aktenzeichen",
        ) from None


def _csv_rows(text: str) -> list[dict[str, str]]:
    header = text.partition("\n")[0]
    if not header.strip().isprintable() or not header.strip():
        raise ValueError("no header line")
    delimiter = max(",;\t", key=header.count)
    return [
        {name: value for name, value in row.items() if name and isinstance(value, str)}
        for row in csv.DictReader(io.StringIO(text), delimiter=delimiter)
    ]


def _against_backup(store: Store, folder: Path) -> list[dict[str, Any]]:
    """Held against how each delivery of the backup stands here."""
    told = []
    for kept in deliveries_in(folder, read_manifest(folder)):
        try:
            now = store.delivery(kept.delivery_id).state
        except NotFound:
            told.append(_of_backup("lost", kept, None))
            continue
        if kept.state == D.DELIVERED and now is not D.DELIVERED:
            told.append(_of_backup("undone", kept, now))
        elif now is D.DELIVERED and kept.state in OPEN:
            told.append(_of_backup("sent_since", kept, now))
    return told


def _of_backup(what: str, kept: Kept, now: D | None) -> dict[str, Any]:
    return _row(what, kept.delivery_id, kept.submission_id, now, target=kept.target, inBackup=kept.state)


def _described(difference: Difference) -> dict[str, Any]:
    sent, entries = difference.sent, difference.entries
    return _row(
        difference.what,
        sent.delivery_id if sent else None,
        sent.submission_id if sent else None,
        sent.state if sent else None,
        lines=[entry.line for entry in entries if entry.line],
        values=[value for entry in entries for value in entry.values],
        command=_command(difference),
    )


def _row(what: str, delivery: str | None, submission: str | None, state: D | None, **more: Any) -> dict[str, Any]:
    return {
        "what": what,
        "deliveryId": delivery,
        "submissionId": submission,
        "state": state and str(state),
        **more,
    }


def _command(difference: Difference) -> str | None:
    """What an operator may run. None: nothing here could settle it, or a machine is still at it."""
    if difference.sent is None or difference.remedy not in ("settle", "redrive"):
        return None
    delivery = difference.sent.delivery_id
    if difference.remedy == "redrive":
        return f"{program()} dead redrive {delivery} --may-repeat --reason … --yes"
    references = [f"{n}={v}" for n, v in difference.entries[0].references.items() if v != delivery]
    named = " ".join(shlex.quote(reference) for reference in references) or "aktenzeichen=…"
    return f"{program()} dead settle {delivery} {named} --reason … --yes"


def _tell(told: Sequence[dict[str, Any]], unasked: int, as_json: bool) -> None:
    counts = {what: count for what in WORDS if (count := sum(one["what"] == what for one in told))}
    if as_json:
        emit({"agrees": not told and not unasked, "counts": counts, "notAsked": unasked, "differences": list(told)})
        return
    for what, count in counts.items():
        out.print(f"{count} × {WORDS[what]}", markup=False, highlight=False)
        for one in told:
            if one["what"] == what:
                place = ", ".join(f"line {line}" for line in one.get("lines", ()))
                named = one["deliveryId"] or ", ".join(one["values"])
                words = "  ".join(filter(None, (named, one["state"], one.get("target"), place)))
                out.print(f"  {words}", markup=False, highlight=False, soft_wrap=True)
                if one.get("command"):
                    out.print(f"    {one['command']}", markup=False, highlight=False, soft_wrap=True)
    if unasked:
        say(f"{unasked} could not be asked about: try again when the target answers.")
    say("Everything agrees." if not told and not unasked else "Nothing was changed.")

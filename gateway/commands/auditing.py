"""`gateway audit`: the record of what happened, and the proof that nobody changed it. Nothing here changes anything."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.operators import (
    Lang,
    Language,
    Service,
    language,
    moment,
    open_store,
    require_id,
    require_one_of,
    spoken,
)
from gateway.commands.output import Config, Exit, Json, emit, out, say, settings_for, table
from gateway.commands.stories import sentence
from gateway.delivery.words import STATES
from gateway.errors import GatewayError, NotFound
from gateway.settings import Settings
from gateway.store import Store, SubmissionView
from gateway.store.chain import Fault
from gateway.store.days import DayClose, bounds
from gateway.store.signing import PublicKey, public_keys, read_public_keys
from xoev_schemas.findings import Text

audit = typer.Typer(no_args_is_help=True, help="The record: its chains, seals and closed days, and proof from it.")

SHOWN = 100
"""Faults that are printed for people; JSON has all."""
_STEP = 2000
"""Submissions between two lines of progress."""
PublicKeyFile = Annotated[
    Path | None,
    typer.Option("--public-key", help="Believe these keys only: JWK set of GET /v1/keys/audit, or PEM."),
]
Submission = Annotated[str, typer.Argument(help="Submission id.")]


@audit.command("verify")
def verify(
    submission: Annotated[str | None, typer.Argument(help="Submission id; without one, everything.")] = None,
    since: Annotated[str | None, typer.Option("--from", help="First day (YYYY-MM-DD).")] = None,
    until: Annotated[str | None, typer.Option("--to", help="Last day (YYYY-MM-DD).")] = None,
    public_key: PublicKeyFile = None,
    config: Config = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Check that the record is complete and unchanged: every chain, every seal and its signature, every closed day.
    Exit 0: it is; 1: it is not, and where; 2: could not tell.
    """
    settings = settings_for(config)
    between = _between(since, until)
    with open_store(settings) as store:
        keys = _believed(settings, store, public_key)
        if submission is not None:
            require_id(submission)
            faults = [*store.audit.faults(submission), *store.audit.seal_faults(submission, keys)]
            checked = {"submissions": 1, "seals": None}
        else:
            faults, checked = _verify_all(store, keys, between)
        waiting, differences = store.audit.standing()
    if as_json:
        emit(
            {
                "valid": not faults,
                **checked,
                "unsealedEvents": waiting,
                "dayDifferences": differences,
                "faults": [fault.as_dict() for fault in faults],
            }
        )
    else:
        _tell(faults, checked, waiting, differences, language(lang))
    raise typer.Exit(Exit.NO if faults else Exit.YES)


@audit.command("show")
def show(submission: Submission, config: Config = None, lang: Lang = None, as_json: Json = False) -> None:
    """The story of one submission for an auditor, with what proves it."""
    require_id(submission)
    with open_store(settings_for(config)) as store:
        view = store.view(submission, events=True)
        faults = store.audit.faults(submission)
        proof = store.audit.proof(submission, whole=True)
    if as_json:
        emit(_story_document(view, faults, proof))
    else:
        _print_story(view, faults, proof, language(lang))
    raise typer.Exit(Exit.NO if faults else Exit.YES)


@audit.command("export")
def export(
    submission: Submission,
    file: Annotated[Path, typer.Argument(help="File to write; an existing one stays as it is.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """Write a proof of everything that happened to a submission, which is checked with the public key alone."""
    require_id(submission)
    with open_store(settings_for(config)) as store:
        proof = store.audit.proof(submission, whole=True)
    unsealed = sum(entry["leaf"] is None for entry in proof["entries"])
    if unsealed:
        raise GatewayError(
            f"{unsealed} of {len(proof['entries'])} events are not sealed yet; nothing was written",
            code="not_sealed_yet",
            remedy="The running gateway seals them within the time that `seal_seconds` says. Then try again.",
        )
    with file.open("x", encoding="utf-8") as stream:
        json.dump(proof, stream, ensure_ascii=False, indent=2)
    if as_json:
        emit({"submissionId": submission, "file": str(file), "events": len(proof["entries"])})
    say(f"{file}: {len(proof['entries'])} events, {len(proof['seals'])} seals. How to check it: docs, HTTP interface.")


@audit.command("day")
def day(
    which: Annotated[str | None, typer.Argument(metavar="[DATE]", help="YYYY-MM-DD; default: the last closed.")] = None,
    service: Service = None,
    config: Config = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """The signed books of a day, per service: created = delivered + skipped + discarded + returned + open. Exit 1 where
    they do not balance.
    """
    wanted = _date("DATE", which) if which else None
    with open_store(settings_for(config)) as store:
        records = store.audit.closed(wanted)
    if not records:
        raise NotFound(f"{which or 'no day'} is closed{' yet' if not which else ''}: no records")
    require_one_of("--service", service, {record.service for record in records})
    records = [record for record in records if service in (None, record.service)]
    if as_json:
        emit([_day_document(record) for record in records])
    else:
        _print_day(records, language(lang))
    raise typer.Exit(Exit.NO if any(record.difference for record in records) else Exit.YES)


# ----------------------------------------------------------------------------------------------------------- verify


def _between(since: str | None, until: str | None) -> tuple[datetime, datetime] | None:
    if since is None and until is None:
        return None
    first = _date("--from", since) if since else date(2000, 1, 1)
    last = _date("--to", until) if until else date(9000, 1, 1)
    if last < first:
        raise GatewayError(f"--from {first} is after --to {last}", code="usage")
    return bounds(first)[0], bounds(last)[1]


def _date(name: str, text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError:
        raise GatewayError(f"{name} {text}: write a day as YYYY-MM-DD", code="usage") from None


def _believed(settings: Settings, store: Store, file: Path | None) -> list[PublicKey]:
    """Keys from outside the database, where there are any: who can write there could put in a key of their own."""
    if file is not None:
        return read_public_keys(file)
    if keys := public_keys(settings.home / "keys"):
        return keys
    say(
        "There is no audit-<n>.key here: signatures are checked with the keys that the same database holds. Somebody "
        "who can change everything there could have replaced them. --public-key FILE is independent of it."
    )
    return store.audit.public_keys()


def _verify_all(
    store: Store, keys: list[PublicKey], between: tuple[datetime, datetime] | None
) -> tuple[list[Fault], dict[str, Any]]:
    faults: list[Fault] = []
    submissions, seals, told = 0, 0, 0
    for step in store.audit.verify(keys, between):
        faults += step.faults
        submissions, seals = step.submissions, step.seals
        if submissions + seals - told >= _STEP:
            told = submissions + seals
            say(f"… {seals} of {step.of_seals} seals, {submissions} of {step.of_submissions} submissions")
    return faults, {"submissions": submissions, "seals": seals}


def _tell(
    faults: Sequence[Fault], checked: dict[str, Any], waiting: int, differences: dict[str, int], lang: Language
) -> None:
    for fault in faults[:SHOWN]:
        where = f"{fault.submission_id}: " if fault.submission_id else ""
        out.print(f"✗ {where}{spoken(fault.text, lang)}  [{fault.code}]", markup=False, highlight=False)
    if len(faults) > SHOWN:
        say(f"… and {len(faults) - SHOWN} more: --json has all.")
    seals = f", {checked['seals']} Siegel" if checked["seals"] is not None else ""
    count = len(faults)
    verdict = Text(
        f"{checked['submissions']} Eingänge{seals} geprüft: " + (f"{count} Fehler." if count else "unverändert."),
        f"{checked['submissions']} submissions{seals.replace('Siegel', 'seals')} checked: "
        + (f"{count} faults." if count else "unchanged."),
    )
    out.print(spoken(verdict, lang), markup=False, highlight=False)
    if waiting:
        say(f"{waiting} events wait for the next seal; their chains were checked.")
    for service in (name for name, number in differences.items() if number):
        say(f"The last closed day of {service} does not balance: gateway audit day")


# ------------------------------------------------------------------------------------------------------------- show


def _seal_of(number: int, proof: dict[str, Any]) -> int | None:
    """Which seal holds event `number`."""
    leaf = proof["entries"][number - 1]["leaf"] if number <= len(proof["entries"]) else None
    return leaf["seal"] if leaf else None


def _sealed_at(proof: dict[str, Any], number: int) -> datetime:
    [seal] = [seal for seal in proof["seals"] if seal["number"] == number]
    return datetime.fromisoformat(json.loads(seal["statement"])["at"])


def _story_document(view: SubmissionView, faults: Sequence[Fault], proof: dict[str, Any]) -> dict[str, Any]:
    return {
        "submissionId": view.submission_id,
        "caseId": view.case_id,
        "service": view.service,
        "status": view.state,
        "events": [{**event, "seal": _seal_of(event["number"], proof)} for event in view.events],
        "valid": not faults,
        "faults": [fault.as_dict() for fault in faults],
        "proof": proof,
    }


def _print_story(view: SubmissionView, faults: Sequence[Fault], proof: dict[str, Any], lang: Language) -> None:
    received = Text(f"eingegangen {moment(view.received_at)}", f"received {moment(view.received_at)}")
    out.print(f"{view.submission_id}  {view.service}  {spoken(received, lang)}", markup=False, highlight=False)
    targets = {delivery.delivery_id: delivery.target for delivery in view.deliveries}
    for event in view.events:
        at = moment(datetime.fromisoformat(event["at"]))
        told = spoken(sentence(event, targets.get(event["deliveryId"], "")), lang)
        seal = _seal_of(event["number"], proof)
        held = Text(f"Siegel {seal}" if seal else "noch ohne Siegel", f"seal {seal}" if seal else "not sealed yet")
        line = f"{event['number']:4}  {at}  {told}  [{event['actor']}; {spoken(held, lang)}]"
        out.print(line, markup=False, highlight=False, soft_wrap=True)
    for seal in proof["seals"]:
        at = moment(_sealed_at(proof, seal["number"]))
        text = Text(
            f"Siegel {seal['number']} vom {at}, Schlüssel {seal['keyId']}",
            f"seal {seal['number']} of {at}, key {seal['keyId']}",
        )
        out.print(spoken(text, lang), markup=False, highlight=False)
    for fault in faults:
        out.print(f"✗ {spoken(fault.text, lang)}  [{fault.code}]", markup=False, highlight=False)
    if not faults:
        unchanged = Text("Vollständig und unverändert.", "Complete and unchanged.")
        out.print(spoken(unchanged, lang), markup=False, highlight=False)


# -------------------------------------------------------------------------------------------------------------- day


def _day_document(record: DayClose) -> dict[str, Any]:
    return {
        **record.told(),
        "statement": record.statement,
        "keyId": record.key_id,
        "signature": record.signature.hex(),
    }


def _print_day(records: Sequence[DayClose], lang: Language) -> None:
    heads = [("created", Text("erstellt", "created"))]
    heads += [(state, STATES[state]) for state in ("delivered", "skipped", "discarded", "returned")]
    rows = []
    for record in records:
        told = record.told()
        counts = {**told["states"], "created": told["created"]}
        seals = f"{told['firstSeal']}–{told['lastSeal']}" if told["firstSeal"] else ""
        rows.append((record.service, *(counts[key] for key, _ in heads), told["open"], record.difference, seals))
    last = (Text("offen", "open"), Text("Differenz", "difference"), Text("Siegel", "seals"))
    names = [spoken(text, lang) for _, text in heads] + [spoken(text, lang) for text in last]
    title = Text(f"Tagesabschluss {records[0].day}", f"Close of {records[0].day}")
    table(spoken(title, lang), (spoken(Text("Leistung", "service"), lang), *names), rows)
    for record in (record for record in records if record.difference):
        off = ", ".join(f"{name} {number:+d}" for name, number in record.told()["differences"].items())
        say(f"{record.service}: what is there and what the events say differ: {off}. gateway audit verify says where.")

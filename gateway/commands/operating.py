"""Commands of operators: dead …, case show. Every change needs a reason and is recorded with who made it."""

from __future__ import annotations

import contextlib
import getpass
import uuid
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.output import Config, Exit, Json, Yes, emit, out, say, settings_for, table
from gateway.errors import GatewayError, NotFound
from gateway.store import DeadLetter, KeyRing, Store, SubmissionView
from gateway.submission import SubmissionState
from gateway.wiring import load_packages, utc_now

dead = typer.Typer(no_args_is_help=True, help="Dead letters (Klärfälle): look, mend, send again.")
case = typer.Typer(no_args_is_help=True, help="Single submissions.")

Which = Annotated[list[str] | None, typer.Argument(help="Delivery ids, or submission ids of those to be clarified.")]
Target = Annotated[str | None, typer.Option(help="Only this target.")]
Service = Annotated[str | None, typer.Option(help="Only this service.")]
Failure = Annotated[
    str | None, typer.Option(help="Only this class (unavailable, rejected_by_target, unknown_outcome, mapping …).")
]
Reason = Annotated[str, typer.Option(help="Why; recorded.")]


@dead.command("list")
def list_dead(
    config: Config = None,
    target: Target = None,
    service: Service = None,
    failure: Failure = None,
    state: Annotated[str, typer.Option(help="open, redriven, resolved, discarded or all.")] = "open",
    limit: Annotated[int, typer.Option(help="At most so many.")] = 100,
    as_json: Json = False,
) -> None:
    """Dead letters, the newest first, with cause and remedy."""
    with _store(config) as store:
        letters = store.dead_letters(**_filters(target, service, failure, state), limit=limit)
    if as_json:
        emit([asdict(letter) for letter in letters])
        return
    table(
        "Dead letters",
        ("delivery", "service", "target", "class", "cause", "attempts", "died", "state"),
        [
            (
                d.delivery_id or d.submission_id,
                d.service,
                d.target or "",
                d.failure,
                d.code,
                d.attempts,
                _time(d.died_at),
                d.state,
            )
            for d in letters
        ],
    )
    if letters:
        say("Look at one: gateway dead show DELIVERY. Send again: gateway dead redrive DELIVERY --reason …")


@dead.command("show")
def show_dead(
    delivery: Annotated[str, typer.Argument(help="Delivery id.")], config: Config = None, as_json: Json = False
) -> None:
    """One dead letter: what, why, every attempt, and what it takes to mend it. No content."""
    with _store(config) as store:
        letter = _one(store, delivery)
        view = store.view(letter.submission_id, events=True) if letter.submission_id else None
    document = {**asdict(letter), "submission": asdict(view) if view else None}
    if as_json:
        emit(document)
        return
    for label, value in (
        ("Cause", f"{letter.text.en} [{letter.failure}: {letter.code}]"),
        ("To do", letter.remedy.en),
        ("Place", letter.place),
        ("Service → target", f"{letter.service} → {letter.target}"),
        ("Received at", _time(letter.received_at)),
        ("Died at", f"{_time(letter.died_at)} after {letter.attempts} attempts ({letter.source})"),
        ("Submission", letter.submission_id),
        ("State", letter.state),
    ):
        out.print(f"{label + ':':18}{value or '–'}", markup=False, highlight=False)
    if view:
        _print_events(view)


@dead.command("redrive")
def redrive(
    deliveries: Which = None,
    config: Config = None,
    target: Target = None,
    service: Service = None,
    failure: Failure = None,
    reason: Reason = "",
    may_repeat: Annotated[
        bool, typer.Option(help="Also those whose outcome is unknown: the target may have them already.")
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send dead letters on their way again; let submissions on that were to be clarified. Does it only with --yes."""
    with _store(config) as store:
        letters = _chosen(store, deliveries, target, service, failure)
        unknown = [d for d in letters if d.failure == "unknown_outcome"]
        if unknown and not may_repeat:
            raise GatewayError(
                f"{len(unknown)} of {len(letters)} may have arrived already (outcome unknown). Ask the department; "
                "then redrive with --may-repeat (the request is marked as a possible repeat), or leave them out"
            )
        count = _redrive(store, letters, _targets(config), reason, may_repeat) if yes else 0
    _report("redriven", letters, count, yes, as_json)


@dead.command("discard")
def discard(
    deliveries: Which = None,
    config: Config = None,
    target: Target = None,
    service: Service = None,
    failure: Failure = None,
    reason: Reason = "",
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Give dead letters up, with a reason. They can be restored until their time is over."""
    with _store(config) as store:
        letters = _chosen(store, deliveries, target, service, failure)
        count = _discard(store, letters, reason) if yes else 0
    _report("discarded", letters, count, yes, as_json)


@dead.command("restore")
def restore(
    deliveries: Annotated[list[str], typer.Argument(help="Delivery ids that were discarded.")],
    config: Config = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Undo a discard: the dead letter is open again."""
    _require(reason)
    with _store(config) as store:
        count = len(store.restore(deliveries, actor=_actor(), reason=reason).result())
    emit({"restored": count}) if as_json else say(f"{count} restored.")


@case.command("show")
def show_case(
    what: Annotated[str, typer.Argument(help="Submission id, case id, delivery id or a department's reference.")],
    config: Config = None,
    as_json: Json = False,
) -> None:
    """What became of an application: where it is, what happened when. No content."""
    with _store(config) as store:
        found = store.search(what)
        if not found:
            raise NotFound(f"nothing is known under {what!r}")
        views = [store.view(submission_id, events=True) for submission_id in found]
    if as_json:
        emit([asdict(view) for view in views])
        return
    for view in views:
        out.print(f"{view.submission_id}  {view.service}  {view.state}", markup=False, highlight=False, style="bold")
        out.print(
            f"received at {_time(view.received_at)} by {view.channel} from {view.client}; case {view.case_id}",
            markup=False,
            highlight=False,
        )
        table(
            "",
            ("delivery", "target", "state", "attempts", "references", "cause"),
            [
                (
                    d.delivery_id,
                    d.target,
                    d.state,
                    d.attempts,
                    ", ".join(f"{k} {v}" for k, v in d.references.items()),
                    d.code,
                )
                for d in view.deliveries
            ],
        )
        _print_events(view)


# ------------------------------------------------------------------------------------------------------------ helpers


@contextlib.contextmanager
def _store(config: Path | None) -> Iterator[Store]:
    settings = settings_for(config)
    if not settings.database_url and not (settings.home / "gateway.db").exists():
        raise GatewayError(
            f"there is no installation in {settings.home}: set GATEWAY_HOME (or GATEWAY_DATABASE_URL), "
            "or start one with `gateway run`"
        )
    keys = KeyRing.load(settings.home / "keys", create=False)
    store = Store.open(settings.effective_database_url, keys=keys, clock=utc_now, announces=settings.announces)
    try:
        yield store
    finally:
        store.close()


def _filters(target: str | None, service: str | None, failure: str | None, state: str) -> dict[str, Any]:
    chosen = {"target": target, "service": service, "failure": failure, "state": None if state == "all" else state}
    return {key: value for key, value in chosen.items() if value}


def _redrive(
    store: Store, letters: list[DeadLetter], targets: Mapping[str, Sequence[str]], reason: str, may_repeat: bool
) -> int:
    _require(reason)
    ids = [d.delivery_id for d in letters if d.delivery_id]
    count = 0
    if ids:
        count = len(store.redrive(ids, actor=_actor(), reason=reason, confirm_repeat=may_repeat).result())
    for letter in letters:
        if not letter.delivery_id and letter.submission_id and letter.service:
            store.release(letter.submission_id, targets[letter.service], actor=_actor(), reason=reason).result()
            count += 1
    return count


def _discard(store: Store, letters: list[DeadLetter], reason: str) -> int:
    _require(reason)
    ids = [d.delivery_id for d in letters if d.delivery_id]
    count = len(store.discard(ids, actor=_actor(), reason=reason).result()) if ids else 0
    for letter in letters:
        if not letter.delivery_id and letter.submission_id:
            end = SubmissionState.DISCARDED
            store.end_clarification(letter.submission_id, end, actor=_actor(), reason=reason).result()
            count += 1
    return count


def _targets(config: Path | None) -> Mapping[str, Sequence[str]]:
    _, packages = load_packages(settings_for(config))
    return {name: service.targets for name, service in packages.services.items()}


def _one(store: Store, which: str) -> DeadLetter:
    """The latest dead letter of a delivery, or of a submission that is to be clarified."""
    _require_id(which)
    letters = store.dead_letters(limit=1, delivery_id=which) or store.dead_letters(limit=1, submission_id=which)
    if not letters:
        raise NotFound(f"there is no dead letter for {which!r}; see `gateway dead list`")
    return letters[0]


def _chosen(
    store: Store, deliveries: list[str] | None, target: str | None, service: str | None, failure: str | None
) -> list[DeadLetter]:
    if not deliveries and not (target or service or failure):
        raise GatewayError("name delivery ids, or a filter: --target, --service, --failure")
    if deliveries:
        return [letter for text in deliveries for letter in [_one(store, text)] if letter.state == "open"]
    return store.dead_letters(**_filters(target, service, failure, "open"), limit=10_000)


def _require_id(text: str) -> None:
    try:
        uuid.UUID(text)
    except ValueError:
        raise GatewayError(f"{text!r} is not a delivery id; see `gateway dead list`") from None


def _require(reason: str) -> None:
    if not reason.strip():
        raise GatewayError("say why with --reason: it stands in the record of every application concerned")


def _actor() -> str:
    return f"cli:{getpass.getuser()}"


def _report(done: str, letters: list[DeadLetter], count: int, yes: bool, as_json: bool) -> None:
    if as_json:
        emit({done: count, "selected": len(letters), "dryRun": not yes})
    elif yes:
        say(f"{count} of {len(letters)} {done}.")
    else:
        for letter in letters[:20]:
            what, to = letter.delivery_id or letter.submission_id, letter.target or "(to be clarified)"
            out.print(f"{what}  {letter.service} → {to}  {letter.code}", markup=False, highlight=False)
        say(f"{len(letters)} would be {done}. Nothing was changed; add --yes to do it.")
    raise typer.Exit(Exit.YES if letters else Exit.NO)


def _print_events(view: SubmissionView) -> None:
    targets = {d.delivery_id: d.target for d in view.deliveries}
    for event in view.events:
        change = f"{event['old'] or ''} → {event['new']}" if event["new"] else ""
        target, why = (
            targets.get(event["deliveryId"], ""),
            event["details"].get("code") or event["details"].get("reason"),
        )
        line = f"{event['number']:4}  {event['at'][:23]}  {event['kind']:20} {target:20} {change:24} {why or ''}"
        out.print(f"{line.rstrip()}  [{event['actor']}]", markup=False, highlight=False)


def _time(moment: Any) -> str:
    return moment.astimezone().strftime("%Y-%m-%d %H:%M:%S %Z") if moment else ""

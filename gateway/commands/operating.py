"""Commands of operators for what stopped: dead … Every change needs a reason and is recorded with who made it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.commands.choices import choices
from gateway.commands.documents import address, letter_document
from gateway.commands.letters import events_of, print_choices, print_letter, print_letters, show_document
from gateway.commands.opening import look
from gateway.commands.operators import (
    Lang,
    Limit,
    Reason,
    Service,
    Target,
    actor,
    cut,
    language,
    open_store,
    require_id,
    require_known,
    require_one_of,
    require_reason,
)
from gateway.commands.output import Config, Exit, Json, Yes, emit, out, program, say, settings_for
from gateway.delivery.words import CLASSES
from gateway.errors import GatewayError, NotFound
from gateway.store import DeadLetter, Store
from gateway.submission import SubmissionState

dead = typer.Typer(no_args_is_help=True, help="Dead letters (Klärfälle): look, mend, send again.")

STATES = ("open", "redriven", "resolved", "discarded")
BULK = 10_000
"""Most dead letters that one command takes by a filter."""

Which = Annotated[list[str] | None, typer.Argument(help="Delivery ids, or submission ids of those to be clarified.")]
Failure = Annotated[str | None, typer.Option(help=f"Only this class: {', '.join(sorted(CLASSES))}.")]


@dead.command("list")
def list_dead(
    config: Config = None,
    target: Target = None,
    service: Service = None,
    failure: Failure = None,
    state: Annotated[str, typer.Option(help=f"{', '.join(STATES)} or all.")] = "open",
    limit: Limit = 100,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """Dead letters, the newest first, with cause and remedy."""
    require_one_of("--state", state, (*STATES, "all"))
    require_one_of("--failure", failure, CLASSES)
    settings = settings_for(config)
    with open_store(settings) as store:
        require_known(store, settings, target=target, service=service)
        wanted = None if state == "all" else state
        letters = store.dead_letters(target=target, service=service, failure=failure, state=wanted, limit=limit + 1)
    letters = cut(letters, limit)
    if as_json:
        emit([letter_document(letter) for letter in letters])
        return
    print_letters(letters, language(lang), with_state=state == "all")
    if letters:
        say(f"Look at one: {program()} dead show DELIVERY")
        say(f"Send again: {program()} dead redrive DELIVERY --reason … --yes")


@dead.command("show")
def show_dead(
    delivery: Annotated[str, typer.Argument(help="Delivery id, or submission id of one to be clarified.")],
    answer: Annotated[
        bool, typer.Option("--answer", help="Also what the target said. It may quote the application: needs --reason.")
    ] = False,
    reason: Reason = "",
    config: Config = None,
    lang: Lang = None,
    as_json: Json = False,
) -> None:
    """One dead letter: what, why, every attempt, and what it takes to mend it. No content, unless asked for."""
    settings = settings_for(config)
    if answer:
        require_reason(reason)
    with open_store(settings) as store:
        letter = letter_of(store, delivery)
        view = store.view(letter.submission_id, events=True) if letter.submission_id else None
        attempts = store.attempts(letter.delivery_id) if letter.delivery_id else []
        answers = _answers(store, letter, reason) if answer else None
    _, packages = look(settings)
    target = packages.targets.get(letter.target or "")
    where = address(target) if target else None
    events = events_of(letter, view)
    service = packages.services.get(letter.service or "")
    open_ways = choices(letter, service.contact if service else None)
    if as_json:
        told = show_document(letter, where, attempts, events, view, open_ways)
        emit(told if answers is None else {**told, "answers": answers})
    else:
        print_letter(letter, where, attempts, events, language(lang))
        print_choices(open_ways, language(lang))
        for one in answers or ():
            out.print(f"--- {one['attempt']}", style="bold", markup=False)
            out.print(one["text"], markup=False, highlight=False)
        if answers == []:
            say("The target said nothing that was kept.")


def _answers(store: Store, letter: DeadLetter, reason: str) -> list[dict[str, str]]:
    """What the target said; who looked and why goes into the record first."""
    if not letter.submission_id or not letter.delivery_id:
        return []
    store.record_access(letter.submission_id, actor=actor(), what="answer", reason=reason).result()
    told = store.answers(letter.submission_id, letter.delivery_id)
    return [{"attempt": name.partition(f":{letter.delivery_id}")[0], "text": text} for name, text in told]


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
    let_pass: Annotated[
        bool,
        typer.Option(help="Let pass without the trust level, payment or earlier submission that it lacks; recorded."),
    ] = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Send dead letters on their way again; let submissions on that were to be clarified. Does it only with --yes."""
    with open_store(settings_for(config)) as store:
        letters = _chosen(store, config, deliveries, target, service, failure)
        unknown = [d for d in letters if d.state == "open" and d.failure == "unknown_outcome"]
        if unknown and not may_repeat:
            raise GatewayError(
                f"{len(unknown)} of {len(letters)} may have arrived already (outcome unknown)",
                code="outcome_unknown",
                remedy="Ask the department; then redrive with --may-repeat (the request is marked as a possible "
                "repeat), or leave them out.",
            )
        done = _redrive(store, config, _open(letters), reason, may_repeat, let_pass) if yes else set()
    _report("redriven", letters, done, yes, as_json)


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
    with open_store(settings_for(config)) as store:
        letters = _chosen(store, config, deliveries, target, service, failure)
        done = _discard(store, _open(letters), reason) if yes else set()
    _report("discarded", letters, done, yes, as_json)


@dead.command("restore")
def restore(
    deliveries: Annotated[list[str], typer.Argument(help="Delivery ids that were discarded.")],
    config: Config = None,
    reason: Reason = "",
    as_json: Json = False,
) -> None:
    """Undo a discard: the dead letter is open again."""
    require_reason(reason)
    with open_store(settings_for(config)) as store:
        letters = _named(store, deliveries)
        ids = [d.delivery_id for d in letters if d.delivery_id and d.state == "discarded"]
        done = set(store.restore(ids, actor=actor(), reason=reason).result()) if ids else set()
    _report("restored", letters, done, True, as_json, wanted="discarded")


# --------------------------------------------------------------------------------------------------------- choosing


def _one(store: Store, which: str) -> DeadLetter | None:
    """The latest dead letter of a delivery, or of a submission that is to be clarified."""
    require_id(which)
    letters = store.dead_letters(limit=1, delivery_id=which) or store.dead_letters(limit=1, submission_id=which)
    return letters[0] if letters else None


def letter_of(store: Store, which: str) -> DeadLetter:
    """The latest dead letter of an id. Raises NotFound."""
    letter = _one(store, which)
    if letter is None:
        raise NotFound(f"there is no dead letter for {which}", remedy=f"See: {program()} dead list")
    return letter


def _named(store: Store, ids: Iterable[str]) -> list[DeadLetter]:
    """The dead letters of these ids, each once. Raises GatewayError that names every id without one."""
    found = {which: _one(store, which) for which in ids}
    if missing := [which for which, letter in found.items() if letter is None]:
        raise GatewayError(
            f"there is no dead letter for {', '.join(missing)}; nothing was changed",
            code="unknown_id",
            remedy=f"See: {program()} dead list --state all",
        )
    return list({letter.dead_id: letter for letter in found.values() if letter}.values())


def _chosen(
    store: Store,
    config: Path | None,
    deliveries: list[str] | None,
    target: str | None,
    service: str | None,
    failure: str | None,
) -> list[DeadLetter]:
    require_one_of("--failure", failure, CLASSES)
    require_known(store, settings_for(config), target=target, service=service)
    if deliveries and (target or service or failure):
        raise GatewayError("name delivery ids or a filter, not both", code="usage")
    if deliveries:
        return _named(store, deliveries)
    if not (target or service or failure):
        raise GatewayError("name delivery ids, or a filter: --target, --service, --failure", code="usage")
    return store.dead_letters(target=target, service=service, failure=failure, state="open", limit=BULK)


def _open(letters: Iterable[DeadLetter]) -> list[DeadLetter]:
    return [letter for letter in letters if letter.state == "open"]


# ---------------------------------------------------------------------------------------------------------- changing


def _redrive(
    store: Store, config: Path | None, letters: list[DeadLetter], reason: str, may_repeat: bool, let_pass: bool
) -> set[str]:
    """Delivery or submission ids of what moved."""
    require_reason(reason)
    ids = [d.delivery_id for d in letters if d.delivery_id]
    moved: list[str] = []
    if ids:
        redriven = store.redrive(ids, actor=actor(), reason=reason, confirm_repeat=may_repeat, waive=let_pass)
        moved = redriven.result()
    clarified = [d for d in letters if not d.delivery_id and d.submission_id]
    targets = _targets(config) if clarified else {}
    for letter in clarified:
        wanted = targets.get(letter.service or "")
        if not wanted:
            raise GatewayError(f"the service {letter.service} is not configured any more", code="service_unknown")
        store.release(letter.submission_id or "", wanted, actor=actor(), reason=reason).result()
    return {*moved, *(d.submission_id for d in clarified if d.submission_id)}


def _discard(store: Store, letters: list[DeadLetter], reason: str) -> set[str]:
    """Delivery or submission ids of what moved."""
    require_reason(reason)
    ids = [d.delivery_id for d in letters if d.delivery_id]
    moved = store.discard(ids, actor=actor(), reason=reason).result() if ids else []
    clarified = [d.submission_id for d in letters if not d.delivery_id and d.submission_id]
    for submission in clarified:
        store.end_clarification(submission, SubmissionState.DISCARDED, actor=actor(), reason=reason).result()
    return {*moved, *clarified}


def _targets(config: Path | None) -> Mapping[str, Sequence[str]]:
    _, packages = look(settings_for(config))
    return {name: service.targets for name, service in packages.services.items()}


def _report(
    done: str, letters: list[DeadLetter], moved: set[str], yes: bool, as_json: bool, *, wanted: str = "open"
) -> None:
    """Tell what became, or would become, of each. Exit 1 when there was nothing, or some were left out."""
    results = [_result(done, letter, moved, yes, wanted) for letter in letters]
    left_out = [r for r in results if r["result"] == "skipped"]
    count = sum(r["result"] == done for r in results)
    if as_json:
        emit({done: count, "selected": len(letters) - len(left_out), "dryRun": not yes, "results": results})
    else:
        for result in results if not yes else left_out:
            to, why = result["target"] or "(to be clarified)", result["why"] or result["code"]
            line = f"{result['deliveryId'] or result['submissionId']}  {result['service']} → {to}  {why}"
            out.print(line, markup=False, highlight=False)
        told = f"{count} of {len(letters)} {done}."
        say(
            told if yes else f"{len(letters) - len(left_out)} would be {done}. Nothing was changed; add --yes to do it."
        )
    raise typer.Exit(Exit.NO if left_out or not letters else Exit.YES)


def _result(done: str, letter: DeadLetter, moved: set[str], yes: bool, wanted: str) -> dict[str, Any]:
    identity = letter.delivery_id or letter.submission_id
    why = None
    if letter.state != wanted:
        why = f"the dead letter is {letter.state}, not {wanted}"
    elif identity is None:
        why = "a message that belongs to no submission of ours"
    elif yes and identity not in moved:
        why = "somebody else was first"
    return {
        "deliveryId": letter.delivery_id,
        "submissionId": letter.submission_id,
        "service": letter.service,
        "target": letter.target,
        "code": letter.code,
        "result": "skipped" if why else done if yes else "selected",
        "why": why,
    }

"""How a dead letter is shown: as a line, whole, as JSON. Cause and remedy in the reader's language; no content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from gateway.commands.choices import Choice
from gateway.commands.documents import attempt_document, explanation, letter_document, submission_document
from gateway.commands.operators import Language, minute, moment, spoken
from gateway.commands.output import out, table
from gateway.delivery.words import STATES
from gateway.store import Attempt, DeadLetter, SubmissionView
from xoev_schemas.findings import Text


def events_of(letter: DeadLetter, view: SubmissionView | None) -> list[Mapping[str, Any]]:
    """What happened to this delivery; of a submission that is to be clarified, to the submission."""
    return [event for event in view.events if event["deliveryId"] == letter.delivery_id] if view else []


def show_document(
    letter: DeadLetter,
    where: str | None,
    attempts: Sequence[Attempt],
    events: Sequence[Mapping[str, Any]],
    view: SubmissionView | None,
    choices: Sequence[Choice],
) -> dict[str, Any]:
    """All that is known of a dead letter. where: the target's address. choices: what a person may do now."""
    submission = submission_document(view) if view else None
    if submission:
        del submission["events"]  # only this delivery's are of interest
    return {
        **letter_document(letter),
        "explanation": {name: text.as_dict() for name, text in explanation(letter).items()},
        "address": where,
        "attemptLog": [attempt_document(attempt) for attempt in attempts],
        "events": list(events),
        "choices": [choice.as_dict() for choice in choices],
        "submission": submission,
    }


_COLUMNS = (
    Text("Zustellung", "delivery"),
    Text("Leistung", "service"),
    Text("Ziel", "target"),
    Text("Klasse", "class"),
    Text("Code", "code"),
    Text("Versuche", "attempts"),
    Text("seit", "died"),
    Text("zu tun", "to do"),
)


def print_letters(letters: Sequence[DeadLetter], lang: Language, *, with_state: bool) -> None:
    """A line per dead letter, with what to do."""
    columns = [spoken(text, lang) for text in _COLUMNS] + ([spoken(Text("Stand", "state"), lang)] if with_state else [])
    rows = [
        (
            d.delivery_id or d.submission_id or d.dead_id,
            d.service,
            d.target,
            d.failure,
            d.code,
            d.attempts,
            minute(d.died_at),
            _short(spoken(d.remedy, lang)),
            *([spoken(STATES[d.state], lang)] if with_state else []),
        )
        for d in letters
    ]
    table(spoken(Text("Klärfälle", "Dead letters"), lang), columns, rows)


def _short(text: str) -> str:
    """The first sentence, or what stands before its semicolon."""
    return text.partition(". ")[0].partition(";")[0].rstrip(".") + "."


def print_letter(
    letter: DeadLetter,
    where: str | None,
    attempts: Sequence[Attempt],
    events: Sequence[Mapping[str, Any]],
    lang: Language,
) -> None:
    """All that is known of a dead letter, for people."""
    words = {name: spoken(text, lang) for name, text in explanation(letter).items()}
    told: list[tuple[Text, str | None]] = [
        (Text("Ursache", "Cause"), spoken(letter.text, lang)),
        (Text("Klasse", "Class"), _named_and_told(letter.failure, words.get("class"))),
        (Text("Letzter Fehler", "Last failure"), _named_and_told(letter.cause, words.get("cause"))),
        (Text("Code", "Code"), _named_and_told(letter.code, words.get("code"))),
        (Text("Zu tun", "To do"), spoken(letter.remedy, lang)),
        (Text("Stelle", "Place"), letter.place),
        (Text("Leistung", "Service"), letter.service),
        (Text("Ziel", "Target"), f"{letter.target} ({where})" if where else letter.target),
        (Text("Eingegangen", "Received at"), moment(letter.received_at)),
        (Text("Klärfall seit", "Died at"), moment(letter.died_at)),
        (Text("Versuche", "Attempts"), str(letter.attempts)),
        (Text("Zustellung", "Delivery"), letter.delivery_id),
        (Text("Eingang", "Submission"), letter.submission_id),
        (Text("Stand", "State"), spoken(STATES[letter.state], lang)),
    ]
    for name, value in told:
        if value:
            out.print(f"{spoken(name, lang) + ':':16}{value}", markup=False, highlight=False)
    for attempt in attempts:
        outcome = spoken(STATES[attempt.outcome], lang) if attempt.outcome else ""
        result = " ".join(filter(None, (outcome, attempt.failure, attempt.code)))
        label = spoken(Text("Versuch", "attempt"), lang)
        out.print(f"  {label} {attempt.number}: {moment(attempt.started_at)}  {result}", markup=False, highlight=False)
    print_events(events, {letter.delivery_id: letter.target or ""})


def print_choices(choices: Sequence[Choice], lang: Language) -> None:
    """Numbered, each with its command."""
    if choices:
        heading = Text("Sie haben die Wahl:", "It is for you to choose:")
        out.print(spoken(heading, lang), markup=False, highlight=False)
    for number, choice in enumerate(choices, 1):
        out.print(f"  {number}. {spoken(choice.text, lang)}", markup=False, highlight=False)
        if choice.command:
            out.print(f"     {choice.command}", markup=False, highlight=False, soft_wrap=True)


def _named_and_told(name: str | None, words: str | None) -> str | None:
    return f"{name}: {words}" if name and words else name


def print_events(events: Iterable[Mapping[str, Any]], targets: Mapping[str | None, str]) -> None:
    """A line per event. targets: delivery id → target."""
    for event in events:
        change = f"{event['old'] or ''} → {event['new']}" if event["new"] else ""
        target, details = targets.get(event["deliveryId"], ""), event["details"]
        why = details.get("code") or details.get("reason") or details.get("why") or ""
        line = f"{event['number']:4}  {event['at'][:23]}  {event['kind']:20} {target:20} {change:24} {why}"
        out.print(f"{line.rstrip()}  [{event['actor']}]", markup=False, highlight=False)

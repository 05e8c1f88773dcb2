"""The words of the tables of `gateway check`, for the terminal and the page alike."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from gateway.mapping.making import Joins
from gateway.packages.disclosure import Recipient, Unread
from gateway.packages.origins import Origin
from gateway.packages.tracing import RequestField, RequestTable
from xoev_schemas.findings import Text

FIELD = Text("Feld der Anfrage", "Field of the request")
SOURCE = Text("Woher", "Where from")
WAY = Text("Auf dem Weg", "On the way")
CASE_FIELD = Text("Feld im Fall", "Field of the case")
MESSAGE_FIELDS = Text("Aus der Nachricht", "From the message")
ATTACHMENTS = Text("Anlagen", "Attachments")
NOT_FILLED = Text("nicht gefüllt", "not filled")
NOBODY = Text("niemand", "nobody")
GETS = Text("erhält es", "gets it")
NO_ATTACHMENTS = Text("Diese Leistung nimmt keine Anlagen an.", "This service takes no attachments.")
NOTHING_UNREAD = Text("Jedes Feld der Nachricht erhält jemand.", "Somebody gets every field of the message.")
NO_REQUIRED = Text("Kein Feld ist Pflicht.", "No field is required.")
UNDESCRIBED = Text(
    "Das Ziel hat keine Beschreibung, die Pflichtfelder nennt: Gezeigt ist, was die Anfrage enthält.",
    "The target has no description that names required fields: shown is what the request holds.",
)
UNREAD = Text("Was niemand erhält", "What nobody gets")
SHARES: Mapping[str, Text] = {
    "content": Text("Inhalt", "content"),
    "about": Text("nur Angaben dazu", "only what it is"),
}
_JOINS: Mapping[Joins, Text] = {
    "": Text("", ""),
    "else": Text("oder", "or"),
    "and": Text("und", "and"),
    "also": Text("außerdem", "also"),
}
_KINDS: Mapping[str, Text] = {
    "new": Text("neu", "new"),
    "supplement": Text("Nachreichung", "supplement"),
    "change": Text("Änderung", "change"),
    "withdraw": Text("Rücknahme", "withdrawal"),
}


def title(table: RequestTable) -> Text:
    """Service, target, schema, kinds of submissions."""
    kinds = [_KINDS[kind] for kind in table.kinds]
    of = f"{table.service} → {table.target} · {table.schema}"
    return Text(f"{of} · {', '.join(k.de for k in kinds)}", f"{of} · {', '.join(k.en for k in kinds)}")


def only_if(conditions: Sequence[Text]) -> Text:
    """conditions: at least one."""
    de, en = " und ".join(one.de for one in conditions), " and ".join(one.en for one in conditions)
    return Text(f"Bedingung: {de}", f"only if {en}")


def joined_with(origin: Origin) -> Text:
    """How it stands to the origin before it; empty for the first."""
    return _JOINS[origin.joins]


def called(origin: Origin) -> Text:
    """Where it comes from, in the words of people."""
    if origin.source is not None:
        name = origin.source.label
        content = origin.kind == "attachment"
        return Text(f"Inhalt der Anlage: {name}", f"content of the attachment: {name}") if content else Text(name, name)
    match origin.kind:
        case "constant":
            return Text(f"fest: „{origin.value}“", f"fixed: '{origin.value}'")
        case "default":
            return Text(f"Vorgabe: „{origin.value}“", f"default: '{origin.value}'")
        case "attachment":
            return origin.title
        case _:
            return Text(f"Gateway: {origin.title.de}", f"gateway: {origin.title.en}")


def place(origin: Origin) -> str:
    """Exactly where in the message, unless it is called so, and how often; empty where it is not from there."""
    source = origin.source
    if source is None:
        return ""
    return f"{source.path}  {source.times}" if source.named.name else source.times


def way(origin: Origin) -> Iterator[Text]:
    """The place in the case, what becomes of the value, what has to hold; line by line."""
    if origin.case:
        yield Text(origin.case, origin.case)
    yield from origin.steps
    if origin.conditions:
        yield only_if(origin.conditions)


def absence(field: RequestField) -> Text | None:
    """Whether there may be nothing; None: there is always something."""
    if not field.origins or field.outcome == "sure":
        return None
    if field.outcome == "stops":
        return Text("ohne Wert gibt es keine Anfrage, sondern einen Befund", "without a value: a finding, no request")
    return Text("kann fehlen", "may be absent")


def duty(field: RequestField) -> Text:
    """Whether it has to be there."""
    if not field.required:
        return Text("freiwillig", "optional")
    if field.within:
        group = field.within.rpartition(".")[2]
        return Text(f"Pflicht mit {group}", f"required with {group}")
    return Text("Pflicht", "required")


def unread_note(unread: Unread) -> Text:
    if unread.decides:
        return Text("entscheidet, wer was erhält", "decides who gets what")
    if unread.in_case:
        return Text("steht im Fall, wird nicht weitergegeben", "in the case, not handed on")
    return Text("wird nicht übernommen", "not taken over")


def recipient_note(recipient: Recipient) -> Text | None:
    """What is special about a target; None: nothing."""
    if recipient.whole:
        return Text("ruft den ganzen Fall ab", "fetches the whole case")
    return only_if([recipient.when]) if recipient.when is not None else None

"""Rules and conditions of a mapping in words, for people who do not read its language."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from gateway.mapping.conditions import Bound, Condition, Every, Matches, Not, OneOf, Present, SameAs, Some
from gateway.mapping.language import Concat, Read
from gateway.mapping.nodes import scalar_text
from gateway.mapping.paths import Path
from gateway.mapping.shaping import Shaping
from gateway.mapping.values import Json
from xoev_schemas.findings import Text

_MOST_CODES = 4

YES_OR_NO = Text("als ja oder nein", "as yes or no")
_KINDS: Mapping[str, Text] = {
    "integer": Text("als ganze Zahl", "as a whole number"),
    "decimal": Text("als Zahl", "as a number"),
    "boolean": YES_OR_NO,
    "date": Text("als Datum", "as a date"),
    "datetime": Text("als Zeitpunkt", "as a moment"),
    "money": Text("als Geldbetrag", "as an amount of money"),
    "cents": Text("in Cent", "in cents"),
    "german-date": Text("als Datum TT.MM.JJJJ", "as a date DD.MM.YYYY"),
    "german-decimal": Text("als Zahl mit Komma", "as a number with a comma"),
    "partial-date": Text("als Datum, das teilweise bekannt sein kann", "as a date that may be known in part"),
    "xoev-date": Text("als Datum in der Form von XÖV", "as a date in the form of XÖV"),
}


def steps_of(rule: Read, value: str | None = None) -> Iterator[Text]:
    """What becomes of the value that was found, in order; nothing if it is taken as it is. value: where it is known."""
    if rule.function is not None:
        yield Text(f"Funktion „{rule.function.name}“", f"function '{rule.function.name}'")
    elif rule.codes is not None:
        yield _codes(rule, rule.codes if value is None else {value: rule.codes.get(value, rule.otherwise)})
    elif rule.kind in _KINDS:
        kind = _KINDS[rule.kind]
        places = rule.decimals
        yield kind if places is None else Text(f"{kind.de}, {places} Nachkommastellen", f"{kind.en}, {places} decimals")
    yield from shaped(rule.shaping)


def joined_by(rule: Concat) -> Iterator[Text]:
    separator = Text(f"verbunden mit „{rule.separator}“", f"joined by '{rule.separator}'")
    yield separator if rule.separator else Text("aneinandergehängt", "joined")
    yield from shaped(rule.shaping)


def shaped(shaping: Shaping | None) -> Iterator[Text]:
    if shaping is None:
        return
    if shaping.rewrite is not None:
        yield Text("in den Zeichen, die das Ziel kennt", "in the characters that the target knows")
    if shaping.upper:
        yield Text("in Großbuchstaben", "in capitals")
    if shaping.pad:
        yield Text(f"mit Nullen auf {shaping.pad} Stellen", f"padded with zeros to {shaping.pad} places")
    if shaping.cut is not None:
        yield Text(f"höchstens {shaping.cut} Zeichen", f"at most {shaping.cut} characters")


def value_text(value: Json) -> str:
    """A constant of a mapping: packages hold no personal data."""
    if isinstance(value, dict):
        return ", ".join(f"{name}: {value_text(one)}" for name, one in value.items())
    return ", ".join(map(value_text, value)) if isinstance(value, list) else scalar_text(value)


def _codes(rule: Read, codes: Mapping[str, Json]) -> Text:
    """codes: those of the rule's table that can come."""
    shown = ", ".join(f"{code} → {value_text(value)}" for code, value in list(codes.items())[:_MOST_CODES])
    more = len(codes) - _MOST_CODES
    de = f"Codeliste „{rule.table}“ ({len(codes)} Codes)" if rule.table else f"Codes: {shown}"
    en = f"code list '{rule.table}' ({len(codes)} codes)" if rule.table else f"codes: {shown}"
    if not rule.table and more > 0:
        de, en = f"{de} und {more} weitere", f"{en} and {more} more"
    if rule.otherwise is not None:
        de, en = f"{de}, sonst {value_text(rule.otherwise)}", f"{en}, else {value_text(rule.otherwise)}"
    return Text(de, en)


Naming = Callable[[Path], str]


def as_written(path: Path) -> str:
    return path.source


def condition_text(condition: Condition, name: Naming = as_written) -> Text:
    """A sentence without its end: `data/reason = moved-in`, `G1 is given and (F2 = 1 or F3 = 1)`. name: what a place is
    called.
    """
    match condition:
        case Not(Present() as part):
            return _present(part, not part.present, name)
        case Not(part):
            inner = condition_text(part, name)
            return Text(f"nicht ({inner.de})", f"not ({inner.en})")
        case Every(parts):
            return _joined(parts, Text(" und ", " and "), name)
        case Some(parts):
            return _joined(parts, Text(" oder ", " or "), name)
        case Present():
            return _present(condition, condition.present, name)
        case OneOf(paths=paths, allowed=allowed) if len(allowed) == 1:
            return _same(f"{_paths(paths, name)} = {scalar_text(allowed[0])}")
        case OneOf(paths=paths, allowed=allowed):
            listed, place = ", ".join(map(scalar_text, allowed)), _paths(paths, name)
            return Text(f"{place} ist eines von {listed}", f"{place} is one of {listed}")
        case SameAs(paths=paths, other=other):
            return _same(f"{_paths(paths, name)} = {_paths(other, name)}")
        case Matches(paths=paths, pattern=pattern):
            place = _paths(paths, name)
            return Text(f"{place} hat die Form {pattern}", f"{place} has the form {pattern}")
        case Bound(paths=paths, least=least, limit=limit):
            said = _paths(limit, name) if isinstance(limit, tuple) else str(limit)
            return _same(f"{_paths(paths, name)} {'≥' if least else '≤'} {said}")


def _present(condition: Present, present: bool, name: Naming) -> Text:
    place = _paths(condition.paths, name)
    return Text(f"{place} ist angegeben", f"{place} is given") if present else Text(f"{place} fehlt", f"no {place}")


def _joined(parts: Iterable[Condition], word: Text, name: Naming) -> Text:
    texts = [(condition_text(part, name), isinstance(part, Every | Some)) for part in parts]
    de = [f"({text.de})" if nested else text.de for text, nested in texts]
    en = [f"({text.en})" if nested else text.en for text, nested in texts]
    return Text(word.de.join(de), word.en.join(en))


def _same(text: str) -> Text:
    return Text(text, text)


def _paths(paths: Iterable[Path], name: Naming) -> str:
    return " | ".join(map(name, paths))

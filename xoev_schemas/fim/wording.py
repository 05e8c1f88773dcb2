"""Fields, groups and what is expected of them, in the words of the people who fill in forms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from xoev_schemas.fim.model import Basis, DataSchema, Field, Group, Position, Trail
from xoev_schemas.findings import Text
from xoev_schemas.words import shorten

_LONGEST_LABEL = 60
_LONGEST_HELP = 240
_MOST_VALUES = 6
_MOST_BASES = 2
_LAW = re.compile(r"§|\bArt(?:\.|ikel)|VwV")


def title(element: Field | Group) -> str:
    """What the form calls it; the editors' shorter name where the form has whole sentences."""
    label = " ".join(element.label.split()).rstrip(" .:")
    return label if 0 < len(label) <= _LONGEST_LABEL else element.name


def named(trail: Trail) -> Text:
    """`„Postleitzahl“, Gruppe „Anschrift“ (F60000000246)`, for the last of the positions."""
    element = trail[-1].element
    above = trail[-2].element if len(trail) > 1 else None
    group_de = f", Gruppe „{title(above)}“" if above else ""
    group_en = f", group “{title(above)}”" if above else ""
    return Text(
        f"„{title(element)}“{group_de} ({element.id})",
        f"“{title(element)}”{group_en} ({element.id})",
    )


def holder(parent: DataSchema | Group) -> Text:
    """Where something stands: `in der Gruppe „Anschrift“ (G60000000086)`."""
    if isinstance(parent, DataSchema):
        return Text("auf der obersten Ebene", "on the top level")
    return Text(f"in der Gruppe „{title(parent)}“ ({parent.id})", f"in the group “{title(parent)}” ({parent.id})")


def number(position: Position) -> Text:
    """How often: `genau 1-mal`, `2- bis 5-mal`, `mindestens 2-mal`."""
    least, most = position.min, position.max
    if most is None:
        return Text(f"mindestens {least}-mal", f"at least {least} times")
    if least == most:
        return Text(f"genau {least}-mal", f"exactly {least} times")
    if least == 0:
        return Text(f"höchstens {most}-mal", f"at most {most} times")
    return Text(f"{least}- bis {most}-mal", f"{least} to {most} times")


def expectation(element: Field | Group) -> Text:
    """What must stand in a field; of a group only that it is one."""
    if isinstance(element, Group):
        return Text("eine Gruppe von Angaben", "a group of fields")
    if element.kind == "label":
        return Text("nichts: ein Hinweistext trägt keinen Wert", "nothing: a note carries no value")
    if element.kind == "select":
        return _selection(element)
    return _typed(element)


def _selection(field: Field) -> Text:
    if field.values:
        shown = [f"{value.code} („{shortened(value.name, 60)}“)" for value in field.values[:_MOST_VALUES]]
        more = len(field.values) - len(shown)
        listed = ", ".join(shown)
        rest_de = f" und {more} weitere" if more else ""
        rest_en = f" and {more} more" if more else ""
        return Text(f"einer der Werte {listed}{rest_de}", f"one of the values {listed}{rest_en}")
    if field.code_list is None:
        return Text("ein Text", "a text")
    version = field.code_list.version
    of_de = f", Version {version}" if version else ""
    of_en = f", version {version}" if version else ""
    return Text(
        f"ein Wert der Codeliste {field.code_list.uri}{of_de}", f"a value of the code list {field.code_list.uri}{of_en}"
    )


_TYPES = {
    "text": Text("ein Text", "a text"),
    "text_latin": Text("ein Text aus Zeichen nach DIN 91379", "a text of characters of DIN 91379"),
    "date": Text("ein Datum der Form JJJJ-MM-TT", "a date like YYYY-MM-DD"),
    "time": Text("eine Uhrzeit der Form hh:mm:ss", "a time like hh:mm:ss"),
    "datetime": Text("ein Zeitpunkt der Form JJJJ-MM-TTThh:mm:ss", "a point in time like YYYY-MM-DDThh:mm:ss"),
    "bool": Text("true (ja) oder false (nein)", "true or false"),
    "num": Text("eine Zahl mit Punkt als Dezimalzeichen", "a number with a point for its fraction"),
    "num_int": Text("eine ganze Zahl", "a whole number"),
    "num_currency": Text("ein Betrag mit Punkt als Dezimalzeichen", "an amount with a point for its fraction"),
    "file": Text("der Verweis auf eine Anlage", "the reference to an attachment"),
    "obj": Text("ein Objekt", "an object"),
}


def _typed(field: Field) -> Text:
    kind, limits = _TYPES[field.type], field.limits
    if limits is None:
        return kind
    bounds = [
        _range(limits.min_length, limits.max_length, Text("Zeichen", "characters")),
        _range(limits.min_value, limits.max_value, Text("", "")),
        Text(f"Muster {shorten(limits.pattern)}", f"pattern {shorten(limits.pattern)}") if limits.pattern else None,
    ]
    stated = [bound for bound in bounds if bound]
    return Text(", ".join([kind.de, *(b.de for b in stated)]), ", ".join([kind.en, *(b.en for b in stated)]))


def _range(least: object, most: object, unit: Text) -> Text | None:
    """`genau 5 Zeichen`, `1 bis 31`; None without bounds."""
    de, en = (f" {word}" if word else "" for word in (unit.de, unit.en))
    if least is None and most is None:
        return None
    if least is None:
        return Text(f"höchstens {most}{de}", f"at most {most}{en}")
    if most is None:
        return Text(f"mindestens {least}{de}", f"at least {least}{en}")
    if least == most:
        return Text(f"genau {least}{de}", f"exactly {least}{en}")
    return Text(f"{least} bis {most}{de}", f"{least} to {most}{en}")


def background(position: Position) -> Text:
    """The help text, shortened, and the legal basis, in sentences to put behind a remedy; empty where there is none."""
    sentences = []
    if help_text := shortened(position.element.help):
        end = "" if help_text.endswith((".", "!", "?", "…")) else "."
        sentences.append(Text(f"Hilfetext: „{help_text}{end}“", f"Help text (German): “{help_text}{end}”"))
    bases = _bases((*position.legal_basis, *position.element.legal_basis))
    if law := [basis for basis in bases if _LAW.search(basis)]:
        listed = "; ".join(law[:_MOST_BASES])
        sentences.append(Text(f"Rechtsgrundlage: {listed}.", f"Legal basis: {listed}."))
    elif bases:
        listed = "; ".join(bases[:_MOST_BASES])
        sentences.append(Text(f"Bezug: {listed}.", f"Reference: {listed}."))
    return joined(*sentences)


def _bases(bases: Iterable[Basis]) -> list[str]:
    """Each once, in order."""
    return list(dict.fromkeys(shortened(basis.text).rstrip(".") for basis in bases))


def shortened(text: str, most: int = _LONGEST_HELP) -> str:
    """On one line, of at most so many characters, cut between words."""
    text = " ".join(text.split())
    return text if len(text) <= most else text[:most].rpartition(" ")[0].rstrip(" .,;:") + " …"


def joined(*sentences: Text) -> Text:
    """Sentences one after the other."""
    return Text(
        " ".join(sentence.de for sentence in sentences if sentence.de),
        " ".join(sentence.en for sentence in sentences if sentence.en),
    )

"""What `as:` makes of a place in a document. Pure; every function raises WrongValue instead of guessing.

Written forms: XML Schema part 2 for everything XÖV and FIM send, plus what German forms write (`17.05.1990`, `ja`,
`12,50`).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from zoneinfo import ZoneInfo

from gateway.mapping.nodes import HERE, JsonNode, Node

Json = str | int | float | bool | None | list["Json"] | dict[str, "Json"]


class WrongValue(ValueError):
    """The text is not what the rule says it is. Never carries the text itself, only what would have been right."""


class UnknownCode(WrongValue):
    """The table has no such code."""


class WrongCharacters(WrongValue):
    """The text has characters (named by code point) that cannot be written as the target wants it."""


class FunctionFailed(WrongValue):
    """What `call` called gave nothing usable; says which function and the kind of fault."""


_BERLIN = ZoneInfo("Europe/Berlin")
_TRUE = frozenset({"true", "1", "ja"})
_FALSE = frozenset({"false", "0", "nein"})
_INTEGER = re.compile(r"[-+]?[0-9]{1,30}")
_DECIMAL = re.compile(r"[-+]?([0-9]{1,30}(\.[0-9]{0,30})?|\.[0-9]{1,30})")
_GERMAN_DECIMAL = re.compile(r"[-+]?([0-9]{1,3}(\.[0-9]{3})*|[0-9]{1,30}),[0-9]{1,30}")
_ZONE = r"(?:Z|[-+][0-9]{2}:[0-9]{2})?"
_ISO_DATE = re.compile(rf"([0-9]{{4}})-([0-9]{{2}})-([0-9]{{2}}){_ZONE}")
_GERMAN_DATE = re.compile(r"([0-9]{1,2})\.([0-9]{1,2})\.([0-9]{4})")
_YEAR_MONTH = re.compile(rf"([0-9]{{4}})-([0-9]{{2}}){_ZONE}")
_YEAR = re.compile(rf"([0-9]{{4}}){_ZONE}")

# Names of the three parts in the forms in use: FIM Baukasten G60000000083, XÖV with separate parts.
_DATE_PARTS = (("F60000000233", "F60000000232", "F60000000231"), ("jahr", "monat", "tag"))
_XOEV_PARTS = ("jahr", "jahrMonat", "jahrMonatTag")
_DATE_ALTERNATIVES = ("jahrMonatTag", "jahrMonat", "jahr", "datum", "F60000000233")


def to_text(text: str) -> str:
    return text


def to_integer(text: str) -> int:
    if not _INTEGER.fullmatch(text):
        raise WrongValue("an integer")
    return int(text)


def to_decimal(text: str) -> str:
    """Without superfluous zeros, so that XML's `12.50` and JSON's `12.5` are the same."""
    value = to_number(text)
    return format(value.normalize(), "f") if value else "0"


def to_decimal_places(text: str, places: int) -> str:
    """With exactly so many decimals. What has more of them is refused: rounding is nobody's to decide here."""
    value = to_number(text)
    fixed = f"{value:.{places}f}"
    if Decimal(fixed) != value:
        raise WrongValue(f"a number with at most {places} decimals")
    return fixed


def to_cents(text: str) -> int:
    """Euro (`12.5`, `1.234,50 €`) as whole cents."""
    return int(to_decimal_places(_without_currency(text), 2).replace(".", ""))


def to_boolean(text: str) -> bool:
    folded = text.casefold()
    if folded in _TRUE:
        return True
    if folded in _FALSE:
        return False
    raise WrongValue("true, false, 1, 0, ja or nein")


def to_date(text: str) -> str:
    """ISO 8601. A time zone behind the date (XML Schema allows it) is dropped: the day counts where it was written. A
    date with time and zone gives the day in Germany.
    """
    if len(text) == 10 and text[4] == text[7] == "-" and text.isascii():  # nearly every one; the others are slower
        try:
            return date.fromisoformat(text).isoformat()
        except ValueError:
            raise WrongValue("a day that exists: YYYY-MM-DD") from None
    if match := _ISO_DATE.fullmatch(text):
        return _iso(*match.groups())
    if match := _GERMAN_DATE.fullmatch(text):
        day, month, year = match.groups()
        return _iso(year, month, day)
    if "T" in text:
        moment = datetime.fromisoformat(to_datetime(text))
        return (moment.astimezone(_BERLIN) if moment.tzinfo else moment).date().isoformat()
    raise WrongValue("a date: YYYY-MM-DD or DD.MM.YYYY")


def to_german_date(text: str) -> str:
    """`17.05.1990`."""
    year, month, day = to_date(text).split("-")
    return f"{day}.{month}.{year}"


def to_datetime(text: str) -> str:
    """RFC 3339 where a time zone was sent; without one it stays without: nobody knows which was meant."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise WrongValue("a date with time: YYYY-MM-DDThh:mm:ss") from None
    if "T" not in text.upper() and " " not in text:
        raise WrongValue("a date with time: YYYY-MM-DDThh:mm:ss")
    return moment.isoformat().replace("+00:00", "Z")


def to_money(text: str) -> Json:
    """Euro with at least two decimals, never a binary fraction. `1.234,50` and a trailing `€` or `EUR` are read."""
    value = to_number(_without_currency(text))
    exponent = value.normalize().as_tuple().exponent
    places = max(2, -exponent) if isinstance(exponent, int) else 2
    return {"amount": f"{value:.{places}f}", "currency": "EUR"}


def to_partial_date(node: Node) -> str:
    """`1990`, `1990-05` or `1990-05-17`, from FIM's day, month and year, from XÖV's alternatives, or from text."""
    for child in node.children("teilbekanntesDatum"):
        return to_partial_date(child)
    for names in _DATE_PARTS:
        if year := _first_text(node, names[0]):
            month, day = _first_text(node, names[1]), _first_text(node, names[2])
            if month or day:
                return _partial(year, month, day)
    for name in _DATE_ALTERNATIVES:
        if text := _first_text(node, name):
            return _partial_text(text)
    return _partial_text(node.text())


def to_xoev_date(node: Node) -> Json:
    """XÖV's date of which parts may be unknown: an object with `jahr`, `jahrMonat` or `jahrMonatTag`."""
    known = to_partial_date(node)
    return {_XOEV_PARTS[known.count("-")]: known}


TEXT_CONVERSIONS: Mapping[str, Callable[[str], Json]] = {
    "text": to_text,
    "integer": to_integer,
    "decimal": to_decimal,
    "boolean": to_boolean,
    "date": to_date,
    "datetime": to_datetime,
    "money": to_money,
    "cents": to_cents,
    "german-date": to_german_date,
    "german-decimal": lambda text: to_decimal(text).replace(".", ","),
}
_NODE_CONVERSIONS: Mapping[str, Callable[[Node], Json]] = {"partial-date": to_partial_date, "xoev-date": to_xoev_date}
KINDS = (*TEXT_CONVERSIONS, *_NODE_CONVERSIONS)
WITH_DECIMALS = ("decimal", "german-decimal")
"""Kinds that take `decimals`."""
OF_GROUPS = tuple(_NODE_CONVERSIONS)
"""Kinds that read a group of fields as one value."""


def conversion(kind: str, decimals: int | None = None) -> Callable[[Node], Json]:
    """What makes the value at a node, as `kind` (one of KINDS). decimals: for WITH_DECIMALS. It raises WrongValue."""
    if kind in _NODE_CONVERSIONS:
        return _NODE_CONVERSIONS[kind]
    convert = text_conversion(kind, decimals)
    return lambda node: convert(node.text())


def text_conversion(kind: str, decimals: int | None = None) -> Callable[[str], Json]:
    """The same for those that need no more than the text at the node: all but OF_GROUPS."""
    if decimals is None:
        return TEXT_CONVERSIONS[kind]
    fixed = partial(to_decimal_places, places=decimals)
    return fixed if kind == "decimal" else lambda text: fixed(text).replace(".", ",")


def convert_constant(kind: str, value: Json, decimals: int | None = None) -> Json:
    """The same for a value that does not come from a document (a code table's)."""
    return conversion(kind, decimals)(JsonNode(value))


def to_number(text: str) -> Decimal:
    """Exactly as written; `1.234,50` is German."""
    if _DECIMAL.fullmatch(text):
        return Decimal(text)
    if _GERMAN_DECIMAL.fullmatch(text):
        return Decimal(text.replace(".", "").replace(",", "."))
    raise WrongValue("a decimal number")


def _without_currency(text: str) -> str:
    return re.sub(r"\s*(€|EUR)$", "", text)


def _iso(year: str, month: str, day: str) -> str:
    try:
        return date(int(year), int(month), int(day)).isoformat()
    except ValueError:
        raise WrongValue("a day that exists") from None


def _first_text(node: Node, name: str) -> str:
    text = node.leaf(HERE, name)
    return next((text for child in node.children(name) if (text := child.text())), "") if text is None else text


def _partial(year: str, month: str, day: str) -> str:
    """A day without a month says nothing usable: refused rather than dropped."""
    if not re.fullmatch(r"[0-9]{4}", year) or not all(re.fullmatch(r"[0-9]{0,2}", part) for part in (month, day)):
        raise WrongValue("year, month and day in digits")
    if day and not month:
        raise WrongValue("a month where there is a day")
    checked = _iso(year, month or "1", day or "1")
    return checked if day else checked[:7] if month else year


def _partial_text(text: str) -> str:
    if match := _YEAR_MONTH.fullmatch(text):
        return _partial(match.group(1), match.group(2), "")
    if match := _YEAR.fullmatch(text):
        return _partial(match.group(1), "", "")
    try:
        return to_date(text)
    except WrongValue:
        raise WrongValue("a date, or its known part: YYYY, YYYY-MM, YYYY-MM-DD") from None

"""JSON as a message: I-JSON, no duplicate names, no numbers that readers disagree about, bounded depth."""

from __future__ import annotations

import codecs
import json
from decimal import Decimal, InvalidOperation
from typing import Any, NoReturn

from xoev_schemas.documents.model import JsonDocument, Limits, Unreadable, check_size, too_deep, unreadable
from xoev_schemas.findings import Text

INTEGER_DIGITS = 30

_SOURCE_JSON = "RFC 8259, RFC 7493 (I-JSON)"


class _Refused(ValueError):
    """Raised inside json's hooks; carries the finding's code."""

    def __init__(self, code: str) -> None:
        self.code = code


def parse_json(data: bytes, limits: Limits = Limits()) -> JsonDocument:
    """Read a JSON text as I-JSON demands. Raises Unreadable with exactly one finding: the first thing wrong."""
    check_size(data, limits, "json.too_large")
    if data.startswith((codecs.BOM_UTF8, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        raise _json_problem("json.encoding", line=1)
    try:
        text = data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _json_problem("json.encoding", line=data.count(b"\n", 0, error.start) + 1) from None
    try:
        value = _json_decoder.decode(text)
    except json.JSONDecodeError as error:
        raise _json_problem("json.not_well_formed", line=error.lineno, column=error.colno) from None
    except _Refused as refused:
        raise _json_problem(refused.code) from None
    except RecursionError:
        raise too_deep("json.too_deep", limits.json_depth, None) from None
    if _json_depth(value) > limits.json_depth:
        raise too_deep("json.too_deep", limits.json_depth, None)
    # `\ud800` alone is legal JSON syntax, yet no Unicode text: nothing after us could store or send it.
    if "\\u" in text and not _encodable(value):
        raise _json_problem("json.encoding")
    return JsonDocument(value)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise _Refused("json.duplicate_key")
    return value


def _number(literal: str) -> Decimal:
    try:
        number = Decimal(literal)
    except InvalidOperation:  # an exponent that not even Decimal holds
        raise _Refused("json.not_a_number") from None
    # Past what an IEEE double holds, readers disagree (RFC 8259 §6); 1e400 would become infinity.
    if abs(number.adjusted()) > 308 or len(number.as_tuple().digits) > INTEGER_DIGITS:
        raise _Refused("json.not_a_number")
    return number


def _integer(literal: str) -> int:
    if len(literal.lstrip("-")) > INTEGER_DIGITS:
        raise _Refused("json.not_a_number")
    return int(literal)


def _constant(_literal: str) -> NoReturn:
    raise _Refused("json.not_a_number")


_json_decoder = json.JSONDecoder(
    object_pairs_hook=_object, parse_float=_number, parse_int=_integer, parse_constant=_constant, strict=True
)


def _json_depth(value: Any) -> int:
    """Levels of objects and arrays; iterative, because the recursion limit is a resource too."""
    depth, level = 0, [value]
    while level := [item for item in level if isinstance(item, dict | list)]:
        depth += 1
        level = [child for item in level for child in (item.values() if isinstance(item, dict) else item)]
    return depth


def _encodable(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False, default=str).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


_JSON_TEXTS = {
    "json.not_well_formed": Text("Die Daten sind kein gültiges JSON.", "The data are not well-formed JSON."),
    "json.duplicate_key": Text(
        "Ein JSON-Objekt enthält denselben Namen mehrfach.", "A JSON object contains the same name more than once."
    ),
    "json.not_a_number": Text(
        "Eine Zahl ist keine endliche Zahl oder hat zu viele Stellen.",
        "A number is not finite or has too many digits.",
    ),
    "json.encoding": Text(
        "Die Daten sind kein UTF-8 ohne Byte-Reihenfolge-Marke oder enthalten unvollständige Zeichen.",
        "The data are not UTF-8 without a byte order mark, or contain half characters (lone surrogates).",
    ),
}


def _json_problem(code: str, line: int | None = None, column: int | None = None) -> Unreadable:
    remedy = Text("Senden Sie JSON nach RFC 8259 und RFC 7493.", "Send JSON as RFC 8259 and RFC 7493 demand.")
    return unreadable(code, _JSON_TEXTS[code], remedy, line=line, column=column, source=_SOURCE_JSON)

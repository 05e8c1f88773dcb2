"""Names for targets that do not take every letter: written again in Latin-1, in ASCII, or in the search form.

Letters are transcribed as the search form of DIN 91379 has it, which names one for each of its Latin letters and
extends the transcription of ICAO Doc 9303: `Ä` is `AE`, `Ø` is `OE`, `Ł` is `L`, any other mark is dropped. What has no
such form (Greek, Cyrillic, symbols) is refused, never replaced.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Mapping

from gateway.mapping.values import WrongCharacters

_CHARACTER = re.compile(r".[\u0300-\u036f]*", re.DOTALL)
_DIAERESIS, _RING = "\u0308", "\u030a"

# Letters that Unicode does not take apart; capitals, small ones follow them.
_WHOLE = {
    "Æ": "AE", "Œ": "OE", "Ø": "OE", "Þ": "TH", "ß": "SS", "ẞ": "SS", "Ð": "D", "Đ": "D", "Ħ": "H", "ĸ": "K",
    "Ŀ": "L", "Ł": "L", "ŉ": "N", "Ŋ": "N", "Ŧ": "T", "Ƈ": "C", "Ə": "E", "Ɨ": "I", "Ʒ": "Z", "Ǥ": "G", "ı": "I",
}  # fmt: skip
_WHOLE |= {letter.lower(): plain for letter, plain in _WHOLE.items()}
# What people type instead, with the same meaning and in ASCII.
_SIGNS = {"’": "'", "‘": "'", "ʼ": "'", "‐": "-", "‑": "-", "–": "-", "—": "-", "\u00a0": " "}


def to_latin_1(text: str) -> str:
    """In ISO 8859-1: letters that it has stay, of others as many marks as it knows (`ǖ` is `ü`, `ř` is `r`)."""
    return text if _fits(text) else _rewritten(text, _in_latin_1)


def to_ascii(text: str) -> str:
    """In ASCII, capitals and small letters kept: `Öztürk-Åström` is `Oeztuerk-Aastroem`."""
    return text if text.isascii() else _rewritten(text, _in_ascii)


def to_search_form(text: str) -> str:
    """The search form of DIN 91379: capitals of ASCII."""
    return to_ascii(text).upper()


CHARACTERS: Mapping[str, Callable[[str], str]] = {
    "latin-1": to_latin_1,
    "ascii": to_ascii,
    "search-form": to_search_form,
}


def named(characters: str) -> str:
    """The code points, `U+03A9 U+0416`: without the text around them they tell no name."""
    return " ".join(dict.fromkeys(f"U+{ord(character):04X}" for character in characters))


def _rewritten(text: str, one: Callable[[str], str | None]) -> str:
    made: list[str] = []
    pieces = _CHARACTER.findall(unicodedata.normalize("NFD", text))
    following = [piece[0] for piece in pieces[1:]] + [""]
    for piece, after in zip(pieces, following, strict=True):
        whole = unicodedata.normalize("NFC", piece)
        plain = one(whole)
        if plain is None:
            raise WrongCharacters(named(whole[:3]))
        # `Ä` becomes `Ae` inside a word in small letters.
        made.append(plain.capitalize() if len(plain) > 1 and piece[0].isupper() and after.islower() else plain)
    return "".join(made)


def _in_latin_1(character: str) -> str | None:
    if _fits(character):
        return character
    parts = unicodedata.normalize("NFD", character)
    base, marks = parts[0], parts[1:]
    kept = (unicodedata.normalize("NFC", base + mark) for mark in marks)
    return next((one for one in (*kept, base) if len(one) == 1 and _fits(one)), None) or _in_ascii(character)


def _in_ascii(character: str) -> str | None:
    parts = unicodedata.normalize("NFD", character)
    base, marks = parts[0], parts[1:]
    plain = _WHOLE.get(base) or _SIGNS.get(base) or unicodedata.normalize("NFKD", base)
    if not plain.isascii() or not plain:
        return None
    if _DIAERESIS in marks and base in "AOUaou":
        plain += "E"
    elif _RING in marks and base in "Aa":
        plain += "A"
    return plain.lower() if base.islower() else plain


def _fits(text: str) -> bool:
    try:
        text.encode("latin-1")
    except UnicodeEncodeError:
        return False
    return True

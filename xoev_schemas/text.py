"""Which characters a text may have, and which it has: the datatypes of DIN 91379 and String.Latin, explained.

The XSD of a standard decides. This module reads the datatype's own pattern, as the standard ships it, and says which
characters broke it, where, which datatype has them, and what to write instead. No character table of ours is involved.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from lxml import etree

from xoev_schemas.documents import Document, JsonDocument, XmlDocument
from xoev_schemas.findings import Finding, Text
from xoev_schemas.places import Names, Places

NAMED = 3
"""So many different characters are named in one finding, and of letters only the first: more would show a name."""
LOOKED_AT = 100_000
"""Characters of one value that are looked at for the forbidden ones."""
MOST_NOT_NFC = 20

_NORMS = {
    "urn:xoev-de:kosit:xoev:datentyp:din-91379_2022-08": "DIN 91379:2022-08",
    "urn:xoev-de:kosit:xoev:datentyp:din-spec-91379_2019-03": "DIN SPEC 91379:2019-03",
    "http://xoev.de/latinchars/1_1/datatypes": "Lateinische Zeichen in Unicode 1.1",
}
# Marks that stand on the letter before them; the patterns list the pairs that are allowed.
_MARKS = "\u0300-\u036f"

# What people mean by what word processors write. Proposals to the sender only: nothing is ever replaced here.
_INSTEAD = {
    **dict.fromkeys("‐‑‒–—―−•", "-"),
    **dict.fromkeys("„“”‟«»", '"'),
    **dict.fromkeys("‚‘’‛′", "'"),
    **dict.fromkeys("\u00a0\u2002\u2003\u2007\u2008\u2009\u200a\u202f\t\n\r\u2028\u2029", " "),
    **dict.fromkeys("\u00ad\u200b\u200c\u200d\u2060\ufeff", ""),
    "…": "...",
    "→": "->",
    "\u2126": "\u03a9",
}


@dataclass(frozen=True)
class CharacterSet:
    """One datatype. norm: what defines it, with its date. name: as the schema has it (`datatypeC`)."""

    norm: str
    name: str
    pattern: str = field(repr=False)

    @cached_property
    def _whole(self) -> re.Pattern[str]:
        # These patterns are of the form (a|[b-c]|de)*, in which XML Schema and Python read the same.
        return re.compile(self.pattern)

    @cached_property
    def _pieces(self) -> re.Pattern[str]:
        """One allowed character with its marks, or (as the group) one that is not allowed."""
        allowed = self.pattern.removesuffix("*")
        return re.compile(f"{allowed}(?![{_MARKS}])|(?P<forbidden>.[{_MARKS}]*)", re.DOTALL)

    def allows(self, text: str) -> bool:
        return self._whole.fullmatch(text) is not None

    def forbidden(self, text: str) -> Iterator[tuple[int, str]]:
        """(1-based position, character with its marks) of what is not allowed, from the front."""
        for piece in self._pieces.finditer(text[:LOOKED_AT]):
            if piece["forbidden"]:
                yield piece.start() + 1, piece["forbidden"]


class CharacterSets:
    """The datatypes of a standard's schemas, found by the pattern that a value broke."""

    def __init__(self) -> None:
        self._by_pattern: dict[str, CharacterSet] = {}

    def __iter__(self) -> Iterator[CharacterSet]:
        return iter(self._by_pattern.values())

    def read(self, schema: etree._Element) -> None:
        """Take the datatypes out of one schema file, if it is one of those that define them."""
        norm = _NORMS.get(str(schema.get("targetNamespace")))
        for pattern in schema.iterfind("{*}simpleType/{*}restriction/{*}pattern") if norm else ():
            holder = pattern.getparent().getparent()  # type: ignore[union-attr]
            value = str(pattern.get("value"))
            if norm and holder is not None and value.startswith("(") and value.endswith(")*"):
                self._by_pattern[value] = CharacterSet(norm, str(holder.get("name")), value)

    def explain(self, finding: Finding, pattern: str, value: str, name: str) -> Finding:
        """A finding about a broken pattern, in words about characters; as it is where the pattern is no datatype's.

        value: what broke the pattern. name: of the element or attribute, safe to show.
        """
        datatype = self._by_pattern.get(pattern)
        if datatype is None:
            return finding
        first: dict[str, int] = {}
        for at, character in datatype.forbidden(value):
            first.setdefault(character, at)
        if not first:
            return finding
        return _explained(finding, datatype, value, name, first, self._wider(datatype, first))

    def _wider(self, datatype: CharacterSet, characters: Iterable[str]) -> str | None:
        """The first datatype of the same norm that has all these characters."""
        same = [other for other in self if other.norm == datatype.norm and other != datatype]
        text = "".join(characters)
        return min((one.name for one in same if one.allows(text)), default=None)


def _explained(
    finding: Finding,
    datatype: CharacterSet,
    value: str,
    name: str,
    first: Mapping[str, int],
    wider: str | None,
) -> Finding:
    normal = unicodedata.normalize("NFC", value)
    decomposed = normal != value and datatype.allows(normal)
    listed = _listed(first)
    more = len(listed) < len(first)
    de = ", ".join(f"{_named(it)} (Stelle {first[it]})" for it in listed) + (" und andere" if more else "")
    en = ", ".join(f"{_named(it)} (position {first[it]})" for it in listed) + (" and others" if more else "")
    allowed = f"{datatype.norm}, {datatype.name}"
    if decomposed:
        text = Text(
            f"Der Text in {name} ist nicht in der Normalform NFC: {de}.",
            f"The text of {name} is not in normal form NFC: {en}.",
        )
        remedy = Text("Wandeln Sie alle Texte vor dem Senden in NFC um.", "Normalise all text to NFC before sending.")
    else:
        text = Text(
            f"Der Text in {name} enthält Zeichen, die hier nicht erlaubt sind: {de}."
            + (f" Erst der {wider} hat sie." if wider else ""),
            f"The text of {name} has characters that are not allowed here: {en}."
            + (f" Only {wider} has them." if wider else ""),
        )
        remedy = _remedy(datatype, listed)
    return replace(
        finding, code="text.not_nfc" if decomposed else "text.characters", text=text, found=en, allowed=allowed,
        remedy=remedy,
    )  # fmt: skip


def _listed(characters: Collection[str]) -> list[str]:
    letters = [character for character in characters if character[0].isalpha()]
    others = [character for character in characters if not character[0].isalpha()]
    return (others + letters[:1])[:NAMED]


def _named(character: str) -> str:
    """`U+2013 EN DASH`; a letter with marks by all its code points. The names are Unicode's own."""
    return " + ".join(f"U+{ord(c):04X} {unicodedata.name(c, '')}".strip() for c in character)


def _remedy(datatype: CharacterSet, characters: Iterable[str]) -> Text:
    de, en = [], []
    for character in characters:
        instead = _INSTEAD.get(character)
        point = " + ".join(f"U+{ord(c):04X}" for c in character)
        if instead is None or not datatype.allows(instead):
            continue
        de.append(f"{point} durch {_quoted(instead)} ersetzen" if instead else f"{point} weglassen")
        en.append(f"replace {point} by {_quoted(instead)}" if instead else f"leave {point} out")
    if not de:
        return Text(
            "Verwenden Sie nur Zeichen, die der Datentyp erlaubt.", "Use only characters that the datatype allows."
        )
    return Text(f"Vorschlag: {', '.join(de)}.", f"Proposal: {', '.join(en)}.")


def _quoted(text: str) -> str:
    return "U+0020" if text == " " else text


# --- normal form -----------------------------------------------------------------------------------------------------


def normal_form_findings(
    document: Document, data: bytes, *, reported: Sequence[Finding] = (), names: Names | None = None
) -> list[Finding]:
    """A warning for each text of a document that is not in Unicode normal form C, whatever its schema says of it.

    data: the document's bytes, by which nearly every document is found to be fine at once. reported: what was found
    before; the same place is not named again. names: which may be shown; None where the document is valid XML. At most
    MOST_NOT_NFC.
    """
    if _surely_normal(data):
        return []
    if isinstance(document, XmlDocument):
        found = _not_normal_in_xml(document.root, names)
    else:
        found = _not_normal_in_json(document, names or Names(()))
    taken = {finding.path for finding in reported if finding.code.startswith("text.")}
    return [finding for finding in found if finding.path not in taken]


# Every character before U+0300 is in NFC, whatever stands beside it; UTF-8 writes those without bytes from CC on.
_BEFORE_MARKS = bytes(range(0xCC))
# Where comments, sections and instructions end, texts that stand apart in the bytes become one.
_MARK_AT_A_SEAM = re.compile(rb"[>\[][\xCC-\xFF]")


def _surely_normal(data: bytes) -> bool:
    """False where references and escapes hide how the text really is, or a mark may follow what it does not here."""
    # One byte is found by memchr, two only byte by byte.
    if (b"#" in data and b"&#" in data) or (b"\\" in data and b"\\u" in data):
        return False
    if data.isascii() or not data.translate(None, _BEFORE_MARKS):
        return True
    if (b"<!" in data or b"<?" in data[5:]) and _MARK_AT_A_SEAM.search(data):
        return False
    return unicodedata.is_normalized("NFC", data.decode("utf-8", "replace"))


def _not_normal_in_xml(root: etree._Element, names: Names | None) -> list[Finding]:
    findings: list[Finding] = []
    places = Places(root, names)
    for element in root.iter():
        texts = [(element.text, ""), *((str(value), str(name)) for name, value in element.attrib.items())]
        texts += [(child.tail, "") for child in element]
        for text, attribute in texts:
            if not text or text.isascii() or unicodedata.is_normalized("NFC", text):
                continue
            local = attribute.rpartition("}")[2]
            shown = names.shown(local) if names and local else local
            path = places.path(element) + (f"/@{shown}" if local else "")
            findings.append(_not_normal(path, text, element.sourceline))  # type: ignore[arg-type]
        if len(findings) >= MOST_NOT_NFC:
            break
    return findings[:MOST_NOT_NFC]


def _not_normal_in_json(document: JsonDocument, names: Names) -> list[Finding]:
    findings: list[Finding] = []
    waiting: list[tuple[tuple[str | int, ...], object]] = [((), document.value)]
    while waiting and len(findings) < MOST_NOT_NFC:
        path, value = waiting.pop()
        if isinstance(value, dict):
            waiting.extend(((*path, key), member) for key, member in reversed(value.items()))
        elif isinstance(value, list):
            waiting.extend(((*path, number), item) for number, item in reversed(list(enumerate(value))))
        elif isinstance(value, str) and not unicodedata.is_normalized("NFC", value):
            findings.append(_not_normal(names.pointer(path), value, None))
    return findings


def _not_normal(path: str, text: str, line: int | None) -> Finding:
    normal = unicodedata.normalize("NFC", text)
    at = next((i for i, (one, other) in enumerate(zip(text, normal, strict=False)) if one != other), len(normal))
    character = re.compile(f".[{_MARKS}]*", re.DOTALL).match(text, at)
    found = f"{_named(character[0][:4]) if character else ''} (position {at + 1})"
    return Finding(
        code="text.not_nfc",
        severity="warning",
        layer="convention",
        text=Text(
            "Ein Text ist nicht in der Unicode-Normalform NFC: Gleiche Namen gelten dann als verschieden.",
            "A text is not in Unicode normal form C: equal names then count as different.",
        ),
        path=path,
        line=line,
        found=found,
        allowed="NFC",
        remedy=Text("Wandeln Sie alle Texte vor dem Senden in NFC um.", "Normalise all text to NFC before sending."),
        source="DIN 91379; Unicode Standard Annex 15",
    )

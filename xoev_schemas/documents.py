"""The one module that parses foreign bytes. Everything else works on the documents it hands out.

What it accepts is narrower than what the libraries accept: UTF-8 only, XML 1.0 only, no DOCTYPE whatever it contains
(an internal entity in an attribute survives every softer setting of lxml), no XInclude, no duplicate JSON names,
bounded in every direction. Comments and processing instructions are dropped before anything reads text, because `.text`
ends at them and a validator and a mapping would see different values.

A problem is a finding of layer `parse`; its text never repeats what stood in the document.
"""

from __future__ import annotations

import codecs
import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pyexpat import ExpatError, ParserCreate
from typing import Any, NoReturn, cast

from lxml import etree

from xoev_schemas.findings import Finding, Text
from xoev_schemas.well_formed import reason, reason_of_expat

XINCLUDE = b"http://www.w3.org/2001/XInclude"
NAME_LENGTH = 256
USUAL_DEPTH = 16
INTEGER_DIGITS = 30

_SOURCE_XML = "XML 1.0 (W3C), RFC 7303"
_SOURCE_JSON = "RFC 8259, RFC 7493 (I-JSON)"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one document. Bytes, levels or counts; reaching a limit is fine, passing it is a finding.

    text_bytes: one text node; libxml2 itself stops at 10,000,000, so more has no effect.
    """

    max_bytes: int = 50 * 1024 * 1024
    depth: int = 100
    elements: int = 200_000
    attributes: int = 256
    json_depth: int = 64
    text_bytes: int = 10_000_000


class Unreadable(Exception):
    """The bytes are not a document that may be processed. `findings` say why; layer `parse`."""

    def __init__(self, findings: list[Finding]) -> None:
        self.findings = findings
        super().__init__(", ".join(finding.code for finding in findings))


@dataclass(frozen=True, slots=True)
class XmlDocument:
    """A parsed message. The tree holds elements and text only: no comments, instructions, entities or DTD.

    literal: every text stands in the bytes as it is (but for `&lt;` and its like), so that a question about all of them
    may be answered by a look at the bytes. False where comments, instructions or CDATA sections follow the root's
    beginning, or characters are written by number.
    """

    root: etree._Element
    literal: bool = False


@dataclass(frozen=True, slots=True)
class JsonDocument:
    """A parsed JSON text. Numbers with a fraction or exponent are `Decimal`, never `float`: no digit gets lost."""

    value: Any


Document = XmlDocument | JsonDocument


def parse(data: bytes, media_type: str, limits: Limits = Limits(), *, to_judge: bool = False) -> Document:
    """Read `data` as what `media_type` (parameters allowed) says it is.

    to_judge: only by schemas and rules. White space between elements may then be left out: where the message is valid
    nothing depends on it, and it makes up half the nodes of an indented message.

    Raises Unreadable: too large, not well-formed, not harmless, or a media type other than XML and JSON.
    """
    essence = media_type.partition(";")[0].strip().lower()
    if is_xml(essence):
        return parse_xml(data, limits, to_judge=to_judge)
    if essence == "application/json" or essence.endswith("+json"):
        return parse_json(data, limits)
    raise _unreadable(
        "media_type.unsupported",
        Text("Dieser Medientyp kann nicht gelesen werden.", "This media type cannot be read."),
        allowed="application/xml, text/xml, application/json, */*+xml, */*+json",
    )


def is_xml(media_type: str) -> bool:
    """Whether a media type (without parameters) names XML (RFC 7303)."""
    return media_type in ("application/xml", "text/xml") or media_type.endswith("+xml")


def text_of(element: etree._Element) -> str:
    """The whole text content of an element, children included; the only right way to read a value."""
    if not len(element):
        return element.text or ""  # nearly always, and a fifth of the time
    return "".join(map(str, element.itertext()))


# --- XML ---------------------------------------------------------------------------------------------------------


def parse_xml(data: bytes, limits: Limits = Limits(), *, to_judge: bool = False) -> XmlDocument:
    """Read a message; `to_judge` as in `parse`. Raises Unreadable with exactly one finding: the first thing wrong."""
    _check_size(data, limits, "xml.too_large")
    _check_declaration(data)
    if _needs_counting(data, limits):
        _count_while_streaming(data, limits)
    literal = _is_literal(data)
    # libxml2 takes white space beside a comment, a section or a carriage return for such, though it is part of a value.
    parser = _own.trimming if to_judge and literal and b"\r" not in data else _own.parser
    try:
        root = etree.fromstring(data, parser)
    except etree.XMLSyntaxError as error:
        raise _syntax_error(error) from None
    _check_tree(root, data, limits)
    return XmlDocument(root, literal)


class _Own(threading.local):
    """What each thread makes once and no two may share. A parser costs as much as parsing a small message."""

    def __init__(self) -> None:
        self.parser, self.trimming = _parser(trims=False), _parser(trims=True)
        self.levels: dict[int, etree.XPath] = {}


def _parser(*, trims: bool) -> etree.XMLParser:
    return etree.XMLParser(
        encoding="utf-8",  # overrides whatever the bytes claim; the claim itself was checked before
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        dtd_validation=False,
        attribute_defaults=False,
        huge_tree=False,
        recover=False,
        remove_comments=True,
        remove_pis=True,
        remove_blank_text=trims,
    )


_own = _Own()

_DECLARATION = re.compile(
    rb"<\?xml[ \t\r\n]+version[ \t\r\n]*=[ \t\r\n]*[\"']([^\"'<>]*)[\"']"
    rb"(?:[ \t\r\n]+encoding[ \t\r\n]*=[ \t\r\n]*[\"']([^\"'<>]*)[\"'])?"
)
_FOREIGN_STARTS = (
    codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE, codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE,
    b"<\0", b"\0<", b"\0\0\0<", b"\x4c\x6f\xa7\x94",
)  # fmt: skip


def _check_declaration(data: bytes) -> None:
    """UTF-8 and XML 1.0 only: lxml would also take UTF-7, UTF-16, UTF-32, EBCDIC and versions such as 1.7."""
    if data.startswith(_FOREIGN_STARTS):
        raise _encoding()
    start = 3 if data.startswith(codecs.BOM_UTF8) else 0
    declaration = _DECLARATION.match(data, start)
    if declaration is None:
        return
    version, encoding = declaration.groups()
    if version != b"1.0":
        raise _unreadable(
            "xml.version",
            Text("Nur XML in der Version 1.0 wird angenommen.", "Only XML version 1.0 is accepted."),
            line=1,
            allowed="1.0",
        )
    if encoding is not None and encoding.lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise _encoding()


def _encoding(line: int = 1, column: int | None = None) -> Unreadable:
    return _unreadable(
        "xml.encoding",
        Text("Die Nachricht ist nicht in UTF-8 kodiert.", "The message is not encoded in UTF-8."),
        Text("Senden Sie die Nachricht in UTF-8 und deklarieren Sie UTF-8.", "Send and declare the message as UTF-8."),
        line=line,
        column=column,
        allowed="UTF-8",
    )


def _needs_counting(data: bytes, limits: Limits) -> bool:
    """A cheap upper bound on everything that is limited; True means that only exact counting can tell.

    An ordinary message stays far below and is parsed once; an odd one (near a limit, with a DOCTYPE or a long prolog,
    with base64 that could be a long name) pays for a second reading. The bounds follow from the shortest forms: `<a/>`
    has four bytes and one `<`, ` a=""` five and one `=`; neither attributes nor names hold a `<`.
    """
    if not _ROOT_BEGINS.match(data, 0, 4096):
        return True
    if len(data) > limits.text_bytes or (len(data) > 4 * limits.elements and data.count(b"<") > limits.elements):
        return True
    # Cutting the first few out finds them by memchr: four times as fast as counting, which looks at every byte.
    if len(data) - len(data.replace(b"=", b"", limits.attributes + 1)) > limits.attributes and (
        b"x" * (5 * limits.attributes) in data.translate(_IN_ONE_TAG)
    ):
        return True
    # A long name has 32 bytes in a row among every eighth of the message: that is looked at first.
    return _LONG_RUN[:32] in data[::8].translate(_IN_ONE_NAME) and _LONG_RUN in data.translate(_IN_ONE_NAME)


# The root, with no DOCTYPE before it, where alone one may stand. Possessive: hostile blanks are not tried in every way.
_ROOT_BEGINS = re.compile(rb"(?:\xef\xbb\xbf)?(?:[ \t\r\n]++|<\?.*?\?>|<!--.*?-->)*+<[^!?]", re.DOTALL)


def _is_literal(data: bytes) -> bool:
    """See XmlDocument."""
    begins = _ROOT_BEGINS.match(data)
    if begins is None or (b"#" in data and b"&#" in data):
        return False
    # One byte is found by memchr: `<!` itself, whose first half is everywhere, takes ten times as long.
    return all(data.find(mark[1:], begins.end()) < 0 or mark not in data[begins.end() :] for mark in (b"<!", b"<?"))


# Bytes that may stand in a name, or in the attributes of an element, become `x`, all others blanks: C loops, twenty
# times as fast as a regular expression.
_IN_ONE_NAME = bytes(0x20 if byte in b" \t\r\n<>=/\"'" else 0x78 for byte in range(256))
_IN_ONE_TAG = bytes(0x20 if byte == 0x3C else 0x78 for byte in range(256))
_LONG_RUN = b"x" * (NAME_LENGTH + 1)


def _count_while_streaming(data: bytes, limits: Limits) -> None:
    """Exact limits without a tree, in one pass of expat that stops at the first element past a limit."""
    counter = _Counter(limits)
    expat = ParserCreate("utf-8")
    expat.ordered_attributes = True  # a flat list [name, value, …], declarations of namespaces included
    expat.StartElementHandler = counter.start
    expat.EndElementHandler = counter.end
    expat.StartDoctypeDeclHandler = counter.doctype
    expat.CharacterDataHandler = counter.text
    expat.buffer_text = True
    counter.line = lambda: expat.CurrentLineNumber
    try:
        expat.Parse(data, True)
    except ExpatError as error:
        raise _not_well_formed(error.lineno, error.offset + 1, reason_of_expat(error.code)) from None


class _Counter:
    """Handlers for expat that raise Unreadable at the first thing past its limit."""

    line: Callable[[], int]

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.elements = self.depth = self.run = 0

    def start(self, name: str, attributes: list[str]) -> None:
        self.elements += 1
        self.depth += 1
        self.run = 0
        if self.depth > self.limits.depth:
            raise _too_deep("xml.too_deep", self.limits.depth, self.line())
        if self.elements > self.limits.elements:
            raise _too_many("xml.too_many_elements", "Elemente", "elements", self.limits.elements, self.line())
        if len(attributes) > 2 * self.limits.attributes:
            raise _too_many("xml.too_many_attributes", "Attribute", "attributes", self.limits.attributes, self.line())
        if len(name) > NAME_LENGTH or any(len(attribute) > NAME_LENGTH for attribute in attributes[::2]):
            raise _unreadable(
                "xml.name_too_long",
                Text("Ein Element- oder Attributname ist zu lang.", "The name of an element or attribute is too long."),
                line=self.line(),
                allowed=f"≤ {NAME_LENGTH}",
            )

    def end(self, _name: str) -> None:
        self.depth -= 1
        self.run = 0

    def text(self, characters: str) -> None:
        self.run += len(characters.encode())
        if self.run > self.limits.text_bytes:
            raise _too_large("xml.too_large", self.limits.text_bytes)

    def doctype(self, *_args: object) -> None:
        raise _doctype(self.line())


def _doctype(line: int | None) -> Unreadable:
    return _unreadable(
        "xml.doctype",
        Text(
            "Die Nachricht enthält eine Dokumenttyp-Deklaration; sie wird aus Sicherheitsgründen nicht angenommen.",
            "The message contains a DOCTYPE declaration; for safety none is accepted.",
        ),
        Text("Entfernen Sie die Zeile <!DOCTYPE …>.", "Remove the <!DOCTYPE …> declaration."),
        line=line,
    )


def _check_tree(root: etree._Element, data: bytes, limits: Limits) -> None:
    """What only the parsed tree tells: nesting (libxml2 stopped at 256), XInclude, and the DOCTYPE once more."""
    if root.getroottree().docinfo.internalDTD is not None:
        raise _doctype(None)
    too_deep = _level(min(limits.depth, USUAL_DEPTH) + 1)(root) and _level(limits.depth + 1)(root)
    if too_deep:
        raise _too_deep("xml.too_deep", limits.depth, _line(too_deep[0]))
    # Its namespace is declared somewhere, if need be with characters by number; `#` alone is found by memchr.
    declared = (b"#" in data and b"&#" in data) or XINCLUDE in data
    include = next(root.iter(f"{{{XINCLUDE.decode()}}}*"), None) if declared else None
    if include is not None:
        raise _unreadable(
            "xml.xinclude",
            Text("Die Nachricht enthält XInclude-Elemente.", "The message contains XInclude elements."),
            Text("Fügen Sie die Inhalte vor dem Senden ein.", "Include the content before sending."),
            line=_line(include),
        )


def _line(element: etree._Element) -> int | None:
    return cast("int | None", element.sourceline)  # the stubs say float


def _level(number: int) -> Any:
    """A query for the elements on a level, the root's being 1; compiled once per thread."""
    levels = _own.levels
    if number not in levels:
        levels[number] = etree.XPath("/*" * number, regexp=False)
    return levels[number]


def _syntax_error(error: etree.XMLSyntaxError) -> Unreadable:
    line, column = error.position
    code, known = getattr(error, "code", None), etree.ErrorTypes
    if code in (known.ERR_INVALID_ENCODING, known.ERR_UNKNOWN_ENCODING, known.ERR_UNSUPPORTED_ENCODING):
        return _encoding(line, column)
    if "Excessive depth" in (error.msg or ""):
        return _too_deep("xml.too_deep", 256, line)
    if "too long" in (error.msg or "") or "Huge" in (error.msg or ""):
        return _too_large("xml.too_large", 10_000_000)
    return _not_well_formed(line, column, reason(code))


def _not_well_formed(line: int | None, column: int | None, words: tuple[Text, Text]) -> Unreadable:
    return _unreadable("xml.not_well_formed", *words, line=line or None, column=column or None)


# --- JSON --------------------------------------------------------------------------------------------------------


class _Refused(ValueError):
    """Raised inside json's hooks; carries the finding's code."""

    def __init__(self, code: str) -> None:
        self.code = code


def parse_json(data: bytes, limits: Limits = Limits()) -> JsonDocument:
    """Read a JSON text as I-JSON demands. Raises Unreadable with exactly one finding: the first thing wrong."""
    _check_size(data, limits, "json.too_large")
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
        raise _too_deep("json.too_deep", limits.json_depth, None) from None
    if _json_depth(value) > limits.json_depth:
        raise _too_deep("json.too_deep", limits.json_depth, None)
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
    return _unreadable(code, _JSON_TEXTS[code], remedy, line=line, column=column, source=_SOURCE_JSON)


# --- findings of both ----------------------------------------------------------------------------------------------


def _check_size(data: bytes, limits: Limits, code: str) -> None:
    if len(data) > limits.max_bytes:
        raise _too_large(code, limits.max_bytes)


def _too_large(code: str, limit: int) -> Unreadable:
    return _unreadable(
        code,
        Text("Die Daten sind zu groß.", "The data are too large."),
        Text("Senden Sie Dokumente als Anlagen.", "Send documents as attachments."),
        allowed=f"≤ {limit} bytes",
    )


def _too_deep(code: str, limit: int, line: int | None) -> Unreadable:
    text = Text("Die Daten sind zu tief verschachtelt.", "The data are nested too deeply.")
    return _unreadable(code, text, line=line, allowed=f"≤ {limit}")


def _too_many(code: str, de: str, en: str, limit: int, line: int) -> Unreadable:
    text = Text(f"Die Nachricht enthält zu viele {de}.", f"The message contains too many {en}.")
    return _unreadable(code, text, line=line, allowed=f"≤ {limit}")


def _unreadable(
    code: str,
    text: Text,
    remedy: Text | None = None,
    *,
    line: int | None = None,
    column: int | None = None,
    allowed: str | None = None,
    source: str = _SOURCE_XML,
) -> Unreadable:
    return Unreadable(
        [
            Finding(
                code=code,
                severity="error",
                layer="parse",
                text=text,
                line=line,
                column=column,
                allowed=allowed,
                remedy=remedy or Text("Prüfen Sie die Erzeugung der Daten.", "Check how the data are produced."),
                source=source,
            )
        ]
    )

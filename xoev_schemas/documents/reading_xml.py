"""XML as a message: UTF-8, version 1.0, no DOCTYPE, no XInclude, bounded in every direction."""

from __future__ import annotations

import codecs
import re
import threading
from collections.abc import Callable
from pyexpat import ExpatError, ParserCreate
from typing import Any, cast

from lxml import etree

from xoev_schemas.documents.model import (
    Limits,
    Unreadable,
    XmlDocument,
    check_size,
    too_deep,
    too_large,
    too_many,
    unreadable,
)
from xoev_schemas.documents.well_formed import reason, reason_of_expat
from xoev_schemas.findings import Text

XINCLUDE = b"http://www.w3.org/2001/XInclude"
NAME_LENGTH = 256
USUAL_DEPTH = 16


def parse_xml(data: bytes, limits: Limits = Limits(), *, to_judge: bool = False) -> XmlDocument:
    """Read a message; `to_judge` as in `parse`. Raises Unreadable with exactly one finding: the first thing wrong."""
    check_size(data, limits, "xml.too_large")
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
        raise unreadable(
            "xml.version",
            Text("Nur XML in der Version 1.0 wird angenommen.", "Only XML version 1.0 is accepted."),
            line=1,
            allowed="1.0",
        )
    if encoding is not None and encoding.lower() not in (b"utf-8", b"utf8", b"us-ascii"):
        raise _encoding()


def _encoding(line: int = 1, column: int | None = None) -> Unreadable:
    return unreadable(
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
            raise too_deep("xml.too_deep", self.limits.depth, self.line())
        if self.elements > self.limits.elements:
            raise too_many("xml.too_many_elements", "Elemente", "elements", self.limits.elements, self.line())
        if len(attributes) > 2 * self.limits.attributes:
            raise too_many("xml.too_many_attributes", "Attribute", "attributes", self.limits.attributes, self.line())
        if len(name) > NAME_LENGTH or any(len(attribute) > NAME_LENGTH for attribute in attributes[::2]):
            raise unreadable(
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
            raise too_large("xml.too_large", self.limits.text_bytes)

    def doctype(self, *_args: object) -> None:
        raise _doctype(self.line())


def _doctype(line: int | None) -> Unreadable:
    return unreadable(
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
    beyond = _level(min(limits.depth, USUAL_DEPTH) + 1)(root) and _level(limits.depth + 1)(root)
    if beyond:
        raise too_deep("xml.too_deep", limits.depth, _line(beyond[0]))
    # Its namespace is declared somewhere, if need be with characters by number; `#` alone is found by memchr.
    declared = (b"#" in data and b"&#" in data) or XINCLUDE in data
    include = next(root.iter(f"{{{XINCLUDE.decode()}}}*"), None) if declared else None
    if include is not None:
        raise unreadable(
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
        return too_deep("xml.too_deep", 256, line)
    if "too long" in (error.msg or "") or "Huge" in (error.msg or ""):
        return too_large("xml.too_large", 10_000_000)
    return _not_well_formed(line, column, reason(code))


def _not_well_formed(line: int | None, column: int | None, words: tuple[Text, Text]) -> Unreadable:
    return unreadable("xml.not_well_formed", *words, line=line or None, column=column or None)

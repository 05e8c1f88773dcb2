"""The kind of an attachment by its content: one pass over its bytes, nothing unpacked, little kept in memory.

The signatures are our own short table, and no library guesses: a gate needs "certainly this" or "unknown", while the
libraries for this rank likely guesses (any text that begins with "MZ" as a program, an empty ZIP file as Word).
Sources: ISO 32000-1 §7.5.2 (PDF), ISO 10918-1 (JPEG), ISO 15948 (PNG), TIFF 6.0, PKWARE APPNOTE (ZIP), ECMA-376-2
(OOXML), OASIS ODF 1.3 part 2 §3, WHATWG MIME Sniffing §7.1 (HTML).
"""

from __future__ import annotations

import codecs
import io
import re
import zipfile
from dataclasses import dataclass

PDF, JPEG, PNG, TIFF, GIF, WEBP = (
    "application/pdf",
    "image/jpeg",
    "image/png",
    "image/tiff",
    "image/gif",
    "image/webp",
)
XML, JSON, TEXT, HTML, SVG = "application/xml", "application/json", "text/plain", "text/html", "image/svg+xml"
ZIP, UNKNOWN = "application/zip", "application/octet-stream"
PROGRAM, MACROS = "application/x-executable", "application/vnd.ms-office.macros"
_OLE = "application/x-ole-storage"
_OOXML = "application/vnd.openxmlformats-officedocument."
DOCX, XLSX, PPTX = (
    _OOXML + "wordprocessingml.document",
    _OOXML + "spreadsheetml.sheet",
    _OOXML + "presentationml.presentation",
)
_ODF = "application/vnd.oasis.opendocument."
ODT, ODS, ODP, ODG = _ODF + "text", _ODF + "spreadsheet", _ODF + "presentation", _ODF + "graphics"

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF-", PDF),
    (b"\xff\xd8\xff", JPEG),
    (b"\x89PNG\r\n\x1a\n", PNG),
    (b"II*\x00", TIFF),
    (b"MM\x00*", TIFF),
    (b"GIF87a", GIF),
    (b"GIF89a", GIF),
    (b"PK\x03\x04", ZIP),
    (b"PK\x05\x06", ZIP),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", _OLE),
    (b"Rar!\x1a\x07", "application/vnd.rar"),
    (b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (b"\x1f\x8b\x08", "application/gzip"),
    (b"{\\rtf", "application/rtf"),
    (b"\x7fELF", PROGRAM),
    (b"\xca\xfe\xba\xbe", PROGRAM),  # Java class, Mach-O for several processors
    (b"\xcf\xfa\xed\xfe", PROGRAM),  # Mach-O
    (b"\xce\xfa\xed\xfe", PROGRAM),
    (b"#!", PROGRAM),
    (b"L\x00\x00\x00\x01\x14\x02\x00", PROGRAM),  # Windows shortcut
)
_HEAD_BYTES = 4096
_TAIL_BYTES = 1024 * 1024
"""The directory of a ZIP file is at its end; one that does not fit has more than 10 000 entries, and stays `ZIP`."""
_PDF_WITHIN = 1024
"""Readers accept a PDF header within the first 1024 bytes, so we must see it there."""
_PDF_HEADER = re.compile(rb"%PDF-\d")
_BOMS = ((b"\xef\xbb\xbf", "utf-8-sig"), (b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"))
_LONGEST_BOM = 3
_BINARY = re.compile(rb"[\x00-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
# What stands before the first element: declaration, processing instructions, comments, DOCTYPE.
_PROLOG = re.compile(r"\s*(?:<\?.*?\?>\s*|<!--.*?-->\s*|<!DOCTYPE[^>\[]*(?:\[.*?\])?\s*>\s*)*", re.DOTALL | re.I)
_ELEMENT = re.compile(r"<(?:[\w.-]+:)?([A-Za-z_][\w.-]*)[\s/>]")
_HTML = re.compile(r"\s*<(?:!doctype html|(?:html|head|body|script|iframe|style|table|div|a|p|br|h1|title)[\s>])", re.I)
_ACTIVE = re.compile(rb"<(?:[\w-]+:)?script|\bon[a-z]+\s*=|javascript:|<foreignobject|<iframe|<embed|<object", re.I)
_ACTIVE_OVERLAP = 64
_MACROS = re.compile(r"(?:^|/)vbaProject\.bin$|^(?:Basic|Scripts)/.|(?:^|/)activeX/|^xl/macrosheets/", re.I)
_MAIN_PARTS = {"word/document.xml": DOCX, "xl/workbook.xml": XLSX, "ppt/presentation.xml": PPTX}
_ODF_TYPES = frozenset({ODT, ODS, ODP, ODG})

_ALIASES = {
    "image/jpg": JPEG,
    "image/pjpeg": JPEG,
    "image/x-png": PNG,
    "image/tif": TIFF,
    "image/x-tiff": TIFF,
    "application/x-pdf": PDF,
    "text/xml": XML,
    "text/json": JSON,
    "application/x-zip-compressed": ZIP,
    "application/x-zip": ZIP,
    "text/rtf": "application/rtf",
    "application/xhtml+xml": HTML,
}
_OF_OLE = frozenset(
    {"application/msword", "application/vnd.ms-excel", "application/vnd.ms-powerpoint", "application/vnd.ms-outlook"}
)
_IN_ZIP = frozenset({DOCX, XLSX, PPTX, *_ODF_TYPES})
_STRUCTURED = {XML: "+xml", JSON: "+json", ZIP: "+zip"}
_SUFFIXES = tuple(_STRUCTURED.values())
_RECOGNISED = frozenset(
    {*(media_type for _, media_type in _SIGNATURES), WEBP, XML, JSON, TEXT, HTML, SVG, MACROS, *_IN_ZIP, *_OF_OLE}
)
"""Types that content always shows: what is declared as one of these and does not look like it is not it."""

_TYPES_BY_ENDING = {
    "pdf": PDF,
    "jpg": JPEG,
    "jpeg": JPEG,
    "png": PNG,
    "tif": TIFF,
    "tiff": TIFF,
    "gif": GIF,
    "webp": WEBP,
    "xml": XML,
    "json": JSON,
    "txt": TEXT,
    "csv": "text/csv",
    "htm": HTML,
    "html": HTML,
    "svg": SVG,
    "zip": ZIP,
    "docx": DOCX,
    "xlsx": XLSX,
    "pptx": PPTX,
    "odt": ODT,
    "ods": ODS,
    "odp": ODP,
    "odg": ODG,
    "doc": "application/msword",
    "xls": "application/vnd.ms-excel",
    "ppt": "application/vnd.ms-powerpoint",
    "msg": "application/vnd.ms-outlook",
    "rtf": "application/rtf",
    **dict.fromkeys(("app", "bat", "cmd", "com", "cpl", "dll", "exe", "hta", "jar", "js", "jse", "lnk"), PROGRAM),
    **dict.fromkeys(("msi", "ps1", "psm1", "reg", "scr", "sh", "vb", "vbe", "vbs", "wsf", "wsh"), PROGRAM),
    # Office files that may carry macros are no other kind by content; by name they announce them.
    **dict.fromkeys(["docm", "dotm", "xlsm", "xltm", "xlam", "pptm", "potm", "ppsm", "xlsb"], MACROS),
}


@dataclass(frozen=True, slots=True)
class Kind:
    """media_type: as the content shows it; `UNKNOWN` where it shows nothing. active: it carries macros or script."""

    media_type: str
    active: bool = False


class Sniffer:
    """Takes the bytes of one attachment in order, then says its kind. Keeps a little over 1 MiB at most.

    size: bytes taken so far.
    """

    def __init__(self) -> None:
        self.size = 0
        self._head = b""
        self._tail = bytearray()
        self._binary = False
        self._markup: bool | None = None
        self._active = False
        self._before = b""

    def feed(self, data: bytes) -> None:
        if len(self._head) < _HEAD_BYTES:
            self._head += data[: _HEAD_BYTES - len(self._head)]
        self.size += len(data)
        if _is_zip(self._head):
            self._tail += data
            del self._tail[:-_TAIL_BYTES]
        elif not self._binary:
            self._read_text(data)

    def kind(self) -> Kind:
        head = self._head
        if _is_zip(head):
            return _kind_of_zip(head, bytes(self._tail))
        if _is_windows_program(head):
            return Kind(PROGRAM)
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return Kind(WEBP)
        for signature, media_type in _SIGNATURES:
            if head.startswith(signature):
                return Kind(media_type)
        if self._binary:
            return Kind(PDF if _PDF_HEADER.search(head[:_PDF_WITHIN]) else UNKNOWN)
        return self._kind_of_text() if self.size else Kind(UNKNOWN)

    def _read_text(self, data: bytes) -> None:
        if not self._head.startswith((b"\xff\xfe", b"\xfe\xff")) and _BINARY.search(data):
            self._binary = True
            return
        if self._markup is None:
            self._markup = self._begins_as_markup()
        if self._active or self._markup is False:
            return
        # UTF-16 without its zero bytes is near enough to ASCII to find words in.
        seen = self._before + data.replace(b"\x00", b"")
        self._active = bool(_ACTIVE.search(seen))
        self._before = seen[-_ACTIVE_OVERLAP:]

    def _begins_as_markup(self) -> bool | None:
        """None: what came so far is too little to tell."""
        start = _decoded(self._head).lstrip()
        if len(self._head) < _LONGEST_BOM or (not start and len(self._head) < _HEAD_BYTES):
            return None
        return start.startswith("<")

    def _kind_of_text(self) -> Kind:
        text = _decoded(self._head).lstrip()
        body = text[_end_of_prolog(text) :]
        if _HTML.match(text) or _HTML.match(body):
            return Kind(HTML, self._active)
        if element := _ELEMENT.match(body):
            return Kind(SVG, self._active) if element[1] == "svg" else Kind(XML)
        if text.startswith("<?xml"):
            return Kind(XML)  # its prolog is longer than what we look at
        return Kind(JSON) if text[:1] in ("{", "[") else Kind(TEXT)


def _end_of_prolog(text: str) -> int:
    prolog = _PROLOG.match(text)
    return prolog.end() if prolog else 0


def _is_zip(head: bytes) -> bool:
    return head.startswith((b"PK\x03\x04", b"PK\x05\x06"))


def _is_windows_program(head: bytes) -> bool:
    """By its two headers (Microsoft PE format); two letters alone would make programs of texts."""
    place = int.from_bytes(head[0x3C:0x40], "little")
    return head[:2] == b"MZ" and (head[place : place + 4] == b"PE\x00\x00" or bool(_BINARY.search(head[:64])))


def _decoded(head: bytes) -> str:
    encoding = next((name for mark, name in _BOMS if head.startswith(mark)), "utf-8")
    # Incremental: a character that is cut in the middle is left out.
    return codecs.getincrementaldecoder(encoding)("replace").decode(head).removeprefix("\ufeff")


def _kind_of_zip(head: bytes, tail: bytes) -> Kind:
    names = _names_in(tail)
    if (media_type := _odf_type(head)) in _ODF_TYPES and "content.xml" in names:
        return Kind(media_type, _has_macros(names))
    if "[Content_Types].xml" in names:
        for part, media_type in _MAIN_PARTS.items():
            if part in names:
                return Kind(media_type, _has_macros(names))
    if "META-INF/MANIFEST.MF" in names:
        return Kind(PROGRAM)  # a Java archive
    return Kind(ZIP)


def _names_in(tail: bytes) -> frozenset[str]:
    """Names in the central directory; nothing is unpacked. Empty for a damaged or too large directory."""
    try:
        with zipfile.ZipFile(io.BytesIO(tail)) as archive:
            return frozenset(archive.namelist())
    except (zipfile.BadZipFile, ValueError, OSError, NotImplementedError, UnicodeError):
        return frozenset()


def _odf_type(head: bytes) -> str:
    """ODF: the first entry is `mimetype`, stored as it is, at byte 38."""
    size = int.from_bytes(head[18:22], "little")
    return head[38 : 38 + size].decode("ascii", "replace") if head[30:38] == b"mimetype" and size < 200 else ""


def _has_macros(names: frozenset[str]) -> bool:
    return any(_MACROS.search(name) for name in names)


# ------------------------------------------------------------------------------------------- what is declared


def normalise(media_type: str) -> str:
    """Lower case, without parameters, one name for each type that has several."""
    bare = media_type.partition(";")[0].strip().lower()
    return _ALIASES.get(bare, bare)


def type_by_ending(filename: str) -> tuple[str, str] | None:
    """The ending (`.pdf`) and what it announces; None for an ending that says nothing to us."""
    ending = filename.rpartition(".")[2].lower() if "." in filename else ""
    media_type = _TYPES_BY_ENDING.get(ending)
    return (f".{ending}", media_type) if media_type else None


def agrees(declared: str, content: str) -> bool:
    """Whether content may be called that. declared: normalised.

    Text is whatever has no control characters, so XML and JSON may be called text; HTML and SVG may not: programs that
    guess would run them. What content does not show (a signature file, say) is what it says it is.
    """
    if declared in (content, UNKNOWN):
        return True
    if content in (XML, JSON, TEXT) and declared.startswith("text/") and declared != HTML:
        return True
    if content in _STRUCTURED and declared.endswith(_STRUCTURED[content]) and declared != SVG:
        return True
    if content == _OLE:
        return declared in _OF_OLE
    if content in _IN_ZIP:
        return declared == ZIP
    return content in (UNKNOWN, TEXT) and declared not in _RECOGNISED and not declared.endswith(_SUFFIXES)


def is_known(media_type: str) -> bool:
    """Whether this normalised type is one that the table above speaks of."""
    return media_type in _RECOGNISED or media_type == UNKNOWN

"""What an attachment is by its content, and whether it may be called what it is called."""

from __future__ import annotations

import io
import os
import tracemalloc
import zipfile
from collections.abc import Mapping

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gateway.attachments import kinds
from gateway.attachments.kinds import Kind, Sniffer, agrees, normalise, type_by_ending

PROGRAM = b"MZ" + bytes(58) + (64).to_bytes(4, "little") + b"PE\x00\x00" + bytes(64)


def sniff(content: bytes, step: int = 0) -> Kind:
    sniffer = Sniffer()
    for start in range(0, len(content), step or len(content) or 1):
        sniffer.feed(content[start : start + (step or len(content))])
    return sniffer.kind()


def archive(files: Mapping[str, bytes | str], *, comment: bytes = b"") -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as file:
        for name, content in files.items():
            file.writestr(name, content)
        file.comment = comment
    return made.getvalue()


def odf(kind: str, **more: str) -> bytes:
    return archive({"mimetype": f"application/vnd.oasis.opendocument.{kind}", "content.xml": "<x/>", **more})


def ooxml(part: str, *more: str) -> bytes:
    return archive({"[Content_Types].xml": "<Types/>", part: "<x/>", **dict.fromkeys(more, "x")})


CONTENTS = [
    (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3\n1 0 obj", kinds.PDF),
    (b"%PDF-1.4\nonly text follows", kinds.PDF),
    (b"\x00\x01junk before it, as old scanners write it%PDF-1.3\n", kinds.PDF),
    (b"\xff\xd8\xff\xe0\x00\x10JFIF", kinds.JPEG),
    (b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", kinds.PNG),
    (b"II*\x00\x08\x00\x00\x00", kinds.TIFF),
    (b"MM\x00*\x00\x00\x00\x08", kinds.TIFF),
    (b"GIF89a\x01\x00", kinds.GIF),
    (b"RIFF\x10\x00\x00\x00WEBPVP8 ", kinds.WEBP),
    (ooxml("word/document.xml"), kinds.DOCX),
    (ooxml("xl/workbook.xml"), kinds.XLSX),
    (ooxml("ppt/presentation.xml"), kinds.PPTX),
    (odf("text"), kinds.ODT),
    (odf("spreadsheet"), kinds.ODS),
    (archive({"word/document.xml": "x"}), kinds.ZIP),
    (archive({"[Content_Types].xml": "x"}), kinds.ZIP),
    (archive({}), kinds.ZIP),
    (archive({"a.txt": "x"}, comment=b"c" * 60_000), kinds.ZIP),
    (b"PK\x03\x04 and then nothing", kinds.ZIP),
    (archive({"META-INF/MANIFEST.MF": "x", "A.class": b"\xca\xfe\xba\xbe"}), kinds.PROGRAM),
    (b'<?xml version="1.0"?>\n<!-- a comment -->\n<antrag xmlns="urn:x"/>', kinds.XML),
    (b"\xef\xbb\xbf<x:antrag xmlns:x='urn:x'>", kinds.XML),
    ('\ufeff<?xml version="1.0" encoding="UTF-16"?><antrag/>'.encode("utf-16-le"), kinds.XML),
    (b"<?xml version='1.0'?><!--" + b"-" * 9000 + b"--><antrag/>", kinds.XML),
    (b' {"a": 1}', kinds.JSON),
    (b"[1, 2]", kinds.JSON),
    ("Sehr geehrte Damen und Herren,\r\n\tGrüße".encode(), kinds.TEXT),
    ("Grüße aus Köln".encode("latin-1"), kinds.TEXT),
    ("\ufeffGrüße".encode("utf-16-le"), kinds.TEXT),
    (b"MZ is how this text begins, and it is no program, however long it goes on and on", kinds.TEXT),
    (b"a < b and b > c", kinds.TEXT),
    (b"<!DOCTYPE html><html>", kinds.HTML),
    (b"\n <HTML lang=de>", kinds.HTML),
    (b"<!-- hidden --><script>alert(1)</script>", kinds.HTML),
    (b"<?xml version='1.0'?><html xmlns='http://www.w3.org/1999/xhtml'>", kinds.HTML),
    (b"<svg xmlns='http://www.w3.org/2000/svg'>", kinds.SVG),
    (b"<?xml version='1.0'?><!DOCTYPE svg [<!ENTITY a 'b'>]><svg:svg/>", kinds.SVG),
    (PROGRAM, kinds.PROGRAM),
    (b"\x7fELF\x02\x01\x01", kinds.PROGRAM),
    (b"#!/bin/sh\nrm -rf /\n", kinds.PROGRAM),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(64), "application/x-ole-storage"),
    (b"{\\rtf1 text}", "application/rtf"),
    (b"7z\xbc\xaf\x27\x1c\x00", "application/x-7z-compressed"),
    (b"\x30\x82\x05\x10" + bytes(range(64)), kinds.UNKNOWN),
    (b"", kinds.UNKNOWN),
]


@pytest.mark.parametrize(
    ("content", "media_type"), CONTENTS, ids=[f"{number}-{kind}" for number, (_, kind) in enumerate(CONTENTS)]
)
@pytest.mark.parametrize("step", [0, 1, 7])
def test_content_shows_its_kind_however_it_is_cut(content: bytes, media_type: str, step: int) -> None:
    assert sniff(content, step).media_type == media_type


@pytest.mark.parametrize(
    "content",
    [
        ooxml("word/document.xml", "word/vbaProject.bin"),
        ooxml("xl/workbook.xml", "xl/macrosheets/sheet1.xml"),
        ooxml("xl/workbook.xml", "xl/activeX/activeX1.bin"),
        odf("text", **{"Basic/Standard/Module1.xml": "x"}),
        odf("text", **{"Scripts/python/run.py": "x"}),
        b"<svg><g>" + b" " * 5000 + b"<script>x</script></svg>",
        b"<svg onload='x()'/>",
        b"<svg><a href='javascript:x()'/></svg>",
        b"<html><body onclick = x()>",
        "\ufeff<svg><script/></svg>".encode("utf-16-le"),
    ],
    ids=range(10),
)
@pytest.mark.parametrize("step", [0, 1, 4096])
def test_macros_and_script_are_seen_wherever_a_chunk_ends(content: bytes, step: int) -> None:
    assert sniff(content, step).active


@pytest.mark.parametrize(
    "content",
    [ooxml("word/document.xml"), odf("text"), b"<svg><path d='M0 0'/></svg>", b"A letter on <script> in svg", b"{}"],
)
def test_what_has_neither_is_not_called_active(content: bytes) -> None:
    assert not sniff(content).active


@given(content=st.sampled_from([content for content, _ in CONTENTS]), changes=st.data())
@settings(max_examples=300, deadline=None)
def test_whatever_is_damaged_has_some_kind(content: bytes, changes: st.DataObject) -> None:
    damaged = bytearray(content)
    for place, byte in changes.draw(st.lists(st.tuples(st.integers(0, len(content)), st.integers(0, 255)), max_size=8)):
        damaged[place : place + 1] = bytes([byte])
    cut = changes.draw(st.integers(0, len(damaged)))
    assert "/" in sniff(bytes(damaged[:cut])).media_type


def test_a_zip_bomb_is_not_unpacked() -> None:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("[Content_Types].xml", "<Types/>")
        file.writestr("word/document.xml", bytes(200 * 1024 * 1024))
    bomb = made.getvalue()
    assert len(bomb) < 1024 * 1024

    tracemalloc.start()
    kind = sniff(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert kind == Kind(kinds.DOCX)
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize("start", [b"%PDF-1.7\n", b"PK\x03\x04", b"<svg>", b"text "])
def test_fifty_megabytes_need_the_memory_of_a_few_chunks(start: bytes) -> None:
    block = b"<" + b"a" * (1024 * 1024 - 1) if start == b"<svg>" else os.urandom(1024 * 1024)
    tracemalloc.start()
    sniffer = Sniffer()
    sniffer.feed(start)
    for _ in range(50):
        sniffer.feed(block)
    sniffer.kind()
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert sniffer.size == 50 * 1024 * 1024 + len(start)
    assert peak < 8 * 1024 * 1024


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("application/pdf", kinds.PDF),
        ("application/octet-stream", kinds.PROGRAM),  # says nothing; the allow-list sees what it is
        ("image/jpg", kinds.JPEG),
        ("text/xml; charset=utf-8", kinds.XML),
        ("text/plain", kinds.XML),
        ("text/csv", kinds.TEXT),
        ("text/plain", kinds.JSON),
        ("application/xhtml+xml", kinds.HTML),
        ("application/gml+xml", kinds.XML),
        ("application/geo+json", kinds.JSON),
        ("application/vnd.etsi.asic-e+zip", kinds.ZIP),
        ("application/zip", kinds.DOCX),
        ("application/msword", "application/x-ole-storage"),
        ("application/pkcs7-signature", kinds.UNKNOWN),
        ("application/pem-certificate-chain", kinds.TEXT),
    ],
)
def test_what_may_be_called_that(declared: str, content: str) -> None:
    assert agrees(normalise(declared), content)


@pytest.mark.parametrize(
    ("declared", "content"),
    [
        ("application/pdf", kinds.UNKNOWN),
        ("application/pdf", kinds.TEXT),
        ("application/pdf", kinds.HTML),
        ("image/png", kinds.JPEG),
        ("image/png", kinds.SVG),
        ("text/plain", kinds.HTML),
        ("text/plain", kinds.SVG),
        ("text/plain", kinds.UNKNOWN),
        ("text/html", kinds.TEXT),
        ("application/xml", kinds.TEXT),
        ("application/xml", kinds.SVG),
        ("image/svg+xml", kinds.XML),
        ("application/json", kinds.TEXT),
        (kinds.DOCX, kinds.ZIP),
        (kinds.DOCX, kinds.XLSX),
        (kinds.DOCX, "application/x-ole-storage"),
        ("application/zip", kinds.UNKNOWN),
        ("application/pkcs7-signature", kinds.PROGRAM),
        ("application/vnd.etsi.asic-e+zip", kinds.UNKNOWN),
    ],
)
def test_what_may_not(declared: str, content: str) -> None:
    assert not agrees(normalise(declared), content)


@pytest.mark.parametrize(
    ("name", "announced"),
    [
        ("Bescheid.PDF", (".pdf", kinds.PDF)),
        ("archiv.tar.zip", (".zip", kinds.ZIP)),
        ("Rechnung.pdf.exe", (".exe", kinds.PROGRAM)),
        ("Tabelle.xlsm", (".xlsm", kinds.MACROS)),
        ("2046f9f1-dc89-4440-9c24-c76a8f40d668", None),
        ("Urkunde v1.2", None),
        (".", None),
    ],
)
def test_endings_announce_a_type_where_they_are_known(name: str, announced: tuple[str, str] | None) -> None:
    assert type_by_ending(name) == announced

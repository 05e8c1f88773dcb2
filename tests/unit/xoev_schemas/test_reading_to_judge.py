"""What is only judged is read without white space between elements: no value, verdict or finding differs by it."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from lxml import etree

from xoev_schemas.conventions import convention_findings
from xoev_schemas.documents import Limits, XmlDocument, parse, text_of
from xoev_schemas.ladder import judged, read_and_judged
from xoev_schemas.registry import Registry
from xoev_schemas.standards import Standard
from xoev_schemas.text import normal_form_findings

NOW = datetime(2026, 3, 3, tzinfo=UTC)
XBAU = Standard("xoev:xbau/2.6", "XBau", "2.6", None, [], [], {}, "folder", [])


def read(data: bytes, *, to_judge: bool) -> XmlDocument:
    document = parse(data, "application/xml", to_judge=to_judge)
    assert isinstance(document, XmlDocument)
    return document


def values(root: etree._Element) -> list[str]:
    return [text_of(element) for element in root.iter() if not len(element)]


def test_white_space_between_elements_is_left_out_where_only_a_verdict_is_wanted() -> None:
    data = b"<a>\n  <b>x</b>\n  <c> </c>\n</a>"
    assert etree.tostring(read(data, to_judge=True).root) == b"<a><b>x</b><c> </c></a>"
    assert etree.tostring(read(data, to_judge=False).root) == data


@pytest.mark.parametrize(
    "content",
    [b"  ", b" x ", b" <!--c-->x", b" <!--c--> ", b" <?p i?>x", b" <![CDATA[x]]>", b" \r\n", b" \rx", b" &#32;",
     b" &#10; ", b" &amp;", b"\n&lt;", b"\xc2\xa0 ", b" " * 700, b" " * 700 + b"x"],
)  # fmt: skip
def test_white_space_that_is_part_of_a_value_stays(content: bytes) -> None:
    data = b"<a>\n  <b>" + content + b"</b>\n</a>"
    assert values(read(data, to_judge=True).root) == values(read(data, to_judge=False).root)


_LEAF = re.compile(rb"<([A-Za-z][^\s/>]*)[^>]*>([^<]*)</\1>")
_INSTEAD = (
    b"", b"   ", b" %s ", b" <!--c-->%s", b" <![CDATA[%s]]>", b" <?p i?>%s", b" \r\n%s", b" \r", b"%s&#x301;",
    b" &#32;%s", b" <x/> %s", b" <x/> ", b"\n JVBERi0xLjcK" + b"A" * 300, b"&#74;VBERi0xLjcK" + b"A" * 300,
    b"%se<!--c-->\xcc\x81", b"zz/..",
)  # fmt: skip
"""What is put where a value stood (`%s`)."""


def variants(data: bytes) -> Iterator[bytes]:
    """A message as it is, with other white space, and broken in one place of a few."""
    yield data
    yield data.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    yield re.sub(rb">\s+<", b"><", data)
    leaves = list(_LEAF.finditer(data))
    for leaf in leaves[2 :: max(1, len(leaves) // 3)]:
        start, end = leaf.span(2)
        for instead in _INSTEAD:
            yield data[:start] + instead.replace(b"%s", leaf[2]) + data[end:]


def test_verdicts_and_findings_are_those_of_the_message_as_it_was_sent(real: Registry, test_data: Path) -> None:
    verdicts: Counter[bool | None] = Counter()
    for path in sorted((test_data / "xoev").rglob("instances/**/*.xml")):
        if "notwellformed" in path.name or path.stat().st_size > 20_000:
            continue
        for data in variants(path.read_bytes()):
            _, judgement = read_and_judged(real, data, "application/xml", Limits(), None, NOW)
            whole = read(data, to_judge=False)
            # Not literal: nothing is answered by the bytes, every rule walks the tree.
            assert judgement == judged(real, XmlDocument(whole.root), data, None, NOW), path.name
            verdicts[judgement.valid] += 1
    assert min(verdicts[True], verdicts[False]) > 100


@pytest.mark.parametrize(
    "document",
    [b"JVBERi0xLjcK", b" \n JVBERi0xLjcK", b"&#74;VBERi0xLjcK", b"J<!--c-->VBERi0xLjcK", b"<![CDATA[JVB]]>ERi0xLjcK",
     b"JV<?p i?>BERi0xLjcK"],
)  # fmt: skip
def test_no_way_of_writing_hides_a_document_in_a_message(document: bytes) -> None:
    data = b"<a><b>" + document + b"A" * 300 + b"</b></a>"
    found = convention_findings(read(data, to_judge=True), data, XBAU, now=NOW)
    assert [(finding.code, finding.path) for finding in found] == [("convention.document_inside", "/a/b")]


@pytest.mark.parametrize(
    "text",
    ["e\u0301", "e<!--c-->\u0301", "<!--c-->e<![CDATA[\u0301]]>", "e<?p i?>\u0301", "e&#x301;", "&#101;\u0301"],
)  # fmt: skip
def test_no_way_of_writing_hides_a_text_that_is_not_normal(text: str) -> None:
    data = f"<a><b>{text}</b></a>".encode()
    found = normal_form_findings(read(data, to_judge=True), data)
    assert [(finding.code, finding.path) for finding in found] == [("text.not_nfc", "/a/b")]


@pytest.mark.parametrize("text", ["Łódź", "a–b<!--c-->ü", "<!--c-->–"])
def test_a_comment_makes_no_text_abnormal(text: str) -> None:
    data = f"<!-- ü --><a><b>{text}</b></a>".encode()
    assert normal_form_findings(read(data, to_judge=True), data) == []

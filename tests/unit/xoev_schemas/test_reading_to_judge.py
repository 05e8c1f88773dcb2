"""What is only judged is read without white space between elements: no value, verdict or finding differs by it."""

from __future__ import annotations

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


def test_a_message_that_breaks_its_schema_is_described_as_it_was_sent(real: Registry, test_data: Path) -> None:
    data = (test_data / "xoev/xbau-2.6/instances/constructed-valid_baugenehmigung.antrag.0200.xml").read_bytes()
    broken = data.replace(b"<code>0200</code>", b"<code> <x/> 0200</code>")
    assert broken != data
    _, judgement = read_and_judged(real, broken, "application/xml", Limits(), None, NOW)
    assert judgement == judged(real, read(broken, to_judge=False), broken, None, NOW)
    assert not judgement.valid


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

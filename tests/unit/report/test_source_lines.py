"""The message as a report shows it: lines, hidden values, parts of wide lines."""

from __future__ import annotations

import time

import pytest
from broken_messages import MESSAGE

from xoev_schemas.report.source import HIDDEN, Line, Source


def shown(text: str, media_type: str = "application/xml", *, values: bool = False) -> list[str]:
    source = Source(text.encode(), media_type, values)
    lines = source.lines(dict.fromkeys(range(1, source.count + 1)), 10**9)
    return [joined(lines[number]) for number in sorted(lines)]


def joined(line: Line) -> str:
    return "".join(piece.text for piece in line.pieces)


def test_values_and_comments_are_hidden_and_every_column_stays() -> None:
    lines = shown(MESSAGE)
    assert "Geheimnis" not in "".join(lines)
    assert lines[0] == '<?xml version="1.0"?>'
    assert lines[1] == "<!-- ••••••••• •••• -->"
    assert lines[2] == '<a:antrag xmlns:a="urn:a" nr="••••••••••">'
    assert lines[3] == "  <name>••••••••• ••••</name>"
    assert [len(line) for line in lines] == [len(line) for line in MESSAGE.splitlines()]


def test_values_are_shown_where_that_is_wanted() -> None:
    assert shown(MESSAGE, values=True) == MESSAGE.splitlines()


@pytest.mark.parametrize(
    ("text", "lines"),
    [
        ("<a>\n<b c='x\ny'>1\n2</b></a>", ["<a>", "<b c='•", "•'>•", "•</b></a>"]),
        ("<a><![CDATA[<b>x</b>]]></a>", ["<a>••••••••••••••••••••</a>"]),
        ("<a>\r\n<b>x</b>\r\n</a>", ["<a>", "<b>•</b>", "</a>"]),
        ("<a>x", ["<a>•"]),
        ("<a b='x", ["•• ••••"]),
        ("<a <b>x</b>", ["•• <b>•</b>"]),
        ("<!-- x", ["<!-- •"]),
        ("<!-->", ["<!-->"]),
        ("<!DOCTYPE a SYSTEM 'x'>", ["<!••••••• • •••••• •••>"]),
        ("<?geheim x?>", ["<?•••••• •?>"]),
        ("<!", ["<!"]),
        ("<?", ["<?"]),
        ("", [""]),
        ("geheim", ["••••••"]),
    ],
)
def test_lines_are_right_in_messages_of_every_shape_also_broken_ones(text: str, lines: list[str]) -> None:
    assert shown(text) == lines


def test_in_json_names_are_shown_and_values_hidden() -> None:
    text = '{"name": "Geheim \\" : x",\n "list": [1, true, {"a": null}]}'
    assert shown(text, "application/json") == [
        '{"name": ••••••• •• • ••,',
        ' "list": [•, ••••, {"a": ••••}]}',
    ]


def test_a_byte_order_mark_is_no_character_of_the_message() -> None:
    assert shown("\ufeff<a/>") == ["<a/>"]


def test_only_the_lines_that_are_wanted_are_made() -> None:
    assert set(Source(MESSAGE.encode(), "text/xml").lines({2: None, 5: 3, 99: None})) == {2, 5}


@pytest.mark.parametrize("text", ["<!--" * 300_000, "<a b='" * 200_000, "<?" * 500_000, "<![CDATA[" * 100_000])
def test_a_broken_message_costs_no_more_than_a_good_one(text: str) -> None:
    began = time.monotonic()
    shown(text)
    assert time.monotonic() - began < 20, "grows with the square of the length"


@pytest.mark.parametrize(
    ("column", "front", "back"), [(1, "<", "…"), (None, "<", "…"), (502, "…", "…"), (1014, "…", ">"), (5000, "…", ">")]
)
def test_of_a_wide_line_the_part_around_the_column_is_shown(column: int | None, front: str, back: str) -> None:
    text = f"<{'n' * 500}>{'v' * 500}</{'n' * 9}>"
    line = Source(text.encode(), "text/xml", True).lines({1: column}, 40)[1]
    shown = joined(line)
    assert len(shown) <= 40
    assert (shown[0], shown[-1]) == (front, back)
    if column and column <= len(text):
        assert shown[column - 1 - line.cut] == text[column - 1]


def test_a_line_that_fits_is_shown_as_it_is() -> None:
    [line] = Source(b"<a>12</a>", "text/xml").lines({1: 3}, 9).values()
    assert (joined(line), line.cut) == (f"<a>{HIDDEN * 2}</a>", 0)


def test_an_endless_line_is_read_to_the_place_that_is_wanted_and_no_further() -> None:
    text = b"<a>" + b"<b c='d'>1</b>" * 1_000_000 + b"</a>"
    began = time.monotonic()
    line = Source(text, "text/xml").lines({1: 7_000_000})[1]
    assert time.monotonic() - began < 10
    assert len(line.pieces) < 300

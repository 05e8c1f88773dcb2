from __future__ import annotations

import contextlib
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping.nodes import JsonNode, Node, XmlNode
from gateway.mapping.values import KINDS, WrongValue, conversion, convert_constant
from xoev_schemas.documents import XmlDocument, parse


def xml(content: str) -> Node:
    document = parse(f"<m>{content}</m>".encode(), "application/xml")
    assert isinstance(document, XmlDocument)
    return XmlNode(document.root)


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("integer", "042", 42),
        ("decimal", "12.50", "12.5"),
        ("decimal", "1.234,50", "1234.5"),
        ("decimal", "0.00", "0"),
        ("decimal", "1000", "1000"),
        ("boolean", "1", True),
        ("boolean", "Nein", False),
        ("date", "17.5.1990", "1990-05-17"),
        ("date", "1990-05-17+02:00", "1990-05-17"),
        ("datetime", "2026-03-02T09:30:00+00:00", "2026-03-02T09:30:00Z"),
        ("datetime", "2026-03-02T09:30:00", "2026-03-02T09:30:00"),
        ("money", "12", {"amount": "12.00", "currency": "EUR"}),
        ("money", "0.125", {"amount": "0.125", "currency": "EUR"}),
        ("money", "1.234,50 €", {"amount": "1234.50", "currency": "EUR"}),
        ("partial-date", "1990", "1990"),
        ("partial-date", "1990-05Z", "1990-05"),
        ("partial-date", "17.05.1990", "1990-05-17"),
    ],
)
def test_a_text_becomes_the_value_it_stands_for(kind: str, text: str, value: Any) -> None:
    assert conversion(kind)(JsonNode(text)) == value
    assert convert_constant(kind, text) == value


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("integer", "1.5"),
        ("integer", "٣"),
        ("decimal", "1e5"),
        ("boolean", "yes"),
        ("date", "2026-02-30"),
        ("date", "1990-05"),
        ("datetime", "2026-03-02"),
        ("partial-date", "1990-13"),
        ("partial-date", "90"),
        ("money", "12 USD"),
    ],
)
def test_a_text_of_another_form_is_refused_without_being_repeated(kind: str, text: str) -> None:
    with pytest.raises(WrongValue) as refused:
        conversion(kind)(JsonNode(text))

    assert text not in str(refused.value)


@pytest.mark.parametrize(
    ("content", "value"),
    [
        ("<F60000000231V1.1.0>7</F60000000231V1.1.0><F60000000232>5</F60000000232>"
         "<F60000000233>1990</F60000000233>", "1990-05-07"),
        ("<F60000000232>5</F60000000232><F60000000233>1990</F60000000233>", "1990-05"),
        ("<F60000000233>1990</F60000000233>", "1990"),
        ("<teilbekanntesDatum><jahr>1990</jahr></teilbekanntesDatum>", "1990"),
        ("<teilbekanntesDatum><jahrMonat>1990-05</jahrMonat></teilbekanntesDatum>", "1990-05"),
        ("<jahrMonatTag>1990-05-07</jahrMonatTag>", "1990-05-07"),
        ("<jahr>1990</jahr><monat>5</monat>", "1990-05"),
    ],
)  # fmt: skip
def test_partly_known_dates_of_both_standards_become_the_known_part(content: str, value: str) -> None:
    assert conversion("partial-date")(xml(content)) == value


def test_a_day_without_its_month_is_refused_rather_than_dropped() -> None:
    with pytest.raises(WrongValue):
        conversion("partial-date")(xml("<F60000000231>7</F60000000231><F60000000233>1990</F60000000233>"))


@given(st.sampled_from(KINDS), st.text(max_size=40))
def test_any_text_gives_a_value_or_a_refusal_and_nothing_else(kind: str, text: str) -> None:
    with contextlib.suppress(WrongValue):
        conversion(kind)(JsonNode(text))


@given(st.decimals(allow_nan=False, allow_infinity=False, places=4, min_value=-(10**9), max_value=10**9))
def test_a_decimal_survives_as_the_same_number_however_it_was_written(number: Any) -> None:
    dotted = format(number, "f")
    german = dotted.replace(".", ",")

    assert Decimal(str(convert_constant("decimal", dotted))) == number
    assert convert_constant("decimal", dotted) == convert_constant("decimal", german)


@given(st.dates())
def test_a_date_is_the_same_in_german_and_in_iso(day: Any) -> None:
    german = f"{day.day:02}.{day.month:02}.{day.year:04}"

    assert convert_constant("date", german) == convert_constant("date", day.isoformat()) == day.isoformat()


@pytest.mark.parametrize(
    "inner", ["", " ", "\u00a0", "a", "<b/>", "<b> </b>", "<b>x</b>", " <b/>\n", "<b><c>1</c></b>"]
)
def test_filled_says_whether_there_is_any_text(inner: str) -> None:
    assert xml(inner).filled() == bool(xml(inner).text())


@pytest.mark.parametrize(
    "value", [{}, {"b": ""}, {"b": None}, {"b": [None, ""]}, {"b": {"c": 0}}, {"b": False}, "x", ""]
)
def test_filled_says_the_same_of_json(value: Any) -> None:
    assert JsonNode(value).filled() == bool(JsonNode(value).text())

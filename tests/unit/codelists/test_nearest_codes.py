"""Which code may have been meant."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from xoev_schemas.codelists import CodeLists
from xoev_schemas.codelists.nearest import nearest

KANAL = {"01": "E-Mail", "02": "Telefon Festnetz", "x-5": "Fax", "Ö": "Sonstiges"}


@pytest.mark.parametrize(
    ("sent", "meant"),
    [
        ("1", "01"),
        ("001", "01"),
        ("e mail", "01"),
        ("X5", "x-5"),
        ("x\u200b-5", "x-5"),
        ("ö", "Ö"),
        ("telefon-festnetz", "02"),
    ],
)
def test_what_differs_in_writing_only_is_found(sent: str, meant: str) -> None:
    assert nearest(KANAL, sent, 3) == [meant]


@pytest.mark.parametrize("sent", ["", " ", "-", "völlig anders", "9" * 100_000])
def test_nothing_is_found_where_nothing_is_near(sent: str) -> None:
    assert nearest(KANAL, sent, 3) == []


def test_in_a_long_list_typing_errors_are_found(published: CodeLists) -> None:
    ags = published.get("urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:ags", "2026-06-30")

    assert ags
    assert len(ags) > 10_000
    assert ags.nearest("5913000") == ["05913000"]  # the leading zero
    assert ags.nearest("05931000", n=10).count("05913000") == 1  # two digits exchanged
    assert ags.nearest("dortmund, stadt") == ["05913000"]


@given(st.dictionaries(st.text(min_size=1, max_size=8), st.text(max_size=8), max_size=8), st.text(max_size=12))
def test_only_codes_of_the_list_are_named_and_never_more_than_asked_for(labels: dict[str, str], sent: str) -> None:
    near = nearest(labels, sent, 2)

    assert len(near) <= 2
    assert set(near) <= set(labels)

"""Reading lists as their publishers write them."""

from __future__ import annotations

import contextlib
import json
import threading
import timeit
from pathlib import Path
from typing import Any

import pytest
from code_list_files import FARBEN, KEY, genericode, index, installed
from hypothesis import given
from hypothesis import strategies as st

from xoev_schemas.codelists import CodeList, CodeLists, NotACodeList, read_code_list, read_genericode

NS4 = "http://xoev.de/schemata/genericode/4"


def refusal(data: bytes) -> str:
    with pytest.raises(NotACodeList) as refused:
        read_code_list(data)
    [finding] = refused.value.findings
    assert finding.severity == "error"
    assert finding.text.de
    assert finding.remedy.de
    return finding.code


# --- as published --------------------------------------------------------------------------------------------------


def test_every_published_list_is_read_with_the_codes_that_its_index_counts(test_data: Path) -> None:
    rows = index(test_data)

    for row in rows:
        read = read_genericode((test_data / "codelists" / row["file"]).read_bytes())
        key = row["keyColumn"].split()[0].partition("->")[2]
        assert (read.uri, read.version, read.version_uri) == (
            row["canonicalUri"],
            row["version"],
            row["canonicalVersionUri"],
        )
        assert (read.key_column, len(read)) == (key, int(row["rows"])), row["file"]
        assert list(read.columns) == [column.rstrip("*") for column in row["columns"].split()]
        assert (read.agency or "") == row["agency"]
        assert all(read.has(code) for code in read.labels)
    assert len(rows) == 236


def test_every_generation_of_annotations_tells_from_when_a_list_is_valid(published: CodeLists) -> None:
    names = [
        ("urn:xoev-de:xjustiz:codeliste:gds.gerichte", "3.6", "2023-09-12"),  # genericode/4
        ("urn:xoev-de:bund:bmi:bit:codeliste:dvdv.praefix", "51", "2025-08-06"),  # 3 or 4
        ("urn:de:xoev:codeliste:erreichbarkeit", "1", "2014-01-01"),  # 1_0
    ]

    for uri, version, date in names:
        read = published.get(uri, version)
        assert read
        assert read.valid_from == date


def test_of_several_keys_the_one_marked_for_codes_counts(published: CodeLists) -> None:
    länder = published.get("urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:bundesland", "2010-04-01")

    assert länder
    assert länder.key_column == "SCHLUESSEL"
    assert länder.label("01") == "Schleswig-Holstein"
    assert not länder.has("Schleswig-Holstein")


def test_an_invisible_character_in_a_description_is_not_handed_on(published: CodeLists) -> None:
    nachrichten = published.get("urn:xoev-de:xbau:codeliste:xbau-nachrichten", "4.0")

    assert nachrichten
    assert nachrichten.label("0923") == "bauzustand.aeusserung.0923"


def test_versions_of_a_list_share_their_texts(published: CodeLists) -> None:
    old = published.get("urn:xoev-de:xbau:codeliste:anlagen", "2.1")
    new = published.get("urn:xoev-de:xbau:codeliste:anlagen", "3.0")

    assert old
    assert new
    assert old is not new
    assert old.label("9999") is new.label("9999")


def test_looking_up_takes_as_long_in_a_long_list_as_in_a_short_one(published: CodeLists) -> None:
    long = published.get("urn:de:bund:destatis:bevoelkerungsstatistik:schluessel:ags", "2026-06-30")
    short = published.get("urn:xoev-de:xwasser:codeliste:vertretungsart", "1")
    assert long
    assert short
    assert len(long) > 1000 * len(short)

    def fastest(codes: CodeList) -> float:
        return min(timeit.repeat(lambda: codes.has("no such code"), number=200, repeat=20))

    assert fastest(long) < 20 * fastest(short)


# --- forms ---------------------------------------------------------------------------------------------------------


def test_white_space_around_a_code_does_not_count_but_a_zero_does() -> None:
    farben = read_genericode(genericode([(" 01\n", "rot"), ("a  b", "blau")]))

    assert farben.has("01")
    assert farben.has("\t01 ")
    assert farben.has("a b")
    assert not farben.has("1")
    assert not farben.has("01\u00a0")
    assert farben.label(" 02") is None


def test_the_recommended_key_comes_before_the_first() -> None:
    marked = (
        '<Key Id="n"><ShortName>n</ShortName><ColumnRef Ref="beschreibung"/></Key>'
        f'<Key Id="k"><Annotation><AppInfo><x:recommendedKeyColumn xmlns:x="{NS4}"/></AppInfo></Annotation>'
        '<ShortName>k</ShortName><ColumnRef Ref="code"/></Key>'
    )
    unmarked = '<Key Id="k"><ColumnRef Ref="beschreibung"/><ColumnRef Ref="code"/></Key>' + KEY

    assert read_genericode(genericode(keys=marked)).key_column == "code"
    assert read_genericode(genericode(keys=unmarked)).key_column == "beschreibung"


def test_a_value_without_a_column_belongs_to_the_next_one() -> None:
    rows = """<SimpleCodeList>
      <Row><Value><SimpleValue>01</SimpleValue></Value><Value><SimpleValue>rot</SimpleValue></Value></Row>
      <Row><Value ColumnRef="code"><SimpleValue>02</SimpleValue></Value><Value/></Row></SimpleCodeList>"""

    assert dict(read_genericode(genericode(content=rows)).labels) == {"01": "rot", "02": ""}


def test_latin_1_is_read_where_the_bytes_are_latin_1() -> None:
    text = genericode().decode().replace("UTF-8", "ISO-8859-1")

    for encoding in ("iso-8859-1", "utf-8"):
        assert read_genericode(text.encode(encoding)).label("02") == "grün"


def repository_json(**changes: Any) -> bytes:
    column = {"datentyp": "string", "verwendung": {"code": "REQUIRED"}, "sprache": None}
    value = {
        "metadaten": {
            "kennung": f"{FARBEN}_1",
            "kennungInhalt": FARBEN,
            "version": "1",
            "nameLang": [{"value": "Farben", "lang": None}],
            "herausgebernameLang": "Beispielamt",
        },
        "spalten": [
            {"spaltennameTechnisch": "Nr", "codeSpalte": True, "empfohleneCodeSpalte": False, **column},
            {"spaltennameTechnisch": "Code", "codeSpalte": True, "empfohleneCodeSpalte": True, **column},
            {"spaltennameTechnisch": "Name", "codeSpalte": False, "empfohleneCodeSpalte": False, **column},
        ],
        "daten": [["1", "r", "rot"], ["2", "g", "grün"]],
    }
    return json.dumps(value | changes).encode()


def test_the_json_form_of_the_repository_is_read() -> None:
    farben = read_code_list(repository_json())

    assert (farben.uri, farben.version, farben.title, farben.agency) == (FARBEN, "1", "Farben", "Beispielamt")
    assert farben.key_column == "Code"
    assert dict(farben.labels) == {"r": "rot", "g": "grün"}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"<CodeList/>", "codelist.not_a_list"),
        (genericode().replace(b"gc:CodeList", b"gc:CodeListSet"), "codelist.not_a_list"),
        (genericode()[:-20], "xml.not_well_formed"),
        (b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]>' + genericode()[38:], "xml.doctype"),
        (genericode(uri=""), "codelist.incomplete"),
        (genericode(version=""), "codelist.incomplete"),
        (genericode(keys=""), "codelist.incomplete"),
        (genericode(keys=KEY.replace("code", "elsewhere")), "codelist.incomplete"),
        (genericode(content=""), "codelist.no_entries"),
        (genericode([]), "codelist.no_entries"),
        (b'{"spalten": []}', "codelist.not_a_list"),
        (b'{"spalten": [', "json.not_well_formed"),
        (repository_json(metadaten={}), "codelist.incomplete"),
        (repository_json(spalten=[{"spaltennameTechnisch": "x"}]), "codelist.incomplete"),
        (repository_json(daten=None), "codelist.no_entries"),
    ],
)
def test_what_cannot_be_checked_against_is_refused_with_the_reason(data: bytes, code: str) -> None:
    assert refusal(data) == code


@given(st.sampled_from([genericode(), repository_json()]), st.data())
def test_a_damaged_file_is_read_or_refused_and_nothing_else(whole: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(whole)))
    end = data.draw(st.integers(start, min(len(whole), start + 40)))
    damaged = whole[:start] + data.draw(st.binary(max_size=6)) + whole[end:]

    with contextlib.suppress(NotACodeList):
        assert len(read_code_list(damaged)) > 0


@pytest.mark.parametrize("value", [None, 1, "x", [], [1], {}, [[]], [{}], [None]])
@pytest.mark.parametrize("member", ["metadaten", "spalten", "daten"])
def test_json_of_another_shape_is_refused(member: str, value: object) -> None:
    assert refusal(repository_json(**{member: value})) in ("codelist.incomplete", "codelist.no_entries")


# --- many lists ----------------------------------------------------------------------------------------------------


def test_a_list_is_read_at_its_first_use_and_once_by_however_many_threads() -> None:
    reads: list[str] = []
    start = threading.Barrier(8)

    def bytes_of_farben() -> bytes:
        reads.append("read")
        return genericode()

    lists = CodeLists({(FARBEN, "1"): bytes_of_farben})
    assert reads == []
    found: list[CodeList | None] = []

    def ask() -> None:
        start.wait(timeout=10)
        found.append(lists.get(FARBEN, "1"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)

    assert reads == ["read"]
    assert len(found) == 8
    assert all(codes is found[0] and codes is not None for codes in found)


def test_versions_are_opaque_and_kept_apart() -> None:
    lists = installed(
        genericode(version="2"), genericode([("03", "blau")], version="10"), genericode(version="2023-02-24")
    )

    assert lists.versions(FARBEN) == ("2", "10", "2023-02-24")
    assert lists.versions("urn:other") == ()
    assert lists.get(FARBEN, "3") is None
    assert [codes.has("03") for codes in (lists.get(FARBEN, "2"), lists.get(FARBEN, "10")) if codes] == [False, True]

"""The page that `gateway validate --format html` writes."""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256

import pytest
from broken_messages import BIRTH, MESSAGE, checked
from lxml import html

from xoev_schemas.findings import Finding, Text
from xoev_schemas.report import page
from xoev_schemas.report.html import AROUND, WHOLE


def text_of(fragment: str, language: str) -> str:
    """What is read in one language."""
    tree = html.document_fromstring(fragment)
    other = "en" if language == "de" else "de"
    for element in tree.xpath(f"//body//*[@lang='{other}'] | //script | //head"):
        element.drop_tree()
    return " ".join(tree.text_content().split())


def test_the_page_loads_nothing_and_forbids_it() -> None:
    made = page([checked()])
    tree = html.document_fromstring(made)
    assert tree.xpath("//@src | //link | //img | //iframe | //object | //form | //@style") == []
    assert [href for href in tree.xpath("//@href") if not href.startswith("#")] == []
    [policy] = tree.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy.startswith("default-src 'none';")
    assert "unsafe" not in policy
    for tag in ("style", "script"):
        content = re.search(rf"<{tag}>(.*?)</{tag}>", made, re.DOTALL)
        assert content is not None
        assert f"{tag}-src 'sha256-{b64encode(sha256(content[1].encode()).digest()).decode()}'" in policy


def test_findings_stand_with_their_lines_in_the_order_of_the_message() -> None:
    tree = html.document_fromstring(page([checked()]))
    places = [
        (segment.xpath("string(.//ol/li/@value)"), len(segment.xpath(".//article")))
        for segment in tree.find_class("segment")
    ]
    assert places == [("1", 0), ("3", 1), ("5", 1)]
    [attribute, element] = tree.xpath("//mark")
    assert (attribute.text, element.text) == ("nr", "geburt")
    assert [li.get("class") for li in tree.xpath("//li[@value]")] == [None, None, "warning", None, "error", None]


def test_every_finding_can_be_jumped_to() -> None:
    tree = html.document_fromstring(page([checked(), checked()]))
    targets = [href[1:] for href in tree.xpath("//nav[@class='jumps']//@href")]
    assert sorted(targets) == sorted(article.get("id") for article in tree.iter("article"))
    assert len(targets) == 6
    ids = tree.xpath("//@id")
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "de",
            ["Nicht gültig", "Nicht angenommen", "1 Fehler, 1 Warnung, 1 Hinweis", "7 Zeichen: Buchstaben, Leerraum"],
        ),
        ("en", ["Not valid", "Not accepted", "1 error, 1 warning, 1 note", "7 characters: letters, white space"]),
    ],
)
def test_both_languages_are_in_it(language: str, words: list[str]) -> None:
    read = text_of(page([checked()]), language)
    assert [word for word in words if word not in read] == []


def test_it_begins_in_the_language_that_was_asked_for() -> None:
    assert '<html lang="en">' in page([checked()], "en")
    assert '<html lang="de">' in page([checked()], "de")


def test_nothing_of_the_message_or_a_finding_becomes_markup() -> None:
    evil = "<script>alert(1)</script>\"'&"
    finding = Finding("a.b", "error", "schema", Text(evil, evil), evil, 4, 3, evil, evil, Text(evil, evil), evil)
    made = page([checked(finding, message=MESSAGE.replace("gestern", "<script>alert(1)</script>"), values=True)])
    tree = html.document_fromstring(made)
    assert len(tree.xpath("//script")) == 1
    assert "alert(1)" not in tree.xpath("string(//script)")


def test_values_are_hidden_unless_they_are_wanted() -> None:
    assert "Geheimnis" not in page([checked()])
    assert "gestern" not in page([checked()])
    assert "Geheimnis" in page([checked(values=True)])


def test_of_a_large_message_only_the_surroundings_of_its_findings_are_shown() -> None:
    message = "<a>\n" + "<b>1</b>\n" * (WHOLE + 1000) + "</a>\n"
    findings = [Finding("a.b", "error", "schema", Text("x", "x"), "/a", line, 1) for line in (100, 103, 2000)]
    made = page([checked(*findings, message=message)])
    shown = [int(number) for number in html.document_fromstring(made).xpath("//li/@value")]
    assert shown == [*range(100 - AROUND, 103 + AROUND + 1), *range(2000 - AROUND, 2000 + AROUND + 1)]
    read = text_of(made, "en")
    assert f"{99 - AROUND} lines not shown" in read
    assert f"{2000 - AROUND - 103 - AROUND - 1} lines not shown" in read


def test_a_message_in_one_endless_line_makes_a_small_page() -> None:
    message = "<a>" + "<b>1</b>" * 500_000 + "</a>"
    made = page([checked(Finding("a.b", "error", "schema", Text("x", "x"), "/a/b[9]", 1, 2_000_000), message=message)])
    assert len(made) < 100_000
    assert "…" in made


def test_a_file_without_findings_says_so() -> None:
    report = checked(valid=True, accepted=True)
    clean = type(report).of("gut.xml", report.source, True, True, "xoev:muster/1.0", "antrag", [])
    read = text_of(page([clean]), "en")
    assert "✓ Valid" in read
    assert "✓ Accepted" in read
    assert "A service here takes this message." in read
    assert "no findings" in read


def test_several_files_are_listed_with_their_verdicts() -> None:
    tree = html.document_fromstring(page([checked(), checked(BIRTH, valid=None)]))
    assert tree.xpath("//nav[@class='files']//a/@href") == ["#file1", "#file2"]
    assert len(tree.find_class("file")) == 2

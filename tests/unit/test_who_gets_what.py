"""Data minimisation: fields and attachments against those who get them, and what nobody gets."""

from __future__ import annotations

from pathlib import Path

import pytest
from small_city import City

from gateway.packages.disclosure import Disclosure, disclosures
from gateway.services import Packages

CODE = "config.attachments_to_nobody"


@pytest.fixture
def city(tmp_path: Path) -> City:
    return City(tmp_path)


def disclosure(city: City) -> Disclosure:
    (only,) = disclosures(Packages.load([city.folder], city.registry), city.registry)
    return only


def takes_attachments(city: City, request: str = "") -> None:
    city.change("services/abholung/service.yaml", "attachments: {max_count: 0}\n", "")
    file = city.folder / "targets/amt/request.yaml"
    file.write_text(file.read_text() + request, encoding="utf-8")
    city.change(
        "targets/amt/amt.openapi.yaml",
        "additionalProperties: false\n",
        "additionalProperties: true\n",
    )
    city.change(
        "targets/amt/amt.openapi.yaml",
        "properties:\n",
        "properties:\n                anlagen: {type: array, items: {type: string}}\n"
        "                namen: {type: array, items: {type: string}}\n",
    )


def warnings(city: City) -> list[str]:
    return [finding.text.en for finding in city.findings() if finding.code == CODE]


def test_each_field_of_the_case_has_its_source_and_its_recipients(city: City) -> None:
    fields = {one.path: one for one in disclosure(city).fields}

    assert fields["data/things"].to == ("amt",)
    (source,) = fields["data/things"].sources["xsd:urn:example:abholung:1"]
    assert (source.path, source.times) == ("ding", "1..*")
    assert fields["applicants/person/familyName"].to == ()
    assert fields["applicants/role"].sources == {}


def test_a_field_of_the_message_that_nobody_gets_is_listed(city: City) -> None:
    (unread,) = disclosure(city).unread

    assert (unread.path, unread.in_case, unread.decides) == ("name", True, False)


def test_a_field_on_which_it_depends_who_gets_something_is_told_apart(city: City) -> None:
    city.change("targets/amt/target.yaml", "path: /faelle\n", "path: /faelle\nwhen: {path: data/who, equals: Muster}\n")
    city.change("services/abholung/mapping.yaml", "  data:\n", "  data:\n    who: {from: name}\n")

    told = disclosure(city)

    assert [one.decides for one in told.unread] == [True]
    assert [one.when and one.when.en for one in told.recipients] == ["data/who = Muster"]


def test_an_amount_of_money_goes_to_who_reads_a_part_of_it(city: City) -> None:
    city.change("services/abholung/mapping.yaml", "  data:\n", "  data:\n    price: {from: name, as: money}\n")
    city.change("targets/amt/request.yaml", "request:\n", "request:\n  preis: {from: data/price/amount}\n")

    assert {one.path: one.to for one in disclosure(city).fields}["data/price"] == ("amt",)


def test_a_service_that_takes_attachments_which_nobody_gets_is_warned_of(city: City) -> None:
    takes_attachments(city)

    assert warnings(city) == ["service abholung: attachments go to nobody (kind of submission: new)."]


def test_a_service_that_takes_none_is_not(city: City) -> None:
    assert warnings(city) == []
    assert not disclosure(city).takes_attachments


@pytest.mark.parametrize(
    "request_rule",
    [
        '  anlagen: {each: attachments, make: {"$attachment": {from: attachmentId}}}\n',
        "  anlagen: {attachments: all}\n",
    ],
)
def test_a_request_that_hands_all_of_them_on_is_enough(city: City, request_rule: str) -> None:
    takes_attachments(city, request_rule)

    assert warnings(city) == []
    assert [(one.what.en, one.shares) for one in disclosure(city).attachments] == [
        ("all attachments", {"amt": "content"})
    ]


@pytest.mark.parametrize(
    "request_rule",
    [
        '  anlagen: {each: "attachments[purpose=\'form\']", make: {"$attachment": {from: attachmentId}}}\n',
        "  anlagen:\n    each: attachments\n    make:\n      when: {path: purpose, equals: form}\n"
        '      "$attachment": {from: attachmentId}\n',
    ],
)
def test_purposes_that_nobody_gets_are_named(city: City, request_rule: str) -> None:
    takes_attachments(city, request_rule)

    (told,) = warnings(city)

    assert "for the purpose attachment, report, data go to nobody" in told
    assert [one.what.en for one in disclosure(city).attachments] == ["attachments for the purpose form"]


def test_names_of_attachments_are_not_their_content(city: City) -> None:
    takes_attachments(city, "  namen: {each: attachments, make: {from: filename}}\n")

    assert len(warnings(city)) == 1
    assert [one.shares for one in disclosure(city).attachments] == [{"amt": "about"}]


def test_attachments_that_a_field_refers_to_are_shown_with_the_field_and_are_not_all(city: City) -> None:
    takes_attachments(city, '  anlagen: {each: data/things, make: {"$attachment": {from: .}}}\n')

    assert len(warnings(city)) == 1
    assert [one.what.en for one in disclosure(city).attachments] == ["attachments that data/things refers to"]


def test_each_kind_of_submission_is_looked_at(city: City) -> None:
    takes_attachments(city, '  anlagen: {each: attachments, make: {"$attachment": {from: attachmentId}}}\n')
    (city.folder / "targets/amt/request-supplement.yaml").write_text("request: {namen: [x]}\n", encoding="utf-8")

    assert [told.rpartition("(")[2] for told in warnings(city)] == ["kind of submission: supplement)."]

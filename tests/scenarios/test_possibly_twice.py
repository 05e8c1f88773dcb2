"""Possibly twice: told, never dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from city import City, Shape, city

TARGET = "hundesteuer"


@pytest.fixture(scope="module")
def running(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    home = tmp_path_factory.mktemp("twice") / "home"
    with city(home, database_url=shape.database_url, broker_url=shape.broker_url) as running:
        yield running


def test_the_same_person_and_service_is_delivered_both_times_and_marked(running: City) -> None:
    # given: the same applicant, other data
    sample = running.sample()
    other = replace(sample, data=replace(sample.data, content=sample.data.content + b"\n"))
    first = running.accepted(sample)
    running.ended(first)
    # when
    second = running.accepted(other)
    ended = running.ended(second)
    # then
    assert running.delivery(second, TARGET).state == "delivered"
    assert [(one.submission_id, one.why) for one in ended.possibly_twice] == [(first, "person")]
    assert [(one.submission_id, one.why) for one in running.view(first).possibly_twice] == [(second, "person")]
    # then: it stands in the status, the history, the list and the case
    assert running.portal.status(second).body["possiblyTwice"] == [{"submissionId": first, "why": "person"}]
    events = [event for event in ended.events if event["kind"] == "submission.possibly_twice"]
    assert [event["details"] for event in events] == [{"others": [{"submissionId": first, "why": "person"}]}]
    store = running.gateway.store
    assert {(pair.submission_id, pair.other_id) for pair in store.matters.pairs(10)} == {(second, first)}
    assert store.verify_chain(second) == []
    # when: the same content again, by a sender that gives no better key
    third = running.accepted(sample)
    told = {(one.submission_id, one.why) for one in running.ended(third).possibly_twice}
    # then
    assert {(first, "content"), (first, "person"), (second, "person")} <= told
    assert running.delivery(third, TARGET).state == "delivered"


def test_a_supplement_of_the_same_matter_is_not_marked(running: City) -> None:
    sample = running.sample("year-of-birth-only-xml")
    first = running.portal.send(sample.data, sample.schema_uri).body
    running.ended(first["submissionId"])
    second = running.portal.send(sample.data, sample.schema_uri, case_id=first["caseId"]).body
    others = running.ended(second["submissionId"]).possibly_twice
    assert first["submissionId"] not in {one.submission_id for one in others if one.why == "person"}

"""Whole ways: from a portal over HTTP, through a running gateway, into the departments' own systems.

Every service that ships, three protocols, XML and JSON, in both shapes of an installation.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from city import City, Shape, city

from adapters.testkit import Received
from gateway.demo.samples import Sample, instances, shipped_samples
from gateway.portal import Answer
from gateway.store import DeliveryView

OWN_MEMBERS = {"FremdId", "Wiederholung"}  # the key and the mark of a repeat, which the adapter itself puts in
REFERENCE = {"submissionId", "service", "receivedAt", "caseUrl", "attachments", "caseId"}  # of a case to be fetched


class Way:
    """A city in which everything was sent once, and has ended."""

    def __init__(self, city: City, samples: list[Sample]) -> None:
        self.city = city
        self.answers: list[tuple[Sample, Answer]] = [(sample, city.send(sample)) for sample in samples]
        for _, answer in self.accepted:
            city.ended(answer.body["submissionId"])

    @property
    def accepted(self) -> list[tuple[Sample, Answer]]:
        return [(sample, answer) for sample, answer in self.answers if sample.expected == "accepted"]

    @property
    def delivered(self) -> Iterator[tuple[Sample, Answer, DeliveryView, Received]]:
        """Each delivery with what its system received under its id."""
        for sample, answer in self.accepted:
            for delivery in self.city.view(answer.body["submissionId"]).deliveries:
                if delivery.state == "delivered":
                    yield sample, answer, delivery, self._received(delivery)

    def reader(self, service: str) -> str:
        """The client whose token may fetch the cases of a service."""
        packages = self.city.gateway.packages
        department = packages.services[service].department
        return next(n for n, c in packages.clients.items() if c.kind == "department" and c.department == department)

    def _received(self, delivery: DeliveryView) -> Received:
        department = self.city.departments[delivery.target]
        found = [r for r in department.received if r.key == delivery.delivery_id]
        assert len(found) == 1, f"{delivery.target} has {len(found)} cases of one delivery"
        return found[0]


@pytest.fixture(scope="module")
def way(shape: Shape, schemas: Path, test_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Way]:
    home = tmp_path_factory.mktemp("way")
    shutil.copytree(schemas, home / "schemas")
    with city(home, database_url=shape.database_url, broker_url=shape.broker_url, services=()) as running:
        packages = running.gateway.packages
        samples = list(shipped_samples(packages))
        for folder in (test_data / "fim", test_data / "xoev" / "xbau-2.6"):
            samples += instances(folder, packages, running.gateway.checker, skip=frozenset())
        yield Way(running, samples)


def test_all_services_are_sent_in_xml_and_in_json(way: Way) -> None:
    assert {sample.service for sample, _ in way.accepted} == set(way.city.gateway.packages.services)
    forms = {(s.service, s.data.media_type) for s, _ in way.accepted}
    assert {("heimarbeit-erstbeschaeftigung", f"application/{form}") for form in ("xml", "json")} <= forms
    assert len(way.accepted) >= 16


def test_what_is_valid_is_accepted_and_delivered_to_every_target_of_its_service(way: Way) -> None:
    for sample, answer in way.accepted:
        assert answer.status == 202, (sample.name, answer.body)
        view = way.city.view(answer.body["submissionId"])
        assert {d.target for d in view.deliveries} == set(way.city.gateway.packages.services[sample.service].targets)
        assert {d.state for d in view.deliveries} <= {"delivered", "skipped"}, (sample.name, view.deliveries)
        # A target that takes no test messages gets none, and one with a condition of its own only what it wants.
        skipped = {d.target for d in view.deliveries if d.state == "skipped"}
        unconditional = {n for n in skipped if way.city.gateway.packages.targets[n].when is None}
        assert not unconditional or view.test, (sample.name, skipped)
        assert view.state == "completed"
        assert way.city.gateway.store.verify_chain(view.submission_id) == []


def test_what_is_not_valid_is_refused_with_findings_and_leaves_a_record_without_content(way: Way) -> None:
    refused = [(sample, answer) for sample, answer in way.answers if sample.expected == "rejected"]

    assert len(refused) >= 3
    for sample, answer in refused:
        assert answer.status == 422, sample.name
        assert [f for f in answer.body["findings"] if f["severity"] == "error"]


def test_each_case_is_in_its_department_system_under_the_id_of_its_delivery_once(way: Way) -> None:
    reached = {delivery.target for _, _, delivery, _ in way.delivered}

    assert reached == set(way.city.departments), "every target got something"
    adapters = {way.city.gateway.packages.targets[name].adapter for name in reached}
    assert adapters == {"soap", "rest", "amqp"}


def test_the_number_that_the_system_gave_is_the_one_that_the_portal_learns(way: Way) -> None:
    for _, answer, delivery, received in way.delivered:
        if way.city.gateway.packages.targets[delivery.target].adapter == "amqp":
            continue  # a queue gives no number
        status = way.city.portal.status(answer.body["submissionId"]).body
        told = next(d["references"] for d in status["deliveries"] if d["target"] == delivery.target)
        assert told == {
            "vorgangsnummer": received.references["number"],
            "aktenzeichen": received.references["file"],
        }


def test_what_is_kept_is_byte_for_byte_what_was_sent(way: Way) -> None:
    for sample, answer in way.accepted:
        submission_id = answer.body["submissionId"]
        assert b"".join(way.city.gateway.store.read_part(submission_id, "data")) == sample.data.content
        submission, _ = way.city.gateway.store.submission(submission_id)
        kept = {
            a.filename: b"".join(way.city.gateway.store.read_part(submission_id, a.part.name))
            for a in submission.attachments
        }
        assert kept == {file.name: file.content for file in sample.attachments}


def test_the_time_of_receipt_is_the_same_in_answer_status_case_and_request(way: Way) -> None:
    stated = 0
    for sample, answer, _, received in way.delivered:
        submission_id = answer.body["submissionId"]
        reader = {"Authorization": f"Bearer {way.city.token(way.reader(sample.service))}"}
        case = httpx.get(f"{way.city.url}/v1/submissions/{submission_id}/case", headers=reader).json()
        told = [answer.body["receivedAt"], way.city.portal.status(submission_id).body["receivedAt"], case["receivedAt"]]
        in_request = times_of_receipt(received.body)
        stated += len(in_request)
        assert {datetime.fromisoformat(text) for text in [*told, *in_request]} == {
            way.city.view(submission_id).received_at
        }
    assert stated > len(way.accepted), "most requests state it"


def test_a_target_gets_only_the_members_that_its_request_names(way: Way) -> None:
    for sample, _, delivery, received in way.delivered:
        gateway = way.city.gateway
        target = gateway.for_kind(
            gateway.packages.targets[delivery.target], gateway.store.delivery(delivery.delivery_id)
        )
        mapping = target.request_for(sample.service)
        assert mapping is not None
        named = members(yaml.safe_load(mapping.file.read_text(encoding="utf-8")))
        reference = target.adapter == "amqp" and target.config.settings.get("content") != "inline"
        allowed = REFERENCE if reference else named | OWN_MEMBERS
        assert members(received.body) <= allowed, (delivery.target, members(received.body) - allowed)


def test_the_statistics_office_learns_breed_and_place_and_nobody_s_name(way: Way) -> None:
    counted = [r.body for _, _, delivery, r in way.delivered if delivery.target == "hundestatistik"]

    assert counted
    assert {frozenset(body) for body in counted} == {frozenset({"postleitzahl", "hunde"})}
    assert "Muster" not in str(counted)


def members(value: Any) -> set[str]:
    """Every member name in a JSON-like value, however deep."""
    if isinstance(value, Mapping):
        return set(value).union(*map(members, value.values()))
    if isinstance(value, list):
        return set().union(*map(members, value))
    return set()


def times_of_receipt(value: Any) -> list[str]:
    if isinstance(value, Mapping):
        own = [v for k, v in value.items() if str(k).lower() in ("eingangszeitpunkt", "receivedat")]
        return [*own, *(t for v in value.values() for t in times_of_receipt(v))]
    return []

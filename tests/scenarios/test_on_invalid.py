"""What is not valid becomes what the service says: refused, put before the department, or delivered with findings."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from city import INVALID, City, city, dog_tax_packages
from sqlalchemy import create_engine, text

from gateway import pipeline
from gateway.errors import NotFound
from gateway.portal import Answer
from gateway.store.content import ContentErased


def error_codes(answer: Answer) -> list[str]:
    return [finding["code"] for finding in answer.body["findings"] if finding["severity"] == "error"]


def stored_bytes(running: City, submission_id: str) -> int:
    try:
        return sum(len(chunk) for chunk in running.gateway.store.read_part(submission_id, "data"))
    except (NotFound, ContentErased):
        return 0


def rejected_records(running: City) -> list[str]:
    """Ids of all submissions in the state `rejected`."""
    engine = create_engine(running.gateway.settings.effective_database_url)
    with engine.connect() as connection:
        rows = connection.execute(text("SELECT submission_id FROM submission WHERE state = 'rejected'")).all()
    engine.dispose()
    return [row[0] for row in rows]


def test_rejected_is_answered_422_with_every_finding_and_leaves_a_record_without_content(tmp_path: Path) -> None:
    packages = dog_tax_packages(tmp_path / "packages", service={"on_invalid": "reject"})
    with city(tmp_path / "home", packages=packages) as running:
        answer = running.send(running.sample(INVALID))

        assert answer.status == 422
        assert answer.headers["content-type"] == "application/problem+json"
        assert error_codes(answer) == ["schema.unexpected_element"]
        (record,) = rejected_records(running)
        view = running.view(record)
        assert (view.state, view.deliveries, view.final) == ("rejected", (), True)
        assert stored_bytes(running, record) == 0
        assert running.gateway.store.dead_letters() == [], "nobody has to do anything: the portal still has the form"


def test_to_be_clarified_is_accepted_at_its_time_and_lies_before_the_department_until_it_is_let_on(
    tmp_path: Path,
) -> None:
    packages = dog_tax_packages(tmp_path / "packages", service={"on_invalid": "clarify"})
    with city(tmp_path / "home", packages=packages) as running:
        # Given an invalid application to a service that clarifies
        answer = running.send(running.sample(INVALID))

        # Then the portal gets its receipt, and nothing goes to a system yet
        assert answer.status == 202
        assert answer.body["status"] == "clarify"
        submission_id, received_at = answer.body["submissionId"], answer.body["receivedAt"]
        status = running.portal.status(submission_id).body
        assert (status["status"], status["final"], status["deliveries"]) == ("clarify", False, [])
        letter = running.letter(submission_id)
        assert (letter.failure, letter.code, letter.delivery_id) == ("clarify", "schema.unexpected_element", None)
        assert letter.department == "stadtkasse"
        assert letter.submission_id in listed_by_the_command(running), "an operator sees it"

        # When a person lets it on
        service = running.gateway.packages.services[running.sample(INVALID).service]
        running.gateway.store.release(
            submission_id, service.targets, actor="clerk", reason="asked on the phone"
        ).result()

        # Then it is delivered, with the time at which it came
        assert {d.state for d in running.ended(submission_id).deliveries} == {"delivered"}
        assert running.portal.status(submission_id).body["receivedAt"] == received_at
        (entry,) = running.rest().received
        assert entry.body["eingangszeitpunkt"] == received_at
        assert running.gateway.store.dead_letters(submission_id=submission_id, state="open") == []


def listed_by_the_command(running: City) -> set[str]:
    """Submission ids in `gateway dead list`, run as an operator does, beside the running gateway."""
    environment = {**os.environ, "GATEWAY_HOME": str(running.gateway.settings.home)}
    command = [sys.executable, "-m", "gateway", "dead", "list", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return {letter["submissionId"] for letter in json.loads(done.stdout)}


def test_delivered_with_findings_reaches_every_system_and_says_that_it_is_not_valid(tmp_path: Path) -> None:
    packages = dog_tax_packages(tmp_path / "packages", service={"on_invalid": "deliver_with_findings"})
    with city(tmp_path / "home", packages=packages) as running:
        answer = running.send(running.sample(INVALID))

        assert answer.status == 202
        assert error_codes(answer) == ["schema.unexpected_element"]
        submission_id = answer.body["submissionId"]
        assert {d.state for d in running.ended(submission_id).deliveries} == {"delivered"}
        _, checked = running.gateway.store.submission(submission_id)
        assert (checked.valid, checked.decision) == (False, "accept")
        provenance = pipeline.case_of(running.gateway, submission_id)["provenance"]
        assert provenance["valid"] is False
        assert [f["code"] for f in provenance["findings"]] == [f.code for f in checked.findings]
        assert [f.code for f in checked.findings if f.severity == "error"] == ["schema.unexpected_element"]


def test_what_nobody_can_read_is_refused_whatever_the_service_says(tmp_path: Path) -> None:
    packages = dog_tax_packages(tmp_path / "packages", service={"on_invalid": "clarify"})
    with city(tmp_path / "home", packages=packages) as running:
        sample = running.sample()
        cut = replace(sample, data=replace(sample.data, content=sample.data.content[:-40]))

        answer = running.send(cut)

        assert answer.status == 400
        assert running.gateway.store.dead_letters() == []
        assert running.gateway.store.counts() == {}


@pytest.mark.parametrize("channel_wins", [True, False])
def test_the_choice_may_differ_by_channel(tmp_path: Path, channel_wins: bool) -> None:
    choice = {"rest": "clarify"} if channel_wins else {"xta": "deliver_with_findings"}
    packages = dog_tax_packages(tmp_path / "packages", service={"on_invalid": choice})
    with city(tmp_path / "home", packages=packages) as running:
        # Without a word about REST its default holds: the portal still has the form, so it is told at once.
        assert running.send(running.sample(INVALID)).status == (202 if channel_wins else 422)

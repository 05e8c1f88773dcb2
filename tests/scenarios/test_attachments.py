"""Attachments on their way: what is not what it says, malware, and a virus scanner that is away."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest
from city import City, Shape, city, dog_tax_packages, until
from clamd_server import EICAR, ClamdServer

from gateway.delivery import held
from gateway.demo.samples import Sample
from gateway.portal import File

EVIDENCE = "exemption-with-evidence-xml"
PDF = b"%PDF-1.7\n%\xe2\xe3\n"


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(held, "PAUSES", (0.2,))


def with_file(running: City, content: bytes, name: str = "nachweis.pdf", media_type: str = "application/pdf") -> Sample:
    """The sample that comes with one attachment, with this one instead."""
    sample = running.sample(EVIDENCE)
    [file] = sample.attachments
    return replace(sample, attachments=[File(name, content, media_type, file.attachment_id)])


def codes(answer: Any) -> list[tuple[str, str]]:
    return [(f["code"], f["severity"]) for f in answer.body.get("findings", [])]


@contextlib.contextmanager
def scanned_city(
    folder: Path, clamd: ClamdServer, shape: Shape | None = None, *, service: dict[str, Any] | None = None
) -> Iterator[City]:
    shape = shape or Shape()
    packages = dog_tax_packages(folder / "packages", service=service or {})
    with city(
        folder / "home",
        packages=packages,
        scanner=clamd.url,
        database_url=shape.database_url,
        broker_url=shape.broker_url,
    ) as running:
        yield running


# ------------------------------------------------------------------------------------------------- by its content


@pytest.mark.parametrize(
    ("content", "name", "media_type", "code"),
    [
        (b"MZ" + bytes(62) + b"PE", "rechnung.pdf", "application/pdf", "attachment.type_mismatch"),
        (PDF, "rechnung.exe", "application/pdf", "attachment.type_mismatch"),
        (b"<svg/>", "logo.svg", "image/svg+xml", "attachment.type_not_allowed"),
        (b"PK\x05\x06" + bytes(18), "archiv.zip", "application/octet-stream", "attachment.type_not_allowed"),
    ],
)
def test_what_is_not_what_it_says_or_not_wanted_is_refused_with_what_is_allowed(
    tmp_path: Path, content: bytes, name: str, media_type: str, code: str
) -> None:
    with city(tmp_path / "home") as running:
        sample = with_file(running, content, name, media_type)
        answer = running.send(sample)

        assert answer.status == 422
        assert codes(answer) == [(code, "error")]
        [finding] = answer.body["findings"]
        assert finding["path"] == f"attachment:{sample.attachments[0].attachment_id}"
        assert finding["layer"] == "attachment"
        assert finding["allowed"]
        assert name not in json.dumps(answer.body), "a file's name may be a person's"


def test_a_service_says_what_it_takes(tmp_path: Path) -> None:
    rules = {"allow": ["image/svg+xml"], "max_bytes": 20, "max_count": 0}
    packages = dog_tax_packages(tmp_path / "packages", service={"attachments": rules})
    with city(tmp_path / "home", packages=packages) as running:
        answer = running.send(with_file(running, b"<svg><script>x</script></svg>", "logo.svg", "image/svg+xml"))

        assert [code for code, _ in codes(answer)] == [
            "attachment.too_many",
            "attachment.too_large",
            "attachment.active_content",
        ]


# ------------------------------------------------------------------------------------------------------- malware


def test_malware_is_refused_where_the_portal_still_has_the_form_and_nothing_is_kept(
    tmp_path: Path, clamd: ClamdServer
) -> None:
    clamd.start()
    with scanned_city(tmp_path, clamd) as running:
        assert running.ended(running.accepted(with_file(running, PDF))).final, "harmless: delivered as ever"

        answer = running.send(with_file(running, PDF + bytes(2_000_000) + EICAR))

        assert answer.status == 422
        assert codes(answer) == [("attachment.infected", "error")]
        assert answer.body["findings"][0]["found"].startswith("Gateway.Eicar")
        metrics = httpx.get(f"{running.url}/metrics").text
        assert 'gateway_scans_total{result="infected"} 1.0' in metrics


@pytest.mark.parametrize("on_invalid", ["clarify", "deliver_with_findings"])
def test_malware_lies_before_a_person_where_nothing_is_refused_and_is_not_handed_out(
    tmp_path: Path, clamd: ClamdServer, on_invalid: str
) -> None:
    clamd.start()
    with scanned_city(tmp_path, clamd, service={"on_invalid": on_invalid}) as running:
        answer = running.send(with_file(running, PDF + EICAR))

        assert (answer.status, answer.body["status"]) == (202, "clarify")
        submission_id = answer.body["submissionId"]
        assert running.letter(submission_id).code == "attachment.infected"
        assert running.view(submission_id).deliveries == ()
        fetched = as_department(running, submission_id, "attachments/1")
        assert (fetched.status_code, fetched.json()["type"].rpartition(":")[2]) == (409, "attachment_infected")


def as_department(running: City, submission_id: str, what: str) -> httpx.Response:
    headers = {"Authorization": f"Bearer {running.token('demo-stadtkasse')}"}
    return httpx.get(f"{running.url}/v1/submissions/{submission_id}/{what}", headers=headers)


# ------------------------------------------------------------------------------------------- the scanner is away


def test_what_comes_while_the_scanner_is_away_is_held_and_delivered_when_it_is_back(
    tmp_path: Path, clamd: ClamdServer, shape: Shape
) -> None:
    clamd.stop()
    with scanned_city(tmp_path, clamd, shape) as running:
        # Given an application with an attachment while no scanner answers
        sample, key = with_file(running, PDF + os.urandom(3_000_000)), uuid.uuid4().hex
        answer = running.send(sample, key=key)

        # Then it has its receipt, and nobody has seen anything of it
        assert (answer.status, answer.body["status"]) == (202, "held")
        assert codes(answer) == [("attachment.scan_delayed", "info")]
        submission_id, received_at = answer.body["submissionId"], answer.body["receivedAt"]
        status = running.portal.status(submission_id).body
        assert (status["status"], status["final"], status["nextActor"], status["deliveries"]) == (
            "held",
            False,
            "gateway",
            [],
        )
        assert as_department(running, submission_id, "case").status_code == 409
        assert as_department(running, submission_id, "attachments/1").status_code == 409
        assert held_by_the_command(running) == {submission_id}
        assert "gateway_held_submissions 1.0" in httpx.get(f"{running.url}/metrics").text
        # And one without attachments goes its way
        assert running.ended(running.accepted()).final

        # When the scanner is back
        clamd.start()
        until(lambda: running.view(submission_id).state != "held", "it to be let on")

        # Then it is delivered with the time at which it came, and its history is whole
        assert {d.state for d in running.ended(submission_id).deliveries} <= {"delivered", "skipped"}
        assert running.portal.status(submission_id).body["receivedAt"] == received_at
        assert running.gateway.store.verify_chain(submission_id) == []
        assert held_by_the_command(running) == set()
        again = running.send(sample, key=key)
        assert (again.status, again.body) == (202, answer.body), "a repeat gets the first answer"


def held_by_the_command(running: City) -> set[str]:
    """Submission ids in `gateway held list`, run as an operator does, beside the running gateway."""
    settings = running.gateway.settings
    environment = {**os.environ, "GATEWAY_HOME": str(settings.home), "GATEWAY_DATABASE_URL": settings.database_url}
    command = [sys.executable, "-m", "gateway", "held", "list", "--json"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True)
    return {one["submissionId"] for one in json.loads(done.stdout)}


def test_malware_that_came_while_the_scanner_was_away_ends_before_a_person_also_where_the_service_rejects(
    tmp_path: Path, clamd: ClamdServer
) -> None:
    clamd.stop()
    with scanned_city(tmp_path, clamd, service={"on_invalid": "reject"}) as running:
        submission_id = running.accepted(with_file(running, PDF + EICAR))

        clamd.start()
        letter = running.letter(submission_id)

        assert (letter.code, letter.failure, letter.delivery_id) == ("attachment.infected", "clarify", None)
        view = running.view(submission_id)
        assert (view.state, view.deliveries) == ("clarify", ())
        _, checked = running.gateway.store.submission(submission_id)
        assert [f.code for f in checked.findings] == ["attachment.scan_delayed", "attachment.infected"]
        assert running.gateway.store.verify_chain(submission_id) == []


def test_what_breaks_its_standard_too_is_refused_at_once_or_clarified_when_it_is_scanned(
    tmp_path: Path, clamd: ClamdServer
) -> None:
    clamd.stop()
    with scanned_city(tmp_path, clamd) as running:
        assert running.send(with_file(running, b"no pdf")).status == 422, "a scan would change nothing"
    with scanned_city(tmp_path / "other", clamd, service={"on_invalid": "clarify"}) as running:
        answer = running.send(with_file(running, b"no pdf"))
        assert answer.body["status"] == "held"
        clamd.start()
        assert running.letter(answer.body["submissionId"]).code == "attachment.type_mismatch"


def test_a_gateway_that_ends_while_something_is_held_lets_it_on_after_its_start(
    tmp_path: Path, clamd: ClamdServer
) -> None:
    clamd.stop()
    with scanned_city(tmp_path, clamd) as running:
        submission_id = running.accepted(with_file(running, PDF))
    clamd.start()

    packages = tmp_path / "packages"
    with city(tmp_path / "home", packages=packages, scanner=clamd.url) as running:
        until(lambda: running.view(submission_id).state != "held", "it to be let on")
        assert {d.state for d in running.ended(submission_id).deliveries} <= {"delivered", "skipped"}

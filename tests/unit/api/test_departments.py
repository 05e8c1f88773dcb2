"""What a department fetches, and that every look is recorded."""

from __future__ import annotations

from typing import Any

import pytest
from intake_support import PDF, File, Sender, code_of, finish_deliveries, parts_for, sample

EVIDENCE = File(b"%PDF-1.7 " * 300_000, "Nachweis über 2 Hunde (Kopie).pdf")


@pytest.fixture(scope="module")
def accepted(sender: Sender) -> dict[str, Any]:
    data, media_type = sample("exemption-with-evidence-xml")
    small = File(EVIDENCE.content[:1_500_000], EVIDENCE.filename)
    answer: dict[str, Any] = sender.post(parts_for(data, media_type, [small])).json()
    return answer


def looks(sender: Sender, submission_id: str) -> list[Any]:
    events = sender.gateway.store.view(submission_id, events=True).events
    return [event for event in events if "demo-stadtkasse" in str(event)]


def test_a_department_gets_the_case_and_its_look_is_recorded(sender: Sender, accepted: dict[str, Any]) -> None:
    before = len(looks(sender, accepted["submissionId"]))
    answer = sender.get(f"/v1/submissions/{accepted['submissionId']}/case", "demo-stadtkasse")
    assert answer.status_code == 200, answer.text
    case = answer.json()
    assert (case["submissionId"], case["receivedAt"]) == (accepted["submissionId"], accepted["receivedAt"])
    assert case["attachments"][0]["filename"] == EVIDENCE.filename
    assert len(looks(sender, accepted["submissionId"])) == before + 1


def test_an_attachment_comes_byte_for_byte_and_can_only_be_saved(sender: Sender, accepted: dict[str, Any]) -> None:
    answer = sender.get(f"/v1/submissions/{accepted['submissionId']}/attachments/1", "demo-stadtkasse")
    assert answer.status_code == 200, answer.text
    assert answer.content == EVIDENCE.content[:1_500_000]
    assert answer.headers["content-disposition"] == (
        "attachment; filename=\"attachment-1\"; filename*=UTF-8''Nachweis%20%C3%BCber%202%20Hunde%20%28Kopie%29.pdf"
    )
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("number", ["2", "9999"])
def test_an_attachment_that_is_not_there_is_not_found(sender: Sender, accepted: dict[str, Any], number: str) -> None:
    path = f"/v1/submissions/{accepted['submissionId']}/attachments/{number}"
    assert code_of(sender.get(path, "demo-stadtkasse")) == (404, "not_found")


@pytest.mark.parametrize("number", ["0", "-1", "x", "10001"])
def test_an_attachment_number_that_is_none_is_refused(sender: Sender, accepted: dict[str, Any], number: str) -> None:
    path = f"/v1/submissions/{accepted['submissionId']}/attachments/{number}"
    assert code_of(sender.get(path, "demo-stadtkasse")) == (400, "parameter_invalid")


@pytest.mark.parametrize("what", ["case", "attachments/1"])
def test_only_the_department_it_belongs_to_sees_content(sender: Sender, accepted: dict[str, Any], what: str) -> None:
    path = f"/v1/submissions/{accepted['submissionId']}/{what}"
    before = len(looks(sender, accepted["submissionId"]))
    assert code_of(sender.get(path, "demo-jugendamt")) == (404, "not_found")
    assert code_of(sender.get(path, "demo-portal")) == (403, "client_kind_wrong"), "not even the portal that sent it"
    assert code_of(sender.http.get(path)) == (401, "token_missing")
    assert len(looks(sender, accepted["submissionId"])) == before


def test_a_department_sees_the_state_of_its_own_cases(sender: Sender, accepted: dict[str, Any]) -> None:
    path = f"/v1/submissions/{accepted['submissionId']}"
    assert sender.get(path, "demo-stadtkasse").json()["status"] == "accepted"
    assert code_of(sender.get(path, "demo-jugendamt")) == (404, "not_found")


def test_erased_content_is_gone_and_says_so(sender: Sender) -> None:
    data, media_type = sample("exemption-with-evidence-xml")
    submission_id = sender.post(parts_for(data, media_type, [File(PDF)])).json()["submissionId"]
    store = sender.gateway.store
    finish_deliveries(sender.gateway, submission_id)
    store.erase(submission_id, actor="test", reason="its time is over").result()
    answer = sender.get(f"/v1/submissions/{submission_id}/case", "demo-stadtkasse")
    assert code_of(answer) == (410, "content_erased")
    answer = sender.get(f"/v1/submissions/{submission_id}/attachments/1", "demo-stadtkasse")
    assert code_of(answer) == (410, "content_erased")
    assert sender.get(f"/v1/submissions/{submission_id}").status_code == 200, "the record stays"

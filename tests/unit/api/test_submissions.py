"""What a portal sees when it does everything right."""

from __future__ import annotations

import threading
from dataclasses import replace
from itertools import permutations

import pytest
from intake_support import LEIKA, PDF, PNG, File, PartOf, Sender, code_of, finish_deliveries, parts_for, sample


def test_a_valid_submission_is_accepted_with_a_place_to_ask_about_it(sender: Sender) -> None:
    answer = sender.send()
    assert answer.status_code == 202, answer.text
    accepted = answer.json()
    assert answer.headers["location"] == f"/v1/submissions/{accepted['submissionId']}"
    assert accepted["status"] == "accepted"
    assert accepted["receivedAt"].endswith("Z")
    status = sender.get(answer.headers["location"]).json()
    assert (status["caseId"], status["receivedAt"]) == (accepted["caseId"], accepted["receivedAt"])
    assert (status["final"], status["nextActor"], status["replies"]) == (False, "gateway", [])
    assert {d["status"] for d in status["deliveries"]} == {"queued"}


def test_what_is_stored_is_byte_for_byte_what_was_sent(sender: Sender) -> None:
    data, media_type = sample("one-dog-xml")
    data = data.rstrip(b"\n") + b"\r\n \n"
    file = File(PDF + bytes(range(256)) * 7000, "Übersicht.pdf")
    accepted = sender.post(parts_for(data, media_type, [file])).json()
    store = sender.gateway.store
    assert b"".join(store.read_part(accepted["submissionId"], "data")) == data
    submission, _ = store.submission(accepted["submissionId"])
    (attachment,) = submission.attachments
    assert (attachment.attachment_id, attachment.filename) == (file.identifier, "Übersicht.pdf")
    assert b"".join(store.read_part(accepted["submissionId"], attachment.part.name)) == file.content


@pytest.mark.parametrize("order", list(permutations(range(4))))
@pytest.mark.parametrize("by", ["identifier", "filename"])
def test_parts_may_come_in_any_order_and_attachments_by_id_or_name(
    sender: Sender, order: tuple[int, ...], by: str
) -> None:
    data, media_type = sample()
    files = [File(PDF + b"first", "eins.pdf"), File(PNG + b"second", "zwei.png", "image/png")]
    parts = parts_for(data, media_type, files)
    parts[2:] = [replace(part, filename=getattr(file, by)) for part, file in zip(parts[2:], files, strict=True)]
    answer = sender.post([parts[i] for i in order])
    assert answer.status_code == 202, answer.text
    submission, _ = sender.gateway.store.submission(answer.json()["submissionId"])
    contents = [
        b"".join(sender.gateway.store.read_part(submission.submission_id, a.part.name)) for a in submission.attachments
    ]
    assert contents == [file.content for file in files]


def test_metadata_1_0_carry_the_service_themselves(sender: Sender) -> None:
    data, media_type = sample()
    parts = parts_for(data, media_type, publicServiceType={"identifier": LEIKA}, **{"$schema": None})
    without_schema = parts[0].content.replace(b'"$schema": null, ', b"")
    answer = sender.post([replace(parts[0], content=without_schema), parts[1]])
    assert answer.status_code == 202, answer.text


def test_a_repeat_under_the_same_key_gets_the_same_answer_and_stores_nothing(sender: Sender) -> None:
    first = sender.send(key="5f0c-repeat")
    before = sender.stored()
    second = sender.send(key='"5f0c-repeat"')
    assert (second.status_code, second.json()) == (first.status_code, first.json())
    assert sender.stored() == before


def test_the_same_content_without_a_key_is_accepted_and_reported(sender: Sender) -> None:
    first = sender.send("three-dogs-xml").json()
    second = sender.send("three-dogs-xml").json()
    assert second["submissionId"] != first["submissionId"]
    assert second["suspectedDuplicateOf"] == first["submissionId"]


def test_a_supplement_joins_the_matter_that_an_earlier_answer_named(sender: Sender) -> None:
    first = sender.send().json()
    second = sender.send("year-of-birth-only-xml", caseId=first["caseId"]).json()
    assert second["caseId"] == first["caseId"]
    matter = sender.get("/v1/submissions", caseId=first["caseId"]).json()
    assert {s["submissionId"] for s in matter["submissions"]} == {first["submissionId"], second["submissionId"]}
    submission, _ = sender.gateway.store.submission(second["submissionId"])
    assert submission.kind == "supplement"


def test_nobody_can_put_something_into_a_strangers_matter(sender: Sender) -> None:
    first = sender.send().json()
    assert code_of(sender.send(caseId=first["caseId"], client_id="other")) == (400, "case_unknown")


def test_waiting_ends_with_the_outcome_when_it_is_delivered_in_time(sender: Sender) -> None:
    key = "wait-for-it"
    accepted = sender.send("mixed-breed-from-shelter-json", key=key).json()
    worker = threading.Thread(target=finish_deliveries, args=(sender.gateway, accepted["submissionId"]))
    worker.start()
    data, media_type = sample("mixed-breed-from-shelter-json")
    answer = sender.post(
        parts_for(data, media_type), headers={"Idempotency-Key": key, "Prefer": "respond-async, wait=20"}
    )
    worker.join()
    assert answer.status_code == 200, answer.text
    assert answer.headers["preference-applied"] == "wait=20"
    assert all(d["references"] == {"aktenzeichen": "AZ-1"} for d in answer.json()["deliveries"])
    assert (answer.json()["status"], answer.json()["final"]) == ("completed", True)


def test_waiting_in_vain_ends_with_the_acceptance(sender: Sender) -> None:
    data, media_type = sample()
    answer = sender.post(parts_for(data, media_type), headers={"Prefer": "wait=0"})
    assert answer.status_code == 202
    assert answer.headers["preference-applied"] == "wait=0"
    assert answer.json()["status"] == "accepted"


def test_invalid_data_is_refused_with_every_fault_at_once_and_no_content_kept(sender: Sender) -> None:
    before = sender.stored()
    answer = sender.send("invalid-breed-and-chip-number-xml")
    assert code_of(answer) == (422, "not_valid")
    assert len(answer.json()["findings"]) >= 2
    after = sender.stored()
    assert after.pop("submission") == before.pop("submission") + 1, "a record of the refusal is kept"
    assert after == before


def test_what_is_not_ones_own_looks_like_what_does_not_exist(sender: Sender) -> None:
    accepted = sender.send().json()
    path = f"/v1/submissions/{accepted['submissionId']}"
    mine = sender.get("/v1/submissions/00000000-0000-4000-8000-000000000000")
    theirs = sender.get(path, client_id="other")
    assert code_of(mine) == code_of(theirs) == (404, "not_found")
    assert mine.json()["findings"] == theirs.json()["findings"]
    assert code_of(sender.get("/v1/submissions", client_id="other", caseId=accepted["caseId"])) == (404, "not_found")


def test_a_key_that_is_being_handled_is_told_so(sender: Sender) -> None:
    api = sender.http.app.state.api  # type: ignore[attr-defined]
    api.running.add(("demo-portal", "busy"))
    try:
        answer = sender.send(key="busy")
    finally:
        api.running.discard(("demo-portal", "busy"))
    assert code_of(answer) == (409, "key_in_progress")
    assert answer.headers["retry-after"] == "1"


def test_every_answer_carries_the_security_headers(sender: Sender) -> None:
    for answer in (sender.http.get("/health/live"), sender.http.get("/nowhere"), sender.send()):
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["cache-control"] == "no-store"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
        assert "server" not in answer.headers


def test_an_attachment_larger_than_a_chunk_survives_beside_its_metadata(sender: Sender) -> None:
    data, media_type = sample()
    file = File(PDF + b"\x00\xff" * 900_000)
    parts: list[PartOf] = parts_for(data, media_type, [file])
    accepted = sender.post([parts[2], parts[1], parts[0]]).json()
    submission, _ = sender.gateway.store.submission(accepted["submissionId"])
    name = submission.attachments[0].part.name
    assert b"".join(sender.gateway.store.read_part(accepted["submissionId"], name)) == file.content

"""What a portal can find out beforehand: services, and whether a document would be accepted."""

from __future__ import annotations

import httpx
import pytest
from intake_support import LEIKA, LIMITS, SAMPLES, SCHEMA, SERVICE, Sender, code_of, sample

VALID = ["one-dog-xml", "one-dog-json"]
INVALID = [folder.name for folder in sorted(SAMPLES.glob("invalid-*"))]


def validate(sender: Sender, data: bytes, media_type: str, **params: str) -> httpx.Response:
    headers = {**sender.authorized(), "Content-Type": media_type}
    return sender.http.post("/v1/validate", content=data, headers=headers, params=params)


def test_a_portal_sees_what_it_may_send(sender: Sender) -> None:
    (service,) = sender.get("/v1/services").json()["services"]
    assert (service["name"], service["identifiers"], service["onInvalid"]) == (SERVICE, [LEIKA], "reject")
    assert service["schemas"] == [{"schema": SCHEMA, "from": None}]
    assert sender.get("/v1/services", "narrow").json() == {"services": []}


@pytest.mark.parametrize("name", VALID)
def test_a_valid_document_would_be_accepted(sender: Sender, name: str) -> None:
    before = sender.stored()
    (verdict,) = validate(sender, *sample(name)).json()
    assert (verdict["file"], verdict["valid"], verdict["accepted"], verdict["standard"]) == (None, True, True, SCHEMA)
    assert verdict["findings"] == []
    assert sender.stored() == before


@pytest.mark.parametrize("name", INVALID)
def test_an_invalid_document_is_told_why(sender: Sender, name: str) -> None:
    (verdict,) = validate(sender, *sample(name), schema=SCHEMA).json()
    assert (verdict["valid"], verdict["accepted"]) == (False, False)
    assert all(finding["text"]["de"] and finding["text"]["en"] for finding in verdict["findings"])


def test_what_is_valid_but_not_for_this_portal_would_not_be_accepted(sender: Sender) -> None:
    data, media_type = sample("one-dog-xml")
    headers = {**sender.authorized("narrow"), "Content-Type": media_type}
    (verdict,) = sender.http.post("/v1/validate", content=data, headers=headers).json()
    assert (verdict["valid"], verdict["accepted"]) == (True, False)


def test_what_cannot_be_read_is_not_valid_and_what_nobody_knows_is_neither(sender: Sender) -> None:
    (unreadable,) = validate(sender, b"<a", "application/xml").json()
    assert (unreadable["valid"], unreadable["accepted"]) == (False, False)
    assert unreadable["findings"][0]["layer"] == "parse"
    (unknown,) = validate(sender, b"<a/>", "application/xml").json()
    assert (unknown["valid"], unknown["accepted"], unknown["standard"]) == (None, False, None)


def test_only_xml_and_json_of_a_bearable_size_are_judged(sender: Sender) -> None:
    assert code_of(validate(sender, b"a", "text/plain")) == (415, "content_type_unsupported")
    too_large = b"<a>" + b" " * LIMITS.data_bytes + b"</a>"
    assert code_of(validate(sender, too_large, "application/xml")) == (413, "body_too_large")
    assert code_of(sender.http.post("/v1/validate", content=b"<a/>")) == (401, "token_missing")

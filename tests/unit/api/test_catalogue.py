"""What a portal can find out beforehand: services, and whether a document would be accepted."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import jsonschema_rs
import pytest
from intake_support import LEIKA, LIMITS, SAMPLES, SCHEMA, SERVICE, Sender, code_of, open_sender, sample

from gateway.api import openapi

VALID = ["one-dog-xml", "one-dog-json"]
INVALID = [folder.name for folder in sorted(SAMPLES.glob("invalid-*"))]


def validate(sender: Sender, data: bytes, media_type: str, **params: str) -> httpx.Response:
    headers = {**sender.authorized(), "Content-Type": media_type}
    return sender.http.post("/v1/validate", content=data, headers=headers, params=params)


def test_a_portal_sees_what_it_may_send(sender: Sender) -> None:
    (service,) = sender.get("/v1/services").json()["services"]
    assert (service["name"], service["identifiers"], service["onInvalid"]) == (SERVICE, [LEIKA], "reject")
    assert service["schemas"] == [{"schema": SCHEMA, "from": None}]
    allowed = service["attachments"]
    assert "application/pdf" in allowed["allow"]
    assert (allowed["maxBytes"], allowed["maxCount"]) == (LIMITS.attachment_bytes, LIMITS.attachments)
    assert sender.get("/v1/services", "narrow").json() == {"services": []}


def test_a_service_that_takes_nothing_now_is_not_offered(sender: Sender) -> None:
    packages = sender.gateway.packages
    waiting = replace(packages.services[SERVICE], inactive="fim:S1 is not installed")
    sender.gateway.packages = replace(packages, services={SERVICE: waiting})
    try:
        assert sender.get("/v1/services").json() == {"services": []}
    finally:
        sender.gateway.packages = packages


@pytest.mark.parametrize("name", VALID)
def test_a_valid_document_would_be_accepted(sender: Sender, name: str) -> None:
    before = sender.stored()
    (verdict,) = validate(sender, *sample(name)).json()
    assert (verdict["file"], verdict["valid"], verdict["accepted"], verdict["standard"]) == (None, True, True, SCHEMA)
    assert verdict["findings"] == [], "the package states the schema's rules, so none is left unevaluated"
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
    assert (unknown["findings"][0]["code"], unknown["findings"][0]["allowed"]) == ("schema.not_installed", SCHEMA)


def test_a_schema_that_is_not_installed_is_told_with_those_that_are(sender: Sender) -> None:
    (verdict,) = validate(sender, *sample("one-dog-xml"), schema="xoev:xbau/2.6").json()

    [finding] = verdict["findings"]
    assert (verdict["valid"], finding["code"], finding["path"]) == (None, "schema.not_installed", "schema")
    assert finding["allowed"] == SCHEMA


def test_without_an_account_a_document_is_judged_where_the_operators_allow_it(tmp_path: Path) -> None:
    data, media_type = sample("one-dog-xml")
    opened = open_sender(tmp_path, validate_open=True)
    sender = next(opened)

    (verdict,) = sender.http.post("/v1/validate", content=data, headers={"Content-Type": media_type}).json()
    bad = {"Content-Type": media_type, "Authorization": "Bearer nonsense"}

    assert (verdict["valid"], verdict["accepted"]) == (True, True)
    assert code_of(sender.http.post("/v1/validate", content=data, headers=bad)) == (401, "token_invalid")
    assert code_of(sender.http.get("/v1/services")) == (401, "token_missing")
    opened.close()


@pytest.mark.parametrize("name", ["one-dog-xml", INVALID[0]])
def test_the_verdict_has_the_form_that_the_description_promises(sender: Sender, name: str) -> None:
    verdicts = [validate(sender, *sample(name)).json(), validate(sender, b"<a", "application/xml").json()]
    schema: dict[str, Any] = {"type": "array", "items": {"$ref": "#/components/schemas/Verdict"}}
    schema["components"] = {"schemas": openapi.SCHEMAS}

    for verdict in verdicts:
        jsonschema_rs.validate(schema, verdict)
        assert set(verdict[0]) == set(openapi.SCHEMAS["Verdict"]["properties"])
        for finding in verdict[0]["findings"]:
            assert set(finding) == set(openapi.SCHEMAS["Finding"]["properties"])


def test_only_xml_and_json_of_a_bearable_size_are_judged(sender: Sender) -> None:
    assert code_of(validate(sender, b"a", "text/plain")) == (415, "content_type_unsupported")
    too_large = b"<a>" + b" " * LIMITS.data_bytes + b"</a>"
    assert code_of(validate(sender, too_large, "application/xml")) == (413, "body_too_large")
    assert code_of(sender.http.post("/v1/validate", content=b"<a/>")) == (401, "token_missing")

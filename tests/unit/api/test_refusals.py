"""A refusal says what would have been allowed, where, and can be found in the log by its instance."""

from __future__ import annotations

import json
import logging
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from intake_support import (
    BOUNDARY,
    CANARY,
    LEIKA,
    LIMITS,
    SCHEMA,
    PartOf,
    Sender,
    body,
    code_of,
    open_sender,
    parts_for,
    sample,
)

from gateway.api.server import listen, serve_in_thread

DATA, MEDIA_TYPE = sample()
PARTS = parts_for(DATA, MEDIA_TYPE)


def told(answer: Any) -> tuple[int, str, str, str | None]:
    """Status, code, place and what is allowed, of the first finding."""
    status, code = code_of(answer)
    finding = answer.json()["findings"][0]
    return status, code, finding["path"], finding["allowed"]


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        ({"kind": "neu"}, ("parameter_invalid", "kind", "new, supplement, change, withdraw")),
        ({"kind": "withdraw"}, ("parameter_missing", "caseId", "kind=new")),
        ({"caseId": "a b"}, ("parameter_invalid", "caseId", "pattern ^[A-Za-z0-9-]{1,64}$")),
        ({"service": "x" * 256}, ("parameter_invalid", "service", "maxLength 255")),
        ({"servcie": "x"}, ("parameter_unknown", "servcie", "service, caseId, kind")),
        ({CANARY: "x"}, ("parameter_unknown", "*", "service, caseId, kind")),
        ({"kind": ["new", "new"]}, ("parameter_invalid", "kind", "1 ×")),
    ],
)
def test_a_wrong_parameter_of_a_submission_names_those_that_are_right(
    sender: Sender, params: dict[str, Any], expected: tuple[str, str, str]
) -> None:
    answer = sender.post(PARTS, **params)

    assert told(answer) == (400, *expected)
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    ("path", "params", "expected"),
    [
        ("/v1/submissions", {}, ("parameter_missing", "caseId", None)),
        ("/v1/submissions", {"caseid": "1"}, ("parameter_unknown", "caseid", "caseId")),
        ("/v1/submissions", {"caseId": "§"}, ("parameter_invalid", "caseId", "pattern ^[A-Za-z0-9-]{1,64}$")),
        ("/v1/services", {"all": "1"}, ("parameter_unknown", "*", None)),
        (f"/v1/submissions/{'0' * 32}/case", {"lang": "de"}, ("parameter_unknown", "*", None)),
        (f"/v1/submissions/{'0' * 32}/attachments/x", {}, ("parameter_invalid", "number", "integer")),
        (f"/v1/submissions/{'0' * 32}/attachments/0", {}, ("parameter_invalid", "number", "≥ 1")),
    ],
)
def test_a_wrong_parameter_of_a_question_names_those_that_are_right(
    sender: Sender, path: str, params: dict[str, str], expected: tuple[str, str, str | None]
) -> None:
    assert told(sender.get(path, **params)) == (400, *expected)


def test_a_misspelt_parameter_is_told_the_nearest(sender: Sender) -> None:
    [finding] = sender.post(PARTS, servcie="x").json()["findings"]

    assert finding["remedy"] == {"de": "Meinten Sie „service“?", "en": "Did you mean 'service'?"}


def test_what_cannot_be_found_names_what_this_client_may_send(sender: Sender) -> None:
    pointer = "/contentStructure/data/submissionSchema/schemaUri"
    other_schema = parts_for(DATA, MEDIA_TYPE, schema_uri="fim:S05000001299V1.0.0")

    assert told(sender.post(PARTS, service="urn:x:1")) == (422, "service_unknown", "service", LEIKA)
    assert told(sender.post(other_schema)) == (422, "schema_not_accepted", pointer, SCHEMA)


def test_a_client_is_told_its_own_services_only(sender: Sender) -> None:
    other_schema = parts_for(DATA, MEDIA_TYPE, schema_uri="fim:S05000001299V1.0.0")

    assert told(sender.post(PARTS, client_id="narrow")) == (403, "service_not_allowed", "service", None)
    assert told(sender.post(PARTS, client_id="narrow", service="urn:x:1"))[3] is None
    assert told(sender.post(other_schema, client_id="narrow"))[3] is None


@pytest.mark.parametrize("cut", ["metadata", "data"])
def test_a_body_that_breaks_off_names_the_part(sender: Sender, cut: str) -> None:
    whole = body(PARTS if cut == "data" else PARTS[:1])
    broken = whole[: -len(f"\r\n--{BOUNDARY}--\r\n") - 5]

    assert told(sender.post(broken))[:3] == (400, "multipart_malformed", cut)


def test_metadata_that_cannot_be_read_are_not_called_data(sender: Sender) -> None:
    answer = sender.post([PartOf("metadata", b"{", "application/json"), PARTS[1]])

    assert told(answer)[:3] == (400, "metadata_invalid", "metadata")


def test_a_method_that_is_not_meant_names_those_that_are(sender: Sender) -> None:
    answer = sender.http.delete("/v1/services")

    assert told(answer) == (405, "method_not_allowed", "", "GET")
    assert answer.headers["allow"] == "GET"


def test_a_header_that_is_too_large_is_told_the_bounds(sender: Sender) -> None:
    answer = sender.http.get("/v1/services", headers={"X-Large": "x" * LIMITS.header_bytes})

    assert told(answer) == (431, "headers_too_large", "", f"≤ {LIMITS.header_bytes} bytes, ≤ {LIMITS.headers} fields")


# ------------------------------------------------------------------------------------------------ the log


@pytest.fixture
def lines() -> Iterator[list[dict[str, Any]]]:
    """What is logged, before it is rendered."""
    with structlog.testing.capture_logs() as captured:
        yield captured  # type: ignore[misc]


@pytest.mark.parametrize(
    ("ask", "code", "client", "route"),
    [
        (lambda s: s.send("invalid-breed-and-chip-number-xml"), "not_valid", "demo-portal", "/v1/submissions"),
        (lambda s: s.post(PARTS, kind="x"), "parameter_invalid", "demo-portal", "/v1/submissions"),
        (lambda s: s.http.get("/v1/services"), "token_missing", None, "/v1/services"),
        (lambda s: s.get("/v1/submissions"), "parameter_missing", "demo-portal", "/v1/submissions"),
        (lambda s: s.http.get("/v1/submissions"), "token_missing", None, "/v1/submissions"),
        (lambda s: s.http.get(f"/{CANARY}"), "not_found", None, "other"),
    ],
)
def test_a_refusal_has_one_line_in_the_log_that_its_instance_finds(
    sender: Sender, lines: list[dict[str, Any]], ask: Any, code: str, client: str | None, route: str
) -> None:
    answer = ask(sender)

    [line] = [line for line in lines if line["event"] == "request.refused"]
    assert line["instance"] == answer.json()["instance"]
    assert (line["status"], line["code"], line["client"]) == (answer.status_code, code, client)
    assert line["route"] == route
    assert CANARY not in json.dumps(line)


def test_a_refusal_before_the_application_is_in_the_log_too(
    tmp_path: Path, lines: list[dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.CRITICAL)
    sender = next(opened := open_sender(tmp_path))
    with (
        listen("127.0.0.1", 0) as listener,
        serve_in_thread(sender.http.app, LIMITS, listener),
        socket.create_connection(listener.getsockname()) as connection,
    ):
        connection.sendall(b"GET / HTTP/1.1\r\n\r\n")
        answer = b"".join(iter(lambda: connection.recv(65536), b""))
    opened.close()

    problem = json.loads(answer.partition(b"\r\n\r\n")[2])
    [line] = [line for line in lines if line["event"] == "request.refused"]
    assert (line["instance"], line["code"]) == (problem["instance"], "request_malformed")

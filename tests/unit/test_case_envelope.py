"""What the gateway itself says in a case: beside the message, and about time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import pytest

from adapters.periods import parse_period
from gateway.case import case_schema, complete, envelope
from gateway.packages.deadlines import last_day
from gateway.submission import Checked, Submission

RECEIVED = datetime(2026, 11, 24, 10, 0, tzinfo=UTC)
PAID = {
    "transactionId": "7f3a-11",
    "transactionReference": "9001.0001.2233",
    "paymentMethod": "CREDITCARD",
    "status": "BOOKED",
    "transactionTimestamp": "2026-11-24T09:59:00Z",
    "grossAmount": 10.2,
}


def told(metadata: Mapping[str, Any], **more: Any) -> dict[str, Any]:
    submission = Submission(
        submission_id="00000000-0000-4000-8000-000000000001",
        channel="rest",
        client="demo-portal",
        inbox_key=None,
        received_at=RECEIVED,
        schema_uri="urn:example",
        media_type="application/json",
        data=b"{}",
        metadata=metadata,
        metadata_version="2.1.0",
        digest="",
    )
    checked = Checked("beispiel", "amt", "fim:S99000000001V1.0.0", "", True, "accept")
    return envelope(submission, checked, package_version="abc", **more)


def test_what_the_metadata_say_of_payment_reply_and_consent_stands_in_the_case() -> None:
    case = told(
        {
            "paymentInformation": PAID,
            "replyChannel": {"idBundDeMailbox": {"mailboxUuid": "2e9b0c5a-0000-4000-8000-000000000000"}},
            "additionalReferenceInfo": {"zustimmungZumDigitalenBescheid": False},
        },
        region="059130000000",
    )

    jsonschema_rs.validator_for(dict(case_schema()), validate_formats=True).validate(case)
    assert case["payment"] == {
        "transactionId": "7f3a-11",
        "transactionReference": "9001.0001.2233",
        "method": "CREDITCARD",
        "status": "BOOKED",
        "paidAt": "2026-11-24T09:59:00Z",
        "amount": {"amount": "10.20", "currency": "EUR"},
    }
    assert case["replyChannel"] == {"type": "bundid-mailbox", "address": "2e9b0c5a-0000-4000-8000-000000000000"}
    assert case["consent"] == {"electronicNotice": False}


def test_metadata_that_say_nothing_leave_nothing_in_the_case() -> None:
    assert not {"payment", "replyChannel", "consent", "authentication", "region", "deadlines"} & told({}).keys()


def test_a_mapping_fills_what_the_channel_left_open_and_falsifies_nothing() -> None:
    channel = told({"paymentInformation": PAID, "replyChannel": {"eMail": {"address": "a@example.org"}}})
    made = {
        "payment": {"status": "FAILED", "transactionId": "other"},
        "replyChannel": {"type": "post"},
        "consent": {"electronicNotice": True},
        "receivedAt": "1999-01-01T00:00:00Z",
    }

    case = complete(made, channel)

    assert (case["payment"]["status"], case["payment"]["transactionId"]) == ("BOOKED", "7f3a-11")
    assert case["replyChannel"] == {"type": "email", "address": "a@example.org"}
    assert case["consent"] == {"electronicNotice": True}
    assert case["receivedAt"] == "2026-11-24T10:00:00Z"


def test_a_region_in_the_message_is_more_exact_than_the_service_s() -> None:
    assert complete({"region": "059130000000"}, told({}, region="05"))["region"] == "059130000000"


@pytest.mark.parametrize(
    ("duration", "received", "region", "expected"),
    [
        pytest.param("P1M", "2026-01-31T10:00:00+00:00", "05", "2026-03-02", id="31 February is 28, a Saturday"),
        pytest.param("P3M", "2026-02-01T10:00:00+00:00", "05", "2026-05-04", id="1 May is a holiday, then a weekend"),
        pytest.param("P1M", "2026-05-04T10:00:00+00:00", "05", "2026-06-05", id="Corpus Christi in NRW"),
        pytest.param("P1M", "2026-05-04T10:00:00+00:00", "02", "2026-06-04", id="a working day in Hamburg"),
        pytest.param("P1M", "2026-05-04T10:00:00+00:00", None, "2026-06-04", id="without a region"),
        pytest.param("P7D", "2026-11-23T23:30:00+00:00", "05", "2026-12-01", id="received after midnight in Berlin"),
    ],
)
def test_a_time_limit_ends_on_a_working_day_of_the_land(
    duration: str, received: str, region: str | None, expected: str
) -> None:
    assert last_day(parse_period(duration), datetime.fromisoformat(received), region) == expected


def members(node: Mapping[str, Any], path: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, member in node.get("properties", {}).items():
        yield f"{path}/{name}", member
        yield from members(member, f"{path}/{name}")
    if isinstance(node.get("items"), dict):
        yield from members(node["items"], f"{path}[]")


def test_every_member_of_a_case_has_title_and_description_in_german_and_english() -> None:
    schema = case_schema()
    found = [*members(schema, ""), *(m for name, d in schema["$defs"].items() for m in [(name, d), *members(d, name)])]

    lacking = [
        f"{path}: {language} {word}"
        for path, member in found
        for language, texts in (("en", member), ("de", member.get("x-de", {})))
        for word in ("title", "description")
        if not texts.get(word)
    ]

    assert len(found) > 100, json.dumps([path for path, _ in found])
    assert not lacking

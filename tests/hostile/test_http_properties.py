"""Laws of the HTTP interface, whatever is sent; and the whole interface against its own description."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from intake_support import BOUNDARY, PDF, PNG, File, PartOf, Sender, body, code_of, metadata, parts_for, sample, sha512
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

DATA, MEDIA_TYPE = sample()
FILES = [File(PDF + b"one", "eins.pdf"), File(PNG + bytes(range(256)), "zwei.png", "image/png")]
RIGHT = parts_for(DATA, MEDIA_TYPE, FILES)
BODY = body(RIGHT)
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow], phases=[Phase.generate])


def pieces_of(content: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted({cut % (len(content) + 1) for cut in cuts}), len(content)]
    return [content[a:b] for a, b in itertools.pairwise(places)]


def post_in_pieces(sender: Sender, pieces: list[bytes]) -> Any:
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **sender.authorized()}
    return sender.http.post("/v1/submissions", content=iter(pieces), headers=headers)


@QUICK
@given(cuts=st.lists(st.integers(0, len(BODY)), max_size=30))
def test_where_the_network_cuts_a_body_makes_no_difference(sender: Sender, cuts: list[int]) -> None:
    answer = post_in_pieces(sender, pieces_of(BODY, cuts))
    assert answer.status_code == 202, answer.text
    submission, _ = sender.gateway.store.submission(answer.json()["submissionId"])
    assert submission.data == DATA
    for attachment, file in zip(submission.attachments, FILES, strict=True):
        assert b"".join(sender.gateway.store.read_part(submission.submission_id, attachment.part.name)) == file.content


@QUICK
@given(end=st.integers(0, len(BODY) - 5))
def test_a_body_cut_short_anywhere_is_refused_and_leaves_nothing(sender: Sender, end: int) -> None:
    before = sender.stored()
    assert code_of(sender.post(BODY[:end])) == (400, "multipart_malformed")
    assert sender.stored() == before


@QUICK
@given(junk=st.binary(max_size=2000))
def test_junk_is_refused_and_leaves_nothing(sender: Sender, junk: bytes) -> None:
    before = sender.stored()
    assert code_of(sender.post(junk))[0] == 400
    assert sender.stored() == before


@QUICK
@given(place=st.integers(0, len(DATA) - 1), byte=st.integers(1, 255))
def test_one_changed_byte_of_the_data_is_noticed(sender: Sender, place: int, byte: int) -> None:
    changed = bytearray(DATA)
    changed[place] ^= byte
    before = sender.stored()
    answer = sender.post([RIGHT[0], replace(RIGHT[1], content=bytes(changed)), *RIGHT[2:]])
    assert code_of(answer) == (400, "hash_mismatch")
    assert sender.stored() == before


@QUICK
@given(chosen=st.lists(st.sampled_from(range(len(RIGHT))), max_size=6))
def test_only_every_part_exactly_once_is_accepted(sender: Sender, chosen: list[int]) -> None:
    before = sender.stored()
    answer = sender.post([RIGHT[i] for i in chosen])
    if sorted(chosen) == list(range(len(RIGHT))):
        assert answer.status_code == 202, answer.text
    else:
        assert code_of(answer)[0] == 400
        assert sender.stored() == before


@QUICK
@given(name=st.text(max_size=300), content=st.binary(max_size=300))
def test_any_attachment_is_kept_exactly_or_refused_whole(sender: Sender, name: str, content: bytes) -> None:
    file = File(PDF + content, name)
    value = metadata(DATA, MEDIA_TYPE, [file])
    before = sender.stored()
    answer = sender.post(
        [
            PartOf("attachment", file.content, filename=file.identifier),
            PartOf("data", DATA, MEDIA_TYPE),
            PartOf("metadata", json.dumps(value).encode(), "application/json"),
        ]
    )
    if answer.status_code != 202:
        assert code_of(answer) == (400, "filename_unsafe")
        assert sender.stored() == before
        return
    submission, _ = sender.gateway.store.submission(answer.json()["submissionId"])
    (attachment,) = submission.attachments
    assert (attachment.filename, attachment.part.sha512) == (name, sha512(file.content))


@QUICK
@given(data=st.data())
def test_the_same_key_with_the_same_content_is_one_submission_however_it_is_sent(
    sender: Sender, data: st.DataObject
) -> None:
    key = data.draw(st.uuids()).hex
    orders = data.draw(st.lists(st.permutations(RIGHT), min_size=2, max_size=3))
    answers = [sender.post(order, headers={"Idempotency-Key": key}) for order in orders]
    assert {a.status_code for a in answers} == {202}
    assert len({a.text for a in answers}) == 1


OPERATIONS = [
    ("POST", "/v1/submissions"),
    ("GET", "/v1/submissions"),
    ("GET", "/v1/submissions/{submission_id}"),
    ("GET", "/v1/submissions/{submission_id}/case"),
    ("GET", "/v1/submissions/{submission_id}/proof"),
    ("GET", "/v1/submissions/{submission_id}/attachments/{number}"),
    ("GET", "/v1/services"),
    ("GET", "/v1/keys/audit"),
    ("POST", "/v1/validate"),
    ("GET", "/health/live"),
    ("GET", "/health/ready"),
    ("GET", "/metrics"),
    ("GET", "/.well-known/jwks.json"),
    ("POST", "/oauth/token"),
]


WITHOUT_PARAMETERS = ("/health/live", "/health/ready", "/metrics", "/.well-known/jwks.json", "/v1/keys/audit")
RIGHT_WAY, WRONG_WAY = schemathesis.GenerationMode.POSITIVE, schemathesis.GenerationMode.NEGATIVE
TRIALS = [
    *((method, path, RIGHT_WAY) for method, path in OPERATIONS),
    *((method, path, WRONG_WAY) for method, path in OPERATIONS if path not in WITHOUT_PARAMETERS),
]


@pytest.fixture(scope="module")
def described(sender: Sender) -> Any:
    return schemathesis.openapi.from_asgi("/openapi.json", sender.http.app)


def test_every_operation_of_the_description_is_tried(described: Any) -> None:
    operations = {(o.ok().method.upper(), o.ok().path) for o in described.get_all_operations()}
    assert operations == set(OPERATIONS)


@pytest.mark.parametrize(("method", "path", "mode"), TRIALS)
@settings(max_examples=15, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_the_interface_keeps_to_its_description(
    sender: Sender, described: Any, method: str, path: str, mode: schemathesis.GenerationMode, data: st.DataObject
) -> None:
    case = data.draw(described[path][method].as_strategy(generation_mode=mode))
    case.call_and_validate(
        headers=sender.authorized(data.draw(st.sampled_from(["demo-portal", "demo-stadtkasse"]))),
        checks=[
            schemathesis.checks.not_a_server_error,
            status_code_conformance,
            content_type_conformance,
            response_schema_conformance,
            response_headers_conformance,
        ],
    )

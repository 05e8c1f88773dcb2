"""What must not get in over HTTP: each has its own status and code, leaves nothing behind and repeats nothing."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any
from uuid import uuid4

import pytest
from intake_support import (
    BOUNDARY,
    CANARY,
    LEIKA,
    LIMITS,
    File,
    PartOf,
    Sender,
    body,
    code_of,
    metadata,
    parts_for,
    sample,
    sha512,
)

DATA, MEDIA_TYPE = sample()
XML, XML_TYPE = sample("one-dog-xml")
PDF = File(b"%PDF-1.7 " + CANARY.encode(), f"{CANARY}.pdf")
Parts = Sequence[PartOf] | bytes


def meta(value: Any) -> PartOf:
    content = value if isinstance(value, bytes) else json.dumps(value).encode()
    return PartOf("metadata", content, "application/json")


def with_data(content: bytes, media_type: str = "application/xml") -> list[PartOf]:
    return parts_for(content, media_type)


def with_metadata(change: Callable[[dict[str, Any]], Any]) -> list[PartOf]:
    value = metadata(DATA, MEDIA_TYPE, [PDF])
    change(value)
    return [meta(value), PartOf("data", DATA, MEDIA_TYPE), PartOf("attachment", PDF.content, filename=PDF.identifier)]


def with_filename(name: str) -> list[PartOf]:
    return parts_for(DATA, MEDIA_TYPE, [File(b"x", name)])


def structure(value: dict[str, Any]) -> dict[str, Any]:
    inner: dict[str, Any] = value["contentStructure"]
    return inner


RIGHT = parts_for(DATA, MEDIA_TYPE, [PDF])
DOCTYPE = f'<!DOCTYPE a [<!ENTITY e "{CANARY}">]><a>&e;</a>'.encode()
XINCLUDE = b'<a xmlns:x="http://www.w3.org/2001/XInclude"><x:include href="file:///etc/passwd" parse="text"/></a>'
EXTERNAL = b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>'


@dataclass(frozen=True)
class Bad:
    """What is sent, and the status and code that it must get."""

    parts: Parts
    status: int
    code: str


BAD = {
    # the data is not what it should be
    "text instead of XML": Bad(with_data(f"Guten Tag, {CANARY}".encode()), 400, "unreadable"),
    "text instead of JSON": Bad(parts_for(f"Guten Tag, {CANARY}".encode(), "application/json"), 400, "unreadable"),
    "nothing": Bad(with_data(b""), 400, "unreadable"),
    "truncated XML": Bad(with_data(XML[: len(XML) // 2]), 400, "unreadable"),
    "truncated JSON": Bad(parts_for(DATA[: len(DATA) // 2], MEDIA_TYPE), 400, "unreadable"),
    "DOCTYPE with an entity": Bad(with_data(DOCTYPE), 400, "unreadable"),
    "DOCTYPE with an external file": Bad(with_data(EXTERNAL), 400, "unreadable"),
    "XInclude": Bad(with_data(XINCLUDE), 400, "unreadable"),
    "nesting without end": Bad(with_data(b"<a>" * 400_000), 400, "unreadable"),
    "JSON nesting without end": Bad(parts_for(b"[" * 1_000_000, "application/json"), 400, "unreadable"),
    "another encoding than said": Bad(
        with_data(f'<?xml version="1.0" encoding="UTF-8"?><a>{CANARY}ü</a>'.encode("latin-1")), 400, "unreadable"
    ),
    "UTF-16": Bad(with_data(f"<a>{CANARY}</a>".encode("utf-16")), 400, "unreadable"),
    "a member twice": Bad(parts_for(b'{"a":1,"a":2}', "application/json"), 400, "unreadable"),
    "not valid": Bad(parts_for(*sample("invalid-city-missing-xml")), 422, "not_valid"),
    "another root element": Bad(with_data(f"<other>{CANARY}</other>".encode()), 422, "not_valid"),
    # the parts do not agree
    "hash of other data": Bad([RIGHT[0], replace(RIGHT[1], content=DATA + b" "), RIGHT[2]], 400, "hash_mismatch"),
    "hash of another attachment": Bad([*RIGHT[:2], replace(RIGHT[2], content=b"other")], 400, "hash_mismatch"),
    "missing attachment": Bad(RIGHT[:2], 400, "attachment_missing"),
    "attachment twice": Bad([*RIGHT, RIGHT[2]], 400, "attachment_duplicate"),
    "attachment twice, metadata last": Bad([RIGHT[2], RIGHT[2], RIGHT[1], RIGHT[0]], 400, "attachment_duplicate"),
    "extra attachment": Bad([*RIGHT, PartOf("attachment", b"x", filename=str(uuid4()))], 400, "attachment_unannounced"),
    "extra attachment, metadata last": Bad(
        [PartOf("attachment", b"x", filename=f"{CANARY}.png"), *RIGHT[::-1]], 400, "attachment_unannounced"
    ),
    "attachment without a name": Bad([*RIGHT[:2], replace(RIGHT[2], filename=None)], 400, "attachment_unannounced"),
    "attachments swapped": Bad(
        [
            *parts_for(DATA, MEDIA_TYPE, [PDF, other := File(b"other")])[:2],
            PartOf("attachment", PDF.content, filename=other.identifier),
            PartOf("attachment", other.content, filename=PDF.identifier),
        ],
        400,
        "hash_mismatch",
    ),
    "attachment of another type": Bad(
        [*RIGHT[:2], replace(RIGHT[2], media_type="image/png")], 400, "media_type_mismatch"
    ),
    "data of another type": Bad(
        [RIGHT[0], replace(RIGHT[1], media_type="application/xml"), RIGHT[2]], 400, "media_type_mismatch"
    ),
    "data of an unknown type": Bad(
        [RIGHT[0], replace(RIGHT[1], media_type="text/plain")], 415, "content_type_unsupported"
    ),
    "data without a type": Bad([RIGHT[0], replace(RIGHT[1], media_type=None)], 415, "content_type_unsupported"),
    "no metadata": Bad(RIGHT[1:], 400, "part_missing"),
    "no data": Bad([RIGHT[0], RIGHT[2]], 400, "part_missing"),
    "data twice": Bad([*RIGHT, RIGHT[1]], 400, "part_duplicate"),
    "metadata twice": Bad([*RIGHT, RIGHT[0]], 400, "part_duplicate"),
    "a part nobody knows": Bad([*RIGHT, PartOf(CANARY, b"x")], 400, "part_unknown"),
    # the metadata
    "metadata of an unknown version": Bad(
        with_metadata(lambda m: m.update({"$schema": m["$schema"].replace("2.1.0", "3.0.0")})),
        400,
        "metadata_version_unknown",
    ),
    "metadata of no version": Bad(
        with_metadata(lambda m: m.update({"$schema": CANARY})), 400, "metadata_version_unknown"
    ),
    "metadata that are no JSON": Bad([meta(CANARY.encode()), *RIGHT[1:]], 400, "metadata_invalid"),
    "metadata that are a list": Bad([meta([CANARY]), *RIGHT[1:]], 400, "metadata_invalid"),
    "metadata with NaN": Bad([meta(b'{"a": NaN}'), *RIGHT[1:]], 400, "metadata_invalid"),
    "metadata nested without end": Bad([meta(b"[" * 9000), *RIGHT[1:]], 400, "metadata_invalid"),
    "metadata without a hash": Bad(with_metadata(lambda m: structure(m)["data"].pop("hash")), 400, "metadata_invalid"),
    "metadata with a hash of another kind": Bad(
        with_metadata(lambda m: structure(m)["data"]["hash"].update(content=CANARY)), 400, "metadata_invalid"
    ),
    "metadata with an extra reference": Bad(
        with_metadata(lambda m: m["additionalReferenceInfo"].update({CANARY: CANARY})), 400, "metadata_invalid"
    ),
    "metadata with a reply to nowhere": Bad(
        with_metadata(lambda m: m.update(replyChannel={"eMail": {"address": CANARY}})), 400, "metadata_invalid"
    ),
    "an attachment announced twice": Bad(
        with_metadata(lambda m: structure(m)["attachments"].append(structure(m)["attachments"][0])),
        400,
        "metadata_invalid",
    ),
    "metadata 1.0 without data": Bad(
        with_metadata(lambda m: (m.pop("$schema"), structure(m).pop("data"))), 400, "metadata_invalid"
    ),
    # names
    "a name that climbs": Bad(with_filename(f"../{CANARY}.pdf"), 400, "filename_unsafe"),
    "a name that is a place": Bad(with_filename("/etc/passwd"), 400, "filename_unsafe"),
    "a name that climbs on Windows": Bad(with_filename("..\\evil.pdf"), 400, "filename_unsafe"),
    "a name on a drive": Bad(with_filename("C:evil.pdf"), 400, "filename_unsafe"),
    "a name that is a folder": Bad(with_filename(".."), 400, "filename_unsafe"),
    "a name with NUL": Bad(with_filename("a\x00.pdf"), 400, "filename_unsafe"),
    "a name with a line break": Bad(with_filename("a\r\nX-Evil: 1.pdf"), 400, "filename_unsafe"),
    "a name that reads backwards": Bad(with_filename("rechnung\u202efdp.exe"), 400, "filename_unsafe"),
    "a name with nothing to see": Bad(with_filename("a\u200b.pdf"), 400, "filename_unsafe"),
    "a name too long": Bad(with_filename("a" * 256), 400, "filename_unsafe"),
    "an empty name": Bad(with_filename(""), 400, "filename_unsafe"),
    "a part's name that climbs": Bad([*RIGHT[:2], replace(RIGHT[2], filename="../x")], 400, "filename_unsafe"),
    # sizes
    "a part too large": Bad(
        [RIGHT[0], replace(RIGHT[1], content=b"1" * (LIMITS.data_bytes + 1))], 413, "body_too_large"
    ),
    "metadata too large": Bad([meta(b" " * (LIMITS.metadata_bytes + 1)), *RIGHT[1:]], 413, "body_too_large"),
    "an attachment too large": Bad(
        [*RIGHT[:2], replace(RIGHT[2], content=b"1" * (LIMITS.attachment_bytes + 1))], 413, "body_too_large"
    ),
    "everything too large": Bad(body([*RIGHT, PartOf("x", b"1" * LIMITS.body_bytes)]), 413, "body_too_large"),
    "too many attachments": Bad(
        parts_for(DATA, MEDIA_TYPE, [File(b"x", f"{i}.pdf") for i in range(LIMITS.attachments + 1)]),
        413,
        "body_too_large",
    ),
    # multipart
    "a body that stops half-way": Bad(body(RIGHT)[:-40], 400, "multipart_malformed"),
    "no body": Bad(b"", 400, "multipart_malformed"),
    "another boundary": Bad(body(RIGHT).replace(BOUNDARY.encode(), b"other"), 400, "multipart_malformed"),
    "a part without a name": Bad(
        body(RIGHT).replace(b'form-data; name="data"', b"form-data"), 400, "multipart_malformed"
    ),
    "a part that is no form data": Bad(
        body(RIGHT).replace(b'form-data; name="data"', b'attachment; name="data"'), 400, "multipart_malformed"
    ),
    "a part with two names": Bad(
        [replace(RIGHT[0], headers=['Content-Disposition: form-data; name="data"']), *RIGHT[1:]],
        400,
        "multipart_malformed",
    ),
    "a part in base64": Bad(
        [RIGHT[0], replace(RIGHT[1], headers=["Content-Transfer-Encoding: base64"]), RIGHT[2]],
        415,
        "content_encoding_unsupported",
    ),
    "a part with endless headers": Bad(
        [replace(RIGHT[0], headers=[f"X-{i}: {CANARY}" for i in range(50)]), *RIGHT[1:]], 400, "multipart_malformed"
    ),
    "a part with an endless header": Bad(
        [replace(RIGHT[0], headers=["X: " + "a" * 100_000]), *RIGHT[1:]], 400, "multipart_malformed"
    ),
    "a part's name that is not UTF-8": Bad(
        body(RIGHT).replace(PDF.identifier.encode() + b'"\r\n', b'\xff\xfe"\r\n'), 400, "multipart_malformed"
    ),
}


def refuse(
    sender: Sender, answer_of: Callable[[], Any], status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    before = sender.stored()
    answer = answer_of()
    assert code_of(answer) == (status, code)
    assert answer.json()["findings"], "a refusal says what is wrong"
    assert CANARY not in answer.text
    assert CANARY not in caplog.text
    after = sender.stored()
    if status == 422:  # a record that something was refused, without content
        assert after.pop("submission") == before.pop("submission") + 1
    assert after == before, "nothing of what was refused is kept"


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_bad_input_has_its_own_answer_and_leaves_nothing(
    sender: Sender, bad: Bad, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    refuse(sender, lambda: sender.post(bad.parts), bad.status, bad.code, caplog)
    output = capfd.readouterr()
    assert CANARY not in output.out + output.err


def test_an_unknown_service_is_refused(sender: Sender, caplog: pytest.LogCaptureFixture) -> None:
    before = sender.stored()
    answer = sender.post(parts_for(DATA, MEDIA_TYPE), service=f"urn:de:example:{CANARY}")
    assert code_of(answer) == (422, "service_unknown")
    assert CANARY not in answer.text + caplog.text
    assert sender.stored() == before


def test_a_known_service_with_another_schema_is_refused(sender: Sender) -> None:
    before = sender.stored()
    answer = sender.post(parts_for(DATA, MEDIA_TYPE, schema_uri="urn:de:example:schema"), service=LEIKA)
    assert code_of(answer) == (422, "schema_not_accepted")
    assert sender.stored() == before


def test_somebody_elses_service_is_refused_before_anything_is_judged(sender: Sender) -> None:
    before = sender.stored()
    assert code_of(sender.send("invalid-city-missing-xml", client_id="narrow")) == (403, "service_not_allowed")
    assert sender.stored() == before


def test_a_department_cannot_hand_anything_in(sender: Sender) -> None:
    assert code_of(sender.send(client_id="demo-stadtkasse")) == (403, "client_kind_wrong")


def test_the_same_key_with_other_content_is_refused_and_the_first_stays(sender: Sender) -> None:
    first = sender.send(key="reused-key")
    before = sender.stored()
    assert code_of(sender.send("one-dog-xml", key="reused-key")) == (409, "key_reused")
    assert sender.stored() == before
    assert sender.send(key="reused-key").json() == first.json()


@pytest.mark.parametrize("key", ["", "a b", "a\tb", "x" * 256])
def test_a_key_that_is_none_is_refused(sender: Sender, key: str) -> None:
    answer = sender.post(parts_for(DATA, MEDIA_TYPE), headers={"Idempotency-Key": key})
    assert code_of(answer) == (400, "parameter_invalid")


@pytest.mark.parametrize("params", [{"caseId": f"{CANARY}/../"}, {"kind": CANARY}, {"service": "x" * 999}])
def test_parameters_that_are_none_are_refused_without_repeating_them(sender: Sender, params: dict[str, str]) -> None:
    answer = sender.post(parts_for(DATA, MEDIA_TYPE), **params)
    assert code_of(answer) == (400, "parameter_invalid")
    assert CANARY not in answer.text


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/mixed; boundary=x", "text/plain", "", "multipart"]
)
def test_another_content_type_is_refused_before_the_body_is_read(sender: Sender, content_type: str) -> None:
    answer = sender.post(parts_for(DATA, MEDIA_TYPE), headers={"Content-Type": content_type})
    assert code_of(answer) == (415, "content_type_unsupported")


@pytest.mark.parametrize("boundary", ["", "x" * 71])
def test_a_boundary_that_is_none_is_refused(sender: Sender, boundary: str) -> None:
    answer = sender.post(b"", headers={"Content-Type": f"multipart/form-data; boundary={boundary}"})
    assert code_of(answer) == (400, "multipart_malformed")


def test_a_compressed_body_is_refused(sender: Sender) -> None:
    answer = sender.post(parts_for(DATA, MEDIA_TYPE), headers={"Content-Encoding": "gzip"})
    assert code_of(answer) == (415, "content_encoding_unsupported")


def test_a_body_without_a_length_is_counted_while_it_is_read(sender: Sender) -> None:
    before = sender.stored()

    def pieces() -> Any:
        start = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="attachment"; filename="a.pdf"\r\n\r\n'
        yield start.encode()
        for _ in range(2 * LIMITS.body_bytes // 65536):
            yield b"a" * 65536

    answer = sender.http.post(
        "/v1/submissions",
        content=pieces(),
        headers={"Content-Type": f"multipart/form-data; boundary={BOUNDARY}", **sender.authorized()},
    )
    assert code_of(answer) == (413, "body_too_large")
    assert sender.stored() == before


def test_too_much_waiting_is_told_before_the_body_is_read(sender: Sender) -> None:
    api = sender.http.app.state.api  # type: ignore[attr-defined]
    backlog = api.backlog
    api.backlog = type(backlog)(lambda: LIMITS.backlog + 1, LIMITS.backlog, 30, lambda: False)
    try:
        answer = sender.post(b"not even multipart")
    finally:
        api.backlog = backlog
    assert code_of(answer) == (503, "backlog_full")
    assert answer.headers["retry-after"] == "30"


def test_too_many_headers_are_refused(sender: Sender) -> None:
    answer = sender.http.get("/health/live", headers={f"X-{i}": "a" for i in range(LIMITS.headers + 1)})
    assert code_of(answer) == (431, "headers_too_large")
    answer = sender.http.get("/health/live", headers={"X": "a" * LIMITS.header_bytes})
    assert code_of(answer) == (431, "headers_too_large")


def test_a_fault_of_our_own_tells_an_id_and_nothing_else(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: Any, **__: Any) -> Any:
        raise RuntimeError(f"the applicant {CANARY} could not be stored")

    monkeypatch.setattr(sender.gateway.store, "new_content", broken)
    answer = sender.send()
    assert code_of(answer) == (500, "internal_error")
    assert answer.json()["instance"].startswith("urn:uuid:")
    output = capfd.readouterr()
    assert CANARY not in answer.text + output.out + output.err


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "TRACE"])
def test_methods_that_are_not_meant_are_refused(sender: Sender, method: str) -> None:
    assert code_of(sender.http.request(method, "/v1/submissions")) == (405, "method_not_allowed")


def test_naughty_strings_never_break_the_interface(sender: Sender, test_data: Any) -> None:
    strings = json.loads((test_data / "hostile/strings/blns/blns.json").read_text(encoding="utf-8"))
    for text in strings:
        file = File(b"x", text, "text/plain")
        value = metadata(DATA, MEDIA_TYPE, [file])
        value["additionalReferenceInfo"]["senderReference"] = text
        answer = sender.post([meta(value), RIGHT[1], PartOf("attachment", b"x", filename=file.identifier)])
        assert answer.status_code in (202, 400), (text, answer.text)
        if answer.status_code == 202:
            submission, _ = sender.gateway.store.submission(answer.json()["submissionId"])
            assert submission.attachments[0].filename == text
        assert code_of(sender.get(f"/v1/submissions/{sha512(text.encode())[:36]}"))[0] == 404


def test_malformed_multipart_of_others_never_breaks_the_interface(sender: Sender, test_data: Any) -> None:
    folder = test_data / "hostile/http/python-multipart/tests/test_data/http"
    before = sender.stored()
    for path in sorted(folder.glob("*.http")):
        answer = sender.post(
            path.read_bytes(),
            headers={"Content-Type": "multipart/form-data; boundary=----WebKitFormBoundaryTkr3kCBQlBe1nrhc"},
        )
        assert code_of(answer)[0] in (400, 415), path.name
    assert sender.stored() == before

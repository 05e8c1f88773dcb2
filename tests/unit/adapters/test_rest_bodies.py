"""What goes out over REST, byte by byte and as a strict system reads it: JSON, XML, forms, files, addresses."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_files import write_openapi

from adapters.base import Permanent, Request, RequestAttachment, TargetConfig
from adapters.http import Streamed
from adapters.openapi import OpenApi
from adapters.rest import RestAdapter, bodies
from adapters.testkit import RestDepartment
from adapters.testkit.rest_bodies import SentFile, read_body

FORM = "application/x-www-form-urlencoded"
FILES = "multipart/form-data"
FULL: dict[str, Any] = {
    "name": "Zoë & <Söhne>",
    "art": "NEU",
    "tiere": ["Hund", "Katze"],
    "betrag": Decimal("1E+2"),
    "eilig": True,
    "fremdId": "k1",
}


def attachment(number: int = 1, content: bytes = b"\x00\xff\r\n--", filename: str = "plan.pdf") -> RequestAttachment:
    pieces = [content[:2], content[2:]]
    return RequestAttachment(f"a{number}", filename, "application/pdf", len(content), "", lambda: iter(pieces))


def request(*attachments: RequestAttachment) -> Request:
    return Request("k1", "s1", {}, "dienst", "2026-01-02T03:04:05Z", attachments=attachments)


def sent(folder: Path, media_type: str, body: Any, *attachments: RequestAttachment) -> tuple[bytes, Any, str]:
    """(bytes, what a strict system reads, media type)."""
    operation = OpenApi(write_openapi(folder)).operation("POST", "/vorgaenge", media_type)
    message = bodies.write(operation, "/vorgaenge", media_type, request(*attachments), body)
    data = message.data if isinstance(message.data, bytes) else b"".join(message.data)
    return data, read_body(operation, message.media_type, data)[1], message.media_type


def test_xml_is_written_as_the_schema_says_in_its_order(tmp_path: Path) -> None:
    data, read, media_type = sent(tmp_path, "application/xml", {**FULL, "orte": ["A", "B"]})
    assert data.decode() == (
        "<?xml version='1.0' encoding='UTF-8'?>\n"
        '<Vorgang xmlns="urn:vorgang" fremdId="k1"><art>NEU</art><Name>Zoë &amp; &lt;Söhne&gt;</Name>'
        "<betrag>100</betrag><eilig>true</eilig><tiere><tier>Hund</tier><tier>Katze</tier></tiere><orte>A</orte><orte>B</orte></Vorgang>"
    )
    assert media_type == "application/xml; charset=utf-8"
    assert read == {**FULL, "orte": ["A", "B"]}


def test_a_form_repeats_the_name_of_a_list(tmp_path: Path) -> None:
    data, read, _ = sent(tmp_path, FORM, FULL)
    assert data == (
        b"name=Zo%C3%AB+%26+%3CS%C3%B6hne%3E&art=NEU&tiere=Hund&tiere=Katze&betrag=100&eilig=true&fremdId=k1"
    )
    assert read == FULL


def test_a_form_joins_a_list_where_the_document_says_so(tmp_path: Path) -> None:
    said = 'urlencoded: {encoding: {tiere: {explode: false}}, schema: {$ref: "#/components/schemas/Vorgang"}}'
    file = write_openapi(tmp_path, ('urlencoded: {schema: {$ref: "#/components/schemas/Vorgang"}}', said))
    operation = OpenApi(file).operation("POST", "/vorgaenge", FORM)
    message = bodies.write(operation, "/vorgaenge", FORM, request(), {"art": "NEU", "name": "A", "tiere": ["a", "b"]})
    assert message.data == b"art=NEU&name=A&tiere=a%2Cb"


def test_files_go_as_they_are_and_other_members_as_the_document_says(tmp_path: Path) -> None:
    body = {
        "art": "NEU",
        "name": "Zoë",
        "tiere": ["Hund", "Katze"],
        "angaben": {"ort": "Köln"},
        "bogen": {"ort": "Bonn", "seit": "2026-01-02"},
        "inhalt": {"$attachment": "a1"},
        "weitere": [{"$attachment": "a2"}, {"$attachment": "a1"}],
    }
    second = attachment(2, b"zwei", 'Plan "Süd"\r\n.pdf')
    data, read, media_type = sent(tmp_path, FILES, body, attachment(), second)
    first = SentFile("plan.pdf", "application/pdf", b"\x00\xff\r\n--")
    assert read == {
        **body,
        "inhalt": first,
        "weitere": [SentFile("Plan %22Süd%22%0D%0A.pdf", "application/pdf", b"zwei"), first],
    }
    assert b'<Angaben xmlns="urn:angaben"><ort>Bonn</ort><seit>2026-01-02</seit></Angaben>' in data
    boundary = media_type.partition("boundary=")[2]
    assert data.endswith(f"\r\n--{boundary}--\r\n".encode())
    assert sent(tmp_path, FILES, body, attachment(), second) == (data, read, media_type), "every attempt sends the same"


def test_a_file_of_fifty_megabytes_never_stands_in_memory(tmp_path: Path) -> None:
    piece = bytes(1024 * 1024)

    def chunks() -> Iterator[bytes]:
        yield from (piece for _ in range(50))

    large = RequestAttachment("a1", "plan.tif", "image/tiff", 50 * len(piece), "", chunks)
    operation = OpenApi(write_openapi(tmp_path)).operation("POST", "/vorgaenge", FILES)
    tracemalloc.start()
    message = bodies.write(
        operation, "/x", FILES, request(large), {"art": "NEU", "name": "A", "inhalt": {"$attachment": "a1"}}
    )
    assert not isinstance(message.data, bytes)
    size = sum(len(chunk) for chunk in message.data)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size == message.data.size > 50 * len(piece)
    assert peak < 10 * len(piece)


@pytest.mark.parametrize("media_type", ["application/json", "application/xml", FORM, FILES])
@pytest.mark.parametrize(
    "body",
    [{"art": "FALSCH", "name": "A"}, {"art": "NEU"}, {"art": "NEU", "name": "A" * 41}],
    ids=["code", "missing", "long"],
)
def test_what_the_document_does_not_allow_is_not_written(tmp_path: Path, media_type: str, body: dict[str, Any]) -> None:
    with pytest.raises(Permanent) as caught:
        sent(tmp_path, media_type, body)
    assert (caught.value.failure, caught.value.code) == ("mapping", "rest.request_invalid")


def test_a_character_that_xml_does_not_know_is_a_fault_of_the_request(tmp_path: Path) -> None:
    with pytest.raises(Permanent) as caught:
        sent(tmp_path, "application/xml", {"art": "NEU", "name": "\x01"})
    assert (caught.value.failure, caught.value.code) == ("mapping", "rest.request_unbuildable")


def test_a_file_that_the_target_does_not_get_cannot_be_sent(tmp_path: Path) -> None:
    with pytest.raises(Permanent, match=r"mapping: request\.attachment_unknown"):
        sent(tmp_path, FILES, {"art": "NEU", "name": "A", "inhalt": {"$attachment": "a9"}}, attachment())


words = st.text(st.characters(codec="utf-8", exclude_categories=("Cc", "Cs")), min_size=1, max_size=20)


@given(
    name=words, tiere=st.lists(words, max_size=3), betrag=st.decimals(-(10**6), 10**6, places=2), eilig=st.booleans()
)
@pytest.mark.parametrize("media_type", ["application/xml", FORM])
def test_what_is_written_is_read_back(
    tmp_path_factory: pytest.TempPathFactory, media_type: str, name: str, tiere: list[str], betrag: Decimal, eilig: bool
) -> None:
    body = {"art": "NEU", "name": name, "betrag": betrag, "eilig": eilig} | ({"tiere": tiere} if tiere else {})
    folder = tmp_path_factory.mktemp("api")
    data, read, _ = sent(folder, media_type, body)
    assert read == body
    assert isinstance(data, bytes)


def test_without_a_document_xml_has_the_bodys_only_member_as_its_root() -> None:
    message = bodies.write(None, "/x", "application/xml", request(), {"Vorgang": {"b": 1, "a": [True, None, "x"]}})
    assert isinstance(message.data, bytes)
    assert message.data.endswith(b"<Vorgang><b>1</b><a>true</a><a>x</a></Vorgang>")
    with pytest.raises(Permanent, match=r"contract: rest\.request_unbuildable"):
        bodies.write(None, "/x", "application/xml", request(), {"a": 1, "b": 2})


# --- Addresses --------------------------------------------------------------------------------------------------------


def test_the_address_is_filled_from_the_request_whose_body_keeps_what_its_schema_has(tmp_path: Path) -> None:
    operation = OpenApi(write_openapi(tmp_path)).operation("PUT", "/vorgaenge/{nummer}")
    fields = {field.path: field for field in operation.fields() or []}
    assert fields["nummer"].required, "gateway check proves that a mapping fills it"
    body = {"nummer": "A/1 ü", "art": "NEU", "name": "A"}
    message = bodies.write(operation, "/vorgaenge/{nummer}", None, request(), body)
    assert message.path == "/vorgaenge/A%2F1%20%C3%BC"
    assert message.data == b'{"art":"NEU","name":"A"}'
    kept = bodies.write(None, "/x/{art}", None, request(), {"art": "NEU"})
    assert kept.data == b"{}"


@pytest.mark.parametrize("value", [None, "", [], {}, True])
def test_an_address_without_its_value_is_a_fault_of_the_request(value: Any) -> None:
    with pytest.raises(Permanent, match=r"mapping: rest\.parameter_missing"):
        bodies.write(None, "/x/{nummer}", None, request(), {"nummer": value, "name": "A"})


# --- What the document lets choose ------------------------------------------------------------------------------------


def test_a_media_type_that_the_operation_does_not_take_is_found(tmp_path: Path) -> None:
    openapi = write_openapi(tmp_path).name

    def check(**changed: Any) -> list[str]:
        given = {"url": "http://127.0.0.1:9", "openapi": openapi, "path": "/vorgaenge", "asynchronous": False}
        adapter = RestAdapter(TargetConfig("t", str(tmp_path), {**given, "headers": {"X": "y"}, **changed}))
        return [finding.text.en for finding in adapter.check()]

    assert check() == []
    assert any("does not take text/xml; it takes: application/json" in text for text in check(media_type="text/xml"))
    assert any("media_type" in text for text in check(media_type="text/plain"))


def test_a_streamed_body_arrives_with_its_length_and_twice_if_need_be(tmp_path: Path) -> None:
    with RestDepartment(write_openapi(tmp_path)) as department:
        config = TargetConfig(
            "t",
            str(tmp_path),
            {"url": department.url, "openapi": "r.openapi.yaml", "path": "/vorgaenge", "media_type": FILES},
            key="$.fremdId",
        )
        adapter = RestAdapter(config)
        body = {"art": "NEU", "name": "A", "inhalt": {"$attachment": "a1"}}
        made = Request("k1", "s1", body, "dienst", "2026-01-02T03:04:05Z", attachments=[attachment()])
        adapter.deliver(made)
        adapter.deliver(made)
        adapter.close()
    first, second = department.received
    assert first.body["inhalt"].content == b"\x00\xff\r\n--"
    assert (second.known, second.sha256) == (True, first.sha256)
    assert isinstance(adapter.preview(made).body, bytes)


def test_streamed_is_what_multipart_is(tmp_path: Path) -> None:
    operation = OpenApi(write_openapi(tmp_path)).operation("POST", "/vorgaenge", FILES)
    made: bytes | Streamed = bodies.write(operation, "/x", FILES, request(), {"art": "NEU", "name": "A"}).data
    assert not isinstance(made, bytes)
    assert len(b"".join(made)) == made.size


# --- A real interface: the e-file of a large city, third-party, read by path ------------------------------------------


def test_every_operation_of_a_real_document_is_understood(test_data: Path) -> None:
    file = test_data / "rest" / "eakte-api-v1.2.4.json"
    paths = json.loads(file.read_text(encoding="utf-8"))["paths"]
    document = OpenApi(file)
    operations = [
        document.operation(verb, path)
        for path, item in paths.items()
        for verb in ("get", "post", "put")
        if verb in item
    ]
    assert len(operations) > 40
    assert {operation.media_type for operation in operations} == {None, "application/json", FILES}
    for operation in operations:
        fields = {field.path: field.required for field in operation.fields() or []}
        assert all(fields[name] for name in operation.parameters)
        assert operation.answer_fields() is not None
        assert [[scheme["scheme"] for scheme in alternative] for alternative in operation.security()] == [["basic"]]


def test_a_change_with_files_goes_to_a_real_interface_as_its_document_says(test_data: Path) -> None:
    operation = OpenApi(test_data / "rest" / "eakte-api-v1.2.4.json").operation("PUT", "/incomings/{objaddress}")
    body = {
        "objaddress": "COO.2150.9169.1.1957003",
        "params": {"shortname": "Antrag", "filesubj": "Hundesteuer"},
        "giattachmenttype": [{"$attachment": "a1"}, {"$attachment": "a2"}],
    }
    files = request(attachment(), attachment(2, b"zwei", "Nachweis.pdf"))
    message = bodies.write(operation, "/incomings/{objaddress}", operation.media_type, files, body)
    assert message.path == "/incomings/COO.2150.9169.1.1957003"
    read = read_body(operation, message.media_type, b"".join(message.data))[1]  # type: ignore[arg-type]
    assert read == {
        "params": {"shortname": "Antrag", "filesubj": "Hundesteuer"},
        "giattachmenttype": [
            SentFile("plan.pdf", "application/pdf", b"\x00\xff\r\n--"),
            SentFile("Nachweis.pdf", "application/pdf", b"zwei"),
        ],
    }

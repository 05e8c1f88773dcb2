"""Our schemas of the metadata judge as FITKO's own do, and what is read is what was sent."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from intake_support import CANARY, File, metadata

from gateway.errors import Refused
from gateway.intake.metadata import read_metadata, schema

UUID = str(uuid4())
HASH = {"type": "sha512", "content": "a" * 128}
JWK = {"kty": "RSA", "key_ops": ["wrapKey"], "alg": "RSA-OAEP-256", "kid": "k" * 8, "n": "n" * 683, "e": "AQAB"}
SIGNATURE = {
    "signatureFormat": "asic",
    "eidasAdesProfile": "http://uri.etsi.org/ades/191x2/level/baseline/B-LT#",
    "detachedSignature": True,
    "content": "abcd",
}
PAYMENT = {
    "transactionReference": "Kassenzeichen 1",
    "transactionId": "9xxd-432x",
    "transactionUrl": "https://payment.example.org/1",
    "transactionTimestamp": "2026-11-24T12:00:00Z",
    "paymentMethod": "CREDITCARD",
    "paymentMethodDetail": "Visa",
    "status": "BOOKED",
    "grossAmount": 12.5,
}
CHANNELS: list[dict[str, Any]] = [
    {"eMail": {"address": "a@example.org", "pgpPublicKey": "-----BEGIN PGP PUBLIC KEY BLOCK-----\n\nabc"}},
    {"deMail": {"address": "a@example.org"}},
    {"fink": {"finkPostfachRef": "hh/by/1", "host": "https://example.org/"}},
    {"elster": {"accountId": "1234567890", "lieferTicket": "t", "geschaeftszeichen": "g"}},
    {"fitConnect": {"processStandards": ["urn:a:b"], "encryptionPublicKey": JWK}},
    {"idBundDeMailbox": {"mailboxUuid": UUID}},
]


def whole(version: str, channel: dict[str, Any]) -> dict[str, Any]:
    """Metadata with every member that the version knows."""
    value = metadata(b"x", "application/xml", [File(b"y")])
    structure = value["contentStructure"]
    structure["data"]["signature"] = SIGNATURE
    structure["attachments"][0].update(description="d", signature=SIGNATURE)
    value.update(
        paymentInformation=PAYMENT,
        replyChannel=channel,
        additionalReferenceInfo={"senderReference": "r", "applicationDate": "2026-11-24"},
    )
    if version == "2.1":
        structure["attachments"][0]["fragments"] = [UUID]
        value["additionalReferenceInfo"].update(idBundDeApplicationId=UUID, zustimmungZumDigitalenBescheid=False)
        value["author"] = {"name": "n", "url": "u", "product": {"name": "n", "version": "1", "manufacturer": "m"}}
        value["dataSets"] = [
            {
                "dataSetId": UUID,
                "schema": {"schemaUri": "urn:a:b", "mimeType": "application/jose"},
                "hash": HASH,
                "content": {},
            }
        ]
    else:
        del value["$schema"]
        value["publicServiceType"] = {"identifier": "urn:de:fim:leika:leistung:99", "name": "n"}
        value["authenticationInformation"] = [{"type": "identificationReport", "version": "1.0.0", "content": "abc"}]
    return value


def places(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(place for name, inner in items for place in places(inner, (*path, name)))]


def changed(value: Any, path: tuple[Any, ...], new: Any) -> Any:
    """A copy with the value at `path` replaced, or removed where `new` is `...`."""
    if not path:
        return new
    value = copy.deepcopy(value)
    inner = value
    for step in path[:-1]:
        inner = inner[step]
    if new is ...:
        del inner[path[-1]]
    else:
        inner[path[-1]] = new
    return value


def official(test_data: Path, version: str) -> Any:
    text = (test_data / f"fit-connect/schemas/metadata-{version}.0.schema.json").read_text(encoding="utf-8")
    return jsonschema_rs.Draft202012Validator(json.loads(text), validate_formats=True)


NEW_VALUES = [..., None, "", "x", -1, 0.001, True, [], {}, "a" * 200, "2026-13-01", ["x", "x"], {"unknown": 1}]


@pytest.mark.parametrize("version", ["1.0", "2.1"])
def test_every_single_change_gets_the_verdict_of_fitkos_schema(test_data: Path, version: str) -> None:
    theirs = official(test_data, version)
    ours = jsonschema_rs.Draft202012Validator(schema(version), validate_formats=True)
    verdicts = set()
    for channel in CHANNELS:
        value = whole(version, channel)
        for path in places(value):
            for new in NEW_VALUES if path else [value, None, []]:
                candidate = changed(value, path, new)
                verdict = theirs.is_valid(candidate)
                assert ours.is_valid(candidate) == verdict, (path, new)
                verdicts.add(verdict)
    assert verdicts == {True, False}


@pytest.mark.parametrize("version", ["1.0", "2.1"])
@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_several_changes_at_once_get_the_verdict_of_fitkos_schema(
    test_data: Path, version: str, data: st.DataObject
) -> None:
    theirs = official(test_data, version)
    ours = jsonschema_rs.Draft202012Validator(schema(version), validate_formats=True)
    value = whole(version, data.draw(st.sampled_from(CHANNELS)))
    for _ in range(data.draw(st.integers(1, 4))):
        path = data.draw(st.sampled_from(places(value)[1:]))
        value = changed(value, path, data.draw(st.sampled_from(NEW_VALUES) | st.text(max_size=40) | st.floats(0, 100)))
        if len(places(value)) == 1:
            break
    assert ours.is_valid(value) == theirs.is_valid(value)


def test_a_real_submission_of_a_test_platform_is_read(test_data: Path) -> None:
    """No `$schema`, a URN as schema, a service outside LeiKa, an attachment without a name, vendor extensions."""
    read = read_metadata((test_data / "fit-connect/vectors/metadata.plaintext.json").read_bytes())
    assert (read.version, read.schema_uri) == ("1.0.0", "urn:de:govos:data")
    assert read.service_identifier == "urn:de:govos:parent:a3builder-7676-qs"
    (attachment,) = read.attachments.values()
    assert attachment.filename == attachment.attachment_id == "654bf3b3-787d-4606-8913-efd769f69db7"


@pytest.mark.parametrize(
    ("declared", "version"),
    [("metadata/2.1.0", "2.1.0"), ("metadata/2.1.7", "2.1.7"), ("metadata/1.0.0", "1.0.0")],
)
def test_the_version_is_read_and_never_fetched(declared: str, version: str) -> None:
    value = metadata(b"x", "application/xml")
    value["$schema"] = f"https://schema.fitko.de/fit-connect/{declared}/metadata.schema.json"
    assert read_metadata(json.dumps(value).encode()).version == version


@pytest.mark.parametrize("declared", ["2.2.0", "3.0.0", "1.6.0", "0.9.0", "02.1.0", "2.1", "2.1.0/../9.9.9"])
def test_versions_nobody_here_knows_are_refused(declared: str) -> None:
    value = metadata(b"x", "application/xml")
    value["$schema"] = f"https://schema.fitko.de/fit-connect/metadata/{declared}/metadata.schema.json"
    with pytest.raises(Refused) as caught:
        read_metadata(json.dumps(value).encode())
    assert caught.value.code == "metadata_version_unknown"


def test_every_fault_is_told_at_once_with_its_place_and_without_its_value() -> None:
    value = metadata(b"x", "application/xml", [File(b"y")])
    value["contentStructure"]["data"]["hash"]["content"] = CANARY
    value["contentStructure"]["attachments"][0]["purpose"] = CANARY
    value["replyChannel"] = {"eMail": {}}
    value["author"] = {"name": CANARY}
    with pytest.raises(Refused) as caught:
        read_metadata(json.dumps(value).encode())
    found = {(f.path, f.code) for f in caught.value.findings}
    assert found == {
        ("/contentStructure/data/hash/content", "metadata.format_wrong"),
        ("/contentStructure/attachments/0/purpose", "metadata.not_allowed"),
        ("/replyChannel/eMail/address", "metadata.member_missing"),
        ("/author/product", "metadata.member_missing"),
    }
    assert CANARY not in json.dumps([f.as_dict() for f in caught.value.findings])
    assert {f.allowed for f in caught.value.findings} >= {"address", "product", "form, attachment, report, data"}


def test_an_unknown_member_is_named_only_if_it_is_nearly_one_of_the_schemas() -> None:
    value = metadata(b"x", "application/xml", additionalReferenceInfo={"senderReferenc": "1", CANARY: "1"})
    with pytest.raises(Refused) as caught:
        read_metadata(json.dumps(value).encode())

    assert {f.path for f in caught.value.findings if f.code == "metadata.member_unknown"} == {
        "/additionalReferenceInfo/senderReferenc",
        "/additionalReferenceInfo/*",
    }


@pytest.mark.parametrize("data", [b"{", b'{"a": 1, "a": 2}', b"\xff", b""])
def test_metadata_that_cannot_be_read_are_called_metadata(data: bytes) -> None:
    with pytest.raises(Refused) as caught:
        read_metadata(data)

    [fault] = caught.value.findings
    assert (caught.value.code, fault.path, fault.layer) == ("metadata_invalid", "metadata", "parse")
    assert fault.text.de.startswith("Die Metadaten sind nicht lesbar. ")
    assert "Die Daten" not in fault.text.de
    assert "The data" not in fault.text.en


def test_amounts_stay_numbers_that_json_can_keep() -> None:
    value = metadata(b"x", "application/xml", paymentInformation=PAYMENT)
    read = read_metadata(json.dumps(value).encode())
    assert json.loads(json.dumps(read.value)) == value

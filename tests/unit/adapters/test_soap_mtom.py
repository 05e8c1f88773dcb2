"""Attachments beside a SOAP message: every byte arrives, and none is held in memory to be sent."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from department_files import write
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters.base import DeliveryError, OutcomeUnknown, Request, RequestAttachment, TargetConfig
from adapters.soap import SoapAdapter
from adapters.soap.envelope import read_envelope
from adapters.soap.mtom import NotMtom, StandIns, pack, unpack
from adapters.testkit import SoapDepartment
from adapters.testkit.http_department import Case, HttpDepartment, HttpReply, HttpRequest

SOAP = "http://schemas.xmlsoap.org/soap/envelope/"
BODY = {"Vorgang": {"Art": "NEU", "Name": ["A"], "Inhalt": {"$attachment": "a1"}}}


def attachment(content: bytes, name: str = "a1") -> RequestAttachment:
    return RequestAttachment(name, "plan.pdf", "application/pdf", len(content), "00", lambda: iter([content]))


def request(*attachments: RequestAttachment, body: dict[str, Any] | None = None) -> Request:
    return Request("k", "s", body or BODY, "x", "2026-01-01T00:00:00Z", attachments=attachments)


def adapter(folder: Path, url: str, **settings: Any) -> SoapAdapter:
    fixed = {"wsdl": "t.wsdl", "url": url, "operation": "VorgangAnlegen", "attachments_as": "mtom"}
    references = {"vorgangsnummer": "$.Vorgangsnummer"}
    config = TargetConfig("t", str(folder), fixed | settings, references, key="$.Vorgang.FremdId", timeout=5.0)
    return SoapAdapter(config)


@given(st.lists(st.binary(max_size=200), min_size=1, max_size=3))
def test_what_was_packed_is_unpacked_byte_by_byte(contents: list[bytes]) -> None:
    stand_ins = StandIns("k")
    message = etree.Element(f"{{{SOAP}}}Envelope")
    body = etree.SubElement(etree.SubElement(message, f"{{{SOAP}}}Body"), "A")
    for number, content in enumerate(contents):
        value = stand_ins.make(attachment(content, f"a{number}"))
        etree.SubElement(body, "B").text = base64.b64encode(value).decode()
    packed, media_type = pack(message, stand_ins.places(message), media_type="text/xml", action="", key="k")
    sent = b"".join(packed)
    assert len(sent) == packed.size
    read = read_envelope(*unpack(media_type, sent)).body
    assert read is not None
    assert [base64.b64decode(element.text or "") for element in read] == contents


def test_an_attachment_arrives_beside_the_message_and_only_once(tmp_path: Path) -> None:
    content = b"\r\n\x00--\xff\n" * 1000
    with SoapDepartment(write(tmp_path) / "t.wsdl", mtom=True) as department:
        target = adapter(tmp_path, department.url)
        assert target.deliver(request(attachment(content))).references == {"vorgangsnummer": "SOAP-000001"}
        [record] = department.received
        assert base64.b64decode(record.body["Vorgang"]["Inhalt"]) == content
        shown = target.preview(request(attachment(content)))
    assert shown.body.count(content) == 1
    assert base64.b64encode(content)[:60] not in shown.body
    assert re.search(
        r'type="application/xop\+xml"; start="<.+>"; start-info="text/xml"$', shown.headers["Content-Type"]
    )


def test_an_attachment_is_read_while_it_is_sent(tmp_path: Path) -> None:
    size, chunk = 20 * 1024 * 1024, b"x" * 65536
    held: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(size // len(chunk)):
            held.append(number)
            yield chunk

    big = RequestAttachment("a1", "plan.pdf", "application/pdf", size, "00", chunks)
    with SoapDepartment(write(tmp_path) / "t.wsdl", mtom=True) as department:
        target = adapter(tmp_path, department.url)
        assert held == []
        target.deliver(request(big))
        assert len(held) == size // len(chunk), "once, chunk by chunk"


class Fixed(HttpDepartment):
    """Answers everything with the same reply."""

    def __init__(self, reply: HttpReply) -> None:
        super().__init__(prefix="X", idempotent=False)
        self.reply = reply

    def read(self, request: HttpRequest) -> HttpReply | Case:
        return self.reply

    def act(self, case: Case) -> HttpReply:
        return self.reply

    def refusal(self) -> HttpReply:
        return self.reply


def answer(number: str, *, boundary: str = "b", end: str = "--b--\r\n") -> HttpReply:
    inner = f"<Vorgangsnummer>{number}</Vorgangsnummer><Doppelt>false</Doppelt>"
    text = (
        f'<s:Envelope xmlns:s="{SOAP}" xmlns:xop="http://www.w3.org/2004/08/xop/include"><s:Body>'
        f'<VorgangAnlegenAntwort xmlns="urn:t">{inner}</VorgangAnlegenAntwort></s:Body></s:Envelope>'
    )
    head = 'Content-Type: application/xop+xml; charset=utf-8; type="text/xml"\r\nContent-ID: <r@x>\r\n\r\n'
    data = "Content-Type: application/pdf\r\nContent-Transfer-Encoding: binary\r\nContent-ID: <a b@x>\r\n\r\nhallo"
    body = f"--b\r\n{data}\r\n--b\r\n{head}{text}\r\n{end}"
    media_type = f'multipart/related; boundary="{boundary}"; type="application/xop+xml"; start="<r@x>"'
    return HttpReply(200, media_type, body.encode())


def test_an_answer_in_mtom_is_read_wherever_its_root_stands(tmp_path: Path) -> None:
    write(tmp_path)
    with Fixed(answer("7")) as department:
        assert adapter(tmp_path, department.url).deliver(request(attachment(b"x"))).references == {
            "vorgangsnummer": "7"
        }
    include = '<xop:Include href="cid:a%20b@x"/>'
    with Fixed(answer(include)) as department:
        found = adapter(tmp_path, department.url).deliver(request(attachment(b"x"))).references
    assert base64.b64decode(found["vorgangsnummer"]) == b"hallo"


@pytest.mark.parametrize(
    "reply",
    [
        answer('<xop:Include href="cid:weg@x"/>'),
        answer('A<xop:Include href="cid:a%20b@x"/>'),
        answer("7", boundary="c"),
        answer("7", end=""),
    ],
)
def test_an_answer_in_mtom_that_is_not_whole_leaves_an_unknown_outcome(tmp_path: Path, reply: HttpReply) -> None:
    with Fixed(reply) as department, pytest.raises(DeliveryError) as caught:
        adapter(write(tmp_path), department.url).deliver(request(attachment(b"x")))
    assert (type(caught.value), caught.value.code) == (OutcomeUnknown, "soap.answer_unreadable")


@given(st.binary(max_size=300))
def test_foreign_bytes_are_no_mtom_and_nothing_worse(data: bytes) -> None:
    with pytest.raises(NotMtom):
        unpack('multipart/related; boundary="never-in-there-0123456789"', data)

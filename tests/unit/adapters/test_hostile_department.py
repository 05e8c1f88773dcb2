"""The hostile department from outside: what a bare socket sees of each behaviour, and what its ledger says of it."""

from __future__ import annotations

import gzip
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from adapters.testkit import Authority, Deed, RestDepartment
from adapters.testkit.behaviour import ON_THE_CONNECTION, Kind
from adapters.testkit.rigs import described
from adapters.testkit.spoiling import ANSWER_BYTES

ANSWER: Any = {"vorgangsnummer": "number", "aktenzeichen": "file", "fremdId": "key"}


@pytest.fixture
def department(tmp_path: Path) -> Iterator[RestDepartment]:
    with RestDepartment(described(tmp_path, "department.openapi.yaml"), answer=ANSWER) as department:
        yield department


def connected(department: RestDepartment) -> socket.socket:
    host, port = department.url.rpartition("/")[2].split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def request(key: str, *, method: str = "POST", path: str = "/vorgaenge") -> bytes:
    body = json.dumps({"fremdId": key, "art": "NEU", "name": "Müller"}).encode() if method == "POST" else b""
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nIdempotency-Key: {key}\r\nContent-Type: application/json\r\n"
    return f"{head}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


def asked(department: RestDepartment, key: str = "k1", **changed: str) -> tuple[bytes, bytes]:
    """Head and body of the answer, until the connection ends."""
    with connected(department) as connection:
        connection.sendall(request(key, **changed))
        received = b"".join(iter(lambda: connection.recv(1 << 20), b""))
    head, _, body = received.partition(b"\r\n\r\n")
    return head, body


def answer_of(department: RestDepartment, key: str) -> dict[str, str]:
    record = department.ledger.find(key)
    assert record is not None
    return {"vorgangsnummer": record.references["number"], "aktenzeichen": record.references["file"], "fremdId": key}


@pytest.mark.parametrize(
    ("kind", "acted", "status"),
    [
        ("ok", True, 201),
        ("down", False, 503),
        ("unauthorised", False, 401),
        ("refuse", False, 422),
        ("fault_in_200", False, 200),
        ("html", False, 200),
        ("redirect", False, 302),
        ("fail_after_commit", True, 500),
        ("empty", True, 200),
        ("never_finishes", True, 202),
    ],
)
def test_what_it_did_is_in_its_ledger_whatever_it_answers(
    department: RestDepartment, kind: Kind, acted: bool, status: int
) -> None:
    department.tell(kind)
    head, _ = asked(department)
    assert head.startswith(f"HTTP/1.1 {status} ".encode())
    assert department.ledger.deeds == [Deed(kind, "k1", acted)]
    assert (department.ledger.find("k1") is not None) == acted


@pytest.mark.parametrize(("kind", "acted"), [("hang_up", False), ("commit_then_hang_up", True)])
def test_it_closes_without_an_answer(department: RestDepartment, kind: Kind, acted: bool) -> None:
    department.tell(kind)
    assert asked(department) == (b"", b"")
    assert department.ledger.deeds == [Deed(kind, "k1", acted)]


def test_it_resets_after_it_acted(department: RestDepartment) -> None:
    department.tell("reset")
    with pytest.raises(ConnectionResetError):
        asked(department)
    assert department.ledger.deeds == [Deed("reset", "k1", True)]


def test_it_resets_before_anything_was_sent(department: RestDepartment) -> None:
    department.tell("reset_before_send")
    with connected(department) as connection, pytest.raises(ConnectionResetError):
        connection.recv(1)
    assert department.ledger.deeds == [Deed("reset_before_send", None, False)]


def test_it_refuses_us_before_it_read_what_we_send(department: RestDepartment) -> None:
    department.tell("unauthorised_early")
    with connected(department) as connection:
        connection.sendall(request("k1").partition(b"\r\n\r\n")[0] + b"\r\n\r\n")  # the body never comes
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 401 ")
    assert department.ledger.deeds == [Deed("unauthorised_early", None, False)]


def test_it_stops_in_the_middle_of_its_answer(department: RestDepartment) -> None:
    department.tell("slow_middle", seconds=0.3)
    with connected(department) as connection:
        connection.sendall(request("k1"))
        _, _, half = connection.recv(1 << 16).partition(b"\r\n\r\n")
        while not half:
            half = connection.recv(1 << 16)
        begun = time.monotonic()
        rest = b"".join(iter(lambda: connection.recv(1 << 16), b""))
    assert time.monotonic() - begun > 0.1
    assert json.loads(half + rest) == answer_of(department, "k1")


def test_it_answers_a_byte_at_a_time(department: RestDepartment) -> None:
    department.tell("trickle", seconds=0.02)
    with connected(department) as connection:
        connection.sendall(request("k1"))
        pieces = [connection.recv(1 << 16) for _ in range(20)]
    assert b"".join(pieces).startswith(b"HTTP/1.1 2")
    assert sum(map(len, pieces)) < 60


def test_a_pause_ends_when_the_department_is_stopped(department: RestDepartment) -> None:
    department.tell("slow", seconds=60)
    with connected(department) as connection:
        connection.sendall(request("k1"))
        stopping = threading.Timer(0.2, department.stop)
        stopping.start()
        assert connection.recv(1) == b""
        stopping.join()


@pytest.mark.parametrize("kind", ["cut", "cut_chunk", "broken"])
def test_it_sends_less_than_it_says(department: RestDepartment, kind: Kind) -> None:
    department.tell(kind)
    head, body = asked(department)
    lengths = [line.rpartition(b" ")[2] for line in head.split(b"\r\n") if line.startswith(b"Content-Length")]
    told = int(lengths[0]) if lengths else int(body.partition(b"\r\n")[0], 16)
    if kind == "broken":
        assert told == len(body)
        with pytest.raises(ValueError):
            json.loads(body)
    else:
        assert told > len(body)
    assert department.ledger.find("k1") is not None


def test_it_answers_in_another_charset_than_it_says(department: RestDepartment) -> None:
    department.tell("wrong_charset", key="k1")
    department.tell("wrong_label", key="k2")
    (head, body), (head2, body2) = asked(department, "k1"), asked(department, "k2")
    assert b"charset=utf-8" in head
    assert json.loads(body.decode("iso-8859-1")) == answer_of(department, "k1")
    with pytest.raises(UnicodeDecodeError):
        body.decode("utf-8")
    assert b"charset=iso-8859-1" in head2
    assert json.loads(body2.decode("utf-8")) == answer_of(department, "k2")


def test_it_answers_without_end_and_with_little_that_is_much(department: RestDepartment) -> None:
    department.tell("huge", times=1)
    _, body = asked(department)
    assert len(body) == ANSWER_BYTES
    department.tell("gzip_bomb")
    head, packed = asked(department)
    assert b"Content-Encoding: gzip" in head
    assert len(packed) < 400_000
    assert len(gzip.decompress(packed)) == ANSWER_BYTES


def test_its_xml_declares_entities_that_grow_or_lie_elsewhere(department: RestDepartment) -> None:
    department.tell("doctype")
    _, body = asked(department)
    assert b"<!ENTITY e9 " in body
    assert f'SYSTEM "{department.url}/entity"'.encode() in body
    assert b"&e9;&far;" in body
    asked(department, method="GET", path="/entity")
    assert department.ledger.deeds[-1] == Deed("entity", None, False), "who fetches it is known"


def test_two_cases_get_one_number_or_one_the_answer_of_the_other(department: RestDepartment) -> None:
    _, first = asked(department, "k1")
    department.tell("duplicate_reference", times=1)
    _, doubled = asked(department, "k2")
    assert json.loads(doubled) == json.loads(first) | {"fremdId": "k2"}
    department.tell("crossed", times=1)
    _, crossed = asked(department, "k3")
    assert crossed == doubled
    assert [record.key for record in department.received] == ["k1", "k2", "k3"]


def test_who_asks_how_a_case_stands_hears_not_yet_for_ever(department: RestDepartment) -> None:
    department.tell("never_finishes")
    asked(department)
    answers = [asked(department, method="GET", path="/in-progress/k1")[0] for _ in range(3)]
    assert all(head.startswith(b"HTTP/1.1 202 ") for head in answers)
    assert department.ledger.deeds[1:] == [Deed("status", "k1", False)] * 3


@pytest.mark.parametrize("header", ["7", "-5", "9" * 30, "²", "Fri, 31 Dec 9999 23:59:59 GMT"])
def test_it_says_when_to_come_back_in_any_words(department: RestDepartment, header: str) -> None:
    department.tell("down", retry_after=header, status=429)
    head, _ = asked(department)
    assert head.startswith(b"HTTP/1.1 429 ")
    assert f"Retry-After: {header}".encode("latin-1") in head


@pytest.mark.parametrize("kind", sorted(ON_THE_CONNECTION - {"reset_before_send"}))
def test_it_shows_a_certificate_that_nobody_may_believe_once(tmp_path: Path, kind: Kind) -> None:
    authority = Authority(tmp_path)
    openapi = described(tmp_path, "department.openapi.yaml")
    context = ssl.create_default_context(cafile=authority.file)
    with RestDepartment(openapi, answer=ANSWER, authority=authority) as department:
        department.tell(kind, times=1)
        with connected(department) as connection, pytest.raises(ssl.SSLCertVerificationError) as caught:
            context.wrap_socket(connection, server_hostname="127.0.0.1")
        with (
            connected(department) as connection,
            context.wrap_socket(connection, server_hostname="127.0.0.1") as secured,
        ):
            secured.sendall(request("k1"))
            assert secured.recv(1 << 16).startswith(b"HTTP/1.1 201 ")
        deeds = department.ledger.deeds
    reasons = {"expired_certificate": "expired", "wrong_host": "IP address mismatch", "unknown_authority": "issuer"}
    assert reasons[kind] in caught.value.verify_message
    assert deeds == [Deed(kind, None, False), Deed("ok", "k1", True)]

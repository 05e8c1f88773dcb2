"""What every virus scanner does, over a real clamd (both ways to reach it) and over a strict ICAP service."""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import tracemalloc
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from clamd_server import EICAR, SCANNED_BYTES, STREAM_BYTES, ClamdServer
from icap_server import IcapService, icap_service

from gateway.attachments.scanning import Clean, Infected, Scanner, ScannerUnavailable, Unscannable, open_scanner

MIB = 1024 * 1024
BLOCK = os.urandom(MIB)


@pytest.fixture(scope="module")
def icap() -> Iterator[IcapService]:
    with icap_service(EICAR) as service:
        yield service


@pytest.fixture(params=["clamd over TCP", "clamd over its socket", "ICAP"])
def scanner(request: pytest.FixtureRequest) -> Scanner:
    if request.param == "ICAP":
        service: IcapService = request.getfixturevalue("icap")
        return open_scanner(service.url, seconds=30)
    clamd: ClamdServer = request.getfixturevalue("clamd")
    clamd.start()
    return open_scanner(clamd.url if "TCP" in request.param else clamd.socket_url, seconds=30)


@pytest.fixture
def service() -> Iterator[IcapService]:
    """An ICAP service of the test's own, to be spoiled."""
    with icap_service(EICAR) as own:
        yield own


@pytest.mark.parametrize("chunks", [[], [b""], [b"Sehr geehrte Damen"], [b"a", b"", b"b"], [BLOCK, b"end"]])
def test_harmless_content_is_clean_however_it_is_cut(scanner: Scanner, chunks: list[bytes]) -> None:
    assert scanner.scan(chunks) == Clean()


@pytest.mark.parametrize(
    "chunks",
    [[EICAR], [EICAR[:20], EICAR[20:]], [bytes([b]) for b in EICAR], [b"before " * 1000, EICAR, b" after" * 1000]],
    ids=["whole", "in two", "byte by byte", "in the middle"],
)
def test_malware_is_found_and_named_however_it_is_cut(scanner: Scanner, chunks: list[bytes]) -> None:
    verdict = scanner.scan(chunks)
    assert isinstance(verdict, Infected)
    assert verdict.name.startswith("Gateway.Eicar")


def test_malware_at_the_very_end_of_fifty_megabytes_is_found_with_the_memory_of_a_few_chunks(scanner: Scanner) -> None:
    def large() -> Iterator[bytes]:
        for _ in range(50):
            yield BLOCK
        yield EICAR

    tracemalloc.start()
    verdict = scanner.scan(large())
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert isinstance(verdict, Infected)
    # The ICAP service of the tests is in this process and joins its body: its 100 MiB are not ours.
    assert peak < (120 if "Icap" in type(scanner).__name__ else 4) * MIB


def test_several_scan_at_the_same_time_and_each_gets_its_own_verdict(scanner: Scanner) -> None:
    verdicts: dict[int, Any] = {}

    def scan(number: int) -> None:
        verdicts[number] = scanner.scan([BLOCK, EICAR if number % 2 else b"fine"])

    threads = [threading.Thread(target=scan, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert [isinstance(verdicts[number], Infected) for number in range(8)] == [False, True] * 4


def test_what_goes_wrong_while_reading_is_not_the_scanners_fault(scanner: Scanner) -> None:
    def broken() -> Iterator[bytes]:
        yield b"first"
        raise RuntimeError("the content is damaged")

    with pytest.raises(RuntimeError, match="damaged"):
        scanner.scan(broken())
    scanner.ping()
    assert scanner.scan([b"next"]) == Clean()


@pytest.mark.parametrize(
    "scheme", ["clamd://127.0.0.1:{port}", "icap://127.0.0.1:{port}/scan", "clamd:/nowhere/socket"]
)
def test_nobody_there_is_unavailable(scheme: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        scanner = open_scanner(scheme.format(port=taken.getsockname()[1]), seconds=5)
        with pytest.raises(ScannerUnavailable):
            scanner.ping()
        with pytest.raises(ScannerUnavailable):
            scanner.scan([b"x"])


@pytest.mark.parametrize("url", ["clamd://127.0.0.1:{port}", "icap://127.0.0.1:{port}/scan"])
def test_a_scanner_that_never_answers_is_unavailable_when_its_time_is_over(url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        scanner = open_scanner(url.format(port=silent.getsockname()[1]), seconds=0.3)
        with pytest.raises(ScannerUnavailable):
            scanner.scan([BLOCK] * 40)


# --------------------------------------------------------------------------------------------------------- clamd only


def test_more_than_clamd_takes_or_looks_into_is_not_clean(clamd: ClamdServer) -> None:
    clamd.start()
    scanner = open_scanner(clamd.url, seconds=30)

    assert scanner.scan([BLOCK] * (SCANNED_BYTES // MIB + 1)) == Unscannable("too_large")
    assert scanner.scan([BLOCK] * (STREAM_BYTES // MIB + 10)) == Unscannable("too_large")


@dataclass
class Answering:
    """Answers every connection with the same bytes, after it has read a little."""

    listener: socket.socket

    @property
    def port(self) -> int:
        return int(self.listener.getsockname()[1])

    def serve(self, answer: bytes) -> None:
        connection, _ = self.listener.accept()
        with connection:
            connection.recv(1024 * 1024)
            connection.sendall(answer)
            with contextlib.suppress(OSError):  # who has enough of the answer hangs up
                connection.shutdown(socket.SHUT_WR)
                while connection.recv(1024 * 1024):
                    pass


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"\x00",
        b"stream: OK",
        b"stream: O\x00",
        b"OK\x00",
        b"stream: OK\nstream: X FOUND\x00",
        b"stream:  FOUND\x00",
        b"UNKNOWN COMMAND\x00",
        b"stream: Can't allocate memory ERROR\x00",
        b"x" * 100_000 + b"\x00",
    ],
)
def test_an_answer_that_is_not_exactly_clamds_is_no_verdict(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        other = Answering(listener)
        thread = threading.Thread(target=other.serve, args=(answer,), daemon=True)
        thread.start()
        with pytest.raises(ScannerUnavailable):
            open_scanner(f"clamd://127.0.0.1:{other.port}", seconds=5).scan([b"x"])
        thread.join(5)


# ---------------------------------------------------------------------------------------------------------- ICAP only


def test_the_strict_service_finds_nothing_wrong_with_our_requests(icap: IcapService) -> None:
    icap.bodies.clear()
    scanner = open_scanner(icap.url, seconds=30)
    scanner.scan([b"a" * 700_000, b"", b"b"])
    assert (icap.faults, icap.bodies) == ([], [700_001])


@pytest.mark.parametrize(("member", "value"), [("allow", ""), ("methods", "REQMOD")])
def test_a_service_that_cannot_say_nothing_found_is_not_used(service: IcapService, member: str, value: str) -> None:
    setattr(service, member, value)
    with pytest.raises(ScannerUnavailable):
        open_scanner(service.url, seconds=5).scan([b"x"])
    assert service.bodies == [], "nothing was given to it"


@pytest.mark.parametrize(
    "answer",
    [
        b"",
        b"ICAP/1.0 204",
        b"HTTP/1.1 204 No Content\r\n\r\n",
        b"ICAP/1.0 500 Server error\r\n\r\n",
        b"ICAP/1.0 404 Service not found\r\n\r\n",
        b"ICAP/1.0 100 Continue\r\n\r\n",
        b"ICAP/1.0 204 No Content\r\nno field\r\n\r\n",
    ],
)
def test_an_answer_that_is_no_icap_verdict_is_unavailable(service: IcapService, answer: bytes) -> None:
    service.answer = answer
    with pytest.raises(ScannerUnavailable):
        open_scanner(service.url, seconds=5).scan([b"x"])


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        (b"ICAP/1.0 200 OK\r\nX-Virus-ID: Some.Name\r\n\r\n", Infected("Some.Name")),
        (b"ICAP/1.0 200 OK\r\nEncapsulated: res-hdr=0, null-body=20\r\n\r\n", Infected("unnamed")),
        (b"ICAP/1.0 403 Forbidden\r\n\r\n", Infected("unnamed")),
        (b"ICAP/1.0 413 Too large\r\n\r\n", Unscannable("too_large")),
    ],
)
def test_whatever_would_change_the_content_is_a_block(service: IcapService, answer: bytes, verdict: Any) -> None:
    service.answer = answer
    assert open_scanner(service.url, seconds=5).scan([b"x"]) == verdict

"""Virus scanners: clamd (INSTREAM) and ICAP behind one small protocol. Bytes pass through; nothing is written to disk.

A scanner is believed only where its answer is exactly what its protocol says; everything else is "unavailable", and
what was to be scanned waits. Sources: clamd(8) "COMMANDS"; RFC 3507 (ICAP), `X-Infection-Found` and `X-Virus-ID` as in
draft-stecher-icap-subid-00.
"""

from __future__ import annotations

import re
import select
import socket
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal, Protocol
from urllib.parse import urlsplit

from gateway.errors import GatewayError

CONNECT_SECONDS = 5.0
_ANSWER_BYTES = 64 * 1024
_PIECE = 256 * 1024


class ScannerUnavailable(GatewayError):
    """No verdict: the scanner did not answer, not in time, or not as its protocol says. Scan again later."""


@dataclass(frozen=True, slots=True)
class Clean:
    """The scanner has seen every byte and found nothing."""


@dataclass(frozen=True, slots=True)
class Infected:
    """name: what the scanner calls it; says nothing about a person."""

    name: str


@dataclass(frozen=True, slots=True)
class Unscannable:
    """The scanner answers, but will not judge this one: larger than it may be, or encrypted."""

    why: Literal["too_large", "encrypted"]


Verdict = Clean | Infected | Unscannable


class Scanner(Protocol):
    """One connection per call; thread-safe."""

    def scan(self, chunks: Iterable[bytes]) -> Verdict:
        """Judge what `chunks` give, one after the other. May stop reading them once the verdict is there.

        Raises ScannerUnavailable; whatever `chunks` raises passes through.
        """
        ...

    def ping(self) -> None:
        """Whether it would answer now. Raises ScannerUnavailable."""
        ...


def open_scanner(url: str, *, seconds: float) -> Scanner:
    """`clamd://HOST:PORT`, `clamd:/PATH/OF/SOCKET` or `icap://HOST:PORT/SERVICE`. seconds: for one whole scan."""
    parts = urlsplit(url)
    if parts.scheme == "icap":
        return Icap(parts.hostname or "", parts.port or 1344, parts.path.lstrip("/"), seconds=seconds)
    address = (parts.hostname, parts.port or 3310) if parts.hostname else parts.path
    return Clamd(address, seconds=seconds)


# -------------------------------------------------------------------------------------------------------------- clamd


class Clamd:
    """clamd's INSTREAM command. address: host and port, or the path of its socket.

    clamd says "OK" to what exceeds its own MaxFileSize or MaxScanSize unless `AlertExceedsMax yes` stands in its
    configuration; then it is `Unscannable` here.
    """

    def __init__(self, address: tuple[str, int] | str, *, seconds: float) -> None:
        self._address = address
        self._seconds = seconds

    def scan(self, chunks: Iterable[bytes]) -> Verdict:
        with _connection(self._address, self._seconds) as peer:
            peer.send_until_answered(_instream(chunks))
            return _clamd_verdict(peer.read_until(b"\x00"))

    def ping(self) -> None:
        with _connection(self._address, CONNECT_SECONDS) as peer:
            peer.send_until_answered([b"zPING\x00"])
            if peer.read_until(b"\x00") != b"PONG":
                raise ScannerUnavailable("clamd does not answer PONG")


def _instream(chunks: Iterable[bytes]) -> Iterator[bytes]:
    yield b"zINSTREAM\x00"
    for piece in _pieces(chunks):
        yield len(piece).to_bytes(4, "big") + piece
    yield b"\x00\x00\x00\x00"


_CLAMD_FOUND = re.compile(r"stream: (\S.{0,200}) FOUND")


def _clamd_verdict(answer: bytes) -> Verdict:
    text = answer.decode("utf-8", "replace")
    if text == "stream: OK":
        return Clean()
    if found := _CLAMD_FOUND.fullmatch(text):
        if found[1].startswith("Heuristics.Limits.Exceeded"):
            return Unscannable("too_large")
        return Unscannable("encrypted") if found[1].startswith("Heuristics.Encrypted") else Infected(found[1])
    if text == "INSTREAM size limit exceeded. ERROR":
        return Unscannable("too_large")
    raise ScannerUnavailable("clamd answered with an error" if text else "clamd closed without an answer")


# --------------------------------------------------------------------------------------------------------------- ICAP


@dataclass(frozen=True, slots=True)
class _IcapAnswer:
    """headers: names in lower case."""

    status: int
    headers: dict[str, str]


class Icap:
    """RESPMOD (RFC 3507 §4.9): the attachment goes as the body of an HTTP answer, and 204 says "nothing to change".

    Only a service that offers 204 is used: one that always answers 200 with content would have to be trusted to say
    infection by changing it. No preview: a verdict on the first bytes would be none.
    """

    def __init__(self, host: str, port: int, service: str, *, seconds: float) -> None:
        self._address = (host, port)
        self._url = f"icap://{host}:{port}/{service}"
        self._host = f"{host}:{port}"
        self._seconds = seconds
        self._fit = False

    def scan(self, chunks: Iterable[bytes]) -> Verdict:
        if not self._fit:
            self.ping()
        try:
            with _connection(self._address, self._seconds) as peer:
                peer.send_until_answered(self._respmod(chunks))
                return _icap_verdict(_read_icap(peer))
        except ScannerUnavailable:
            self._fit = False  # asked again: another configuration may run after a restart
            raise

    def ping(self) -> None:
        """OPTIONS: the service is there, does RESPMOD and offers 204. Raises ScannerUnavailable."""
        with _connection(self._address, CONNECT_SECONDS) as peer:
            peer.send_until_answered([self._head("OPTIONS", "Encapsulated: null-body=0")])
            answer = _read_icap(peer)
        if answer.status != 200:
            raise ScannerUnavailable(f"the ICAP service answers {answer.status} to OPTIONS")
        if "RESPMOD" not in re.split(r"[,\s]+", answer.headers.get("methods", "").upper()):
            raise ScannerUnavailable("the ICAP service does not do RESPMOD")
        if "204" not in re.split(r"[,\s]+", answer.headers.get("allow", "")):
            raise ScannerUnavailable("the ICAP service does not offer 204")
        self._fit = True

    def _head(self, method: str, *fields: str) -> bytes:
        lines = (f"{method} {self._url} ICAP/1.0", f"Host: {self._host}", "User-Agent: ozg-gateway", *fields, "", "")
        return "\r\n".join(lines).encode()

    def _respmod(self, chunks: Iterable[bytes]) -> Iterator[bytes]:
        request = b"GET http://ozg-gateway.invalid/attachment HTTP/1.1\r\nHost: ozg-gateway.invalid\r\n\r\n"
        response = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\n\r\n"
        places = f"req-hdr=0, res-hdr={len(request)}, res-body={len(request) + len(response)}"
        yield self._head("RESPMOD", "Allow: 204", f"Encapsulated: {places}", "Connection: close") + request + response
        for piece in _pieces(chunks):
            yield b"%x\r\n" % len(piece) + piece + b"\r\n"
        yield b"0\r\n\r\n"


_STATUS_LINE = re.compile(r"ICAP/1\.\d (\d{3})(?: .*)?")
_FIELD = re.compile(r"([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*")


def _read_icap(peer: _Peer) -> _IcapAnswer:
    head = peer.read_until(b"\r\n\r\n").decode("latin-1")
    first, *lines = head.split("\r\n")
    status = _STATUS_LINE.fullmatch(first)
    fields = [_FIELD.fullmatch(line) for line in lines]
    if status is None or None in fields:
        raise ScannerUnavailable("the answer is no ICAP" if head else "the ICAP service closed without an answer")
    return _IcapAnswer(int(status[1]), {field[1].lower(): field[2] for field in fields if field})


def _icap_verdict(answer: _IcapAnswer) -> Verdict:
    """200 means that it would have us hand on something else: with 204 allowed, that is a block."""
    if answer.status == 204:
        return Clean()
    if answer.status == 413:
        return Unscannable("too_large")
    if answer.status not in (200, 403):
        raise ScannerUnavailable(f"the ICAP service answers {answer.status}")
    threat = re.search(r"Threat=([^;]*)", answer.headers.get("x-infection-found", ""))
    name = threat[1].strip() if threat else answer.headers.get("x-virus-id", "")
    return Infected(name[:200] or "unnamed")


# --------------------------------------------------------------------------------------------------- the connection


class _Peer:
    """A socket with a time by which everything must be over. Every failure is ScannerUnavailable."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._socket = sock
        self._deadline = deadline

    def send_until_answered(self, pieces: Iterable[bytes]) -> None:
        """Send, until the scanner answers or closes its end: it may have its verdict before the last byte.

        Looked for before each piece: once the scanner has closed, what is sent makes the system throw its answer away.
        """
        for piece in pieces:
            self._wait()
            if select.select([self._socket], [], [], 0)[0]:
                return
            try:
                self._socket.sendall(piece)
            except TimeoutError:
                raise ScannerUnavailable("the scanner takes too long") from None
            except OSError:
                return

    def read_until(self, end: bytes) -> bytes:
        """What comes before `end`; empty when nothing came. Raises ScannerUnavailable for half an answer."""
        answer = b""
        while end not in answer:
            self._wait()
            try:
                data = self._socket.recv(4096)
            except OSError as error:
                raise ScannerUnavailable(f"the scanner broke off ({type(error).__name__})") from None
            if not data and not answer:
                return b""
            answer += data
            if not data or len(answer) > _ANSWER_BYTES:
                raise ScannerUnavailable("the scanner's answer has no end")
        return answer[: answer.index(end)]

    def _wait(self) -> None:
        left = self._deadline - time.monotonic()
        if left <= 0:
            raise ScannerUnavailable("the scanner takes too long")
        self._socket.settimeout(left)


@contextmanager
def _connection(address: tuple[str, int] | str, seconds: float) -> Iterator[_Peer]:
    deadline = time.monotonic() + seconds
    with _connected(address, min(seconds, CONNECT_SECONDS)) as sock:
        yield _Peer(sock, deadline)


def _connected(address: tuple[str, int] | str, seconds: float) -> socket.socket:
    try:
        if not isinstance(address, str):
            return socket.create_connection(address, timeout=seconds)
        sock = socket.socket(socket.AF_UNIX)
        try:
            sock.settimeout(seconds)
            sock.connect(address)
        except BaseException:
            sock.close()
            raise
    except OSError as error:
        raise ScannerUnavailable(f"the scanner cannot be reached ({type(error).__name__})") from None
    return sock


def _pieces(chunks: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes in pieces of at most 256 KiB, none empty: an empty one would be the end."""
    for chunk in chunks:
        for start in range(0, len(chunk), _PIECE):
            yield chunk[start : start + _PIECE]

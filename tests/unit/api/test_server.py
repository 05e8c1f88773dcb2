"""The real server over real sockets: bounds, ambiguity, slow and vanishing senders."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from intake_support import BOUNDARY, CANARY, LIMITS, PDF, File, Sender, body, open_sender, parts_for, sample

from gateway import pipeline
from gateway.api.app import create_app
from gateway.api.server import listen, serve_in_thread

PATIENCE = 8.0
LIVE = b"GET /health/live HTTP/1.1\r\n"
HOST = b"Host: gateway\r\n"


class Server:
    """Sends bytes, gives back everything that comes until the server closes."""

    def __init__(self, sender: Sender, port: int) -> None:
        self.sender = sender
        self.port = port
        self.auth = f"Authorization: Bearer {sender.token()}\r\n".encode()

    def connect(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port))
        connection.settimeout(PATIENCE)
        return connection

    def say(self, *pieces: bytes) -> bytes:
        with self.connect() as connection:
            for piece in pieces:
                connection.sendall(piece)
            return read_all(connection)

    def post(self, *more: bytes) -> bytes:
        """The head of a submission, with more header lines."""
        kind = f"Content-Type: multipart/form-data; boundary={BOUNDARY}\r\n".encode()
        return b"POST /v1/submissions HTTP/1.1\r\n" + HOST + self.auth + kind + b"".join(more) + b"\r\n"


def read_all(connection: socket.socket) -> bytes:
    answer = b""
    while piece := connection.recv(65536):
        answer += piece
    return answer


def code_in(answer: bytes) -> tuple[int, str]:
    """Status and problem code of the last answer in what came over a connection that the server then closed."""
    head, _, content = answer.rpartition(b"\r\n\r\n")
    assert b"application/problem+json" in head, answer[:300]
    assert b"connection: close" in head.lower()
    problem = json.loads(content)
    return int(head.split()[1]), problem["type"].rpartition(":")[2]


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    home: Path = tmp_path_factory.mktemp("server")
    for sender in open_sender(home):
        with listen("127.0.0.1", 0) as listener:
            port = listener.getsockname()[1]
            with serve_in_thread(create_app(sender.gateway, pipeline), LIMITS, listener):
                yield Server(sender, port)


WHOLE = body(parts_for(*sample(), [File(PDF + b"x" * 300_000)]))


def length(content: bytes) -> bytes:
    return b"Content-Length: %d\r\n" % len(content)


def test_a_submission_in_small_pieces_and_in_chunks_is_accepted(server: Server) -> None:
    pieces = [WHOLE[i : i + 10_000] for i in range(0, len(WHOLE), 10_000)]
    close = b"Connection: close\r\n"
    assert server.say(server.post(length(WHOLE), close), *pieces).startswith(b"HTTP/1.1 202")
    chunks = [b"%x\r\n" % len(piece) + piece + b"\r\n" for piece in pieces]
    answer = server.say(server.post(b"Transfer-Encoding: chunked\r\n", close), *chunks, b"0\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 202")


def test_a_sender_that_asks_first_is_told_to_go_on_or_why_not(server: Server) -> None:
    with server.connect() as connection:
        connection.sendall(server.post(length(WHOLE), b"Expect: 100-continue\r\n", b"Connection: close\r\n"))
        assert connection.recv(100).startswith(b"HTTP/1.1 100 ")
        connection.sendall(WHOLE)
        assert read_all(connection).startswith(b"HTTP/1.1 202")
    refused = b"POST /v1/submissions HTTP/1.1\r\n" + HOST + length(WHOLE) + b"Expect: 100-continue\r\n\r\n"
    assert code_in(server.say(refused)) == (401, "token_missing")


AMBIGUOUS = {
    "two hosts": LIVE + HOST + HOST + b"\r\n",
    "no host": LIVE + b"\r\n",
    "a host as target that is another": b"GET http://other/health/live HTTP/1.1\r\n" + HOST + b"\r\n",
    "a target that is no path": b"CONNECT gateway:80 HTTP/1.1\r\n" + HOST + b"\r\n",
    "length and chunks": LIVE + HOST + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "two lengths": LIVE + HOST + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\nabcd",
    "the same length twice": LIVE + HOST + b"Content-Length: 3\r\nContent-Length: 3\r\n\r\nabc",
    "a list of lengths": LIVE + HOST + b"Content-Length: 3, 3\r\n\r\nabc",
    "a length with a sign": LIVE + HOST + b"Content-Length: +3\r\n\r\nabc",
    "a length in hex": LIVE + HOST + b"Content-Length: 0x3\r\n\r\nabc",
    "chunks twice": LIVE + HOST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "another coding": LIVE + HOST + b"Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "nearly chunks": LIVE + HOST + b"Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
    "chunks in HTTP/1.0": b"POST / HTTP/1.0\r\n" + HOST + b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    "bare line feeds": b"GET /health/live HTTP/1.1\nHost: gateway\n\n",
    "a bare line feed": LIVE + b"Host: gateway\nX: y\r\n\r\n",
    "a bare carriage return": LIVE + HOST + b"X: a\rb\r\n\r\n",
    "a folded line": LIVE + HOST + b"X: a\r\n b\r\n\r\n",
    "a space before the colon": LIVE + b"Host : gateway\r\n\r\n",
    "NUL in a header": LIVE + HOST + b"X: a\x00b\r\n\r\n",
    "HTTP/2 by word": b"GET /health/live HTTP/2.0\r\n" + HOST + b"\r\n",
    "HTTP/0.9": b"GET /health/live\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
}


@pytest.mark.parametrize("request_bytes", AMBIGUOUS.values(), ids=AMBIGUOUS.keys())
def test_what_two_readers_could_read_differently_is_refused(server: Server, request_bytes: bytes) -> None:
    assert code_in(server.say(request_bytes)) == (400, "request_malformed")


def test_a_malformed_chunk_ends_the_connection_and_nothing_is_kept(server: Server) -> None:
    before = server.sender.stored()
    head = server.post(b"Transfer-Encoding: chunked\r\n")
    assert b"202" not in server.say(head, b"zz\r\n")
    assert server.sender.stored() == before


HEADERS = {
    "endless field": [LIVE + HOST + b"X: ", *[b"a" * 4096] * 100],
    "endless fields": [LIVE + HOST, *[b"X-%d: a\r\n" % i for i in range(2000)]],
    "endless target": [b"GET /", *[b"a" * 4096] * 100],
    "too many fields": [LIVE + HOST + b"X: a\r\n" * (LIMITS.headers + 1) + b"\r\n"],
}


@pytest.mark.parametrize("pieces", HEADERS.values(), ids=HEADERS.keys())
def test_a_header_without_end_is_cut_off(server: Server, pieces: Sequence[bytes]) -> None:
    with server.connect() as connection:
        answer = b""
        try:
            for piece in pieces:
                connection.sendall(piece)
            answer = read_all(connection)
        except (ConnectionResetError, BrokenPipeError):
            answer = b""  # the server had closed while we were still sending
        assert not answer or code_in(answer) == (431, "headers_too_large")


@pytest.mark.parametrize("begun", [b"", b"GET", LIVE, LIVE + HOST + b"X: "])
def test_a_header_that_does_not_come_is_not_waited_for(server: Server, begun: bytes) -> None:
    started = time.monotonic()
    assert code_in(server.say(begun)) == (408, "sender_too_slow")
    assert LIMITS.header_seconds * 0.8 <= time.monotonic() - started < LIMITS.header_seconds + 5


def test_a_header_that_comes_in_drops_is_not_waited_for_either(server: Server) -> None:
    with server.connect() as connection:
        connection.settimeout(0.05)
        answer = b""
        for byte in LIVE * 20:
            try:
                connection.sendall(bytes([byte]))
                answer = connection.recv(65536)
            except TimeoutError:
                continue
            except (ConnectionResetError, BrokenPipeError):
                break
            break
        assert answer.startswith(b"HTTP/1.1 408")


def test_a_body_that_stops_half_way_is_not_waited_for_and_not_kept(server: Server) -> None:
    before = server.sender.stored()
    answer = server.say(server.post(length(WHOLE)), WHOLE[: len(WHOLE) // 2])
    assert code_in(answer) == (408, "sender_too_slow")
    assert server.sender.stored() == before


def test_a_body_that_comes_in_drops_is_cut_off(server: Server) -> None:
    with server.connect() as connection:
        connection.settimeout(0.1)
        connection.sendall(server.post(length(WHOLE)))
        answer, started = b"", time.monotonic()
        while not answer and time.monotonic() - started < PATIENCE:
            try:
                connection.sendall(b"-")
                answer = connection.recv(65536)
            except TimeoutError:
                continue
        assert answer.startswith(b"HTTP/1.1 408")


def test_a_sender_that_vanishes_half_way_leaves_nothing(server: Server) -> None:
    before = server.sender.stored()
    data, media_type = sample()
    large = body(parts_for(data, media_type, [File(PDF + CANARY.encode() * 90_000)]))
    with server.connect() as connection:
        connection.sendall(server.post(length(large)) + large[:-100])
    until = time.monotonic() + PATIENCE
    while b'route="/v1/submissions",status="aborted"' not in server.sender.gateway.metrics.render():
        assert time.monotonic() < until
        server.say(LIVE + HOST + b"Connection: close\r\n\r\n")
    assert server.sender.stored() == before


def test_an_early_refusal_reaches_a_sender_that_is_still_sending(server: Server) -> None:
    large = b"a" * 3_000_000
    head = b"POST /v1/submissions HTTP/1.1\r\n" + HOST + length(large) + b"\r\n"
    assert code_in(server.say(head, large)) == (401, "token_missing")


def test_an_announced_length_over_the_limit_is_refused_before_anything_is_read(server: Server) -> None:
    head = server.post(b"Content-Length: %d\r\n" % (LIMITS.body_bytes + 1), b"Expect: 100-continue\r\n")
    assert code_in(server.say(head)) == (413, "body_too_large")


def test_more_connections_than_allowed_are_turned_away_at_once(server: Server) -> None:
    held = [server.connect() for _ in range(LIMITS.connections)]
    try:
        answer = read_all(server.connect())
    finally:
        for connection in held:
            connection.close()
    assert code_in(answer) == (503, "too_many_connections")


def test_a_connection_serves_one_request_after_the_other(server: Server) -> None:
    with server.connect() as connection:
        for _ in range(3):
            connection.sendall(LIVE + HOST + b"\r\n")
            answer = b""
            while b'{"status":"up"}' not in answer:
                answer += connection.recv(65536)
        connection.sendall(LIVE + HOST + b"\r\n" + LIVE + HOST + b"Connection: close\r\n\r\n")
        assert read_all(connection).count(b'{"status":"up"}') == 2


def test_the_server_does_not_say_what_it_is_made_of(server: Server) -> None:
    answer = server.say(LIVE + HOST + b"Connection: close\r\n\r\n").lower()
    assert b"uvicorn" not in answer
    assert b"\r\nserver:" not in answer

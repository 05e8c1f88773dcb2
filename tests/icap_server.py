"""A small ICAP service that takes only what RFC 3507 says: a request is checked to the byte before it answers."""

from __future__ import annotations

import re
import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

FOUND = "HTTP/1.1 403 Forbidden\r\nContent-Type: text/plain\r\n\r\n"


class IcapService:
    """needle: what it takes for malware. Switches: `allow`, `methods` of OPTIONS; `answer`: sent instead of a verdict.

    faults: what was wrong about requests; a good client leaves it empty. bodies: sizes of what it was given.
    """

    def __init__(self, needle: bytes) -> None:
        self.needle = needle
        self.allow, self.methods = "204", "RESPMOD"
        self.answer: bytes | None = None
        self.faults: list[str] = []
        self.bodies: list[int] = []
        self.port = 0

    @property
    def url(self) -> str:
        return f"icap://127.0.0.1:{self.port}/virusscan"

    def reply(self, stream: _Stream) -> bytes:
        method, target, headers = stream.head("ICAP/1.0")
        self._require(target == self.url, f"another address: {target}")
        self._require(headers.get("host") == f"127.0.0.1:{self.port}", "no Host")
        if method == "OPTIONS":
            self._require(headers.get("encapsulated") == "null-body=0", "OPTIONS encapsulates something")
            lines = (f"Methods: {self.methods}", f"Allow: {self.allow}", 'ISTag: "1"', "Encapsulated: null-body=0")
            return "\r\n".join(("ICAP/1.0 200 OK", *lines, "", "")).encode()
        self._require(method == "RESPMOD" and "204" in headers.get("allow", ""), "no RESPMOD that allows 204")
        body = self._encapsulated(stream, headers.get("encapsulated", ""))
        if self.answer is not None:
            return self.answer
        if self.needle not in body:
            return b'ICAP/1.0 204 No Content\r\nISTag: "1"\r\n\r\n'
        threat = "X-Infection-Found: Type=0; Resolution=2; Threat=Gateway.Eicar;"
        places = f"Encapsulated: res-hdr=0, null-body={len(FOUND)}"
        return f"ICAP/1.0 200 OK\r\n{threat}\r\n{places}\r\n\r\n{FOUND}".encode()

    def _encapsulated(self, stream: _Stream, places: str) -> bytes:
        match = re.fullmatch(r"req-hdr=0, res-hdr=(\d+), res-body=(\d+)", places)
        if match is None:
            self._require(False, f"Encapsulated: {places}")
            return b""
        request, response = stream.take(int(match[1])), stream.take(int(match[2]) - int(match[1]))
        self._require(request.startswith(b"GET ") and request.endswith(b"\r\n\r\n"), "req-hdr is not where it says")
        self._require(response.startswith(b"HTTP/1.1 200") and response.endswith(b"\r\n\r\n"), "nor is res-hdr")
        body = b"".join(stream.chunks())
        self.bodies.append(len(body))
        return body

    def _require(self, holds: bool, fault: str) -> None:
        if not holds:
            self.faults.append(fault)


class _Stream(socketserver.StreamRequestHandler):
    """One connection; read to the byte."""

    def handle(self) -> None:
        service: IcapService = self.server.service  # type: ignore[attr-defined]
        self.wfile.write(service.reply(self))

    def head(self, version: str) -> tuple[str, str, dict[str, str]]:
        lines = []
        while line := self.rfile.readline().decode("latin-1").removesuffix("\r\n"):
            lines.append(line)
        method, target, spoken = lines[0].split(" ")
        assert spoken == version
        return method, target, {name.lower(): value.strip() for name, _, value in (x.partition(":") for x in lines[1:])}

    def take(self, size: int) -> bytes:
        return self.rfile.read(size)

    def chunks(self) -> Iterator[bytes]:
        while size := int(self.rfile.readline(), 16):
            yield self.take(size)
            assert self.take(2) == b"\r\n"
        assert self.take(2) == b"\r\n"


class _Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True


@contextmanager
def icap_service(needle: bytes, *, port: int = 0) -> Iterator[IcapService]:
    service = IcapService(needle)
    with _Server(("127.0.0.1", port), _Stream) as server:
        server.service = service  # type: ignore[attr-defined]
        service.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join(5)

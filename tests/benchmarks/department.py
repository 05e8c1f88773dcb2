"""The department system of the benchmarks, a process of its own: answers every SOAP POST at once, with a new number.

    python -m tests.benchmarks.department        prints its port, then serves until its standard input ends

It neither checks nor keeps anything (the strict simulators of `adapters.testkit` do), so that it costs next to nothing.
"""

from __future__ import annotations

import asyncio
import itertools
import sys

_ANSWER = (
    '<?xml version="1.0" encoding="UTF-8"?>'
    '<s:Envelope xmlns:s="http://schemas.xmlsoap.org/soap/envelope/"><s:Body>'
    '<VorgangAnlegenAntwort xmlns="urn:beispiel:hundesteuer:1"><Vorgangsnummer>V-%08d</Vorgangsnummer>'
    "<Aktenzeichen>AZ-%08d</Aktenzeichen><Doppelt>false</Doppelt></VorgangAnlegenAntwort></s:Body></s:Envelope>"
)
_numbers = itertools.count(1)


class Answering(asyncio.Protocol):
    def __init__(self) -> None:
        self._data = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        self._data += data
        while (end := self._data.find(b"\r\n\r\n")) >= 0:
            lines = self._data[:end].lower().split(b"\r\n")
            length = next(int(line[15:]) for line in lines if line.startswith(b"content-length:"))
            if len(self._data) < end + 4 + length:
                return
            self._data = self._data[end + 4 + length :]
            number = next(_numbers)
            body = (_ANSWER % (number, number)).encode()
            head = f"HTTP/1.1 200 OK\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)


async def serve() -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Answering, "127.0.0.1", 0, backlog=512)
    print(server.sockets[0].getsockname()[1], flush=True)
    await loop.run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(serve())

"""The load generator, a process of its own: many connections, raw sockets, prepared bytes.

    python -m tests.benchmarks.load PORT COUNT CONNECTIONS  < token

Prints one JSON object: accepted, other answers by status, when it began (`time.monotonic`, the same for all processes),
seconds, p50 and p99 in ms, and how busy this process was (`busy`, share of one core): near 1 it would have been the
bottleneck, and the figures its own.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field

from tests.benchmarks.message import message, multipart, request_head

HOST = "127.0.0.1"


@dataclass
class Round:
    """What is to be sent, and what was answered."""

    head: bytes
    body: bytes
    left: int
    done: asyncio.Event = field(default_factory=asyncio.Event)
    open: int = 0
    seconds: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)


class Sender(asyncio.Protocol):
    """One connection: sends the next request as soon as the last one is answered."""

    def __init__(self, work: Round) -> None:
        self._work = work
        self._answer = b""
        self._began = 0.0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._work.open += 1
        self._next()

    def _next(self) -> None:
        if self._work.left == 0:
            self._transport.close()
            return
        self._work.left -= 1
        self._began = time.perf_counter()
        key = str(uuid.uuid4()).encode()
        self._transport.write(self._work.head + key + b"\r\n\r\n" + self._work.body)

    def data_received(self, data: bytes) -> None:
        self._answer += data
        end = self._answer.find(b"\r\n\r\n")
        if end < 0:
            return
        head = self._answer[:end].lower()
        start = head.index(b"content-length:") + 15
        length = int(head[start : head.find(b"\r", start) if b"\r" in head[start:] else None])
        if len(self._answer) < end + 4 + length:
            return
        self._work.seconds.append(time.perf_counter() - self._began)
        self._work.statuses[int(head[9:12])] += 1
        self._answer = b""
        self._next()

    def connection_lost(self, _error: Exception | None) -> None:
        self._work.open -= 1
        if self._work.open == 0:
            self._work.done.set()


async def send(port: int, token: str, count: int, connections: int) -> dict[str, object]:
    body = multipart(message())
    work = Round(request_head(token, len(body)), body, count)
    loop = asyncio.get_running_loop()
    began, cpu = time.monotonic(), time.process_time()
    for _ in range(connections):
        await loop.create_connection(lambda: Sender(work), HOST, port)
    await work.done.wait()
    seconds = time.monotonic() - began
    ordered = sorted(work.seconds) or [0.0]
    return {
        "accepted": work.statuses.pop(202, 0),
        "other": dict(work.statuses),
        "began": began,
        "seconds": seconds,
        "p50_ms": ordered[len(ordered) // 2] * 1e3,
        "p99_ms": ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)] * 1e3,
        "busy": (time.process_time() - cpu) / seconds,
    }


if __name__ == "__main__":
    port, count, connections = map(int, sys.argv[1:4])
    print(json.dumps(asyncio.run(send(port, sys.stdin.read().strip(), count, connections))))

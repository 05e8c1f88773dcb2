"""What runs in a worker process (`python -m xoev_schemas.worker_process FD SECONDS`), and the form of messages to it.

A message is a list of byte strings: length of the rest (8 bytes), number of parts (4), length of each (8 each), the
parts; little endian. Requests: `compile KEY STYLESHEET…` · `run KEY DOCUMENT` · `call MODULE:NAME ARGUMENT…`. Answers:
`done …` · `refused INDEX REASON` (a stylesheet that does not compile) · `failed TYPE` (an exception).

Nothing that the process prints is kept: Saxon writes the citizens' values into its error texts.
"""

from __future__ import annotations

import math
import resource
import signal
import socket
import struct
import sys
import time
from collections.abc import Callable, Sequence
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from xoev_schemas.schematron.saxon import Saxon

HEADER = struct.Struct("<Q")
_COUNT = struct.Struct("<I")
_CHUNK = 1 << 16

# A gateway that was killed watches nobody; its workers then end by their share of CPU time. It is set anew only now and
# then, because calls of the system are what a small message costs here.
_LIMIT_EVERY = 5  # seconds


def pack(parts: Sequence[bytes]) -> bytes:
    lengths = struct.pack(f"<I{len(parts)}Q", len(parts), *map(len, parts))
    return b"".join((HEADER.pack(len(lengths) + sum(map(len, parts))), lengths, *parts))


def unpack(body: bytes | bytearray) -> list[bytes]:
    """The parts of a message without its first 8 bytes."""
    (count,) = _COUNT.unpack_from(body)
    position = _COUNT.size + count * HEADER.size
    parts = []
    for (length,) in HEADER.iter_unpack(body[_COUNT.size : position]):
        parts.append(bytes(body[position : position + length]))
        position += length
    return parts


class _Process:
    """Answers requests one after the other. Saxon is loaded at the first stylesheet."""

    def __init__(self) -> None:
        self._saxon: Saxon | None = None

    def answer(self, request: list[bytes]) -> list[bytes]:
        kind, subject, *arguments = request
        if kind == b"compile":
            return self._compile(subject.decode(), arguments)
        if kind == b"run" and self._saxon is not None:
            return [b"done", *self._saxon.run(subject.decode(), arguments[0])]
        return [b"done", _function(subject.decode())(*arguments)]

    def _compile(self, key: str, stylesheets: list[bytes]) -> list[bytes]:
        from xoev_schemas.schematron.saxon import NotCompilable, Saxon

        self._saxon = self._saxon or Saxon()
        try:
            self._saxon.compile(key, stylesheets)
        except NotCompilable as error:
            return [b"refused", str(error.index).encode(), error.reason.encode()]
        return [b"done"]


def _function(name: str) -> Callable[..., bytes]:
    module, _, function = name.partition(":")
    found: Callable[..., bytes] = getattr(import_module(module), function)
    return found


def serve(connection: socket.socket, seconds: int) -> None:
    """Until the other end is closed. A request that takes longer than `seconds` ends the process, watched or not."""
    process = _Process()
    limited = -math.inf
    while (body := receive(connection)) is not None:
        if time.monotonic() - limited >= _LIMIT_EVERY:
            limited = time.monotonic()
            used = int(time.process_time())
            resource.setrlimit(resource.RLIMIT_CPU, (used + _LIMIT_EVERY + seconds, resource.RLIM_INFINITY))
        try:
            answer = pack(process.answer(unpack(body)))
        except Exception as error:
            answer = pack([b"failed", type(error).__name__.encode()])  # its text may repeat what stood in the message
        del body
        connection.sendall(answer)


def receive(connection: socket.socket, pause: Callable[[], None] | None = None) -> bytearray | None:
    """One message without its first 8 bytes; None where the other end is closed.

    pause: called whenever the connection's own time-out passes. Small messages take one call of the system.
    """
    received = bytearray()
    missing = HEADER.size
    while missing > 0:
        try:
            chunk = connection.recv(max(_CHUNK, min(missing, 16 * _CHUNK)))
        except BlockingIOError:
            if pause is not None:
                pause()
            continue
        if not chunk:
            return None
        received += chunk
        missing = HEADER.size - len(received)
        if missing <= 0:
            missing += HEADER.unpack_from(received)[0]
    del received[: HEADER.size]
    return received


def main() -> None:
    # The gateway decides when its workers end: it finishes what it has begun before it closes them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    # A core file would keep what the message said.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with socket.socket(fileno=int(sys.argv[1])) as connection:
        serve(connection, int(sys.argv[2]))


if __name__ == "__main__":
    main()

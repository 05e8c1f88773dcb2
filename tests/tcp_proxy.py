"""A TCP proxy that fails as told: between the gateway and its database, broker, portal or a department system.

One listener, two threads per connection. What is told holds for open connections and for new ones, until `heal()`.
"""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit, urlunsplit

Direction = Literal["out", "in"]
"""`out`: from who connected to the server behind the proxy; `in`: back."""

_READ = 65536
_RESET = struct.pack("ii", 1, 0)  # SO_LINGER: close() sends RST


@dataclass(frozen=True, slots=True)
class _Cut:
    """Ends a connection once `after` bytes went by, or `needle` is seen. forward: the last piece is still sent on."""

    direction: Direction
    after: int | None
    needle: bytes | None
    forward: bool


class TcpProxy:
    """Listens on `port` of 127.0.0.1 and speaks to `host:port` behind it. Use as a context, or `close()` it."""

    def __init__(self, host: str, port: int) -> None:
        self._behind = (host, port)
        self._lock = threading.Lock()
        self._pairs: set[tuple[socket.socket, socket.socket]] = set()
        self._passing = threading.Event()
        self._passing.set()
        self._cut: _Cut | None = None
        self._pause = 0.0
        self.struck = threading.Event()
        """Set when a cut that was told has happened."""
        self._listener: socket.socket | None = None
        self.port = 0
        self._listen()

    @classmethod
    def before(cls, url: str) -> TcpProxy:
        """In front of the server that a URL names; `url(…)` gives the URL of the way through the proxy."""
        parts = urlsplit(url)
        assert parts.hostname
        assert parts.port
        return cls(parts.hostname, parts.port)

    def url(self, url: str) -> str:
        """The same URL, through the proxy."""
        parts = urlsplit(url)
        login, at, _ = parts.netloc.rpartition("@")
        return urlunsplit(parts._replace(netloc=f"{login}{at}127.0.0.1:{self.port}"))

    # -- what it is told

    def refuse(self) -> None:
        """Reset every open connection, and refuse new ones: nobody listens here any more."""
        self._stop_listening()
        self.cut()

    def hold(self) -> None:
        """Pass nothing on, in either direction, and say nothing: a partition."""
        self._passing.clear()

    def slow(self, seconds: float) -> None:
        """A pause before each piece is passed on."""
        self._pause = seconds

    def cut_once(
        self, direction: Direction, *, after: int | None = None, needle: bytes | None = None, forward: bool
    ) -> None:
        """Reset the next connection on which `after` bytes (from its beginning) went this way, or `needle` is seen.

        forward: the piece itself still reaches the other side (the cut takes the answer); else it does not.
        """
        self.struck.clear()
        self._cut = _Cut(direction, after, needle, forward)

    def cut(self) -> None:
        """Reset every open connection now."""
        with self._lock:
            pairs = list(self._pairs)
        for pair in pairs:
            _reset(*pair)

    def heal(self) -> None:
        """Pass everything on again; what was held goes now."""
        self._cut, self._pause = None, 0.0
        self._passing.set()
        if self._listener is None:
            self._listen()

    def close(self) -> None:
        self._stop_listening()
        self._passing.set()
        self.cut()

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # -- inside

    def _listen(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port), backlog=128)
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), name="tcp-proxy", daemon=True).start()

    def _stop_listening(self) -> None:
        listener, self._listener = self._listener, None
        if listener is not None:
            # shutdown, not close alone: a thread that waits in accept() keeps a closed listener alive.
            with contextlib.suppress(OSError):
                listener.shutdown(socket.SHUT_RDWR)
            listener.close()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connect, args=(near,), daemon=True).start()

    def _connect(self, near: socket.socket) -> None:
        try:
            far = socket.create_connection(self._behind, timeout=10)
        except OSError:
            _reset(near)
            return
        far.settimeout(None)
        pair = (near, far)
        with self._lock:
            self._pairs.add(pair)
        threading.Thread(target=self._pass_on, args=(pair, "out"), daemon=True).start()
        self._pass_on(pair, "in")

    def _pass_on(self, pair: tuple[socket.socket, socket.socket], direction: Direction) -> None:
        source, sink = pair if direction == "out" else pair[::-1]
        count = 0
        try:
            for piece in _pieces(source):
                count += len(piece)
                if self._pause:
                    time.sleep(self._pause)
                self._passing.wait()
                struck = self._strikes(direction, count, piece)
                if struck is None:
                    sink.sendall(piece)
                    continue
                if struck.after is not None:
                    sink.sendall(piece[: max(0, len(piece) - (count - struck.after))])
                elif struck.forward:
                    sink.sendall(piece)
                    # The other side acts on it; its answer finds nobody.
                    time.sleep(0.2)
                _reset(*pair)
                self.struck.set()
                return
        except OSError:
            pass
        finally:
            for end in pair:
                with contextlib.suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
            if direction == "in":
                with self._lock:
                    self._pairs.discard(pair)

    def _strikes(self, direction: Direction, count: int, piece: bytes) -> _Cut | None:
        with self._lock:
            cut = self._cut
            if cut is None or cut.direction != direction:
                return None
            reached = cut.after is not None and count >= cut.after
            if reached or (cut.needle is not None and cut.needle in piece):
                self._cut = None
                return cut
            return None


def _pieces(source: socket.socket) -> Iterator[bytes]:
    while piece := source.recv(_READ):
        yield piece


def _reset(*ends: socket.socket) -> None:
    for end in ends:
        with contextlib.suppress(OSError):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        # Wakes the thread that reads here, and unlike SHUT_RDWR says nothing to the other side before the reset.
        with contextlib.suppress(OSError):
            end.shutdown(socket.SHUT_RD)
        end.close()

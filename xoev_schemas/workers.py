"""Processes that do what may not happen in the gateway's own, watched from here by memory and time.

A message that exhausts a process ends that process, nobody else's check: a fresh one takes its place. Memory is what
the process really holds (`/proc`); RLIMIT_AS cannot be used, because Saxon reserves tens of GiB of addresses. Processes
are started anew (never forked: the gateway has threads) and get none of its environment, where secrets may be.
"""

from __future__ import annotations

import math
import os
import re
import socket
import struct
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Literal

from xoev_schemas.schematron.failures import SchematronFailure, read_failures
from xoev_schemas.schematron.stylesheet import place_of_line
from xoev_schemas.worker_process import pack, receive, unpack
from xoev_schemas.xsd import NotCompiled

PREPARE_SECONDS = 60.0
"""For starting a process and compiling: depends on the standards and the machine, never on a message."""

DEATHS = 3
"""A process may die of something else than its message: the message is at fault when so many in a row did."""

_LOOK_EVERY = 0.02  # seconds
_ORPHAN_SECONDS = 30  # more than the limit, before a process ends itself
_ENVIRONMENT = ("PATH", "PYTHONPATH", "LD_LIBRARY_PATH", "LANG", "TMPDIR")
_PAGE = os.sysconf("SC_PAGE_SIZE")

Reason = Literal["memory", "time", "crash"]


class WorkerKilled(Exception):
    """The request took more memory or time than allowed and its process was ended, or the process died of it."""

    def __init__(self, reason: Reason) -> None:
        self.reason = reason
        super().__init__(reason)


class CallFailed(Exception):
    """A function raised. Only the exception's type is told: its text may repeat what stood in a message."""


class Workers:
    """A pool of watched processes, each started when it is first needed. For use by many threads."""

    def __init__(self, processes: int, memory_bytes: int, seconds: float) -> None:
        """memory_bytes: resident, per process. seconds: per request, without the wait for a free process."""
        self._memory = memory_bytes
        self._seconds = seconds
        self._free = threading.Semaphore(processes)
        self._lock = threading.Lock()
        self._idle: list[_Worker] = []
        self._closed = False

    def schematron(self, key: str, stylesheets: Sequence[bytes], document: bytes) -> list[SchematronFailure]:
        """What each stylesheet finds in a message that the hardened parser has accepted. Blocks.

        key: identifies the content of the stylesheets (digest); they are compiled once per process and key.
        Raises WorkerKilled, and NotCompiled for stylesheets that `prove` would refuse.
        """

        def run(worker: _Worker) -> list[bytes]:
            if key not in worker.compiled:
                self._compile(worker, key, stylesheets)
                worker.compiled.add(key)
            return _done(worker.exchange([b"run", key.encode(), document], self._seconds))

        return [failure for answer in self._ask(run) for failure in read_failures(answer)]

    def prove(self, stylesheets: Sequence[bytes]) -> None:
        """Compile stylesheets of `compile_schematron` and forget them.

        Raises NotCompiled with the places in the Schematron files, or WorkerKilled.
        """
        with self._worker() as worker:
            self._compile(worker, "", stylesheets)

    def call(self, function: str, *arguments: bytes) -> bytes:
        """Run `MODULE:NAME` with byte strings in a process. Blocks. Raises WorkerKilled, CallFailed."""
        request = [b"call", function.encode(), *arguments]
        return self._ask(lambda worker: _done(worker.exchange(request, self._seconds)))[0]

    def close(self) -> None:
        """End the processes: the idle ones now, the others with their request."""
        with self._lock:
            self._closed = True
            idle, self._idle = self._idle, []
        for worker in idle:
            worker.kill()

    def _ask(self, question: Callable[[_Worker], list[bytes]]) -> list[bytes]:
        """The answer of the first process that does not die over it. Memory and time are never given twice."""
        deaths = 0
        while True:
            try:
                with self._worker() as worker:
                    return question(worker)
            except WorkerKilled as killed:
                deaths += 1
                if killed.reason != "crash" or deaths == DEATHS:
                    raise

    def _compile(self, worker: _Worker, key: str, stylesheets: Sequence[bytes]) -> None:
        answer = worker.exchange([b"compile", key.encode(), *stylesheets], PREPARE_SECONDS)
        if answer[0] == b"refused":
            raise NotCompiled(_problems(answer[2].decode(), stylesheets[int(answer[1])]))
        _done(answer)

    @contextmanager
    def _worker(self) -> Iterator[_Worker]:
        with self._free:
            worker = self._take()
            try:
                yield worker
            finally:
                self._give_back(worker)

    def _take(self) -> _Worker:
        """The process used last: those that are not needed stay out of memory."""
        with self._lock:
            if self._closed:
                raise RuntimeError("these workers are closed")
            while self._idle:
                worker = self._idle.pop()
                if worker.usable():
                    return worker
                worker.kill()
        return _Worker(self._memory, math.ceil(max(self._seconds, PREPARE_SECONDS)) + _ORPHAN_SECONDS)

    def _give_back(self, worker: _Worker) -> None:
        usable = worker.usable()
        with self._lock:
            if usable and not self._closed:
                self._idle.append(worker)
                return
        worker.kill()


class _Worker:
    """One process and the connection to it. For one thread at a time."""

    def __init__(self, memory_bytes: int, orphan_seconds: int) -> None:
        self.compiled: set[str] = set()
        self._memory = memory_bytes
        self._deadline = math.inf
        self._looked = time.monotonic()
        self._resident = 0
        self._connection, theirs = socket.socketpair()
        # Waits end after _LOOK_EVERY by the kernel: one call of the system where poll() and recv() would be two.
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self._connection.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", 0, int(_LOOK_EVERY * 1e6)))
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", "xoev_schemas.worker_process", str(theirs.fileno()), str(orphan_seconds)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                env={name: os.environ[name] for name in _ENVIRONMENT if name in os.environ},
            )

    def usable(self) -> bool:
        """Alive, and with half of its memory left for the next message: Saxon's heap gives back only now and then.

        Memory is looked at every _LOOK_EVERY at most: asking costs a tenth of checking a small message.
        """
        if self._process.poll() is not None:
            return False
        if time.monotonic() - self._looked >= _LOOK_EVERY:
            self._look()
        return self._resident <= self._memory // 2

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()
        self._connection.close()

    def exchange(self, parts: Sequence[bytes], seconds: float) -> list[bytes]:
        """Send a request and wait for its answer. Raises WorkerKilled; the process is gone then."""
        self._deadline = time.monotonic() + seconds
        try:
            self._send(memoryview(pack(parts)))
            answer = receive(self._connection, self._watch)
            if answer is None:
                raise WorkerKilled("crash")
            return unpack(answer)
        except ConnectionError:
            self.kill()
            raise WorkerKilled("crash") from None
        except BaseException:
            # Also where the waiting itself was broken off: an answer that comes later must not become another's.
            self.kill()
            raise

    def _send(self, unsent: memoryview) -> None:
        while unsent:
            try:
                unsent = unsent[self._connection.send(unsent) :]
            except BlockingIOError:
                self._watch()

    def _watch(self) -> None:
        self._look()
        if self._resident > self._memory:
            raise WorkerKilled("memory")
        if time.monotonic() > self._deadline:
            raise WorkerKilled("time")

    def _look(self) -> None:
        """How much memory the process really holds; 0 where there is no `/proc` to tell."""
        self._looked = time.monotonic()
        try:
            with open(f"/proc/{self._process.pid}/statm", "rb") as statm:
                self._resident = int(statm.read().split()[1]) * _PAGE
        except OSError:
            self._resident = 0


def _done(answer: list[bytes]) -> list[bytes]:
    if answer[0] != b"done":
        raise CallFailed(answer[1].decode())
    return answer[1:]


_PROBLEM = re.compile(r"on line (\d+) [^\n]*\n(.+?)(?=^\S|\Z)", re.DOTALL | re.MULTILINE)


def _problems(reason: str, stylesheet: bytes) -> list[tuple[str, str]]:
    """Saxon's list of errors, each with the place in the Schematron file that its line was made from."""
    found = [
        (place_of_line(stylesheet, int(line)), " ".join(sentence.split()))
        for line, sentence in _PROBLEM.findall(reason)
    ]
    return found or [("", " ".join(reason.split()))]

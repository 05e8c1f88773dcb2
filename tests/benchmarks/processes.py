"""Both sides as processes: started, watched (CPU, memory), stopped."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateway.demo.child import free_ports

PATIENCE_SECONDS = 120.0
_TICKS = os.sysconf("SC_CLK_TCK")


def wait_until(holds: Callable[[], bool], what: str, pause: float = 0.02) -> None:
    """Raises TimeoutError, saying for what was waited."""
    end = time.monotonic() + PATIENCE_SECONDS
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {PATIENCE_SECONDS:.0f} s for {what}")
        time.sleep(pause)


@dataclass
class Processes:
    """The running processes of one side, by role. port: where the intake listens."""

    port: int
    by_role: Mapping[str, subprocess.Popen[bytes]]

    def cpu_seconds(self) -> dict[str, float]:
        """Spent so far, all threads, user and system."""
        return {role: _cpu_seconds(process.pid) for role, process in self.by_role.items()}

    def rss_mib(self) -> dict[str, float]:
        return {role: _rss_mib(process.pid) for role, process in self.by_role.items()}


@contextlib.contextmanager
def processes(commands: Mapping[str, Sequence[str]], port: int, log: Path) -> Iterator[Processes]:
    """Start one process per role, wait until the intake listens, end them all. log: their standard output and error."""
    with contextlib.ExitStack() as stack:
        output = stack.enter_context(log.open("ab"))
        started: dict[str, subprocess.Popen[bytes]] = {}
        for role, command in commands.items():
            process = subprocess.Popen([sys.executable, *command], stdin=subprocess.PIPE, stdout=output, stderr=output)
            stack.callback(_end, process)
            started[role] = process
        wait_until(lambda: _listens(port, started, log), "the intake to listen")
        yield Processes(port, started)


@contextlib.contextmanager
def department() -> Iterator[int]:
    """The answering department system; its port."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.department"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield int(process.stdout.readline())
        finally:
            process.stdin.close()


def load(port: int, token: str, count: int, connections: int) -> dict[str, Any]:
    """Send `count` submissions; what the generator measured. Raises RuntimeError when one was not accepted."""
    command = [sys.executable, "-m", "tests.benchmarks.load", str(port), str(count), str(connections)]
    done = subprocess.run(command, input=token.encode(), stdout=subprocess.PIPE, check=True, timeout=PATIENCE_SECONDS)
    result: dict[str, Any] = json.loads(done.stdout)
    if result["accepted"] != count:
        raise RuntimeError(f"{result['accepted']} of {count} accepted, other answers: {result['other']}")
    return result


def free_port() -> int:
    [port] = free_ports(1)
    return port


def _listens(port: int, started: Mapping[str, subprocess.Popen[bytes]], log: Path) -> bool:
    ended = [role for role, process in started.items() if process.poll() is not None]
    if ended:
        raise RuntimeError(f"ended at once: {', '.join(ended)}\n{log.read_text(errors='replace')[-2000:]}")
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


def _rss_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmRSS:"))

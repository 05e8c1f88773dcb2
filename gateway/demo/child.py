"""A server as a child process that cannot outlive us: not after an exception, not after SIGTERM, not after SIGKILL."""

from __future__ import annotations

import glob
import os
import pwd
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from gateway.errors import GatewayError

# Below the range that outgoing connections are numbered from, so that a port stays ours between stop and start.
_PORTS = range(20_000, 32_000)
_POLL_SECONDS = 0.05
# Reads until we are gone (our end of the pipe closes however we die), then ends the server.
# $0: the signal's name; $1: a process, or minus a process group.
_GUARD = 'read -r _; kill -s "$0" -- "$1"'


class ServerUnavailable(GatewayError):
    """A private server is not installed or did not start; the text says what to do."""


class Child:
    """One server process in its own session, watched by a guard that ends it when this process dies.

    account: whom it runs as (None: as ourselves). log: its standard output and error.
    parting: the signal the guard sends; SIGKILL goes to the whole process group, any other to the server alone.
    """

    def __init__(
        self,
        command: Sequence[str | Path],
        *,
        account: pwd.struct_passwd | None,
        environment: Mapping[str, str],
        folder: Path,
        log: Path,
        parting: signal.Signals = signal.SIGKILL,
    ) -> None:
        with log.open("ab") as output:
            self._server = subprocess.Popen(
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                cwd=folder,
                env=dict(environment),
                umask=0o077,
                start_new_session=True,
                user=account.pw_uid if account else None,
                group=account.pw_gid if account else None,
                extra_groups=[] if account else None,
            )
        self._log = log
        target = -self._server.pid if parting == signal.SIGKILL else self._server.pid
        self._guard = subprocess.Popen(
            ["/bin/sh", "-c", _GUARD, parting.name.removeprefix("SIG"), str(target)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    @property
    def alive(self) -> bool:
        return self._server.poll() is None

    def wait_until(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Return once `ready` holds. Raises ServerUnavailable, with the log's end, if it ends or takes longer."""
        deadline = time.monotonic() + seconds
        while not ready():
            if not self.alive:
                raise ServerUnavailable(
                    f"{self._log.stem} ended while it started (status {self._server.returncode}){self._tail()}"
                )
            if time.monotonic() > deadline:
                raise ServerUnavailable(f"{self._log.stem} was not ready after {seconds:.0f} s{self._tail()}")
            time.sleep(_POLL_SECONDS)

    def wait_until_ended(self, *, seconds: float) -> None:
        """Return once the program succeeded. Raises ServerUnavailable, with the log's end, if it did not in time."""
        try:
            status = self._server.wait(seconds)
        except subprocess.TimeoutExpired:
            status = None
        self.kill()
        if status != 0:
            raise ServerUnavailable(f"{self._log.stem} did not succeed (status {status}){self._tail()}")

    def end(self, with_signal: signal.Signals, *, seconds: float) -> None:
        """Ask the server to end; kill it and all in its group when it takes longer than `seconds`. Idempotent."""
        if self.alive:
            self._server.send_signal(with_signal)
            try:
                self._server.wait(seconds)
            except subprocess.TimeoutExpired:
                os.killpg(self._server.pid, signal.SIGKILL)
        self._reap()

    def kill(self) -> None:
        """SIGKILL to the server and everything in its process group, as a crash would. Idempotent."""
        if self.alive:
            os.killpg(self._server.pid, signal.SIGKILL)
        self._reap()

    def _reap(self) -> None:
        self._server.wait()
        # Only now: had the guard gone first, a death of ours in between would have left the server behind.
        self._guard.kill()
        self._guard.communicate()

    def _tail(self) -> str:
        lines = self._log.read_text(encoding="utf-8", errors="replace").splitlines()[-15:] if self._log.exists() else []
        return ":\n" + "\n".join(f"  {line}" for line in lines) if lines else ""


def account(*names: str) -> pwd.struct_passwd | None:
    """Whom a server runs as: the first of `names` that exists, else nobody; None (ourselves) unless we are root."""
    if os.geteuid() != 0:
        return None
    known = {entry.pw_name: entry for entry in pwd.getpwall()}
    return next(known[name] for name in (*names, "nobody") if name in known)


def private_folder(parent: Path, name: str, owner: pwd.struct_passwd | None) -> Path:
    """Make `parent/name` (if need be), for `owner` alone. Raises ServerUnavailable when `owner` could not get there."""
    folder = parent.resolve() / name
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if owner:
        os.chown(folder, owner.pw_uid, owner.pw_gid)
        closed = [above for above in folder.parents if not above.stat().st_mode & 0o001]
        if closed:
            raise ServerUnavailable(
                f"{owner.pw_name} may not enter {closed[-1]}: choose another folder, or chmod o+x it"
            )
    return folder


def free_ports(count: int) -> list[int]:
    """TCP ports of 127.0.0.1 that nothing listens on. Random, so that runs side by side rarely choose the same."""
    found: list[int] = []
    for port in random.sample(_PORTS, 200 + count):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            found.append(port)
        if len(found) == count:
            return found
    raise ServerUnavailable(f"no free port between {_PORTS.start} and {_PORTS.stop}")


def find_program(name: str, *folders: str) -> Path | None:
    """The program `name` in the first of `folders` (patterns; newest version first) that has it, else on the PATH."""
    places = [place for pattern in folders for place in sorted(glob.glob(pattern), key=_version, reverse=True)]
    places += os.environ.get("PATH", os.defpath).split(os.pathsep)
    return next((Path(place, name) for place in places if os.access(Path(place, name), os.X_OK)), None)


def _version(folder: str) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", folder)]

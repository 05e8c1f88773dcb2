"""Carries out the faults of a plan, and heals everything at the end."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from adapters.testkit import RestDepartment, SoapDepartment
from gateway.demo.servers import PostgresServer, RabbitNode
from gateway.demo.stage import Department
from queues.topology import target_queue
from tests.tcp_proxy import TcpProxy
from tests.torture.history import History
from tests.torture.machines import Machines
from tests.torture.plan import Fault

_CHUNK = bytes(256 * 1024)


@dataclass
class World:
    """What can be broken. disk: a small file system of the installation, or None with the reason in `history`.

    servers: `broker`, `database`, where they are ours to kill.
    """

    machines: Machines
    proxies: Mapping[str, TcpProxy]
    departments: Mapping[str, Department]
    servers: Mapping[str, RabbitNode | PostgresServer]
    control: Path
    disk: Path | None
    history: History
    _ends: list[tuple[float, Callable[[], None]]] = field(default_factory=list)

    def torture(self, faults: Sequence[Fault], seconds: float) -> None:
        """Every fault at its time, and its end at its own; after `seconds`, and all ends, everything is healed."""
        begun = time.monotonic()
        for fault in sorted(faults, key=lambda f: f.at):
            self._wait_until(begun + fault.at)
            try:
                end = self._begin(fault)
            except (OSError, AssertionError) as error:
                self.history.note("fault failed", kind=fault.kind, where=fault.where, error=repr(error))
                continue
            if end is not None:
                self._ends.append((time.monotonic() + fault.seconds, end))
        self._wait_until(max([begun + seconds, *(at for at, _ in self._ends)]))
        self.heal()

    def heal(self) -> None:
        """Everything works again; whatever was stopped goes on."""
        for _, end in self._ends:
            end()
        self._ends.clear()
        for proxy in self.proxies.values():
            proxy.heal()
        for department in self.departments.values():
            department.tell("ok")
        for name in self.machines.names:
            self.machines.signal(name, signal.SIGCONT)
        for server in self.servers.values():
            server.start()
        self.history.note("healed")

    def _wait_until(self, moment: float) -> None:
        while True:
            now = time.monotonic()
            for entry in [e for e in self._ends if e[0] <= now]:
                self._ends.remove(entry)
                entry[1]()
            if now >= moment:
                return
            time.sleep(max(0.0, min([moment, *(at for at, _ in self._ends)]) - now))

    def _begin(self, fault: Fault) -> Callable[[], None] | None:
        """Break it. What ends it, if anything has to."""
        facts = {"where": fault.where, "seconds": fault.seconds, "told": fault.told, "amount": fault.amount}
        end = getattr(self, "_" + fault.kind.replace(" ", "_"))(fault)
        if end is not False:
            self.history.fault(_label(fault), **facts)
        return end or None

    # -- each kind; False: it cannot be made here

    def _kill(self, fault: Fault) -> None:
        self.machines.kill(fault.where)

    def _pause(self, fault: Fault) -> Callable[[], None]:
        self.machines.signal(fault.where, signal.SIGSTOP)
        return lambda: self.machines.signal(fault.where, signal.SIGCONT)

    def _kill_server(self, fault: Fault) -> Callable[[], None] | bool:
        server = self.servers.get(fault.where)
        if server is None:
            self.history.skip(f"kill {fault.where}", "the server is not ours to kill")
            return False
        # A quorum queue that is not on disk yet is forgotten, or worse: see RabbitNode.has_written.
        if isinstance(server, RabbitNode) and not all(server.has_written(target_queue(n)) for n in self.departments):
            return False
        server.kill()
        return lambda: server.start()

    def _cut(self, fault: Fault) -> None:
        self.proxies[fault.where].cut()

    def _cut_at(self, fault: Fault) -> None:
        proxy = self.proxies[fault.where]
        if fault.told == "COMMIT":
            proxy.cut_once("out", needle=b"COMMIT", forward=bool(fault.amount))
        else:
            proxy.cut_once("out" if fault.told == "out" else "in", after=int(fault.amount), forward=False)

    def _refuse(self, fault: Fault) -> Callable[[], None]:
        self.proxies[fault.where].refuse()
        return self.proxies[fault.where].heal

    def _hold(self, fault: Fault) -> Callable[[], None]:
        self.proxies[fault.where].hold()
        return self.proxies[fault.where].heal

    def _slow(self, fault: Fault) -> Callable[[], None]:
        self.proxies[fault.where].slow(fault.amount)
        return self.proxies[fault.where].heal

    def _behave(self, fault: Fault) -> None:
        department = self.departments[fault.where]
        assert isinstance(department, RestDepartment | SoapDepartment)
        department.tell(fault.told, times=int(fault.amount), seconds=fault.seconds)  # type: ignore[arg-type]

    def _disk_full(self, fault: Fault) -> Callable[[], None] | bool:
        if self.disk is None:
            return False
        ballast = self.disk / "ballast"
        with contextlib.suppress(OSError), ballast.open("ab", buffering=0) as file:
            while True:
                file.write(_CHUNK)
        return lambda: ballast.unlink(missing_ok=True)

    def _clock(self, fault: Fault) -> Callable[[], None]:
        set_clock(self.control, fault.amount)
        return lambda: set_clock(self.control, 0.0)


def set_clock(control: Path, offset: float) -> None:
    """The gateway's own clock is this many seconds off from now on, in every process."""
    new = control / "clock.new"
    new.write_text(str(offset))
    new.rename(control / "clock")


def _label(fault: Fault) -> str:
    if fault.kind == "behave":
        return f"target: {fault.told}"
    if fault.kind in ("kill", "pause"):
        return f"{fault.kind} {fault.where.partition('-')[0]}"
    if fault.kind == "kill server":
        return f"kill {fault.where}"
    if fault.kind == "clock":
        return "clock jumps"
    if fault.kind == "disk full":
        return "disk full"
    return f"connection {'cut' if fault.kind == 'cut at' else fault.kind}: {fault.where}"


@contextlib.contextmanager
def small_disk(folder: Path, megabytes: int, history: History) -> Iterator[Path | None]:
    """`folder` on a file system of its own, as root. Else the folder as it is, and None."""
    folder.mkdir(parents=True)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={megabytes}m,mode=0755", "tmpfs", str(folder)]
    if os.geteuid() != 0 or subprocess.run(mount, capture_output=True).returncode != 0:
        history.skip("disk full", "a small file system needs root and the right to mount")
        yield None
        return
    try:
        yield folder
    finally:
        if subprocess.run(["umount", str(folder)], capture_output=True).returncode == errno.EBUSY:
            subprocess.run(["umount", "--lazy", str(folder)], check=True)

"""The processes of one installation under torture: several of each role, killed, stopped and started again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx

from tests.scenarios.city import free_port
from tests.scenarios.installation import Installation
from tests.torture.history import History

CHILD = str(Path(__file__).parent / "child.py")
RESTART_SECONDS = 0.3


class Machines(Installation):
    """names: `serve-1`, `work-2`, … or `run`. A supervisor thread starts again whatever has ended.

    control: folder through which the children are told of the clock. broken: the fault that the program has.
    """

    def __init__(
        self,
        folder: Path,
        names: Sequence[str],
        history: History,
        *,
        control: Path,
        broken: str,
        database_url: str,
        broker_url: str,
        overrides: Mapping[str, Any],
    ) -> None:
        program = (CHILD, str(control), broken or "-")
        super().__init__(folder, database_url=database_url, broker_url=broker_url, overrides=overrides, program=program)
        self._log.close()
        # Beside the installation's own disk, as the logs of a service are: that one may be full.
        self.log_file = control / "processes.log"
        self._log = self.log_file.open("ab")
        self.names = names
        self._history = history
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        doors = [n for n in names if n.startswith(("serve", "run"))]
        self.addresses = {
            n: self.settings.listen if i == 0 else f"127.0.0.1:{free_port()}" for i, n in enumerate(doors)
        }
        self._supervisor = threading.Thread(target=self._supervise, daemon=True)

    def start_all(self) -> None:
        """Returns when every API answers."""
        with self._lock:
            for name in self.names:
                self._start(name)
        for address in self.addresses.values():
            self.wait_until(lambda a=address: _answers(a), "the API to answer")  # type: ignore[misc]
        self._supervisor.start()

    def kill(self, role: str) -> None:
        with self._lock:
            process = self._processes[role]
            process.send_signal(signal.SIGKILL)
            process.wait(10)

    def signal(self, name: str, number: signal.Signals) -> None:
        with self._lock:
            if self._processes[name].poll() is None:
                self._processes[name].send_signal(number)

    def stop(self) -> None:
        self._stopping.set()
        if self._supervisor.ident:
            self._supervisor.join()
        for name in self._processes:
            self.signal(name, signal.SIGCONT)
        super().stop()

    def _start(self, name: str) -> None:
        role = name.partition("-")[0]
        listen = ["--listen", self.addresses[name]] if name in self.addresses else []
        command = [sys.executable, *self._program, role, "--config", str(self.file), *listen]
        self._processes[name] = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=dict(os.environ))

    def _supervise(self) -> None:
        while not self._stopping.wait(RESTART_SECONDS):
            with self._lock:
                for name, process in list(self._processes.items()):
                    if (status := process.poll()) is not None:
                        # -9: we did it. Anything else: it ended by itself, as one does that cannot open its database.
                        self._history.note("started again", machine=name, status=status)
                        self._start(name)


def _answers(address: str) -> bool:
    try:
        return httpx.get(f"http://{address}/health/live", timeout=2).status_code == 200
    except httpx.TransportError:
        return False

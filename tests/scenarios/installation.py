"""A production-shaped installation for scenarios: `serve`, `work` and `relay` as processes of their own, which can be
killed.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx
import yaml

from gateway.demo.stage import CLIENT
from gateway.settings import Settings, load_settings
from gateway.store import KeyRing, Store
from gateway.store.database import upgrade_url
from gateway.wiring import load_packages, open_issuer

SECONDS = 90.0


class Installation:
    """Settings in a file, processes by role. overrides: settings beside the servers' addresses. program: what runs.
    empty: nothing is there yet but the settings.
    """

    def __init__(
        self,
        folder: Path,
        *,
        database_url: str,
        broker_url: str,
        overrides: Mapping[str, Any],
        program: Sequence[str] = ("-m", "gateway"),
        empty: bool = False,
    ) -> None:
        self._program = program
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.file = folder / "gateway.yaml"
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._log = (folder / "processes.log").open("ab")
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        values = {
            "home": str(self.home),
            "database_url": database_url,
            "broker_url": broker_url,
            "listen": f"127.0.0.1:{port}",
        }
        self.file.write_text(yaml.safe_dump({**values, **overrides}), encoding="utf-8")
        if empty:
            return
        KeyRing.load(self.home / "keys", create=True)
        upgrade_url(self.settings.effective_database_url)
        _, self.packages = load_packages(self.settings)

    @property
    def settings(self) -> Settings:
        return load_settings(self.file)

    @property
    def url(self) -> str:
        return f"http://{self.settings.listen}"

    def token(self) -> str:
        issuer = open_issuer(self.settings)
        assert issuer is not None
        return issuer.issue(CLIENT, lifetime_seconds=3600)

    def store(self) -> Store:
        return Store.open(self.settings.effective_database_url, keys=KeyRing.load(self.home / "keys", create=False))

    def start(self, *roles: str, options: Sequence[str] = ()) -> None:
        """One process per role (`run` is all of them in one); returns when the API answers, if it is among them."""
        for role in roles:
            command = [sys.executable, *self._program, role, "--config", str(self.file), *options]
            self._processes[role] = subprocess.Popen(command, stdout=self._log, stderr=self._log, env=dict(os.environ))
        if {"serve", "run"} & set(roles):
            self.wait_until(self._serves, "the API to answer")

    def command(self, *words: str) -> Any:
        """Run one command with `--json` beside what runs; its document. Its logs go where the processes' go."""
        line = [sys.executable, *self._program, *words, "--json", "--config", str(self.file)]
        done = subprocess.run(line, stdout=subprocess.PIPE, stderr=self._log, timeout=SECONDS)
        document = json.loads(done.stdout)
        assert "error" not in document, document
        return document

    def alive(self, role: str) -> bool:
        process = self._processes.get(role)
        return process is not None and process.poll() is None

    def pid(self, role: str) -> int:
        return self._processes[role].pid

    def detach(self, role: str) -> subprocess.Popen[bytes]:
        """A process that the caller looks after from now on; another may be started in its role."""
        return self._processes.pop(role)

    def kill(self, role: str) -> None:
        process = self._processes.pop(role)
        process.send_signal(signal.SIGKILL)
        process.wait(10)

    def stop(self) -> None:
        for process in self._processes.values():
            process.terminate()
        for process in self._processes.values():
            try:
                process.wait(20)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)
        self._processes.clear()
        self._log.close()

    def _serves(self) -> bool:
        assert self.alive("serve" if "serve" in self._processes else "run"), "the API process ended"
        try:
            return httpx.get(f"{self.url}/health/live", timeout=2).status_code == 200
        except httpx.TransportError:
            return False

    @staticmethod
    def wait_until(holds: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
        """Ask until it holds. Fails, saying for what it waited, when the time is over."""
        end = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
            time.sleep(0.05)

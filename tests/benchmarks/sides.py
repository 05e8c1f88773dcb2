"""The two sides of the comparison, as command lines: the gateway, and the bare loop on the same tables."""

from __future__ import annotations

import contextlib
import json
import sqlite3
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import psycopg
import yaml

from gateway.demo import servers
from gateway.demo.stage import CLIENT
from gateway.services import shipped_folder
from gateway.settings import load_settings
from gateway.store import KeyRing
from gateway.store.database import upgrade_url
from gateway.wiring import load_packages, open_issuer
from tests.benchmarks.message import SERVICE, TARGET, one_target_packages
from tests.benchmarks.processes import Processes, free_port, processes

PARALLEL = 16
"""Deliveries at a time, on both sides."""
BARE_ROLES = {"serve": ("accept",), "relay": ("move",), "work": ("work",), "run": ("accept", "move", "work")}


@dataclass(frozen=True)
class Shape:
    """Where it runs. Empty servers mean embedded: SQLite, a queue in memory, one process."""

    name: str
    folder: Path
    postgres: servers.PostgresServer | None = None
    rabbit: servers.RabbitNode | None = None

    @property
    def roles(self) -> tuple[str, ...]:
        return ("serve", "relay", "work") if self.rabbit else ("run",)

    def versions(self) -> list[str]:
        """Of the servers it uses."""
        if not self.postgres or not self.rabbit:
            return [f"SQLite {sqlite3.sqlite_version}"]
        with psycopg.connect(self.postgres.url) as connection:
            row = connection.execute("SHOW server_version").fetchone()
        assert row
        overview = httpx.get(f"{self.rabbit.management_url}/api/overview", timeout=10).raise_for_status().json()
        return [f"PostgreSQL {row[0]}", f"RabbitMQ {overview['rabbitmq_version']}"]


@dataclass(frozen=True)
class Side:
    """One prepared installation: its own database, queues and keys. side: `gateway` or `bare`."""

    side: str
    shape: Shape
    folder: Path
    database_url: str
    token: str
    port: int

    def undelivered(self) -> int:
        """Deliveries that have not ended well yet, as the database knows them."""
        statement = "SELECT count(*) FROM delivery WHERE state <> 'delivered'"
        if self.shape.postgres:
            with psycopg.connect(self.database_url) as connection:
                row = connection.execute(statement.encode()).fetchone()
        else:
            with contextlib.closing(sqlite3.connect(self.database_url.removeprefix("sqlite:///"))) as database:
                row = database.execute(statement).fetchone()
        assert row
        return int(row[0])

    @contextlib.contextmanager
    def accepting(self) -> Iterator[Processes]:
        """Intake alone: nothing takes the outbox away."""
        with processes({"serve": self._command("serve")}, self.port, self.folder / "log") as running:
            yield running

    @contextlib.contextmanager
    def complete(self) -> Iterator[Processes]:
        commands = {role: self._command(role) for role in self.shape.roles}
        with processes(commands, self.port, self.folder / "log") as running:
            yield running

    def _command(self, role: str) -> list[str]:
        if self.side == "bare":
            return ["-m", "tests.benchmarks.bare", str(self.folder / "bare.json"), *BARE_ROLES[role]]
        file = str(self.folder / "gateway.yaml")
        if role == "serve" and not self.shape.rabbit:
            return ["-m", "tests.benchmarks.part", file]
        return ["-m", "gateway", role, "--config", file]


def prepare(side: str, shape: Shape, department_port: int) -> Side:
    """Make everything one side needs: keys, packages, an empty migrated database, a virtual host, its settings."""
    name = f"{side}-{uuid.uuid4().hex[:8]}"
    folder = shape.folder / name
    home = folder / "home"
    home.mkdir(parents=True)
    KeyRing.load(home / "keys", create=True)
    database_url = shape.postgres.create_database(name) if shape.postgres else f"sqlite:///{home / 'gateway.db'}"
    broker_url = shape.rabbit.create_vhost(name) if shape.rabbit else ""
    port = free_port()
    packages = one_target_packages(folder / "packages")
    # The shipped example is spared by a rate of its own; here the gateway itself is measured.
    retry = {"parallel": PARALLEL, "per_second": None}
    target = {"url": f"http://127.0.0.1:{department_port}/", "retry": retry}
    file = folder / "gateway.yaml"
    values = {
        "home": str(home),
        "database_url": database_url,
        "broker_url": broker_url or "embedded://",
        "listen": f"127.0.0.1:{port}",
        "packages": [str(packages)],
        "targets": {TARGET: target},
        "relay_seconds": 0.02,
    }
    file.write_text(yaml.safe_dump(values), encoding="utf-8")
    upgrade_url(database_url)
    settings = load_settings(file)
    load_packages(settings)  # imports the package's own schema once, before several processes start
    issuer = open_issuer(settings)
    assert issuer
    [xsd] = (shipped_folder() / "services" / SERVICE / "schema").glob("*.xsd")
    bare = {"home": str(home), "port": port, "xsd": str(xsd), "department_port": department_port}
    bare |= {"database_url": database_url, "broker_url": broker_url, "parallel": PARALLEL}
    (folder / "bare.json").write_text(json.dumps(bare))
    return Side(side, shape, folder, database_url, issuer.issue(CLIENT, lifetime_seconds=3600), port)

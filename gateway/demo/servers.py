"""Private, throw-away RabbitMQ and PostgreSQL for the demo, the tests and the benchmarks.

Each runs on 127.0.0.1, on ports of its own, as an unprivileged user when we are root, with a password made for it, and
ends with us. They can be killed (SIGKILL) and started again on the same data, because that is what crash tests do.
Not for production.
"""

from __future__ import annotations

import os
import secrets
import shutil
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import httpx
import psycopg
from psycopg import sql

from gateway.demo.child import Child, ServerUnavailable, account, find_program, free_ports, private_folder

__all__ = ["PostgresServer", "RabbitNode", "ServerUnavailable", "private_postgres", "private_rabbitmq"]

_USER = "gateway"
_START_SECONDS = 120.0
_STOP_SECONDS = 30.0
# On Debian /usr/sbin/rabbitmq-server is a wrapper that changes the user and fixes the folders: the real one first.
_RABBITMQ_FOLDERS = ("/usr/lib/rabbitmq/bin", "/usr/local/lib/rabbitmq/bin", "/opt/rabbitmq/sbin")
_POSTGRES_FOLDERS = ("/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin")


@contextmanager
def private_rabbitmq(folder: Path) -> Iterator[str]:
    """A RabbitMQ node of our own; its AMQP URL. folder: holds its data (`folder/rabbitmq`); the caller removes it."""
    node = RabbitNode(folder)
    try:
        node.start()
        yield node.url
    finally:
        node.close()


@contextmanager
def private_postgres(folder: Path) -> Iterator[str]:
    """A PostgreSQL server of our own; its URL. folder: holds its data (`folder/postgres`); the caller removes it."""
    server = PostgresServer(folder)
    try:
        server.start()
        yield server.url
    finally:
        server.close()


class RabbitNode:
    """One RabbitMQ node (with its own epmd and the management API, which makes virtual hosts quickly)."""

    def __init__(self, folder: Path) -> None:
        self._program = find_program("rabbitmq-server", *_RABBITMQ_FOLDERS)
        self._epmd_program = find_program("epmd", "/usr/lib/erlang/erts-*/bin")
        if not self._program or not self._epmd_program:
            raise ServerUnavailable(
                "RabbitMQ is not installed: run `make setup`, or name a running one in GATEWAY_BROKER_URL"
            )
        self._account = account("rabbitmq")
        self._folder = private_folder(folder, "rabbitmq", self._account)
        self._password = secrets.token_urlsafe(24)
        self._port, self._management, self._distribution, self._names = free_ports(4)
        self._configure()
        self._epmd: Child | None = None
        self._node: Child | None = None

    @property
    def url(self) -> str:
        """AMQP URL of the default virtual host; the same after every restart."""
        return self.url_of("/")

    def url_of(self, vhost: str) -> str:
        return f"amqp://{_USER}:{self._password}@127.0.0.1:{self._port}/{quote(vhost, safe='')}"

    @property
    def management_url(self) -> str:
        """Base of the management API, with credentials."""
        return f"http://{_USER}:{self._password}@127.0.0.1:{self._management}"

    def has_written(self, name: str) -> bool:
        """Whether the declaration of the quorum queue `name` is on disk.

        RabbitMQ answers a declaration before that; a node killed within the first second forgets the queue, or, worse,
        knows it without being able to use it (seen with 3.10.8).
        """
        logs = [*self._folder.glob("mnesia/*/LATEST.LOG"), *self._folder.glob("mnesia/*/quorum/*/names.dets")]
        return bool(logs) and all(name.encode() in log.read_bytes() for log in logs)

    @property
    def running(self) -> bool:
        return self._node is not None and self._node.alive

    def start(self) -> None:
        """Start the node, or start it again on its data; returns when it speaks AMQP. Raises ServerUnavailable."""
        if self.running:
            return
        if self._epmd is None:
            epmd = [str(self._epmd_program), "-port", str(self._names), "-address", "127.0.0.1"]
            self._epmd = self._child(epmd, "epmd")
        self._node = self._child([str(self._program)], "rabbitmq")
        self._node.wait_until(self._speaks_amqp, seconds=_START_SECONDS)

    def stop(self) -> None:
        """End the node in an orderly way; its data stays. A few seconds."""
        if self._node:
            self._node.end(signal.SIGTERM, seconds=_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL the node, as a crash would; its data stays as it is."""
        if self._node:
            self._node.kill()

    def close(self) -> None:
        """Kill the node and its epmd: nothing of it runs any more."""
        self.kill()
        if self._epmd:
            self._epmd.kill()
            self._epmd = None

    def create_vhost(self, name: str) -> str:
        """Make a virtual host; its AMQP URL."""
        create_vhost(self.management_url, name)
        return self.url_of(name)

    def delete_vhost(self, name: str) -> None:
        """Remove a virtual host with everything in it; nothing happens if the node is down."""
        if self.running:
            delete_vhost(self.management_url, name)

    def _child(self, command: list[str], name: str) -> Child:
        return Child(
            command,
            account=self._account,
            environment=self.environment(),
            folder=self._folder,
            log=self._folder / f"{name}.log",
        )

    def _configure(self) -> None:
        settings = {
            "log.console": "false",
            "vm_memory_high_watermark.absolute": "1GB",
            "default_user": _USER,
            "default_pass": self._password,
            "management.tcp.ip": "127.0.0.1",
            "management.tcp.port": str(self._management),
        }
        self._write("rabbitmq.conf", "".join(f"{key} = {value}\n" for key, value in settings.items()))
        self._write("enabled_plugins", "[rabbitmq_management].\n")
        self._write(".erlang.cookie", secrets.token_hex(16))

    def _write(self, name: str, text: str) -> None:
        path = self._folder / name
        path.unlink(missing_ok=True)
        path.write_text(text, encoding="utf-8")
        path.chmod(0o400)
        if self._account:
            os.chown(path, self._account.pw_uid, self._account.pw_gid)

    def environment(self) -> dict[str, str]:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("RABBITMQ_", "ERL_", "GATEWAY_"))}
        folder = self._folder
        return inherited | {
            "HOME": str(folder),
            # Without these two every Erlang program would start an epmd that listens on all interfaces and stays.
            "ERL_EPMD_PORT": str(self._names),
            "ERL_EPMD_ADDRESS": "127.0.0.1",
            "ERL_CRASH_DUMP": str(folder / "erl_crash.dump"),
            "RABBITMQ_NODENAME": f"gateway{self._port}@localhost",
            "RABBITMQ_NODE_IP_ADDRESS": "127.0.0.1",
            "RABBITMQ_NODE_PORT": str(self._port),
            "RABBITMQ_DIST_PORT": str(self._distribution),
            "RABBITMQ_MNESIA_BASE": str(folder / "mnesia"),
            "RABBITMQ_LOG_BASE": str(folder / "log"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(folder / "enabled_plugins"),
            "RABBITMQ_CONFIG_FILE": str(folder / "rabbitmq.conf"),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_PID_FILE": str(folder / "pid"),
            # Idle schedulers sleep instead of spinning: this node shares its cores with the program it serves.
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "-kernel inet_dist_use_interface {127,0,0,1}"
            " +sbwt none +sbwtdcpu none +sbwtdio none",
        }

    def _speaks_amqp(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self._port), timeout=5) as connection:
                connection.sendall(b"AMQP\x00\x00\x09\x01")
                # A method frame (type 1) on channel 0: Connection.Start. Anything else is a node that still boots.
                return connection.recv(3) == b"\x01\x00\x00"
        except OSError:
            return False


def create_vhost(management_url: str, name: str) -> None:
    """Make a virtual host and give the URL's user every right in it, over RabbitMQ's management API."""
    user = quote(httpx.URL(management_url).username, safe="")
    with httpx.Client(base_url=management_url, timeout=_STOP_SECONDS, trust_env=False) as api:
        api.put(f"/api/vhosts/{quote(name, safe='')}").raise_for_status()
        rights = {"configure": ".*", "write": ".*", "read": ".*"}
        api.put(f"/api/permissions/{quote(name, safe='')}/{user}", json=rights).raise_for_status()


def delete_vhost(management_url: str, name: str) -> None:
    """Remove a virtual host with everything in it; one that is not there is no error."""
    with httpx.Client(base_url=management_url, timeout=_STOP_SECONDS, trust_env=False) as api:
        answer = api.delete(f"/api/vhosts/{quote(name, safe='')}")
        if answer.status_code != httpx.codes.NOT_FOUND:
            answer.raise_for_status()


class PostgresServer:
    """One PostgreSQL server, reachable on 127.0.0.1 with a password."""

    def __init__(self, folder: Path) -> None:
        program = find_program("postgres", *_POSTGRES_FOLDERS)
        if not program:
            raise ServerUnavailable(
                "PostgreSQL is not installed: run `make setup`, or name a running one in GATEWAY_DATABASE_URL"
            )
        self._programs = program.resolve().parent
        self._account = account("postgres")
        self._folder = private_folder(folder, "postgres", self._account)
        self._password = secrets.token_urlsafe(24)
        [self._port] = free_ports(1)
        self._server: Child | None = None

    @property
    def url(self) -> str:
        """URL of the database `postgres`; the same after every restart."""
        return self.url_of("postgres")

    def url_of(self, database: str) -> str:
        return f"postgresql://{_USER}:{self._password}@127.0.0.1:{self._port}/{database}"

    @property
    def running(self) -> bool:
        return self._server is not None and self._server.alive

    def start(self) -> None:
        """Start the server, or start it again on its data; returns when it answers. Raises ServerUnavailable."""
        if self.running:
            return
        data = self._folder / "data"
        if self._server is None:
            self._initialise(data)
        options = {
            "port": str(self._port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "max_connections": "200",
            "logging_collector": "off",
        }
        arguments = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        # SIGQUIT, not SIGKILL: its sessions are no members of its process group, and only the server can end them.
        self._server = self._child([self._programs / "postgres", "-D", data, *arguments], "postgres", signal.SIGQUIT)
        self._server.wait_until(self._answers, seconds=_START_SECONDS)

    def stop(self) -> None:
        """End the server in an orderly way, cutting its sessions off; its data stays."""
        if self._server:
            self._server.end(signal.SIGINT, seconds=_STOP_SECONDS)

    def kill(self) -> None:
        """SIGKILL the server, as a crash would; its sessions notice and end, its data stays as it is."""
        if self._server:
            self._server.kill()

    def close(self) -> None:
        """End the server and all its sessions at once, without tidying up its data."""
        if self._server:
            self._server.end(signal.SIGQUIT, seconds=_STOP_SECONDS)

    def create_database(self, name: str) -> str:
        """Make an empty database; its URL."""
        create_database(self.url, name)
        return self.url_of(name)

    def drop_database(self, name: str) -> None:
        """Remove a database, cutting off who still uses it; nothing happens if the server is down."""
        if self.running:
            drop_database(self.url, name)

    def _initialise(self, data: Path) -> None:
        shutil.rmtree(data, ignore_errors=True)
        password = self._folder / "password"
        password.write_text(self._password, encoding="utf-8")
        password.chmod(0o400)
        if self._account:
            os.chown(password, self._account.pw_uid, self._account.pw_gid)
        authentication: list[str | Path] = ["-U", _USER, "-A", "scram-sha-256", "--pwfile", password]
        locale = ["-E", "UTF8", "--locale=C.UTF-8"]
        made = self._child([self._programs / "initdb", "-D", data, *authentication, *locale], "initdb")
        made.wait_until_ended(seconds=_START_SECONDS)

    def _child(self, command: list[str | Path], name: str, parting: signal.Signals = signal.SIGKILL) -> Child:
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(("PG", "GATEWAY_", "LC_", "LANG"))}
        return Child(
            command,
            account=self._account,
            environment=inherited | {"HOME": str(self._folder)},
            folder=self._folder,
            log=self._folder / f"{name}.log",
            parting=parting,
        )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url, connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True


def create_database(server_url: str, name: str) -> None:
    """Make an empty database on the server that `server_url` (any database of it) names."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("CREATE DATABASE {} TEMPLATE template0").format(sql.Identifier(name)))


def drop_database(server_url: str, name: str) -> None:
    """Remove a database, cutting off who still uses it; one that is not there is no error."""
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(sql.Identifier(name)))

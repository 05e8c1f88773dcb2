"""The demo's stage: a throw-away installation on free ports, simulated department systems, and a portal's token."""

from __future__ import annotations

import contextlib
import shutil
import socket
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from adapters.folder.settings import MARKER
from adapters.testkit import FolderDepartment, QueueDepartment, RestDepartment, SoapDepartment
from gateway.demo.servers import private_postgres, private_rabbitmq
from gateway.errors import GatewayError
from gateway.runtime import ALL, running
from gateway.services import Packages, Target
from gateway.settings import Settings
from gateway.wiring import Gateway, load_packages, open_gateway
from xoev_schemas.registry import Registry

CLIENT = "demo-portal"

Department = SoapDepartment | RestDepartment | QueueDepartment | FolderDepartment
RETRY: Mapping[str, Any] = {"delays": ("0.4s", "0.6s"), "give_up_after": "1.5s"}
"""Retries of the demo: a person is watching, so what takes hours elsewhere takes seconds here."""


@dataclass
class Stage:
    """A running gateway with its department systems. fragile: the target whose system the play breaks."""

    gateway: Gateway
    departments: Mapping[str, Department]
    token: str
    fragile: str

    @property
    def url(self) -> str:
        return f"http://{self.gateway.settings.listen}"

    def targets_of(self, service: str) -> tuple[str, ...]:
        return self.gateway.packages.services[service].targets

    def break_down(self, target: str) -> None:
        self.departments[target].tell("down")

    def mend(self, target: str) -> None:
        self.departments[target].tell("ok")

    def effects(self) -> Mapping[str, Mapping[str, list[bool]]]:
        """Target → key → for each case made in that system, whether its request was marked as a possible repeat."""
        return {name: effects_of(department) for name, department in self.departments.items()}


def effects_of(department: Department) -> Mapping[str, list[bool]]:
    """Key → for each case that a system made, whether its request was marked. A known key that made no case is no
    effect.
    """
    effects: dict[str, list[bool]] = {}
    for record in department.received:
        if not record.known:
            effects.setdefault(record.key, []).append(record.possible_repeat)
    return effects


@contextlib.contextmanager
def stage(*, production: bool, standards: Path | None, settings: Settings) -> Iterator[Stage]:
    """Set everything up, run it, take it down. production: real RabbitMQ and PostgreSQL, private unless URLs are
    set.
    """
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(_home()))
        urls = _servers(stack, home, settings) if production else {"database_url": "", "broker_url": "embedded://"}
        registry = Registry(home / "schemas")
        for path in standard_paths(standards) if standards else ():
            registry.import_path(path)
        chosen = settings.model_copy(
            update={
                "home": home,
                "listen": f"127.0.0.1:{_free_port()}",
                "relay_seconds": 0.2,
                "log_level": "ERROR",
                **urls,
            }
        )
        _, packages = load_packages(chosen)
        departments = stack.enter_context(department_systems(packages, queue_url=_queue_url(urls["broker_url"])))
        overrides = {name: {"url": d.url, "retry": dict(RETRY)} for name, d in departments.items()}
        chosen = chosen.model_copy(update={"targets": overrides})
        if production:
            from gateway.store.database import upgrade_url

            upgrade_url(chosen.effective_database_url)
        gateway = stack.enter_context(open_gateway(chosen))
        stack.enter_context(running(gateway, ALL))
        if gateway.token_issuer is None:
            raise GatewayError("the demo needs the installation's own token issuer (settings: issuers, jwks: local)")
        client = gateway.packages.clients[CLIENT]
        token = gateway.token_issuer.issue(client.client_id or CLIENT, lifetime_seconds=24 * 3600)
        yield Stage(gateway, departments, token, _fragile(packages, departments))


def standard_paths(folder: Path) -> list[Path]:
    """What to import below a folder of standards: XÖV collections (by their catalog) and schemas generated from FIM."""
    catalogs = sorted(path.parent for path in folder.rglob("catalog.xml"))
    generated = [path for path in sorted(folder.rglob("generated/*")) if path.name in ("xsd", "json-schema")]
    return [*catalogs, *generated] or [folder]


@contextlib.contextmanager
def department_systems(packages: Packages, *, queue_url: str) -> Iterator[Mapping[str, Department]]:
    """A simulated system for every target that an active service delivers to, as strict as its WSDL or OpenAPI."""
    used = sorted({name for s in packages.services.values() if s.inactive is None for name in s.targets})
    with contextlib.ExitStack() as stack:
        folders = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="gateway-departments-")))
        systems: dict[str, Department] = {}
        for name in used:
            system = _simulated(packages.targets[name], queue_url, folders)
            system.start()
            stack.callback(system.stop)
            systems[name] = system
        yield systems


def _simulated(target: Target, queue_url: str, folders: Path) -> Department:
    """A target that says it may not be repeated gets a system that makes a second case of a repeated request."""
    settings, folder = target.config.settings, target.folder
    prefix = target.name.upper()[:12]
    if target.adapter == "soap":
        search = (target.config.probe or {}).get("operation")
        return SoapDepartment(
            folder / settings["wsdl"],
            operation=settings["operation"],
            further=sorted(
                {other.config.settings["operation"] for other in target.variants()} - {settings["operation"]}
            ),
            search=search,
            prefix=prefix,
            idempotent=target.repeatable,
        )
    if target.adapter == "rest":
        return RestDepartment(
            folder / settings["openapi"], path=settings["path"], prefix=prefix, idempotent=target.repeatable
        )
    if target.adapter == "amqp":
        # A queue that dead-letters is declared by the gateway, as `target.yaml` says; the department waits for it.
        declare = "dead_exchange" not in settings
        return QueueDepartment(queue_url, settings["queue"], prefix=prefix, declare=declare)
    if target.adapter == "folder":
        marker = settings.get("marker", MARKER)
        return FolderDepartment(folders / target.name, marker=marker, ready=settings.get("ready"), prefix=prefix)
    raise GatewayError(f"target {target.name}: there is no simulated system for the adapter {target.adapter!r}")


def _fragile(packages: Packages, departments: Mapping[str, Department]) -> str:
    """A REST system, because its failure leaves no doubt: it answers 503 before it did anything."""
    return next(name for name in departments if packages.targets[name].adapter == "rest")


def _servers(stack: contextlib.ExitStack, home: Path, settings: Settings) -> dict[str, str]:
    database = settings.database_url or stack.enter_context(private_postgres(home / "postgres"))
    broker = settings.broker_url if not settings.embedded else stack.enter_context(private_rabbitmq(home / "rabbitmq"))
    return {"database_url": database, "broker_url": broker}


def _queue_url(broker_url: str) -> str:
    """Where the departments' own queues are: beside ours in RabbitMQ, or a shared queue in memory."""
    return "embedded://departments" if broker_url.startswith("embedded:") else broker_url


@contextlib.contextmanager
def _home() -> Iterator[str]:
    folder = tempfile.mkdtemp(prefix="gateway-demo-")
    Path(folder).chmod(0o711)  # the private servers run as other users when we are root
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""One run: set up, torture, heal, drain, check."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml
from sqlalchemy.exc import SQLAlchemyError

from gateway.demo.samples import shipped_samples
from gateway.demo.servers import PostgresServer, RabbitNode
from gateway.demo.stage import Department, department_systems, effects_of
from gateway.errors import Conflict
from gateway.settings import Settings
from gateway.store import KeyRing, Store
from gateway.wiring import load_packages, open_issuer
from queues import open_broker
from queues.topology import gateway_topology, target_queue
from tests.scenarios.city import DOG_TAX, dog_tax_packages
from tests.tcp_proxy import TcpProxy
from tests.torture import portals as portals_side
from tests.torture.books import Books
from tests.torture.checker import Checker, Violation
from tests.torture.faults import World, set_clock, small_disk
from tests.torture.history import History
from tests.torture.machines import Machines
from tests.torture.plan import MACHINES, PORTALS, Plan
from tests.torture.portals import Portals
from tests.torture.seeded import LEASE

DISK_MEGABYTES = 96
DRAIN_SECONDS = 150.0
SETTINGS: Mapping[str, Any] = {
    "lease_seconds": LEASE,
    "sweep_seconds": 0.3,
    # As in production: the sweep is the net, and what only the net brings back is reported.
    "sweep_tolerance_seconds": 900.0,
    "relay_seconds": 0.1,
    "probe_after_seconds": 0.2,
    "circuit_probe_seconds": 0.5,
    "log_level": "INFO",
}
TARGET: Mapping[str, Any] = {"timeout": "2s", "kinds": {"supplement": {}}}
RETRY: Mapping[str, Any] = {"delays": ["0.3s", "0.5s", "5s"], "give_up_after": "10m", "per_second": 100}


@dataclass(frozen=True)
class Ground:
    """Where a run takes place. servers: `broker`, `database`, where they are ours to kill."""

    folder: Path
    database_url: str = ""
    broker_url: str = "embedded://"
    servers: Mapping[str, RabbitNode | PostgresServer] = field(default_factory=dict)


@dataclass
class Result:
    """What came of it. deliveries: by state in the end; died: dead letters that an operator then sent again."""

    plan: Plan
    violations: list[Violation]
    faults: Counter[str]
    skipped: dict[str, str]
    sent: int
    accepted: int
    refused: int
    answers: int
    deliveries: Counter[str]
    died: int
    repeats: int
    history: Path

    @property
    def names(self) -> set[str]:
        return {violation.invariant for violation in self.violations}


def run(
    plan: Plan,
    ground: Ground,
    *,
    broken: str = "",
    machines: Sequence[str] | None = None,
    patience: float = 20.0,
) -> Result:
    """broken: a fault of `seeded.FAULTS` that the program has. patience: seconds without any movement after which what
    is due and nowhere counts as forgotten.
    """
    log = History(ground.folder / "history.jsonl")
    with contextlib.ExitStack() as stack:
        stack.callback(log.close)
        log.note("plan", seed=plan.seed, shape=plan.shape, orders=len(plan.orders), faults=len(plan.faults))
        world, store_url = _open(stack, plan, ground, log, broken, machines or MACHINES[plan.shape])
        world.machines.start_all()
        side = _portals(plan, world)
        stack.callback(side.close)
        with portals_side.running(side) as sending:
            world.torture(plan.faults, plan.seconds)
            sending.join(DRAIN_SECONDS)
        store = Store.open(store_url, keys=KeyRing.load(world.machines.home / "keys", create=False))
        stack.callback(store.close)
        books = Books(store_url)
        stack.callback(books.close)
        drain = Drain(store, books, log, ground.broker_url, sorted(world.departments), patience, world.control)
        drain.wait()
        died = 0 if drain.forgotten else _redrive_all(store)
        if died:
            drain.wait()
        visible = _visible(plan, world.departments)
        _wait_for_readers(store, visible)
        places = [world.machines.log_file, world.machines.home]
        places += [s._folder for s in world.servers.values() if isinstance(s, RabbitNode)]
        checker = Checker(side, visible, store, books, places)
        violations = [*drain.violations(), *checker.violations()]
        for violation in violations:
            log.note("violation", invariant=violation.invariant, text=violation.text)
        return Result(
            plan,
            violations,
            log.faults,
            log.skipped,
            len(side.sent),
            sum(sent.accepted for sent in side.sent),
            sum(bool(sent.refused) for sent in side.sent),
            side.answers,
            Counter(store.counts()),
            died,
            sum(len(made) - 1 for d in visible.values() for made in effects_of(d).values()),
            log.path,
        )


class Drain:
    """Waits until everything has ended or is with a person, and notices what nobody will ever move."""

    def __init__(
        self,
        store: Store,
        books: Books,
        history: History,
        broker_url: str,
        targets: Collection[str],
        patience: float,
        control: Path,
    ) -> None:
        self._control = control
        self._store = store
        self._books = books
        self._history = history
        self._broker_url = broker_url
        self._targets = sorted(targets)
        self._patience = patience
        self.forgotten: list[tuple[str, str, str]] = []

    def wait(self) -> None:
        end = time.monotonic() + DRAIN_SECONDS
        moves, since = -1, time.monotonic()
        while time.monotonic() < end:
            try:
                under_way, now_moved = self._books.under_way(), self._books.moves()
            except SQLAlchemyError:
                time.sleep(0.5)
                continue
            if not under_way:
                self._history.note("drained", **self._store.counts())
                return
            if now_moved != moves:
                moves, since = now_moved, time.monotonic()
            elif time.monotonic() - since > self._patience:
                if (lost := self._books.nowhere()) and self._queues_empty():
                    self.forgotten = lost
                    break
                self._let_time_pass()
                since = time.monotonic()
            time.sleep(0.3)
        self._history.note("not drained", **self._store.counts())

    def violations(self) -> Iterator[Violation]:
        for delivery, target, state in self.forgotten:
            yield Violation("INV-5", f"{target}/{delivery} is {state}, due, and in no outbox and no queue")

    def _let_time_pass(self) -> None:
        """What was put off while a clock was ahead is due when that time has come; nobody waits an hour for it here."""
        due = self._books.next_due()
        ahead = (due - datetime.now(UTC)).total_seconds() if due is not None else 0.0
        if ahead > self._patience:
            set_clock(self._control, ahead + 1)
            self._history.note("time passes", seconds=round(ahead))

    def _queues_empty(self) -> bool:
        if self._broker_url.startswith("embedded:"):
            return True
        broker = open_broker(self._broker_url, name="torture")
        try:
            broker.declare(gateway_topology(self._targets))
            depths = broker.depths()
        finally:
            broker.close()
        return not any(depths[target_queue(target)] for target in self._targets)


def _open(
    stack: contextlib.ExitStack, plan: Plan, ground: Ground, log: History, broken: str, names: Sequence[str]
) -> tuple[World, str]:
    """Packages, department systems, proxies and machines (not started); the database's own URL."""
    embedded = plan.shape == "embedded"
    packages = _packages(ground.folder / "packages")
    _, loaded = load_packages(Settings(home=ground.folder / "probe", packages=[packages], services=[DOG_TAX]))
    queue_url = "embedded://elsewhere" if embedded else ground.broker_url
    departments = stack.enter_context(department_systems(loaded, queue_url=queue_url))
    proxies: dict[str, TcpProxy] = {}

    def through(name: str, url: str) -> str:
        proxies[name] = stack.enter_context(TcpProxy.before(url))
        return proxies[name].url(url)

    targets = {
        name: {"url": d.url if d.url.startswith(("embedded", "amqp")) else through(name, d.url), "retry": dict(RETRY)}
        for name, d in departments.items()
    }
    control = ground.folder / "control"
    control.mkdir()
    set_clock(control, 0.0)
    place = ground.folder / "installation"
    disk = None
    if embedded:
        disk = stack.enter_context(small_disk(place, DISK_MEGABYTES, log))
    else:
        log.skip("disk full", "the database's disk is not ours to fill")
        log.skip("clock of the database", "PostgreSQL reads the machine's clock; the processes' own clocks jump")
    machines = Machines(
        place,
        names,
        log,
        control=control,
        broken=broken,
        database_url="" if embedded else through("database", ground.database_url),
        broker_url=ground.broker_url if embedded else through("broker", ground.broker_url),
        overrides={**SETTINGS, "packages": [str(packages)], "services": [DOG_TAX], "targets": targets},
    )
    stack.callback(machines.stop)
    proxies["portal"] = stack.enter_context(TcpProxy(*_address(next(iter(machines.addresses.values())))))
    store_url = ground.database_url or machines.settings.effective_database_url
    return World(machines, proxies, departments, ground.servers, control, disk, log), store_url


def _packages(folder: Path) -> Path:
    """The dog tax, for two portals, with time-outs that a run can wait for."""
    made = dog_tax_packages(
        folder, targets=dict.fromkeys(("hundesteuer", "eakte-stadtkasse", "hundestatistik"), TARGET)
    )
    client = yaml.safe_load((made / "clients" / f"{PORTALS[0]}.yaml").read_text(encoding="utf-8"))
    (made / "clients" / f"{PORTALS[1]}.yaml").write_text(yaml.safe_dump({**client, "client_id": PORTALS[1]}), "utf-8")
    return made


def _portals(plan: Plan, world: World) -> Portals:
    """They come to the first API through the proxy, to the others directly."""
    issuer = open_issuer(world.machines.settings)
    assert issuer is not None
    tokens = {portal: issuer.issue(portal, lifetime_seconds=24 * 3600) for portal in PORTALS}
    _, *others = world.machines.addresses.values()
    urls = [f"http://127.0.0.1:{world.proxies['portal'].port}", *(f"http://{address}" for address in others)]
    return Portals(plan, urls, tokens, list(shipped_samples(world.machines.packages)), world.history)


def _redrive_all(store: Store) -> int:
    """What an operator does when all is mended: every dead letter again, marked where the outcome is unknown. How
    many.
    """
    dead = [d.delivery_id for d in store.deliveries(["dead"], limit=100_000)]  # type: ignore[list-item]
    for start in range(0, len(dead), 100):
        with contextlib.suppress(Conflict):
            store.redrive(dead[start : start + 100], actor="torture", reason="mended", confirm_repeat=True).result()
    return len(dead)


def _visible(plan: Plan, departments: Mapping[str, Department]) -> dict[str, Department]:
    """A queue in memory belongs to the gateway's process: nobody sees into it from here."""
    hidden = {"hundestatistik"} if plan.shape == "embedded" else set()
    return {name: department for name, department in departments.items() if name not in hidden}


def _wait_for_readers(store: Store, departments: Mapping[str, Department], seconds: float = 20.0) -> None:
    """A department reads its queue in its own time."""
    end = time.monotonic() + seconds
    for name, department in departments.items():
        wanted = {d.delivery_id for d in store.deliveries(["delivered"], target=name, limit=1_000_000)}  # type: ignore[list-item]
        while not wanted <= set(effects_of(department)) and time.monotonic() < end:
            time.sleep(0.1)


def _address(listen: str) -> tuple[str, int]:
    host, _, port = listen.rpartition(":")
    return host, int(port)

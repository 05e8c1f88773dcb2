"""What a crash test stands on: an installation in processes that die when told, its department systems, a portal that
does not give up, and the invariants, looked at from outside.
"""

from __future__ import annotations

import contextlib
import uuid
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import httpx
from city import DOG_TAX, Shape, dog_tax_packages, until
from installation import Installation

from adapters.testkit import RestDepartment, SoapDepartment
from gateway.demo import servers
from gateway.demo.samples import Sample, shipped_samples
from gateway.demo.servers import RabbitNode
from gateway.demo.stage import Department, department_systems, effects_of
from gateway.errors import StoreUnavailable
from gateway.portal import Answer, Portal
from gateway.settings import Settings
from gateway.store import DeliveryView, KeyRing, Store, SubmissionView
from gateway.wiring import load_packages

SOAP, REST, QUEUE = "hundesteuer", "eakte-stadtkasse", "hundestatistik"
ENDED = {"delivered", "skipped", "dead", "returned", "discarded"}
FAST: Mapping[str, Any] = {
    "lease_seconds": 3.0,
    "sweep_seconds": 0.3,
    "sweep_tolerance_seconds": 4.0,
    "relay_seconds": 0.05,
    "probe_after_seconds": 0.2,
    "circuit_probe_seconds": 0.5,
}
RETRY: Mapping[str, Any] = {"delays": ["0.3s", "0.5s"]}
CHILD = str(Path(__file__).parent / "crash_child.py")


@dataclass
class Sent:
    """One submission as its portal sees it: the key it used, the bytes, and every id it was told."""

    key: str
    content: bytes
    told: list[str] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)

    @property
    def submission_id(self) -> str:
        assert self.told, "the portal has no answer yet"
        return self.told[0]


@dataclass
class World:
    """shape: `embedded` or `production`. departments: those that the test can see into."""

    shape: str
    installation: Installation
    departments: Mapping[str, Department]
    samples: Sequence[Sample]
    roles: Sequence[str]
    armed: Path
    store: Store
    sent: list[Sent] = field(default_factory=list)
    pool: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(16))

    # -- the department systems

    def tell(self, target: str, kind: Any, **how: Any) -> None:
        department = self.departments[target]
        assert isinstance(department, RestDepartment | SoapDepartment)
        department.tell(kind, **how)

    def effects(self, target: str, delivery_id: str) -> list[bool]:
        """For each case that the system made of this delivery: was its request marked as a possible repeat?"""
        return list(effects_of(self.departments[target]).get(delivery_id, []))

    # -- processes

    def arm(self, point: str, *, hit: int = 1, target: str = "-", deadly: str = "SIGKILL") -> None:
        """From now on whoever comes to this point dies there (or with SIGSTOP stands still)."""
        written = self.armed.with_suffix(".new")
        written.write_text(f"{point} {hit} {target} {deadly}")
        written.rename(self.armed)

    def wait_for_death(self) -> str:
        """The role of the process that died."""
        until(lambda: not all(map(self.installation.alive, self.roles)), "a process to die")
        (dead,) = (role for role in self.roles if not self.installation.alive(role))
        assert not self.armed.exists(), "it died by itself"
        return dead

    def start(self, role: str) -> None:
        self.installation.start(role)

    def jump(self, role: str, seconds: float) -> None:
        """From now on the clock of the machine on which this role runs is off by so much."""
        self.armed.with_name(f"clock-{role}").write_text(str(seconds))

    def calm(self) -> None:
        """Nobody is to die, every clock is right, every system answers, every process runs, and nothing is under
        way.
        """
        self.armed.unlink(missing_ok=True)
        for department in self.departments.values():
            department.tell("ok")
        for role in self.roles:
            self.jump(role, 0)
            if not self.installation.alive(role):
                self.start(role)
        self.drain()

    # -- the portal's side

    def send(self, sample: Sample | None = None, *, url: str | None = None, **more: Any) -> Future[Sent]:
        """Send until there is an answer, always under the same key; in a thread."""
        chosen = sample or self.samples[len(self.sent) % len(self.samples)]
        sent = Sent(str(uuid.uuid4()), chosen.data.content)
        self.sent.append(sent)
        return self.pool.submit(self._send, sent, chosen, url, more)

    def once(self, sample: Sample | None = None, *, url: str | None = None, timeout: float = 20.0) -> Answer | None:
        """Send once, under a key of its own; None when the connection broke."""
        chosen = sample or self.samples[0]
        sent = Sent(str(uuid.uuid4()), chosen.data.content)
        self.sent.append(sent)
        with contextlib.closing(Portal(url or self.installation.url, self.installation.token(), timeout=timeout)) as p:
            return self._try(p, sent, chosen, {})

    def _send(self, sent: Sent, sample: Sample, url: str | None, more: Mapping[str, Any]) -> Sent:
        portal = Portal(url or self.installation.url, self.installation.token(), timeout=20)
        with contextlib.closing(portal):
            until(lambda: bool(self._try(portal, sent, sample, more)) and bool(sent.told), "an answer")
            # A portal that is not sure asks once more: it is told the same.
            until(lambda: bool(self._try(portal, sent, sample, more)) and len(sent.told) > 1, "the same answer")
        return sent

    @staticmethod
    def _try(portal: Portal, sent: Sent, sample: Sample, more: Mapping[str, Any]) -> Answer | None:
        try:
            answer = portal.send(sample.data, sample.schema_uri, sample.attachments, key=sent.key, **more)
        except httpx.TransportError:
            return None
        if answer.accepted:
            sent.told.append(answer.body["submissionId"])
        else:
            # 401: where a clock was ahead a moment ago, a token looks expired for that long
            assert answer.status in (401, 409, 429, 503), f"refused with {answer.status}: {answer.body}"
            sent.refusals.append(answer.status)
        return answer

    # -- the database's side

    def view(self, sent: Sent) -> SubmissionView:
        return self.store.view(sent.submission_id, events=True)

    def delivery(self, sent: Sent, target: str) -> DeliveryView:
        return next(d for d in self.view(sent).deliveries if d.target == target)

    def drain(self, seconds: float = 60.0) -> None:
        """Wait until every delivery has ended, or is with a person."""

        def ended() -> bool:
            with contextlib.suppress(StoreUnavailable):
                return set(self.store.counts()) <= ENDED
            return False

        until(ended, "every delivery to end", seconds)

    # -- what must hold

    def check(self) -> None:
        """Every invariant that can be broken here, over everything this installation ever did."""
        broken = "\n".join(self.violations())
        assert not broken, f"these invariants are broken:\n{broken}"

    def violations(self) -> Iterator[str]:
        """INV-1 to INV-8 (INV-9 and INV-10 have tests of their own); one line for each that does not hold."""
        ids = Counter(sent.submission_id for sent in self.sent if sent.told)
        known: dict[str, set[str]] = {}
        for sent in self.sent:
            if len(set(sent.told)) > 1:
                yield f"INV-2: one key has the submissions {sorted(set(sent.told))}"
            if not sent.told:
                continue
            try:
                stored = b"".join(self.store.read_part(sent.submission_id, "data"))
            except Exception as error:
                yield f"INV-1: {sent.submission_id} was acknowledged and cannot be read ({type(error).__name__})"
                continue
            if stored != sent.content:
                yield f"INV-1: {sent.submission_id} is not what was sent"
        for submission_id, count in ids.items():
            if count > 1:
                yield f"INV-2: {count} keys share the submission {submission_id}"
        for delivery in self.store.deliveries(list(_STATES), limit=100_000):
            known.setdefault(delivery.target, set()).add(delivery.delivery_id)
            yield from self._of_delivery(delivery)
            yield from (f"INV-8: {wrong}" for wrong in self.store.verify_chain(delivery.submission_id))
        for name, department in self.departments.items():
            for key in effects_of(department).keys() - known.get(name, set()):
                yield f"INV-4: {name} has the case {key}, which nobody stored"
        if set(self.store.counts()) - ENDED:
            yield f"INV-5: not at an end: {self.store.counts()}"

    def _of_delivery(self, delivery: Any) -> Iterator[str]:
        attempts = self.store.attempts(delivery.delivery_id)
        where = f"{delivery.target}/{delivery.delivery_id}"
        if delivery.state == "delivered" and not attempts:
            yield f"INV-4: {where} is delivered without an attempt"
        if len({attempt.case_digest for attempt in attempts}) > 1:
            yield f"INV-7: {where} was delivered as two different cases"
        if delivery.state == "dead" and not self.store.dead_letters(delivery_id=delivery.delivery_id, state="open"):
            yield f"INV-5: {where} is dead, and nobody is told"
        if delivery.target not in self.departments:
            return
        if delivery.state == "dead" and delivery.failure != "unknown_outcome" and self._has(delivery):
            yield f"INV-1: {where} is called {delivery.failure}, and the system has its case"
        marks = self.effects(delivery.target, delivery.delivery_id)
        if delivery.state == "delivered" and not marks:
            yield f"INV-1: {where} is called delivered, and the system has no case"
        if not all(marks[1:]):
            yield f"INV-3: {where} was made {len(marks)} times, {marks}"

    def _has(self, delivery: Any) -> bool:
        return bool(self.effects(delivery.target, delivery.delivery_id))


OPEN: list[World] = []
"""What is running: whatever a test leaves behind in it is cleared away."""
_STATES = ("queued", "delivering", "waiting", "unknown", *ENDED)


@contextlib.contextmanager
def world(
    folder: Path,
    shape: Shape,
    *,
    roles: Sequence[str] = ("run",),
    through: Callable[[str, str], str] = lambda _, url: url,
    targets: Mapping[str, Mapping[str, Any]] | None = None,
    per_second: float | None = None,
    give_up_after: str = "5m",
    **overrides: Any,
) -> Iterator[World]:
    """Open it, its processes running. through: (`database`, `broker` or a target's name, URL) → the URL that the
    gateway uses, for a proxy in between. targets: changes of `target.yaml`, by name.
    """
    embedded = shape.broker_url.startswith("embedded:")
    packages = dog_tax_packages(folder / "packages", targets=targets)
    _, loaded = load_packages(Settings(home=folder / "probe", packages=[packages], services=[DOG_TAX]))
    with contextlib.ExitStack() as stack:
        # A queue in memory belongs to the gateway's process: the test cannot see into it.
        queue_url = "embedded://elsewhere" if embedded else shape.broker_url
        departments = stack.enter_context(department_systems(loaded, queue_url=queue_url))
        retry = {**RETRY, "per_second": per_second, "give_up_after": give_up_after}
        told = {name: {"url": through(name, d.url), "retry": dict(retry)} for name, d in departments.items()}
        armed = folder / "armed"
        installation = Installation(
            folder,
            database_url=through("database", shape.database_url) if shape.database_url else "",
            broker_url=shape.broker_url if embedded else through("broker", shape.broker_url),
            overrides={**FAST, "packages": [str(packages)], "services": [DOG_TAX], "targets": told, **overrides},
            program=(CHILD, str(armed)),
        )
        stack.callback(installation.stop)
        store = _own_store(installation, shape)
        stack.callback(store.close)
        installation.start(*roles)
        visible = {n: d for n, d in departments.items() if not (embedded and loaded.targets[n].adapter == "amqp")}
        samples = [s for s in shipped_samples(installation.packages) if s.expected == "accepted"]
        opened = World("embedded" if embedded else "production", installation, visible, samples, roles, armed, store)
        stack.callback(opened.pool.shutdown, wait=False, cancel_futures=True)
        OPEN.append(opened)
        stack.callback(OPEN.remove, opened)
        yield opened


@contextlib.contextmanager
def servers_of_its_own(postgres_url: str, rabbitmq_node: RabbitNode) -> Iterator[Shape]:
    """A database and a virtual host that nobody else uses."""
    rabbitmq_node.start()
    name = f"test_{uuid.uuid4().hex[:12]}"
    servers.create_database(postgres_url, name)
    yield Shape(urlunsplit(urlsplit(postgres_url)._replace(path=f"/{name}")), rabbitmq_node.create_vhost(name))
    servers.drop_database(postgres_url, name)


def _own_store(installation: Installation, shape: Shape) -> Store:
    """The test's own way to the database, past whatever proxy the gateway has to use."""
    url = shape.database_url or installation.settings.effective_database_url
    return Store.open(url, keys=KeyRing.load(installation.home / "keys", create=False))


def wait_all(futures: Sequence[Future[Sent]], seconds: float = 60.0) -> list[Sent]:
    return [future.result(seconds) for future in futures]

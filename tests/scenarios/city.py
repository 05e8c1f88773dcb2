"""A city for scenarios: a running gateway in this process, its simulated department systems, and a portal."""

from __future__ import annotations

import contextlib
import shutil
import socket
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

import yaml

from adapters.testkit import QueueDepartment, RestDepartment, SoapDepartment
from gateway.demo.samples import Sample, shipped_samples
from gateway.demo.stage import CLIENT, Department, department_systems
from gateway.portal import Answer, Portal
from gateway.runtime import ALL, running
from gateway.services import shipped_folder
from gateway.settings import Settings
from gateway.store import DeadLetter, DeliveryView, SubmissionView
from gateway.store.database import upgrade_url
from gateway.wiring import Gateway, load_packages, open_gateway

DOG_TAX = "hundesteuer-anmeldung"
GOOD = "one-dog-xml"
INVALID = "invalid-unknown-field-json"
"""Not valid, and yet complete enough for a case: what `clarify` and `deliver_with_findings` are for."""

SECONDS = 40.0
MOVING = {"queued", "delivering", "waiting", "unknown"}
RETRY: Mapping[str, Any] = {"delays": ["0.2s", "0.3s"], "give_up_after": "60s"}


@dataclass(frozen=True)
class Shape:
    """Where an installation keeps and queues. Empty and `embedded://`: everything in one process."""

    database_url: str = ""
    broker_url: str = "embedded://"


@dataclass
class City:
    """departments: by target name. samples: of the active services, by `service/sample`."""

    gateway: Gateway
    departments: Mapping[str, Department]
    portal: Portal
    samples: Mapping[str, Sample]

    @property
    def url(self) -> str:
        return f"http://{self.gateway.settings.listen}"

    def soap(self, target: str = "hundesteuer") -> SoapDepartment:
        return cast(SoapDepartment, self.departments[target])

    def rest(self, target: str = "eakte-stadtkasse") -> RestDepartment:
        return cast(RestDepartment, self.departments[target])

    def queue(self, target: str = "hundestatistik") -> QueueDepartment:
        return cast(QueueDepartment, self.departments[target])

    def token(self, client: str = CLIENT) -> str:
        assert self.gateway.token_issuer is not None
        return self.gateway.token_issuer.issue(client, lifetime_seconds=600)

    def sample(self, name: str = GOOD, service: str = DOG_TAX) -> Sample:
        return self.samples[f"{service}/{name}"]

    def send(self, sample: Sample | None = None, *, key: str | None = None, wait: int | None = None) -> Answer:
        chosen = sample or self.sample()
        return self.portal.send(chosen.data, chosen.schema_uri, chosen.attachments, key=key, wait=wait)

    def accepted(self, sample: Sample | None = None) -> str:
        """Send what must be accepted: its submission id."""
        answer = self.send(sample)
        assert answer.status == 202, answer.body
        return str(answer.body["submissionId"])

    def view(self, submission_id: str) -> SubmissionView:
        return self.gateway.store.view(submission_id, events=True)

    def delivery(self, submission_id: str, target: str) -> DeliveryView:
        return next(d for d in self.view(submission_id).deliveries if d.target == target)

    def ended(self, submission_id: str) -> SubmissionView:
        """Wait until no delivery of it moves any more."""
        until(lambda: not _moves(self.view(submission_id)), f"{submission_id} to end")
        return self.view(submission_id)

    def in_state(self, submission_id: str, target: str, state: str) -> DeliveryView:
        """Wait until the delivery to `target` is in `state`."""
        until(lambda: self.delivery(submission_id, target).state == state, f"the delivery to {target} to be {state}")
        return self.delivery(submission_id, target)

    def letter(self, submission_id: str, **filters: str) -> DeadLetter:
        """Wait for the one open dead letter of a submission."""
        letters: list[DeadLetter] = []

        def there() -> bool:
            letters[:] = self.gateway.store.dead_letters(submission_id=submission_id, state="open", **filters)
            return bool(letters)

        until(there, "a dead letter")
        assert len(letters) == 1
        return letters[0]

    def redrive(self, delivery_id: str, *, confirm_repeat: bool = False) -> None:
        done = self.gateway.store.redrive([delivery_id], actor="clerk", reason="mended", confirm_repeat=confirm_repeat)
        assert done.result() == [delivery_id]

    def effects(self, target: str, delivery_id: str) -> list[bool]:
        """For each case that the system made of this delivery: was its request marked as a possible repeat?"""
        received = self.departments[target].received
        return [r.possible_repeat for r in received if r.key == delivery_id and not r.known]


def _moves(view: SubmissionView) -> bool:
    return any(d.state in MOVING for d in view.deliveries)


def until(holds: Callable[[], bool], what: str, seconds: float = SECONDS) -> None:
    """Ask until it holds. Fails, saying for what it waited, when the time is over."""
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, f"waited {seconds:.0f} s for {what}"
        time.sleep(0.03)


@contextlib.contextmanager
def city(
    home: Path,
    *,
    database_url: str = "",
    broker_url: str = "embedded://",
    packages: Path | None = None,
    services: Sequence[str] = (DOG_TAX,),
    targets: Mapping[str, Mapping[str, Any]] | None = None,
    **settings: Any,
) -> Iterator[City]:
    """Open it. packages: the folder to load instead of what ships. targets: settings of single targets beside address
    and retries; settings: of the installation.
    """
    chosen = Settings(
        home=home,
        database_url=database_url,
        broker_url=broker_url,
        packages=[packages] if packages else [],
        services=list(services),
        listen=f"127.0.0.1:{free_port()}",
        relay_seconds=0.1,
        probe_after_seconds=0.2,
        log_level="ERROR",
    ).model_copy(update=settings)
    _, loaded = load_packages(chosen)
    # Each city has queues of its own departments: a shared one in memory, or its own virtual host.
    queue_url = f"embedded://{uuid.uuid4().hex}" if chosen.embedded else broker_url
    with contextlib.ExitStack() as stack:
        departments = stack.enter_context(department_systems(loaded, queue_url=queue_url))
        told = {
            name: {"url": department.url, "retry": RETRY, **(targets or {}).get(name, {})}
            for name, department in departments.items()
        }
        if database_url:
            upgrade_url(database_url)
        gateway = stack.enter_context(open_gateway(chosen.model_copy(update={"targets": told})))
        stack.enter_context(running(gateway, ALL))
        assert gateway.token_issuer is not None
        portal = Portal(f"http://{chosen.listen}", gateway.token_issuer.issue(CLIENT, lifetime_seconds=600))
        stack.callback(portal.close)
        samples = {f"{s.service}/{s.name}": s for s in shipped_samples(gateway.packages)}
        yield City(gateway, departments, portal, samples)


def dog_tax_packages(
    folder: Path,
    *,
    service: Mapping[str, Any] | None = None,
    targets: Mapping[str, Mapping[str, Any]] | None = None,
) -> Path:
    """A copy of the dog tax with its targets, to be changed: members of `service.yaml` and of each `target.yaml` (None
    = left out).
    """
    shipped = shipped_folder()
    shutil.copytree(shipped / "services" / DOG_TAX, folder / "services" / DOG_TAX)
    shutil.copytree(shipped / "clients", folder / "clients")
    for name in ("hundesteuer", "eakte-stadtkasse", "hundestatistik"):
        shutil.copytree(shipped / "targets" / name, folder / "targets" / name)
    _change(folder / "services" / DOG_TAX / "service.yaml", service or {})
    for name, changes in (targets or {}).items():
        _change(folder / "targets" / name / "target.yaml", changes)
    return folder


def _change(file: Path, changes: Mapping[str, Any]) -> None:
    values = {**yaml.safe_load(file.read_text(encoding="utf-8")), **changes}
    kept = {name: value for name, value in values.items() if value is not None}
    file.write_text(yaml.safe_dump(kept, allow_unicode=True), encoding="utf-8")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Nothing that a person wrote is anywhere but in its place: encrypted in the store, and with the department systems.

A whole installation runs as processes with everything logged, and takes what is good, bad and hostile; its department
systems go down, refuse, hang up and come back; operators look, send again and erase. Then every place is searched.
"""

from __future__ import annotations

import base64
import contextlib
import io
import json
import shutil
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import httpx
import pytest
import yaml
from canaries import Canaries, Tap, Watched, files_with_marks, process_marks, queue_of
from city import DOG_TAX, Shape
from installation import Installation
from sqlalchemy import create_engine, text

from gateway.cli import run
from gateway.delivery import Delivery, DeliveryState
from gateway.demo.samples import Sample, shipped_samples
from gateway.demo.servers import PostgresServer, RabbitNode
from gateway.demo.stage import Department, department_systems
from gateway.portal import Answer, Portal, metadata_for
from gateway.services import shipped_folder
from gateway.settings import Settings
from gateway.store import Store
from gateway.wiring import load_packages
from xoev_schemas.documents import Unreadable, parse

INLINE = "hundestatistik"
"""The one target whose queue carries content, as its `content: inline` says."""
CLARIFIES = "hundesteuer-abmeldung"
ENDED = {"delivered", "skipped", "dead", "discarded", "returned"}


@dataclass
class Scene:
    """One run and where to look. said: what commands printed, what was answered."""

    installation: Installation
    departments: Mapping[str, Department]
    canaries: Canaries
    folder: Path
    shape: Shape
    portal: Portal
    samples: Mapping[str, Sample]
    store: Store
    said: list[tuple[str, bytes]] = field(default_factory=list)
    accepted: list[str] = field(default_factory=list)

    def send(self, sample: Sample, **options: Any) -> Answer:
        answer = self.portal.send(sample.data, sample.schema_uri, sample.attachments, **options)
        self.said.append((f"answer to {sample.service}/{sample.name}", repr((answer.body, answer.headers)).encode()))
        if answer.accepted:
            self.accepted.append(answer.body["submissionId"])
        return answer

    def ask(self, method: str, path: str, **options: Any) -> httpx.Response:
        headers = {"Authorization": f"Bearer {self.installation.token()}", **options.pop("headers", {})}
        with httpx.Client(base_url=self.installation.url, timeout=30) as client:
            answer = client.request(method, path, headers=headers, **options)
        self.said.append((f"{method} {answer.request.url.path[:20]} …", repr(answer.headers).encode() + answer.content))
        return answer

    def type(self, *words: str) -> str:
        """A command of the operators; what it printed. In this process: starting one takes seconds."""
        shown, complained = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(shown), contextlib.redirect_stderr(complained):
            code = run([*words, "--config", str(self.folder / "gateway.yaml")])
        assert code in (0, 1), complained.getvalue()
        self.said.append((f"gateway {' '.join(words)}", f"{shown.getvalue()}{complained.getvalue()}".encode()))
        return shown.getvalue()

    def settle(self) -> None:
        """Until nothing moves any more."""
        self.installation.wait_until(lambda: not self._moving(), "every delivery to end", 60)

    def _moving(self) -> list[Delivery]:
        return self.store.deliveries([state for state in DeliveryState if state not in ENDED])


@pytest.fixture
def scene(
    tmp_path: Path, shape: Shape, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Scene]:
    packages_folder = _packages(tmp_path / "packages")
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    _, packages = load_packages(Settings(home=tmp_path / "probe", packages=[packages_folder]))
    production = bool(shape.database_url)
    # In memory, a department's queue is one of the gateway's own process: its case goes there, and nobody reads it.
    queue_url = shape.broker_url if production else f"embedded://{uuid.uuid4().hex}"
    with department_systems(packages, queue_url=queue_url) as departments:
        retry = {"delays": ["0.2s", "0.3s"], "give_up_after": "3s"}
        installation = Installation(
            tmp_path,
            database_url=shape.database_url,
            broker_url=shape.broker_url,
            overrides={
                "packages": [str(packages_folder)],
                "targets": {name: {"url": d.url, "retry": retry} for name, d in departments.items()},
                "relay_seconds": 0.1,
                "probe_after_seconds": 0.2,
                "circuit_probe_seconds": 0.3,
                "log_level": "DEBUG",
            },
        )
        installation.start(*(("serve", "work", "relay") if production else ("run",)))
        store = installation.store()
        portal = Portal(installation.url, installation.token())
        samples = {f"{s.service}/{s.name}": s for s in shipped_samples(installation.packages)}
        yield Scene(installation, departments, Canaries(), tmp_path, shape, portal, samples, store)
        portal.close()
        store.close()
        installation.stop()


def _packages(folder: Path) -> Path:
    """What ships, with one service that clarifies what is not valid instead of refusing it, and with a name in the one
    queue that carries content: what ships puts nothing personal there.
    """
    for kind in ("services", "targets", "clients"):
        shutil.copytree(shipped_folder() / kind, folder / kind)
    file = folder / "services" / CLARIFIES / "service.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "on_invalid": "clarify"}), encoding="utf-8")
    file = folder / "targets" / INLINE / "request.yaml"
    mapping = yaml.safe_load(file.read_text())
    mapping["request"]["halter"] = {"from": "applicants[1]/person/familyName"}
    file.write_text(yaml.safe_dump(mapping), encoding="utf-8")
    return folder


def _is_valid(packages_settings: Settings) -> Any:
    registry, _ = load_packages(packages_settings)

    def judged(data: bytes, schema_uri: str) -> bool:
        ref = registry.find(schema_uri)
        try:
            document = parse(data, "application/xml" if data.lstrip().startswith(b"<") else "application/json")
        except Unreadable:
            return False
        return ref is not None and bool(registry.validate(document, ref).valid)

    return judged


def good_ones(scene: Scene) -> list[Sample]:
    """Every valid sample with a value in each field that takes one."""
    is_valid = _is_valid(scene.installation.settings)
    return [scene.canaries.sample(s, is_valid) for s in scene.samples.values() if not s.name.startswith("invalid")]


def everything_that_can_happen(scene: Scene) -> None:
    good = good_ones(scene)
    assert scene.canaries.planted > 8 * len(good), "else hardly a field was marked"
    for sample in good:
        scene.send(sample)
    scene.settle()
    what_is_not_valid(scene)
    what_is_hostile(scene)
    what_goes_wrong_at_departments(scene, [s for s in good if s.service == DOG_TAX])
    scene.settle()
    what_operators_do(scene)
    what_is_asked(scene)


def what_is_not_valid(scene: Scene) -> None:
    answers = [scene.send(scene.canaries.sample(sample)) for sample in scene.samples.values()]
    assert {202, 422} <= {answer.status for answer in answers}
    assert any(answer.body.get("status") == "clarify" for answer in answers)


def what_is_hostile(scene: Scene) -> None:
    """Requests that say the wrong thing in every place where something can be said."""
    value, sample = scene.canaries.value, next(s for s in scene.samples.values() if s.service == DOG_TAX)
    metadata = metadata_for(sample.data, sample.schema_uri, {})
    strange = {
        **metadata,
        "author": {"name": value()},
        value(): value(),
        "replyChannel": {"eMail": {"address": value()}},
    }
    odd_kind = {**metadata, "publicServiceType": {"name": value(), "identifier": value()}}
    headers = {"User-Agent": value(), "Referer": f"https://portal.example/{value()}", "X-Forwarded-For": value()}
    headers |= {"tracestate": f"v={value()}", "baggage": f"name={value()}", "traceparent": value(), "Cookie": value()}
    for told in (metadata, strange, odd_kind):
        scene.ask("POST", "/v1/submissions", files=_parts(told, sample.data.content), headers=headers)
    for data in (
        f"<a>{value()}",
        f"<!DOCTYPE a [<!ENTITY e '{value()}'>]><a>&e;</a>",
        f"<{value()}/>",
        f"<S99000000001V1.0.0 xmlns='urn:{value()}'/>",
        f"<?xml version='1.0' encoding='{value()}'?><a/>",
    ):
        scene.ask("POST", "/v1/submissions", files=_parts(metadata, data.encode()))
    unannounced = ("attachment", (f"{value()}.pdf", b"%PDF-1.7", f"application/{value()}"))
    for extra in (
        unannounced,
        (value(), (None, value().encode(), "text/plain")),
        ("attachment", (f"../{value()}", b"x", "a/b")),
    ):
        scene.ask("POST", "/v1/submissions", files=[*_parts(metadata, sample.data.content), extra])
    for path in (
        f"/{value()}",
        f"/v1/submissions/{value()}",
        f"/v1/submissions?caseId={value()}",
        f"/v1/services?{value()}={value()}",
    ):
        scene.ask("GET", path, headers=headers)
    scene.ask("POST", "/v1/validate", content=value().encode(), headers={"Content-Type": f"text/{value()}"})
    scene.ask("GET", "/v1/services", headers={"Authorization": f"Bearer {value()}"})
    scene.ask("POST", "/oauth/token", data={"grant_type": value(), "client_id": value(), "client_secret": value()})


def _parts(metadata: Mapping[str, Any], data: bytes) -> list[tuple[str, tuple[str | None, bytes, str]]]:
    return [
        ("metadata", (None, json.dumps(metadata).encode(), "application/json")),
        ("data", (None, data, "application/xml")),
    ]


def what_goes_wrong_at_departments(scene: Scene, good: list[Sample]) -> None:
    """Every way of a SOAP and a REST system to fail, each with an application on its way."""
    for number, kind in enumerate(
        (
            "refuse",
            "fault_in_200",
            "html",
            "redirect",
            "down",
            "commit_then_hang_up",
            "cut",
            "fail_after_commit",
            "doctype",
        )
    ):
        for target in ("hundesteuer", "eakte-stadtkasse"):
            scene.departments[target].tell(kind, times=1)
        scene.send(good[number % len(good)])
        scene.settle()
    for target in ("hundesteuer", "eakte-stadtkasse"):
        scene.departments[target].tell("ok")


def what_operators_do(scene: Scene) -> None:
    letters = json.loads(scene.type("dead", "list", "--state", "all", "--limit", "1000", "--json"))
    assert len({letter["class"] for letter in letters}) > 1
    for letter in letters[:6]:
        scene.type("dead", "show", letter["deliveryId"] or letter["submissionId"])
    for failure in {letter["class"] for letter in letters}:
        scene.type("dead", "redrive", "--failure", failure, "--may-repeat", "--reason", "mended", "--yes", "--json")
    scene.settle()
    left = json.loads(scene.type("dead", "list", "--json"))
    for letter in left[:2]:
        scene.type("dead", "discard", letter["deliveryId"] or letter["submissionId"], "--reason", "given up", "--yes")
    scene.type("deliveries", "list")
    scene.type("targets")
    scene.type("keys", "rotate")
    scene.type("hold", "add", scene.accepted[0], "--reason", "lawsuit")
    scene.type("hold", "list")
    scene.type("erase", scene.accepted[0], "--reason", "r", "--yes")
    scene.type("erase", scene.accepted[1])
    scene.type("erase", scene.accepted[1], "--reason", "Art. 17", "--yes")


def what_is_asked(scene: Scene) -> None:
    for submission_id in scene.accepted[:10]:
        scene.ask("GET", f"/v1/submissions/{submission_id}")
    for path in ("/metrics", "/health/ready", "/health/live", "/v1/services", "/openapi.json"):
        scene.ask("GET", path)


# ------------------------------------------------------------------------------------------------------ where we look


def messages_with_marks(scene: Scene, tap: Tap) -> list[str]:
    inline = scene.installation.packages.targets[INLINE].config.settings["queue"]
    messages = tap.messages()
    assert len(messages) > 100, "else the tap was not open"
    assert any("ozg.events" in message["routing_key"] for message in messages)
    content = [message for message in messages if inline in queue_of(message)]
    assert any(scene.canaries.found_in(repr(_whole(message)).encode()) for message in content), "the exception is real"
    others = [message for message in messages if message not in content]
    return [f"{m['routing_key']}: {told}" for m in others if (told := scene.canaries.found_in(_whole(m)))]


def _whole(message: Mapping[str, Any]) -> bytes:
    return repr({**message, "payload": base64.b64decode(message["payload"])}).encode()


def rows_with_marks(url: str, canaries: Canaries) -> list[str]:
    """Every row of every table of a PostgreSQL database."""
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:", 1))
    found = []
    with engine.connect() as connection:
        tables = connection.execute(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")).scalars().all()
        assert "content_chunk" in tables
        for table in tables:
            for row in connection.execute(text(f'SELECT * FROM "{table}"')):
                if told := canaries.found_in(repr(tuple(row)).encode()):
                    found.append(f"table {table}: {told}")
    engine.dispose()
    return found


@pytest.mark.timeout(600)
def test_what_people_wrote_is_found_nowhere_but_in_its_place(scene: Scene, request: pytest.FixtureRequest) -> None:
    canaries, production = scene.canaries, bool(scene.shape.database_url)
    watched = Watched(scene.folder / "tmp", canaries)
    tap = None
    if production:
        node: RabbitNode = request.getfixturevalue("rabbitmq_node")
        tap = Tap(node.management_url, unquote(urlsplit(scene.shape.broker_url).path[1:]))
    try:
        everything_that_can_happen(scene)
        found = process_marks([p.pid for p in scene.installation._processes.values()], canaries)
        if tap is not None:
            found += messages_with_marks(scene, tap)
            found += rows_with_marks(scene.shape.database_url, canaries)
    finally:
        watched.stop()
    assert watched.looked > 10
    for department in ("hundesteuer", "eakte-stadtkasse"):
        received = repr([record.body for record in scene.departments[department].received]).encode()
        assert canaries.found_in(received), f"{department} got what was meant for it"
    found += watched.found
    found += files_with_marks(scene.folder, canaries)
    found += [f"{what}: {told}" for what, said in scene.said if (told := canaries.found_in(said))]
    if production:
        server: PostgresServer = request.getfixturevalue("postgres_server")
        found += files_with_marks(server._folder, canaries)
    assert found == []


def test_the_search_finds_a_value_in_every_form_that_it_may_take() -> None:
    canaries = Canaries()
    value = canaries.value()

    for offset in range(3):
        assert canaries.found_in(base64.b64encode(b"x" * offset + value.encode() + b" and more"))
    for form in (value, value.upper(), value.casefold(), f"%22{value}%22", value.encode().hex()):
        assert canaries.found_in(f"before {form} after".encode())
    assert canaries.found_in(value.encode("utf-16-le"))
    assert canaries.found_in(f"DE12{canaries.digits}".encode())
    assert not canaries.found_in(Canaries(date="never").value().encode())


def test_a_file_that_is_there_for_a_moment_is_seen(tmp_path: Path) -> None:
    canaries = Canaries()
    watched = Watched(tmp_path, canaries)

    (tmp_path / canaries.value()).touch()
    Installation.wait_until(lambda: bool(watched.found), "the name to be seen", 10)
    watched.stop()

    assert canaries.mark in watched.found[0]

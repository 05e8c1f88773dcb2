"""Listening to what happens, as the page for it says: in order, each change once, whatever dies in between."""

from __future__ import annotations

import json
import os
import re
import secrets
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

import jsonschema_rs
import psycopg
import pytest
from city import GOOD, city, until
from installation import SECONDS, Installation

from gateway.demo.child import find_program
from gateway.demo.samples import shipped_samples
from gateway.demo.servers import RabbitNode
from gateway.demo.stage import department_systems
from gateway.portal import Portal
from gateway.settings import Settings
from gateway.wiring import load_packages
from queues import open_broker
from queues.base import Binding, Exchange, Queue, Topology
from queues.testkit import Inbox
from queues.topology import EVENTS

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "how-to" / "listen-to-events.md").read_text(encoding="utf-8")
SCHEMA = json.loads((ROOT / "docs" / "reference" / "state-event.schema.json").read_text(encoding="utf-8"))


def block(language: str) -> str:
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return str(found)


class Listener:
    """The example of the page, as a process of its own; `lines` is what it printed."""

    def __init__(self, url: str, folder: Path) -> None:
        self._output = folder / "listener.txt"
        self._file = self._output.open("wb")
        environment = {**os.environ, "LISTENER_URL": url}
        self._process = subprocess.Popen([sys.executable, "-c", block("python")], stdout=self._file, env=environment)

    @property
    def lines(self) -> list[list[str]]:
        """at, submission, target, state and, where something failed, the code."""
        assert self._process.poll() is None, "the listener ended"
        return [line.split() for line in self._output.read_text(encoding="utf-8").splitlines()]

    def states(self, submission_id: str) -> list[tuple[str, str]]:
        return [(line[2], line[3]) for line in self.lines if line[1] == submission_id]

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(10)
        self._file.close()


@contextmanager
def listening(url: str, folder: Path, node: RabbitNode) -> Iterator[Listener]:
    """The page's listener under the page's account; returns when its queue is bound."""
    listener = Listener(account_of_its_own(url, node), folder)
    try:
        until(lambda: bool(bindings(node, url)), "the listener to listen")
        yield listener
    finally:
        listener.stop()


def account_of_its_own(url: str, node: RabbitNode) -> str:
    """Runs the commands of the page, in the test's virtual host: the URL of the new account."""
    user, password = f"dashboard-{secrets.token_hex(4)}", secrets.token_urlsafe(16)
    program = find_program("rabbitmqctl", "/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin")
    vhost = unquote(urlsplit(url).path[1:])
    for line in block("sh").splitlines():
        words = [{"dashboard": user, "/": vhost}.get(word, word) for word in shlex.split(line)]
        assert words[0] == "rabbitmqctl"
        more = [password] if words[1] == "add_user" else []
        command = [str(program), *words[1:], *more]
        subprocess.run(command, env=node.environment(), check=True, capture_output=True, timeout=60)
    parts = urlsplit(url)
    return urlunsplit(parts._replace(netloc=f"{user}:{password}@{parts.hostname}:{parts.port}"))


def bindings(node: RabbitNode, url: str) -> list[str]:
    program = find_program("rabbitmqctl", "/usr/lib/rabbitmq/bin", "/opt/rabbitmq/sbin")
    vhost = unquote(urlsplit(url).path[1:])
    command = [str(program), "-q", "list_bindings", "-p", vhost, "source_name", "destination_name"]
    listed = subprocess.run(command, env=node.environment(), check=True, capture_output=True, text=True, timeout=60)
    return [line for line in listed.stdout.splitlines() if line.startswith(EVENTS)]


def test_a_listener_made_as_the_page_says_sees_an_application_from_acceptance_to_its_end(
    tmp_path: Path, fresh_postgres_url: str, fresh_rabbitmq_url: str, rabbitmq_node: RabbitNode
) -> None:
    with (
        city(tmp_path / "home", database_url=fresh_postgres_url, broker_url=fresh_rabbitmq_url) as running,
        listening(fresh_rabbitmq_url, tmp_path, rabbitmq_node) as listener,
    ):
        # When one target refuses an application, a clerk sends it again, and the others take it at once
        running.rest().tell("refuse", times=1)
        submission_id = running.accepted()
        letter = running.letter(submission_id)
        assert letter.delivery_id
        assert letter.target
        running.redrive(letter.delivery_id)
        running.in_state(submission_id, letter.target, "delivered")

        # Then the listener sees all of it, in the order of the history
        until(lambda: ("-", "completed") in listener.states(submission_id), "the end to be told")
        view = running.view(submission_id)
        targets = {d.delivery_id: d.target for d in view.deliveries}
        changes = [(targets.get(e["deliveryId"], "-"), e["new"]) for e in view.events if e["new"]]
        assert listener.states(submission_id) == changes
        assert changes.count((letter.target, "delivering")) == 2
        assert [letter.code] == [line[4] for line in listener.lines if line[3] == "dead"]


@pytest.mark.parametrize("events", [True, False])
def test_what_happened_leaves_no_row_behind_and_none_was_ever_written_where_it_is_switched_off(
    tmp_path: Path, fresh_postgres_url: str, fresh_rabbitmq_url: str, events: bool
) -> None:
    with city(
        tmp_path / "home", database_url=fresh_postgres_url, broker_url=fresh_rabbitmq_url, events=events
    ) as running:
        running.ended(running.accepted())

        # Nobody listens, and that is fine
        until(lambda: not running.gateway.store.due_announcements(1), "everything to be told")
        with psycopg.connect(fresh_postgres_url) as connection:
            numbers = connection.execute("SELECT is_called FROM announcement_announcement_id_seq").fetchone()
        assert numbers == (events,)


def test_a_relay_killed_between_sending_and_forgetting_leads_to_copies_under_one_id_and_to_no_gap(
    installed: Installation, fresh_rabbitmq_url: str
) -> None:
    with ExitStack() as stack:
        broker = open_broker(fresh_rabbitmq_url, name="listener")
        stack.callback(broker.close)
        inbox, queue = Inbox(), Queue("listener.all")
        broker.declare(Topology([Exchange(EVENTS, "topic")], [queue], [Binding(EVENTS, queue.name, "#")]))
        broker.consume(queue.name, inbox, prefetch=1)
        store = installed.store()
        stack.callback(store.close)

        # Given submissions that were accepted, and a relay that cannot delete what it tells of them
        installed.start("serve")
        taken = send(installed, 3)
        untold = [row.event_id for row in store.due_announcements(1000)]
        assert len(untold) == len(taken) * 4  # each with three deliveries
        with psycopg.connect(installed.settings.database_url) as connection:
            connection.execute("SELECT announcement_id FROM announcement FOR UPDATE")
            installed.start("relay")
            assert [d.message.message_id for d in inbox.wait_for(len(untold), SECONDS)] == untold

            # When it is killed there, and another one takes over
            installed.kill("relay")
            connection.execute("UPDATE lease SET until = now()")  # else the next one waits for its end
        installed.start("work", "relay")
        installed.wait_until(lambda: set(store.counts()) == {"delivered"}, "everything to be delivered")
        installed.wait_until(lambda: not store.due_announcements(1), "everything to be told")

        # Then those were told twice, the same both times, and nothing is missing or out of order
        changes = {
            submission_id: [
                f"{submission_id}.{event['number']}"
                for event in store.view(submission_id, events=True).events
                if event["new"] is not None
            ]
            for submission_id in taken
        }
        everything = {identity for identities in changes.values() for identity in identities}
        installed.wait_until(lambda: everything <= {d.message.message_id for d in inbox.got}, "the listener to hear it")
        told = [(d.message.message_id, d.message.body) for d in inbox.got]
        assert {identity for identity, times in Counter(i for i, _ in told).items() if times > 1} == set(untold)
        assert len(set(told)) == len({identity for identity, _ in told})
        for submission_id, identities in changes.items():
            assert list(dict.fromkeys(i for i, _ in told if i.startswith(submission_id))) == identities
        for _, body in set(told):
            jsonschema_rs.validate(SCHEMA, json.loads(body))


@pytest.fixture
def installed(tmp_path: Path, fresh_postgres_url: str, fresh_rabbitmq_url: str) -> Iterator[Installation]:
    _, packages = load_packages(Settings(home=tmp_path / "probe"))
    with department_systems(packages, queue_url=fresh_rabbitmq_url) as departments:
        targets = {name: {"url": department.url} for name, department in departments.items()}
        installation = Installation(
            tmp_path,
            database_url=fresh_postgres_url,
            broker_url=fresh_rabbitmq_url,
            overrides={"targets": targets, "relay_seconds": 0.1},
        )
        yield installation
        installation.stop()


def send(installed: Installation, number: int) -> list[str]:
    sample = next(s for s in shipped_samples(installed.packages) if s.name == GOOD)
    portal = Portal(installed.url, installed.token())
    try:
        return [portal.send(sample.data, sample.schema_uri).body["submissionId"] for _ in range(number)]
    finally:
        portal.close()

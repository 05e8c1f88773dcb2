"""What people do, and the machine dies over it: redriving, letting on, deciding at the same time, erasing."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from city import Shape
from crash_world import CHILD, SOAP, Sent, World, wait_all, world

from gateway.errors import Conflict
from gateway.store import ContentErased, KeyRing, Store


@pytest.fixture(scope="module")
def office(shape: Shape, tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    with world(tmp_path_factory.mktemp("office"), shape) as opened:
        yield opened


def typed(office: World, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line, as a process of its own that dies where it is told."""
    config = str(office.installation.file)
    command = [sys.executable, CHILD, str(office.armed), *words, "--config", config, "--json"]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def refused_case(office: World) -> tuple[Sent, str]:
    """A submission of which the delivery to the SOAP system is dead."""
    office.tell(SOAP, "refuse", times=1)
    (sent,) = wait_all([office.send()])
    office.drain()
    office.tell(SOAP, "ok")
    delivery = office.delivery(sent, SOAP)
    assert delivery.state == "dead"
    return sent, delivery.delivery_id


def test_what_was_redriven_when_everything_died_goes_without_the_person_and_once(office: World) -> None:
    sent, delivery_id = refused_case(office)
    (role,) = office.roles
    office.installation.kill(role)

    done = typed(office, "dead", "redrive", delivery_id, "--reason", "mended", "--yes")
    again = typed(office, "dead", "redrive", delivery_id, "--reason", "a double click", "--yes")
    office.start(role)
    office.drain()

    assert json.loads(done.stdout)["redriven"] == 1
    assert (again.returncode, json.loads(again.stdout)["redriven"]) == (1, 0)
    delivery = office.delivery(sent, SOAP)
    assert (delivery.state, office.effects(SOAP, delivery_id)) == ("delivered", [False])
    office.check()


def test_of_two_people_at_one_dead_letter_one_wins_and_the_other_is_told(office: World) -> None:
    _, delivery_id = refused_case(office)
    keys = KeyRing.load(office.installation.home / "keys", create=False)
    desks = [Store.open(office.installation.settings.effective_database_url, keys=keys) for _ in range(2)]

    def redrive(desk: Store) -> str:
        try:
            return desk.redrive([delivery_id], actor="a person", reason="mended").result(30)[0]
        except Conflict:
            return "told"

    with ThreadPoolExecutor(2) as both:
        outcomes = sorted(both.map(redrive, desks))
    for desk in desks:
        desk.close()

    assert outcomes == sorted(["told", delivery_id])
    office.drain()
    assert office.effects(SOAP, delivery_id) == [False]
    office.check()


@pytest.mark.parametrize("moment", ["before", "after"])
def test_an_erasure_that_is_killed_left_all_or_nothing_and_is_repeated(office: World, moment: str) -> None:
    (sent,) = wait_all([office.send()])
    office.drain()
    office.arm(f"erase.commit.{moment}")

    killed = subprocess.run(
        [sys.executable, "-c", ERASE, CHILD, str(office.armed), str(office.installation.file), sent.submission_id],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert killed.returncode == -9, killed.stderr
    erased = moment == "after"
    if not erased:
        assert b"".join(office.store.read_part(sent.submission_id, "data")) == sent.content
    assert office.store.erase(sent.submission_id, actor="again", reason="repeated").result(30) == (not erased)
    with pytest.raises(ContentErased):
        office.store.read_part(sent.submission_id, "data")
    assert office.store.verify_chain(sent.submission_id) == []
    office.sent.remove(sent)  # what is gone on purpose is not lost
    office.check()


ERASE = """
import runpy, sys
child, armed, config, submission = sys.argv[1:]
sys.argv = [child, armed]
runpy.run_path(child)
from pathlib import Path
from gateway.settings import load_settings
from gateway.store import KeyRing, Store
settings = load_settings(Path(config))
keys = KeyRing.load(settings.home / "keys", create=False)
Store.open(settings.effective_database_url, keys=keys).erase(submission, actor="test", reason="over").result(30)
"""

"""What was held is let on, one after the other, whatever the scanner does. Time is told, the scanner is a puppet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from intake_support import PDF, File, Sender, open_sender, parts_for, sample

from gateway.attachments.examining import AWAY, Examiner
from gateway.attachments.scanning import Clean, Infected, ScannerUnavailable, Verdict
from gateway.delivery.held import GIVES_UP_AFTER, PAUSES, Held


class Clock:
    def __init__(self) -> None:
        self.now = datetime(2026, 11, 25, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def pass_(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Puppet:
    """away: answers nobody. fails_at: gives no verdict on what contains it. asked: scans that were begun."""

    def __init__(self) -> None:
        self.away = True
        self.fails_at = b"never"
        self.asked = 0
        self.pings = 0

    def scan(self, chunks: Iterable[bytes]) -> Verdict:
        self.asked += 1
        if self.away:
            raise ScannerUnavailable("away")
        content = b"".join(chunks)
        if self.fails_at in content:
            raise ScannerUnavailable("broke off")
        return Infected("Puppet.Malware") if b"malware" in content else Clean()

    def ping(self) -> None:
        self.pings += 1
        if self.away:
            raise ScannerUnavailable("away")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def puppet() -> Puppet:
    return Puppet()


@pytest.fixture
def sender(tmp_path: Path, clock: Clock, puppet: Puppet) -> Iterator[Sender]:
    """A gateway in which nothing runs by itself."""
    for opened in open_sender(tmp_path / "home"):
        opened.gateway.clock = clock
        opened.gateway.examiner = Examiner(puppet, clock, opened.gateway.metrics.scanned)
        yield opened


def send(sender: Sender, content: bytes = b"") -> str:
    data, media_type = sample("exemption-with-evidence-xml")
    answer = sender.post(parts_for(data, media_type, [File(PDF + content)]))
    assert answer.status_code == 202, answer.text
    return str(answer.json()["submissionId"])


def state(sender: Sender, submission_id: str) -> str:
    return sender.gateway.store.view(submission_id).state


def test_nothing_is_let_on_before_the_scanner_said_so(sender: Sender, clock: Clock, puppet: Puppet) -> None:
    submission_id = send(sender)
    loop = Held(sender.gateway)

    assert (loop.turn(), state(sender, submission_id)) == (0, "held")
    assert sender.gateway.store.due_outbox(10, clock() + timedelta(days=1)) == []

    puppet.away = False
    clock.pass_(PAUSES[-1])
    assert (loop.turn(), state(sender, submission_id)) == (1, "accepted")
    [row, *_] = sender.gateway.store.due_outbox(10, clock() + timedelta(days=1))
    assert row.submission_id == submission_id
    assert sender.gateway.store.verify_chain(submission_id) == []


def test_while_it_is_away_it_is_asked_less_and_less_often_and_once_for_all(
    sender: Sender, clock: Clock, puppet: Puppet
) -> None:
    for _ in range(5):
        send(sender)
    loop = Held(sender.gateway)
    puppet.asked = 0

    for pause in (*PAUSES, PAUSES[-1]):
        before = puppet.asked
        loop.turn()
        assert puppet.asked == before + 1
        clock.pass_(pause - 1)
        loop.turn()
        assert puppet.asked == before + 1, "too early"
        clock.pass_(1)


def test_intake_does_not_wait_for_a_scanner_that_was_away_a_moment_ago(
    sender: Sender, clock: Clock, puppet: Puppet
) -> None:
    send(sender)
    assert puppet.asked == 1
    send(sender)
    assert puppet.asked == 1

    puppet.away = False
    clock.pass_(AWAY.total_seconds())
    assert state(sender, send(sender)) == "accepted"


def test_one_that_the_scanner_fails_at_holds_up_nobody_and_ends_before_a_person(
    sender: Sender, clock: Clock, puppet: Puppet
) -> None:
    poison, other = send(sender, b"poison"), send(sender)
    puppet.away, puppet.fails_at = False, b"poison"
    loop = Held(sender.gateway)
    states = []
    for _ in range(GIVES_UP_AFTER + 1):
        loop.turn()
        states.append((state(sender, other), state(sender, poison)))
        clock.pass_(PAUSES[-1])

    assert states == [("accepted", "held")] * GIVES_UP_AFTER + [("accepted", "clarify")]
    [letter] = sender.gateway.store.dead_letters(submission_id=poison)
    assert letter.code == "attachment.not_scannable"


def test_a_scanner_that_is_switched_off_leaves_the_decision_to_a_person(sender: Sender, clock: Clock) -> None:
    submission_id = send(sender)
    sender.gateway.examiner = Examiner(None, clock, sender.gateway.metrics.scanned)

    assert Held(sender.gateway).turn() == 1
    assert state(sender, submission_id) == "clarify"


def test_two_processes_do_not_work_at_the_same_time(sender: Sender, clock: Clock, puppet: Puppet) -> None:
    send(sender)
    puppet.away = False
    first, second = Held(sender.gateway), Held(sender.gateway)
    assert (first.turn(), second.turn()) == (1, 0)


def test_what_another_process_let_on_meanwhile_does_no_harm(sender: Sender, puppet: Puppet) -> None:
    submission_id = send(sender)
    service = sender.gateway.packages.services["hundesteuer-anmeldung"]

    class Overtaken(Puppet):
        def scan(self, chunks: Iterable[bytes]) -> Verdict:
            sender.gateway.store.release(submission_id, service.targets, actor="other", reason="scanned").result()
            return super().scan(chunks)

    overtaken = Overtaken()
    overtaken.away = False
    sender.gateway.examiner = Examiner(overtaken, sender.gateway.clock, sender.gateway.metrics.scanned)

    assert Held(sender.gateway).turn() == 0
    assert state(sender, submission_id) == "accepted"
    assert len(sender.gateway.store.view(submission_id).deliveries) == len(service.targets)


def test_a_scanner_that_says_clean_before_it_had_every_byte_is_not_believed(sender: Sender, clock: Clock) -> None:
    class Hasty(Puppet):
        def scan(self, chunks: Iterable[bytes]) -> Verdict:
            return Clean()

    sender.gateway.examiner = Examiner(Hasty(), clock, sender.gateway.metrics.scanned)
    assert state(sender, send(sender)) == "held"

"""The demo's play: applications arrive, one department system is down at the wrong moment, an operator mends it.

Lost and doubled are counted where it matters: at the department systems, not in our own database.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from gateway.delivery import DeliveryState
from gateway.demo.samples import Sample
from gateway.demo.stage import Stage
from gateway.portal import Answer, Portal
from gateway.store import DeadLetter, SubmissionView

AT_LEAST = 10
"""Submissions the demo sends, however few samples there are."""

SECONDS_TO_END = 120.0

REASON = "Demo: the department's system is up again"


@dataclass
class Sent:
    """One sample, and what the gateway said."""

    sample: Sample
    answer: Answer

    @property
    def submission_id(self) -> str | None:
        return self.answer.body.get("submissionId") if self.answer.accepted else None


@dataclass
class Report:
    """What happened. Counts as in the interface: submissions (sent = accepted + rejected), deliveries, and at the
    systems.
    """

    sent: list[Sent] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    redriven: int = 0
    views: list[SubmissionView] = field(default_factory=list)
    lost: int = 0
    doubled: int = 0
    marked_repeats: int = 0
    unfinished: int = 0

    @property
    def accepted(self) -> int:
        return sum(s.answer.accepted for s in self.sent)

    def states(self) -> Counter[str]:
        return Counter(str(d.state) for view in self.views for d in view.deliveries)

    def as_dict(self) -> dict[str, Any]:
        states = self.states()
        return {
            "sent": len(self.sent),
            "accepted": self.accepted,
            "rejected": len(self.sent) - self.accepted,
            "delivered": states[DeliveryState.DELIVERED],
            "skipped": states[DeliveryState.SKIPPED],
            "dead": states[DeliveryState.DEAD],
            "lost": self.lost,
            "doubled": self.doubled,
            "markedRepeats": self.marked_repeats,
            "unfinished": self.unfinished,
            "redriven": self.redriven,
            "services": sorted({view.service for view in self.views}),
            "targets": sorted({d.target for view in self.views for d in view.deliveries}),
        }


def play(stage: Stage, samples: Sequence[Sample], say: Callable[[str], None]) -> Report:
    """Send everything, break one system on the way, mend it, redrive, wait for the end, count."""
    report = Report()
    portal = Portal(stage.url, stage.token)
    try:
        _send_all(portal, stage, samples, report, say)
        _fail_one(portal, stage, samples, report, say)
        say("Waiting until every delivery has ended …")
        report.unfinished = wait_until_ended(stage, report.sent, SECONDS_TO_END)
    finally:
        portal.close()
    report.views = [stage.gateway.store.view(s.submission_id) for s in report.sent if s.submission_id]
    report.lost, report.doubled, report.marked_repeats = count_at_systems(stage, report.views)
    return report


def _send_all(
    portal: Portal, stage: Stage, samples: Sequence[Sample], report: Report, say: Callable[[str], None]
) -> None:
    say(f"Sending {len(samples)} samples to {stage.url} …")
    for sample in samples:
        report.sent.append(send(portal, sample))
        say(_line(report.sent[-1]))
    good = [s for s in samples if s.expected == "accepted"]
    while good and len(report.sent) < AT_LEAST:
        report.sent.append(send(portal, good[len(report.sent) % len(good)]))
        say(_line(report.sent[-1]))


def _fail_one(
    portal: Portal, stage: Stage, samples: Sequence[Sample], report: Report, say: Callable[[str], None]
) -> None:
    """The scripted failure: a system is down, the delivery is retried, gives up, and an operator sends it again."""
    name = stage.fragile
    sample = next(s for s in samples if s.expected == "accepted" and name in stage.targets_of(s.service))
    wait_until_ended(stage, report.sent, SECONDS_TO_END)
    say(f"Now the department system {name!r} goes down, and an application for it arrives:")
    stage.break_down(name)
    sent = send(portal, sample)
    report.sent.append(sent)
    say(_line(sent))
    letter = _await_dead_letter(stage, name)
    report.dead_letters.append(letter)
    say(f"  … retried {letter.attempts - 1} times, then a dead letter: {letter.failure} ({letter.code}).")
    stage.mend(name)
    say(f"The system is up again; an operator sends the dead letter on its way: {letter.remedy.en}")
    assert letter.delivery_id is not None
    report.redriven = len(stage.gateway.store.redrive([letter.delivery_id], actor="demo", reason=REASON).result())


def send(portal: Portal, sample: Sample) -> Sent:
    return Sent(sample, portal.send(sample.data, sample.schema_uri, sample.attachments))


def _line(sent: Sent) -> str:
    body = sent.answer.body
    if sent.answer.accepted:
        what = f"accepted as {body['submissionId']}"
    else:
        codes = Counter(f["code"] for f in body.get("findings", []))
        what = f"refused ({sent.answer.status} {body.get('title', '')} {', '.join(codes)})"
    return f"  {sent.sample.service:32} {sent.sample.name:34} {what}"


def _await_dead_letter(stage: Stage, target: str) -> DeadLetter:
    for _ in _ticks(SECONDS_TO_END):
        letters = stage.gateway.store.dead_letters(target=target, state="open")
        if letters:
            return letters[0]
    raise TimeoutError(f"no dead letter of {target} within {SECONDS_TO_END:.0f} s")


def wait_until_ended(stage: Stage, sent: Sequence[Sent], seconds: float) -> int:
    """Wait until no delivery of these submissions moves any more. Returns how many still do when the time is over."""
    waiting = {s.submission_id for s in sent if s.submission_id}
    for _ in _ticks(seconds):
        waiting = {i for i in waiting if not _still(stage.gateway.store.view(i))}
        if not waiting:
            return 0
    return len(waiting)


def _still(view: SubmissionView) -> bool:
    return all(d.state not in _MOVING for d in view.deliveries)


_MOVING = (DeliveryState.QUEUED, DeliveryState.DELIVERING, DeliveryState.WAITING, DeliveryState.UNKNOWN)


def count_at_systems(stage: Stage, views: Sequence[SubmissionView]) -> tuple[int, int, int]:
    """(lost, doubled, marked repeats): what the department systems themselves have, against what was accepted."""
    effects = stage.effects()
    lost = doubled = marked = 0
    for view in views:
        for delivery in view.deliveries:
            if delivery.state in (
                DeliveryState.SKIPPED,
                DeliveryState.DISCARDED,
                DeliveryState.RETURNED,
                DeliveryState.DEAD,
            ):
                continue
            seen = effects[delivery.target].get(delivery.delivery_id, [])
            lost += not seen
            repeats = seen[1:]
            marked += sum(repeats)
            doubled += len(repeats) - sum(repeats)
    return lost, doubled, marked


def _ticks(seconds: float) -> Iterator[None]:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        yield
        time.sleep(0.05)

"""The crash matrix: every failure point F1 to F36, what happens there in each shape, and what must come of it.

The numbers are those of the requirements for reliability. A row whose moment is a named point is run by `kills`; the
others name the test that makes their fault.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

Shape = Literal["embedded", "production"]
BOTH: tuple[Shape, ...] = ("embedded", "production")


@dataclass(frozen=True, slots=True)
class Kill:
    """The process is killed at a point of `crash_child.py`.

    target: only when it works for this target. told: how that target's system behaves meanwhile (kind, times).
    stored: whether the submission is in the database when the process is dead; None: either.
    attempts: recorded attempts of the delivery in the end. cases, marked: how many cases the system has, and whether
    the repeat was marked. ends: state of the delivery in the end.
    """

    f: str
    moment: str
    point: str
    why: str
    target: str = "-"
    told: tuple[str, int | None] | None = None
    stored: bool | None = True
    attempts: int | None = None
    marked: bool = False
    ends: str = "delivered"
    shapes: tuple[Shape, ...] = BOTH


@dataclass(frozen=True, slots=True)
class Proof:
    """A fault that no kill makes: the test (file, function) that makes it."""

    f: str
    moment: str
    test: tuple[str, str]
    why: str
    shapes: tuple[Shape, ...] = BOTH


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """Proven by a test of another folder (file below the project's root, function)."""

    f: str
    moment: str
    test: tuple[str, str]
    why: str
    shapes: tuple[Shape, ...] = BOTH


@dataclass(frozen=True, slots=True)
class Absent:
    """Cannot happen: the part does not exist, or not in this shape."""

    f: str
    why: str
    shapes: tuple[Shape, ...] = BOTH


SOAP, REST = "hundesteuer", "eakte-stadtkasse"

KILLS = (
    Kill("F2", "read and checked, nothing stored", "intake.received", "the repeat is the first", stored=False),
    Kill("F3", "in the commit, just before the database is told", "intake.commit.before", "as F2", stored=False),
    Kill("F3", "in the commit, just after it", "intake.commit.after", "stored; the repeat is told its id"),
    Kill("F4", "committed, not answered", "intake.answer", "stored; the repeat is told its id"),
    Kill("F11", "judged, not stored", "intake.checked", "judged again, with the same result", stored=False),
    Kill("F12", "mapped, no attempt recorded", "worker.mapped", "mapped again: attempt 1", target=SOAP, attempts=1),
    Kill("F13", "stored, not published", "relay.publish", "the relay publishes after the start"),
    Kill("F15", "confirmed, the outbox still has it", "relay.confirmed", "published twice, claimed once"),
    Kill("F18", "claimed, no attempt recorded", "worker.claimed", "taken again: attempt 1", target=SOAP, attempts=1),
    Kill("F20", "attempt recorded, the call not made (SOAP)", "worker.attempt", "asked, then repeated, marked",
         target=SOAP, attempts=2, marked=True),
    Kill("F20", "attempt recorded, the call not made (REST)", "worker.attempt", "asked, then repeated, marked",
         target=REST, attempts=2, marked=True),
    Kill("F20", "unknown and noted as such, not yet asked", "worker.unknown", "asked: there",
         target=SOAP, told=("commit_then_hang_up", 1), attempts=1),
    Kill("F20", "asked, the answer not stored", "worker.resolves", "asked again: there",
         target=SOAP, told=("commit_then_hang_up", 1), attempts=1),
    Kill("F21", "the system said yes, not stored (SOAP)", "worker.delivered", "asked: there", target=SOAP, attempts=1),
    Kill("F21", "the system said yes, not stored (REST)", "worker.delivered", "asked: there", target=REST, attempts=1),
    Kill("F22", "delivered and stored, not acknowledged", "worker.stored", "the message comes again, nobody calls",
         target=SOAP, attempts=1),
    Kill("F24", "failed for sure, the next time not stored", "worker.waits", "asked: not there; repeated, marked",
         target=REST, told=("down", 1), attempts=2, marked=True),
    Kill("F24", "the next time stored", "worker.waiting", "tried again when it is due", target=REST, told=("down", 1),
         attempts=2),
    Kill("F25", "refused for good, not stored", "worker.dies", "asked, repeated once, and with a person",
         target=SOAP, told=("refuse", None), attempts=2, ends="dead"),
)  # fmt: skip

PROOFS = (
    Proof("F1", "half of the body", ("test_crash_intake", "half_a_body"), "nothing stored, no answer"),
    Proof("F3", "connection to the database cut at COMMIT", ("test_crash_partitions", "cut_at_commit"),
          "503 or nothing, never 202 for what is not there; the repeat finds one or none", ("production",)),
    Proof("F5", "the answer is lost", ("test_crash_intake", "lost_answer"), "the repeat is told the same id"),
    Proof("F9", "attachment written, submission not", ("test_crash_intake", "orphan"), "swept after an hour"),
    Proof("F10", "the checking process dies", ("test_crash_intake", "checker_dies"), "a finding for this one"),
    Proof("F14", "published, the confirm is cut", ("test_crash_partitions", "confirm_is_lost"),
          "published again, claimed once", ("production",)),
    Proof("F16", "the broker is killed", ("test_crash_partitions", "broker_is_killed"),
          "all reconnect, nobody restarts anything", ("production",)),
    Proof("F17", "the broker loses everything", ("test_crash_partitions", "broker_forgets"),
          "the sweep puts everything back", ("production",)),
    Proof("F19", "refused, no such host", ("test_crash_departments", "not_a_byte"), "waits; no mark, no person"),
    Proof("F20", "cut at every place of request and answer", ("test_crash_departments", "cut_anywhere"),
          "asked; never repeated without a mark"),
    Proof("F20", "neither to be asked nor repeated", ("test_crash_unknown", "nobody_can_tell"),
          "with a person, who has three choices"),
    Proof("F23", "answers that are none", ("test_crash_departments", "answers_that_are_none"),
          "unknown, asked, once there"),
    Proof("F24", "many are overdue after a stop", ("test_crash_departments", "overdue"), "spread out by the rate"),
    Proof("F27", "redriven, not published", ("test_crash_operators", "redriven"), "goes without the person, once"),
    Proof("F28", "two people, one dead letter", ("test_crash_operators", "two_people"), "one wins, the other is told"),
    Proof("F29", "killed while erasing", ("test_crash_operators", "erasure"), "all of it or nothing; repeatable"),
    Proof("F31", "disk full", ("test_crash_disk", "disk_is_full"), "503; goes on by itself", ("embedded",)),
    Proof("F31", "database read-only", ("test_crash_disk", "read_only"), "503; goes on by itself", ("production",)),
    Proof("F32", "the clock jumps", ("test_crash_clock", "clock_jumps"), "no storm, no loss, order by number"),
    Proof("F33", "a worker is stopped and comes back", ("test_crash_partitions", "stopped_worker"),
          "its late write is refused", ("production",)),
    Proof("F34", "a worker without the database", ("test_crash_partitions", "without_the_database"),
          "starts nothing new; its running attempt is unknown", ("production",)),
)  # fmt: skip

ELSEWHERE = (
    Elsewhere("F30", "rotation interrupted",
              ("tests/unit/store/test_keys.py", "test_an_interrupted_rotation_goes_on_with_the_same_key"),
              "old and new are readable; it goes on"),
    Elsewhere("F35", "yesterday's backup restored",
              ("tests/acceptance/test_backup_and_restore.py",
               "test_a_backup_brings_everything_back_elsewhere_and_what_was_open_counts_as_unknown"),
              "what was open counts as unknown"),
)  # fmt: skip

ABSENT = (
    Absent("F6", "the channel FIT-Connect does not exist"),
    Absent("F7", "the channel FIT-Connect does not exist"),
    Absent("F8", "the channel FIT-Connect does not exist"),
    Absent("F14", "the queue is in the process: it dies with whoever publishes", ("embedded",)),
    Absent("F16", "the queue is in the process: every kill is one of the broker too", ("embedded",)),
    Absent("F17", "the queue is in the process: every kill loses all of it", ("embedded",)),
    Absent("F26", "editing dead letters does not exist"),
    Absent("F36", "nothing was released yet: there is no older version"),
    Absent("F33", "one process: nobody takes over from it", ("embedded",)),
    Absent("F34", "one process, and its database is a file", ("embedded",)),
)

POINTS = tuple(f"F{number}" for number in range(1, 37))


def table() -> Iterator[Mapping[str, Any]]:
    """Every row, in the order of the failure points."""
    rows = [
        *({"f": k.f, "moment": k.moment, "shapes": k.shapes, "holds": k.why, "by": "kills"} for k in KILLS),
        *({"f": p.f, "moment": p.moment, "shapes": p.shapes, "holds": p.why, "by": p.test[1]} for p in PROOFS),
        *({"f": e.f, "moment": e.moment, "shapes": e.shapes, "holds": e.why, "by": e.test[1]} for e in ELSEWHERE),
        *({"f": a.f, "moment": "not applicable", "shapes": a.shapes, "holds": a.why, "by": ""} for a in ABSENT),
    ]
    return iter(sorted(rows, key=lambda row: POINTS.index(row["f"])))


def as_markdown() -> str:
    """The table as `docs/explanation/how-nothing-is-lost.md` has it."""
    lines = ["| | what fails | in | what holds afterwards |", "|---|---|---|---|"]
    for row in table():
        shapes = "both" if row["shapes"] == BOTH else row["shapes"][0]
        lines.append(f"| {row['f']} | {row['moment']} | {shapes} | {row['holds']} |")
    return "\n".join(lines)

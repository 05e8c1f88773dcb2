"""What is wrong with the record: the chain of each submission, its seals, and the days that were closed.

Everything is computed again from what is stored; nothing that is stored is believed but what a known key has signed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

from sqlalchemy import String, bindparam, func, select, type_coerce

from gateway.delivery import OPEN
from gateway.errors import NotFound
from gateway.store import merkle
from gateway.store import tables as t
from gateway.store.changes import GENESIS, event_hash
from gateway.store.sealing import Seal, digest, leaf_of, leaves_in
from gateway.store.session import DatabaseError, Record, Session
from gateway.store.signing import PublicKey
from xoev_schemas.findings import Text

PAGE = 200
"""Submissions that are read at a time."""

_ID: Any = bindparam("id")
_AFTER: Any = bindparam("after")
# As it is stored: a text that merely means the same moment was changed too.
_COLUMNS = [c if c is not t.event.c.at else type_coerce(c, String).label("at") for c in t.event.c]
_EVENTS = select(*_COLUMNS).where(t.event.c.submission_id == _ID).order_by(t.event.c.number)
_NUMBERS = select(t.event.c.number).where(t.event.c.submission_id == _ID).order_by(t.event.c.number)
_ONE_EVENT = select(*_COLUMNS).where(t.event.c.submission_id == _ID, t.event.c.number == bindparam("number"))
_SUBMISSION = select(t.submission).where(t.submission.c.submission_id == _ID)
_SUBMISSIONS = (
    select(t.submission).where(t.submission.c.submission_id > _AFTER).order_by(t.submission.c.submission_id).limit(PAGE)
)
_BETWEEN = (
    select(t.submission)
    .where(
        t.submission.c.submission_id > _AFTER,
        t.submission.c.received_at >= bindparam("since"),
        t.submission.c.received_at < bindparam("until"),
    )
    .order_by(t.submission.c.submission_id)
    .limit(PAGE)
)
_DELIVERIES = select(t.delivery.c.delivery_id, t.delivery.c.state).where(t.delivery.c.submission_id == _ID)
_RANGES = select(t.sealed_range).where(t.sealed_range.c.submission_id == _ID).order_by(t.sealed_range.c.first)
_OWNERLESS = (
    select(t.sealed_range)
    .join_from(
        t.sealed_range, t.submission, t.submission.c.submission_id == t.sealed_range.c.submission_id, isouter=True
    )
    .where(t.submission.c.submission_id.is_(None))
    .limit(PAGE)
)
_LEAVES = select(t.seal.c.leaves).where(t.seal.c.number == bindparam("number"))
_SEALS = select(t.seal).where(t.seal.c.number > bindparam("after")).order_by(t.seal.c.number).limit(1)
_HELD = (
    select(t.sealed_range.c.first, t.sealed_range.c.last, t.sealed_range.c.position)
    .where(t.sealed_range.c.seal == bindparam("number"))
    .order_by(t.sealed_range.c.position)
)
_LAST_BEFORE: Any = select(func.max(t.seal.c.number)).where(t.seal.c.at < bindparam("moment"))
_DAYS = select(t.day_close).order_by(t.day_close.c.day, t.day_close.c.service)


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong, and where: submission and event, seal, or closed day."""

    code: str
    text: Text
    submission_id: str | None = None
    event: int | None = None
    seal: int | None = None
    day: str | None = None

    def as_dict(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "submissionId": self.submission_id,
            "event": self.event,
            "seal": self.seal,
            "day": self.day,
            "text": {"de": self.text.de, "en": self.text.en},
        }


Leaves = Callable[[int], Sequence[bytes] | None]
"""Seal number → its leaves; None: there is no such seal."""


def leaves_by_seal(session: Session) -> Leaves:
    """Remembers the last few: neighbouring submissions are mostly in the same."""

    @lru_cache(maxsize=16)
    def leaves(number: int) -> Sequence[bytes] | None:
        row = session.row(_LEAVES, {"number": number})
        return None if row is None else leaves_in(bytes(row.leaves))

    return leaves


# ------------------------------------------------------------------------------------------------ one submission


def submission_faults(session: Session, submission_id: str) -> list[Fault]:
    """Empty = complete, unchanged, in accord with the states and with every seal. Raises NotFound."""
    row = session.row(_SUBMISSION, {"id": submission_id})
    if row is None:
        raise NotFound("there is no such submission")
    return _faults_of(session, row, leaves_by_seal(session))


def _faults_of(session: Session, submission: Record, leaves: Leaves) -> list[Fault]:
    walk = _Walk(submission)
    for number, row in _events(session, submission.submission_id):
        walk.step(number, row)
    walk.end(session.rows(_DELIVERIES, {"id": submission.submission_id}))
    walk.compare(session.rows(_RANGES, {"id": submission.submission_id}), leaves)
    return walk.faults


def _events(session: Session, submission_id: str) -> Iterator[tuple[int, Record | None]]:
    """Number and row; None for a row that the database itself cannot read any more."""
    try:
        for row in session.rows(_EVENTS, {"id": submission_id}):
            yield row.number, row
        return
    except DatabaseError as error:
        if error.kind == "lost":
            raise
    for one in session.rows(_NUMBERS, {"id": submission_id}):
        try:
            yield one.number, session.row(_ONE_EVENT, {"id": submission_id, "number": one.number})
        except DatabaseError:
            yield one.number, None


class _Walk:
    """Goes along the chain of one submission and gathers faults."""

    def __init__(self, submission: Record) -> None:
        self._submission = submission
        self._number, self._previous = 0, GENESIS
        self._states: dict[str | None, str | None] = {}
        self._hashes: dict[int, str] = {}
        self.faults: list[Fault] = []

    def step(self, number: int, row: Record | None) -> None:
        self._number += 1
        while self._number < number:
            self._say("event_missing", self._number, "fehlt", "is missing")
            self._number += 1
        computed = _computed(row)
        if row is None or computed is None or row.hash != computed:
            self._say("event_changed", number, "wurde verändert", "was changed")
        if row is None:
            self._previous = ""
            return
        if row.previous != self._previous:
            self._say("event_unlinked", number, "schließt nicht an das davor an", "does not follow the event before it")
        if row.new is not None:
            self._move(number, row)
        self._previous = row.hash
        self._hashes[number] = row.hash

    def _move(self, number: int, row: Record) -> None:
        held = self._states.get(row.delivery_id)
        if held != row.old:
            de = f"geht von {row.old} aus, nicht von {held}"
            self._say("event_out_of_order", number, de, f"starts from {row.old}, not from {held}")
        self._states[row.delivery_id] = row.new

    def end(self, deliveries: Sequence[Record]) -> None:
        submission = self._submission
        if (self._number, self._previous) != (submission.event_number, submission.event_hash):
            self._say(
                "chain_cut",
                None,
                f"die Kette endet mit Ereignis {self._number}, sie müsste mit {submission.event_number} enden",
                f"the chain ends at event {self._number}, it should end at {submission.event_number}",
            )
        stored: dict[str | None, str] = {None: submission.state, **{row.delivery_id: row.state for row in deliveries}}
        if stored != self._states:
            self._say(
                "state_changed",
                None,
                "ein Zustand wurde ohne Ereignis verändert",
                "a state was changed without an event",
            )
        if submission.state == "completed" and any(row.state in OPEN for row in deliveries):
            self._say(
                "completed_too_early",
                None,
                "der Eingang gilt als abgeschlossen, obwohl eine Zustellung offen ist",
                "the submission is completed although a delivery is open",
            )

    def compare(self, ranges: Sequence[Record], leaves: Leaves) -> None:
        """Against what was sealed. Events that wait for the sealer are in order."""
        expected = 1
        for held in ranges:
            if held.first != expected:
                de, en = "ist keinem Siegel zugeordnet", "is in no seal and waits for none"
                self._say("event_unsealed", min(held.first, expected), de, en)
            expected = held.last + 1
            if held.seal is not None:
                self._compare_one(held, leaves(held.seal))
        if expected <= self._number:
            de, en = "ist keinem Siegel zugeordnet", "is in no seal and waits for none"
            self._say("event_unsealed", expected, de, en)

    def _compare_one(self, held: Record, leaves: Sequence[bytes] | None) -> None:
        for number in range(held.first, held.last + 1):
            index = (held.position if held.position is not None else -1) + number - held.first
            leaf = leaves[index] if leaves is not None and 0 <= index < len(leaves) else None
            if number not in self._hashes:
                de, en = f"fehlt, steht aber in Siegel {held.seal}", f"is missing, but stands in seal {held.seal}"
                self._say("event_missing", number, de, en, held.seal)
            elif leaf is None or leaf != leaf_of(self._hashes[number]):
                de, en = f"ist nicht das, was Siegel {held.seal} hält", f"is not what seal {held.seal} holds"
                self._say("event_not_as_sealed", number, de, en, held.seal)

    def _say(self, code: str, event: int | None, de: str, en: str, seal: int | None = None) -> None:
        text = Text(f"Ereignis {event} {de}", f"event {event} {en}") if event is not None else Text(de, en)
        self.faults.append(Fault(code, text, self._submission.submission_id, event, seal))


def _computed(row: Record | None) -> str | None:
    """The hash that the row should have; None when it is not even a row of ours."""
    if row is None:
        return None
    at = _moment(row.at)
    try:
        return event_hash({**row._asdict(), "at": at}) if at else None
    except (TypeError, ValueError):
        return None


def _moment(stored: Any) -> datetime | None:
    """PostgreSQL gives a moment; SQLite the text that was written, which has exactly one form (`tables.Instant`)."""
    if isinstance(stored, datetime):
        return stored.astimezone(UTC)
    try:
        moment = datetime.fromisoformat(stored)
        return moment if moment.astimezone(UTC).isoformat(timespec="microseconds") == stored else None
    except (TypeError, ValueError):
        return None


# ------------------------------------------------------------------------------------------------ all of them


def page_faults(
    session: Session, after: str, between: tuple[datetime, datetime] | None
) -> tuple[str | None, int, list[Fault]]:
    """The next submissions after this id: the last one's id (None: there are no more), how many, what is wrong."""
    parameters: dict[str, Any] = {"after": after}
    if between is None:
        rows = session.rows(_SUBMISSIONS, parameters)
    else:
        rows = session.rows(_BETWEEN, {**parameters, "since": between[0], "until": between[1]})
    leaves = leaves_by_seal(session)
    faults = [fault for row in rows for fault in _faults_of(session, row, leaves)]
    return (rows[-1].submission_id if len(rows) == PAGE else None), len(rows), faults


def ownerless(session: Session) -> list[Fault]:
    """Submissions that were sealed and are gone, with everything."""
    gone: dict[str, set[int]] = defaultdict(set)
    for row in session.rows(_OWNERLESS):
        gone[row.submission_id].add(row.seal or 0)
    return [
        Fault(
            "submission_missing",
            Text("der Eingang fehlt, war aber verzeichnet", "the submission is missing, but was on record"),
            submission_id,
            seal=min(seals) or None,
        )
        for submission_id, seals in sorted(gone.items())
    ]


# ------------------------------------------------------------------------------------------------ seals and days


class SealChecker:
    """Goes along the seals. keys: those that are believed."""

    def __init__(self, keys: Iterable[PublicKey]) -> None:
        self._keys = {key.key_id: key for key in keys}
        self._number = 0
        self._previous: str | None = GENESIS

    def start_after(self, session: Session, number: int) -> None:
        """Begin in the middle: with the seal after this one."""
        before = session.row(_SEALS, {"after": number - 1}) if number else None
        self._number = number
        self._previous = digest(before.statement) if before else GENESIS

    def next(self, session: Session) -> tuple[Seal | None, list[Fault]] | None:
        """Check the next one. None: there are no more."""
        row = session.row(_SEALS, {"after": self._number})
        if row is None:
            return None
        faults = [_seal_fault("seal_missing", n, "fehlt", "is missing") for n in range(self._number + 1, row.number)]
        self._number = row.number
        try:
            seal = Seal.of(row)
        except (ValueError, KeyError, TypeError):
            self._previous = None
            return None, [*faults, _seal_fault("seal_changed", row.number, "ist unlesbar", "is not readable")]
        faults += self._faults(seal, row)
        faults += _coverage(seal, session.rows(_HELD, {"number": row.number}), row.number)
        self._previous = digest(row.statement)
        return seal, faults

    def _faults(self, seal: Seal, row: Record) -> Iterator[Fault]:
        n = row.number
        if (row.number, row.at) != (seal.number, seal.at):
            yield _seal_fault("seal_changed", n, "ist anders verzeichnet als signiert", "is not as it was signed")
        if self._previous is not None and seal.previous != self._previous:
            yield _seal_fault(
                "seal_unlinked", n, "schließt nicht an das davor an", "does not follow the seal before it"
            )
        yield from (_seal_fault(*f) for f in _signature(self._keys, row.statement, row.key_id, row.signature, n))
        leaves = leaves_in(bytes(row.leaves))
        if len(leaves) != seal.size or merkle.root(leaves).hex() != seal.root:
            yield _seal_fault("seal_leaves", n, "hat andere Blätter als signiert", "has other leaves than were signed")


def last_seal_before(session: Session, moment: datetime) -> int:
    """Its number; 0: there is none."""
    return session.scalar(_LAST_BEFORE, {"moment": moment}) or 0


def seals_of(session: Session, submission_id: str, keys: Iterable[PublicKey]) -> list[Fault]:
    """What is wrong with the seals that hold events of a submission; each is checked against the one before it."""
    numbers = {row.seal for row in session.rows(_RANGES, {"id": submission_id}) if row.seal is not None}
    keys, faults = list(keys), []
    for number in sorted(numbers):
        checker = SealChecker(keys)
        checker.start_after(session, number - 1)
        step = checker.next(session)
        faults += step[1] if step else [_seal_fault("seal_missing", number, "fehlt", "is missing")]
    return faults


def _signature(
    keys: Mapping[str, PublicKey], statement: str, key_id: str, signature: bytes, number: int
) -> Iterator[tuple[str, int, str, str]]:
    key = keys.get(key_id)
    if key is None:
        yield (
            "key_unknown",
            number,
            "ist mit einem unbekannten Schlüssel signiert",
            "is signed with a key not known here",
        )
    elif not key.signed(statement, bytes(signature)):
        yield "signature_wrong", number, "trägt eine falsche Signatur", "bears a wrong signature"


def _coverage(seal: Seal, ranges: Sequence[Record], number: int) -> Iterator[Fault]:
    """Every leaf belongs to exactly one event."""
    place = 0
    for held in ranges:
        if held.position != place:
            break
        place += held.last - held.first + 1
    if place != seal.size:
        yield Fault(
            "seal_leaf_ownerless",
            Text(
                f"Siegel {number} hält {seal.size} Ereignisse; dem Blatt {place} ist kein Ereignis zugeordnet",
                f"seal {number} holds {seal.size} events; leaf {place} belongs to none that is on record",
            ),
            seal=number,
        )


def day_faults(session: Session, keys: Iterable[PublicKey]) -> list[Fault]:
    """Signatures of the closed days, each chained to the day before of its service, and differences that they state."""
    known = {key.key_id: key for key in keys}
    previous: dict[str, str] = {}
    faults = []
    for row in session.rows(_DAYS):
        found = [(de, en) for _, _, de, en in _signature(known, row.statement, row.key_id, row.signature, 0)]
        try:
            told = json.loads(row.statement)
            agrees = (told["day"], told["service"], told["difference"]) == (row.day, row.service, row.difference)
            linked = told["previous"] == previous.get(row.service, GENESIS)
        except (ValueError, KeyError, TypeError):
            agrees, linked = False, True
        if not agrees:
            found.append(("ist anders verzeichnet als signiert", "is not as it was signed"))
        if not linked:
            found.append(("schließt nicht an den Abschluss davor an", "does not follow the close before it"))
        previous[row.service] = digest(row.statement)
        subject = Text(f"Tagesabschluss {row.day} ({row.service})", f"close of {row.day} ({row.service})")
        faults += [
            Fault("day_changed", Text(f"{subject.de} {de}", f"{subject.en} {en}"), day=row.day) for de, en in found
        ]
    return faults


def _seal_fault(code: str, number: int, de: str, en: str) -> Fault:
    return Fault(code, Text(f"Siegel {number} {de}", f"seal {number} {en}"), seal=number)

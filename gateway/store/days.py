"""The books are closed every day, per service: what was created is delivered, skipped, discarded, returned or open.

It is counted twice. *Booked*: the balance of the day before, and every change of the day as the event chains have it.
*Found*: the deliveries that are there, taken back to the end of the day by the changes since. A delivery that vanished,
appeared or changed without an event makes the two differ, to the unit.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import and_, bindparam, func, insert, or_, select

from gateway.delivery import OPEN, DeliveryState
from gateway.store import tables as t
from gateway.store.changes import GENESIS, canonical
from gateway.store.sealing import digest, note_key
from gateway.store.session import Record, Session
from gateway.store.signing import SigningKey
from gateway.store.writer import Transaction

FORMAT = "urn:ozg-gateway:day:v1"
ZONE = ZoneInfo("Europe/Berlin")
SETTLING = timedelta(minutes=5)
"""After midnight, before a day is closed: longer than any commit takes that began before."""

_event, _range, _seal, _close = t.event.c, t.sealed_range.c, t.seal.c, t.day_close.c
_STOCK: Any = select(t.delivery.c.service, t.delivery.c.state, func.count().label("number")).group_by(
    t.delivery.c.service, t.delivery.c.state
)
_FIRST_SEAL_SINCE = select(func.min(_seal.number).label("number")).where(_seal.at >= bindparam("since"))
_OLDEST: Any = select(func.min(_seal.at).label("at"))
_HELD = and_(
    _event.submission_id == _range.submission_id,
    _event.number.between(_range.first, _range.last),
    _event.at >= bindparam("since"),
    _event.at < bindparam("until"),
)
# A seal is later than what it holds: by the time of the seals, the events of a day are found without an index.
_RECENT = or_(_range.seal >= bindparam("seal"), _range.seal.is_(None))
_CHANGES: Any = (
    select(t.submission.c.service, _event.old, _event.new, func.count().label("number"))
    .join_from(t.sealed_range, t.event, _HELD)
    .join(t.submission, t.submission.c.submission_id == _event.submission_id)
    .where(_RECENT, _event.new.is_not(None), _event.delivery_id.is_not(None))
    .group_by(t.submission.c.service, _event.old, _event.new)
)
_COVERED: Any = (
    select(t.submission.c.service, func.min(_range.seal).label("first_seal"), func.max(_range.seal).label("last_seal"))
    .join_from(t.sealed_range, t.event, _HELD)
    .join(t.submission, t.submission.c.submission_id == _event.submission_id)
    .where(_RECENT)
    .group_by(t.submission.c.service)
)
_UNSEALED: Any = select(_event.number).join_from(t.sealed_range, t.event, _HELD).where(_range.seal.is_(None)).limit(1)
_LAST_DAY: Any = select(func.max(_close.day).label("day"))
_LAST_OF_SERVICES = select(t.day_close).where(_close.day < bindparam("day")).order_by(_close.service, _close.day)
_DAY = select(t.day_close).where(_close.day == bindparam("day")).order_by(_close.service)
_DIFFERENCES: Any = select(_close.service, _close.difference).where(
    _close.day == select(func.max(_close.day)).scalar_subquery()
)

Books = dict[str, Counter[str]]
"""Service → state → deliveries; under `created` all that ever were."""


@dataclass(frozen=True, slots=True)
class DayClose:
    """One signed record. difference: deliveries by which the two countings differ, over all states; 0 is right."""

    day: date
    service: str
    difference: int
    statement: str
    key_id: str
    signature: bytes

    def told(self) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self.statement)
        return document


@dataclass(frozen=True, slots=True)
class Balance:
    """What is to be signed about a day. services: the statement of each, but for `previous`, which stands in it."""

    day: date
    services: Mapping[str, Mapping[str, Any]]


def bounds(day: date) -> tuple[datetime, datetime]:
    """The day as it is in Berlin: 23, 24 or 25 hours."""
    return datetime.combine(day, time.min, ZONE), datetime.combine(day + timedelta(days=1), time.min, ZONE)


def due_day(session: Session, now: datetime) -> date | None:
    """The next day to be closed; None when none is over, or something of it is not sealed yet."""
    last = session.scalar(_LAST_DAY)
    if last is not None:
        day = date.fromisoformat(last) + timedelta(days=1)
    else:
        oldest = session.scalar(_OLDEST)
        if oldest is None:
            return None
        day = oldest.astimezone(ZONE).date()
    _, until = bounds(day)
    if now < until + SETTLING:
        return None
    if session.row(_UNSEALED, {"since": datetime.fromtimestamp(0, ZONE), "until": until}) is not None:
        return None
    return day


def balance(session: Session, day: date) -> Balance:
    """Count a day twice, as of one moment."""
    since, until = bounds(day)
    later = datetime.max.replace(tzinfo=ZONE) - timedelta(days=2)
    found = _taken_back(_stock(session), _changes(session, until, later))
    of_day = _changes(session, since, until)
    before = {row.service: row for row in session.rows(_LAST_OF_SERVICES, {"day": day.isoformat()})}
    opening = {name: _books_of(row) for name, row in before.items()} if before else _taken_back(found, of_day)
    booked = _moved(opening, of_day)
    covered = {row.service: row for row in session.rows(_COVERED, _window(session, since, until))}
    return Balance(
        day,
        {
            name: _statement(day, name, booked.get(name, Counter()), found.get(name, Counter()), of_day.get(name, {}))
            | {
                "firstSeal": covered[name].first_seal if name in covered else None,
                "lastSeal": covered[name].last_seal if name in covered else None,
                "previous": digest(before[name].statement) if name in before else GENESIS,
            }
            for name in sorted({*booked, *found})
        },
    )


def put(tx: Transaction, balance: Balance, key: SigningKey) -> None:
    """Sign and write. Conflict when somebody else has closed the day."""
    for service, facts in balance.services.items():
        statement = canonical({**facts, "closedAt": tx.now.isoformat(timespec="microseconds")})
        tx.execute(
            insert(t.day_close),
            {
                "day": balance.day.isoformat(),
                "service": service,
                "difference": facts["difference"],
                "statement": statement,
                "key_id": key.public.key_id,
                "signature": key.sign(statement),
            },
        )
    note_key(tx, key)


def closed(session: Session, day: date | None) -> list[DayClose]:
    """Of a day, by service; of the last one that was closed, without a day."""
    text = day.isoformat() if day else session.scalar(_LAST_DAY)
    rows = session.rows(_DAY, {"day": text}) if text else []
    return [
        DayClose(date.fromisoformat(r.day), r.service, r.difference, r.statement, r.key_id, bytes(r.signature))
        for r in rows
    ]


def last_differences(session: Session) -> dict[str, int]:
    """Service → difference, of the last day that was closed."""
    return {row.service: row.difference for row in session.rows(_DIFFERENCES)}


# ------------------------------------------------------------------------------------------------ counting


def _statement(day: date, service: str, booked: Counter[str], found: Counter[str], of_day: Any) -> dict[str, Any]:
    states = {str(state): found[state] for state in DeliveryState}
    off = {name: found[name] - booked[name] for name in ("created", *states) if found[name] != booked[name]}
    return {
        "format": FORMAT,
        "day": day.isoformat(),
        "zone": str(ZONE),
        "service": service,
        "created": found["created"],
        "createdThatDay": sum(n for (old, _), n in of_day.items() if old is None),
        "states": states,
        "open": sum(found[state] for state in OPEN),
        "difference": sum(abs(n) for n in off.values()),
        "differences": off,
    }


def _books_of(row: Record) -> Counter[str]:
    told = json.loads(row.statement)
    return Counter({"created": told["created"], **told["states"]})


def _stock(session: Session) -> Books:
    books: Books = {}
    for row in session.rows(_STOCK):
        mine = books.setdefault(row.service, Counter())
        mine[row.state] += row.number
        mine["created"] += row.number
    return books


def _changes(session: Session, since: datetime, until: datetime) -> dict[str, dict[tuple[str | None, str], int]]:
    """Service → (state before, state after) → how often."""
    found: dict[str, dict[tuple[str | None, str], int]] = {}
    for row in session.rows(_CHANGES, _window(session, since, until)):
        found.setdefault(row.service, {})[row.old, row.new] = row.number
    return found


def _window(session: Session, since: datetime, until: datetime) -> dict[str, Any]:
    first = session.scalar(_FIRST_SEAL_SINCE, {"since": since})
    # No seal since: what happened since is not sealed yet, and no number of a seal is as high as this.
    return {"since": since, "until": until, "seal": first if first is not None else 2**31 - 1}


def _moved(books: Books, changes: Mapping[str, Mapping[tuple[str | None, str], int]], sign: int = 1) -> Books:
    result = {name: Counter(counts) for name, counts in books.items()}
    for name, moves in changes.items():
        mine = result.setdefault(name, Counter())
        for (old, new), number in moves.items():
            mine[new] += sign * number
            mine["created" if old is None else old] += sign * number * (1 if old is None else -1)
    return result


def _taken_back(books: Books, changes: Mapping[str, Mapping[tuple[str | None, str], int]]) -> Books:
    return _moved(books, changes, -1)

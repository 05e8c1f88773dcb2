"""The record and its proof. Part of `Store`, see there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlalchemy import Integer, func, select, type_coerce

from gateway.store import chain, days, merkle, proofs, sealing
from gateway.store import tables as t
from gateway.store.chain import Fault
from gateway.store.days import DayClose
from gateway.store.sealing import Batch
from gateway.store.session import Session
from gateway.store.signing import PublicKey, SigningKey
from gateway.store.writer import Writer

_FORGOTTEN_AT_ONCE = 500
_COUNT_SUBMISSIONS: Any = select(func.count()).select_from(t.submission)
_COUNT_SEALS: Any = select(func.count()).select_from(t.seal)
_UNSEALED: Any = select(
    type_coerce(func.coalesce(func.sum(t.sealed_range.c.last - t.sealed_range.c.first + 1), 0), Integer)
).where(t.sealed_range.c.seal.is_(None))


@dataclass(frozen=True, slots=True)
class Checked:
    """How far a verification has come. submissions, seals: checked so far, of how many; faults: found in this step."""

    submissions: int
    seals: int
    of_submissions: int
    of_seals: int
    faults: list[Fault]


class Audit:
    """`Store.audit`. read: opens one moment's view of the database."""

    def __init__(self, read: Callable[[], AbstractContextManager[Session]], writer: Writer) -> None:
        self._read = read
        self._writer = writer

    # -- sealing

    def next_batch(self, limit: int = sealing.RANGES_AT_ONCE) -> Batch | None:
        """What the next seal would hold; None: everything is sealed."""
        with self._read() as session:
            return sealing.next_batch(session, limit)

    def seal(self, batch: Batch, key: SigningKey) -> None:
        """Write it, signed; on disk when this returns. Raises Conflict when somebody else has sealed since."""
        root = merkle.root(batch.leaves).hex()
        self._writer.submit("", lambda tx: sealing.put(tx, batch, root, key)).result()

    def enrol_forgotten(self) -> int:
        """Put before the sealer what an older version beside this one wrote. How many events; repeat until 0."""
        with self._read() as session:
            rows = sealing.forgotten(session, _FORGOTTEN_AT_ONCE)
        if rows:
            self._writer.submit("", lambda tx: sealing.enrol(tx, rows)).result()
        return len(rows)

    # -- days

    def due_day(self, now: datetime) -> date | None:
        """The next day that can be closed."""
        with self._read() as session:
            return days.due_day(session, now)

    def close_day(self, day: date, key: SigningKey) -> list[DayClose]:
        """Count, sign, write. Raises Conflict when somebody else has closed it."""
        with self._read() as session:
            balance = days.balance(session, day)
        self._writer.submit("", lambda tx: days.put(tx, balance, key)).result()
        return self.closed(day)

    def closed(self, day: date | None = None) -> list[DayClose]:
        """Records of a day, or of the last one that was closed; empty when there are none."""
        with self._read() as session:
            return days.closed(session, day)

    # -- proof

    def proof(self, submission_id: str, *, whole: bool = False) -> dict[str, Any]:
        """See `proofs.proof`."""
        with self._read() as session:
            return proofs.proof(session, submission_id, whole=whole)

    def public_keys(self) -> list[PublicKey]:
        """Public keys that ever signed here, as the database has them."""
        with self._read() as session:
            return sealing.known_keys(session)

    def standing(self) -> tuple[int, dict[str, int]]:
        """Events that wait for the sealer, and service → difference at the last close."""
        with self._read() as session:
            return int(session.scalar(_UNSEALED)), days.last_differences(session)

    # -- verification

    def faults(self, submission_id: str) -> list[Fault]:
        """Of one submission. Raises NotFound."""
        with self._read() as session:
            return chain.submission_faults(session, submission_id)

    def seal_faults(self, submission_id: str, keys: Iterable[PublicKey]) -> list[Fault]:
        """Of the seals that hold this submission, without the chain before them."""
        with self._read() as session:
            return chain.seals_of(session, submission_id, keys)

    def verify(self, keys: Iterable[PublicKey], between: tuple[datetime, datetime] | None = None) -> Iterator[Checked]:
        """Everything, step by step; between: only submissions received, and seals made, from … to before ….

        Each step sees one moment of the database; events of submissions that come meanwhile are left for the next time.
        """
        keys = list(keys)
        with self._read() as session:
            totals = session.scalar(_COUNT_SUBMISSIONS), session.scalar(_COUNT_SEALS)
        seals = 0
        for count, faults in self._seals(keys, between):
            seals += count
            yield Checked(0, seals, *totals, faults)
        if between is None:
            with self._read() as session:
                yield Checked(0, seals, *totals, [*chain.ownerless(session), *chain.day_faults(session, keys)])
        after: str | None = ""
        submissions = 0
        while after is not None:
            with self._read() as session:
                after, number, faults = chain.page_faults(session, after, between)
            submissions += number
            yield Checked(submissions, seals, *totals, faults)

    def _seals(
        self, keys: list[PublicKey], between: tuple[datetime, datetime] | None
    ) -> Iterator[tuple[int, list[Fault]]]:
        checker = chain.SealChecker(keys)
        if between is not None:
            with self._read() as session:
                checker.start_after(session, chain.last_seal_before(session, between[0]))
        while True:
            with self._read() as session:
                step = checker.next(session)
            if step is None:
                return
            seal, faults = step
            if seal is not None and between is not None and seal.at >= between[1]:
                return
            yield 1, faults

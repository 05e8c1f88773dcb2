"""One thread that writes. What arrives together is committed together, so a disk flush is shared by many.

A job is a function of a `Transaction`. One that fails fails alone: before it wrote anything the others go on without
it, afterwards the transaction is rolled back and each job gets its own. A future is resolved only after the commit that
carries it. Measured reasons: two SQLite writers gain nothing and ruin the latency, grouped commits make full
synchronous writing nearly free, and a savepoint per job would cost two of the ten round trips that a job takes.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any, Generic, TypeVar

from sqlalchemy import Connection, Engine

from gateway.errors import Conflict, StoreUnavailable
from gateway.store.keys import KeyRing
from gateway.store.session import DatabaseError, Parameters, Session, Statement

T = TypeVar("T")
P = TypeVar("P")

BATCH = 128
LINGER_SECONDS = 0.0005
_CROWD = 4
_BELIEVED_SECONDS = 5.0
_TRIES = 3


class Transaction(Session):
    """What a job may do. now: one moment for everything in this commit, aware UTC.

    patient: whether it may wait for a row that another process has locked. Only a job that is alone in its transaction
    may: one that waits while others' locks are held would sooner or later wait in a ring.
    announces: whether changes of state are told on `ozg.events`.
    """

    def __init__(self, connection: Connection, now: datetime, keys: KeyRing, *, patient: bool, announces: bool) -> None:
        super().__init__(connection)
        self.patient = patient
        self.announces = announces
        self.writes = 0
        self.now = now
        self.keys = keys
        self.has_outbox_rows = False

    def execute(self, statement: Statement, parameters: Parameters | None = None) -> int:
        self.writes += 1
        return super().execute(statement, parameters)

    def execute_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        self.writes += 1
        super().execute_many(statement, rows)


class RowLocked(Exception):
    """Another process is changing this row, and this transaction may not wait for it."""


@dataclass(frozen=True, slots=True)
class _Job(Generic[P, T]):
    """work: takes the payloads of several jobs and gives a result for each. Jobs with the same `work` run together."""

    key: str
    work: Callable[[Transaction, Sequence[P]], Sequence[T]]
    payload: P
    future: Future[T]


class Writer:
    """Runs jobs from any thread. now: the moment of a commit, asked once per batch over the writing connection.

    announces: see `Transaction`.
    """

    def __init__(
        self,
        engine: Engine,
        keys: KeyRing,
        now: Callable[[Connection], datetime],
        *,
        on_outbox: Callable[[], None] = lambda: None,
        announces: bool = False,
    ) -> None:
        self._announces = announces
        self._engine = engine
        self._keys = keys
        self._now = now
        self._on_outbox = on_outbox
        self._jobs: queue.SimpleQueue[_Job[Any, Any] | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._closed = False
        self._seen: tuple[datetime, float] | None = None
        self._asked: Future[datetime] | None = None  # what `moment` last asked for
        self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
        self._thread.start()

    def submit(self, key: str, work: Callable[[Transaction], T]) -> Future[T]:
        """Run `work` in the next commit. key: submission id; jobs run in its order."""
        return self._put(_Job(key, _Single(work), None, Future()))

    def submit_grouped(
        self, key: str, work: Callable[[Transaction, Sequence[P]], Sequence[T]], payload: P
    ) -> Future[T]:
        """Like submit, but all waiting jobs with the same `work` go to it in one call (and singly, if that fails)."""
        return self._put(_Job(key, work, payload, Future()))

    def moment(self) -> datetime:
        """The database's time without asking it: as of the last commit, and what has passed since on a clock that never
        jumps. The first time waits for a commit; raises StoreUnavailable. Where nothing was committed for a while, the
        next one is on its way afterwards: a database whose clock was wrong at the last is not believed for ever.
        """
        if self._seen is None:
            self.submit("", lambda tx: tx.now).result()
        assert self._seen is not None
        then, at = self._seen
        passed = time.monotonic() - at
        if passed > _BELIEVED_SECONDS and (self._asked is None or self._asked.done()):
            with contextlib.suppress(StoreUnavailable):
                self._asked = self.submit("", lambda tx: tx.now)
        return then + timedelta(seconds=passed)

    def close(self) -> None:
        """Commits everything submitted so far, then stops."""
        with self._lock:
            if not self._closed:
                self._closed = True
                self._jobs.put(None)
        self._thread.join()

    def _put(self, job: _Job[P, T]) -> Future[T]:
        with self._lock:
            if self._closed:
                raise StoreUnavailable("the store is closed")
            self._jobs.put(job)
        return job.future

    def _run(self) -> None:
        batch: list[_Job[Any, Any]] = []
        going = True
        while going:
            # Where several callers just got their answers, the next jobs are a moment away: one flush for all of them.
            linger = LINGER_SECONDS if len(batch) >= _CROWD else 0.0
            batch, going = self._take(linger)
            self._write([job for job in batch if job.future.set_running_or_notify_cancel()])

    def _take(self, linger: float) -> tuple[list[_Job[Any, Any]], bool]:
        """Waits for a job; takes all that are there or come within `linger` seconds. False: these are the last."""
        batch: list[_Job[Any, Any]] = []
        while len(batch) < BATCH:
            try:
                job = self._jobs.get(timeout=linger if batch else None)
            except queue.Empty:
                break
            if job is None:
                return batch, False
            batch.append(job)
        return batch, True

    def _write(self, jobs: Sequence[_Job[Any, Any]]) -> None:
        """One commit. Whatever goes wrong ends in the futures: this thread must live."""
        if not jobs:
            return
        try:
            results, has_outbox_rows = self._transact(jobs)
        except _Spoiled as spoiled:
            if len(jobs) == 1:
                jobs[0].future.set_exception(_verdict(spoiled.error))
                return
            for job in jobs:
                self._write([job])
            return
        except Exception as error:  # whatever it is, it must not end this thread
            unavailable = StoreUnavailable(f"nothing was committed ({_name(error)}); repeat later")
            for job in jobs:
                job.future.set_exception(unavailable)
            return
        for job, result in zip(jobs, results, strict=True):
            if result is _LATER:
                self._write([job])
            elif isinstance(result, BaseException):
                job.future.set_exception(result)
            else:
                job.future.set_result(result)
        if has_outbox_rows:
            self._on_outbox()

    def _transact(self, jobs: Sequence[_Job[Any, Any]]) -> tuple[list[Any], bool]:
        """Results (or exceptions) of all jobs, committed. A job that is alone may try again after a lost race."""
        for attempt in range(1, _TRIES + 1):
            try:
                with self._engine.connect() as connection, connection.begin():
                    now = self._now(connection)
                    self._seen = now, time.monotonic()
                    tx = Transaction(
                        connection,
                        now,
                        self._keys,
                        patient=len(jobs) == 1,
                        announces=self._announces,
                    )
                    results = _run(tx, jobs)
                return results, tx.has_outbox_rows
            except _Spoiled as spoiled:
                if len(jobs) > 1 or attempt == _TRIES or not _worth_repeating(spoiled.error):
                    raise
        raise AssertionError("unreachable")


_LATER = object()
"""Result of a job that met another process's lock: it runs again, alone, after this commit."""


class _Spoiled(Exception):
    """A job failed after it wrote something: the transaction that it shares with others has to be rolled back."""

    def __init__(self, error: Exception) -> None:
        super().__init__(str(error))
        self.error = error


class _Single:
    """Work of one job, in the form of grouped work. Compared by identity, so it is never grouped with another."""

    __slots__ = ("_work",)

    def __init__(self, work: Callable[[Transaction], Any]) -> None:
        self._work = work

    def __call__(self, tx: Transaction, payloads: Sequence[None]) -> Sequence[Any]:
        return [self._work(tx)]


def _run(tx: Transaction, jobs: Sequence[_Job[Any, Any]]) -> list[Any]:
    """Every job's result or exception, in the jobs' order; nothing is committed yet."""
    results: dict[int, Any] = {}
    ordered = sorted(range(len(jobs)), key=lambda i: jobs[i].key)
    # Grouped work first: accepting is what senders wait for, and it never waits for another row.
    ordered.sort(key=lambda i: isinstance(jobs[i].work, _Single))
    for work, indexes in _groups(ordered, jobs):
        answers = _run_group(tx, work, [jobs[i].payload for i in indexes])
        results.update(zip(indexes, answers, strict=True))
    return [results[i] for i in range(len(jobs))]


def _groups(ordered: Iterable[int], jobs: Sequence[_Job[Any, Any]]) -> Iterable[tuple[Any, list[int]]]:
    """Grouped work gathered under its function, single work in order."""
    gathered: dict[Any, list[int]] = {}
    for work, indexes in groupby(ordered, key=lambda i: jobs[i].work):
        gathered.setdefault(work, []).extend(indexes)
    return gathered.items()


def _run_group(tx: Transaction, work: Any, payloads: list[Any]) -> Sequence[Any]:
    """Several jobs in one call, behind a savepoint; if that fails, one is at fault, and each shows for itself."""
    if len(payloads) > 1:
        tx.command("SAVEPOINT grouped")
        try:
            results: Sequence[Any] = work(tx, payloads)
        except Exception as error:
            if isinstance(error, DatabaseError) and error.kind == "lost":
                raise
            # SQLite may have ended the transaction with its savepoint; then this fails too, and with it the batch.
            tx.command("ROLLBACK TO SAVEPOINT grouped")
        else:
            tx.command("RELEASE SAVEPOINT grouped")
            return results
    return [_run_single(tx, work, payload) for payload in payloads]


def _run_single(tx: Transaction, work: Any, payload: Any) -> Any:
    """The result of one job, or its exception when nothing was written before it."""
    writes = tx.writes
    try:
        return work(tx, [payload])[0]
    except RowLocked as error:
        if tx.writes == writes and not tx.patient:
            return _LATER
        raise _Spoiled(error) from None
    except DatabaseError as error:
        if error.kind == "lost":
            raise
        raise _Spoiled(error) from None
    except Exception as error:
        if tx.writes == writes:
            return error
        raise _Spoiled(error) from None


def _worth_repeating(error: Exception) -> bool:
    """A lost race, for a lock or for a key: the repeat finds what the winner left."""
    return isinstance(error, RowLocked) or (isinstance(error, DatabaseError) and error.kind in ("race", "conflict"))


def _verdict(error: Exception) -> Exception:
    """What one job is told that failed on its own."""
    if isinstance(error, RowLocked):
        return StoreUnavailable("another process holds this row for too long; repeat later")
    if not isinstance(error, DatabaseError):
        return error
    if error.kind == "conflict":
        return Conflict("the database refused the change: it contradicts what is stored")
    return StoreUnavailable(f"the database refused the change ({error}); repeat later")


def _name(error: Exception) -> str:
    """What happened, without values: never the text of a driver, which repeats them."""
    if isinstance(error, DatabaseError):
        return str(error)
    original = getattr(error, "orig", None)
    detail = getattr(original, "sqlite_errorname", None) or getattr(original, "sqlstate", None)
    return f"{type(error).__name__}{f' {detail}' if detail else ''}"

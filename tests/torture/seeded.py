"""Faults that a gateway could have, each put into the running program by name: the run has to report every one.

Each is the wrong order of two steps, or one step left out, and makes the moment in which it matters last a little, so
that the kills of a short run hit it.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections import defaultdict
from collections.abc import Callable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from itertools import count
from typing import Any

from adapters.base import Retryable
from gateway import pipeline
from gateway.delivery import Delivery, DeliveryState
from gateway.delivery.ladder import again
from gateway.delivery.worker import Workers
from gateway.errors import Conflict
from gateway.store import Accepted, AttemptStart, Claimed, NotClaimable, Store, intake, work
from gateway.store.changes import INSERT_OUTBOX
from gateway.store.writer import Transaction, Writer
from queues.base import Verdict
from queues.rabbitmq import RabbitBroker

MOMENT = 0.4
"""Seconds for which a program is in the state in which it must not die."""
LEASE = 6.0
"""Seconds for which the torture's workers hold a claim."""


def answer_before_commit() -> None:
    """The portal has its 202, the submission is written a moment later."""
    original = Writer.submit_grouped
    told: dict[tuple[str, str | None], Accepted] = {}

    def submit_grouped(self: Writer, key: str, job: Any, payload: Any) -> Future[Any]:
        if job is not intake.accept_many:
            return original(self, key, job, payload)
        row = payload.row
        who = (row["client"], row["inbox_key"])
        if who not in told:
            values = (row["submission_id"], row["case_id"], row["state"], row["received_at"], payload.findings)
            told[who] = Accepted(True, *values)
            threading.Timer(MOMENT, original, (self, key, job, payload)).start()
        return _resolved(told[who])

    Writer.submit_grouped = submit_grouped  # type: ignore[method-assign]


def outbox_outside_the_transaction() -> None:
    """The submission is committed, its outbox rows in a transaction of their own a moment later."""
    execute_many, begin = Transaction.execute_many, Writer.__init__
    writers: list[weakref.ref[Writer]] = []

    def init(self: Writer, *arguments: Any, **named: Any) -> None:
        begin(self, *arguments, **named)
        writers.append(weakref.ref(self))

    def later(self: Transaction, statement: Any, rows: Any) -> None:
        if statement is not INSERT_OUTBOX or threading.current_thread().name == "outside":
            execute_many(self, statement, rows)
            return
        writer = writers[-1]()
        assert writer is not None
        work = lambda tx: execute_many(tx, statement, rows)  # noqa: E731
        threading.Timer(MOMENT, writer.submit, ("", work)).start()

    Writer.__init__ = init  # type: ignore[method-assign]
    Transaction.execute_many = later  # type: ignore[method-assign]


def outbox_forgotten_before_it_is_published() -> None:
    """The relay forgets what it is about to publish."""
    original = Store.due_outbox

    def due_outbox(self: Store, *arguments: Any) -> Any:
        rows = original(self, *arguments)
        if rows:
            self.forget_outbox([row.outbox_id for row in rows]).result()
            time.sleep(MOMENT)
        return rows

    Store.due_outbox = due_outbox  # type: ignore[method-assign]


def confirm_not_awaited() -> None:
    """What was handed to the client library counts as published."""
    original = RabbitBroker.publish

    def publish(self: RabbitBroker, messages: Any, **named: Any) -> None:
        threading.Timer(MOMENT, original, (self, messages), named).start()

    RabbitBroker.publish = publish  # type: ignore[method-assign]


def ack_before_commit() -> None:
    """The broker is told that a message is done as soon as it has come."""
    original = Workers.handle
    pool = ThreadPoolExecutor(8)

    def handle(self: Workers, message: Any) -> Verdict:
        def work() -> None:
            time.sleep(MOMENT)
            original(self, message)

        pool.submit(work)
        return Verdict.ACK

    Workers.handle = handle  # type: ignore[method-assign]


def no_inbox_key() -> None:
    """Every message is a new one, whatever its key."""
    original = intake.submission_row

    def submission_row(*arguments: Any) -> dict[str, Any]:
        return {**original(*arguments), "inbox_key": None}

    intake.submission_row = submission_row


def no_attempt_row() -> None:
    """An attempt is recorded when its outcome is: who dies in between leaves no trace of it."""
    start, finish, unknown = Store.start_attempt, Store.finish, Store.attempt_unknown
    begun: dict[tuple[str, int], AttemptStart] = {}

    def start_attempt(self: Store, delivery: Delivery, how: AttemptStart) -> Future[int]:
        begun[delivery.delivery_id, delivery.fence] = how
        return _resolved(delivery.attempts_total + 1)

    def first(self: Store, delivery: Delivery) -> None:
        if how := begun.pop((delivery.delivery_id, delivery.fence), None):
            time.sleep(MOMENT)
            start(self, delivery, how).result()

    def finished(self: Store, delivery: Delivery, attempt: int | None, outcome: Any) -> Future[None]:
        if attempt is not None:
            first(self, delivery)
        return finish(self, delivery, attempt, outcome)

    def unknown_now(self: Store, delivery: Delivery, *arguments: Any) -> Future[None]:
        first(self, delivery)
        return unknown(self, delivery, *arguments)

    Store.start_attempt, Store.finish = start_attempt, finished  # type: ignore[method-assign]
    Store.attempt_unknown = unknown_now  # type: ignore[method-assign,assignment]


def retry_of_unknown() -> None:
    """An attempt whose outcome nobody knows counts as failed."""

    def unknown(gateway: Any, delivery: Delivery, target: Any, number: int, error: Any) -> None:
        outcome = again(target.retry, Retryable(error.code), **pipeline._round(gateway, delivery))
        pipeline.finish(gateway, delivery, number, outcome)

    pipeline.unknown = unknown


def claim_without_fence() -> None:
    """Whoever once had a claim may write, whatever its number and its time, as long as the state fits; and some are
    late.
    """
    claim = Store.claim

    def claim_for_ever(self: Store, *arguments: Any) -> Future[Claimed | NotClaimable]:
        made = claim(self, *arguments).result()
        if isinstance(made, Claimed):
            made = replace(made, delivery=replace(made.delivery, claimed_until=None))
        return _resolved(made)

    def held(change: Any, claimed: Delivery, state: DeliveryState) -> Delivery:
        current: Delivery = change.delivery(claimed.delivery_id)
        if current.state is not state:
            raise Conflict("it is elsewhere")
        return current

    work._held, Store.claim = held, claim_for_ever  # type: ignore[method-assign]
    late_mapping()


def late_mapping() -> None:
    """No fault of the program: every fourth first claim for one target is late by so much that the next
    one is in the middle of its attempt, as happens to a process that was stopped.
    """
    prepared, start = pipeline.prepare, Store.start_attempt
    begun: defaultdict[str, threading.Event] = defaultdict(threading.Event)
    turn, room = count(1), threading.Semaphore(2)  # of the target's four at a time: the others have to get through

    def start_attempt(self: Store, delivery: Delivery, how: AttemptStart) -> Future[int]:
        number = start(self, delivery, how)
        number.result()
        begun[delivery.delivery_id].set()
        return number

    def prepare(gateway: Any, delivery: Delivery, target: Any) -> Any:
        chosen = delivery.target == "hundesteuer" and delivery.claims <= 1 and next(turn) % 4 == 0
        if chosen and room.acquire(blocking=False):
            begun[delivery.delivery_id].wait(20)
            room.release()
        return prepared(gateway, delivery, target)

    pipeline.prepare, Store.start_attempt = prepare, start_attempt  # type: ignore[method-assign]


@dataclass(frozen=True, slots=True)
class Seeded:
    """put_in: into this process. reported: the invariant that its violation is called by; None: none may be."""

    put_in: Callable[[], None]
    reported: str | None


FAULTS: Mapping[str, Seeded] = {
    "answer before commit": Seeded(answer_before_commit, "INV-1"),
    "no inbox key": Seeded(no_inbox_key, "INV-2"),
    "no attempt row": Seeded(no_attempt_row, "INV-3"),
    "retry of unknown": Seeded(retry_of_unknown, "INV-3"),
    "claim without fence": Seeded(claim_without_fence, "INV-3"),
    "outbox outside the transaction": Seeded(outbox_outside_the_transaction, "INV-5"),
    "outbox forgotten before it is published": Seeded(outbox_forgotten_before_it_is_published, "INV-5"),
    "confirm not awaited": Seeded(confirm_not_awaited, "INV-5"),
    "ack before commit": Seeded(ack_before_commit, "INV-5"),
    "late, but fenced": Seeded(late_mapping, None),
}


def put_in(name: str) -> None:
    """By its name; `-`: none."""
    if name != "-":
        FAULTS[name].put_in()


def _resolved(value: Any) -> Future[Any]:
    future: Future[Any] = Future()
    future.set_result(value)
    return future

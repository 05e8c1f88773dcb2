"""The store: every row the gateway keeps, behind one object. SQLite (one writer) or PostgreSQL, the same code.

Rules that hold for every method:

- A change of state is one conditional update + one `event` row + its outbox row, in one transaction, or nothing.
- Methods that change something return a `Future`: the writer thread groups what arrives together into one commit, and
  the future is resolved only after that commit is on disk (`fsync`). Methods that only read return at once.
- Errors, in the future or raised: `StoreUnavailable` when the database did not commit or did not answer, `Conflict`
  when somebody else was first, `IllegalTransition` when the table of states does not know the change, `NotFound`.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.delivery import Dead, Delivery, DeliveryState, Outcome
from gateway.errors import NotFound, StoreUnavailable
from gateway.store import (
    announcements,
    chain,
    circuits,
    database,
    deadletters,
    held,
    intake,
    keeping,
    outbox,
    parts,
    views,
    work,
)
from gateway.store.audit import Audit
from gateway.store.content import SPILL_BYTES, ContentDamaged, ContentErased, ContentWriter, SealedContent, decrypt_part
from gateway.store.holds import Holds
from gateway.store.keys import KeyRing
from gateway.store.matters import Matters
from gateway.store.records import (
    Accepted,
    Announcement,
    Attempt,
    AttemptStart,
    Claimed,
    DeadGroup,
    DeadLetter,
    DeliveryView,
    Ended,
    Event,
    HeldSubmission,
    KeyReused,
    NotClaimable,
    OpenAtTarget,
    OutboxRow,
    Standing,
    SubmissionView,
)
from gateway.store.recovery import Recovery
from gateway.store.rotation import KeyKeeping
from gateway.store.session import DatabaseError, Session
from gateway.store.writer import Transaction, Writer
from gateway.submission import Checked, Submission, SubmissionState
from xoev_schemas.findings import Finding

__all__ = [
    "Accepted",
    "Announcement",
    "Attempt",
    "AttemptStart",
    "Claimed",
    "ContentDamaged",
    "ContentErased",
    "ContentWriter",
    "DeadGroup",
    "DeadLetter",
    "DeliveryView",
    "Event",
    "HeldSubmission",
    "KeyReused",
    "KeyRing",
    "NotClaimable",
    "OpenAtTarget",
    "OutboxRow",
    "Store",
    "SubmissionView",
]

_BACKLOG_SECONDS = 0.5


class Store:
    """See the module. Built with `Store.open`; thread-safe; `close()` waits for the writer.

    outbox_filled: set after every commit that left something to publish; a relay in the same process may wait on it
    (and clears it before it reads), instead of looking again after a while. matters: what submissions of one case id
    have to do with each other. audit: the record and its seals. holds: legal holds and erasure. keys: which
    wrapping keys are in use. recovery: what is done after a loss.
    """

    def __init__(
        self,
        writing: Engine,
        reading: Engine,
        keys: KeyRing,
        clock: Callable[[], datetime] | None = None,
        *,
        announces: bool = False,
    ) -> None:
        self._writing = writing
        self._reading = reading
        self._keys = keys
        self.outbox_filled = threading.Event()
        self._writer = Writer(
            writing, keys, database.clock_of(clock), on_outbox=self.outbox_filled.set, announces=announces
        )
        self._backlog = (-_BACKLOG_SECONDS, 0)
        self.matters = Matters(self._read, self._writer, keys)
        self.audit = Audit(self._read, self._writer)
        self.holds = Holds(self._read, self._writer, writing)
        self.keys = KeyKeeping(self._read, self._writer, keys)
        self.recovery = Recovery(self._read, self._writer)

    @classmethod
    def open(
        cls,
        url: str,
        *,
        keys: KeyRing,
        clock: Callable[[], datetime] | None = None,
        create: bool = False,
        announces: bool = False,
    ) -> Store:
        """Open `sqlite:///PATH` or `postgresql://…`. create: run missing migrations; else the database must have them.
        announces: keep a row for every change of state until it is told (`due_announcements`).

        clock: for tests; without it the database's own time counts (leases, events). Raises ConfigurationError when the
        database is not migrated, not durable, or its content was written with other keys; StoreUnavailable.
        """
        writing, reading = database.open_engines(url, create=create)
        try:
            database.require_keys(reading, keys)
        except BaseException:
            writing.dispose()
            reading.dispose()
            raise
        return cls(writing, reading, keys, clock, announces=announces)

    def close(self) -> None:
        """Commit what was submitted, then let go of the database. Nothing may be submitted afterwards."""
        self._writer.close()
        self._writing.dispose()
        self._reading.dispose()

    def now(self) -> datetime:
        """The database's time, which no jump of this machine's clock changes; costs nothing."""
        return self._writer.moment()

    # -- intake

    def new_content(self, submission_id: str, *, spill_bytes: int = SPILL_BYTES) -> ContentWriter:
        """Where the parts of a submission go while they arrive. `accept` takes it; `discard()` it on refusal."""
        return ContentWriter(submission_id, self._keys, self._spill, self._drop, self._fetch, spill_bytes=spill_bytes)

    def accept(
        self,
        submission: Submission,
        checked: Checked,
        targets: Sequence[str],
        content: ContentWriter,
        *,
        first_outbox: bool = True,
    ) -> Future[Accepted | KeyReused]:
        """Keep a submission: record, content, one queued delivery per target with its outbox row, in one transaction.

        Without deliveries when `checked.decision` is `clarify` or `hold`: `release` makes them. Parts `data` (unless
        `content` has it) and `record` are encrypted here, in the caller's thread. first_outbox: False = the caller
        publishes by itself. When the answer is not `created`, `content` is dropped.
        """
        prepared = intake.prepare(submission, checked, targets, content, first_outbox=first_outbox)
        future: Future[Accepted | KeyReused] = self._writer.submit_grouped(
            submission.submission_id, intake.accept_many, prepared
        )
        future.add_done_callback(lambda done: _discard_unless_created(done, content))
        return future

    def reject(self, submission: Submission, checked: Checked) -> Future[None]:
        """A record without content and without inbox key: a mended repeat under the same key is taken."""
        row = intake.submission_row(submission, checked, SubmissionState.REJECTED)
        return self._writer.submit(submission.submission_id, lambda tx: intake.reject(tx, row, checked.findings))

    def find_by_key(self, channel: str, client: str, key: str, digest: str) -> Accepted | KeyReused | None:
        """The first answer under this inbox key; None when the key is new."""
        with self._read() as session:
            return intake.answer_by_key(session, self._keys, channel, client, key, digest)

    def suspected_duplicate(self, client: str, digest: str, since: datetime) -> str | None:
        """Submission id of the latest one with the same content from this client since then."""
        with self._read() as session:
            return views.suspected_duplicate(session, client, digest, since)

    def backlog(self) -> int:
        """Deliveries a machine still has to move. At most half a second old, so it may be asked for every request."""
        asked_at, count = self._backlog
        now = time.monotonic()
        if now - asked_at >= _BACKLOG_SECONDS:
            with self._read() as session:
                count = views.backlog(session)
            self._backlog = (now, count)
        return count

    # -- reading

    def view(self, submission_id: str, *, events: bool = False) -> SubmissionView:
        with self._read() as session:
            return views.view(session, submission_id, events=events)

    def matter(self, case_id: str, *, client: str | None = None) -> list[SubmissionView]:
        """All submissions of one case id, oldest first; of one client only, if given."""
        with self._read() as session:
            return views.matter(session, case_id, client)

    def search(self, text: str) -> list[str]:
        """Submission ids for an exact id of a submission, matter or delivery, or for a department's or the portal's
        reference, without case, white space and dashes; at most 100.
        """
        with self._read() as session:
            return views.search(session, text)

    def submission(self, submission_id: str) -> tuple[Submission, Checked]:
        """As handed in and as judged, data included. Raises NotFound, ContentErased, ContentDamaged."""
        with self._read() as session:
            return views.load(session, self._keys, submission_id)

    def read_part(self, submission_id: str, name: str) -> Iterator[bytes]:
        """Plaintext of a part, 1 MiB at a time; checked chunk by chunk, so use it only when the iterator ended.

        Raises NotFound, ContentErased, ContentDamaged; the first two at once, the last while iterating.
        """
        with self._read() as session:
            part = parts.open_part(session, self._keys, submission_id, name)

        def chunk(sequence: int) -> bytes | None:
            with self._read() as session:
                return part.chunk(session, sequence)

        return decrypt_part(part.cipher, part.row, chunk)

    def delivery(self, delivery_id: str) -> Delivery:
        with self._read() as session:
            return views.delivery(session, delivery_id)

    def attempts(self, delivery_id: str) -> list[Attempt]:
        """Every recorded attempt of a delivery, in order."""
        with self._read() as session:
            return views.attempts(session, delivery_id)

    def deliveries(
        self,
        states: Iterable[DeliveryState],
        *,
        target: str | None = None,
        service: str | None = None,
        limit: int = 100,
    ) -> list[Delivery]:
        """In these states, those first that have been on their way for longest. None: any."""
        with self._read() as session:
            return views.deliveries(session, states, target, service, limit)

    def open_at_targets(self) -> dict[str, OpenAtTarget]:
        """What is open, by target; a target that nothing is open for is left out."""
        with self._read() as session:
            return views.open_at_targets(session)

    def names_in_use(self, column: Literal["target", "service"]) -> set[str]:
        """Targets or services that deliveries or dead letters name, configured or not any more."""
        with self._read() as session:
            return views.names_in_use(session, column)

    def counts(self) -> dict[str, int]:
        """Deliveries by state."""
        with self._read() as session:
            return views.counts(session)

    def standing(self, now: datetime) -> Standing:
        """What is open right now, for gauges."""
        with self._read() as session:
            return views.standing(session, now)

    # -- relay and sweep

    def due_outbox(self, limit: int, now: datetime) -> list[OutboxRow]:
        """Rows to publish now, oldest first."""
        with self._read() as session:
            return outbox.due(session, limit, now)

    def forget_outbox(self, outbox_ids: Sequence[int]) -> Future[None]:
        """Their confirms came."""
        return self._writer.submit_grouped("", outbox.forget_many, tuple(outbox_ids))

    def due_announcements(self, limit: int) -> list[Announcement]:
        """Changes of state that nobody was told of, oldest first."""
        with self._read() as session:
            return announcements.due(session, limit)

    def forget_announcements(self, announcement_ids: Sequence[int]) -> Future[None]:
        """They were told."""
        return self._writer.submit_grouped("", announcements.forget_many, tuple(announcement_ids))

    def trim_announcements(self, kept: int) -> Future[int]:
        """Drop the oldest above this number, untold. How many."""
        return self._writer.submit("", lambda tx: announcements.trim(tx, kept))

    def sweep(self, now: datetime, tolerance_seconds: float) -> Future[int]:
        """Put back what is due and in no outbox, and what a vanished worker held. How many."""
        return self._writer.submit("", lambda tx: outbox.sweep(tx, now, tolerance_seconds))

    def rebuild(self) -> Future[int]:
        """An outbox row for every unfinished delivery that has none. How many."""
        return self._writer.submit("", outbox.rebuild)

    def expire_claims(self) -> Future[int]:
        """End every claim and lease: for the start of an installation that is a single process. How many claims."""
        return self._writer.submit("", outbox.expire_claims)

    def acquire_lease(self, name: str, holder: str, seconds: float) -> Future[bool]:
        """Take or renew a named lease. False: another holder has it."""
        return self._writer.submit("", lambda tx: outbox.acquire_lease(tx, name, holder, seconds))

    # -- worker

    def claim(self, delivery_id: str, worker: str, lease_seconds: float) -> Future[Claimed | NotClaimable]:
        """Take a delivery; see `Claimed` and `NotClaimable`. Never fails for a delivery that is not there."""
        return self._writer.submit(delivery_id, lambda tx: work.claim(tx, delivery_id, worker, lease_seconds))

    def postpone(self, delivery_id: str, due_at: datetime, why: str, rung: str | None) -> Future[None]:
        """queued → waiting, without a claim."""
        return self._writer.submit(delivery_id, lambda tx: work.postpone(tx, delivery_id, due_at, why, rung))

    def start_attempt(self, delivery: Delivery, start: AttemptStart) -> Future[int]:
        """Record an attempt before the adapter is called: its number."""
        return self._writer.submit(delivery.submission_id, lambda tx: work.start_attempt(tx, delivery, start))

    def finish(self, delivery: Delivery, attempt: int | None, outcome: Outcome) -> Future[None]:
        """The outcome of one turn. attempt None: it ended before an attempt was recorded."""
        return self._writer.submit(delivery.submission_id, lambda tx: work.finish(tx, delivery, attempt, outcome))

    def attempt_unknown(
        self, delivery: Delivery, attempt: int, code: str, detail: str, ticket: str | None = None
    ) -> Future[None]:
        """delivering → unknown; nothing when it is unknown already. ticket: kept with it, encrypted."""
        return self._writer.submit(
            delivery.submission_id, lambda tx: work.attempt_unknown(tx, delivery, attempt, code, detail, ticket)
        )

    def ticket(self, delivery: Delivery, attempt: int) -> str | None:
        """Under which the target says what came of an attempt; None: it gave none."""
        name = work.ticket_part(delivery.delivery_id, attempt)
        try:
            return b"".join(self.read_part(delivery.submission_id, name)).decode()
        except NotFound:
            return None

    def ask_again(self, delivery: Delivery, at: datetime) -> Future[None]:
        """unknown stays unknown: the target cannot be asked now, and is asked again at `at`."""
        return self._writer.submit(delivery.submission_id, lambda tx: work.ask_again(tx, delivery, at))

    def resolve_unknown(self, delivery: Delivery, attempt: int, outcome: Outcome) -> Future[None]:
        """unknown → delivered | queued (for Wait) | dead."""
        return self._writer.submit(
            delivery.submission_id, lambda tx: work.resolve_unknown(tx, delivery, attempt, outcome)
        )

    # -- targets that are away

    def circuit(self, target: str) -> dict[str, Any] | None:
        with self._read() as session:
            return circuits.circuit(session, target)

    def circuits(self) -> dict[str, dict[str, Any]]:
        """Of every target that ever was in trouble."""
        with self._read() as session:
            return circuits.circuits(session)

    def set_circuit(self, target: str, state: dict[str, Any]) -> Future[None]:
        """One that closes lets go what is parked, in the same commit."""
        return self._writer.submit("", lambda tx: circuits.set_circuit(tx, target, state))

    def park(self, delivery_id: str, failure: str, code: str) -> Future[None]:
        """queued → waiting until the circuit closes, without a claim. Nothing for one that is parked already."""
        return self._writer.submit(delivery_id, lambda tx: circuits.park(tx, delivery_id, failure, code))

    def any_parked(self, target: str) -> bool:
        with self._read() as session:
            return circuits.any_parked(session, target)

    def call_one(self, target: str, every: timedelta) -> Future[bool]:
        """Send the oldest parked delivery to probe its target, unless one was sent less than `every` ago."""
        return self._writer.submit("", lambda tx: circuits.call_one(tx, target, every))

    def let_go(self, target: str) -> Future[int]:
        """What is parked is due now. How many; call again until there are none."""
        return self._writer.submit("", lambda tx: circuits.let_go(tx, target))

    def give_up(
        self, target: str, begun_before: datetime, verdict: Callable[[Delivery], Dead]
    ) -> Future[list[Delivery]]:
        """Parked → dead, where the round began before this moment. Which; call again until there are none."""
        return self._writer.submit("", lambda tx: circuits.give_up(tx, target, begun_before, verdict))

    # -- dead letters

    def bury(self, delivery_id: str | None, dead: Dead, *, broker: Mapping[str, Any]) -> Future[str | None]:
        """A message came out of a dead-letter queue: the dead letter's id, or None when it was a stale copy.

        broker: JSON-able facts (`queue`, `headers`, `size`, `sha256`, `deaths`), never a body. A delivered case dies
        only when `dead.source` is `consumer`.
        """
        return self._writer.submit(delivery_id or "", lambda tx: deadletters.bury(tx, delivery_id, dead, broker))

    def dead_letters(self, *, limit: int = 100, after: str | None = None, **filters: str | None) -> list[DeadLetter]:
        """Newest first. after: last `dead_id` of the page before. filters: see `views.FILTERS`; None = any."""
        with self._read() as session:
            return views.dead_letters(session, limit=limit, after=after, **filters)

    def dead_letter(self, dead_id: str) -> DeadLetter:
        with self._read() as session:
            return views.dead_letter(session, dead_id)

    def dead_groups(self, *, department: str | None = None) -> list[DeadGroup]:
        """Open dead letters by cause, the largest group first."""
        with self._read() as session:
            return views.dead_groups(session, department)

    def redrive(
        self,
        delivery_ids: Sequence[str],
        *,
        actor: str,
        reason: str,
        confirm_repeat: bool = False,
        waive: bool = False,
    ) -> Future[list[str]]:
        """dead → queued. Which; Conflict when none is dead any more, or an unknown outcome is not confirmed.

        waive: it passes without what its service requires.
        """
        return self._writer.submit(
            "", lambda tx: deadletters.redrive(tx, delivery_ids, actor, reason, confirm_repeat, waive)
        )

    def discard(self, delivery_ids: Sequence[str], *, actor: str, reason: str) -> Future[list[str]]:
        """dead → discarded. Which."""
        return self._end_dead(delivery_ids, DeliveryState.DISCARDED, actor, reason)

    def return_to_sender(self, delivery_ids: Sequence[str], *, actor: str, reason: str) -> Future[list[str]]:
        """dead → returned. Which."""
        return self._end_dead(delivery_ids, DeliveryState.RETURNED, actor, reason)

    def restore(self, delivery_ids: Sequence[str], *, actor: str, reason: str) -> Future[list[str]]:
        """discarded → dead, as long as the content is there. Which."""
        return self._writer.submit("", lambda tx: deadletters.restore(tx, delivery_ids, actor, reason))

    def settle(self, delivery_id: str, references: Mapping[str, str], *, actor: str, reason: str) -> Future[None]:
        """dead → delivered by hand, with the department's references."""
        return self._writer.submit(delivery_id, lambda tx: work.settle(tx, delivery_id, references, actor, reason))

    def release(self, submission_id: str, targets: Sequence[str], *, actor: str, reason: str) -> Future[None]:
        """clarify or held → accepted, with one queued delivery per target."""
        return self._writer.submit(
            submission_id, lambda tx: deadletters.release(tx, submission_id, targets, actor, reason)
        )

    def held(self, limit: int) -> list[HeldSubmission]:
        """What waits for something outside, the oldest first. `release` lets on."""
        with self._read() as session:
            return held.held(session, limit)

    def clarify(self, submission_id: str, later: Sequence[Finding], errors: Sequence[Finding]) -> Future[None]:
        """held → clarify. later: what was found since acceptance; errors: everything that has to be clarified."""
        return self._writer.submit(submission_id, lambda tx: held.clarify(tx, submission_id, later, errors))

    def end_clarification(self, submission_id: str, new: SubmissionState, *, actor: str, reason: str) -> Future[None]:
        """clarify → discarded or returned."""
        return self._writer.submit(
            submission_id, lambda tx: deadletters.end_clarification(tx, submission_id, new, actor, reason)
        )

    # -- keeping and proof

    def answers(self, submission_id: str, delivery_id: str) -> list[tuple[str, str]]:
        """What a target said to a delivery's attempts, (name, text); may quote the application: see `record_access`.

        Raises NotFound, ContentErased, ContentDamaged.
        """
        with self._read() as session:
            return parts.answers(session, self._keys, submission_id, delivery_id)

    def record_access(self, submission_id: str, *, actor: str, what: str, reason: str) -> Future[None]:
        """Somebody looked at content."""
        return self._writer.submit(
            submission_id, lambda tx: keeping.record_access(tx, submission_id, actor, what, reason)
        )

    def verify_chain(self, submission_id: str) -> list[str]:
        """What is wrong with a submission's history; empty = complete, unchanged, in accord with the states."""
        with self._read() as session:
            return [fault.text.en for fault in chain.submission_faults(session, submission_id)]

    def undated(self, limit: int = 500) -> list[Ended]:
        """Ended submissions that have no date yet until when their content is kept."""
        with self._read() as session:
            return keeping.undated(session, limit)

    def set_keep_until(self, submission_id: str, until: datetime) -> Future[None]:
        """Content of an ended submission may go after this moment."""
        return self._writer.submit(submission_id, lambda tx: keeping.set_keep_until(tx, submission_id, until))

    def erase(self, submission_id: str, *, actor: str, reason: str) -> Future[bool]:
        """Delete content and key of an ended submission; the record stays. False: it was erased before."""
        return self._writer.submit(submission_id, lambda tx: keeping.erase(tx, submission_id, actor, reason))

    def erase_due(self, now: datetime) -> Future[int]:
        """Erase what is past its date, at most 100 at a time. How many; 0 = nothing is left."""
        return self._writer.submit("", lambda tx: keeping.erase_due(tx, now))

    def sweep_orphans(self) -> Future[int]:
        """Drop what was spilled more than an hour ago and never accepted. How many."""
        return self._writer.submit("", keeping.sweep_orphans)

    def give_back(self) -> Future[int]:
        """Give a piece of what is free in the database file back to the system. How many pages; 0 = nothing is left."""
        return self._writer.submit("", keeping.give_back)

    # -- inside

    def _end_dead(self, delivery_ids: Sequence[str], new: DeliveryState, actor: str, reason: str) -> Future[list[str]]:
        return self._writer.submit("", lambda tx: deadletters.end_dead(tx, delivery_ids, new, actor, reason))

    def _spill(self, sealed: SealedContent) -> None:
        def write(tx: Transaction) -> None:
            parts.write_sealed(tx, [sealed], claimed=False)

        self._writer.submit(sealed.submission_id, write).result()

    def _drop(self, submission_id: str) -> None:
        self._writer.submit(submission_id, lambda tx: keeping.drop_unclaimed(tx, submission_id))

    def _fetch(self, submission_id: str, part: int, sequence: int) -> bytes | None:
        with self._read() as session:
            return parts.stored_chunk(session, submission_id, part, sequence)

    @contextmanager
    def _read(self) -> Iterator[Session]:
        """One moment's view of the database. Raises StoreUnavailable."""
        try:
            with self._reading.begin() as connection:
                yield Session(connection)
        except (SQLAlchemyError, DatabaseError) as error:
            raise StoreUnavailable(f"the database did not answer ({type(error).__name__})") from None


def _discard_unless_created(done: Future[Accepted | KeyReused], content: ContentWriter) -> None:
    if done.cancelled() or done.exception() is not None:
        return  # may be tried again with the same content; what is spilled is swept after an hour
    answer = done.result()
    if not (isinstance(answer, Accepted) and answer.created):
        content.discard()

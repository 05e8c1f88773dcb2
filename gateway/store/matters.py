"""Matters: what several submissions under one case id have to do with each other. Part of `Store`, see there."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import Future
from contextlib import AbstractContextManager

from gateway.delivery import Delivery
from gateway.store import likeness, order, references
from gateway.store.keys import KeyRing
from gateway.store.order import Place
from gateway.store.records import Likeness, Pair, Twin
from gateway.store.session import Session
from gateway.store.writer import Writer
from gateway.submission import Kind


class Matters:
    """`Store.matters`. read: opens one moment's view of the database. fingerprint: of a text, keyed."""

    def __init__(self, read: Callable[[], AbstractContextManager[Session]], writer: Writer, keys: KeyRing) -> None:
        self._read = read
        self._writer = writer
        self.fingerprint = keys.fingerprint

    def kind(self, delivery: Delivery) -> Kind:
        """Of the submission that it delivers."""
        with self._read() as session:
            return order.kind(session, delivery)

    def place(self, delivery: Delivery) -> Place:
        """Whether something of its matter goes before it."""
        with self._read() as session:
            return order.place(session, delivery)

    def wait(self, delivery_id: str) -> Future[bool]:
        """Wait behind what goes first, without a claim. False: it may go."""
        return self._writer.submit(delivery_id, lambda tx: order.wait(tx, delivery_id))

    def note(self, delivery_id: str, references_: Mapping[str, str], *, actor: str, reason: str) -> Future[None]:
        """References that a department tells later. Recorded by name."""
        return self._writer.submit(delivery_id, lambda tx: references.note(tx, delivery_id, references_, actor, reason))

    def twins(self, submission_id: str, likeness_: Likeness) -> list[Twin]:
        """Which others may be the same application, the latest first."""
        with self._read() as session:
            return likeness.twins(session, submission_id, likeness_)

    def sent_twins(self, delivery: Delivery) -> list[Twin]:
        """Those that the case named with the first attempt of this delivery: every further one sends the same."""
        with self._read() as session:
            return likeness.sent_before(session, delivery.submission_id, delivery.delivery_id)

    def noted_twins(self, submission_id: str) -> list[Twin]:
        """Those that were noted at this submission: they stay the same from its first attempt on."""
        with self._read() as session:
            return likeness.noted(session, submission_id)

    def pairs(self, limit: int) -> list[Pair]:
        """Noted as possibly twice, the latest first."""
        with self._read() as session:
            return likeness.pairs(session, limit)

    def references(self, submission_id: str) -> dict[str, dict[str, str]]:
        """Target → name → value, as earlier deliveries of the matter brought them."""
        with self._read() as session:
            return order.references(session, submission_id)

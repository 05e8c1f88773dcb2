"""Matters: what several submissions under one case id have to do with each other. Part of `Store`, see there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import AbstractContextManager

from gateway.delivery import Delivery
from gateway.store import order
from gateway.store.order import Place
from gateway.store.session import Session
from gateway.store.writer import Writer
from gateway.submission import Kind


class Matters:
    """`Store.matters`. read: opens one moment's view of the database."""

    def __init__(self, read: Callable[[], AbstractContextManager[Session]], writer: Writer) -> None:
        self._read = read
        self._writer = writer

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

    def references(self, submission_id: str) -> dict[str, dict[str, str]]:
        """Target → name → value, as earlier deliveries of the matter brought them."""
        with self._read() as session:
            return order.references(session, submission_id)

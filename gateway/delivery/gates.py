"""May a delivery go now? Opening hours, the circuit and the rate of its target, asked before a claim so that waiting
costs no attempt.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from adapters.base import DeliveryError
from gateway.delivery import Parked, Wait
from gateway.delivery.breaker import Circuit
from gateway.delivery.hours import parse_hours

if TYPE_CHECKING:
    from gateway.services import Target
    from gateway.store import Store

log = structlog.get_logger()

CIRCUIT_CACHE = timedelta(seconds=1)
"""How old a circuit read from the database may be: other workers' news arrives within this time."""


NEAR = timedelta(seconds=1)
"""A place in the row that is this near is taken at once."""


class Gates:
    """One per process; thread-safe. The circuit is shared by all workers through the database."""

    def __init__(self, store: Store, clock: Callable[[], datetime], probe_every: timedelta) -> None:
        self._store = store
        self._clock = clock
        self._probe_every = probe_every
        self._lock = threading.Lock()
        self._circuits: dict[str, tuple[Circuit, datetime]] = {}
        self._next_slot: dict[str, datetime] = {}
        self._reserved: dict[str, datetime] = {}
        self._seen: datetime | None = None

    def hold(self, target: Target, delivery_id: str) -> Wait | Parked | None:
        """None = go. Else when to come back, and why (`hours`, `rate`), or that the circuit is open."""
        now = self._clock()
        opening = parse_hours(target.hours).next_open(now)
        if opening > now:
            return Wait(opening, "hours")
        with self._lock:
            self._follow(now)
            circuit = self._circuit(target.name, now)
            if not circuit.admits(now):
                return Parked(circuit.failure, circuit.why)
            if circuit.state == "open":
                self._set(target.name, circuit.probing(now, self._probe_every), now)
            return self._pace(target, delivery_id, now)

    def report(self, target: Target, error: DeliveryError | None) -> None:
        """What an attempt says about its target. None: it took the case, or answered a question."""
        now = self._clock()
        with self._lock:
            circuit = self._circuit(target.name, now)
            if error is None:
                changed = circuit.succeeded()
            else:
                changed = circuit.failed(error.failure, error.code, now, self._probe_every)
            if changed != circuit:
                self._set(target.name, changed, now)
        if (circuit.state, changed.state) == ("closed", "open"):
            log.warning("circuit.opened", target=target.name, failure=changed.failure, code=changed.why)
        elif (circuit.state, changed.state) == ("open", "closed"):
            away = (now - circuit.opened_at).total_seconds() if circuit.opened_at else None
            log.info("circuit.closed", target=target.name, why=error.code if error else "delivered", seconds=away)

    def _follow(self, now: datetime) -> None:
        """A clock that was set back takes the places in the row with it: they would else be an hour away."""
        back = self._seen - now if self._seen is not None else timedelta(0)
        if back > NEAR:
            self._next_slot = {name: slot - back for name, slot in self._next_slot.items()}
            self._reserved = {delivery: slot - back for delivery, slot in self._reserved.items()}
        self._seen = now

    def _pace(self, target: Target, delivery_id: str, now: datetime) -> Wait | None:
        """A place in the row of this process. Who has to wait keeps its place: it comes back once, and then goes."""
        per_second = target.retry.per_second
        if not per_second:
            return None
        reserved = self._reserved.pop(delivery_id, None)
        if reserved is not None and reserved <= now + NEAR:
            return None
        slot = max(self._next_slot.get(target.name, now), now)
        self._next_slot[target.name] = slot + timedelta(seconds=1 / per_second)
        if slot <= now + NEAR:
            return None
        self._reserved[delivery_id] = slot
        return Wait(slot, "rate")

    def _circuit(self, target: str, now: datetime) -> Circuit:
        known = self._circuits.get(target)
        if known and timedelta(0) <= now - known[1] < CIRCUIT_CACHE:
            return known[0]
        circuit = Circuit.from_dict(self._store.circuit(target))
        self._circuits[target] = (circuit, now)
        return circuit

    def _set(self, target: str, circuit: Circuit, now: datetime) -> None:
        self._circuits[target] = (circuit, now)
        self._store.set_circuit(target, circuit.as_dict()).result()

"""Relay: outbox rows → broker. A row goes away when its confirm came; the broker may be down for a day.

With it, because they share the leader's lease: telling what happened (after today's work), the sweep, which puts back
what is due and nowhere, what is parked, sealing the record, and housekeeping.
"""

from __future__ import annotations

import json
import threading
import uuid
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from gateway.delivery.announcing import announce_batch
from gateway.delivery.parking import look_after_parked
from gateway.delivery.retention import keep_and_erase
from gateway.delivery.sealing import Sealer
from gateway.delivery.turns import is_due
from gateway.errors import StoreUnavailable
from gateway.store import OutboxRow
from queues.base import BrokerUnavailable, Message, Unroutable
from queues.topology import DELIVER, gateway_topology, rung_exchange

if TYPE_CHECKING:
    from gateway.wiring import Gateway

log = structlog.get_logger()

BATCH = 500
LEASE_SECONDS = 15.0
BROKER_PAUSE = 2.0
"""Seconds between two tries while the broker or the database is away."""
EVENTS_PAUSE = 10.0
"""Seconds until the next try when telling what happened failed. Longer: deliveries wait while it is tried."""
EVENTS_KEPT = 250_000
"""Events that wait while they cannot be told (about 25 MB); above it the oldest go. While the broker is away, intake
pushes back (`limits.backlog`) long before there are as many.
"""


class Relay:
    """A thread that moves outbox rows. Only the process that holds the lease works; the others wait for it."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._holder = f"relay-{uuid.uuid4()}"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="relay", daemon=True)
        self._declared = False
        self._next_sweep: datetime | None = None
        self._next_announcement: datetime | None = None
        self._next_look: datetime | None = None
        self._renew_at: datetime | None = None
        self._sealer = Sealer(gateway)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float = 10.0) -> None:
        self._stop.set()
        self._gateway.store.outbox_filled.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                busy = self.turn()
            except (BrokerUnavailable, StoreUnavailable) as error:
                self._declared = False
                log.warning("relay.paused", error=type(error).__name__)
                self._stop.wait(BROKER_PAUSE)
                continue
            except Exception as error:
                log.exception("relay.failed", error=type(error).__name__)
                self._stop.wait(BROKER_PAUSE)
                continue
            if not busy:
                self._gateway.store.outbox_filled.wait(self._gateway.settings.relay_seconds)

    def turn(self) -> bool:
        """One look: sweep if due, then one batch, then what happened. Returns whether there may be more.

        Raises BrokerUnavailable, StoreUnavailable.
        """
        if not self._leads():
            self._stop.wait(1.0)
            return False
        # First: erasing, giving up and bounds must not wait for a broker that is away.
        self._housekeep()
        self._look_after_parked()
        unsealed = self._sealer.turn()
        if not self._declared:
            self._gateway.broker.declare(gateway_topology(sorted(self._gateway.adapters)))
            self._declared = True
        more = relay_batch(self._gateway)
        return self._announce() or more or unsealed

    def _announce(self) -> bool:
        """Tell what happened, at most once per `relay_seconds` unless there is much: each time costs a commit.

        Whatever goes wrong here holds up no delivery. Raises StoreUnavailable.
        """
        now = self._gateway.clock()
        longest = timedelta(seconds=max(EVENTS_PAUSE, self._gateway.settings.relay_seconds))
        if not is_due(self._next_announcement, now, longest):
            return False
        try:
            more = announce_batch(self._gateway)
        except StoreUnavailable:
            raise
        except Exception as error:
            self._declared = False  # the exchange may be gone
            self._next_announcement = now + timedelta(seconds=EVENTS_PAUSE)
            unexpected = not isinstance(error, BrokerUnavailable)
            log.warning("events.paused", error=type(error).__name__, exc_info=unexpected)
            return False
        self._next_announcement = None if more else now + timedelta(seconds=self._gateway.settings.relay_seconds)
        return more

    def _look_after_parked(self) -> None:
        now = self._gateway.clock()
        pause = timedelta(seconds=self._gateway.settings.relay_seconds)
        if is_due(self._next_look, now, pause):
            self._next_look = now + pause
            look_after_parked(self._gateway)

    def _leads(self) -> bool:
        """Whether this process may work: it holds the lease, or gets it now. Renewed well before it ends."""
        now = self._gateway.clock()
        pause = timedelta(seconds=LEASE_SECONDS / 3)
        if not is_due(self._renew_at, now, pause):
            return True
        if self._gateway.store.acquire_lease("relay", self._holder, LEASE_SECONDS).result():
            self._renew_at = now + pause
            return True
        self._renew_at = None
        return False

    def _housekeep(self) -> None:
        now = self._gateway.clock()
        pause = timedelta(seconds=self._gateway.settings.sweep_seconds)
        if not is_due(self._next_sweep, now, pause):
            return
        first = self._next_sweep is None
        self._next_sweep = now + pause
        # The embedded queue is empty after a start: everything unfinished is nowhere, so the first sweep knows no
        # tolerance.
        forgotten = first and self._gateway.settings.embedded
        store = self._gateway.store
        put_back = (
            store.rebuild() if forgotten else store.sweep(now, self._gateway.settings.sweep_tolerance_seconds)
        ).result()
        if put_back:
            log.info("sweep.requeued", deliveries=put_back, at_start=first)
            self._gateway.metrics.swept(put_back)
        store.sweep_orphans()
        if dropped := store.trim_announcements(EVENTS_KEPT).result():
            log.error("events.dropped", count=dropped)
        if erased := keep_and_erase(self._gateway):
            log.info("content.erased", count=erased)
        while store.give_back().result():
            pass


def relay_batch(gateway: Gateway, limit: int = BATCH) -> bool:
    """Publish what is due and forget it when confirmed. Returns whether a full batch was found."""
    gateway.store.outbox_filled.clear()
    rows = gateway.store.due_outbox(limit, gateway.clock())
    if not rows:
        return False
    returned: set[str] = set()
    try:
        gateway.broker.publish([message_of(row) for row in rows])
    except Unroutable as error:
        # A target without a queue: its rows stay, visible as outbox age; the others were confirmed.
        returned = {m.message_id for m in error.messages}
        log.error("relay.unroutable", targets=sorted({r.target for r in rows if r.message_id in returned}))
    done = [row.outbox_id for row in rows if row.message_id not in returned]
    gateway.store.forget_outbox(done).result()
    return len(rows) == limit and bool(done)


def message_of(row: OutboxRow) -> Message:
    """Ids only. Every retry is a new message without the broker's death headers; CloudEvents 1.0 attributes as
    headers.
    """
    body = {
        "deliveryId": row.delivery_id,
        "submissionId": row.submission_id,
        "target": row.target,
        "service": row.service,
        "attempt": row.attempt,
    }
    headers: dict[str, str | int | bool] = {
        "cloudEvents:specversion": "1.0",
        "cloudEvents:id": row.message_id,
        "cloudEvents:type": "de.ozg-gateway.delivery.due.v1",
        "cloudEvents:source": "urn:ozg-gateway",
        "cloudEvents:subject": row.delivery_id,
    }
    if row.traceparent:
        headers["traceparent"] = row.traceparent
    exchange = rung_exchange(row.rung) if row.rung else DELIVER
    return Message(exchange, row.target, row.message_id, json.dumps(body).encode(), headers=headers)

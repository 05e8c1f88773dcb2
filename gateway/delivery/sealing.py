"""Housekeeping of the record: what happened is sealed, and the books of every day are closed."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from gateway.delivery.turns import is_due
from gateway.errors import Conflict, StoreUnavailable
from gateway.store.signing import SigningKey

if TYPE_CHECKING:
    from gateway.wiring import Gateway

log = structlog.get_logger()

BATCHES_A_TURN = 4
"""Seals between two looks into the outbox, while there is something to catch up with."""
PAUSE = timedelta(seconds=60)
"""Until the next try when sealing failed."""


class Sealer:
    """Used by whoever holds the relay's lease. Whatever goes wrong here holds up no delivery."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._next: datetime | None = None
        self._enrolled = False

    def turn(self) -> bool:
        """Seal and close what is due. Returns whether there is more to seal at once. Raises StoreUnavailable."""
        now = self._gateway.clock()
        if not is_due(self._next, now, max(PAUSE, timedelta(seconds=self._gateway.settings.seal_seconds))):
            return False
        try:
            more = self._work(now)
        except StoreUnavailable:
            raise
        except Conflict:
            return False  # a relay that was thought dead was first; the next look finds what it has left
        except Exception as error:
            self._next = now + PAUSE
            log.error("record.not_sealed", error=type(error).__name__, exc_info=True)
            return False
        self._next = None if more else now + timedelta(seconds=self._gateway.settings.seal_seconds)
        return more

    def _work(self, now: datetime) -> bool:
        audit = self._gateway.store.audit
        if not self._enrolled and audit.enrol_forgotten():
            return True
        self._enrolled = True
        for _ in range(BATCHES_A_TURN):
            batch = audit.next_batch()
            if batch is None:
                break
            if batch.lost:
                log.error("record.events_missing", seal=batch.number, count=batch.lost)
            audit.seal(batch, self._signing_key())
            if not batch.more:
                break
        else:
            return True
        return self._close(now)

    def _close(self, now: datetime) -> bool:
        """Close one day, if one is over."""
        audit = self._gateway.store.audit
        day = audit.due_day(now)
        if day is None:
            return False
        for record in audit.close_day(day, self._signing_key()):
            if record.difference:
                log.error("day.difference", day=str(day), service=record.service, deliveries=record.difference)
            else:
                log.info("day.closed", day=str(day), service=record.service)
        return True

    def _signing_key(self) -> SigningKey:
        """Read each time: a new version signs from the next seal on, without a restart."""
        return SigningKey.load(self._gateway.settings.home / "keys", create=True)

"""Parking: looks after the deliveries that wait for a target whose circuit is open.

With the relay, whose lease it shares. A circuit that may be probed gets one delivery to probe with; one that closed
lets all go (what the worker that closed it could not); whose time to give up has come becomes a dead letter, whether or
not it was its turn.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import structlog

from gateway.delivery import Dead, Delivery, notices, verdicts
from gateway.delivery.breaker import Circuit
from gateway.delivery.hours import parse_hours
from gateway.errors import StoreUnavailable
from gateway.packages.model import RetryPolicy

if TYPE_CHECKING:
    from gateway.wiring import Gateway

log = structlog.get_logger()


def look_after_parked(gateway: Gateway) -> None:
    """One look at every target that ever was in trouble. Costs one read when nothing is parked.

    A fault with one target holds up no other. Raises StoreUnavailable.
    """
    for target, state in gateway.store.circuits().items():
        try:
            if gateway.store.any_parked(target):
                _look_at(gateway, target, Circuit.from_dict(state))
        except StoreUnavailable:
            raise
        except Exception as error:
            log.exception("parking.failed", target=target, error=type(error).__name__)


def _look_at(gateway: Gateway, target: str, circuit: Circuit) -> None:
    now = gateway.clock()
    if circuit.state == "closed":
        while gateway.store.let_go(target).result():
            pass
        return
    _give_up(gateway, target, circuit, now)
    if circuit.admits(now) and _works_now(gateway, target, now):
        gateway.store.call_one(target, timedelta(seconds=gateway.settings.circuit_probe_seconds)).result()


def _give_up(gateway: Gateway, target: str, circuit: Circuit, now: datetime) -> None:
    """By the target's `give_up_after` as it is configured today; by the default for one that is configured no more."""
    known = gateway.packages.targets.get(target)
    policy = known.retry if known else RetryPolicy()
    begun_before = now - timedelta(seconds=policy.give_up_after)

    def verdict(delivery: Delivery) -> Dead:
        # Its own last failure, if it had one; else what keeps the target closed.
        failure, code = (delivery.failure, delivery.code or "") if delivery.failure else (circuit.failure, circuit.why)
        return replace(verdicts.expired(delivery.attempts, failure, code), source="expired")

    while given_up := gateway.store.give_up(target, begun_before, verdict).result():
        for delivery in given_up:
            notices.ended(gateway.metrics, delivery, verdict(delivery))


def _works_now(gateway: Gateway, target: str, now: datetime) -> bool:
    """Whether somebody reads its queue, and it is open: else nobody would probe."""
    return target in gateway.adapters and parse_hours(gateway.packages.targets[target].hours).is_open(now)

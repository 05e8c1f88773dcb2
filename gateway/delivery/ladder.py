"""When to try again: the one function that decides between a delay queue, database time and giving up. Pure.

Short delays that equal a rung travel through that rung's queue. Everything else (long, odd or jittered delays,
`Retry-After`, opening hours) waits as an outbox row with a due time, which survives the loss of the broker.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from adapters.base import DeliveryError, Retryable
from gateway.delivery import Dead, Wait
from gateway.delivery.verdicts import dead, expired
from gateway.packages.model import RetryPolicy
from queues.topology import RUNGS

LONGEST_RETRY_AFTER = 24 * 3600.0
"""A target may ask for a pause; not for one that nobody would notice."""

QUESTIONS_THIN_OUT = 20
"""What a target works on is asked for after a twentieth of the time it took so far: 3 days are some 200 questions."""

JITTER = 0.2
"""Database delays are drawn from delay × (1 ± JITTER), so that an outage does not come back as a wave."""


def again(
    policy: RetryPolicy,
    error: DeliveryError,
    *,
    attempts: int,
    first_due: datetime,
    now: datetime,
    draw: Callable[[], float],
    possible_repeat: bool = False,
) -> Wait | Dead:
    """What follows a failed attempt that may be repeated.

    attempts: attempts made in this round, the failed one included (≥ 1). draw: a random number in [0, 1).
    """
    asked = error.retry_after if isinstance(error, Retryable) else None
    delay, rung = _delay(policy, attempts, asked, draw)
    due = now + timedelta(seconds=delay)
    if due > first_due + timedelta(seconds=policy.give_up_after):
        if error.failure == "unknown_outcome":
            return dead(error)  # that time is over does not make it known: a person has to ask
        return expired(attempts, error.failure, error.code, error.detail)
    return Wait(due, "retry", rung, error.failure, error.code, error.detail, possible_repeat)


def next_question(*, first_due: datetime, now: datetime, asked: float | None, least: timedelta) -> datetime:
    """When to ask again a target that works on a case. asked: the seconds that it wants, or None.

    Where it does not say, ever less often: what took an hour may take another. least: between two questions.
    """
    if asked is not None:
        return now + timedelta(seconds=min(max(asked, 1.0), LONGEST_RETRY_AFTER))
    return now + max(least, (now - first_due) / QUESTIONS_THIN_OUT)


def _delay(
    policy: RetryPolicy, attempts: int, asked: float | None, draw: Callable[[], float]
) -> tuple[float, str | None]:
    if asked is not None:
        return min(max(asked, 1.0), LONGEST_RETRY_AFTER), None
    delay = policy.delays[min(attempts, len(policy.delays)) - 1]
    for rung, seconds in RUNGS.items():
        if seconds == delay:
            return delay, rung
    return delay * (1 - JITTER + 2 * JITTER * draw()), None

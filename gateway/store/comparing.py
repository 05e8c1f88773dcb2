"""What we know of the deliveries to one target, to be held against what the target has. Reads only."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import bindparam, select

from gateway.delivery import DeliveryState
from gateway.store import tables as t
from gateway.store.session import Session

_D, _R = t.delivery.c, t.reference.c
_SENT = (
    select(_D.delivery_id, _D.submission_id, _D.state, _D.failure, _D.attempts_total, _D.created_at)
    .where(_D.target == bindparam("target"))
    .order_by(_D.created_at, _D.delivery_id)
)
_REFERENCES = (
    select(_R.delivery_id, _R.value).join_from(t.reference, t.delivery).where(_D.target == bindparam("target"))
)


@dataclass(frozen=True, slots=True)
class Sent:
    """A delivery to the target. attempts: how often it was tried in all. references: what the target calls it."""

    delivery_id: str
    submission_id: str
    state: DeliveryState
    failure: str | None
    attempts: int
    created_at: datetime
    references: frozenset[str] = field(default_factory=frozenset)


def sent_to(session: Session, target: str) -> list[Sent]:
    """Every delivery to a target, oldest first."""
    references: dict[str, set[str]] = defaultdict(set)
    for row in session.rows(_REFERENCES, {"target": target}):
        references[row.delivery_id].add(row.value)
    return [
        Sent(
            row.delivery_id,
            row.submission_id,
            DeliveryState(row.state),
            row.failure,
            row.attempts_total,
            row.created_at,
            frozenset(references[row.delivery_id]),
        )
        for row in session.rows(_SENT, {"target": target})
    ]

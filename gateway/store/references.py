"""References that a person adds: what a department calls a case, told later than by its system."""

from __future__ import annotations

from collections.abc import Mapping

from gateway.store.changes import changing, owner_of
from gateway.store.work import add_references
from gateway.store.writer import Transaction


def note(tx: Transaction, delivery_id: str, references: Mapping[str, str], actor: str, reason: str) -> None:
    """What the department calls it, told later than its system did. In every state: a dead one may have a name too."""
    with changing(tx, owner_of(tx, delivery_id)) as change:
        delivery = change.delivery(delivery_id)
        add_references(change, delivery, references, may_be_known=True)
        details = {"reason": reason, "references": sorted(references)}
        change.note("reference.noted", delivery_id=delivery_id, actor=actor, details=details)

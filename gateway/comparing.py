"""What a department's system has, held against what we know of it: what differs, and what could settle it. Pure."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

from gateway.delivery import DeliveryState as D
from gateway.store.comparing import Sent

What = Literal[
    "not_known",  # they have it; we never sent it there
    "not_delivered",  # they have it; for us it is not delivered
    "missing",  # for us it is delivered; they do not have it
    "not_arrived",  # we do not know whether it arrived; they do not have it
    "doubled",  # they have it more than once
]
Remedy = Literal["settle", "redrive", "ask", "wait", "none"]

_UNDECIDED = (D.DELIVERING, D.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Entry:
    """One case as the department lists it. values: the key that we sent, what the department calls the case, or both.

    line: in the list, from 1; 0 = the target was asked by key.
    """

    values: Sequence[str]
    line: int = 0
    references: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """sent: None for `not_known`. remedy: which way on there is; `wait`: a machine still works on it."""

    what: What
    sent: Sent | None
    entries: Sequence[Entry]
    remedy: Remedy


def compare(ours: Sequence[Sent], theirs: Iterable[Entry], since: datetime | None = None) -> list[Difference]:
    """since: the list goes back to here; what we sent earlier is not missing in it."""
    by_value = {value: sent for sent in ours for value in (sent.delivery_id, *sent.references)}
    found: dict[str, list[Entry]] = defaultdict(list)
    differences: list[Difference] = []
    for entry in theirs:
        sent = next((by_value[value] for value in entry.values if value in by_value), None)
        if sent is None:
            differences.append(Difference("not_known", None, [entry], "ask"))
        else:
            found[sent.delivery_id].append(entry)
    for sent in ours:
        entries = found.get(sent.delivery_id, [])
        if len(entries) > 1:
            differences.append(Difference("doubled", sent, entries, "ask"))
        if entries and sent.state is not D.DELIVERED:
            remedy: Remedy = "settle" if sent.state is D.DEAD else "ask" if _ended(sent) else "wait"
            differences.append(Difference("not_delivered", sent, entries, remedy))
        if not entries and (since is None or sent.created_at >= since):
            differences += _not_there(sent)
    return differences


def _not_there(sent: Sent) -> list[Difference]:
    if sent.state is D.DELIVERED:
        return [Difference("missing", sent, [], "ask")]
    if sent.state is D.DEAD and sent.failure == "unknown_outcome":
        return [Difference("not_arrived", sent, [], "redrive")]
    if sent.state in _UNDECIDED and sent.attempts:
        return [Difference("not_arrived", sent, [], "wait")]
    return []


def _ended(sent: Sent) -> bool:
    return sent.state in (D.SKIPPED, D.DISCARDED, D.RETURNED)

"""Names and topology of the gateway's own queues, as values.

    publisher ─► ozg.deliver ─► ozg.target.<t> ─(rejected, over the limit)─► ozg.dead ─► ozg.dead.<t>
                     ▲
    publisher ─► ozg.rung.<r> ─► ozg.rung.<r> (TTL) ─(expired)─┘

The routing key is the target's name all the way, so a rung needs no binding per target and a new target no new rung.
"""

from __future__ import annotations

from collections.abc import Sequence

from queues.base import Binding, Exchange, Queue, Topology

PREFIX = "ozg"
DELIVER = f"{PREFIX}.deliver"
DEAD = f"{PREFIX}.dead"
EVENTS = f"{PREFIX}.events"

RUNGS: dict[str, float] = {"5s": 5.0, "30s": 30.0, "2m": 120.0, "10m": 600.0}
"""Delays that travel through the broker, in seconds, shortest first. Everything else waits in the database."""

DELIVERY_LIMIT = 20
"""Redeliveries of a target's message. Well above the crashes of one rollout: everything unacknowledged on a lost
connection counts, bystanders of a poisonous message too.
"""

NO_LIMIT = 1_000_000
"""For queues that nothing may leave but by acknowledgement. Said explicitly, because RabbitMQ 4 drops after 20 where
nothing is said; a number, because older ones know no word for "never".
"""


def target_queue(target: str, prefix: str = PREFIX) -> str:
    return f"{prefix}.target.{target}"


def dead_queue(target: str, prefix: str = PREFIX) -> str:
    return f"{prefix}.dead.{target}"


def rung_exchange(rung: str, prefix: str = PREFIX) -> str:
    """The exchange that leads to a rung of `RUNGS`; publish to it with the target's name as routing key."""
    return f"{prefix}.rung.{rung}"


def gateway_topology(targets: Sequence[str], prefix: str = PREFIX) -> Topology:
    """Everything the gateway itself uses, in the order in which it is safe to declare: where the dead go comes first.

    A queue declared before its dead-letter target would, in between, hold back what dies (retried only every three
    minutes).
    """
    deliver, dead = f"{prefix}.deliver", f"{prefix}.dead"
    dead_queues = [Queue(dead_queue(t, prefix), delivery_limit=NO_LIMIT) for t in targets]
    target_queues = [Queue(target_queue(t, prefix), dead_exchange=dead, delivery_limit=DELIVERY_LIMIT) for t in targets]
    # Fanout: the message keeps its routing key, and the rung's queue dead-letters it under that key.
    rungs = [rung_exchange(rung, prefix) for rung in RUNGS]
    rung_queues = [
        Queue(name, ttl=seconds, dead_exchange=deliver) for name, seconds in zip(rungs, RUNGS.values(), strict=True)
    ]
    return Topology(
        exchanges=[
            Exchange(deliver),
            Exchange(dead),
            Exchange(f"{prefix}.events", "topic"),
            *(Exchange(name, "fanout") for name in rungs),
        ],
        queues=[*dead_queues, *target_queues, *rung_queues],
        bindings=[
            *(Binding(dead, dead_queue(t, prefix), t) for t in targets),
            *(Binding(deliver, target_queue(t, prefix), t) for t in targets),
            *(Binding(name, name, "") for name in rungs),
        ],
    )

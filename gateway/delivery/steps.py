"""Where a delivery of several calls stands: which of them is next, and under which key it goes.

A call is an attempt like any other, and what its answer said is kept in the commit that makes the next one due. So a
delivery goes on where it stopped, whatever stopped it, and an outcome that nobody knows is that of one call alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from gateway.delivery import Delivery
from gateway.packages.steps import Results, calls_of, seen_by
from gateway.services import Target, applies
from gateway.store.work import step_part

if TYPE_CHECKING:
    from gateway.store import Store


def next_call(
    store: Store, delivery: Delivery, target: Target, case: Mapping[str, Any]
) -> tuple[Target, dict[str, Any]] | None:
    """The first call that is not done and whose `when` holds, with the case as it reads it. None: none is left."""
    if not target.steps:
        return target, dict(case)
    results = results_of(store, delivery)
    for call in (call for step in target.steps for call in calls_of(step, case)):
        seen = seen_by(call, case, results)
        if _name(call) not in results and applies(call, seen):
            return call, seen
    return None


def results_of(store: Store, delivery: Delivery) -> Results:
    """Of the calls that are done, in their order."""
    done = (a.step for a in store.attempts(delivery.delivery_id) if a.step and a.outcome == "delivered")
    return {
        call: json.loads(b"".join(store.read_part(delivery.submission_id, step_part(delivery.delivery_id, call))))
        for call in done
    }


def call_of(store: Store, delivery: Delivery, target: Target, attempt: int) -> Target:
    """The target as it is for the call that an attempt was. Itself, where it has no such step any more."""
    name = next((a.step for a in store.attempts(delivery.delivery_id) if a.number == attempt), "")
    step, _, number = name.partition(".")
    for one in target.steps:
        if one.step and one.step.name == step:
            return replace(one, step=replace(one.step, number=int(number or 0)))
    return target


def key_of(delivery: Delivery, target: Target) -> str:
    """The idempotency key: the same for every attempt of a call, and no other call has it. At most 61 characters."""
    return f"{delivery.delivery_id}.{_name(target)}" if target.step else delivery.delivery_id


def _name(target: Target) -> str:
    return target.step.call if target.step else ""

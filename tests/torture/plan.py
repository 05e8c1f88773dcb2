"""What goes wrong in a run, and when: made from the seed alone, so that the same seed makes the same plan."""

from __future__ import annotations

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from adapters.testkit.behaviour import Kind as Behaviour

ShapeName = Literal["embedded", "production"]
Style = Literal["once", "again", "at once", "wrong", "reused", "follows", "shared key"]
FaultKind = Literal[
    "kill", "pause", "kill server", "cut", "cut at", "refuse", "hold", "slow", "behave", "disk full", "clock"
]

PORTALS = ("demo-portal", "demo-portal-2")
SETTLE_SECONDS = 1.5
"""Before the first fault and behind the last: something has to be on its way."""

STYLES: Mapping[Style, int] = {
    "once": 44,
    "again": 14,  # the same key once more, after the answer
    "at once": 14,  # the same key on two connections at a time
    "wrong": 10,  # not valid, or not readable
    "reused": 5,  # a key that was used for something else
    "follows": 9,  # into the matter of an earlier one
    "shared key": 4,  # a key that the other portal uses too
}
MACHINES: Mapping[ShapeName, Sequence[str]] = {
    "embedded": ("run",),
    "production": ("serve-1", "serve-2", "work-1", "work-2", "relay-1", "relay-2"),
}
PROXIES: Mapping[ShapeName, Sequence[str]] = {
    "embedded": ("portal", "hundesteuer", "eakte-stadtkasse"),
    "production": ("portal", "database", "broker", "hundesteuer", "eakte-stadtkasse"),
}
SERVERS: Mapping[ShapeName, Sequence[str]] = {"embedded": (), "production": ("broker", "broker", "database")}
WEIGHTS: Mapping[FaultKind, int] = {
    "kill": 28,
    "pause": 8,
    "kill server": 5,
    "cut": 10,
    "cut at": 10,
    "refuse": 6,
    "hold": 6,
    "slow": 5,
    "behave": 18,
    "disk full": 3,
    "clock": 4,
}
HOSTILE: Sequence[Behaviour] = (
    "down",
    "refuse",
    "fault_in_200",
    "html",
    "redirect",
    "hang_up",
    "reset_before_send",
    "slow",
    "slow_middle",
    "broken",
    "cut",
    "cut_chunk",
    "commit_then_hang_up",
    "reset",
    "fail_after_commit",
    "wrong_charset",
    "crossed",
    "empty",
    "huge",
    "gzip_bomb",
    "doctype",
)
CLOCK_JUMPS = (-3600.0, -60.0, 60.0, 3600.0, 86_400.0)
LONGEST_PAUSE = 12.0
"""Longer than a lease and what the sweep waits after it: somebody else has taken over when it goes on."""


@dataclass(frozen=True, slots=True)
class Fault:
    """at, seconds: after the start of the run; how long it lasts (0: a moment). where: machine, server, proxy or
    target. told: a behaviour, or where a connection is cut (`COMMIT`, a direction and a number of bytes).
    """

    at: float
    kind: FaultKind
    where: str
    seconds: float = 0.0
    told: str = ""
    amount: float = 0


@dataclass(frozen=True, slots=True)
class Order:
    """One thing that a portal does. sample: which of the samples (modulo their number). of: number of an earlier order
    of the same portal that it refers to.
    """

    number: int
    at: float
    portal: str
    style: Style
    sample: int
    of: int | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    seed: int
    shape: ShapeName
    seconds: float
    orders: Sequence[Order]
    faults: Sequence[Fault]


def make(
    seed: int,
    shape: ShapeName,
    seconds: float,
    *,
    rate: float = 10.0,
    every: float = 1.2,
    kinds: Collection[FaultKind] = tuple(WEIGHTS),
    machines: Sequence[str] | None = None,
) -> Plan:
    """rate: orders per second. every: seconds between two faults, on average. kinds: only these faults. machines: those
    that run, if not all.
    """
    dice = random.Random(f"{seed} {shape}")
    return Plan(
        seed,
        shape,
        seconds,
        _orders(random.Random(dice.random()), seconds, rate),
        _faults(random.Random(dice.random()), shape, seconds, every, kinds, machines or MACHINES[shape]),
    )


def _orders(dice: random.Random, seconds: float, rate: float) -> list[Order]:
    orders: list[Order] = []
    at = 0.0
    while (at := at + dice.expovariate(rate)) < seconds:
        style = dice.choices(list(STYLES), list(STYLES.values()))[0]
        portal = dice.choice(PORTALS)
        earlier = [o.number for o in orders if o.portal == portal and o.style not in ("wrong", "reused")]
        of = dice.choice(earlier[-20:]) if earlier and style in ("reused", "follows") else None
        if of is None and style in ("reused", "follows"):
            style = "once"
        if style == "shared key" and not orders:
            style = "once"
        orders.append(Order(len(orders), round(at, 3), portal, style, dice.randrange(1000), of))
    return orders


def _faults(
    dice: random.Random,
    shape: ShapeName,
    seconds: float,
    every: float,
    kinds: Collection[FaultKind],
    machines: Sequence[str],
) -> list[Fault]:
    possible = [k for k in WEIGHTS if k in kinds and (k != "kill server" or SERVERS[shape])]
    faults: list[Fault] = []
    at = SETTLE_SECONDS
    while possible and at < seconds - SETTLE_SECONDS:
        kind = dice.choices(possible, [WEIGHTS[k] for k in possible])[0]
        faults.append(_fault(dice, kind, shape, round(at, 3), machines))
        at += max(0.2, dice.expovariate(1 / every))
    return faults


def _fault(dice: random.Random, kind: FaultKind, shape: ShapeName, at: float, machines: Sequence[str]) -> Fault:
    proxy = dice.choice(PROXIES[shape])
    length = round(dice.uniform(0.3, 3.0), 2)
    match kind:
        case "kill":
            return Fault(at, kind, dice.choice(machines))
        case "pause":
            return Fault(at, kind, dice.choice(machines), round(dice.choice([0.5, 2.0, LONGEST_PAUSE]), 2))
        case "kill server":
            return Fault(at, kind, dice.choice(SERVERS[shape]), length)
        case "cut at":
            return _cut_at(dice, at, proxy)
        case "slow":
            return Fault(at, kind, proxy, length, amount=round(dice.uniform(0.01, 0.1), 3))
        case "behave":
            target = dice.choice(["hundesteuer", "eakte-stadtkasse"])
            return Fault(at, kind, target, 1.5, dice.choice(HOSTILE), dice.randint(1, 4))
        case "disk full":
            return Fault(at, kind, "disk", length)
        case "clock":
            return Fault(at, kind, "clock", length, amount=dice.choice(CLOCK_JUMPS))
        case "cut":
            return Fault(at, kind, proxy)
        case "refuse" | "hold":
            return Fault(at, kind, proxy, length)


def _cut_at(dice: random.Random, at: float, proxy: str) -> Fault:
    if proxy == "database":
        return Fault(at, "cut at", proxy, told="COMMIT", amount=dice.randint(0, 1))
    return Fault(at, "cut at", proxy, told=dice.choice(["out", "in"]), amount=dice.choice([1, 100, 700, 1500, 3000]))

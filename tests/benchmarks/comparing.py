"""Gateway and bare loop by turns, on the same machine in the same minutes, and what was measured of each."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from tests.benchmarks.processes import load, wait_until
from tests.benchmarks.sides import Shape, Side, prepare

SIDES = ("gateway", "bare")


@dataclass(frozen=True)
class Plan:
    """How much is sent. rounds: each side's turns; the medians count."""

    rounds: int = 2
    accept: int = 1500
    deliver: int = 400
    latency: int = 500
    warm: int = 64
    crowd: int = 32
    moderate: int = 16


QUICK = Plan(rounds=1, accept=200, deliver=60, latency=60)
"""Shows that everything works; its figures mean nothing."""


@dataclass(frozen=True)
class Accepting:
    """per_second, and CPU µs per submission, with `crowd` connections; latencies (ms) with `moderate` ones."""

    per_second: float
    cpu_us: float
    p50_ms: float
    p99_ms: float
    generator_busy: float


@dataclass(frozen=True)
class Delivering:
    """per_second: from the first request to the last outcome on disk. cpu_us: of all processes, per submission."""

    per_second: float
    cpu_us: float
    rss_mib: dict[str, float]


@dataclass(frozen=True)
class Measured:
    accepting: Sequence[Accepting]
    delivering: Sequence[Delivering]

    def accept(self, figure: str) -> float:
        return float(statistics.median(getattr(one, figure) for one in self.accepting))

    def deliver(self, figure: str) -> float:
        return float(statistics.median(getattr(one, figure) for one in self.delivering))


def compare(shape: Shape, plan: Plan, department_port: int) -> dict[str, Measured]:
    """Side → figures. Every turn has an installation of its own."""
    turns = [side for _ in range(plan.rounds) for side in SIDES]
    accepting = [(side, accept(prepare(side, shape, department_port), plan)) for side in turns]
    delivering = [(side, deliver(prepare(side, shape, department_port), plan)) for side in turns]
    return {
        side: Measured(
            [figures for name, figures in accepting if name == side],
            [figures for name, figures in delivering if name == side],
        )
        for side in SIDES
    }


def accept(side: Side, plan: Plan) -> Accepting:
    with side.accepting() as running:
        load(side.port, side.token, plan.warm, plan.moderate)
        calm = load(side.port, side.token, plan.latency, plan.moderate)
        before = sum(running.cpu_seconds().values())
        crowd = load(side.port, side.token, plan.accept, plan.crowd)
        cpu = sum(running.cpu_seconds().values()) - before
    return Accepting(
        plan.accept / crowd["seconds"],
        cpu / plan.accept * 1e6,
        calm["p50_ms"],
        calm["p99_ms"],
        crowd["busy"],
    )


def deliver(side: Side, plan: Plan) -> Delivering:
    with side.complete() as running:
        load(side.port, side.token, plan.warm, plan.moderate)
        wait_until(lambda: side.undelivered() == 0, f"{side.side} to deliver the first {plan.warm}")
        before = sum(running.cpu_seconds().values())
        sent = load(side.port, side.token, plan.deliver, plan.crowd)
        wait_until(lambda: side.undelivered() == 0, f"{side.side} to deliver {plan.deliver}")
        seconds = time.monotonic() - sent["began"]
        cpu = sum(running.cpu_seconds().values()) - before
        return Delivering(plan.deliver / seconds, cpu / plan.deliver * 1e6, running.rss_mib())

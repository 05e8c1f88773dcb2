"""The short run that catches each seeded fault: where, with which faults around it, and for how long."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from tests.torture.plan import Fault, FaultKind, Plan, ShapeName, make
from tests.torture.run import Ground, Result, run

_SLOW_TARGET = (Fault(0.0, "behave", "hundesteuer", 1.3, "slow", 10_000),)
_HANGING_UP = (Fault(0.0, "behave", "hundesteuer", 0.0, "commit_then_hang_up", 40),)
_FEW = ("serve-1", "work-1", "relay-1")
_PATIENCE = 9.0


@dataclass(frozen=True, slots=True)
class Proof:
    """kinds: the faults drawn by the seed, of which kills are for `victim` alone; else exactly `faults`."""

    shape: ShapeName
    victim: str = "run"
    kinds: Sequence[FaultKind] = ("kill",)
    faults: Sequence[Fault] = ()
    seconds: float = 6.0
    rate: float = 8.0

    def plan(self, seed: int) -> Plan:
        drawn = make(
            seed, self.shape, self.seconds, every=0.9, rate=self.rate, kinds=self.kinds, machines=(self.victim,)
        )
        return replace(drawn, faults=self.faults) if self.faults else drawn

    @property
    def machines(self) -> Sequence[str]:
        return _FEW if self.shape == "production" else ("run",)


PROOFS: Mapping[str, Proof] = {
    "answer before commit": Proof("embedded"),
    "no inbox key": Proof("embedded", kinds=("cut",), seconds=4.0),
    "no attempt row": Proof("embedded"),
    "retry of unknown": Proof("embedded", faults=_HANGING_UP, seconds=4.0),
    "claim without fence": Proof("embedded", faults=_SLOW_TARGET, seconds=12.0, rate=2.0),
    "late, but fenced": Proof("embedded", faults=_SLOW_TARGET, seconds=12.0, rate=2.0),
    "outbox outside the transaction": Proof("production", "serve-1"),
    "outbox forgotten before it is published": Proof("production", "relay-1"),
    "confirm not awaited": Proof("production", "relay-1"),
    "ack before commit": Proof("production", "work-1"),
}
"""By the names of `seeded.FAULTS`."""


SELDOM = frozenset({"outbox forgotten before it is published", "confirm not awaited", "late, but fenced"})
"""Shown by the long tests and by `make torture`: much like others that every run of the tests shows."""


def prove(name: str, seed: int, ground: Ground) -> Result:
    """One run of a program that has this fault."""
    proof = PROOFS[name]
    return run(proof.plan(seed), ground, broken=name, machines=proof.machines, patience=_PATIENCE)

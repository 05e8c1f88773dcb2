"""A circuit per target: a system that is down is asked once per interval, not once per delivery. Pure.

Opens after some failures in a row of the class *unavailable*, and at once on *auth* (a wrong password locks accounts).
While it is open, deliveries wait without using up attempts; one probe per interval goes through and decides. Any answer
that only a living target can give closes it, be it a refusal.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

FAILURES_TO_OPEN = 5

_OPENS = ("unavailable", "auth")
_ANSWERS = ("rejected_by_target", "contract")
_BEFORE_AN_ANSWER = ("config.", "probe.", "tls.", "http.request_invalid")
"""Codes of these classes that arise on our side of the wire, and say nothing about the target."""


@dataclass(frozen=True, slots=True)
class Circuit:
    """failures: in a row. probe_at: when the next delivery may try, while open. failure, why: class and code of the
    latest failure that keeps it open.
    """

    state: Literal["closed", "open"] = "closed"
    failures: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    why: str = ""
    failure: str = ""

    def admits(self, now: datetime) -> bool:
        return self.state == "closed" or self.probe_at is None or self.probe_at <= now

    def probing(self, now: datetime, every: timedelta) -> Circuit:
        """The circuit after one delivery was let through although it is open: the next must wait."""
        return replace(self, probe_at=now + every)

    def succeeded(self) -> Circuit:
        return Circuit()

    def failed(self, failure: str, code: str, now: datetime, every: timedelta) -> Circuit:
        """After an attempt that failed.

        *throttled*, *unknown_outcome* and faults of our own leave it as it is: a target that asks for a pause must not
        get everything that waits at once, and a broken connection proves neither.
        """
        if failure in _ANSWERS and not code.startswith(_BEFORE_AN_ANSWER):
            return self.succeeded()
        if failure not in _OPENS:
            return self
        failures = self.failures + 1
        if self.state == "open" or failure == "auth" or failures >= FAILURES_TO_OPEN:
            return Circuit("open", failures, self.opened_at or now, now + every, code, failure)
        return replace(self, failures=failures)

    def as_dict(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "failures": self.failures,
            "opened_at": self.opened_at.isoformat() if self.opened_at else None,
            "probe_at": self.probe_at.isoformat() if self.probe_at else None,
            "why": self.why,
            "failure": self.failure,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any] | None) -> Circuit:
        """From what is stored; what an earlier version did not write has its default."""
        if not data:
            return cls()
        times = {k: datetime.fromisoformat(data[k]) if data.get(k) else None for k in ("opened_at", "probe_at")}
        why, failure = data.get("why", ""), data.get("failure", "")
        return cls(state=data["state"], failures=data.get("failures", 0), why=why, failure=failure, **times)

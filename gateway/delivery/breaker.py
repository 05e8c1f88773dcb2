"""A circuit per target: a system that is down is asked once per interval, not once per delivery. Pure.

Opens after some failures in a row of the class *unavailable*, and at once on *auth* (a wrong password locks accounts).
While it is open, deliveries wait without using up attempts; one probe per interval goes through and decides.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Literal

FAILURES_TO_OPEN = 5
PROBE_EVERY = timedelta(seconds=30)


@dataclass(frozen=True, slots=True)
class Circuit:
    """failures: in a row. probe_at: when the next delivery may try, while open. why: the code that opened it."""

    state: Literal["closed", "open"] = "closed"
    failures: int = 0
    opened_at: datetime | None = None
    probe_at: datetime | None = None
    why: str = ""

    def admits(self, now: datetime) -> bool:
        return self.state == "closed" or self.probe_at is None or self.probe_at <= now

    def probing(self, now: datetime, every: timedelta = PROBE_EVERY) -> Circuit:
        """The circuit after one delivery was let through although it is open: the next must wait."""
        return replace(self, probe_at=now + every)

    def succeeded(self) -> Circuit:
        return Circuit()

    def failed(self, failure: str, code: str, now: datetime, every: timedelta = PROBE_EVERY) -> Circuit:
        """After an attempt that failed. Only *unavailable* and *auth* speak about the target; all else about the
        request.
        """
        if failure not in ("unavailable", "auth"):
            return self
        failures = self.failures + 1
        if self.state == "open" or failure == "auth" or failures >= FAILURES_TO_OPEN:
            return Circuit("open", failures, self.opened_at or now, now + every, code)
        return replace(self, failures=failures)

    def as_dict(self) -> dict[str, Any]:
        return {
            "state": self.state,
            "failures": self.failures,
            "opened_at": self.opened_at.isoformat() if self.opened_at else None,
            "probe_at": self.probe_at.isoformat() if self.probe_at else None,
            "why": self.why,
        }

    @classmethod
    def from_dict(cls, data: dict[str, Any] | None) -> Circuit:
        if not data:
            return cls()
        times = {k: datetime.fromisoformat(data[k]) if data.get(k) else None for k in ("opened_at", "probe_at")}
        return cls(state=data["state"], failures=data["failures"], why=data["why"], **times)

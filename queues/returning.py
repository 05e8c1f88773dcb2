"""How long a message rests after its handler raised."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Returning:
    """first, longest: seconds before the first redelivery and at most; it doubles in between.

    Without a pause a failing handler would spin through its delivery limit in a second: no time for what it needs to
    come back.
    """

    first: float = 1.0
    longest: float = 30.0

    def delay(self, delivery_count: int) -> float:
        return min(self.first * 2.0 ** min(delivery_count, 32), self.longest)


RETURNING = Returning()

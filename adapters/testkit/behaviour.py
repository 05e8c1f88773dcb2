"""How a simulated department system behaves, told at run time: for everything or for one key, always or n times."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "ok",
    "slow",  # acts at once, answers after `seconds`
    "down",  # 503, with Retry-After where `retry_after` says
    "unauthorised",  # 401
    "refuse",  # its own way to say "not like this": SOAP Client fault, 422 problem, reject
    "html",  # 200 and a page for people: a proxy answered, nothing was done
    "broken",  # acts, and its answer is cut off in the middle
    "hang_up",  # closes the connection without acting
    "commit_then_hang_up",  # acts, then closes the connection without an answer
]


@dataclass(frozen=True, slots=True)
class Behaviour:
    """seconds: for `slow`. retry_after: seconds, for `down`."""

    kind: Kind = "ok"
    seconds: float = 0.0
    retry_after: int | None = None


class Script:
    """What was told. Thread-safe. What stands for a key comes before what stands for everything."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._told: dict[str | None, tuple[Behaviour, int | None]] = {}

    def tell(self, behaviour: Behaviour, *, times: int | None = None, key: str | None = None) -> None:
        """From now on (`times` requests long, then "ok" again); replaces what was told before for the same key."""
        with self._lock:
            self._told[key] = (behaviour, times)

    def next(self, key: str | None) -> Behaviour:
        """The behaviour for one request, which counts it."""
        with self._lock:
            for name in (key, None):
                if name in self._told:
                    behaviour, times = self._told[name]
                    if times is not None and times <= 1:
                        del self._told[name]
                    elif times is not None:
                        self._told[name] = (behaviour, times - 1)
                    return behaviour
        return Behaviour()

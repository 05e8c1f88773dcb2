"""What every simulated department is: something that starts and stops, remembers, and behaves as told."""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from adapters.testkit.behaviour import Behaviour, Kind, Script
from adapters.testkit.ledger import Ledger, Received


class Department(ABC):
    """Use as a context manager or with `start` and `stop`."""

    def __init__(self, prefix: str, *, idempotent: bool) -> None:
        self.ledger = Ledger(prefix, idempotent=idempotent)
        self._script = Script()
        self.stopped = threading.Event()

    @abstractmethod
    def start(self) -> Self:
        """Begin to work."""

    @abstractmethod
    def stop(self) -> None:
        """What was received stays readable."""

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def received(self) -> list[Received]:
        return self.ledger.received


class ReadingDepartment(Department):
    """One that reads what was left for it, in its own time.

    Behaviours: `ok`, `slow` (before it is done with what it read), `refuse` (does not act on it).
    """

    def __init__(self, prefix: str) -> None:
        super().__init__(prefix, idempotent=True)
        self._news = threading.Condition()
        self._refusals = 0

    def tell(self, kind: Kind, *, times: int | None = None, key: str | None = None, seconds: float = 0.0) -> None:
        """Behave like this from now on; see `Script.tell`."""
        self._script.tell(Behaviour(kind, seconds), times=times, key=key)

    def wait_for(self, count: int, timeout: float = 10.0) -> bool:
        """Wait until `count` were acted on or refused; False when that took longer than `timeout` seconds."""
        with self._news:
            return self._news.wait_for(lambda: len(self.received) + self._refusals >= count, timeout)

    def _done(self, key: str, behaviour: Behaviour, *, refused: bool) -> None:
        """One more was read: whoever waits is told."""
        with self._news:
            self._refusals += refused
            self.ledger.note(behaviour.kind, key, acted=not refused)
            self._news.notify_all()

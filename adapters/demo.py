"""Three adapters without a target: one succeeds, one fails as told, one crashes. For demonstrations, tests and first
steps.
"""

from __future__ import annotations

import os
import signal
import threading
from collections import Counter
from typing import Literal, NoReturn

from pydantic import Field

from adapters.base import DeliveryError, FieldSpec, OutcomeUnknown, Permanent, Receipt, Request, Retryable, TargetConfig
from adapters.settings import AdapterSettings, read_settings
from xoev_schemas.findings import Finding

Step = Literal["ok", "unavailable", "throttled", "unknown", "unknown_lost", "rejected", "auth", "contract"]


class NoSettings(AdapterSettings):
    """Nothing to set."""


class FailingSettings(AdapterSettings):
    """fail: what happens to the first, second … attempt of each key; the last stands for all that follow.

    `unknown` takes the case and loses the answer, `unknown_lost` loses both. retry_after: seconds told with
    `throttled`.
    """

    fail: list[Step] = Field(default=["unavailable"], min_length=1)
    retry_after: float = 5.0


class CrashingSettings(AdapterSettings):
    """kill: end the whole process as the system would (SIGKILL), instead of raising."""

    kill: bool = False


class _Memory:
    """What the imagined department has: key → case number. Thread-safe; the same key gets the same number."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers: dict[str, str] = {}

    def take(self, key: str) -> Receipt:
        with self._lock:
            known = key in self._numbers
            number = self._numbers.setdefault(key, f"DEMO-{len(self._numbers) + 1:06d}")
        return Receipt({"vorgangsnummer": number}, number.encode(), "text/plain", already_there=known)

    def find(self, key: str) -> Receipt | None:
        with self._lock:
            number = self._numbers.get(key)
        return Receipt({"vorgangsnummer": number}, already_there=True) if number is not None else None


class SucceedingAdapter:
    """Takes everything and gives a case number."""

    def __init__(self, config: TargetConfig) -> None:
        _, self._wrong = read_settings(NoSettings, config)
        self._memory = _Memory()

    def check(self) -> list[Finding]:
        return list(self._wrong)

    def ping(self) -> None:
        return None

    def deliver(self, request: Request) -> Receipt:
        return self._memory.take(request.key)

    def probe(self, key: str) -> Receipt | None:
        return self._memory.find(key)

    def required_fields(self) -> list[FieldSpec] | None:
        return None

    def close(self) -> None:
        return None


class FailingAdapter(SucceedingAdapter):
    """Fails as its settings say, counted per key."""

    def __init__(self, config: TargetConfig) -> None:
        self._settings, self._wrong = read_settings(FailingSettings, config)
        self._memory = _Memory()
        self._lock = threading.Lock()
        self._attempts: Counter[str] = Counter()

    def deliver(self, request: Request) -> Receipt:
        if self._settings is None:
            raise Permanent("config.invalid", failure="contract")
        with self._lock:
            number = self._attempts[request.key]
            self._attempts[request.key] += 1
        step = self._settings.fail[min(number, len(self._settings.fail) - 1)]
        if step in ("ok", "unknown"):
            receipt = self._memory.take(request.key)
            if step == "ok":
                return receipt
        raise _failure(step, self._settings.retry_after)


def _failure(step: Step, retry_after: float) -> DeliveryError:
    if step in ("unknown", "unknown_lost"):
        return OutcomeUnknown("demo.unknown")
    if step == "throttled":
        return Retryable("demo.throttled", failure="throttled", retry_after=retry_after)
    if step == "unavailable":
        return Retryable("demo.unavailable")
    if step == "rejected":
        return Permanent("demo.rejected")
    return Permanent(f"demo.{step}", failure="auth" if step == "auth" else "contract")


class Crash(Exception):
    """What no adapter may raise; raised here on purpose."""


class CrashingAdapter(SucceedingAdapter):
    """Breaks the promise that an adapter raises nothing but its three errors, or takes the process with it."""

    def __init__(self, config: TargetConfig) -> None:
        self._settings, self._wrong = read_settings(CrashingSettings, config)
        self._memory = _Memory()

    def deliver(self, request: Request) -> NoReturn:
        if self._settings is not None and self._settings.kill:
            os.kill(os.getpid(), signal.SIGKILL)
        raise Crash("crashed as configured")

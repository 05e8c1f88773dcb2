"""What a simulated department system has: every request it acted on, the case that came of it, and how it behaved."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Received:
    """One request that was acted on.

    body: as nested dicts by local names (XML: leaves are text) or as JSON. sha256: of the bytes as received.
    possible_repeat: the sender said so. known: the key was there before and no second case was made.
    """

    key: str
    body: Any
    sha256: str
    possible_repeat: bool
    references: Mapping[str, str]
    known: bool


@dataclass(frozen=True, slots=True)
class Deed:
    """What the department did to one request, or to a connection that brought none (key None).

    kind: a behaviour, or what was asked besides a case (`login`, `entity`, `status`).
    """

    kind: str
    key: str | None
    acted: bool


class KeyReused(Exception):
    """The same key with other content, at a system that compares."""


class Ledger:
    """Thread-safe. idempotent: whether a known key finds its case instead of making a second one.

    references: `number` and `file` of a case, made from `prefix` and a running number.
    """

    def __init__(self, prefix: str, *, idempotent: bool) -> None:
        self._prefix = prefix
        self._idempotent = idempotent
        self._lock = threading.Lock()
        self._received: list[Received] = []
        self._cases: dict[str, Received] = {}
        self._content: dict[str, Any] = {}
        self._named: dict[str, Mapping[str, str]] = {}
        self._deeds: list[Deed] = []
        self._count = 0

    def take(self, key: str, body: Any, raw: bytes, *, marked: bool, compared: Any = None) -> Received:
        """Act on a request. compared: what must be equal for the same key. Raises KeyReused."""
        digest = hashlib.sha256(raw).hexdigest()
        with self._lock:
            first = self._cases.get(key)
            if first is not None and self._idempotent:
                if self._content[key] != compared:
                    raise KeyReused
                record = Received(key, body, digest, marked, first.references, known=True)
            else:
                self._count += 1
                references = self._named.get(key) or {
                    "number": f"{self._prefix}-{self._count:06d}",
                    "file": f"{self._prefix}/{self._count}",
                }
                record = Received(key, body, digest, marked, references, known=False)
                self._cases.setdefault(key, record)
                self._content.setdefault(key, compared)
            self._received.append(record)
            return record

    def name(self, key: str, references: Mapping[str, str]) -> None:
        """The case of this key, when it comes, gets these references instead of the next."""
        with self._lock:
            self._named[key] = references

    def note(self, kind: str, key: str | None, *, acted: bool) -> None:
        """One more deed."""
        with self._lock:
            self._deeds.append(Deed(kind, key, acted))

    @property
    def deeds(self) -> list[Deed]:
        """Everything done, in order: also to those that got no answer."""
        with self._lock:
            return list(self._deeds)

    def find(self, key: str) -> Received | None:
        """The first case of a key."""
        with self._lock:
            return self._cases.get(key)

    @property
    def received(self) -> list[Received]:
        """Everything acted on, in order."""
        with self._lock:
            return list(self._received)

    def unmarked_repeats(self) -> list[str]:
        """Keys of which a second case was made by a request that did not say it might be a repeat: silent doubles."""
        seen: set[str] = set()
        doubled: list[str] = []
        for record in self.received:
            if record.key in seen and not record.known and not record.possible_repeat:
                doubled.append(record.key)
            seen.add(record.key)
        return doubled

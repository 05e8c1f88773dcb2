"""How a simulated department system behaves, told at run time: for everything or for one key, always or n times."""

from __future__ import annotations

import threading
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal

Kind = Literal[
    "ok",
    # It does not act, and says so.
    "down",  # 503 or `status`, with Retry-After where `retry_after` says
    "unauthorised",  # 401
    "refuse",  # its own way to say "not like this": SOAP Client fault, 422 problem, reject
    "fault_in_200",  # the same, under status 200
    # It does not act, and somebody else answers.
    "html",  # 200 and a page for people: a proxy answered
    "redirect",  # 302 to a login page
    # It does not act, and says nothing.
    "hang_up",  # closes the connection after the request
    # It does not act, and the request was not read: nobody can tell it for one key.
    "expired_certificate",
    "wrong_host",  # a certificate for another name
    "unknown_authority",  # a certificate of somebody whom nobody vouches for
    "reset_before_send",  # resets the connection as soon as it is made
    "unauthorised_early",  # 401 before the body was read, and closes
    # It acts, and its answer comes badly.
    "slow",  # after `seconds`
    "slow_middle",  # half of it, the rest after `seconds`
    "trickle",  # a byte every `seconds`
    "broken",  # half of it, as if it were the whole
    "cut",  # less than its Content-Length says
    "cut_chunk",  # ends inside a chunk
    "commit_then_hang_up",  # closes the connection instead
    "reset",  # resets the connection instead
    # It acts, and its answer is not what it should be.
    "fail_after_commit",  # 500
    "wrong_charset",  # ISO-8859-1 that is called UTF-8
    "wrong_label",  # UTF-8 that is called ISO-8859-1
    "duplicate_reference",  # a new case, called as the last one
    "crossed",  # the answer that the last case got
    "empty",  # 200 and nothing
    "huge",  # `ANSWER_BYTES` of spaces
    "gzip_bomb",  # the same, compressed
    "doctype",  # XML with a DTD, entities that grow, and one that lies elsewhere
    "never_finishes",  # 202, and "not yet" for ever
]

ON_THE_CONNECTION: frozenset[Kind] = frozenset(
    {"expired_certificate", "wrong_host", "unknown_authority", "reset_before_send"}
)


@dataclass(frozen=True, slots=True)
class Behaviour:
    """seconds: for `slow`, `slow_middle`, `trickle`. retry_after: as in the header, and the status, for `down`."""

    kind: Kind = "ok"
    seconds: float = 0.0
    retry_after: int | str | None = None
    status: int = 503


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
            return self._taken(key) or self._taken(None) or Behaviour()

    def next_among(self, kinds: Collection[Kind]) -> Behaviour | None:
        """The behaviour for everything if it is one of these, which counts it."""
        with self._lock:
            told = self._told.get(None)
            return self._taken(None) if told is not None and told[0].kind in kinds else None

    def _taken(self, key: str | None) -> Behaviour | None:
        behaviour, times = self._told.get(key, (None, None))
        if times is not None and times <= 1:
            del self._told[key]
        elif behaviour is not None and times is not None:
            self._told[key] = (behaviour, times - 1)
        return behaviour

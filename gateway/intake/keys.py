"""Public keys of token issuers: from a URL, a file or the installation's own issuer; refreshed seldom, and only when
asked for.

An unknown `kid` causes at most one refresh a minute, however many tokens carry one (otherwise anybody could make us
call the issuer as often as they like); a set older than an hour is refreshed too, so that a withdrawn key stops
working.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import structlog
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

log = structlog.get_logger()

REFRESH_SECONDS = 60.0
MAX_AGE_SECONDS = 3600.0
_MAX_BYTES = 256 * 1024

Load = Callable[[], Any]


class IssuerKeys:
    """The keys of one issuer by `kid`. load: gives the JWKS document. Thread-safe; `key` may block on the network."""

    def __init__(self, load: Load, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._load = load
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._tried_at: float | None = None

    def key(self, kid: str) -> Key | None:
        """The key, or None. A failed refresh keeps the keys that are there."""
        with self._lock:
            age = None if self._tried_at is None else self._monotonic() - self._tried_at
            if age is None or age >= MAX_AGE_SECONDS or (kid not in self._keys and age >= REFRESH_SECONDS):
                self._refresh()
            return self._keys.get(kid)

    def _refresh(self) -> None:
        self._tried_at = self._monotonic()
        try:
            document = self._load()
            keys = KeySet.import_key_set(document)
        except (httpx.HTTPError, OSError, ValueError, KeyError, TypeError, JoseError) as error:
            log.warning("issuer_keys.refresh_failed", error=type(error).__name__)
            return
        self._keys = {str(key.kid): key for key in keys if key.kid}


def loader(source: str) -> Load:
    """How to get a JWKS document from `source`: an `https://` or `http://` URL, or a file path."""
    if source.startswith(("https://", "http://")):
        return lambda: _fetch(source)
    return lambda: json.loads(Path(source).read_bytes())


def _fetch(url: str) -> Any:
    with httpx.stream("GET", url, timeout=5.0, follow_redirects=False) as response:
        response.raise_for_status()
        data = bytearray()
        for chunk in response.iter_bytes():
            data += chunk
            if len(data) > _MAX_BYTES:
                raise ValueError("the key set is too large")
    return json.loads(data)

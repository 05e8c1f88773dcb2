"""The installation's wrapping keys: each wraps the data keys of many submissions; whoever lacks them cannot read any
content. Where they are kept is behind one protocol: in files (`key_files.py`) or in a key service (`vault.py`).
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Protocol

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import StoreUnavailable

KEY_BYTES = 32
NONCE_BYTES = 12


class WrongKey(Exception):
    """A data key cannot be unwrapped: the wrapping key is missing or another one, or the row was changed."""


class KeyServiceUnavailable(StoreUnavailable):
    """The keys cannot be reached: nothing is accepted, read or delivered until they can. Nothing falls back to
    plaintext.
    """

    code = "key_service_unavailable"


@dataclass(frozen=True, slots=True)
class KeyVersion:
    """created_at: aware UTC; None = not known."""

    version: int
    created_at: datetime | None = None


class KeyService(Protocol):
    """Keeps the wrapping keys and works with them. Thread-safe; every method may block.

    Versions are numbers from 1, a newer one is higher; the highest wraps. All older ones open what they wrapped until
    they are retired. Raises KeyServiceUnavailable when it cannot be asked.
    """

    def wrap(self, data_key: bytes, owner: str) -> tuple[int, bytes]:
        """Version that wrapped, and the wrapped key. owner: the submission id, bound to the result."""
        ...

    def unwrap(self, version: int, wrapped: bytes, owner: str) -> bytes:
        """The data key. Raises WrongKey."""
        ...

    def versions(self) -> list[KeyVersion]:
        """Those that can be used, the oldest first."""
        ...

    def create(self) -> int:
        """Make a new version, which wraps from now on; it is durable when this returns."""
        ...

    def retire(self, version: int) -> None:
        """Nothing is opened with this version any more. Only the oldest, never the newest (the caller sees to it)."""
        ...


class PlainKeys:
    """Keys that lie in memory: version → 32 bytes. Makes and retires none."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}

    def wrap(self, data_key: bytes, owner: str) -> tuple[int, bytes]:
        version = max(self._ciphers)
        nonce = os.urandom(NONCE_BYTES)
        return version, nonce + self._ciphers[version].encrypt(nonce, data_key, owner.encode())

    def unwrap(self, version: int, wrapped: bytes, owner: str) -> bytes:
        cipher = self._ciphers.get(version)
        if cipher is None:
            raise WrongKey(f"there is no key file content-{version}.key")
        try:
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise WrongKey(f"content-{version}.key is not the key that this content was written with") from None

    def versions(self) -> list[KeyVersion]:
        return [KeyVersion(version) for version in sorted(self._ciphers)]

    def create(self) -> int:
        raise ValueError("keys in memory are fixed")

    def retire(self, version: int) -> None:
        raise ValueError("keys in memory are fixed")


class KeyRing:
    """What the store works with: the wrapping keys and the key of fingerprints. Thread-safe."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self.service: KeyService = PlainKeys(keys)
        self._fingerprints = fingerprint_key(keys)

    @classmethod
    def of(cls, service: KeyService, fingerprints: bytes) -> KeyRing:
        """fingerprints: 32 bytes, the same in every process and for as long as fingerprints are kept."""
        ring = cls.__new__(cls)
        ring.service = service
        ring._fingerprints = fingerprints
        return ring

    @classmethod
    def load(cls, folder: Path, *, create: bool) -> KeyRing:
        """The key files in `folder`. create: make the first one when there is none (never in production).

        Raises ConfigurationError when there is none, or one that is not usable or open to others.
        """
        from gateway.store.key_files import FileKeys

        keys = FileKeys(folder, create=create)
        return cls.of(keys, keys.fingerprints)

    @property
    def current(self) -> int:
        """The version that wraps."""
        return self.service.versions()[-1].version

    def fingerprint(self, text: str) -> str:
        """HMAC-SHA-256 (hex) under a key of its own: tells equal texts, and nothing without the key."""
        return hmac.digest(self._fingerprints, text.encode(), "sha256").hex()

    def wrap(self, data_key: bytes, owner: str) -> tuple[int, bytes]:
        """See `KeyService.wrap`."""
        return self.service.wrap(data_key, owner)

    def unwrap(self, version: int, wrapped: bytes, owner: str) -> bytes:
        """See `KeyService.unwrap`."""
        return self.service.unwrap(version, wrapped, owner)


def fingerprint_key(keys: Mapping[int, bytes]) -> bytes:
    """Of the first key, so that a new one does not make everybody a stranger."""
    return HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"fingerprint").derive(keys[min(keys)])

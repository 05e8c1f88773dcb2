"""The installation's keys: each wraps the data keys of many submissions; whoever lacks them cannot read any content.

One file per version, `content-<n>.key`, holding 32 random bytes as hexadecimal text. The highest version wraps new
keys, older ones stay readable. The files belong into a backup, but never into the same one as the database.
"""

from __future__ import annotations

import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from gateway.errors import ConfigurationError
from xoev_schemas.findings import Finding, Text

KEY_BYTES = 32
NONCE_BYTES = 12
_FILE = re.compile(r"content-(\d+)\.key")


class WrongKey(Exception):
    """A data key cannot be unwrapped: the key file is missing or another one, or the row was changed."""


class KeyRing:
    """Wraps and unwraps data keys. Immutable and thread-safe. keys: version → 32 bytes."""

    def __init__(self, keys: Mapping[int, bytes]) -> None:
        self._ciphers = {version: AESGCM(key) for version, key in keys.items()}
        self.current = max(keys)
        # Of the first key, so that a new one does not make everybody a stranger.
        self._fingerprints = HKDF(hashes.SHA256(), KEY_BYTES, salt=None, info=b"fingerprint").derive(keys[min(keys)])

    def fingerprint(self, text: str) -> str:
        """HMAC-SHA-256 (hex) under a key of its own: tells equal texts, and nothing without the key."""
        return hmac.digest(self._fingerprints, text.encode(), "sha256").hex()

    @classmethod
    def load(cls, folder: Path, *, create: bool) -> KeyRing:
        """Read every key file in `folder`. create: make the first one when there is none (never in production).

        Raises ConfigurationError when there is none, or one that is not 32 bytes of hexadecimal text.
        """
        files = {
            int(m.group(1)): path for path in sorted(folder.glob("content-*.key")) if (m := _FILE.fullmatch(path.name))
        }
        if not files:
            if not create:
                raise ConfigurationError([_no_key(folder)])
            files = {1: create_key(folder, 1)}
        return cls({version: _read(path) for version, path in files.items()})

    def wrap(self, data_key: bytes, owner: str) -> tuple[int, bytes]:
        """Version of the wrapping key, and nonce ‖ ciphertext. owner: the submission id, bound to the result."""
        nonce = os.urandom(NONCE_BYTES)
        return self.current, nonce + self._ciphers[self.current].encrypt(nonce, data_key, owner.encode())

    def unwrap(self, version: int, wrapped: bytes, owner: str) -> bytes:
        """The data key. Raises WrongKey."""
        cipher = self._ciphers.get(version)
        if cipher is None:
            raise WrongKey(f"there is no key file content-{version}.key")
        try:
            return cipher.decrypt(wrapped[:NONCE_BYTES], wrapped[NONCE_BYTES:], owner.encode())
        except InvalidTag:
            raise WrongKey(f"content-{version}.key is not the key that this content was written with") from None


def create_key(folder: Path, version: int) -> Path:
    """Write a new random key file, readable by its owner only, on disk when this returns. Never overwrites."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = folder / f"content-{version}.key"
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(secrets.token_hex(KEY_BYTES) + "\n")
        file.flush()
        os.fsync(file.fileno())
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)
    return path


def _read(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (ValueError, OSError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError([_bad_key(path)])
    return key


def _no_key(folder: Path) -> Finding:
    return Finding(
        "config.key_missing",
        "error",
        "service",
        Text("Es ist kein Schlüssel für Inhalte vorhanden.", "There is no key for content."),
        path=str(folder),
        remedy=Text(
            "Stellen Sie die Datei content-1.key aus der Sicherung wieder her; bei einer neuen Installation erzeugen "
            "Sie sie mit: gateway keys create",
            "Restore content-1.key from the backup; for a new installation make it with: gateway keys create",
        ),
    )


def _bad_key(path: Path) -> Finding:
    return Finding(
        "config.key_unreadable",
        "error",
        "service",
        Text(
            "Die Schlüsseldatei ist nicht lesbar oder enthält nicht 64 hexadezimale Zeichen.",
            "The key file is not readable or does not hold 64 hexadecimal characters.",
        ),
        path=str(path),
        remedy=Text("Stellen Sie sie aus der Sicherung wieder her.", "Restore it from the backup."),
    )

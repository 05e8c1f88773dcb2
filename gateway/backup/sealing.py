"""The files of the keys under a passphrase: scrypt (RFC 7914) and AES-256-GCM. Whoever has a backup and not the
passphrase can read no content in it.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from gateway.backup.manifest import BadBackup
from gateway.errors import GatewayError

SHORTEST = 16
"""Characters of a passphrase."""
_COST = {"n": 2**16, "r": 8, "p": 1}
"""64 MiB and about a fifth of a second per guess."""
_SALT, _NONCE = 16, 12


def read_passphrase(path: Path) -> str:
    """The first line of a file. Raises GatewayError, OSError."""
    passphrase = path.read_text(encoding="utf-8").partition("\n")[0].strip()
    if len(passphrase) < SHORTEST:
        raise GatewayError(
            f"the passphrase in {path} has fewer than {SHORTEST} characters",
            code="passphrase_too_short",
            remedy="Make one, and keep it apart from the backups: openssl rand -base64 32",
        )
    return passphrase


def seal(files: Mapping[str, bytes], passphrase: str) -> bytes:
    """files: name → content."""
    salt, nonce = os.urandom(_SALT), os.urandom(_NONCE)
    plain = json.dumps({name: base64.b64encode(content).decode() for name, content in files.items()}).encode()
    sealed = AESGCM(_key(passphrase, salt)).encrypt(nonce, plain, None)
    return salt + nonce + sealed


def unseal(sealed: bytes, passphrase: str) -> dict[str, bytes]:
    """Raises BadBackup for another passphrase, or changed bytes."""
    salt, nonce, rest = sealed[:_SALT], sealed[_SALT : _SALT + _NONCE], sealed[_SALT + _NONCE :]
    try:
        plain = AESGCM(_key(passphrase, salt)).decrypt(nonce, rest, None)
    except InvalidTag:
        raise BadBackup("the keys do not open with this passphrase", code="wrong_passphrase") from None
    return {name: base64.b64decode(content) for name, content in json.loads(plain).items()}


def _key(passphrase: str, salt: bytes) -> bytes:
    return Scrypt(salt=salt, length=32, **_COST).derive(passphrase.encode())

"""A small token issuer for installations without an identity provider, and for the demo (RFC 6749 §4.4, RFC 9068).

One ES256 key in a file that only the owner may read; tokens live for minutes; client secrets are kept as scrypt
hashes only.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from joserfc import jwt
from joserfc.jwk import ECKey

ALGORITHM = "ES256"
LIFETIME_SECONDS = 900


@dataclass(frozen=True)
class TokenIssuer:
    """Signs access tokens. issuer, audience: the `iss` and `aud` claims that the settings' issuer entry expects."""

    key: ECKey
    issuer: str
    audience: str
    clock: Callable[[], datetime] = lambda: datetime.now(UTC)

    @classmethod
    def open(cls, folder: Path, *, issuer: str, audience: str) -> TokenIssuer:
        """The issuer with the key in `folder/token-issuer.pem`; made where there is none. Two starters end with one
        key.
        """
        path = folder / "token-issuer.pem"
        if not path.exists():
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            _write_once(path, ECKey.generate_key("P-256").as_pem(private=True))
        key = ECKey.import_key(path.read_bytes(), {"use": "sig", "alg": ALGORITHM})
        key.ensure_kid()
        return cls(key, issuer, audience)

    def issue(self, client_id: str, *, lifetime_seconds: int = LIFETIME_SECONDS) -> str:
        """A signed access token for `client_id`."""
        now = int(self.clock().timestamp())
        claims = {
            "iss": self.issuer,
            "aud": self.audience,
            "sub": client_id,
            "client_id": client_id,
            "iat": now,
            "exp": now + lifetime_seconds,
            "jti": secrets.token_urlsafe(16),
        }
        return jwt.encode({"alg": ALGORITHM, "typ": "at+jwt", "kid": self.key.kid}, claims, self.key, [ALGORITHM])

    def jwks(self) -> Mapping[str, Any]:
        """The public key as a JWKS document (RFC 7517)."""
        return {"keys": [self.key.as_dict(private=False)]}


def _write_once(path: Path, data: bytes) -> None:
    """Write a file that appears whole or not at all, readable by its owner only; an existing one stays."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.link(temporary, path)
    except FileExistsError:
        pass  # another process was first; its key counts
    finally:
        temporary.unlink()


# scrypt with the parameters that RFC 7914 and current advice give for logins: 32 MiB, some 60 ms.
_N, _R, _P, _MAX_MEMORY = 2**15, 8, 1, 64 * 1024 * 1024


def hash_secret(secret: str) -> str:
    """A client secret as it stands in a client's file: `scrypt$<salt>$<hash>`, both base64."""
    salt = secrets.token_bytes(16)
    return f"scrypt${_text(salt)}${_text(_scrypt(secret, salt))}"


def secret_matches(secret: str, stored: str | None) -> bool:
    """Constant time, and the same work for a client that has no secret, so that the answer's time tells nothing."""
    try:
        _, salt, expected = (stored or "").split("$")
        wanted = base64.b64decode(expected, validate=True)
        given = _scrypt(secret, base64.b64decode(salt, validate=True))
    except ValueError:
        _scrypt(secret, b"no such client..")
        return False
    return hmac.compare_digest(given, wanted)


def _scrypt(secret: str, salt: bytes) -> bytes:
    return hashlib.scrypt(secret.encode(), salt=salt, n=_N, r=_R, p=_P, maxmem=_MAX_MEMORY, dklen=32)


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()

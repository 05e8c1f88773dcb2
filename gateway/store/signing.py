"""The keys that the record is signed with: Ed25519 (RFC 8032), one file per version, `audit-<n>.key`, PEM (PKCS#8).

The highest version signs. Older files may go: their public keys stay in the database, and with whoever fetched them.
A key is named by its thumbprint (RFC 7638), which nobody can give to another key.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from joserfc.util import urlsafe_b64decode, urlsafe_b64encode

from gateway.errors import ConfigurationError, GatewayError
from gateway.store.key_files import write_key_file
from xoev_schemas.findings import Finding, Text

_FILE = re.compile(r"audit-(\d+)\.key")


@dataclass(frozen=True)
class PublicKey:
    """key: 32 bytes, as RFC 8032 has them."""

    key: bytes

    @property
    def key_id(self) -> str:
        members = {"crv": "Ed25519", "kty": "OKP", "x": _text(self.key)}
        canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
        return _text(hashlib.sha256(canonical.encode()).digest())

    def jwk(self) -> dict[str, str]:
        """RFC 8037 §2."""
        return {
            "kty": "OKP",
            "crv": "Ed25519",
            "x": _text(self.key),
            "kid": self.key_id,
            "use": "sig",
            "alg": "Ed25519",
        }

    def signed(self, statement: str, signature: bytes) -> bool:
        try:
            Ed25519PublicKey.from_public_bytes(self.key).verify(signature, statement.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


class SigningKey:
    """The key that signs now. version: of its file."""

    def __init__(self, version: int, key: Ed25519PrivateKey) -> None:
        self.version = version
        self._key = key
        self.public = PublicKey(key.public_key().public_bytes_raw())

    @classmethod
    def load(cls, folder: Path, *, create: bool) -> SigningKey:
        """The newest in `folder`; made where there is none and `create` says so. Raises ConfigurationError, OSError."""
        files = _files(folder)
        if not files:
            if not create:
                raise ConfigurationError([_fault(folder / "audit-1.key", "fehlt", "is missing")])
            path = folder / "audit-1.key"
            with contextlib.suppress(FileExistsError):  # another process was first; its key counts
                write_key_file(path, _pem(Ed25519PrivateKey.generate()))
            files = {1: path}
        newest = max(files)
        return cls(newest, _read(files[newest]))

    def sign(self, statement: str) -> bytes:
        """64 bytes."""
        return self._key.sign(statement.encode())


def public_keys(folder: Path) -> list[PublicKey]:
    """Of every key file in `folder`, oldest first. Raises ConfigurationError."""
    files = _files(folder)
    return [PublicKey(_read(files[version]).public_key().public_bytes_raw()) for version in sorted(files)]


def read_public_keys(path: Path) -> list[PublicKey]:
    """From a JWK set as `GET /v1/keys/audit` gives it, one JWK, or PEM. Raises GatewayError, OSError."""
    text = path.read_text(encoding="utf-8", errors="replace")
    try:
        if "-----BEGIN" in text:
            key = serialization.load_pem_public_key(text.encode())
            if not isinstance(key, Ed25519PublicKey):
                raise ValueError("another kind of key")
            return [PublicKey(key.public_bytes_raw())]
        document: Any = json.loads(text)
        return from_jwks(document.get("keys", [document]))
    except (ValueError, KeyError, TypeError, AttributeError):
        raise GatewayError(
            f"{path} holds no Ed25519 public key",
            code="no_public_key",
            remedy="Give the JWK set of GET /v1/keys/audit, or a public key as PEM.",
        ) from None


def from_jwks(keys: Iterable[Mapping[str, Any]]) -> list[PublicKey]:
    """Raises ValueError, KeyError for what is no Ed25519 key."""
    found = [PublicKey(urlsafe_b64decode(key["x"].encode())) for key in keys if key["crv"] == "Ed25519"]
    if not found or any(len(key.key) != 32 for key in found):
        raise ValueError("no Ed25519 key")
    return found


def _files(folder: Path) -> dict[int, Path]:
    return {int(m.group(1)): path for path in folder.glob("audit-*.key") if (m := _FILE.fullmatch(path.name))}


def _read(path: Path) -> Ed25519PrivateKey:
    try:
        key = serialization.load_pem_private_key(path.read_bytes(), None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, Ed25519PrivateKey):
        raise ConfigurationError([_fault(path, "ist kein Ed25519-Schlüssel (PEM)", "is no Ed25519 key (PEM)")])
    return key


def _pem(key: Ed25519PrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _text(data: bytes) -> str:
    return urlsafe_b64encode(data).decode().rstrip("=")


def _fault(path: Path, de: str, en: str) -> Finding:
    return Finding(
        "config.audit_key",
        "error",
        "service",
        Text(f"Der Schlüssel für das Siegel {de}.", f"The key that seals the record {en}."),
        path=str(path),
        remedy=Text("Stellen Sie ihn aus der Sicherung wieder her.", "Restore it from the backup."),
    )

"""Wrapping keys in a key service with the HTTP interface of HashiCorp Vault's transit engine (OpenBao has the same).

The wrapping keys never leave the service: it wraps and unwraps the data keys, each bound to its submission by
`associated_data`. Source: Vault API documentation, "Transit secrets engine" (encrypt, decrypt, keys, config).
"""

from __future__ import annotations

import base64
import re
import threading
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import httpx

from gateway.store.keys import KEY_BYTES, KeyServiceUnavailable, KeyVersion, WrongKey

SECONDS = 5.0
"""A sender waits meanwhile."""
_WRAPPED = re.compile(rb"vault:v([1-9][0-9]*):[A-Za-z0-9+/=]+")


class VaultKeys:
    """A `KeyService` over HTTP. url: `https://HOST[:PORT]/MOUNT/KEY`, MOUNT mostly `transit`.

    token_file: holds the token; it is read again whenever the service refuses the one in hand, because agents renew it.
    """

    def __init__(self, url: str, token_file: Path, *, transport: httpx.BaseTransport | None = None) -> None:
        parts = urlsplit(url)
        mount, _, self._key = parts.path.strip("/").rpartition("/")
        self._token_file = token_file
        self._token = ""
        self._lock = threading.Lock()
        self._http = httpx.Client(
            base_url=f"{parts.scheme}://{parts.netloc}/v1/{mount}/", timeout=SECONDS, transport=transport
        )

    def wrap(self, data_key: bytes, owner: str) -> tuple[int, bytes]:
        asked = {"plaintext": _base64(data_key), "associated_data": _base64(owner.encode())}
        wrapped = str(self._ask("POST", f"encrypt/{self._key}", asked).get("ciphertext")).encode()
        match = _WRAPPED.fullmatch(wrapped)
        if match is None:
            raise KeyServiceUnavailable("the key service answered without a wrapped key")
        return int(match.group(1)), wrapped

    def unwrap(self, version: int, wrapped: bytes, owner: str) -> bytes:
        match = _WRAPPED.fullmatch(wrapped)
        if match is None or int(match.group(1)) != version:
            raise WrongKey("this content was not written with a key of the key service")
        asked = {"ciphertext": wrapped.decode(), "associated_data": _base64(owner.encode())}
        answer = self._ask("POST", f"decrypt/{self._key}", asked, refusal=f"the key service does not open v{version}")
        try:
            key = base64.b64decode(str(answer.get("plaintext")), validate=True)
        except ValueError:
            key = b""
        if len(key) != KEY_BYTES:
            raise KeyServiceUnavailable("the key service answered without a key")
        return key

    def versions(self) -> list[KeyVersion]:
        answer = self._ask("GET", f"keys/{self._key}")
        oldest = max(int(answer.get("min_decryption_version", 1)), 1)
        made = {int(version): seconds for version, seconds in dict(answer.get("keys", {})).items()}
        return [KeyVersion(version, _moment(made[version])) for version in sorted(made) if version >= oldest]

    def create(self) -> int:
        self._ask("POST", f"keys/{self._key}/rotate")
        return self.versions()[-1].version

    def retire(self, version: int) -> None:
        self._ask("POST", f"keys/{self._key}/config", {"min_decryption_version": version + 1})

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None, *, refusal: str = "") -> dict[str, Any]:
        """The answer's `data`. refusal: what 400 means; without it, 400 is a fault like any other.

        No text of the service is repeated: it may quote what it was sent.
        """
        for fresh in (False, True):
            try:
                headers = {"X-Vault-Token": self._current_token(read=fresh), "X-Vault-Request": "true"}
                answer = self._http.request(method, path, json=body, headers=headers)
            except httpx.HTTPError as error:
                raise KeyServiceUnavailable(
                    f"the key service at {self._http.base_url.host} does not answer ({type(error).__name__})",
                    remedy="Bring it back; everything goes on by itself then.",
                ) from None
            if answer.status_code != 403:
                break
        if answer.status_code == 400 and refusal:
            raise WrongKey(refusal)
        if answer.status_code == 204:
            return {}
        if answer.status_code != 200:
            raise KeyServiceUnavailable(
                f"the key service at {self._http.base_url.host} answered {answer.status_code} to {method} {path}",
                remedy="403: is the token in key_service_token_file valid, and does its policy allow this path? "
                "404: are mount and key named right? 503: it is sealed.",
            )
        try:
            document = answer.json() if answer.content else {}
        except ValueError:
            raise KeyServiceUnavailable("the key service answered what is no JSON") from None
        return dict(document.get("data") or {})

    def _current_token(self, *, read: bool) -> str:
        with self._lock:
            if read or not self._token:
                try:
                    self._token = self._token_file.read_text(encoding="ascii").strip()
                except (OSError, ValueError):
                    raise KeyServiceUnavailable(f"the token in {self._token_file} is not readable") from None
            return self._token


def _base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _moment(value: object) -> datetime | None:
    """Seconds since 1970, or for asymmetric keys an object that we have no use for."""
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int) else None

"""A key service with the transit interface, strict where the real one is: token, paths, base64, associated data."""

from __future__ import annotations

import base64
import json
import re
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM


class TransitServer:
    """One key `ozg` under the mount `transit`. sealed: answers 503. token: the one that is valid. asked: paths."""

    def __init__(self) -> None:
        self.token = "first-token"
        self.sealed = False
        self.oldest = 1
        self.asked: list[str] = []
        self._keys = {1: (secrets.token_bytes(32), int(time.time()) - 7200)}
        self.url = ""

    def answer(self, method: str, path: str, token: str, body: dict[str, Any]) -> tuple[int, dict[str, Any] | None]:
        self.asked.append(f"{method} {path}")
        if self.sealed:
            return 503, {"errors": ["Vault is sealed"]}
        if token != self.token:
            return 403, {"errors": ["permission denied"]}
        routes = {
            "POST /v1/transit/encrypt/ozg": self._encrypt,
            "POST /v1/transit/decrypt/ozg": self._decrypt,
            "POST /v1/transit/keys/ozg/rotate": self._rotate,
            "POST /v1/transit/keys/ozg/config": self._configure,
            "GET /v1/transit/keys/ozg": self._describe,
        }
        route = routes.get(f"{method} {path}")
        if route is None:
            return 404, {"errors": []}
        try:
            data = route(body)
        except (KeyError, ValueError, InvalidTag):
            return 400, {"errors": [f"invalid request: {body}"]}
        return (200, {"data": data}) if data is not None else (204, None)

    def _encrypt(self, body: dict[str, Any]) -> dict[str, Any]:
        version, nonce = max(self._keys), secrets.token_bytes(12)
        plaintext, bound = (base64.b64decode(body[name], validate=True) for name in ("plaintext", "associated_data"))
        sealed = nonce + AESGCM(self._keys[version][0]).encrypt(nonce, plaintext, bound)
        return {"ciphertext": f"vault:v{version}:{base64.b64encode(sealed).decode()}", "key_version": version}

    def _decrypt(self, body: dict[str, Any]) -> dict[str, Any]:
        match = re.fullmatch(r"vault:v(\d+):(.+)", body["ciphertext"])
        if match is None or int(match.group(1)) < self.oldest:
            raise ValueError("ciphertext or signature version is disallowed by policy (too old)")
        sealed = base64.b64decode(match.group(2), validate=True)
        bound = base64.b64decode(body["associated_data"], validate=True)
        plain = AESGCM(self._keys[int(match.group(1))][0]).decrypt(sealed[:12], sealed[12:], bound)
        return {"plaintext": base64.b64encode(plain).decode()}

    def _rotate(self, _body: dict[str, Any]) -> dict[str, Any]:
        self._keys[max(self._keys) + 1] = (secrets.token_bytes(32), int(time.time()) - 7200)
        return self._describe({})

    def _configure(self, body: dict[str, Any]) -> None:
        if not 1 <= body["min_decryption_version"] <= max(self._keys):
            raise ValueError("min decryption version should not be greater than the latest available version")
        self.oldest = body["min_decryption_version"]

    def _describe(self, _body: dict[str, Any]) -> dict[str, Any]:
        keys = {str(version): made for version, (_, made) in self._keys.items() if version >= self.oldest}
        return {"type": "aes256-gcm96", "keys": keys, "min_decryption_version": self.oldest}


@contextmanager
def transit_server() -> Iterator[TransitServer]:
    service = TransitServer()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length)) if length else {}
            status, document = service.answer(self.command, self.path, self.headers.get("X-Vault-Token", ""), body)
            payload = b"" if document is None else json.dumps(document).encode()
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        do_GET = do_POST = _serve

        def log_message(self, format: str, *args: object) -> None: ...

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    service.url = f"http://127.0.0.1:{server.server_port}/transit/ozg"
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield service
    finally:
        server.shutdown()
        server.server_close()

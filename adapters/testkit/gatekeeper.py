"""Who may speak to a simulated department: Basic, an API key, or tokens of its own token endpoint."""

from __future__ import annotations

import base64
import json
import threading
from dataclasses import dataclass
from typing import Literal
from urllib.parse import parse_qs

from adapters.testkit.http_server import HttpReply, HttpRequest

TOKEN_PATH = "/token"  # noqa: S105 - an address


@dataclass(frozen=True, slots=True)
class ApiKey:
    name: str
    key: str
    place: Literal["header", "query"] = "header"


class Gatekeeper:
    """basic: `user:password`, also the client id and secret of the token endpoint. Thread-safe.

    tokens: whether a token of `POST /token` is wanted instead of Basic. form_secret: the endpoint takes the secret in
    the body only.
    """

    def __init__(
        self, *, basic: str = "", api_key: ApiKey | None = None, tokens: bool = False, form_secret: bool = False
    ) -> None:
        self._basic, self._api_key, self._tokens, self._form_secret = basic, api_key, tokens, form_secret
        self._lock = threading.Lock()
        self._valid: set[str] = set()
        self.issued = 0

    def revoke(self) -> None:
        """No token that was given out is good any more."""
        with self._lock:
            self._valid.clear()

    def answer(self, request: HttpRequest) -> HttpReply | None:
        """The reply of the token endpoint, or 401; None: the request may pass."""
        if self._tokens and request.path == TOKEN_PATH:
            return self._token(request)
        return None if self._knows(request) else _refused("who are you?")

    def _knows(self, request: HttpRequest) -> bool:
        shown = request.headers.get("authorization", "")
        if self._tokens:
            with self._lock:
                return shown.removeprefix("Bearer ") in self._valid
        if self._api_key is not None:
            place = request.headers if self._api_key.place == "header" else request.query
            name = self._api_key.name.lower() if self._api_key.place == "header" else self._api_key.name
            return place.get(name) == self._api_key.key
        return shown == _basic(self._basic)

    def _token(self, request: HttpRequest) -> HttpReply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        if form.get("grant_type") != "client_credentials":
            return _refused("unsupported_grant_type", 400)
        in_form = f"{form.get('client_id')}:{form.get('client_secret')}" == self._basic
        in_header = request.headers.get("authorization") == _basic(self._basic) and "client_secret" not in form
        if not (in_form if self._form_secret else in_header):
            return _refused("invalid_client")
        with self._lock:
            self.issued += 1
            token = f"token-{self.issued}"
            self._valid.add(token)
        body = {"access_token": token, "token_type": "Bearer", "expires_in": 3600}
        return HttpReply(200, "application/json", json.dumps(body).encode(), {"Cache-Control": "no-store"})


def _basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


def _refused(error: str, status: int = 401) -> HttpReply:
    return HttpReply(status, "application/json", json.dumps({"error": error}).encode())

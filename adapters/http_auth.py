"""How a gateway shows itself to an HTTP target: Basic, a fixed bearer token, an API key, or OAuth 2 client credentials
(RFC 6749 §4.4).
"""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated, Literal
from urllib.parse import quote_plus, urlencode

from pydantic import BaseModel, ConfigDict, Field

from adapters.base import OutcomeUnknown, Permanent, Retryable

if TYPE_CHECKING:
    from adapters.http import Answer

MASKED = "***"
"""What stands for a secret where a person may look."""

API_KEY = "X-API-Key"
"""Where a key goes that nobody gave a name: the most common one."""

_EARLY = 30.0
"""Seconds before its end at which a token is no longer used: it must outlive the request it goes with."""


class BasicAuth(BaseModel):
    """RFC 7617."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["basic"]
    username: str
    password: str


class BearerAuth(BaseModel):
    """A fixed token (RFC 6750)."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["bearer"]
    token: str


class ApiKeyAuth(BaseModel):
    """A fixed key in a header or in the query. name, in: as the target's OpenAPI document says where it has one scheme
    of this kind, else the header `X-API-Key`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["api_key"]
    key: str
    name: str | None = Field(default=None, pattern=r"^[!#$%&'*+.^_`|~0-9A-Za-z-]+$")
    place: Literal["header", "query"] | None = Field(default=None, alias="in")


class OAuthAuth(BaseModel):
    """Client credentials. credentials: id and secret go by HTTP Basic, as RFC 6749 §2.3.1 prefers, or in the body.

    Without a secret the client certificate of `tls` says who asks (RFC 8705 §2).
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    type: Literal["oauth"]
    token_url: str
    client_id: str
    client_secret: str | None = None
    credentials: Literal["header", "body"] = "header"
    scope: str | None = None


AuthSettings = Annotated[BasicAuth | BearerAuth | ApiKeyAuth | OAuthAuth, Field(discriminator="type")]

Exchange = Callable[[str, str, Mapping[str, str], bytes], "Answer"]


class Auth:
    """Makes what shows who asks: header fields, or a part of the query. Thread-safe; a token is fetched once and shared
    until shortly before its end.

    exchange: (method, URL, headers, content) → answer, for asking the token endpoint.
    """

    def __init__(
        self, settings: AuthSettings | None, exchange: Exchange, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._settings = settings
        self._exchange = exchange
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._ends = 0.0

    def headers(self) -> dict[str, str]:
        """Raises Retryable or Permanent when a token is needed and cannot be had: nothing was sent to the target
        then.
        """
        settings = self._settings
        if settings is None:
            return {}
        if isinstance(settings, BasicAuth):
            return {"Authorization": _basic(settings.username, settings.password)}
        if isinstance(settings, BearerAuth):
            return {"Authorization": f"Bearer {settings.token}"}
        if isinstance(settings, ApiKeyAuth):
            return {} if settings.place == "query" else {settings.name or API_KEY: settings.key}
        with self._lock:
            if self._clock() >= self._ends:
                self._token, lifetime = self._fetch(settings)
                self._ends = self._clock() + max(lifetime - _EARLY, 0.0)
            return {"Authorization": f"Bearer {self._token}"}

    def query(self) -> dict[str, str]:
        """What shows who asks, where it stands in the address."""
        settings = self._settings
        in_query = isinstance(settings, ApiKeyAuth) and settings.place == "query"
        return {settings.name or API_KEY: settings.key} if in_query and isinstance(settings, ApiKeyAuth) else {}

    def masked(self) -> dict[str, str]:
        """The header as `headers` makes it, without what is secret in it. Asks nobody."""
        settings = self._settings
        if settings is None:
            return {}
        if isinstance(settings, ApiKeyAuth):
            return dict.fromkeys(self.headers(), MASKED)
        return {"Authorization": f"{'Basic' if isinstance(settings, BasicAuth) else 'Bearer'} {MASKED}"}

    def renew(self) -> bool:
        """The target did not take the token: forget it. False when there is none to renew."""
        if not isinstance(self._settings, OAuthAuth):
            return False
        with self._lock:
            self._ends = 0.0
        return True

    def _fetch(self, settings: OAuthAuth) -> tuple[str, float]:
        form = {"grant_type": "client_credentials"} | ({"scope": settings.scope} if settings.scope else {})
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        secret = settings.client_secret
        if secret is None or settings.credentials == "body":
            form |= {"client_id": settings.client_id} | ({"client_secret": secret} if secret is not None else {})
        else:
            headers["Authorization"] = _basic(quote_plus(settings.client_id), quote_plus(secret))
        try:
            answer = self._exchange("POST", settings.token_url, headers, urlencode(form).encode())
        except OutcomeUnknown as error:  # of asking for a token, which may be repeated
            raise Retryable(f"oauth.{error.code}", detail=error.detail) from error
        if answer.status == 429 or answer.status >= 500:
            raise Retryable(f"oauth.http.{answer.status}", detail=answer.text())
        if answer.status != 200:
            raise Permanent(f"oauth.http.{answer.status}", failure="auth", detail=answer.text())
        return _read_token(answer)


def _read_token(answer: Answer) -> tuple[str, float]:
    try:
        given = json.loads(answer.body)
        return str(given["access_token"]), float(given.get("expires_in", 60))
    except (ValueError, KeyError, TypeError, AttributeError):
        # The answer holds a token perhaps: not even the encrypted detail gets it.
        raise Permanent("oauth.answer_unreadable", failure="auth") from None


def _basic(username: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{username}:{password}".encode()).decode("ascii")

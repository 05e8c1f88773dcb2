"""Who is asking: a bearer token (RFC 6750, verified with joserfc) or a client certificate forwarded by a trusted
proxy (RFC 9440).

What a token may be is fixed by configuration, never by the token: algorithms per issuer, keys by `kid` from that
issuer's own set, audience. Header parameters that bring their own key (`jwk`, `jku`, `x5u`, `x5c`) are not looked at;
unknown `crit` is refused.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import re
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import Key

from gateway.errors import ConfigurationError
from gateway.intake.keys import IssuerKeys, Load, loader
from gateway.intake.refusals import refused
from gateway.settings import Issuer
from xoev_schemas.documents import JsonDocument, Limits, Unreadable, parse
from xoev_schemas.findings import Finding, Text

SKEW_SECONDS = 60
MAX_TOKEN_BYTES = 8192
_CACHED_TOKENS = 2048
_SEGMENT = re.compile(r"[A-Za-z0-9_-]*")
_TYPES = frozenset({"jwt", "at+jwt", "application/at+jwt"})
_ASYMMETRIC = frozenset({"ES256", "ES384", "ES512", "PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "EdDSA"})


@dataclass(frozen=True, slots=True)
class Identity:
    """Whom a verified token names. expires_at: seconds since the epoch."""

    issuer: str
    client_id: str
    expires_at: float


class TokenVerifier:
    """Verifies access tokens of the configured issuers. Thread-safe; `verify` may block when an issuer's keys are
    fetched.

    local_keys: the JWKS of the installation's own issuer, for issuers whose `jwks` is `local`.
    """

    def __init__(self, issuers: Sequence[Issuer], *, local_keys: Load | None, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._issuers = {issuer.issuer: issuer for issuer in issuers}
        self._keys = {i.issuer: _keys_of(i, local_keys) for i in issuers}
        # Verifying costs some 150 µs, and a sender's token comes with each of its requests: what was verified is
        # remembered until it expires. The oldest goes first.
        self._verified: OrderedDict[str, Identity] = OrderedDict()

    def remembered(self, token: str) -> Identity | None:
        """The identity of a token verified before and not expired; never blocks."""
        identity = self._verified.get(token)
        if identity is None:
            return None
        if identity.expires_at <= self._clock().timestamp():
            self._verified.pop(token, None)
            return None
        return identity

    def verify(self, token: str) -> Identity:
        """Raises Refused 401 `token_invalid` or `token_expired`; which check failed is not told."""
        try:
            identity = self._verify(token)
        except (JoseError, Unreadable, ValueError, TypeError, KeyError):
            # joserfc lets plain Python exceptions through for some malformed tokens.
            raise refused("token_invalid") from None
        self._verified[token] = identity
        while len(self._verified) > _CACHED_TOKENS:
            self._verified.popitem(last=False)
        return identity

    def _verify(self, token: str) -> Identity:
        header, payload = split(token)
        claims = _object(payload)
        issuer = self._issuers[str(claims["iss"])]
        if str(header.get("typ", "JWT")).lower() not in _TYPES:
            raise ValueError("another kind of token")
        key = self._keys[issuer.issuer].key(str(header["kid"]))
        if key is None:
            raise ValueError("no such key")
        require_signature(token, header, key, issuer.algorithms)
        return self._judge(claims, issuer)

    def _judge(self, claims: Mapping[str, Any], issuer: Issuer) -> Identity:
        now = self._clock().timestamp()
        audience = claims["aud"]
        if issuer.audience not in (audience if isinstance(audience, list) else [audience]):
            raise ValueError("another audience")
        expires_at = _seconds(claims["exp"])
        if max(_seconds(claims.get("nbf", 0)), _seconds(claims.get("iat", 0))) > now + SKEW_SECONDS:
            raise ValueError("not yet valid")
        client_id = claims.get("client_id") or claims.get("azp") or claims["sub"]
        if not isinstance(client_id, str):
            raise TypeError("client id")
        if expires_at <= now:
            raise refused("token_expired")
        return Identity(issuer.issuer, client_id, expires_at)


def _keys_of(issuer: Issuer, local_keys: Load | None) -> IssuerKeys:
    wrong = sorted(set(issuer.algorithms) - _ASYMMETRIC)
    if wrong or (issuer.jwks == "local" and local_keys is None):
        reason = f"issuers: algorithms {', '.join(wrong)}" if wrong else "issuers: jwks: local"
        text = Text(
            "Zulässig sind nur asymmetrische Verfahren; „local“ verlangt den eigenen Aussteller.",
            "Only asymmetric algorithms are allowed; `local` needs the installation's own issuer.",
        )
        raise ConfigurationError([Finding("config.invalid", "error", "service", text, path=reason)])
    if issuer.jwks == "local" and local_keys is not None:
        return IssuerKeys(local_keys)
    return IssuerKeys(loader(issuer.jwks))


def _seconds(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise TypeError("not a time")
    return float(value)


def split(token: str) -> tuple[dict[str, Any], bytes]:
    """Header and payload of a compact JWS, not yet verified. Raises ValueError, TypeError or Unreadable.

    Only the canonical form: three segments, base64url without padding or spare bits, no header parameter twice.
    """
    if len(token) > MAX_TOKEN_BYTES:
        raise ValueError("too long")
    header, payload, signature = token.split(".")
    _decode(signature)
    return _object(_decode(header)), _decode(payload)


def require_signature(token: str, header: Mapping[str, Any], key: Key, algorithms: Sequence[str]) -> None:
    """Raises JoseError or ValueError unless `token` (split before) is signed with `key` by one of `algorithms`."""
    algorithm = header["alg"]
    if algorithm not in algorithms or not {"crit", "zip", "b64"}.isdisjoint(header):
        raise ValueError("header not allowed")
    if key.key_type == "oct" or key.get("alg", algorithm) != algorithm:
        raise ValueError("the key is not for this")
    jws.deserialize_compact(token, key, algorithms=[algorithm])


def _decode(segment: str) -> bytes:
    if not _SEGMENT.fullmatch(segment):
        raise ValueError("not base64url")
    data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise ValueError("not canonical base64url")
    return data


def _object(data: bytes) -> dict[str, Any]:
    document = parse(data, "application/json", Limits(max_bytes=MAX_TOKEN_BYTES, json_depth=8))
    if not isinstance(document, JsonDocument) or not isinstance(document.value, dict):
        raise TypeError("not an object")
    return document.value


class TrustedProxies:
    """The addresses whose forwarded headers are believed."""

    def __init__(self, networks: Sequence[str]) -> None:
        self._networks = [ipaddress.ip_network(n, strict=False) for n in networks]

    def __contains__(self, address: object) -> bool:
        try:
            parsed = ipaddress.ip_address(str(address))
        except ValueError:
            return False
        return any(parsed in network for network in self._networks)


def certificate_fingerprint(client_cert: str) -> str:
    """SHA-256 (hex) over the DER of a `Client-Cert` field (RFC 9440 §2.2: one byte sequence, `:base64:`). Raises
    Refused 401.
    """
    value = client_cert.strip(" ")
    try:
        if len(value) < 4 or not (value.startswith(":") and value.endswith(":")):
            raise ValueError("not a byte sequence")
        der = base64.b64decode(value[1:-1], validate=True)
    except ValueError:
        raise refused("token_invalid", path="Client-Cert") from None
    return hashlib.sha256(der).hexdigest()

"""Who may ask: tokens, certificates, and everything that only looks like one."""

from __future__ import annotations

import base64
import hmac
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from intake_support import Sender, code_of
from joserfc import jws, jwt
from joserfc.errors import JoseError
from joserfc.jwk import ECKey, Key, KeySet, RSAKey
from starlette.testclient import TestClient

from gateway import pipeline
from gateway.api.app import create_app
from gateway.errors import ConfigurationError, Refused
from gateway.intake.auth import TokenVerifier, TrustedProxies, certificate_fingerprint, require_signature, split
from gateway.intake.keys import MAX_AGE_SECONDS, REFRESH_SECONDS, IssuerKeys
from gateway.intake.tokens import TokenIssuer, hash_secret, secret_matches
from gateway.settings import Issuer
from xoev_schemas.documents import Unreadable

ISSUER = "https://id.example.org"
ASYMMETRIC = [f"{kind}{size}" for kind in ("ES", "PS", "RS") for size in (256, 384, 512)]
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
KEY = ECKey.generate_key("P-256", {"kid": "one", "use": "sig"})
RSA = RSAKey.generate_key(2048, {"kid": "rsa"})


def claims(**changes: Any) -> dict[str, Any]:
    now = int(NOW.timestamp())
    whole = {"iss": ISSUER, "aud": "ozg-gateway", "sub": "portal", "iat": now, "nbf": now, "exp": now + 600, **changes}
    return {name: value for name, value in whole.items() if value is not None}


def token(header: Mapping[str, Any] | None = None, key: Any = KEY, **changes: Any) -> str:
    head = {"alg": "ES256", "kid": "one", **(header or {})}
    return jwt.encode({k: v for k, v in head.items() if v is not None}, claims(**changes), key, [head["alg"]])


def segment(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def verifier(keys: Any = None, clock: Callable[[], datetime] = lambda: NOW, **options: Any) -> TokenVerifier:
    document = keys or {"keys": [KEY.as_dict(private=False), RSA.as_dict(private=False)]}
    issuer = Issuer(issuer=ISSUER, jwks="local", algorithms=["ES256"], **options)
    return TokenVerifier([issuer], local_keys=lambda: document, clock=clock)


def refusal(check: Callable[[], Any]) -> str:
    with pytest.raises(Refused) as caught:
        check()
    return caught.value.code


def test_a_good_token_names_its_client() -> None:
    assert verifier().verify(token()).client_id == "portal"
    assert verifier().verify(token(client_id="a", azp="b")).client_id == "a"
    assert verifier().verify(token(azp="b", aud=["x", "ozg-gateway"])).client_id == "b"
    assert verifier().verify(token({"typ": "at+jwt"})).client_id == "portal"


SIGNED = token()
HEAD, BODY, SIGNATURE = SIGNED.split(".")
TWO_ALGORITHMS = b'{"alg":"none","alg":"ES256","kid":"one"}'
PUBLIC_PEM = KEY.as_pem(private=False)


def signed_with_public_key() -> str:
    """The oldest confusion: the public key taken for a shared secret. By hand, because joserfc refuses to make one."""
    signed = f"{segment({'alg': 'HS256', 'kid': 'one'})}.{BODY}"
    return f"{signed}.{segment(hmac.digest(PUBLIC_PEM, signed.encode(), 'sha256'))}"


BAD_TOKENS = {
    "no token": "",
    "two segments": f"{HEAD}.{BODY}",
    "four segments": f"{SIGNED}.{SIGNATURE}",
    "padded": f"{HEAD}.{BODY}.{SIGNATURE}==",
    "white space inside": f"{HEAD}.{BODY} .{SIGNATURE}",
    "spare bits": SIGNED[:-1] + chr(ord(SIGNED[-1]) + 1),
    "other claims": f"{HEAD}.{segment(claims(sub='other'))}.{SIGNATURE}",
    "not signed": f"{segment({'alg': 'none', 'kid': 'one'})}.{BODY}.",
    "signature of nothing": f"{segment({'alg': 'none', 'kid': 'one'})}.{BODY}.{SIGNATURE}",
    "algorithm twice": f"{segment(TWO_ALGORITHMS)}.{BODY}.{SIGNATURE}",
    "signed with the public key as a secret": signed_with_public_key(),
    "another algorithm of the issuer's own key": token({"alg": "RS256", "kid": "rsa"}, RSA),
    "somebody else's key": token(key=ECKey.generate_key("P-256", {"kid": "one"})),
    "an unknown key": token({"kid": "two"}),
    "a key that is a path": token({"kid": "../../one"}),
    "no key named": token({"kid": None}),
    "a key of its own": token({"kid": "evil", "jwk": KEY.as_dict(private=False)}),
    "an extension that must be understood": jws.serialize_compact(
        {"alg": "ES256", "kid": "one", "crit": ["b64"], "b64": True}, json.dumps(claims()), KEY
    ),
    "another issuer": token(iss="https://evil.example.org"),
    "no issuer": token(iss=None),
    "another audience": token(aud="somebody"),
    "no audience": token(aud=None),
    "no end": token(exp=None),
    "an end in words": token(exp="never"),
    "an end that is true": token(exp=True),
    "not yet valid": token(nbf=int(NOW.timestamp()) + 120),
    "issued in the future": token(iat=int(NOW.timestamp()) + 120),
    "a client that is a number": token(client_id=7),
    "a security event": token({"typ": "secevent+jwt"}),
    "claims that are a list": jws.serialize_compact({"alg": "ES256", "kid": "one"}, "[]", KEY),
    "too long": SIGNED + "A" * 9000,
}


@pytest.mark.parametrize("text", BAD_TOKENS.values(), ids=BAD_TOKENS.keys())
def test_whatever_only_looks_like_a_token_is_refused_in_the_same_way(text: str) -> None:
    judge = verifier()
    assert refusal(lambda: judge.verify(text)) == "token_invalid"
    assert judge.remembered(text) is None


def test_a_token_ends_when_it_says_so_also_when_it_was_seen_before() -> None:
    now = [NOW]
    judge = verifier(clock=lambda: now[0])
    judge.verify(SIGNED)
    now[0] = NOW + timedelta(seconds=599)
    assert judge.remembered(SIGNED) is not None
    now[0] = NOW + timedelta(seconds=600)
    assert judge.remembered(SIGNED) is None
    assert refusal(lambda: judge.verify(SIGNED)) == "token_expired"


def test_what_is_remembered_has_an_end() -> None:
    judge = verifier()
    tokens = [token(jti=str(i)) for i in range(2060)]
    for text in tokens:
        judge.verify(text)
    assert judge.remembered(tokens[0]) is None
    assert judge.remembered(tokens[-1]) is not None


def signature_holds(text: str, key: Key, algorithms: list[str]) -> bool:
    try:
        header, _ = split(text)
        require_signature(text, header, key, algorithms)
    except (JoseError, Unreadable, ValueError, TypeError, KeyError):
        return False
    return True


KEY_SAYS_ANOTHER_ALGORITHM = {346, 347, 350, 351}
"""Valid by signature, but the key's own `alg` is another one (PS256 for PS384, "ES521"): refused here on purpose."""


def test_wycheproofs_signatures_get_wycheproofs_verdicts(test_data: Path) -> None:
    """Asymmetric groups only: there are no others here."""
    suite = json.loads((test_data / "hostile/jose/wycheproof/testvectors_v1/json_web_signature_test.json").read_text())
    judged = {"valid": 0, "invalid": 0}
    for group in suite["testGroups"]:
        public = group.get("public") or {}
        if public.get("kty") not in ("EC", "RSA"):
            continue
        key = KeySet.import_key_set({"keys": [public]}).keys[0]
        for test in group["tests"]:
            if isinstance(test["jws"], str) and test["result"] in judged:
                holds = signature_holds(test["jws"], key, ASYMMETRIC)
                wanted = test["result"] == "valid" and test["tcId"] not in KEY_SAYS_ANOTHER_ALGORITHM
                assert holds == wanted, (test["tcId"], test["comment"])
                judged[test["result"]] += 1
    assert judged["valid"] > 5
    assert judged["invalid"] > 100


@pytest.mark.parametrize("algorithms", [["HS256"], ["none"], ["ES256", "HS512"]])
def test_an_issuer_with_a_shared_secret_is_a_fault_of_configuration(algorithms: list[str]) -> None:
    with pytest.raises(ConfigurationError):
        TokenVerifier(
            [Issuer(issuer=ISSUER, algorithms=algorithms)], local_keys=lambda: {"keys": []}, clock=lambda: NOW
        )


def test_unknown_keys_cause_one_refresh_a_minute_and_a_new_key_is_found_by_it() -> None:
    now, asked = [0.0], [0]
    document: dict[str, Any] = {"keys": [KEY.as_dict(private=False)]}

    def load() -> dict[str, Any]:
        asked[0] += 1
        return document

    keys = IssuerKeys(load, monotonic=lambda: now[0])
    assert keys.key("one") is not None
    for number in range(1000):
        assert keys.key(f"unknown-{number}") is None
    assert asked[0] == 1
    document = {"keys": [ECKey.generate_key("P-256", {"kid": "two"}).as_dict(private=False)]}
    now[0] += REFRESH_SECONDS
    assert keys.key("two") is not None
    assert keys.key("one") is None, "a key that the issuer withdrew is gone"
    assert asked[0] == 2
    now[0] += MAX_AGE_SECONDS
    keys.key("two")
    assert asked[0] == 3


def test_an_issuer_that_does_not_answer_leaves_the_known_keys_alone() -> None:
    now = [0.0]
    answers: list[Any] = [{"keys": [KEY.as_dict(private=False)]}, OSError("away"), {"nonsense": 1}, {"keys": "x"}]

    def load() -> Any:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    keys = IssuerKeys(load, monotonic=lambda: now[0])
    for _ in range(4):
        assert keys.key("one") is not None
        now[0] += MAX_AGE_SECONDS
    assert answers == []


def test_two_starters_end_with_one_key(tmp_path: Path) -> None:
    first = TokenIssuer.open(tmp_path / "keys", issuer="i", audience="a")
    second = TokenIssuer.open(tmp_path / "keys", issuer="i", audience="a")
    assert first.jwks() == second.jwks()
    assert "d" not in first.jwks()["keys"][0], "the private half stays here"
    (file,) = (tmp_path / "keys").iterdir()
    assert file.stat().st_mode & 0o077 == 0


def test_a_secret_matches_its_own_hash_only() -> None:
    stored = hash_secret("correct horse")
    assert secret_matches("correct horse", stored)
    for wrong in ("", "correct", "correct horse "):
        assert not secret_matches(wrong, stored)
    for unusable in (None, "", "plain", "scrypt$x$y", "$$"):
        assert not secret_matches("correct horse", unusable)


def test_addresses_are_compared_as_addresses() -> None:
    proxies = TrustedProxies(["10.0.0.0/8", "::1"])
    assert all(a in proxies for a in ("10.1.2.3", "::1"))
    assert not any(a in proxies for a in ("11.0.0.1", "testclient", "", "10.0.0.1.evil.example"))


@pytest.mark.parametrize("field", ["", ":", "::", "abc", ":a b:", ":YWJj", ":YWJj:, :YWJj:", ":YWJj:;x=1"])
def test_a_client_cert_field_that_is_none_is_refused(field: str) -> None:
    assert refusal(lambda: certificate_fingerprint(field)) == "token_invalid"


# ------------------------------------------------------------------------------------------------ over the interface

CERTIFICATE = {"Client-Cert": f":{base64.b64encode(b'der of a certificate').decode()}:"}


def test_without_credentials_the_answer_says_how_to_get_in(sender: Sender) -> None:
    answer = sender.http.get("/v1/services")
    assert code_of(answer) == (401, "token_missing")
    assert answer.headers["www-authenticate"].startswith("Bearer ")


@pytest.mark.parametrize("value", ["Bearer", "Bearer  ", "Bearer abc", "bearer a.b.c"])
def test_bad_credentials_are_refused(sender: Sender, value: str) -> None:
    answer = sender.http.get("/v1/services", headers={"Authorization": value})
    assert code_of(answer) == (401, "token_invalid")
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]


def test_another_way_of_authentication_is_told_which_ones_there_are(sender: Sender) -> None:
    answer = sender.http.get("/v1/services", headers={"Authorization": "Basic YTpi"})

    assert code_of(answer) == (401, "authentication_unsupported")
    assert answer.headers["www-authenticate"] == 'Bearer realm="ozg-gateway"'
    assert answer.json()["findings"][0]["allowed"] == "Bearer"


def test_an_expired_token_is_refused_as_expired(sender: Sender) -> None:
    expired = sender.token(lifetime_seconds=-1)
    assert code_of(sender.http.get("/v1/services", headers={"Authorization": f"Bearer {expired}"})) == (
        401,
        "token_expired",
    )


def test_a_client_that_is_not_configured_here_is_refused(sender: Sender) -> None:
    assert code_of(sender.get("/v1/services", client_id="nobody")) == (403, "client_unknown")


def test_a_certificate_is_believed_from_a_trusted_proxy_only(sender: Sender) -> None:
    assert code_of(sender.http.get("/v1/services", headers=CERTIFICATE)) == (401, "token_missing")
    gateway = sender.gateway
    untrusting = gateway.settings
    gateway.settings = untrusting.model_copy(update={"trusted_proxies": ["10.0.0.0/8"]})
    try:
        app = create_app(gateway, pipeline)
    finally:
        gateway.settings = untrusting
    with TestClient(app, client=("10.0.0.7", 1)) as proxy, TestClient(app, client=("192.0.2.1", 1)) as stranger:
        assert proxy.get("/v1/services", headers=CERTIFICATE).status_code == 200
        assert code_of(proxy.get("/v1/services", headers={"Client-Cert": ":b3RoZXI=:"})) == (403, "client_unknown")
        assert code_of(proxy.get("/v1/services")) == (401, "token_missing")
        assert code_of(stranger.get("/v1/services", headers=CERTIFICATE)) == (401, "token_missing")
        both = {**CERTIFICATE, "Authorization": "Bearer x.y.z"}
        assert code_of(proxy.get("/v1/services", headers=both)) == (401, "token_invalid"), (
            "a bad token is never ignored"
        )

"""Health, metrics, tokens."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from intake_support import Sender, code_of, open_sender
from starlette.testclient import TestClient

from gateway import pipeline
from gateway.api.app import create_app
from gateway.api.operations import FailedLogins
from gateway.errors import Refused, StoreUnavailable
from gateway.intake.tokens import hash_secret
from queues.base import BrokerUnavailable

SECRET = "s3:cret &%+ü"


@pytest.fixture
def secretive(tmp_path: Path) -> Iterator[Sender]:
    """A gateway of its own, whose demo portal has a secret."""
    for sender in open_sender(tmp_path):
        packages = sender.gateway.packages
        portal = replace(packages.clients["demo-portal"], secret_scrypt=hash_secret(SECRET))
        sender.gateway.packages = replace(packages, clients={**packages.clients, "demo-portal": portal})
        yield sender


def ask(sender: Sender, headers: dict[str, str] | None = None, **form: str) -> Any:
    return sender.http.post("/oauth/token", data={"grant_type": "client_credentials", **form}, headers=headers)


def basic(name: str, secret: str) -> dict[str, str]:
    pair = f"{quote(name, safe='')}:{quote(secret, safe='')}"
    return {"Authorization": f"Basic {base64.b64encode(pair.encode()).decode()}"}


def test_the_right_secret_gets_a_token_that_works(secretive: Sender) -> None:
    for answer in (
        ask(secretive, client_id="demo-portal", client_secret=SECRET),
        ask(secretive, basic("demo-portal", SECRET)),
    ):
        assert answer.status_code == 200, answer.text
        headers = {"Authorization": f"Bearer {answer.json()['access_token']}"}
        assert secretive.http.get("/v1/services", headers=headers).status_code == 200


def test_wrong_secrets_look_all_alike_and_end_in_a_pause(secretive: Sender) -> None:
    wrong = [
        ask(secretive, client_id="demo-portal", client_secret="guess"),
        ask(secretive, client_id="nobody", client_secret="guess"),
        ask(secretive, client_id="narrow", client_secret=""),
        ask(secretive, {"Authorization": "Basic %%%"}),
    ]
    assert {(a.status_code, a.text) for a in wrong} == {(401, '{"error":"invalid_client"}')}
    for _ in range(9):
        ask(secretive, client_id="demo-portal", client_secret="guess")
    answer = ask(secretive, client_id="demo-portal", client_secret=SECRET)
    assert code_of(answer) == (429, "too_many_attempts")
    assert int(answer.headers["retry-after"]) > 0


def test_failures_are_forgotten_after_a_minute() -> None:
    now = [0.0]
    failures = FailedLogins(lambda: now[0])
    for _ in range(10):
        failures.count(("a", "1"))
    with pytest.raises(Refused):
        failures.check(("a", "1"))
    failures.check(("a", "2"))
    now[0] = 61
    failures.check(("a", "1"))


@pytest.mark.parametrize(
    ("form", "error"),
    [
        ({"grant_type": "password"}, "unsupported_grant_type"),
        ({}, "invalid_request"),
        ({"grant_type": ["client_credentials", "client_credentials"]}, "invalid_request"),
    ],
)
def test_other_grants_are_refused_as_oauth_says(sender: Sender, form: dict[str, Any], error: str) -> None:
    answer = sender.http.post("/oauth/token", data=form, headers={"Content-Type": "application/x-www-form-urlencoded"})
    assert (answer.status_code, answer.json()) == (400, {"error": error})


def test_health_names_its_parts_and_nothing_more(sender: Sender) -> None:
    assert sender.http.get("/health/live").json() == {"status": "up"}
    ready = sender.http.get("/health/ready")
    assert ready.status_code == 200
    assert ready.json() == {"status": "up", "parts": {"database": "up", "broker": "up", "packages": "up"}}


def test_without_the_broker_it_still_accepts_without_the_database_it_does_not(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(error: Exception) -> Any:
        def raise_it() -> Any:
            raise error

        return raise_it

    monkeypatch.setattr(sender.gateway.broker, "depths", away(BrokerUnavailable("amqp://user:secret@host")))
    with TestClient(create_app(sender.gateway, pipeline)) as http:
        ready = http.get("/health/ready")
        assert (ready.status_code, ready.json()["parts"]["broker"]) == (200, "down")
    monkeypatch.setattr(sender.gateway.store, "backlog", away(StoreUnavailable("postgresql://user:secret@host")))
    with TestClient(create_app(sender.gateway, pipeline)) as http:
        ready = http.get("/health/ready")
        assert (ready.status_code, ready.json()["parts"]["database"]) == (503, "down")
        assert "secret" not in ready.text
        answer = http.post(
            "/v1/submissions", headers={**sender.authorized(), "Content-Type": "multipart/form-data; boundary=b"}
        )
        assert code_of(answer) == (503, "store_unavailable")
        assert answer.headers["retry-after"]


def test_metrics_count_by_name_and_never_by_id(sender: Sender) -> None:
    accepted = sender.send().json()
    sender.get(f"/v1/submissions/{accepted['submissionId']}")
    text = sender.http.get("/metrics").text
    assert 'gateway_submissions_total{channel="rest",result="accepted",service="hundesteuer-anmeldung"}' in text
    assert 'route="/v1/submissions/{submission_id}"' in text
    assert accepted["submissionId"] not in text
    assert accepted["caseId"] not in text


def test_public_keys_are_public_and_private_ones_are_not(sender: Sender) -> None:
    (key,) = sender.http.get("/.well-known/jwks.json").json()["keys"]
    assert (key["kty"], key["crv"], key["alg"]) == ("EC", "P-256", "ES256")
    assert "d" not in key


def test_an_installation_without_an_issuer_of_its_own_gives_no_tokens(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sender.gateway, "token_issuer", None)
    assert code_of(sender.http.get("/.well-known/jwks.json")) == (404, "not_found")
    assert code_of(ask(sender, client_id="demo-portal", client_secret="x")) == (404, "not_found")


def test_the_description_is_not_public_in_production(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    assert sender.http.get("/openapi.json").status_code == 200
    production = sender.gateway.settings.model_copy(update={"stage": "production"})
    monkeypatch.setattr(sender.gateway, "settings", production)
    with TestClient(create_app(sender.gateway, pipeline)) as http:
        for path in ("/openapi.json", "/docs", "/redoc"):
            assert code_of(http.get(path)) == (404, "not_found")


def test_metrics_say_what_is_open_in_the_whole_installation(sender: Sender) -> None:
    def gauge(name: str) -> float:
        lines = sender.http.get("/metrics").text.splitlines()
        return sum(float(line.split()[-1]) for line in lines if line.startswith(name))

    waiting, rows = gauge('gateway_open_deliveries{state="queued",target="hundesteuer"}'), gauge("gateway_outbox_rows")
    assert sender.send().status_code == 202

    assert gauge('gateway_open_deliveries{state="queued",target="hundesteuer"}') == waiting + 1
    assert gauge("gateway_outbox_rows") == rows + 3, "one for each target"
    assert gauge("gateway_outbox_oldest_seconds") > 0

"""A preview is what would go out: the same bytes and header fields as `deliver` sends, without anybody's secrets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from department_files import write

from adapters.amqp import AmqpAdapter
from adapters.base import Permanent, Previews, Request, TargetConfig
from adapters.demo import SucceedingAdapter
from adapters.rest import RestAdapter
from adapters.soap import SoapAdapter
from adapters.testkit.http_department import Case, HttpDepartment, HttpReply, HttpRequest

SECRETS = {"headers": {"X-Api-Key": "geheim-1"}, "auth": {"type": "basic", "username": "amt", "password": "geheim-2"}}
SOAP = {"wsdl": "t.wsdl", "operation": "VorgangAnlegen", "repeat_mark": "$.Vorgang.Wiederholung"}
REST = {"openapi": "t.openapi.yaml", "path": "/vorgaenge"}
ADAPTERS = [
    pytest.param(SoapAdapter, SOAP, "$.Vorgang.FremdId", {"Vorgang": {"Art": "NEU", "Name": ["A"]}}, id="soap"),
    pytest.param(RestAdapter, REST, "$.fremdId", {"art": "NEU", "name": "A"}, id="rest"),
]


class Listener(HttpDepartment):
    """Keeps what it gets, and refuses it."""

    def __init__(self) -> None:
        super().__init__(prefix="X", idempotent=False)
        self.requests: list[HttpRequest] = []

    def read(self, request: HttpRequest) -> HttpReply | Case:
        self.requests.append(request)
        return self.refusal()

    def act(self, case: Case) -> HttpReply:
        return self.refusal()

    def refusal(self) -> HttpReply:
        return HttpReply(400, "text/plain", b"no")


@pytest.fixture
def listener() -> Iterator[Listener]:
    with Listener() as started:
        yield started


def request(body: dict[str, Any]) -> Request:
    return Request("key-1", "submission-1", body, "service", "2026-01-02T03:04:05Z", possible_repeat=True)


@pytest.mark.parametrize(("kind", "settings", "key", "body"), ADAPTERS)
def test_what_is_shown_is_what_is_sent_but_for_the_secrets(
    kind: Any, settings: dict[str, Any], key: str, body: dict[str, Any], tmp_path: Path, listener: Listener
) -> None:
    adapter = kind(TargetConfig("t", str(write(tmp_path)), {**settings, **SECRETS, "url": listener.url}, key=key))
    assert isinstance(adapter, Previews)

    shown = adapter.preview(request(body))
    assert listener.requests == [], "nothing is sent"
    with pytest.raises(Permanent, match="rejected_by_target"):
        adapter.deliver(request(body))

    [sent] = listener.requests
    headers = {name.lower(): value for name, value in shown.headers.items()}
    assert (shown.action, shown.body) == (sent.method, sent.body)
    assert shown.address.rstrip("/").endswith(sent.path.rstrip("/"))
    assert headers.keys() == sent.headers.keys()
    assert {name for name in headers if headers[name] != sent.headers[name]} == {"x-api-key", "authorization"}
    assert (headers["x-api-key"], headers["authorization"]) == ("***", "Basic ***")
    adapter.close()


@pytest.mark.parametrize(("kind", "settings", "key", "body"), ADAPTERS)
def test_what_could_not_be_sent_cannot_be_shown(
    kind: Any, settings: dict[str, Any], key: str, body: dict[str, Any], tmp_path: Path
) -> None:
    url = "http://127.0.0.1:9"
    adapter = kind(TargetConfig("t", str(write(tmp_path)), {**settings, "url": url}, key=key))
    with pytest.raises(Permanent) as refused:
        adapter.preview(request({**body, "unbekannt": 1}))
    assert refused.value.failure == "mapping"


def test_an_oauth_token_is_not_fetched_for_a_preview(tmp_path: Path) -> None:
    auth = {"type": "oauth", "token_url": "http://127.0.0.1:9/token", "client_id": "c", "client_secret": "geheim"}
    url = "http://127.0.0.1:9/api"
    adapter = RestAdapter(TargetConfig("t", str(write(tmp_path)), {**REST, "url": url, "auth": auth}))
    shown = adapter.preview(request({"art": "NEU", "name": "A"}))
    assert shown.headers["Authorization"] == "Bearer ***"


def test_a_queue_is_shown_with_its_properties_and_without_its_password() -> None:
    settings = {"url": "amqp://amt:geheim@127.0.0.1:9/vhost", "queue": "faelle", "content": "inline"}
    shown = AmqpAdapter(TargetConfig("t", "", settings)).preview(request({"name": "A"}))
    assert shown.action == "publish"
    assert shown.address == "amqp://127.0.0.1:9/vhost (queue faelle)"
    assert shown.headers["cloudEvents:id"] == shown.headers["message-id"] == "key-1"
    assert json.loads(shown.body) == {"name": "A"}


def test_showing_is_an_offer_that_an_adapter_need_not_make() -> None:
    assert not isinstance(SucceedingAdapter(TargetConfig("t", "", {})), Previews)

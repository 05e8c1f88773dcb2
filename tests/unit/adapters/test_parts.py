"""The small parts: paths, attachments in bodies, OpenAPI, the event of the queue, demo adapters, finding adapters."""

from __future__ import annotations

import json
import threading
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from adapters import content, paths
from adapters.amqp import AmqpAdapter
from adapters.amqp.adapter import EVENT_SCHEMA, EVENT_TYPE
from adapters.base import (
    Adapter,
    DeliveryError,
    OutcomeUnknown,
    Permanent,
    Request,
    RequestAttachment,
    Retryable,
    TargetConfig,
)
from adapters.demo import CrashingAdapter, FailingAdapter
from adapters.openapi import OpenApi, OpenApiUnusable
from adapters.registry import AdapterUnknown, adapter_names, load_adapter
from adapters.rest import RestAdapter
from adapters.testkit.ledger import Ledger
from queues import open_broker
from queues.base import Delivered, Queue, Topology, Verdict

names = st.text(st.sampled_from("abcXYZ019_-"), min_size=1, max_size=6)


def request(key: str = "k", **changed: Any) -> Request:
    given: dict[str, Any] = {
        "submission_id": "s1",
        "body": {},
        "service": "dienst",
        "received_at": "2026-01-01T00:00:00Z",
    }
    return Request(key, **(given | changed))


@given(st.lists(names, min_size=1, max_size=4), st.dictionaries(names, st.integers(), max_size=3))
def test_what_is_written_at_a_path_is_read_there(steps: list[str], body: dict[str, Any]) -> None:
    path = "$." + ".".join(steps)
    before = json.dumps(body)
    try:
        changed = paths.write(body, path, "v")
    except ValueError:
        assert steps[0] in body  # a leaf stood in the way
        return
    assert paths.read(changed, path) == "v"
    assert json.dumps(body) == before
    assert {k: v for k, v in changed.items() if k != steps[0]} == {k: v for k, v in body.items() if k != steps[0]}


@pytest.mark.parametrize("path", ["", "a", "$a", "$..a", "$.a[", "$.a[-1]", "$.a[*]", "$.a b"])
def test_what_is_no_path_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match="path"):
        paths.parse(path)


def test_one_path_reads_json_and_xml() -> None:
    element = etree.fromstring('<r xmlns="urn:x"><A><B n="3"> 1 </B><B>2</B></A><E/></r>')
    assert paths.read({"A": {"B": ["1", "2"]}}, "$.A.B[1]") == "2"
    assert paths.read_xml(element, "$.A.B[1]") == "2"
    assert paths.read_xml(element, "$.A.B") == "1"
    assert paths.read_xml(element, "$.A.B.@n") == "3"
    for nothing in ("$.E", "$.A", "$.X.Y", "$.A.B[2]", "$.X.@n"):
        assert paths.read_xml(element, nothing) is None
    assert paths.read([{"a": 1}], "$[1].a") is None


def test_an_attachment_that_the_target_does_not_get_cannot_be_named() -> None:
    attachment = RequestAttachment("a1", "x.pdf", "application/pdf", 2, "", lambda: iter([b"x", b"y"]))
    body = {"list": [{"data": {"$attachment": "a1"}}], "n": 1}
    assert content.fill(body, [attachment], bytes) == {"list": [{"data": b"xy"}], "n": 1}
    with pytest.raises(Permanent) as caught:
        content.fill({"data": {"$attachment": "a2"}}, [attachment], bytes)
    assert caught.value.failure == "mapping"


# --- OpenAPI ----------------------------------------------------------------------------------------------------------


def openapi(folder: Path, version: str, schema: dict[str, Any]) -> OpenApi:
    operation = {"requestBody": {"content": {"application/json": {"schema": schema}}}, "responses": {}}
    file = folder / "api.json"
    file.write_text(json.dumps({"openapi": version, "paths": {"/a": {"post": operation}}}))
    return OpenApi(file)


def test_amounts_and_nullable_members_are_checked_as_numbers(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"x": {"type": "number", "nullable": True, "maximum": 10}}}
    operation = openapi(tmp_path, "3.0.3", schema).operation("POST", "/a")
    assert operation.body_errors({"x": Decimal("9.99")}) == []
    assert operation.body_errors({"x": None}) == []
    assert operation.body_errors({"x": Decimal("10.01")})
    assert operation.body_errors({"x": "9"})


def test_an_openapi_document_that_leads_elsewhere_is_refused(tmp_path: Path) -> None:
    document = openapi(tmp_path, "3.1.0", {"$ref": "http://127.0.0.1:1/other.json"})
    with pytest.raises(OpenApiUnusable):
        document.operation("POST", "/a")
    with pytest.raises(OpenApiUnusable, match="did you mean POST /a"):
        openapi(tmp_path, "3.1.0", {}).operation("POST", "/aa")


def test_a_probe_of_one_case_takes_404_for_no_and_a_search_takes_it_for_a_wrong_path() -> None:
    def config(path: str) -> TargetConfig:
        return TargetConfig("t", ".", {"url": "http://127.0.0.1:1"}, probe={"path": path}, timeout=1.0)

    assert RestAdapter(config("/vorgaenge")).check()  # names no {key}
    assert RestAdapter(config("/vorgaenge/{key}")).check() == []
    with pytest.raises(Retryable):
        RestAdapter(config("/vorgaenge/{key}")).probe("k")


# --- The queue --------------------------------------------------------------------------------------------------------


def event(**settings: Any) -> Delivered:
    url = "embedded://test-of-the-event"
    got: list[Delivered] = []
    broker = open_broker(url, name="test")
    broker.declare(Topology(queues=[Queue("q")]))

    arrived = threading.Event()

    def take(delivered: Delivered) -> Verdict:
        got.append(delivered)
        arrived.set()
        return Verdict.ACK

    consumer = broker.consume("q", take, prefetch=1)
    attachment = RequestAttachment("a 1", "Mustermann.pdf", "application/pdf", 1, "", lambda: iter([b"x"]))
    adapter = AmqpAdapter(TargetConfig("amt", "", {"url": url, "queue": "q", **settings}))
    adapter.deliver(
        request(attachments=[attachment], case_id="c1", possible_repeat=True, body={"betrag": Decimal("1.5")})
    )
    assert arrived.wait(5)
    consumer.stop()
    adapter.close()
    broker.close()
    return got[0]


def test_the_event_carries_a_reference_and_fits_its_published_schema() -> None:
    delivered = event(gateway_url="https://gateway.example/")
    data = json.loads(delivered.message.body)
    schema = json.loads((files("adapters.amqp") / "case-event.schema.json").read_text(encoding="utf-8"))
    assert schema["$id"] == EVENT_SCHEMA
    jsonschema_rs.validate(schema, data)
    assert data["caseUrl"] == "https://gateway.example/v1/submissions/s1/case"
    assert data["attachments"] == ["https://gateway.example/v1/submissions/s1/attachments/a%201"]
    assert "Mustermann" not in delivered.message.body.decode()


def test_the_event_has_the_attributes_that_its_description_promises() -> None:
    headers = event().message.headers
    document = yaml.safe_load((files("adapters.amqp") / "asyncapi.yaml").read_text(encoding="utf-8"))
    attributes = document["components"]["schemas"]["attributes"]
    assert set(attributes["required"]) <= set(headers) <= set(attributes["properties"])
    jsonschema_rs.validate(dict(attributes), dict(headers))
    assert headers["cloudEvents:type"] == EVENT_TYPE
    assert headers["cloudEvents:id"] == headers["cloudEvents:idempotencykey"] == "k"
    assert headers["cloudEvents:possiblerepeat"] is True


def test_inline_content_is_the_mapped_request() -> None:
    assert json.loads(event(content="inline").message.body) == {"betrag": 1.5}


def test_a_queue_that_is_not_there_is_a_broken_contract() -> None:
    adapter = AmqpAdapter(TargetConfig("amt", "", {"url": "embedded://nobody", "queue": "missing"}))
    with pytest.raises(Permanent) as caught:
        adapter.deliver(request())
    assert (caught.value.failure, caught.value.code) == ("contract", "amqp.no_queue")


def test_a_broker_that_is_not_there_is_retryable() -> None:
    settings = {"url": "amqp://127.0.0.1:1/", "queue": "q", "declare": True}
    adapter = AmqpAdapter(TargetConfig("amt", "", settings, timeout=1.0))
    with pytest.raises(Retryable) as caught:
        adapter.deliver(request())
    assert caught.value.failure == "unavailable"
    adapter.close()


# --- Demo adapters, registry, ledger ----------------------------------------------------------------------------------


def outcomes(adapter: Adapter, key: str, count: int) -> list[str]:
    found = []
    for _ in range(count):
        try:
            adapter.deliver(request(key))
            found.append("ok")
        except DeliveryError as error:
            found.append(error.failure)
    return found


def test_failures_come_as_told_per_key_and_the_last_one_stays() -> None:
    adapter = FailingAdapter(TargetConfig("t", "", {"fail": ["unavailable", "rejected", "ok"]}))
    assert outcomes(adapter, "k1", 2) == ["unavailable", "rejected_by_target"]
    assert outcomes(adapter, "k2", 4) == ["unavailable", "rejected_by_target", "ok", "ok"]
    assert outcomes(adapter, "k1", 1) == ["ok"]
    assert adapter.check() == []
    assert FailingAdapter(TargetConfig("t", "", {"fail": ["sometimes"]})).check()


def test_an_unknown_outcome_can_have_arrived_or_not() -> None:
    for told, arrived in (("unknown", True), ("unknown_lost", False)):
        adapter = FailingAdapter(TargetConfig("t", "", {"fail": [told]}))
        with pytest.raises(OutcomeUnknown):
            adapter.deliver(request())
        assert (adapter.probe("k") is not None) == arrived


def test_the_crashing_adapter_breaks_its_promise() -> None:
    with pytest.raises(Exception, match="crashed") as caught:
        CrashingAdapter(TargetConfig("t", "", {})).deliver(request())
    assert not isinstance(caught.value, DeliveryError)


def test_adapters_are_found_by_name_and_a_wrong_name_gets_the_nearest() -> None:
    assert {"soap", "rest", "amqp", "demo-succeeds", "demo-fails", "demo-crashes"} <= set(adapter_names())
    for name in ("soap", "rest", "amqp", "demo-succeeds"):
        assert isinstance(load_adapter(name)(TargetConfig("t", "", {})), Adapter)
    with pytest.raises(AdapterUnknown, match="did you mean 'soap'"):
        load_adapter("saop")


def test_the_ledger_tells_silent_doubles_from_marked_and_recognised_repeats() -> None:
    careless = Ledger("X", idempotent=False)
    for key, marked in (("a", False), ("b", False), ("b", True), ("c", False), ("c", False)):
        careless.take(key, {}, b"", marked=marked)
    assert careless.unmarked_repeats() == ["c"]
    careful = Ledger("X", idempotent=True)
    careful.take("a", {}, b"", marked=False)
    assert careful.take("a", {}, b"", marked=False).known
    assert careful.unmarked_repeats() == []

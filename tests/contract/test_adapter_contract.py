"""The contract of an adapter, over every built-in one at its simulated department."""

from __future__ import annotations

import uuid
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from department_files import write
from rest_files import write_openapi

from adapters.amqp import AmqpAdapter
from adapters.base import TargetConfig
from adapters.demo import FailingAdapter, SucceedingAdapter
from adapters.rest import RestAdapter
from adapters.soap import SoapAdapter
from adapters.testkit import ApiKey, Gatekeeper, QueueDepartment, RestDepartment, SoapDepartment
from adapters.testkit.contract import CANARY, AdapterContract, Bench

SOAP_BODY: Mapping[str, Any] = {"Vorgang": {"Art": "NEU", "Name": [CANARY, "B"], "Inhalt": {"$attachment": "a1"}}}
REST_BODY: Mapping[str, Any] = {"art": "NEU", "name": CANARY, "inhalt": {"$attachment": "a1"}}


def soap_config(folder: Path, url: str, **changed: Any) -> TargetConfig:
    settings: dict[str, Any] = {
        "wsdl": "t.wsdl",
        "url": url,
        "operation": "VorgangAnlegen",
        "repeat_mark": "$.Vorgang.Wiederholung",
        "already_there": {"path": "$.Doppelt", "equals": True},
    }
    return TargetConfig(
        "t",
        str(folder),
        settings | changed,
        references={"vorgangsnummer": "$.Vorgangsnummer", "aktenzeichen": "$.Aktenzeichen"},
        key="$.Vorgang.FremdId",
        probe={"operation": "VorgangSuchen"},
        timeout=1.0,
    )


def rest_config(folder: Path, url: str, **changed: Any) -> TargetConfig:
    settings: dict[str, Any] = {"openapi": "t.openapi.yaml", "url": url, "path": "/vorgaenge"}
    return TargetConfig(
        "t",
        str(folder),
        settings | changed,
        references={"vorgangsnummer": "$.vorgangsnummer", "aktenzeichen": "$.aktenzeichen"},
        key="$.fremdId",
        probe={
            "path": "/vorgaenge?fremdId={key}",
            "references": {"vorgangsnummer": "$[0].vorgangsnummer", "aktenzeichen": "$[0].aktenzeichen"},
        },
        timeout=1.0,
    )


class TestSoapAdapter(AdapterContract):
    @pytest.fixture(params=["t.wsdl", "t12.wsdl"], ids=["soap11", "soap12"])
    def bench(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
        folder = write(tmp_path)
        with SoapDepartment(folder / request.param) as department:
            adapter = SoapAdapter(soap_config(folder, department.url, wsdl=request.param))
            yield Bench(
                adapter,
                SOAP_BODY,
                department,
                invalid={"Vorgang": {"Art": CANARY, "Name": ["A"]}},
                references=frozenset({"vorgangsnummer", "aktenzeichen"}),
                wrong=SoapAdapter(soap_config(folder, department.url, operation="VorgangAnlgen")),
                idempotent=True,
                probes=True,
            )
            adapter.close()


class TestRestAdapter(AdapterContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        folder = write(tmp_path)
        with RestDepartment(folder / "t.openapi.yaml") as department:
            adapter = RestAdapter(rest_config(folder, department.url))
            yield Bench(
                adapter,
                REST_BODY,
                department,
                invalid={"art": CANARY, "name": "A"},
                references=frozenset({"vorgangsnummer", "aktenzeichen"}),
                wrong=RestAdapter(rest_config(folder, department.url, path="/vorgange")),
                idempotent=True,
                probes=True,
            )
            adapter.close()


MEDIA_TYPES = ["application/json", "application/xml", "application/x-www-form-urlencoded", "multipart/form-data"]


class TestRestAdapterWithEveryKindOfBody(AdapterContract):
    """And with an API key, as the document says."""

    @pytest.fixture(params=MEDIA_TYPES, ids=["json", "xml", "form", "multipart"])
    def bench(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
        openapi = write_openapi(tmp_path)
        gate = Gatekeeper(api_key=ApiKey("X-Amt", "geheim"))
        changed = {
            "openapi": openapi.name,
            "media_type": request.param,
            "auth": {"type": "api_key", "key": "geheim"},
            "asynchronous": False,
        }
        with RestDepartment(openapi, gate=gate) as department:
            adapter = RestAdapter(rest_config(tmp_path, department.url, **changed))
            yield Bench(
                adapter,
                REST_BODY,
                department,
                invalid={"art": CANARY, "name": "A"},
                references=frozenset({"vorgangsnummer", "aktenzeichen"}),
                wrong=RestAdapter(rest_config(tmp_path, department.url, **(changed | {"media_type": "text/xml"}))),
                idempotent=True,
                probes=True,
            )
            adapter.close()


class TestAmqpAdapterWithTheQueueInMemory(AdapterContract):
    @pytest.fixture
    def url(self) -> str:
        return f"embedded://{uuid.uuid4().hex}"

    @pytest.fixture
    def bench(self, url: str) -> Iterator[Bench]:
        with QueueDepartment(url, "cases") as department:
            settings = {"url": url, "queue": "cases", "content": "inline"}
            adapter = AmqpAdapter(TargetConfig("t", "", settings, timeout=5.0))
            yield Bench(adapter, {"name": CANARY, "inhalt": {"$attachment": "a1"}}, department)
            adapter.close()


class TestAmqpAdapterWithRabbit(TestAmqpAdapterWithTheQueueInMemory):
    @pytest.fixture
    def url(self, fresh_rabbitmq_url: str) -> str:
        return fresh_rabbitmq_url


class TestSucceedingAdapter(AdapterContract):
    @pytest.fixture
    def bench(self) -> Bench:
        adapter = SucceedingAdapter(TargetConfig("t", "", {}))
        return Bench(adapter, {}, references=frozenset({"vorgangsnummer"}), idempotent=True, probes=True)


class TestFailingAdapterThatIsToldToSucceed(AdapterContract):
    @pytest.fixture
    def bench(self) -> Bench:
        adapter = FailingAdapter(TargetConfig("t", "", {"fail": ["ok"]}))
        return Bench(adapter, {}, references=frozenset({"vorgangsnummer"}), idempotent=True, probes=True)

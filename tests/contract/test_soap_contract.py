"""The contract of an adapter, over the SOAP adapter at departments that want more than a body."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from department_files import write
from soap_files import addressed_wsdl, rpc_wsdl, signer

from adapters.base import TargetConfig
from adapters.soap import SoapAdapter
from adapters.testkit import SoapDepartment, Wanted
from adapters.testkit.contract import CANARY, AdapterContract, Bench

BODY: dict[str, Any] = {"Vorgang": {"Art": "NEU", "Name": [CANARY, "B"], "Inhalt": {"$attachment": "a1"}}}
USERNAME = {"name": "amt", "password": "geheim-1"}


def bench_of(department: SoapDepartment, folder: Path, below: str = "$", **settings: Any) -> Bench:
    """below: where the answers have what they say."""
    fixed: dict[str, Any] = {
        "wsdl": "d.wsdl",
        "url": department.url,
        "operation": "VorgangAnlegen",
        "repeat_mark": "$.Vorgang.Wiederholung",
        "already_there": {"path": f"{below}.Doppelt", "equals": True},
    }

    def adapter(**changed: Any) -> SoapAdapter:
        return SoapAdapter(
            TargetConfig(
                "t",
                str(folder),
                fixed | settings | changed,
                references={"vorgangsnummer": f"{below}.Vorgangsnummer", "aktenzeichen": f"{below}.Aktenzeichen"},
                key="$.Vorgang.FremdId",
                probe={"operation": "VorgangSuchen"},
                timeout=2.0,
            )
        )

    return Bench(
        adapter(),
        BODY,
        department,
        invalid={"Vorgang": {"Art": CANARY, "Name": ["A"]}},
        references=frozenset({"vorgangsnummer", "aktenzeichen"}),
        wrong=adapter(operation="VorgangAnlgen"),
        idempotent=True,
        probes=True,
    )


class TestRpcStyle(AdapterContract):
    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        (tmp_path / "d.wsdl").write_text(rpc_wsdl())
        answer: Any = {
            "Ergebnis.Vorgangsnummer": "number",
            "Ergebnis.Aktenzeichen": "file",
            "Ergebnis.Doppelt": "known",
        }
        with SoapDepartment(tmp_path / "d.wsdl", answer=answer) as department:
            bench = bench_of(department, tmp_path, "$.Ergebnis")
            yield bench
            bench.adapter.close()


class TestMtom(AdapterContract):
    @pytest.fixture(params=["t.wsdl", "t12.wsdl"], ids=["soap11", "soap12"])
    def bench(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
        with SoapDepartment(write(tmp_path) / request.param, mtom=True) as department:
            bench = bench_of(department, tmp_path, wsdl=request.param, attachments_as="mtom")
            yield bench
            bench.adapter.close()


class TestHeadersAndAddressing(AdapterContract):
    @pytest.fixture(params=[False, True], ids=["soap11", "soap12"])
    def bench(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
        (tmp_path / "d.wsdl").write_text(addressed_wsdl(request.param))
        with SoapDepartment(tmp_path / "d.wsdl", wanted=Wanted(addressing=True)) as department:
            bench = bench_of(department, tmp_path, soap_headers={"kopf": {"Amt": "Bauamt"}})
            yield bench
            bench.adapter.close()


class ProvesItsMoment(AdapterContract):
    """Every message has a time and a nonce of its own."""

    def test_two_attempts_send_the_same_bytes(self, bench: Bench) -> None:
        department = bench.http()
        bench.adapter.deliver(bench.request("k1"))
        bench.adapter.deliver(bench.request("k1"))
        first, second = department.received
        assert first.body == second.body
        assert first.sha256 != second.sha256, "a token that is sent twice is refused"


class TestUsernameToken(ProvesItsMoment):
    @pytest.fixture(params=[True, False], ids=["digest", "text"])
    def digest(self, request: pytest.FixtureRequest) -> bool:
        return bool(request.param)

    @pytest.fixture
    def bench(self, tmp_path: Path, digest: bool) -> Iterator[Bench]:
        wanted = Wanted(password=("amt", "geheim-1"), digest=digest)
        with SoapDepartment(write(tmp_path) / "t12.wsdl", wanted=wanted) as department:
            username = USERNAME | {"digest": digest}
            security = {"username": username, "timestamp": "5m"}
            bench = bench_of(department, tmp_path, wsdl="t12.wsdl", security=security)
            yield bench
            bench.adapter.close()

    def test_two_attempts_send_the_same_bytes(self, bench: Bench, digest: bool) -> None:
        if digest:
            super().test_two_attempts_send_the_same_bytes(bench)


class TestSignatureWithEverythingElse(ProvesItsMoment):
    @pytest.fixture(params=["rsa", "ec", "p12"])
    def bench(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
        (tmp_path / "d.wsdl").write_text(addressed_wsdl(soap12=True))
        certificate = signer(tmp_path, request.param)
        held = {"certificate": "amt.pem", "key": "amt.key"}
        if request.param == "p12":
            held = {"certificate": "amt.p12", "key_password": "geheim"}
        wanted = Wanted(password=("amt", "geheim-1"), signer=certificate, addressing=True)
        with SoapDepartment(tmp_path / "d.wsdl", wanted=wanted, mtom=True) as department:
            bench = bench_of(
                department,
                tmp_path,
                soap_headers={"kopf": {"Amt": "Bauamt"}},
                attachments_as="mtom",
                security={"username": USERNAME, "timestamp": "5m", "signature": held},
            )
            yield bench
            bench.adapter.close()

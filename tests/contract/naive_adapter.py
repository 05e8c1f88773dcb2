"""How an adapter looks that was written on the way home: plain httpx, repeats everything, believes each 200."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from adapters.base import FieldSpec, Permanent, Receipt, Request, Retryable, TargetConfig
from adapters.testkit import RestDepartment
from adapters.testkit.certificates import Authority
from adapters.testkit.contract import CANARY, Bench
from adapters.testkit.rigs import described
from xoev_schemas.findings import Finding


class NaiveAdapter:
    def __init__(self, config: TargetConfig) -> None:
        self._url = str(config.settings["url"])
        self._client = httpx.Client(verify=False, follow_redirects=True, timeout=1.0)

    def check(self) -> list[Finding]:
        return []

    def ping(self) -> None:
        self._client.get(self._url)

    def deliver(self, request: Request) -> Receipt:
        body = {**request.body, "fremdId": request.key}
        headers = {"Idempotency-Key": f'"{request.key}"'}
        for _ in range(3):
            try:
                answer = self._client.post(f"{self._url}/vorgaenge", json=body, headers=headers)
            except httpx.HTTPError:
                continue
            if answer.is_success:
                return Receipt(self._references(answer), answer.content)
        raise Retryable("naive.failed")

    def probe(self, key: str) -> Receipt | None:
        raise Permanent("probe.unsupported", failure="contract")

    def required_fields(self) -> list[FieldSpec] | None:
        return None

    def close(self) -> None:
        self._client.close()

    @staticmethod
    def _references(answer: httpx.Response) -> dict[str, str]:
        try:
            told: Any = answer.json()
        except ValueError:
            return {}
        return {name: str(told[name]) for name in ("vorgangsnummer", "aktenzeichen") if name in told}


@contextmanager
def rig(folder: Path, authority: Authority | None) -> Iterator[Bench]:
    openapi = described(folder, "department.openapi.yaml")
    answer: Any = {"vorgangsnummer": "number", "aktenzeichen": "file", "fremdId": "key"}
    with RestDepartment(openapi, answer=answer, authority=authority) as department:
        adapter = NaiveAdapter(TargetConfig("naive", str(folder), {"url": department.url}))
        references = frozenset({"vorgangsnummer", "aktenzeichen"})
        body = {"art": "NEU", "name": CANARY}
        yield Bench(adapter, body, department, references=references, idempotent=True, echoes=True)
        adapter.close()

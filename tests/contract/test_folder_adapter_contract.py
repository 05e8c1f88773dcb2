"""The contract of an adapter, over a folder of this machine and over SFTP, with a department that reads it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from sftp_server import SftpServer

from adapters.base import TargetConfig
from adapters.folder import FolderAdapter
from adapters.testkit import FolderDepartment
from adapters.testkit.contract import CANARY, AdapterContract, Bench

SCHEMA = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "type": "object",
    "required": ["art", "name", "fremdId", "plan"],
    "properties": {"art": {"enum": ["NEU"]}, "name": {"type": "string"}, "fremdId": {"type": "string"}, "plan": {}},
}


def adapter(folder: Path, **settings: Any) -> FolderAdapter:
    (folder / "antrag.schema.json").write_text(json.dumps(SCHEMA), encoding="utf-8")
    probe = {"done": ["erledigt/{key}"]}
    chosen = {"schema": "antrag.schema.json"} | settings
    return FolderAdapter(TargetConfig("t", str(folder), chosen, key="$.fremdId", probe=probe, timeout=5.0))


def bench_of(department: FolderDepartment, folder: Path, settings: dict[str, Any]) -> Bench:
    return Bench(
        adapter(folder, **settings),
        {"art": "NEU", "name": CANARY, "plan": {"$attachment": "a1"}},
        department,
        invalid={"art": CANARY, "name": "A", "plan": None},
        wrong=adapter(folder, **(settings | {"schema": "antrg.schema.json"})),
        idempotent=True,
        probes=True,
    )


class TestFolderAdapter(AdapterContract):
    @pytest.fixture(params=[None, ".ok"], ids=["plain", "ready-file"])
    def bench(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
        with FolderDepartment(tmp_path / "eingang", ready=request.param) as department:
            yield bench_of(department, tmp_path, {"url": department.url, "ready": request.param})
            assert department.refused == {}


class TestFolderAdapterOverSftp(AdapterContract):
    @pytest.fixture(params=[True, False], ids=["posix-rename", "plain-rename"])
    def bench(self, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Bench]:
        with (
            FolderDepartment(tmp_path / "eingang", ready=".ok") as department,
            SftpServer(tmp_path, posix=request.param) as server,
        ):
            yield bench_of(department, tmp_path, server.settings("/eingang", ready=".ok"))
            assert department.refused == {}

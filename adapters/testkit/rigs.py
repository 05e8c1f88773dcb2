"""The built-in adapters, each at its simulated department (needs pytest): what a rig of an adapter of one's own looks
like.
"""

from __future__ import annotations

import shutil
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from adapters.amqp import AmqpAdapter
from adapters.base import TargetConfig
from adapters.folder import FolderAdapter
from adapters.rest import RestAdapter
from adapters.soap import SoapAdapter
from adapters.testkit.certificates import Authority
from adapters.testkit.contract import CANARY, Bench, Rig
from adapters.testkit.folder_department import FolderDepartment
from adapters.testkit.queue_department import QueueDepartment
from adapters.testkit.rest_department import RestDepartment
from adapters.testkit.soap_department import SoapDepartment

TIMEOUT = 1.0
"""Seconds of a target in a rig."""

_REFERENCES = frozenset({"vorgangsnummer", "aktenzeichen"})


@contextmanager
def rest(folder: Path, authority: Authority | None) -> Iterator[Bench]:
    openapi = described(folder, "department.openapi.yaml")
    answer: Any = {"vorgangsnummer": "number", "aktenzeichen": "file", "fremdId": "key"}
    with RestDepartment(openapi, answer=answer, authority=authority) as department:

        def config(path: str) -> TargetConfig:
            settings = {
                "openapi": openapi.name,
                "path": path,
                "echo": "$.fremdId",
                "asynchronous": {"state": "$.status", "done": ["ERLEDIGT"], "failed": ["ABGELEHNT"]},
            }
            places = {"vorgangsnummer": "vorgangsnummer", "aktenzeichen": "aktenzeichen"}
            return TargetConfig(
                "rest",
                str(folder),
                settings | _reached(department.url, authority),
                references={name: f"$.{place}" for name, place in places.items()},
                key="$.fremdId",
                probe={
                    "path": "/vorgaenge?fremdId={key}",
                    "references": {name: f"$[0].{place}" for name, place in places.items()},
                },
                timeout=TIMEOUT,
            )

        with closing(RestAdapter(config("/vorgaenge"))) as adapter:
            yield Bench(
                adapter,
                {"art": "NEU", "name": CANARY, "inhalt": {"$attachment": "a1"}},
                department,
                invalid={"art": CANARY, "name": "A"},
                references=_REFERENCES,
                wrong=RestAdapter(config("/vorgange")),
                idempotent=True,
                probes=True,
                echoes=True,
            )


@contextmanager
def soap(folder: Path, authority: Authority | None) -> Iterator[Bench]:
    wsdl = described(folder, "department.wsdl")
    answer: Any = {"Vorgangsnummer": "number", "Aktenzeichen": "file", "FremdId": "key", "Doppelt": "known"}
    with SoapDepartment(wsdl, answer=answer, authority=authority) as department:

        def config(operation: str) -> TargetConfig:
            settings = {
                "wsdl": wsdl.name,
                "operation": operation,
                "repeat_mark": "$.Vorgang.Wiederholung",
                "already_there": {"path": "$.Doppelt", "equals": True},
                "echo": "$.FremdId",
            }
            return TargetConfig(
                "soap",
                str(folder),
                settings | _reached(department.url, authority),
                references={"vorgangsnummer": "$.Vorgangsnummer", "aktenzeichen": "$.Aktenzeichen"},
                key="$.Vorgang.FremdId",
                probe={"operation": "VorgangSuchen"},
                timeout=TIMEOUT,
            )

        with closing(SoapAdapter(config("VorgangAnlegen"))) as adapter:
            yield Bench(
                adapter,
                {"Vorgang": {"Art": "NEU", "Name": CANARY, "Inhalt": {"$attachment": "a1"}}},
                department,
                invalid={"Vorgang": {"Art": CANARY, "Name": "A"}},
                references=_REFERENCES,
                wrong=SoapAdapter(config("VorgangAnlgen")),
                idempotent=True,
                probes=True,
                echoes=True,
            )


@contextmanager
def folder(folder: Path, authority: Authority | None) -> Iterator[Bench]:
    with FolderDepartment(folder / "eingang", ready=".ok") as department:
        settings = {"url": department.url, "ready": ".ok"}
        config = TargetConfig("folder", str(folder), settings, probe={"done": ["erledigt/{key}"]}, timeout=TIMEOUT)
        with closing(FolderAdapter(config)) as adapter:
            body = {"name": CANARY, "plan": {"$attachment": "a1"}}
            yield Bench(adapter, body, department, idempotent=True, probes=True)


@contextmanager
def amqp(folder: Path, authority: Authority | None) -> Iterator[Bench]:
    """At a queue in memory."""
    url = f"embedded://{uuid.uuid4().hex}"
    with QueueDepartment(url, "cases") as department:
        settings = {"url": url, "queue": "cases", "content": "inline"}
        with closing(AmqpAdapter(TargetConfig("amqp", str(folder), settings, timeout=5.0))) as adapter:
            yield Bench(adapter, {"name": CANARY, "inhalt": {"$attachment": "a1"}}, department)


RIGS: Mapping[str, Rig] = {"amqp": amqp, "folder": folder, "rest": rest, "soap": soap}


def described(folder: Path, name: str) -> Path:
    """A copy of one of the descriptions that ship with the testkit, `department.wsdl` or `department.openapi.yaml`."""
    with as_file(files("adapters.testkit").joinpath("descriptions", name)) as file:
        return Path(shutil.copy(file, folder / name))


def _reached(url: str, authority: Authority | None) -> dict[str, Any]:
    return {"url": url} if authority is None else {"url": url, "tls": {"ca_bundle": str(authority.file)}}

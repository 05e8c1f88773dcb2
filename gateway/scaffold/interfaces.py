"""A target package drafted from the description of its interface: WSDL or OpenAPI, from local files."""

from __future__ import annotations

import json
import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import yaml
from lxml import etree
from zeep.wsdl.bindings.soap import SoapBinding

from adapters.base import FieldSpec, TargetConfig
from adapters.registry import load_adapter
from adapters.soap.wsdl import Wsdl, WsdlUnusable
from gateway.errors import GatewayError
from gateway.scaffold.files import put, relative
from gateway.scaffold.requests import draft_request
from gateway.scaffold.shapes import write
from gateway.scaffold.texts import target_yaml
from xoev_schemas.findings import Finding

_CREATES = ("anlegen", "erzeugen", "create", "add", "submit", "einreichen", "uebermittl", "send", "start", "put")
"""What operations are called that take something new."""
_VERBS = ("post", "put", "patch")


class Unusable(GatewayError):
    """The description cannot be read, or has no operation that takes anything."""

    code = "description_unusable"


@dataclass(frozen=True, slots=True)
class DraftedTarget:
    """findings: without errors. operation: the one chosen. others: those that could be named instead. left: required
    fields to do.
    """

    files: Mapping[str, bytes]
    findings: list[Finding]
    operation: str
    others: tuple[str, ...]
    left: int


def draft_target(name: str, department: str, kind: str, path: Path, operation: str) -> DraftedTarget:
    """kind: `wsdl` or `openapi`. operation: its name (`POST /path`); empty = the first that seems to create something.

    Raises Unusable.
    """
    root, settings, others = (_soap if kind == "wsdl" else _rest)(path, operation)
    chosen = settings.get("operation") or f"{settings['method']} {settings['path']}"
    files = {f"targets/{name}/{file.relative_to(root)}": file.read_bytes() for file in sorted(_needed(path))}
    fields, findings = _asked(name, "soap" if kind == "wsdl" else "rest", files, settings)
    for finding in findings:
        if finding.severity == "error":
            raise _unusable(path, finding.text.en)
    shape, left = draft_request(fields)
    head = f"# Case → {chosen}. Fill what is marked REQUIRED; a field that stays a comment is not sent.\n"
    files[f"targets/{name}/target.yaml"] = target_yaml(name, department, settings).encode()
    files[f"targets/{name}/request.yaml"] = (head + write("request", shape)).encode()
    return DraftedTarget(files, findings, chosen, tuple(others), left)


def _asked(
    name: str, adapter: str, files: Mapping[str, bytes], settings: Mapping[str, Any]
) -> tuple[list[FieldSpec], list[Finding]]:
    """The fields of the request, asked of the adapter itself."""
    with tempfile.TemporaryDirectory(prefix="gateway-new-") as folder:
        put(files, Path(folder))
        target = load_adapter(adapter)(TargetConfig(name, str(Path(folder) / "targets" / name), dict(settings)))
        try:
            return target.required_fields() or [], [relative(finding, Path(folder)) for finding in target.check()]
        finally:
            target.close()


def _soap(path: Path, operation: str) -> tuple[Path, dict[str, Any], list[str]]:
    try:
        wsdl = Wsdl(path)
        known = list(dict.fromkeys(_operations(wsdl)))
        chosen = wsdl.operation(operation or _creating(known, path)).name
    except WsdlUnusable as error:
        raise _unusable(path, str(error)) from None
    root = Path(os.path.commonpath([file.parent for file in _needed(path)]))
    url = next(_addresses(path), "https://REPLACE.example/service")
    return root, {"wsdl": str(path.resolve().relative_to(root)), "operation": chosen, "url": url}, known


def _operations(wsdl: Wsdl) -> Iterator[str]:
    """Those of all ports that the adapter can call, and that take something."""
    for service in wsdl.document.services.values():
        for port in service.ports.values():
            names = port.binding.all() if isinstance(port.binding, SoapBinding) else ()  # type: ignore[no-untyped-call]
            for name in names:
                with suppress(WsdlUnusable):
                    operation = wsdl.operation(name)
                    if operation.request is not None:
                        yield operation.name


def _rest(path: Path, operation: str) -> tuple[Path, dict[str, Any], list[str]]:
    try:
        text = path.read_text(encoding="utf-8")
        document = json.loads(text) if path.suffix == ".json" else yaml.safe_load(text)
        if not str(document["openapi"]).startswith("3."):
            raise ValueError
        known = [
            f"{verb.upper()} {place}" for place, item in document["paths"].items() for verb in item if verb in _VERBS
        ]
        servers = document.get("servers") or []
        url = str(servers[0]["url"]) if servers else ""
    except (OSError, ValueError, yaml.YAMLError, KeyError, TypeError, AttributeError) as error:
        raise _unusable(path, f"this is no OpenAPI 3 document ({type(error).__name__})") from None
    # A path with a parameter is about something that is there already.
    chosen = operation or _creating([one for one in known if "{" not in one] or known, path)
    method, _, place = chosen.partition(" ")
    if not url.startswith(("http://", "https://")):
        url = "https://REPLACE.example/api"
    return path.resolve().parent, {"openapi": path.name, "url": url, "method": method, "path": place}, known


def _creating(known: list[str], path: Path) -> str:
    if not known:
        raise _unusable(path, "it has no operation that takes anything")
    return next((name for word in _CREATES for name in known if word in name.lower()), known[0])


def _unusable(path: Path, why: str) -> Unusable:
    return Unusable(
        f"{path}: {why}", remedy="Name an operation behind the file as FILE#OPERATION, or mend the description."
    )


def _addresses(path: Path) -> Iterator[str]:
    for address in etree.parse(str(path), _parser()).getroot().iter("{*}address"):
        location = address.get("location", "").strip()
        if location.startswith(("http://", "https://")):
            yield location


def _needed(path: Path) -> set[Path]:
    """The file and every local one that it draws in, however far down."""
    needed, waiting = set[Path](), [path.resolve()]
    while waiting:
        file = waiting.pop()
        if file in needed or not file.is_file():
            continue
        needed.add(file)
        if file.suffix.lower() in (".wsdl", ".xsd", ".xml"):
            waiting += [(file.parent / unquote(place)).resolve() for place in _locations(file)]
    return needed


def _locations(file: Path) -> Iterator[str]:
    for element in etree.parse(str(file), _parser()).getroot().iter("{*}import", "{*}include", "{*}redefine"):
        place = element.get("schemaLocation") or element.get("location") or ""
        if place and not urlsplit(place).scheme:
            yield place


def _parser() -> etree.XMLParser:
    return etree.XMLParser(no_network=True, resolve_entities=False, load_dtd=False)

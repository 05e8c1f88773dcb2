"""What the demo sends: the samples of the active service packages, and instances that lie beside the standards
given.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import yaml

from gateway.portal import File
from gateway.services import Packages, Service
from xoev_schemas.documents import Unreadable, parse
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import SchemaRef

MAX_INSTANCE_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Sample:
    """One message to send. expected: what the package says becomes of it."""

    name: str
    service: str
    data: File
    schema_uri: str
    attachments: tuple[File, ...] = ()
    expected: Literal["accepted", "rejected", "clarify"] = "accepted"


def shipped_samples(packages: Packages) -> Iterator[Sample]:
    """samples/NAME/{data.xml|data.json, metadata.json?, expect.yaml?, attachments…} of every active service."""
    for service in packages.services.values():
        if service.inactive is None:
            for folder in sorted(p for p in (service.folder / "samples").glob("*") if p.is_dir()):
                yield _shipped(service, folder)


def _shipped(service: Service, folder: Path) -> Sample:
    data = next(folder / name for name in ("data.xml", "data.json") if (folder / name).exists())
    expect = folder / "expect.yaml"
    told = yaml.safe_load(expect.read_text(encoding="utf-8")) if expect.exists() else {}
    return Sample(
        name=folder.name,
        service=service.name,
        data=File.read(data),
        schema_uri=_schema_uri(service, folder),
        attachments=tuple(_attachments(folder)),
        expected=told.get("outcome", "accepted"),
    )


def _structure(folder: Path) -> dict[str, Any]:
    """`contentStructure` of the sample's own metadata, where it has any."""
    path = folder / "metadata.json"
    metadata = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
    return dict(metadata.get("contentStructure", {}))


def _attachments(folder: Path) -> Iterator[File]:
    """Under the ids that the data refers to."""
    for announced in _structure(folder).get("attachments", []):
        file = File.read(folder / announced["filename"])
        yield replace(file, attachment_id=announced["attachmentId"], purpose=announced["purpose"])


def _schema_uri(service: Service, folder: Path) -> str:
    schema = _structure(folder).get("data", {}).get("submissionSchema", {})
    return str(schema.get("schemaUri") or service.accepts[0].schema)


def instances(folder: Path, packages: Packages, checker: Checker, *, skip: frozenset[str]) -> Iterator[Sample]:
    """Valid messages found below `folder` that an active service accepts (standards come with example instances).

    skip: services that have samples of their own.
    """
    registry = checker.registry
    wanted = {
        ref: service
        for service in packages.services.values()
        if service.inactive is None and service.name not in skip
        for accepts in service.accepts
        if (ref := registry.find(accepts.schema))
    }
    for path in sorted(p for p in folder.rglob("instances/*") if p.suffix in (".xml", ".json")):
        if wanted and path.stat().st_size <= MAX_INSTANCE_BYTES and (found := _recognised(path, checker)) in wanted:
            assert found is not None
            service = wanted[found]
            schema = next(a.schema for a in service.accepts if registry.find(a.schema) == found)
            yield Sample(path.stem, service.name, File.read(path), schema)


def _recognised(path: Path, checker: Checker) -> SchemaRef | None:
    """What a file is, if it is valid by every layer."""
    file = File.read(path)
    try:
        ref = checker.registry.recognise(parse(file.content, file.media_type))
    except Unreadable:
        return None
    return ref if ref and checker.check(file.content, file.media_type, ref).valid else None

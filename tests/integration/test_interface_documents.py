"""The descriptions for departments, made from the case's schema and the packages: whole, and true of the samples."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from typer.testing import CliRunner

from gateway.cli import app
from gateway.interfaces import asyncapi, openapi
from gateway.packages.samples import sample_envelope
from gateway.services import Packages, shipped_folder
from xoev_schemas.registry import Registry

SERVICES = shipped_folder() / "services"


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Packages:
    registry = Registry(tmp_path_factory.mktemp("schemas"))
    for folder in SERVICES.glob("*/schema"):
        registry.import_path(folder)
    return Packages.load([shipped_folder()], registry)


@pytest.fixture(scope="module")
def documents(packages: Packages) -> dict[str, dict[str, Any]]:
    active = [service for service in packages.services.values() if service.inactive is None]
    return {"asyncapi": asyncapi(active), "openapi": openapi(active, version="1")}


def references(value: Any) -> Iterator[str]:
    if isinstance(value, list):
        for item in value:
            yield from references(item)
    elif isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)


def follow(reference: str, root: Any) -> Any:
    assert reference.startswith("#/")
    for step in reference[2:].split("/"):
        root = root[step]
    return root


@pytest.mark.parametrize("form", ["asyncapi", "openapi"])
def test_every_reference_in_a_document_leads_somewhere_within_it(
    documents: dict[str, dict[str, Any]], form: str
) -> None:
    found = set(references(documents[form]))

    assert len(found) > 10
    assert all(follow(reference, documents[form]) is not None for reference in found)


@pytest.mark.parametrize(("form", "inner"), [("asyncapi", "/schema"), ("openapi", "")])
def test_the_cases_of_the_samples_are_what_the_documents_say(
    documents: dict[str, dict[str, Any]], packages: Packages, form: str, inner: str
) -> None:
    tried = 0
    for service in packages.services.values():
        ref = service.accepts[0].ref
        if ref is None:
            continue
        at = f"#/components/schemas/case-{service.name}{inner}"
        schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **documents[form], "$ref": at}
        validator = jsonschema_rs.validator_for(schema)
        for file in sorted((service.folder / "samples").glob("*/case.json")):
            case = {**sample_envelope(service, ref), **json.loads(file.read_text(encoding="utf-8"))}
            assert validator.is_valid(case), file
            assert not validator.is_valid({**case, "data": {"nobody-asked": True}}), file
            assert not validator.is_valid({**case, "kind": "other"}), file
            tried += 1
    assert tried >= 20


def test_the_command_prints_one_document(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(f"home: {tmp_path / 'var'}\n", encoding="utf-8")

    printed = {
        form: json.loads(CliRunner().invoke(app, ["docs", form, "--config", str(tmp_path / "gateway.yaml")]).stdout)
        for form in ("asyncapi", "openapi")
    }

    assert printed["asyncapi"]["asyncapi"] == "3.0.0"
    assert printed["openapi"]["openapi"] == "3.1.0"
    assert "case-briefwahl" in printed["openapi"]["components"]["schemas"]

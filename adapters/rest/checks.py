"""A REST target's settings against its OpenAPI document; no network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from adapters import paths
from adapters.base import FieldSpec, TargetConfig
from adapters.http_auth import ApiKeyAuth
from adapters.openapi import OpenApiOperation, OpenApiUnusable
from adapters.openapi_lines import fault_line
from adapters.rest.settings import Asynchronous, RestProbe, RestSettings
from adapters.settings import config_finding
from xoev_schemas.findings import Finding, Severity, Text


def check_settings(
    config: TargetConfig,
    settings: RestSettings,
    probe: RestProbe | None,
    operation: OpenApiOperation,
    search: OpenApiOperation | None,
) -> list[Finding]:
    """Every place that the settings name must be there; what the document says of 202 and credentials must be met."""
    findings = _places(config, {"key": config.key}, operation.fields() or [], operation.name)
    following = isinstance(settings.asynchronous, Asynchronous) and settings.asynchronous.references
    if not following:
        told: dict[str, str | None] = {f"references.{name}": path for name, path in config.references.items()}
        told["echo"] = settings.echo
        findings += _places(config, told, operation.answer_fields(), operation.name)
    if search is not None and probe is not None:
        told = {f"probe.references.{name}": path for name, path in probe.references.items()}
        findings += _places(config, told, search.answer_fields(), search.name)
    return findings + _asynchronous(config, settings, operation) + _credentials(config, settings, operation)


def unusable(config: TargetConfig, document: str, error: OpenApiUnusable, prefix: str = "") -> Finding:
    """At the setting that asks for what is not there, or at the document. prefix: `probe.` for what the probe asks."""
    placed = finding(
        config, "Datei oder Vorgang sind nicht brauchbar.", str(error), prefix + (error.asked or "openapi")
    )
    if error.asked is not None:
        return placed
    file = Path(config.folder) / document
    return replace(placed, path=str(file), line=fault_line(file, error), found=None)


def _asynchronous(config: TargetConfig, settings: RestSettings, operation: OpenApiOperation) -> list[Finding]:
    """A 202 that nobody follows counts as delivered: that must be somebody's word, not an accident."""
    if settings.asynchronous is not None or "202" not in operation.answer_schemas:
        return []
    return [
        finding(
            config,
            f"{operation.name} kann mit 202 antworten, und nichts sagt, ob das alles ist; es gilt als zugestellt.",
            f"{operation.name} may answer 202, and nothing says whether that is all; it counts as delivered.",
            "asynchronous",
            severity="warning",
        )
    ]


def _credentials(config: TargetConfig, settings: RestSettings, operation: OpenApiOperation) -> list[Finding]:
    alternatives = operation.security()
    shown = settings.auth is not None or settings.tls.client_certificate is not None or settings.headers
    if shown or not alternatives or any(not alternative for alternative in alternatives):
        return []
    wanted = sorted({str(scheme.get("type", "?")) for alternative in alternatives for scheme in alternative})
    return [
        finding(
            config,
            f"{operation.name} verlangt Zugangsdaten ({', '.join(wanted)}); auth fehlt.",
            f"{operation.name} wants credentials ({', '.join(wanted)}); auth is missing.",
            "auth",
            severity="warning",
        )
    ]


def with_key_place(settings: RestSettings, schemes: Sequence[Mapping[str, Any]]) -> RestSettings:
    """The API key goes where the document's one scheme of this kind says, unless `target.yaml` says it itself."""
    auth = settings.auth
    told = [s for s in schemes if s.get("type") == "apiKey" and s.get("in") in ("header", "query")]
    if not isinstance(auth, ApiKeyAuth) or auth.name is not None or len(told) != 1:
        return settings
    place = {"name": told[0].get("name"), "place": auth.place or told[0]["in"]}
    return settings.model_copy(update={"auth": auth.model_copy(update=place)})


def _places(
    config: TargetConfig, places: Mapping[str, str | None], fields: list[FieldSpec], operation: str
) -> list[Finding]:
    known = {field.path for field in fields}
    return [
        finding(
            config,
            f"{setting}: {path} gibt es in der Nachricht von {operation} nicht.",
            f"{setting}: {path} is not in the message of {operation}.",
            setting,
        )
        for setting, path in places.items()
        if known and path is not None and paths.dotted(path) not in known
    ]


def finding(
    config: TargetConfig, de: str, en: str, setting: str | None = None, *, severity: Severity = "error"
) -> Finding:
    return config_finding(
        config,
        f"Die Angaben passen nicht zur OpenAPI-Beschreibung des Ziels: {de}",
        f"The settings do not fit the target's OpenAPI document: {en}",
        remedy=Text(
            "Vergleichen Sie target.yaml mit der Beschreibung der Schnittstelle.",
            "Compare target.yaml with the description of the interface.",
        ),
        found=setting,
        code="config.rest",
        severity=severity,
    )

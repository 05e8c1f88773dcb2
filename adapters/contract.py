"""The description that we check by against the one that the target serves today: what would break, what is new."""

from __future__ import annotations

from collections.abc import Sequence

from adapters.base import FieldSpec, TargetConfig
from adapters.settings import config_finding
from xoev_schemas.findings import Finding, Severity, Text

_CODE = "config.contract_differs"


def differences(config: TargetConfig, own: Sequence[FieldSpec], served: Sequence[FieldSpec]) -> list[Finding]:
    """Of a request's fields: an error for each by which a request that we hold for valid would not be it there, or not
    be understood; info for the rest.
    """
    ours, theirs = {f.path: f for f in own}, {f.path: f for f in served}
    found = [_gone(config, ours[path]) for path in ours if path not in theirs]
    found += [_new(config, theirs[path]) for path in theirs if path not in ours]
    for path in ours.keys() & theirs.keys():
        found += _changed(config, ours[path], theirs[path])
    return sorted(found, key=lambda finding: (finding.severity != "error", finding.found or ""))


def missing_answers(config: TargetConfig, places: Sequence[str], served: Sequence[FieldSpec]) -> list[Finding]:
    """Fields of the answer that `target.yaml` reads, and that the served description does not have any more."""
    known = {field.path for field in served}
    return [
        _finding(
            config,
            path,
            "error",
            Text("Die Antwort enthält das Feld nicht mehr.", "the answer has the field no more."),
        )
        for path in places
        if known and path not in known
    ]


def _gone(config: TargetConfig, field: FieldSpec) -> Finding:
    severity: Severity = "error" if field.required else "warning"
    return _finding(config, field.path, severity, Text("Das Feld gibt es nicht mehr.", "the field is there no more."))


def _new(config: TargetConfig, field: FieldSpec) -> Finding:
    if field.required:
        text = Text("Das Feld ist neu und muss gefüllt sein.", "the field is new and has to be filled.")
        return _finding(config, field.path, "error", text)
    return _finding(config, field.path, "info", Text("Das Feld ist neu.", "the field is new."))


def _changed(config: TargetConfig, ours: FieldSpec, theirs: FieldSpec) -> list[Finding]:
    found: list[tuple[Severity, Text]] = []
    if theirs.required and not ours.required:
        found.append(("error", Text("Das Feld muss jetzt gefüllt sein.", "the field has to be filled now.")))
    if theirs.type != ours.type:
        text = Text(
            f"Der Typ ist jetzt {theirs.type}, nicht {ours.type}.", f"its type is {theirs.type}, not {ours.type}."
        )
        found.append(("error", text))
    if theirs.repeated != ours.repeated:
        found.append(("error", Text("Die Häufigkeit ist eine andere.", "how often it may stand is different.")))
    lost = [value for value in ours.allowed if theirs.allowed and value not in theirs.allowed]
    if lost or (theirs.allowed and not ours.allowed):
        some = ", ".join(lost[:5]) or "…"
        found.append(("error", Text(f"Werte sind entfallen: {some}.", f"values are allowed no more: {some}.")))
    if theirs.max_length is not None and (ours.max_length is None or theirs.max_length < ours.max_length):
        text = Text(f"Höchstens {theirs.max_length} Zeichen.", f"at most {theirs.max_length} characters now.")
        found.append(("error", text))
    return [_finding(config, ours.path, severity, text) for severity, text in found]


def _finding(config: TargetConfig, path: str, severity: Severity, text: Text) -> Finding:
    return config_finding(
        config,
        f"{path}: {text.de}",
        f"{path}: {text.en}",
        remedy=Text(
            "Legen Sie die neue Beschreibung in den Ordner des Ziels und prüfen Sie: gateway check.",
            "Put the new description into the target's folder and check: gateway check.",
        ),
        found=path,
        code=_CODE,
        severity=severity,
    )

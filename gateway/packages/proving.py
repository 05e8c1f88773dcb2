"""One target's adapter, built and asked whether its settings fit: by `gateway check`, and by every start."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from adapters.base import Adapter, TargetConfig
from adapters.registry import AdapterUnknown
from gateway.mapping.problems import Place
from gateway.packages.model import Target
from xoev_schemas.findings import Finding, Text

AdapterLoader = Callable[[str], Callable[[TargetConfig], Adapter]]
"""Name → factory, as `adapters.registry.load_adapter`."""


def prove_adapter(target: Target, load_adapter: AdapterLoader) -> tuple[Adapter | None, list[Finding]]:
    """The adapter, or None where there is none of this name; and what is wrong with its settings."""
    try:
        adapter = load_adapter(target.adapter)(target.config)
    except AdapterUnknown as error:
        return None, [_unknown(target, str(error))]
    return adapter, [_placed(target, finding) for finding in adapter.check()]


def _unknown(target: Target, reason: str) -> Finding:
    text = Text(f"Den Adapter „{target.adapter}“ gibt es hier nicht.", reason)
    remedy = Text(
        "Berichtigen Sie „adapter“ oder spielen Sie das Paket des Adapters ein.",
        "Correct `adapter`, or install the adapter's package.",
    )
    return _at(target.place("adapter"), Finding("config.unknown_adapter", "error", "service", text, remedy=remedy))


def _placed(target: Target, finding: Finding) -> Finding:
    """An adapter knows its settings by name, not where they stand; `found`, or `allowed` for what is missing, names the
    setting (`probe.path`). Faults in another file (the target's description) it has placed itself.
    """
    if finding.path and Path(finding.path).name != "target.yaml":
        return finding
    steps = [int(step) if step.isdigit() else step for step in (finding.found or "").split(".") if step]
    remedy = finding.remedy if finding.remedy.en else Text("Berichtigen Sie die Angabe.", "Correct the setting.")
    return _at(target.place(*steps), replace(finding, remedy=remedy, found=None))


def _at(place: Place, finding: Finding) -> Finding:
    return replace(finding, path=str(place.file), line=place.line, column=place.column)

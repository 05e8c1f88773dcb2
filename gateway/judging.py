"""The verdict on one document, without storing anything: what `POST /v1/validate` and `gateway validate` say."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from gateway.services import Packages, open_to
from xoev_schemas.documents import Unreadable
from xoev_schemas.findings import Finding, Text, has_errors
from xoev_schemas.positions import located
from xoev_schemas.registry import Registry
from xoev_schemas.standards import Judgement

if TYPE_CHECKING:
    from gateway.services import Client, Service
    from xoev_schemas.ladder import Checker

_LISTED = 40
_NAMED = Text(
    "Das genannte Schema ist nicht installiert; nichts wurde geprüft.",
    "The schema named is not installed; nothing was judged.",
)
_RECOGNISED = Text(
    "Für diese Nachricht ist kein Schema installiert; sie wurde nicht geprüft.",
    "No schema is installed for this message; it was not judged.",
)


@dataclass(frozen=True, slots=True)
class Verdict:
    """valid: the standard's word; None = no schema is installed to judge by.

    accepted: this gateway's word: some service takes it, because it is valid or because the service's `on_invalid`
    takes what is not. standard, message: what it was judged by; None = nothing.
    """

    valid: bool | None
    accepted: bool
    standard: str | None
    message: str | None
    findings: tuple[Finding, ...]

    def as_dict(self, file: str | None = None) -> dict[str, Any]:
        """One element of the array that both interfaces answer with. file: None over HTTP."""
        return {
            "file": file,
            "valid": self.valid,
            "accepted": self.accepted,
            "standard": self.standard,
            "message": self.message,
            "findings": [finding.as_dict() for finding in self.findings],
        }


def judge(
    packages: Packages,
    checker: Checker,
    data: bytes,
    media_type: str,
    *,
    schema: str | None = None,
    client: Client | None = None,
) -> Verdict:
    """schema: name or URI to judge by; None = what the document says it is. client: whose services count for
    `accepted`; None = everybody's.
    """
    registry = checker.registry
    ref = registry.find(schema) if schema else None
    try:
        judgement = checker.check(data, media_type, ref)
    except Unreadable as error:
        return Verdict(False, False, None, None, tuple(error.findings))
    if not judgement.standard or (schema and ref is None):
        return Verdict(None, False, None, None, (_not_installed(registry, named=schema is not None),))
    fine = not has_errors(judgement.findings)
    services = open_to(client, packages.services.values())
    accepted = judgement.valid is not None and any(
        fine or service.on_invalid["rest"] != "reject" for service in services if _takes(registry, service, judgement)
    )
    findings = tuple(located(judgement.findings, data, media_type))
    return Verdict(judgement.valid, accepted, judgement.standard, judgement.message or None, findings)


def _takes(registry: Registry, service: Service, judgement: Judgement) -> bool:
    found = (registry.find(accepts.schema) for accepts in service.accepts)
    return any(ref and (ref.standard, ref.message) == (judgement.standard, judgement.message) for ref in found)


def _not_installed(registry: Registry, *, named: bool) -> Finding:
    """Says what is installed: a standard's name is public, and without it nobody could tell what to do."""
    installed = [standard.ref for standard in registry.standards()]
    return Finding(
        "schema.not_installed",
        "warning",
        "schema",
        _NAMED if named else _RECOGNISED,
        path="schema" if named else "",
        allowed=", ".join(installed[:_LISTED]) + (" …" if len(installed) > _LISTED else "") or None,
        remedy=Text(
            "Verwenden Sie ein installiertes Schema, oder lassen Sie es einspielen: gateway schemas import PFAD.",
            "Use a schema that is installed, or have it imported: gateway schemas import PATH.",
        ),
    )

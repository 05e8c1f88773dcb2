"""The verdict on one document, without storing anything: what `POST /v1/validate` and `gateway validate` say."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING, Any

from gateway.packages.ruling import judged_by_service
from gateway.services import Packages, accepting, open_to
from xoev_schemas.documents import Unreadable
from xoev_schemas.findings import Finding, Text, has_errors
from xoev_schemas.positions import located
from xoev_schemas.registry import Registry
from xoev_schemas.standards import Judgement, SchemaRef

if TYPE_CHECKING:
    from gateway.services import Client
    from xoev_schemas.ladder import Checker

_LISTED = 8
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

    accepted: this gateway's word: some service takes it, because it is valid and keeps the service's own rules, or
    because the service's `on_invalid` takes what does not. standard, message: what it was judged by; None = nothing.
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
    today: date,
) -> Verdict:
    """schema: name or URI to judge by; None = what the document says it is. client: whose services count for
    `accepted`; None = everybody's. today: which of a service's mappings and rules count.
    """
    registry = checker.registry
    ref = registry.find(schema) if schema else None
    try:
        judgement = checker.check(data, media_type, ref)
    except Unreadable as error:
        return Verdict(False, False, None, None, tuple(error.findings))
    if schema and ref is None:
        return Verdict(None, False, None, None, (_not_installed(registry, named=True),))
    if not judgement.standard:
        told = located(judgement.findings, data, media_type) or [_not_installed(registry, named=False)]
        return Verdict(None, False, None, None, tuple(told))
    if judgement.valid is None:
        return Verdict(None, False, judgement.standard, judgement.message or None, tuple(judgement.findings))
    accepted, findings = _services_say(packages, checker, data, media_type, judgement, client, today)
    told = located(findings, data, media_type)
    return Verdict(judgement.valid, accepted, judgement.standard, judgement.message or None, tuple(told))


def _services_say(
    packages: Packages,
    checker: Checker,
    data: bytes,
    media_type: str,
    judgement: Judgement,
    client: Client | None,
    today: date,
) -> tuple[bool, list[Finding]]:
    """Whether some service takes the message, and the findings with what that service adds; if none does, with what
    the first adds that takes such messages.
    """
    ref = SchemaRef(judgement.standard, judgement.message, (), judgement.standard)
    said: list[list[Finding]] = []
    for service in open_to(client, packages.services.values()):
        for accepts in accepting(service, ref.source, ref, today):
            ruled = judged_by_service(service, accepts, checker, data, media_type, judgement, packages.stage)
            if not has_errors(ruled.findings) or service.on_invalid["rest"] != "reject":
                return True, ruled.findings
            said.append(ruled.findings)
    return False, next(iter(said), judgement.findings)


def _not_installed(registry: Registry, *, named: bool) -> Finding:
    """Says what is installed: a standard's name is public, and without it nobody could tell what to do."""
    installed = [standard.ref for standard in registry.standards()]
    return Finding(
        "schema.not_installed",
        "warning",
        "schema",
        _NAMED if named else _RECOGNISED,
        path="schema" if named else "",
        allowed=_listed(installed),
        remedy=Text(
            "Verwenden Sie ein installiertes Schema, oder lassen Sie es einspielen: gateway schemas import PFAD.",
            "Use a schema that is installed, or have it imported: gateway schemas import PATH.",
        ),
    )


def _listed(installed: Sequence[str]) -> str | None:
    """The first few; who wants all asks for them."""
    more = f" … ({len(installed)} in all)" if len(installed) > _LISTED else ""
    return ", ".join(installed[:_LISTED]) + more or None

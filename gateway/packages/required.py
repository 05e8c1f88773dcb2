"""Whether a service's mappings say what it requires: who is not told cannot be found sufficient."""

from __future__ import annotations

from collections.abc import Iterator

from gateway.mapping.shapes import TemplateModel
from gateway.packages.model import Accepts, Service
from xoev_schemas.findings import Finding, Severity, Text


def unmapped_requirements(service: Service) -> Iterator[Finding]:
    """Per mapping: a trust level comes from the message alone; a payment may also stand in FIT-Connect metadata."""
    for accepts in {accepts.mapping: accepts for accepts in service.accepts}.values():
        if service.requires.trust_level != "none" and not _makes(accepts, "authentication", "trustLevel"):
            yield _unmapped(
                service,
                accepts,
                "authentication/trustLevel",
                "error",
                Text("Jeder Eingang würde zum Klärfall.", "every submission would become a dead letter."),
            )
        if service.requires.payment == "required" and not _makes(accepts, "payment", "status"):
            yield _unmapped(
                service,
                accepts,
                "payment/status",
                "warning",
                Text(
                    "Eingänge ohne paymentInformation in den Metadaten werden zu Klärfällen.",
                    "submissions without paymentInformation in their metadata become dead letters.",
                ),
            )


def _makes(accepts: Accepts, member: str, name: str) -> bool:
    made = TemplateModel([accepts.compiled.root], {}).children((member,))
    return made is None or name in made


def _unmapped(service: Service, accepts: Accepts, place: str, severity: Severity, effect: Text) -> Finding:
    return Finding(
        "config.requirement_not_mapped",
        severity,
        "service",
        Text(
            f"„requires“ verlangt „{place}“, aber {accepts.mapping} füllt es nicht: {effect.de}",
            f"`requires` asks for '{place}', but {accepts.mapping} does not fill it: {effect.en}",
        ),
        path=str(service.folder / accepts.mapping),
        remedy=Text(
            f"Bilden Sie „{place}“ ab, oder ändern Sie „requires“ in service.yaml.",
            f"Map '{place}', or change `requires` in service.yaml.",
        ),
    )

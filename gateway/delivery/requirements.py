"""What a service requires of an application beside its form: that it is sure enough who applied, and that it is paid.

Judged at delivery, on the case: below it, an application becomes a dead letter. It is not refused, because its receipt
is a legal fact; a person settles it with the applicant, or lets it pass (`gateway dead redrive --let-pass`). Pure.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from gateway.delivery import Dead
from gateway.delivery.words import CODES, REMEDIES
from gateway.packages.model import Requires
from xoev_schemas.findings import Text

FAILURE = "requirement"
TRUST_LEVELS = ("none", "low", "substantial", "high")
"""Of an identification, the weakest first: Art. 8 Abs. 2 of Regulation (EU) 910/2014; `none`: not identified."""
PAID = "BOOKED"
"""`payment.status` of what is paid, as in the FIT-Connect metadata; the others there: INITIAL, FAILED, CANCELED."""


def unmet(requires: Requires, case: Mapping[str, Any]) -> Dead | None:
    """The first requirement that the case does not meet. What the case does not say counts as not there."""
    level = case.get("authentication", {}).get("trustLevel", "none")
    if TRUST_LEVELS.index(level) < TRUST_LEVELS.index(requires.trust_level):
        told = Text(
            f"Verlangt: {LEVELS[requires.trust_level].de}; nachgewiesen: {LEVELS[level].de}.",
            f"Required: {LEVELS[requires.trust_level].en}; proven: {LEVELS[level].en}.",
        )
        return _dead("requirement.trust_level", "authentication/trustLevel", told)
    payment = case.get("payment", {})
    if requires.payment == "required" and payment.get("status", "").upper() != PAID:
        return _dead("requirement.payment", "payment/status", None)
    return None


LEVELS: Mapping[str, Text] = {
    "none": Text("keine Identifizierung", "no identification"),
    "low": Text("Vertrauensniveau normal", "trust level low"),
    "substantial": Text("Vertrauensniveau substanziell", "trust level substantial"),
    "high": Text("Vertrauensniveau hoch", "trust level high"),
}


def _dead(code: str, place: str, told: Text | None) -> Dead:
    text = CODES[code] if told is None else Text(f"{CODES[code].de} {told.de}", f"{CODES[code].en} {told.en}")
    return Dead(FAILURE, code, text, REMEDIES[FAILURE], place=place)


def first_given_up() -> Dead:
    """What came earlier in the matter was discarded or returned: the target does not know what this one follows."""
    return Dead("order", "order.first_given_up", CODES["order.first_given_up"], REMEDIES["order"])

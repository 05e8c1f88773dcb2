"""The rules of a Stammdatenschema: free text that no program can evaluate, and that nobody should believe evaluated."""

from __future__ import annotations

from xoev_schemas.fim.model import DataSchema, element_name
from xoev_schemas.findings import Finding, Text

_MOST_NAMED = 5


def unevaluated_rules(schema: DataSchema) -> Finding | None:
    """An info that the schema's rules were not evaluated; None where it has none."""
    count = len(schema.rules)
    if not count:
        return None
    listed = ", ".join(f"{rule.id} „{rule.name}“" if rule.name else rule.id for rule in schema.rules[:_MOST_NAMED])
    more = count - min(count, _MOST_NAMED)
    rest_de, rest_en = (f" und {more} weitere", f" and {more} more") if more else ("", "")
    subject_de = "1 Regel, die" if count == 1 else f"{count} Regeln, die"
    subject_en = "1 rule" if count == 1 else f"{count} rules"
    return Finding(
        code="fim.rules_not_evaluated",
        severity="info",
        layer="convention",
        text=Text(
            f"Das Datenschema hat {subject_de} nur als Text vorliegen und nicht ausgewertet wurden: {listed}{rest_de}."
            if count > 1
            else f"Das Datenschema hat {subject_de} nur als Text vorliegt und nicht ausgewertet wurde: {listed}.",
            f"The schema has {subject_en} written as text only; not evaluated: {listed}{rest_en}.",
        ),
        remedy=Text(
            "Prüfen Sie fachlich oder hinterlegen Sie die nötigen Regeln als eigene Regeln des Dienstes.",
            "Have them checked by the department, or state those you need as rules of the service.",
        ),
        source=f"FIM {element_name(schema, versioned=True)}",
    )

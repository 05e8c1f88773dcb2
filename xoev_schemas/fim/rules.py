"""The rules of a Stammdatenschema: free text that no program can evaluate, and that nobody should believe evaluated."""

from __future__ import annotations

from collections.abc import Collection

from xoev_schemas.fim.model import DataSchema, element_name
from xoev_schemas.fim.wording import shortened
from xoev_schemas.findings import Finding, Text

_MOST_NAMED = 3


def unevaluated_rules(schema: DataSchema, evaluated: Collection[str] = ()) -> Finding | None:
    """An info that the schema's rules were not evaluated; None where there are none but those.

    evaluated: ids of rules that somebody else stated so that they can be evaluated.
    """
    rules = [rule for rule in schema.rules if rule.id not in evaluated]
    count = len(rules)
    if not count:
        return None
    listed = ", ".join(f"{rule.id} ({shortened(rule.name, 80)})" for rule in rules[:_MOST_NAMED])
    more = count - _MOST_NAMED
    rest_de, rest_en = (f" und {more} weitere", f" and {more} more") if more > 0 else ("", "")
    if count == 1:
        text = Text(
            f"Eine Regel des Datenschemas liegt nur als Text vor und wurde nicht ausgewertet: {listed}.",
            f"One rule of the schema is written as text only and was not evaluated: {listed}.",
        )
    else:
        text = Text(
            f"{count} Regeln des Datenschemas liegen nur als Text vor und wurden nicht ausgewertet: {listed}{rest_de}.",
            f"{count} rules of the schema are written as text only and were not evaluated: {listed}{rest_en}.",
        )
    return Finding(
        code="fim.rules_not_evaluated",
        severity="info",
        layer="convention",
        text=text,
        remedy=Text(
            "Prüfen Sie fachlich oder hinterlegen Sie die nötigen Regeln als eigene Regeln des Dienstes.",
            "Have them checked by the department, or state those you need as rules of the service.",
        ),
        source=f"FIM {element_name(schema, versioned=True)}",
    )

"""The sentences of schema findings, in both languages, shared by XML Schema and JSON Schema."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from xoev_schemas.findings import Finding, Text

MOST_FINDINGS = 500

_MESSAGES: Mapping[str, tuple[str, str]] = {
    "schema.missing_element": (
        "An dieser Stelle fehlt eine Pflichtangabe{expected_de}.",
        "Something required is missing here{expected_en}.",
    ),
    "schema.wrong_order": (
        "Die Angabe {name} steht zu spät: hinter dem, was ihr folgen müsste.",
        "{name} stands too late: behind what should follow it.",
    ),
    "schema.unexpected_element": (
        "Die Angabe {name} ist hier nicht erlaubt{expected_de}.",
        "{name} is not allowed here{expected_en}.",
    ),
    "schema.wrong_namespace": (
        "Die Angabe {name} steht im falschen Namensraum{expected_de}.",
        "{name} stands in the wrong namespace{expected_en}.",
    ),
    "schema.missing_attribute": ("Das Pflichtattribut {name} fehlt.", "The required attribute {name} is missing."),
    "schema.unexpected_attribute": (
        "Das Attribut {name} ist hier nicht erlaubt.",
        "The attribute {name} is not allowed here.",
    ),
    "schema.unexpected_content": (
        "Der Inhalt von {name} ist hier nicht erlaubt.",
        "The content of {name} is not allowed here.",
    ),
    "schema.enumeration": (
        "Der Wert von {name} ist kein zugelassener Wert.",
        "The value of {name} is none of those allowed.",
    ),
    "schema.value": (
        "Der Wert von {name} hat nicht die verlangte Form.",
        "The value of {name} does not have the required form.",
    ),
    "schema.count": (
        "Die Anzahl der Einträge in {name} ist nicht zulässig.",
        "The number of items in {name} is not allowed.",
    ),
    "schema.identity": (
        "Ein Schlüssel oder Verweis in {name} ist nicht eindeutig oder führt ins Leere.",
        "A key or reference in {name} is not unique or leads nowhere.",
    ),
    "schema.unknown_type": (
        "Der mit xsi:type angegebene Typ von {name} ist nicht erlaubt.",
        "The type that xsi:type gives for {name} is not allowed.",
    ),
    "schema.wrong_message": (
        "Die Daten sind nicht die Nachricht, die hier erwartet wird{expected_de}.",
        "The data are not the message that is expected here{expected_en}.",
    ),
    "schema.other": ("{name} verletzt das Schema.", "{name} violates the schema."),
}

_REMEDIES: Mapping[str, Text] = {
    "schema.missing_element": Text(
        "Ergänzen Sie die Angabe oder stellen Sie die Reihenfolge richtig.", "Add it, or mend the order."
    ),
    "schema.wrong_order": Text("Stellen Sie die zulässige Reihenfolge her.", "Restore the order that is allowed."),
    "schema.unexpected_element": Text(
        "Entfernen Sie die Angabe oder setzen Sie sie an die richtige Stelle.", "Remove it, or move it to its place."
    ),
    "schema.wrong_namespace": Text("Berichtigen Sie den Namensraum.", "Mend the namespace."),
    "schema.missing_attribute": Text("Ergänzen Sie das Attribut.", "Add the attribute."),
    "schema.unexpected_attribute": Text("Entfernen Sie das Attribut.", "Remove the attribute."),
    "schema.enumeration": Text("Verwenden Sie einen der zugelassenen Werte.", "Use one of the values allowed."),
    "schema.value": Text("Berichtigen Sie den Wert.", "Correct the value."),
    "schema.wrong_message": Text(
        "Prüfen Sie, ob Schema und Daten zusammengehören.", "Check that schema and data belong together."
    ),
}
_REMEDY = Text("Prüfen Sie die Erzeugung der Nachricht.", "Check how the message is produced.")


def schema_finding(
    code: str,
    *,
    name: str,
    source: str,
    title: str | None = None,
    path: str = "",
    line: int | None = None,
    found: str | None = None,
    allowed: str | None = None,
) -> Finding:
    """An error of layer `schema`.

    name: element, attribute or member, safe to show. title: its label in the standard (FIM). found: already masked.
    """
    de, en = _MESSAGES[code]
    parts = {
        "expected_de": f"; erwartet wird: {allowed}" if allowed else "",
        "expected_en": f"; expected: {allowed}" if allowed else "",
    }
    return Finding(
        code=code,
        severity="error",
        layer="schema",
        text=Text(
            de.format(name=name if title is None else f"„{title}“ ({name})", **parts),
            en.format(name=name if title is None else f"“{title}” ({name})", **parts),
        ),
        path=path,
        line=line,
        found=found,
        allowed=allowed,
        remedy=_REMEDIES.get(code, _REMEDY),
        source=source,
    )


def once_per_value(findings: Iterable[Finding]) -> list[Finding]:
    """One finding for a value that fails several rules at once (too short and not of its pattern): neighbours with the
    same place become one that names all that is allowed.
    """
    told: list[Finding] = []
    for finding in findings:
        last = told[-1] if told else None
        where = (finding.code, finding.path, finding.line)
        if last is None or finding.code != "schema.value" or (last.code, last.path, last.line) != where:
            told.append(finding)
        elif finding.allowed and finding.allowed not in (last.allowed or "").split("; "):
            told[-1] = replace(last, allowed="; ".join(filter(None, (last.allowed, finding.allowed))))
    return told


def more_findings(count: int, source: str) -> Finding:
    """The note that ends a list that was cut at MOST_FINDINGS."""
    return Finding(
        code="schema.more",
        severity="info",
        layer="schema",
        text=Text(f"{count} weitere Beanstandungen sind nicht aufgeführt.", f"{count} more findings are not listed."),
        remedy=Text("Beheben Sie zuerst die aufgeführten.", "Mend those listed first."),
        source=source,
    )


def shorten(expectation: str, most: int = 300) -> str:
    """A schema's expectation, readable: the pattern of DIN 91379 alone has 8,000 characters."""
    expectation = expectation.translate({9: r"\t", 10: r"\n", 13: r"\r"})
    return expectation if len(expectation) <= most else expectation[:most] + " …"

"""A message of our own with findings of every kind, as the tests of the reports need it."""

from __future__ import annotations

from xoev_schemas.findings import Finding, Text
from xoev_schemas.report import Checked
from xoev_schemas.report.source import Source

MESSAGE = """<?xml version="1.0"?>
<!-- Geheimnis eins -->
<a:antrag xmlns:a="urn:a" nr="Geheimnis2">
  <name>Geheimnis drei</name>
  <geburt>gestern</geburt>
</a:antrag>
"""

WHOLE = Finding("fim.rules_not_evaluated", "info", "schema", Text("Regeln nicht geprüft.", "Rules not evaluated."))
NUMBER = Finding(
    "schema.value", "warning", "schema", Text("Die Nummer ist lang.", "The number is long."), "/antrag/@nr", 3, 27
)
BIRTH = Finding(
    "schema.value",
    "error",
    "schema",
    Text("Der Wert von geburt hat nicht die verlangte Form.", "The value of geburt does not have the required form."),
    "/antrag/geburt",
    5,
    3,
    found="7 characters: letters, white space",
    allowed="type <xs:date> & 'more'",
    remedy=Text("Berichtigen Sie den Wert.", "Correct the value."),
    source="xoev:muster/1.0",
)


def checked(
    *findings: Finding, message: str = MESSAGE, valid: bool | None = False, accepted: bool = False, values: bool = False
) -> Checked:
    source = Source(message.encode(), "application/xml", values)
    standard = "xoev:muster/1.0" if valid is not None else None
    return Checked.of("antrag.xml", source, valid, accepted, standard, "antrag", findings or (BIRTH, NUMBER, WHOLE))

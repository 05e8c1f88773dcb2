"""What XÖV agrees on and a schema cannot say: the header tells of the very message it heads, and what is to be attached
can be.

Four families of headers are known (XÖV-Basisnachricht G2G, qualified and unqualified; XInneres; xdomea;
XGewerbesteuer). A message with another header, or none, is judged by its root's attributes alone. What the schema or
the standard's own Schematron has said already is not said again.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from xoev_schemas.conventions.agreement import agreement_findings
from xoev_schemas.conventions.attachments import attachment_findings
from xoev_schemas.conventions.message import Message
from xoev_schemas.documents import XmlDocument
from xoev_schemas.findings import Finding
from xoev_schemas.places import Names
from xoev_schemas.standards import Standard

__all__ = ["convention_findings", "without_repetitions"]


def convention_findings(
    document: XmlDocument,
    data: bytes,
    standard: Standard,
    *,
    now: datetime,
    reported: Sequence[Finding] = (),
    names: Names | None = None,
) -> list[Finding]:
    """What a message breaks of the conventions, in the order of the rules; layer `convention`.

    data: the bytes that `document` was read from. standard: the installed one that judged it. now: with a time zone.
    reported: what the layers before found in this message. names: which names may be shown; None where the message is
    valid.
    """
    message = Message(document, data, standard, now, names)
    found = agreement_findings(message) + attachment_findings(message)
    if not found or not reported:
        return found
    taken = {finding.path for finding in reported if finding.severity == "error"}
    return [finding for finding in found if finding.path not in taken]


def without_repetitions(findings: Sequence[Finding]) -> list[Finding]:
    """The findings of all layers, but for what the standard's own Schematron says as well.

    XBau has a rule for identifiers of the DVDV (sch-xbau-001, -002), which places the fault at the header.
    """
    rules = [finding for finding in findings if finding.layer == "schematron" and "DVDV" in finding.text.de]
    return [finding for finding in findings if not any(_is_said(finding, rule) for rule in rules)]


def _is_said(finding: Finding, rule: Finding) -> bool:
    header, _, party = finding.path.removesuffix("/kennung").rpartition("/")
    return (
        finding.code == "convention.dvdv_identifier" and rule.path.startswith(header) and f'"{party}"' in rule.text.de
    )

"""Findings on attachments: layer `attachment`, place `attachment:ID` (file names may be a person's)."""

from __future__ import annotations

from collections.abc import Iterable

from gateway.attachments.rules import AttachmentRules
from xoev_schemas.findings import Finding, Severity, Text

UNSAFE = frozenset({"attachment.infected", "attachment.not_scannable"})
"""What never goes on by itself, whatever the service's `on_invalid` says."""

_WORDS: dict[str, tuple[Severity, Text, Text]] = {
    "attachment.type_mismatch": (
        "error",
        Text(
            "Der Inhalt der Anlage ist von anderer Art, als ihr Dateiname oder ihr angegebener Typ sagt.",
            "The attachment's content is of another kind than its file name or declared type says.",
        ),
        Text(
            "Geben Sie den Typ an, den der Inhalt hat, und benennen Sie die Datei danach.",
            "Declare the type that the content has, and name the file accordingly.",
        ),
    ),
    "attachment.type_not_allowed": (
        "error",
        Text("Anlagen dieses Typs nimmt die Leistung nicht an.", "The service does not take attachments of this type."),
        Text("Wandeln Sie die Anlage um, am besten in PDF.", "Convert the attachment, best into PDF."),
    ),
    "attachment.active_content": (
        "error",
        Text("Die Anlage enthält Makros oder Skripte.", "The attachment carries macros or script."),
        Text(
            "Speichern Sie die Datei ohne Makros und Skripte, am besten als PDF.",
            "Save the file without macros and script, best as PDF.",
        ),
    ),
    "attachment.too_large": (
        "error",
        Text("Die Anlage ist größer, als die Leistung erlaubt.", "The attachment is larger than the service allows."),
        Text("Verkleinern oder teilen Sie die Anlage.", "Make the attachment smaller, or divide it."),
    ),
    "attachment.too_many": (
        "error",
        Text("Es sind mehr Anlagen, als die Leistung erlaubt.", "There are more attachments than the service allows."),
        Text("Fassen Sie Anlagen zusammen.", "Combine attachments."),
    ),
    "attachment.infected": (
        "error",
        Text("Der Virenscanner hat Schadsoftware gefunden.", "The virus scanner found malware."),
        Text(
            "Prüfen Sie das System, von dem die Datei stammt, und senden Sie eine saubere Fassung.",
            "Check the system that the file comes from, and send a clean version.",
        ),
    ),
    "attachment.not_scannable": (
        "error",
        Text(
            "Der Virenscanner kann die Anlage nicht beurteilen: Sie ist zu groß oder verschlüsselt, die Prüfung "
            "scheitert wiederholt, oder es gibt keinen Virenscanner mehr.",
            "The virus scanner cannot judge the attachment: it is too large or encrypted, scanning it fails again "
            "and again, or there is no scanner any more.",
        ),
        Text(
            "Senden Sie die Anlage unverschlüsselt und kleiner, oder lassen Sie die Grenzen des Virenscanners anheben.",
            "Send the attachment unencrypted and smaller, or have the limits of the virus scanner raised.",
        ),
    ),
    "attachment.scan_delayed": (
        "info",
        Text(
            "Der Virenscanner war beim Eingang nicht erreichbar. Weitergeleitet wird erst nach der Prüfung.",
            "The virus scanner could not be reached at receipt. Nothing goes on before it has judged the attachments.",
        ),
        Text("Sie müssen nichts tun.", "Nothing to do."),
    ),
}


def attachment_finding(
    code: str, attachment_id: str | None, *, found: str | None = None, allowed: str | None = None
) -> Finding:
    """code: one of the table above. attachment_id: None = all of them together."""
    severity, text, remedy = _WORDS[code]
    path = f"attachment:{attachment_id}" if attachment_id else "attachment"
    return Finding(code, severity, "attachment", text, path=path, found=found, allowed=allowed, remedy=remedy)


def is_infected(attachment_id: str, findings: Iterable[Finding]) -> bool:
    return any(
        finding.code == "attachment.infected" and finding.path == f"attachment:{attachment_id}" for finding in findings
    )


def types_allowed(rules: AttachmentRules) -> str:
    return ", ".join(rules.allow)

"""What to do about each fault in a configuration file, where the place itself does not say it better."""

from __future__ import annotations

from collections.abc import Mapping

from xoev_schemas.findings import Text

_SEE_FORMAT = Text("Sehen Sie im Format der Pakete nach.", "See the page on the package format.")
_SEE_LANGUAGE = Text("Sehen Sie in der Sprache der Zuordnungen nach.", "See the page on the mapping language.")
_NAME = Text("Berichtigen Sie den Namen.", "Correct the name.")
_ADD_FILE = Text("Legen Sie die Datei an oder berichtigen Sie den Namen.", "Make the file, or correct the name.")
_YAML = Text("Berichtigen Sie die genannte Stelle.", "Correct the place named.")
_SETTING = Text("Berichtigen Sie die Einstellung.", "Correct the setting.")

_REMEDIES: Mapping[str, Text] = {
    "config.data_schema": Text(
        "Berichtigen Sie das JSON-Schema (Draft 2020-12).", "Correct the JSON Schema (draft 2020-12)."
    ),
    "config.beside_steps": Text("Entfernen Sie es hier.", "Remove it here."),
    "config.duplicate_key": Text("Entfernen Sie eine der beiden Angaben.", "Remove one of the two."),
    "config.duplicate_package": Text("Benennen Sie eines der beiden um.", "Rename one of the two."),
    "config.empty": Text("Füllen oder löschen Sie die Datei.", "Fill the file, or delete it."),
    "config.form": _SEE_FORMAT,
    "config.invalid": _SETTING,
    "config.key": Text("Schreiben Sie den Schlüssel als Text.", "Write the key as text."),
    "config.missing_file": _ADD_FILE,
    "config.missing_folder": Text(
        "Legen Sie den Ordner an oder berichtigen Sie „packages“.", "Make the folder, or correct `packages`."
    ),
    "config.missing_key": Text("Ergänzen Sie die Angabe.", "Add it."),
    "config.no_request": Text(
        "Schreiben Sie request.yaml oder request-LEISTUNG.yaml.", "Write request.yaml or request-SERVICE.yaml."
    ),
    "config.not_yaml": _YAML,
    "config.same_identity": Text(
        "Geben Sie jedem Absender eine eigene Kennung.", "Give each client an identity of its own."
    ),
    "config.too_deep": _YAML,
    "config.too_large": Text("Teilen Sie die Datei auf.", "Split the file."),
    "config.unknown_key": Text(
        "Entfernen Sie die Angabe oder berichtigen Sie den Namen.", "Remove it, or correct the name."
    ),
    "config.duplicate_rule": Text("Geben Sie jeder Regel eine eigene Kennung.", "Give each rule an id of its own."),
    "config.unknown_fim_rule": Text(
        "Nennen Sie eine Regel des Datenschemas oder entfernen Sie die Angabe.",
        "Name a rule of the schema, or leave it out.",
    ),
    "config.unknown_service": _NAME,
    "config.unknown_target": _NAME,
    "config.value": Text("Berichtigen Sie den Wert.", "Correct the value."),
    "mapping.attachments_in_case": Text(
        "Entfernen Sie die Angabe: Die Anlagen füllt das Gateway.", "Leave it out: the gateway fills the attachments."
    ),
    "mapping.code_not_covered": Text("Ergänzen Sie die Codes in der Tabelle.", "Add the codes to the table."),
    "mapping.code_never": Text("Entfernen Sie den Code aus der Tabelle.", "Remove the code from the table."),
    "mapping.member_missing": Text("Ergänzen Sie dieses Feld in der Zuordnung.", "Make this member in the mapping."),
    "mapping.member_unknown": Text(
        "Entfernen Sie das Feld oder berichtigen Sie den Namen.", "Remove the member, or correct its name."
    ),
    "mapping.not_a_group": Text("Ordnen Sie einen einzelnen Wert zu.", "Map a single value."),
    "mapping.not_a_list": Text(
        "Ordnen Sie einen einzelnen Wert zu, etwa mit „first“.", "Map a single value, for instance with 'first'."
    ),
    "mapping.path_is_group": Text("Führen Sie den Pfad bis zu einem Feld weiter.", "Let the path go on to a field."),
    "mapping.path_unknown": Text(
        "Berichtigen Sie den Pfad; „allowed“ nennt, was dort steht.", "Correct the path; `allowed` names what is there."
    ),
    "mapping.pattern": Text(
        "Schreiben Sie ihn ohne Vorausschau und Rückverweise; prüfen Sie die Klammern.",
        "Write it without look-around and back-references; look at the brackets.",
    ),
    "mapping.reserved_member": Text("Entfernen Sie das Feld.", "Leave the member out."),
    "mapping.schema_without_model": Text(
        "Nennen Sie unter „accepts“ die Nachricht: SCHEMA#NACHRICHT.", "Name the message in `accepts`: SCHEMA#MESSAGE."
    ),
    "mapping.value_not_allowed": Text("Verwenden Sie einen der zulässigen Werte.", "Use one of the allowed values."),
}


def remedy_for(code: str) -> Text:
    """Never empty: a fault in the language itself has its page."""
    return _REMEDIES.get(code, _SEE_LANGUAGE if code.startswith("mapping.") else _SEE_FORMAT)

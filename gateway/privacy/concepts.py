"""What holds for the whole installation: security measures, the deletion concept, the concept of roles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from gateway.privacy.page import Section
from gateway.privacy.record import period, record
from gateway.services import Packages, Service
from gateway.settings import Settings
from xoev_schemas.registry import Registry

_STAGES = {"test": "Test", "acceptance": "Abnahme", "production": "Betrieb"}


def privacy(
    settings: Settings, packages: Packages, registry: Registry, services: Sequence[Service], *, version: str
) -> list[Section]:
    """The whole document. version: of the gateway."""
    return [
        Section(
            "title",
            "Datenschutzunterlagen des Gateways",
            1,
            [
                f"Erstellt aus der Konfiguration; Gateway {version}, Umgebung: {_STAGES[settings.stage]}.",
                "Was die Konfiguration nicht weiß, ist als Lücke gekennzeichnet und von der verantwortlichen Stelle zu "
                "ergänzen. Nichts davon ist geschätzt.",
            ],
        ),
        *(section for service in services for section in record(service, packages, registry)),
        *_measures(settings, packages),
        *_deletion(services),
        *_roles(packages),
    ]


def _measures(settings: Settings, packages: Packages) -> Iterator[Section]:
    keys = (
        "in einem Schlüsseldienst außerhalb des Gateways"
        if settings.key_service
        else "in Dateien, die nur der Dienst lesen kann"
    )
    inline = sorted(
        name for name, target in packages.targets.items() if target.config.settings.get("content") == "inline"
    )
    broker = (
        "nur Kennungen, keine Inhalte"
        if not inline
        else f"nur Kennungen, keine Inhalte; ausgenommen die Warteschlangen der Ziele {', '.join(inline)}, deren "
        "Nachrichten den Inhalt tragen"
    )
    rows = [
        ("Verschlüsselung gespeicherter Inhalte", "AES-256-GCM, ein Schlüssel je Eingang, vor dem ersten Schreiben"),
        ("Aufbewahrung der Hauptschlüssel", keys),
        ("Warteschlangen", broker),
        ("Protokolle und Messwerte", "keine Inhalte, keine Namen; Werte in Beanstandungen sind verdeckt"),
        ("Zugang", "nur mit Anmeldung je Portal und Fachstelle (Zugangstoken oder Zertifikat)"),
        ("Trennung", "Portale sehen ihre eigenen Eingänge, Fachstellen die ihres Amtes"),
        (
            "Nachweis",
            "jede Änderung und jeder Blick in Inhalte wird so verkettet aufgezeichnet, dass Änderungen daran auffallen",
        ),
        (
            "Prüfung von Anlagen auf Schadsoftware",
            "eingerichtet" if settings.scanner else "nicht eingerichtet",
        ),
    ]
    gaps = [
        "Verschlüsselung der Verbindung zum Gateway: sie endet an einem vorgeschalteten Rechner.",
        "Sicherung, Wiederherstellung und deren Aufbewahrungsfristen.",
        "Zutritts- und Zugangsschutz der Rechner, auf denen Gateway, Datenbank und Warteschlangen laufen.",
    ]
    if not settings.scanner:
        gaps.append("Wie Anlagen auf Schadsoftware geprüft werden.")
    yield Section("measures", "Technische und organisatorische Maßnahmen", 2, [], ("Maßnahme", "Umsetzung"), rows, gaps)


def _deletion(services: Sequence[Service]) -> Iterator[Section]:
    yield Section(
        "deletion",
        "Löschkonzept",
        2,
        [
            "Die Frist beginnt mit dem Ende des Eingangs, wenn alle Zustellungen abgeschlossen sind. Gelöscht wird "
            "selbsttätig und vollständig; der Vorgang ist wiederholbar und wird mit einer Löschbescheinigung in der "
            "Aufzeichnung des Eingangs belegt.",
            "Mit dem Inhalt wird sein Schlüssel vernichtet. Inhalte in älteren Sicherungen sind unlesbar, sobald auch "
            "der damalige Hauptschlüssel ausgetauscht und entfernt ist.",
            "Eine Löschsperre hält Frist und Löschung an, bis eine Person sie mit Begründung aufhebt. Eine Löschung "
            "vor der Frist (Art. 17 DSGVO) ist je Eingang möglich, sobald er abgeschlossen ist.",
        ],
        ("Leistung", "zugestellt", "verworfen oder zurückgegeben"),
        [(one.title, period(one.keep.delivered), period(one.keep.discarded)) for one in services],
    )
    rows = [
        ("Daten, Anlagen und Metadaten des Eingangs", "mit dem Inhalt"),
        ("Beanstandungen mit verdeckten Werten", "mit dem Inhalt"),
        ("Antworten und Belege der Zielsysteme", "mit dem Inhalt"),
        ("Einzelheiten von Klärfällen", "mit dem Inhalt; Art, Fundstelle und Zeitpunkt bleiben"),
        ("Vergleichsmerkmale für mögliche Doppel", "mit dem Inhalt"),
        ("Prüfsummen, die einen Inhalt bestätigen könnten", "mit dem Inhalt"),
        ("Angefangene Übermittlungen, die nie angenommen wurden", "eine Stunde nach dem Beginn"),
        ("Aufzeichnung des Eingangs: Kennungen, Zeiten, Zustände, Aktenzeichen", "bleibt; siehe Lücke"),
    ]
    gaps = [
        "Frist für die Aufzeichnungen ohne Inhalt; die Konfiguration kennt keine.",
        "Fristen für Sicherungen, Protokolldateien und Messwerte.",
        "Löschfristen in den Zielsystemen und in den Warteschlangen der Fachstellen.",
    ]
    yield Section("deletion.data", "Was wann gelöscht wird", 3, [], ("Daten", "Löschung"), rows, gaps)


def _roles(packages: Packages) -> Iterator[Section]:
    rows = [
        ("Portal", "Eingänge übermitteln; Stand und Rückmeldungen der eigenen Eingänge sehen", "fremde Eingänge"),
        ("Fachstelle", "Fälle und Anlagen des eigenen Amtes abrufen, Rückmeldung geben", "andere Ämter"),
        (
            "Betrieb",
            "Klärfälle sehen, erneut zustellen, verwerfen, zurückgeben; Löschsperren setzen; vorzeitig löschen; "
            "Schlüssel austauschen",
            "Inhalte ohne aufgezeichnete Begründung",
        ),
        ("Einrichtung", "Leistungen und Ziele konfigurieren und prüfen", "Inhalte"),
    ]
    gaps = [
        "Welche Personen oder Stellen diese Rollen wahrnehmen, wer sie vertritt und wer Rechte vergibt und entzieht.",
        "Wer am Rechner des Gateways Befehle ausführen darf: diese Rechte verwaltet das Betriebssystem.",
    ]
    yield Section("roles", "Rollenkonzept", 2, [], ("Rolle", "darf", "darf nicht"), rows, gaps)
    clients = sorted(packages.clients.values(), key=lambda client: (client.kind, client.name))
    yield Section(
        "roles.clients",
        "Eingerichtete Zugänge",
        3,
        [] if clients else ["Es ist kein Zugang eingerichtet."],
        ("Zugang", "Rolle", "Bereich"),
        [
            (
                client.name,
                "Portal" if client.kind == "portal" else "Fachstelle",
                client.department or ("alle Leistungen" if client.services is None else ", ".join(client.services)),
            )
            for client in clients
        ],
    )

"""The record of processing activities (Art. 30 Abs. 1 DSGVO), one per service, as far as the configuration knows it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from adapters.periods import Period
from gateway.packages.recipients import hands_out_whole_case, recipients
from gateway.privacy.names import CaseNames, categories, fim_schemas
from gateway.privacy.page import Section
from gateway.services import Packages, Service, Target
from xoev_schemas.fim.model import DataSchema
from xoev_schemas.registry import Registry

_REGIMES: Mapping[str, str] = {
    "vwvfg": "Verwaltungsverfahrensrecht (Verwaltungsverfahrensgesetz)",
    "ao": "Abgabenordnung",
    "sgb": "Sozialgesetzbuch",
    "wahlrecht": "Wahlrecht",
}
_SECRECIES: Mapping[str, str] = {"steuer": "Steuergeheimnis", "sozial": "Sozialgeheimnis"}
_TRANSMISSIONS: Mapping[str, str] = {
    "soap": "Webdienst (SOAP)",
    "rest": "Webdienst (REST)",
    "amqp": "Warteschlange (AMQP)",
    "folder": "Dateiablage",
}
_CHANNELS: Mapping[str, str] = {"rest": "REST-Schnittstelle", "fit-connect": "FIT-Connect", "xta": "XTA"}


def record(service: Service, packages: Packages, registry: Registry) -> Iterator[Section]:
    """The sections of one service."""
    schemas = fim_schemas(service, registry)
    yield Section(
        f"record.{service.name}",
        f"Verzeichnis der Verarbeitungstätigkeiten: {service.title}",
        2,
        rows=_facts(service),
        columns=("Angabe", "Inhalt"),
        gaps=_facts_missing(service),
    )
    yield _basis(service, schemas)
    yield _subjects(service, packages)
    yield from _categories(service, schemas)
    yield from _recipients(service, packages, CaseNames(service, schemas))
    yield _origin(service, packages)
    yield _periods(service)


def period(value: Period) -> str:
    """In words: `30 Tage`, `6 Monate`."""
    years, months = divmod(value.months, 12)
    seconds = int(value.rest.total_seconds())
    days, seconds = divmod(seconds, 86400)
    parts = ((years, "Jahr", "Jahre"), (months, "Monat", "Monate"), (days, "Tag", "Tage"))
    told = [f"{count} {one if count == 1 else many}" for count, one, many in parts if count]
    if seconds or not told:
        told.append(f"{seconds / 3600:g} Stunden".replace(".", ","))
    return " ".join(told)


def _facts(service: Service) -> list[tuple[str, str]]:
    contact = service.contact
    reached = ", ".join(filter(None, (contact.name, contact.email, contact.phone))) if contact else ""
    facts = [
        ("Leistung", service.title),
        ("Kennungen", ", ".join(service.identifiers)),
        (
            "Zweck",
            f"Anträge und Anzeigen zu „{service.title}“ entgegennehmen, prüfen und der zuständigen Stelle zustellen",
        ),
        ("Fachlich zuständig", service.department),
        ("Ansprechstelle", reached),
        ("Gebiet (Regionalschlüssel)", ", ".join(service.regions) or "alle"),
        ("Stand der Konfiguration", service.version),
    ]
    if service.inactive is not None:
        facts.append(("Betrieb", "Diese Leistung nimmt derzeit nichts an: ihr Datenschema ist nicht eingerichtet."))
    return [(name, value) for name, value in facts if value]


def _facts_missing(service: Service) -> list[str]:
    gaps = ["Name und Kontaktdaten des Verantwortlichen und der oder des Datenschutzbeauftragten."]
    if service.contact is None:
        gaps.append("Ansprechstelle für diese Leistung (in der Konfiguration: „contact“).")
    return gaps


def _basis(service: Service, schemas: Sequence[DataSchema]) -> Section:
    told = [f"Verfahrensrecht: {_REGIMES[service.law.regime]}."]
    if service.law.secrecy != "none":
        told.append(f"Besonderer Schutz der Inhalte: {_SECRECIES.get(service.law.secrecy, service.law.secrecy)}.")
    if service.statutory:
        told.append(
            f"Frist der Fachstelle: {period(service.statutory.duration)}; "
            f"angegebene Grundlage: {service.statutory.basis}."
        )
    named = sorted({" ".join(basis.text.split()) for schema in schemas for basis in schema.legal_basis})
    if named:
        told.append(f"Das Datenschema nennt als Handlungsgrundlage: {'; '.join(named)}.")
    gaps = [
        "Rechtsgrundlage der Verarbeitung nach Art. 6 Abs. 1 DSGVO mit der Vorschrift des Fachrechts.",
        "Ob besondere Kategorien personenbezogener Daten (Art. 9 DSGVO) oder Angaben zu Straftaten (Art. 10 DSGVO) "
        "verarbeitet werden, und auf welcher Grundlage.",
    ]
    return Section(f"basis.{service.name}", "Rechtsgrundlage", 3, told, gaps=gaps)


def _subjects(service: Service, packages: Packages) -> Section:
    fields = recipients(packages)[service.name]
    told = [
        name
        for prefix, name in (
            ("applicants", "Antragstellende und anzeigende Personen"),
            ("parties", "Weitere Beteiligte"),
        )
        if any(field == prefix or field.startswith(f"{prefix}/") for field in fields)
    ]
    gap = "Weitere betroffene Personen, die in den Fachdaten oder Anlagen vorkommen, etwa Angehörige oder Kinder."
    return Section(
        f"subjects.{service.name}", "Kategorien betroffener Personen", 3, [f"{name}." for name in told], gaps=[gap]
    )


def _categories(service: Service, schemas: Sequence[DataSchema]) -> Iterator[Section]:
    key = f"categories.{service.name}"
    for number, schema in enumerate(schemas):
        told = f"Felder des Datenschemas „{schema.title}“ ({schema.id}, Version {schema.version or 'ohne Angabe'})."
        rows = [(one.group, one.name, one.id) for one in categories(schema)]
        suffix = f".{number + 1}" if number else ""
        heading = "Kategorien personenbezogener Daten"
        yield Section(f"{key}{suffix}", heading, 3, [told], ("Gruppe", "Angabe", "Feld"), rows)
    known = {f"fim:{schema.id}V{schema.version}" for schema in schemas}
    others = [accepts.schema for accepts in service.accepts if accepts.schema not in known]
    if others:
        yield Section(
            f"{key}.others",
            "Kategorien personenbezogener Daten" if not schemas else "Weitere Datenschemata",
            3,
            [f"Angenommen wird auch: {', '.join(others)}. Was davon weitergegeben wird, steht bei den Empfängern."],
            gaps=[
                "Kategorien der Nachricht nach der Spezifikation des Standards; hier liegen keine FIM-Namen dazu vor."
            ],
        )


def _recipients(service: Service, packages: Packages, names: CaseNames) -> Iterator[Section]:
    fields = recipients(packages)[service.name]
    targets = [packages.targets[name] for name in service.targets]
    rows = [(target.name, target.department, _transmission(target), _scope(target)) for target in targets]
    yield Section(
        f"recipients.{service.name}",
        "Empfänger",
        3,
        columns=("Ziel", "Stelle", "Übermittlung", "Umfang"),
        rows=rows,
        gaps=[
            "Ob ein Ziel außerhalb der eigenen Verwaltung oder bei einem Auftragsverarbeiter (Art. 28 DSGVO) betrieben "
            "wird.",
            "Ob Daten in ein Drittland übermittelt werden; die Konfiguration kennt die Standorte der Ziele nicht.",
        ],
    )
    for target in targets:
        # Code and text of one thing may have one name.
        got = dict.fromkeys(names.of(field) for field, readers in fields.items() if target.name in readers)
        if not hands_out_whole_case(target):
            yield Section(
                f"fields.{service.name}.{target.name}",
                f"Angaben für {target.name}",
                4,
                columns=("Angabe",),
                rows=[(name,) for name in got],
                paragraphs=[] if got else ["Dieses Ziel erhält keine Angaben aus dem Fall."],
            )


def _transmission(target: Target) -> str:
    way = _TRANSMISSIONS.get(target.adapter, target.adapter)
    scheme = str(target.config.settings.get("url", "")).partition(":")[0]
    if scheme in ("https", "amqps", "sftp"):
        return f"{way}, verschlüsselt"
    return f"{way}, ohne Verschlüsselung der Verbindung" if scheme in ("http", "amqp") else way


def _scope(target: Target) -> str:
    told = (
        ["der ganze Fall (Verweis, Abruf durch die Stelle)"] if hands_out_whole_case(target) else ["einzelne Angaben"]
    )
    if target.when is not None:
        told.append("nur, wenn die im Ziel hinterlegte Bedingung erfüllt ist")
    return "; ".join(told)


def _origin(service: Service, packages: Packages) -> Section:
    senders = [
        client
        for client in packages.clients.values()
        if client.kind == "portal" and (client.services is None or service.name in client.services)
    ]
    readers = [
        client
        for client in packages.clients.values()
        if client.kind == "department" and client.department == service.department
    ]
    rows = [
        *(
            (client.name, "Portal", "übermittelt Eingänge, sieht deren Stand und die Rückmeldungen")
            for client in senders
        ),
        *((client.name, "Fachstelle", "ruft Fälle und Anlagen ab, gibt Rückmeldungen") for client in readers),
        *(
            (", ".join(ids), _CHANNELS[channel], "Empfangsadresse, an die übermittelt wird")
            for channel, ids in service.addressees.items()
            if ids
        ),
    ]
    told = [] if rows else ["Für diese Leistung ist kein Zugang eingerichtet."]
    columns = ("Zugang", "Art", "Was er darf")
    return Section(f"origin.{service.name}", "Herkunft der Daten und Zugänge", 3, told, columns, rows)


def _periods(service: Service) -> Section:
    rows = [
        ("Inhalt, zugestellt", f"{period(service.keep.delivered)} nach dem Ende des Eingangs"),
        ("Inhalt, verworfen oder zurückgegeben", f"{period(service.keep.discarded)} nach dem Ende des Eingangs"),
        ("Inhalt, noch nicht abgeschlossen", "keine Löschung, solange der Eingang offen ist"),
        ("Inhalt, bei der Annahme abgewiesen", "wird nicht gespeichert"),
    ]
    return Section(f"periods.{service.name}", "Löschfristen", 3, columns=("Daten", "Frist"), rows=rows)

"""What failure classes and codes mean, in words that officials and operators read. Pure; nothing personal can enter.

Classes and codes are those of `adapters.base.FailureClass` and of the adapters; `docs/reference/findings.md` has them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from xoev_schemas.findings import Finding, Text

CLASSES: Mapping[str, Text] = {
    "unavailable": Text("Das Zielsystem war nicht erreichbar.", "The department system could not be reached."),
    "throttled": Text(
        "Das Zielsystem war ausgelastet und bat um eine Pause.", "The department system was busy and asked for a pause."
    ),
    "unknown_outcome": Text(
        "Gesendet, aber ob der Vorgang angekommen ist, ist ungeklärt.", "Sent, and nobody can know whether it arrived."
    ),
    "rejected_by_target": Text("Das Zielsystem hat den Vorgang abgelehnt.", "The department system refused the case."),
    "auth": Text(
        "Das Zielsystem hat unsere Zugangsdaten oder unser Zertifikat nicht anerkannt, oder wir das seine nicht.",
        "The department system did not accept our credentials or certificate, or we not its own.",
    ),
    "mapping": Text(
        "Der Eingang ließ sich nicht in die geforderte Form bringen.",
        "The submission could not be brought into the form that is asked for.",
    ),
    "contract": Text(
        "Die Schnittstelle des Zielsystems passt nicht zur Konfiguration.",
        "The interface of the department system does not fit the configuration.",
    ),
    "poison": Text(
        "Die Zustellung hat die Prozesse, die sie bearbeiteten, wiederholt beendet.",
        "The delivery repeatedly ended the processes that worked on it.",
    ),
    "expired": Text("Die Zustellung wurde nach Ablauf ihrer Zeit aufgegeben.", "The delivery was given up: too late."),
    "bug": Text(
        "Ein Fehler im Gateway selbst hat die Zustellung verhindert.",
        "A fault in the gateway itself prevented the delivery.",
    ),
    "clarify": Text("Der Eingang wartet auf Klärung.", "The submission waits to be clarified."),
    "requirement": Text(
        "Dem Eingang fehlt, was die Leistung voraussetzt.", "The submission lacks what the service requires."
    ),
    "order": Text(
        "Ein früherer Eingang desselben Vorgangs wurde nicht zugestellt.",
        "An earlier submission of the same matter was not delivered.",
    ),
}
"""Every class that a dead letter can have, and what it says."""

REMEDIES: Mapping[str, Text] = {
    "rejected_by_target": Text(
        "Lesen Sie die Antwort des Zielsystems; klären Sie die Daten oder geben Sie den Vorgang zurück.",
        "Read the answer of the department system; clarify the data, or return the case to its sender.",
    ),
    "unknown_outcome": Text(
        "Suchen Sie im Zielsystem nach dem Schlüssel. Angekommen: tragen Sie das Aktenzeichen ein. "
        "Sonst: stellen Sie als mögliche Wiederholung erneut zu.",
        "Look for the key in the department system. There: enter its reference. "
        "Not there: send again as a possible repeat.",
    ),
    "auth": Text(
        "Prüfen Sie Zugangsdaten und Zertifikat des Ziels und stellen Sie danach erneut zu.",
        "Check the target's credentials and certificate, then send again.",
    ),
    "mapping": Text(
        "Berichtigen Sie die Abbildung (mapping.yaml, request.yaml) und stellen Sie danach erneut zu.",
        "Correct the mapping (mapping.yaml, request.yaml), then send again.",
    ),
    "contract": Text(
        "Die Schnittstelle hat sich geändert: berichtigen Sie die Konfiguration des Ziels und stellen Sie erneut zu.",
        "The interface has changed: correct the target's configuration, then send again.",
    ),
    "poison": Text(
        "Stellen Sie nicht gesammelt erneut zu. Prüfen Sie zuerst die Protokolle der Prozesse.",
        "Do not send again in bulk. Look into the logs of the worker processes first.",
    ),
    "expired": Text(
        "Prüfen Sie das Zielsystem und stellen Sie danach erneut zu.", "Check the department system, then send again."
    ),
    "bug": Text(
        "Melden Sie dies dem Betreiber des Gateways; stellen Sie nach der Berichtigung erneut zu.",
        "Report this to who runs the gateway; send again once it is mended.",
    ),
    "clarify": Text(
        "Prüfen Sie den Eingang und geben Sie ihn frei oder verwerfen Sie ihn.",
        "Look at the submission, then let it on or discard it.",
    ),
    "requirement": Text(
        "Klären Sie Identität oder Zahlung mit der antragstellenden Person. Danach lassen Sie den Eingang durch "
        "(gateway dead redrive --let-pass, mit Grund) oder geben ihn zurück.",
        "Settle identity or payment with the applicant. Then let it pass (gateway dead redrive --let-pass, with a "
        "reason), or return it.",
    ),
    "order": Text(
        "Stellen Sie den früheren Eingang wieder her und zu, oder lassen Sie diesen allein durch "
        "(gateway dead redrive --let-pass, mit Grund).",
        "Restore and deliver the earlier submission, or let this one pass alone (gateway dead redrive --let-pass, with "
        "a reason).",
    ),
}

MEND = Text(
    "Beheben Sie die Ursache und stellen Sie danach erneut zu.", "Remove the cause of the failure, then send again."
)
"""What to do where the class has no remedy of its own."""

WAITING: Mapping[str, Text] = {
    "retry": Text("auf den nächsten Versuch", "for the next attempt"),
    "hours": Text("auf die Öffnung des Ziels", "for the target to open"),
    "circuit": Text("bis das Ziel wieder antwortet", "for the target to answer again"),
    "rate": Text("auf seinen Platz in der Reihe", "for its turn: the target takes so many per second"),
    "order": Text("auf einen früheren Eingang des Vorgangs", "for an earlier submission of its matter"),
}
"""Why a delivery waits."""

STATES: Mapping[str, Text] = {
    "queued": Text("bereit", "queued"),
    "delivering": Text("unterwegs", "delivering"),
    "waiting": Text("wartet", "waiting"),
    "unknown": Text("Ausgang ungeklärt", "unknown"),
    "delivered": Text("zugestellt", "delivered"),
    "skipped": Text("entfallen", "skipped"),
    "dead": Text("Klärfall", "dead"),
    "returned": Text("zurückgegeben", "returned"),
    "discarded": Text("verworfen", "discarded"),
    "failed": Text("gescheitert", "failed"),
    "open": Text("offen", "open"),
    "redriven": Text("erneut zugestellt", "redriven"),
    "resolved": Text("erledigt", "resolved"),
}
"""States of deliveries and dead letters, and outcomes of attempts."""

CODES: Mapping[str, Text] = {
    "adapter.crashed": Text("Der Adapter ist abgestürzt, nachdem er gesendet haben kann.", "The adapter crashed."),
    "amqp.no_queue": Text("Die Warteschlange des Ziels gibt es nicht.", "The target's queue does not exist."),
    "amqp.queue_differs": Text(
        "Die Warteschlange des Ziels ist von anderer Art.", "The target's queue is another kind of queue."
    ),
    "amqp.unavailable": Text("Der Nachrichtenserver des Ziels ist nicht da.", "The target's broker is away."),
    "amqp.unconfirmed": Text(
        "Der Nachrichtenserver des Ziels hat nicht bestätigt.", "The target's broker did not confirm."
    ),
    "config.invalid": Text("Die Konfiguration des Ziels ist unbrauchbar.", "The target's configuration is not usable."),
    "config.path": Text(
        "Ein Pfad in target.yaml passt nicht zur Anfrage.", "A path in target.yaml does not fit the request."
    ),
    "dns.failed": Text("Der Rechnername des Ziels ist nicht bekannt.", "The target's host name is not known."),
    "folder.full": Text("Auf dem Laufwerk des Ziels ist kein Platz mehr.", "The target's drive is full."),
    "folder.key_reused": Text(
        "Unter diesem Schlüssel liegt im Ordner schon etwas anderes.",
        "Something else lies in the folder under this key.",
    ),
    "folder.key_unsafe": Text(
        "Der Schlüssel taugt nicht als Name eines Ordners.", "The key cannot be the name of a folder."
    ),
    "folder.move_failed": Text(
        "Das Laufwerk sagt nicht, ob der Vorgang im Ordner angekommen ist.",
        "The drive does not say whether the case arrived in the folder.",
    ),
    "folder.no_marker": Text(
        "Im Ordner fehlt die Kennzeichnungsdatei: Das Laufwerk ist wohl nicht eingebunden.",
        "The folder lacks its marker file: the share is probably not mounted.",
    ),
    "folder.not_allowed": Text("In den Ordner darf nicht geschrieben werden.", "The folder may not be written to."),
    "folder.request_invalid": Text(
        "Die Anfrage passt nicht zum Schema und wurde nicht geschrieben.",
        "The request does not fit the schema; it was not written.",
    ),
    "folder.too_slow": Text("Das Schreiben in den Ordner dauerte zu lange.", "Writing to the folder took too long."),
    "folder.unreachable": Text("Der Ordner ist nicht erreichbar.", "The folder cannot be reached."),
    "http.answer_too_large": Text("Die Antwort war zu groß.", "The answer was too large."),
    "http.answer_unreadable": Text("Die Antwort war nicht lesbar.", "The answer could not be read."),
    "http.broken_off": Text("Die Verbindung brach nach dem Senden ab.", "The connection broke off after sending."),
    "http.closed": Text("Das Ziel schloss die Verbindung ohne Antwort.", "The target closed without an answer."),
    "http.html": Text("Statt einer Antwort kam eine Webseite.", "A page for people came instead of an answer."),
    "http.read_timeout": Text("Die Antwort blieb aus.", "The answer did not come in time."),
    "http.request_invalid": Text("Die Anfrage ist kein gültiges HTTP.", "The request is not valid HTTP."),
    "http.write_timeout": Text("Das Ziel nahm die Anfrage zu langsam an.", "The target took the request too slowly."),
    "oauth.answer_unreadable": Text(
        "Die Antwort der Anmeldestelle enthält kein Token.", "The token endpoint's answer holds no token."
    ),
    "order.first_given_up": Text(
        "Der frühere Eingang des Vorgangs wurde verworfen oder zurückgegeben: Das Ziel kennt den Vorgang nicht.",
        "The earlier submission of the matter was discarded or returned: the target does not know the matter.",
    ),
    "outcome.unknown": Text(
        "Das Ziel darf keine Wiederholung bekommen und kann nicht gefragt werden.",
        "The target may not get a repeat and cannot be asked.",
    ),
    "probe.gave_up": Text(
        "Das Ziel war nicht zu erreichen, um nachzufragen.", "The target could not be asked in time."
    ),
    "probe.impossible": Text("Die Nachfrage beim Ziel scheiterte.", "Asking the target failed."),
    "probe.not_there": Text("Das Ziel kennt den Vorgang nicht.", "The target does not know the case."),
    "probe.unsupported": Text("Das Ziel kann nicht gefragt werden.", "The target cannot be asked."),
    "proxy.auth": Text("Der ausgehende Proxy verlangt Zugangsdaten.", "The outgoing proxy wants credentials."),
    "proxy.failed": Text("Der ausgehende Proxy kam nicht durch.", "The outgoing proxy did not get through."),
    "request.attachment_unknown": Text(
        "Die Anfrage nennt eine Anlage, die der Eingang nicht hat.",
        "The request names an attachment that the submission does not have.",
    ),
    "kind.no_request": Text(
        "Für diese Art von Eingang hat das Ziel keine Anfrage.", "The target has no request for this kind."
    ),
    "requirement.payment": Text(
        "Die Zahlung, die vorausgesetzt ist, ist nicht bestätigt.", "The payment that is required is not confirmed."
    ),
    "requirement.trust_level": Text(
        "Die antragstellende Person ist nicht sicher genug identifiziert.",
        "The applicant is not identified surely enough.",
    ),
    "rest.answer_invalid": Text(
        "Die Antwort passt nicht zur Beschreibung.", "The answer does not fit the description (OpenAPI)."
    ),
    "rest.answer_unexpected": Text(
        "Die Antwort gehört zu einem anderen Vorgang (echo).", "The answer is that of another case (echo)."
    ),
    "rest.answer_unreadable": Text("Die Antwort ist nicht lesbar.", "The answer is neither JSON nor XML."),
    "rest.changed_meanwhile": Text(
        "Der Vorgang wurde beim Ziel inzwischen geändert; der nächste Versuch liest ihn neu.",
        "The case was changed at the target meanwhile; the next attempt reads it anew.",
    ),
    "rest.in_progress": Text(
        "Das Ziel hat den Vorgang entgegengenommen und noch nicht gesagt, was daraus wurde.",
        "The target took the case and has not said yet what came of it.",
    ),
    "rest.no_etag": Text(
        "Das Ziel nennt keine Version (ETag) des Vorgangs, den es ändern soll.",
        "The target names no version (ETag) of the case that is to be changed.",
    ),
    "rest.not_there": Text(
        "Den Vorgang, der geändert werden soll, gibt es beim Ziel nicht.",
        "The case that is to be changed is not at the target.",
    ),
    "rest.parameter_missing": Text(
        "Der Anfrage fehlt ein Wert, der in der Adresse stehen muss.",
        "The request lacks a value that has to stand in the address.",
    ),
    "rest.request_unbuildable": Text(
        "Die Anfrage lässt sich nach der Beschreibung nicht bilden.", "The request cannot be built by the description."
    ),
    "rest.status_elsewhere": Text(
        "Das Ziel nahm den Vorgang an und verwies auf einen anderen Rechner, der nicht gefragt wird.",
        "The target took the case and pointed to another host, which is not asked.",
    ),
    "rest.status_gone": Text(
        "Die Adresse, unter der das Ziel den Stand sagen wollte, gibt es nicht mehr.",
        "The address at which the target was to say how it stands is gone.",
    ),
    "rest.status_missing": Text(
        "Das Ziel nahm den Vorgang an und sagte nicht, wo es den Stand sagen wird.",
        "The target took the case and did not say where it will say what came of it.",
    ),
    "rest.refused": Text(
        "Die Antwort sagt, dass der Vorgang nicht angenommen ist (success).", "The answer says no (success)."
    ),
    "rest.request_invalid": Text(
        "Die Anfrage passt nicht zur Beschreibung und wurde nicht gesendet.",
        "The request does not fit the description (OpenAPI); it was not sent.",
    ),
    "rest.success_missing": Text(
        "In der Antwort fehlt, woran ein Erfolg erkannt wird.", "The answer lacks what success is recognised by."
    ),
    "sftp.broken_off": Text("Die SFTP-Verbindung brach ab.", "The SFTP connection broke off."),
    "sftp.host_key": Text(
        "Der SFTP-Server hat nicht den Schlüssel, der hinterlegt ist.",
        "The SFTP server does not have the key that is configured.",
    ),
    "sftp.login": Text("Der SFTP-Server lehnte die Anmeldung ab.", "The SFTP server refused the login."),
    "sftp.unreachable": Text("Der SFTP-Server ist nicht erreichbar.", "The SFTP server cannot be reached."),
    "soap.answer_invalid": Text("Die Antwort passt nicht zur WSDL.", "The answer does not fit the description (WSDL)."),
    "soap.answer_unexpected": Text("Es kam eine andere Antwort als erwartet.", "Another answer came than expected."),
    "soap.answer_unreadable": Text("Die Antwort ist kein SOAP.", "The answer is not SOAP."),
    "soap.auth": Text("SOAP-Fehler: Anmeldung abgelehnt.", "SOAP fault: not authorised."),
    "soap.client": Text("SOAP-Fehler: Anfrage abgelehnt.", "SOAP fault: the request was refused."),
    "soap.contract": Text("SOAP-Fehler: Vorgang unbekannt.", "SOAP fault: operation or message not known."),
    "soap.endpoint_unavailable": Text("SOAP-Fehler: zurzeit nicht verfügbar.", "SOAP fault: not available now."),
    "soap.fault": Text("SOAP-Fehler ohne bekannte Bedeutung.", "SOAP fault of no known meaning."),
    "soap.message_expired": Text(
        "SOAP-Fehler: Nachricht zu alt (Uhrzeit prüfen).", "SOAP fault: the message is too old (check the clock)."
    ),
    "soap.refused": Text(
        "Die Antwort sagt, dass der Vorgang nicht angenommen ist (success).", "The answer says no (success)."
    ),
    "soap.request_invalid": Text(
        "Die Anfrage passt nicht zur WSDL und wurde nicht gesendet.",
        "The request does not fit the description (WSDL); it was not sent.",
    ),
    "soap.request_unbuildable": Text(
        "Die Anfrage lässt sich nach der WSDL nicht bilden.", "The request cannot be built by the WSDL."
    ),
    "soap.server": Text("SOAP-Fehler: Störung im Zielsystem.", "SOAP fault: trouble in the department system."),
    "soap.success_missing": Text(
        "In der Antwort fehlt, woran ein Erfolg erkannt wird.", "The answer lacks what success is recognised by."
    ),
    "target.fault": Text(
        "Ein Fehler, den die Konfiguration des Ziels benennt (faults).", "A fault that the target's file names."
    ),
    "tcp.connect_timeout": Text("Keine Verbindung in der Zeit.", "No connection in time."),
    "tcp.refused": Text("Die Verbindung wurde abgelehnt.", "The connection was refused."),
    "tcp.reset": Text("Die Verbindung wurde zurückgesetzt.", "The connection was reset."),
    "tcp.unreachable": Text("Zum Zielrechner führt kein Weg.", "There is no way to the target's host."),
    "tls.broken_off": Text("Der Aufbau der Verschlüsselung brach ab.", "The TLS handshake broke off."),
    "tls.client_certificate": Text(
        "Das Ziel erkennt unser Zertifikat nicht an.", "The target does not accept our certificate."
    ),
    "tls.handshake": Text("Die Verschlüsselung kam nicht zustande.", "The TLS handshake failed."),
    "tls.server_certificate": Text(
        "Das Zertifikat des Ziels ist nicht vertrauenswürdig.", "The target's certificate is not trusted."
    ),
    "worker.died": Text("Ein Prozess starb mitten im Versuch.", "A worker process died in the middle of an attempt."),
    "worker.died_repeatedly": Text(
        "Die Prozesse starben wiederholt an dieser Zustellung.", "Worker processes died of this delivery repeatedly."
    ),
    "broker.delivery_limit": Text(
        "Die Nachricht wurde zu oft vergeblich zugestellt.", "The message was redelivered too often."
    ),
    "broker.rejected": Text(
        "Wer die Warteschlange liest, wies die Nachricht zurück.", "Who reads the queue rejected the message."
    ),
    "broker.expired": Text("Die Nachricht wurde zu alt.", "The message grew too old in the queue."),
    "broker.maxlen": Text("Die Warteschlange war voll.", "The queue was full."),
    "broker.unknown": Text("Die Nachricht kam ohne Angabe von Gründen.", "The message came without a reason."),
}

_FAMILIES: tuple[tuple[re.Pattern[str], Callable[[str], Text]], ...] = (
    (re.compile(r"http\.(\d{3})"), lambda rest: Text(f"HTTP-Status {rest}.", f"HTTP status {rest}.")),
    (
        re.compile(r"http\.(\d{3}\.[a-z_.-]+)"),
        lambda rest: Text(f"Grund nach Angabe des Zielsystems: {rest}.", f"The target's own reason: {rest}."),
    ),
    (
        re.compile(r"oauth\.(.+)"),
        lambda rest: _prefixed(Text("Bei der Anmeldestelle", "At the token endpoint"), rest),
    ),
    (re.compile(r"probe\.(.+)"), lambda rest: _prefixed(Text("Beim Nachfragen", "When asked"), rest)),
    (
        re.compile(r"bug\.(.+)"),
        lambda rest: Text(f"Fehler im eigenen Code ({rest}).", f"A fault in our own code ({rest})."),
    ),
    (re.compile(r"demo\.(.+)"), lambda rest: Text(f"Vorführung: {rest}.", f"Demonstration: {rest}.")),
)
"""Codes with a part that varies, by what stands before it."""


def explain(code: str) -> Text | None:
    """A failure code in words; None for one that the gateway does not know (an outside adapter's own)."""
    if code in CODES:
        return CODES[code]
    for pattern, words in _FAMILIES:
        if match := pattern.fullmatch(code):
            return words(match.group(1))
    return None


def and_others(errors: Sequence[Finding]) -> Text:
    """The first error's words, and how many more there are."""
    first, more = errors[0].text, len(errors) - 1
    if not more:
        return first
    return Text(f"{first.de} (und {more} weitere)", f"{first.en} (and {more} more)")


def _prefixed(before: Text, code: str) -> Text:
    inner = explain(code) or Text(f"{code}.", f"{code}.")
    return Text(f"{before.de}: {inner.de}", f"{before.en}: {inner.en}")

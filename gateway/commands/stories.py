"""What happened to a submission, told in sentences: for an auditor, in German or English."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from xoev_schemas.findings import Text

_KINDS: Mapping[str, Text] = {
    "submission.accepted": Text("Der Eingang wurde angenommen", "The submission was accepted"),
    "submission.held": Text("Der Eingang wurde zurückgestellt", "The submission was held"),
    "submission.clarify": Text(
        "Der Eingang wurde angenommen und wartet auf Klärung", "The submission was accepted and waits for clarification"
    ),
    "submission.rejected": Text("Der Eingang wurde abgewiesen", "The submission was rejected"),
    "submission.returned": Text(
        "Der Eingang wurde an den Absender zurückgegeben", "The submission was returned to its sender"
    ),
    "submission.discarded": Text("Der Eingang wurde verworfen", "The submission was discarded"),
    "submission.completed": Text("Alle Zustellungen sind abgeschlossen", "Every delivery has ended"),
    "submission.possibly_twice": Text(
        "Ein möglicherweise gleicher Antrag wurde vermerkt", "A possibly equal application was noted"
    ),
    "delivery.queued": Text("Die Zustellung steht zum Versand bereit", "The delivery is queued"),
    "delivery.delivering": Text("Die Zustellung wurde übernommen", "The delivery was claimed"),
    "delivery.waiting": Text("Die Zustellung wartet", "The delivery waits"),
    "delivery.unknown": Text("Der Ausgang eines Versuchs ist ungeklärt", "The outcome of an attempt is unknown"),
    "delivery.delivered": Text("Die Zustellung ist erfolgt", "The delivery was made"),
    "delivery.skipped": Text("Die Zustellung entfällt", "The delivery was skipped"),
    "delivery.dead": Text("Die Zustellung wurde zum Klärfall", "The delivery became a dead letter"),
    "delivery.returned": Text("Die Zustellung wurde zurückgegeben", "The delivery was returned"),
    "delivery.discarded": Text("Die Zustellung wurde verworfen", "The delivery was discarded"),
    "delivery.taken_over": Text(
        "Die Zustellung wurde von einem anderen Prozess übernommen", "The delivery was taken over by another process"
    ),
    "delivery.waits_on": Text("Die Zustellung wartet weiter", "The delivery goes on waiting"),
    "delivery.parked": Text("Die Zustellung wartet, bis das Ziel erreichbar ist", "The delivery waits for its target"),
    "attempt.started": Text("Ein Zustellversuch begann", "An attempt began"),
    "reference.noted": Text("Eine Vorgangsnummer wurde nachgetragen", "A reference was added"),
    "content.erased": Text("Der Inhalt wurde gelöscht", "The content was erased"),
    "hold.added": Text("Eine Löschsperre wurde gesetzt", "A legal hold was set"),
    "hold.removed": Text("Die Löschsperre wurde aufgehoben", "The legal hold was lifted"),
    "access": Text("Der Inhalt wurde eingesehen", "The content was looked at"),
}
_TELLING = ("reason", "code", "why", "what", "attempt")
"""Details that are told, in this order."""
_LABELS: Mapping[str, Text] = {
    "reason": Text("Grund", "reason"),
    "code": Text("Meldung", "code"),
    "why": Text("weil", "because"),
    "what": Text("Teil", "part"),
    "attempt": Text("Versuch", "attempt"),
}


def sentence(event: Mapping[str, Any], target: str) -> Text:
    """What an event says. event: as in `SubmissionView.events`. A kind without words is named as it is."""
    told = _KINDS.get(event["kind"], Text(event["kind"], event["kind"]))
    details = event["details"]
    parts = [(_LABELS[name], details[name]) for name in _TELLING if details.get(name)]
    to = f" ({target})" if target else ""
    de = "; ".join(f"{label.de}: {value}" for label, value in parts)
    en = "; ".join(f"{label.en}: {value}" for label, value in parts)
    return Text(f"{told.de}{to}{'. ' + de if de else ''}", f"{told.en}{to}{'. ' + en if en else ''}")

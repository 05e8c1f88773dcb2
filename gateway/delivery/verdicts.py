"""How a dead letter is worded, whatever led to it. Pure. The foreign text goes into `detail` (encrypted), never into
`text`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable

from adapters.base import DeliveryError
from gateway.delivery import Dead
from gateway.delivery.words import CLASSES, MEND, REMEDIES, and_others, explain
from gateway.errors import Refused
from xoev_schemas.findings import Finding, Text


def dead(error: DeliveryError) -> Dead:
    """From an adapter's verdict."""
    return Dead(
        failure=error.failure,
        code=error.code,
        text=_sentences(CLASSES[error.failure], explain(error.code)),
        remedy=REMEDIES.get(error.failure, MEND),
        detail=error.detail,
    )


def expired(attempts: int, failure: str, code: str, detail: str = "") -> Dead:
    """Give-up time over. attempts: made in this round. failure, code: of its last failure, or of what held it back."""
    tries = {
        0: Text("Ohne Versuch aufgegeben", "Given up without an attempt"),
        1: Text("Nach einem Versuch aufgegeben", "Given up after one attempt"),
    }.get(attempts, Text(f"Nach {attempts} Versuchen aufgegeben", f"Given up after {attempts} attempts"))
    last = _sentences(CLASSES.get(failure, CLASSES["unavailable"]), explain(code))
    return Dead(
        failure="expired",
        code=code,
        text=Text(f"{tries.de}. Zuletzt: {last.de}", f"{tries.en}. At last: {last.en}"),
        remedy=REMEDIES.get(failure if failure == "auth" else "expired", MEND),
        detail=detail,
        cause=failure,
    )


def unmappable(findings: Iterable[Finding]) -> Dead:
    """A submission that today's mapping cannot bring into form; its first error stands for all."""
    errors = [f for f in findings if f.severity == "error"]
    return Dead(
        failure="mapping",
        code=errors[0].code,
        text=and_others(errors),
        remedy=REMEDIES["mapping"],
        place=errors[0].path,
        detail=json.dumps([f.as_dict() for f in errors], ensure_ascii=False),
    )


def no_longer_ours(error: Refused) -> Dead:
    """Accepted under a configuration that is gone."""
    return Dead(
        failure="mapping",
        code=f"mapping.{error.code}",
        text=Text("Keine Leistung nimmt diesen Eingang noch an.", "No service takes this submission any more."),
        remedy=Text(
            "Spielen Sie die Leistung oder den Standard wieder ein (gateway services list); stellen Sie danach "
            "erneut zu.",
            "Install the service or its standard again (gateway services list), then send again.",
        ),
    )


def no_request_for(kind: str, target: str) -> Dead:
    """The target's file says nothing of this kind: sent as a new one, it would make a second case there."""
    return Dead(
        failure="mapping",
        code="kind.no_request",
        text=Text(
            f"Das Ziel „{target}“ hat keine Anfrage für Eingänge der Art „{kind}“.",
            f"The target '{target}' has no request for submissions of the kind '{kind}'.",
        ),
        remedy=Text(
            f"Legen Sie beim Ziel request-{kind}.yaml an, oder sagen Sie in target.yaml unter „kinds“, was gilt; "
            "stellen Sie danach erneut zu.",
            f"Add request-{kind}.yaml to the target, or say under `kinds` in target.yaml what holds; then send again.",
        ),
        place=f"kinds/{kind}",
    )


def bug(error: Exception) -> Dead:
    return Dead(
        failure="bug",
        code=f"bug.{type(error).__name__}",
        text=CLASSES["bug"],
        remedy=REMEDIES["bug"],
        detail=repr(error),
    )


def poison(deaths: int) -> Dead:
    return Dead(
        failure="poison",
        code="worker.died_repeatedly",
        text=Text(
            f"Die bearbeitenden Prozesse sind {deaths}-mal an dieser Zustellung gestorben.",
            f"Worker processes died {deaths} times of this delivery.",
        ),
        remedy=REMEDIES["poison"],
    )


def _sentences(first: Text, second: Text | None) -> Text:
    return first if second is None else Text(f"{first.de} {second.de}", f"{first.en} {second.en}")

"""A target that takes a case first (202) and says later what came of it: the ticket, and the answer to a question."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import quote, urljoin

from adapters.base import InProgress, OutcomeUnknown, Permanent, Receipt, Retryable
from adapters.http import Answer, on_the_host
from adapters.rest.answers import reading, tolerant
from adapters.rest.settings import Asynchronous

IN_PROGRESS = "rest.in_progress"


def taken(told: Asynchronous, url: str, answer: Answer, wait: float | None) -> OutcomeUnknown:
    """What a 202 means: InProgress with the path of the status as its ticket; an outcome that nobody can ask about
    where it names none.

    url: the target's. wait: its `Retry-After` in seconds.
    """
    found = tolerant(answer).read(told.location) if told.location is not None else answer.headers.get("location")
    if not found or isinstance(found, dict | list):
        return OutcomeUnknown("rest.status_missing", detail=answer.text())
    if told.path is not None:
        address = url.rstrip("/") + told.path.replace("{id}", quote(str(found), safe=""))
    else:
        address = urljoin(url, str(found))
    ticket = on_the_host(url, address)
    if ticket is None:
        return OutcomeUnknown("rest.status_elsewhere", detail=address)
    return InProgress(IN_PROGRESS, ticket=ticket, ask_after=_pause(told, wait), detail=answer.text())


def outcome(told: Asynchronous, places: Mapping[str, str], ticket: str, answer: Answer, wait: float | None) -> Receipt:
    """What the status at the ticket's address says: the receipt at the end. answer: a success.

    Raises InProgress, Permanent when it failed, Retryable when it cannot be read.
    """
    try:
        said = reading(answer)
    except OutcomeUnknown as error:  # asking changed nothing
        raise Retryable(f"probe.{error.code}", detail=error.detail) from None
    state = said.read(told.state) if told.state is not None else None
    if state is not None and str(state) in told.failed:
        raise Permanent("rest.refused", detail=answer.text())
    ended = str(state) in told.done if told.state is not None else True
    if answer.status == 202 or not ended:
        raise InProgress(IN_PROGRESS, ticket=ticket, ask_after=_pause(told, wait))
    return Receipt(said.references(told.references or places), answer.body, answer.media_type)


def _pause(told: Asynchronous, wait: float | None) -> float | None:
    return wait if wait is not None else told.interval

"""What a REST target answered: JSON or XML read by the same paths, and problems (RFC 9457) as people read them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from adapters import paths
from adapters.base import DeliveryError, OutcomeUnknown, Permanent, Retryable
from adapters.http import Answer
from xoev_schemas.documents import JsonDocument, Unreadable, XmlDocument, parse

_REASON = re.compile(r"[a-z][a-z_.-]{1,39}")
"""What of a problem's `type` may stand in a code: an identifier of the interface, never a number or a name."""
_PLACES = ("pointer", "field", "name", "path", "parameter", "property")
_PROBLEMS = ("application/problem+json", "application/problem+xml")
_FAILED = re.compile("[45][0-9]{2}")
_WORDS = ("detail", "reason", "message", "title")


class Reading:
    """A parsed answer; `Reading(None)` has nothing. json: its value where it is JSON, for the document's schema."""

    def __init__(self, document: JsonDocument | XmlDocument | None) -> None:
        self._document = document
        self.json: Any = document.value if isinstance(document, JsonDocument) else None
        self.is_json = isinstance(document, JsonDocument)

    def read(self, path: str) -> Any:
        """The value at a path, or None; in XML below the root, as text."""
        if isinstance(self._document, XmlDocument):
            return paths.read_xml(self._document.root, path)
        return paths.read(self.json, path)

    def references(self, places: Mapping[str, str]) -> dict[str, str]:
        found = {name: self.read(path) for name, path in places.items()}
        return {
            name: str(v) for name, v in found.items() if v is not None and not isinstance(v, dict | list) and str(v)
        }

    def __bool__(self) -> bool:
        """Whether it says anything: an empty list, object or root does not."""
        if isinstance(self._document, XmlDocument):
            root = self._document.root
            return len(root) > 0 or bool((root.text or "").strip())
        return bool(self.json)


def as_meant(answer: Answer) -> Answer:
    """A problem under a status of success is none: it has the status that it names (RFC 9457 §3.1.2: an intermediary
    may have changed it), or 500, which says nothing about what was done.
    """
    if not 200 <= answer.status < 300 or answer.media_type not in _PROBLEMS:
        return answer
    told = str(tolerant(answer).read("$.status"))
    return replace(answer, status=int(told) if _FAILED.fullmatch(told) else 500)


def reading(answer: Answer) -> Reading:
    """A success. Raises OutcomeUnknown: something was done, and the answer does not say what."""
    if not answer.body.strip():
        return Reading(None)
    try:
        return Reading(parse(answer.body, answer.media_type or "application/json"))
    except Unreadable:
        raise OutcomeUnknown("rest.answer_unreadable", detail=answer.text()) from None


def tolerant(answer: Answer) -> Reading:
    """An error's answer: whatever can be read of it (RFC 9457, also under `application/json`)."""
    try:
        xml = answer.media_type.endswith("xml")
        return Reading(parse(answer.body, answer.media_type if xml else "application/json"))
    except Unreadable:
        return Reading(None)


def with_problem(error: DeliveryError, answer: Answer) -> DeliveryError:
    """The same decision, in the words of the problem that the answer is; as it was where it is none.

    The code gets the last part of `type`, so that one cause is one row; everything else may repeat what we sent, and
    goes into `detail`, which is stored encrypted.
    """
    value = tolerant(answer).json
    if not isinstance(value, Mapping) or not {"type", "title", "detail"} & value.keys():
        return error
    kind = str(value.get("type") or "")
    reason = re.split(r"[/:#]", kind)[-1]
    known = ":" in kind and kind != "about:blank" and _REASON.fullmatch(reason)
    code, detail = f"{error.code}.{reason}" if known else error.code, "\n".join(_told(value))
    if isinstance(error, Retryable):
        return Retryable(code, failure=error.failure, detail=detail, retry_after=error.retry_after)
    if isinstance(error, Permanent):
        return Permanent(code, failure=error.failure, detail=detail)
    return OutcomeUnknown(code, detail=detail)


def _told(problem: Mapping[str, Any]) -> list[str]:
    """A line each: type, title, detail, instance, then single faults with their places."""
    lines = [f"{name}: {problem[name]}" for name in ("type", "title", "detail", "instance") if problem.get(name)]
    for name in ("errors", "invalid-params", "violations"):
        faults = problem.get(name)
        if isinstance(faults, Mapping):  # place → words
            faults = [{"field": place, "detail": words} for place, words in faults.items()]
        for fault in faults if isinstance(faults, list) else []:
            lines.append(f"- {_fault(fault)}")
    return lines


def _fault(fault: Any) -> str:
    if not isinstance(fault, Mapping):
        return str(fault)
    place = next((str(fault[name]) for name in _PLACES if fault.get(name)), "")
    words = next((str(fault[name]) for name in _WORDS if fault.get(name)), "")
    return ": ".join(part for part in (place, words) if part) or str(dict(fault))

"""What a submission is compared by, to tell what possibly came twice: who applied, for a new one."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Any

from gateway.store.records import Likeness

_SPELLED = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss"})


def likeness_of(
    case: Mapping[str, Any], fingerprint: Callable[[str], str], received_at: datetime, window: timedelta
) -> Likeness:
    """fingerprint: keyed, so that nothing of a person is readable. Without persons where it is no new submission: what
    follows in a matter is from the same person by nature.
    """
    service = case["service"]["name"]
    found = {fingerprint(f"{service}\n{person}") for person in _persons(case)} if case["kind"] == "new" else set()
    return Likeness(tuple(sorted(found)), received_at - window)


def _persons(case: Mapping[str, Any]) -> Iterator[str]:
    """Names and date of birth of natural persons who apply; who is not known by all three is not compared."""
    for party in case.get("applicants", ()):
        person = party.get("person", {})
        parts = [person.get(name) for name in ("familyName", "givenNames", "birthDate")]
        if all(parts):
            yield "\n".join(_plain(str(part)) for part in parts)


def _plain(text: str) -> str:
    """Letters and digits alone, without case and accents; ä is ae."""
    spelled = unicodedata.normalize("NFC", text).casefold().translate(_SPELLED)
    return "".join(sign for sign in unicodedata.normalize("NFKD", spelled) if sign.isalnum())

"""Proofs that need nothing but themselves and a public key: entry → leaf → path → root → signed seal.

The format (`docs/reference/http-api.md`) is the same for the one entry that a portal fetches and for a whole history.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, select

from gateway.errors import NotFound
from gateway.store import merkle
from gateway.store import tables as t
from gateway.store.changes import event_entry
from gateway.store.sealing import Seal, known_keys, leaves_in
from gateway.store.session import Record, Session

FORMAT = "urn:ozg-gateway:proof:v1"

_ID: Any = bindparam("id")
_EVENTS = select(t.event).where(t.event.c.submission_id == _ID).order_by(t.event.c.number)
_FIRST = _EVENTS.where(t.event.c.number == 1)
_RANGES = select(t.sealed_range).where(t.sealed_range.c.submission_id == _ID).order_by(t.sealed_range.c.first)
_SEAL = select(t.seal).where(t.seal.c.number == bindparam("number"))


def proof(session: Session, submission_id: str, *, whole: bool) -> dict[str, Any]:
    """Of the first event (the acceptance), or of the whole history. Entries that are not sealed yet have `leaf` None.

    Raises NotFound.
    """
    events = session.rows(_EVENTS if whole else _FIRST, {"id": submission_id})
    if not events:
        raise NotFound("there is no such submission")
    ranges = session.rows(_RANGES, {"id": submission_id})
    seals: dict[int, Record] = {}
    entries = [{"entry": event_entry(e._asdict()), "leaf": _leaf(session, e.number, ranges, seals)} for e in events]
    return {
        "format": FORMAT,
        "submissionId": submission_id,
        "entries": entries,
        "seals": [_signed(seals[number]) for number in sorted(seals)],
        "keys": [key.jwk() for key in known_keys(session)],
    }


def _leaf(session: Session, event: int, ranges: Sequence[Record], seals: dict[int, Record]) -> dict[str, Any] | None:
    held = next((r for r in ranges if r.seal is not None and r.first <= event <= r.last), None)
    if held is None:
        return None
    if held.seal not in seals:
        seals[held.seal] = session.row(_SEAL, {"number": held.seal})
    leaves = leaves_in(bytes(seals[held.seal].leaves))
    index = held.position + event - held.first
    return {"seal": held.seal, "index": index, "path": [h.hex() for h in merkle.audit_path(leaves, index)]}


def _signed(row: Record) -> dict[str, Any]:
    seal = Seal.of(row)
    return {
        "number": seal.number,
        "statement": seal.statement,
        "keyId": seal.key_id,
        "signature": base64.b64encode(bytes(seal.signature)).decode(),
    }

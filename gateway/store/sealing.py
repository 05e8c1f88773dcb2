"""Sealing: events that no seal holds yet become the leaves of a Merkle tree, whose root is signed and chained.

Events are found by the rows of `sealed_range` that the commit of the events left without a seal; nobody waits for
anything here: reading and hashing happen beside the writer, which only puts in the result. The number of a seal is a
primary key, so of two who seal at once one is refused, whole. What a crash leaves is either nothing or a whole seal.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import and_, bindparam, func, insert, literal, select, update

from gateway.store import merkle
from gateway.store import tables as t
from gateway.store.changes import GENESIS, canonical
from gateway.store.session import Record, Session
from gateway.store.signing import PublicKey, SigningKey
from gateway.store.writer import Transaction

FORMAT = "urn:ozg-gateway:seal:v1"
RANGES_AT_ONCE = 500
"""Commits of events in one seal: a few milliseconds of the writer's time."""
LOST = bytes(merkle.HASH_BYTES)
"""Stands for an event that was gone, or had no hash, before it was sealed."""

_range, _event = t.sealed_range.c, t.event.c
_NEXT = (
    select(t.sealed_range)
    .where(_range.seal.is_(None))
    .order_by(_range.submission_id, _range.first)
    .limit(bindparam("limit"))
)
_PAGE = _NEXT.subquery()
_HASHES = select(_event.submission_id, _event.number, _event.hash).join_from(
    _PAGE,
    t.event,
    and_(_event.submission_id == _PAGE.c.submission_id, _event.number.between(_PAGE.c.first, _PAGE.c.last)),
)
_NEWEST = select(t.seal.c.number, t.seal.c.statement).order_by(t.seal.c.number.desc()).limit(1)
_PUT_IN = (
    update(t.sealed_range)
    .where(_range.submission_id == bindparam("id"), _range.first == bindparam("begin"))
    .values(seal=bindparam("number"), position=bindparam("place"))
)
_KNOWN_KEY = select(t.seal_key.c.key_id).where(t.seal_key.c.key_id == bindparam("id"))
_KEYS = select(t.seal_key.c.public_key).order_by(t.seal_key.c.version, t.seal_key.c.first_used)
_RANGES = select(_range.first, _range.last).where(_range.submission_id == bindparam("id")).order_by(_range.first)
_FORGOTTEN = (
    select(t.submission.c.submission_id, t.submission.c.event_number)
    .join_from(t.submission, t.sealed_range, _range.submission_id == t.submission.c.submission_id, isouter=True)
    .group_by(t.submission.c.submission_id, t.submission.c.event_number)
    .having(func.coalesce(func.sum(_range.last - _range.first + 1), literal(0)) < t.submission.c.event_number)
    .limit(bindparam("limit"))
)


@dataclass(frozen=True, slots=True)
class Seal:
    """A signed statement about a tree. statement: the exact text that was signed. root, previous: hex.

    previous: SHA-256 of the statement of the seal before, or zeros.
    """

    number: int
    at: datetime
    size: int
    root: str
    previous: str
    statement: str
    key_id: str
    signature: bytes

    @classmethod
    def of(cls, row: Record) -> Seal:
        """Everything as the statement says it, which is what the signature covers. Raises ValueError, KeyError."""
        told = json.loads(row.statement)
        if told["format"] != FORMAT:
            raise ValueError("no seal")
        at = datetime.fromisoformat(told["at"])
        return cls(
            told["number"], at, told["size"], told["root"], told["previous"], row.statement, row.key_id, row.signature
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "number": self.number,
            "at": self.at.isoformat().replace("+00:00", "Z"),
            "size": self.size,
            "root": self.root,
            "previous": self.previous,
            "keyId": self.key_id,
        }


@dataclass(frozen=True, slots=True)
class Batch:
    """What goes into the next seal. ranges: submission id and first event of each, with the position of its leaf.

    lost: events that were gone already. more: whether there is more to seal.
    """

    number: int
    previous: str
    ranges: Sequence[Mapping[str, Any]]
    leaves: Sequence[bytes]
    lost: int
    more: bool


def digest(statement: str) -> str:
    return hashlib.sha256(statement.encode()).hexdigest()


def leaf_of(event_hash: str) -> bytes:
    """The leaf of an event: its hash is the data, so that a leaf tells nothing about the event."""
    try:
        return merkle.leaf_hash(bytes.fromhex(event_hash))
    except (ValueError, TypeError):
        return LOST


def leaves_in(data: bytes) -> list[bytes]:
    return [data[i : i + merkle.HASH_BYTES] for i in range(0, len(data), merkle.HASH_BYTES)]


def next_batch(session: Session, limit: int = RANGES_AT_ONCE) -> Batch | None:
    """As of one moment; None when everything is sealed."""
    rows = session.rows(_NEXT, {"limit": limit})
    if not rows:
        return None
    hashes = {(e.submission_id, e.number): e.hash for e in session.rows(_HASHES, {"limit": limit})}
    newest = session.row(_NEWEST)
    number = newest.number + 1 if newest else 1
    ranges: list[dict[str, Any]] = []
    leaves: list[bytes] = []
    for row in rows:
        ranges.append({"id": row.submission_id, "begin": row.first, "number": number, "place": len(leaves)})
        leaves += [leaf_of(hashes.get((row.submission_id, n), "")) for n in range(row.first, row.last + 1)]
    previous = digest(newest.statement) if newest else GENESIS
    return Batch(number, previous, ranges, leaves, leaves.count(LOST), more=len(rows) == limit)


def put(tx: Transaction, batch: Batch, root: str, key: SigningKey) -> None:
    """Sign, and write the seal. The database refuses it (Conflict) when somebody else has sealed since."""
    statement = canonical(
        {
            "format": FORMAT,
            "number": batch.number,
            "at": tx.now.isoformat(timespec="microseconds"),
            "size": len(batch.leaves),
            "root": root,
            "previous": batch.previous,
        }
    )
    tx.execute(
        insert(t.seal),
        {
            "number": batch.number,
            "at": tx.now,
            "statement": statement,
            "key_id": key.public.key_id,
            "signature": key.sign(statement),
            "leaves": b"".join(batch.leaves),
        },
    )
    tx.execute_many(_PUT_IN, batch.ranges)
    note_key(tx, key)


def note_key(tx: Transaction, key: SigningKey) -> None:
    """Keep the public key of a private one that signs here."""
    if tx.row(_KNOWN_KEY, {"id": key.public.key_id}) is None:
        row = {"key_id": key.public.key_id, "version": key.version, "public_key": key.public.key, "first_used": tx.now}
        tx.execute(insert(t.seal_key), row)


def known_keys(session: Session) -> list[PublicKey]:
    """Those that ever signed here, the oldest first."""
    return [PublicKey(bytes(row.public_key)) for row in session.rows(_KEYS)]


def forgotten(session: Session, limit: int) -> list[dict[str, Any]]:
    """Rows of `sealed_range` that are missing: an older version of the gateway, which may run beside this one during an
    upgrade, writes events and knows nothing of seals.
    """
    missing = []
    for row in session.rows(_FORGOTTEN, {"limit": limit}):
        held = {n for r in session.rows(_RANGES, {"id": row.submission_id}) for n in range(r.first, r.last + 1)}
        gaps = [n for n in range(1, row.event_number + 1) if n not in held]
        missing += [{"submission_id": row.submission_id, "first": n, "last": n} for n in gaps]
    return missing


def enrol(tx: Transaction, rows: Sequence[Mapping[str, Any]]) -> None:
    tx.execute_many(insert(t.sealed_range), rows)

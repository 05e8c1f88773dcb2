"""Stored parts of a submission: opened for reading, and added after acceptance. SQL around `content.py`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import bindparam, func, insert, select, update

from gateway.errors import NotFound, StoreUnavailable
from gateway.store import tables as t
from gateway.store.content import (
    ChunkCipher,
    ContentDamaged,
    ContentErased,
    Row,
    SealedContent,
    decrypt_part,
    encrypt_part,
)
from gateway.store.keys import KeyRing, WrongKey
from gateway.store.session import Session
from gateway.store.writer import Transaction

RECORD = "record"
"""Part that the store itself writes at acceptance: metadata, findings and the attachments' names, as JSON."""

LATER = "findings"
"""Part with the findings that came after acceptance, as a JSON list."""

_KEY = select(t.content_key).where(t.content_key.c.submission_id == bindparam("id"))
_PART = select(t.content_part).where(
    t.content_part.c.submission_id == bindparam("id"), t.content_part.c.name == bindparam("name")
)
_ANSWERS = (
    select(t.content_part)
    .where(t.content_part.c.submission_id == bindparam("id"), t.content_part.c.name.like(bindparam("like")))
    .order_by(t.content_part.c.number)
)
_CHUNK = select(t.content_chunk.c.data).where(
    t.content_chunk.c.submission_id == bindparam("id"),
    t.content_chunk.c.part == bindparam("part"),
    t.content_chunk.c.sequence == bindparam("sequence"),
)
INSERT_KEY = insert(t.content_key)
INSERT_PART = insert(t.content_part)
INSERT_CHUNK = insert(t.content_chunk)
_LAST_NUMBER = select(func.max(t.content_part.c.number)).where(t.content_part.c.submission_id == bindparam("id"))
_ERASED = select(t.submission.c.erased_at).where(t.submission.c.submission_id == bindparam("id"))
_CLAIM_KEY = (
    update(t.content_key)
    .where(t.content_key.c.submission_id == bindparam("id"), t.content_key.c.claimed.is_(False))
    .values(claimed=True)
)


@dataclass(frozen=True, slots=True)
class OpenPart:
    """A part that may be read: what decrypts it, and its row."""

    cipher: ChunkCipher
    row: Row

    def chunk(self, session: Session, sequence: int) -> bytes | None:
        """Stored bytes of one chunk, still encrypted."""
        return stored_chunk(session, self.row["submission_id"], self.row["number"], sequence)

    def read(self, session: Session) -> Iterator[bytes]:
        return decrypt_part(self.cipher, self.row, lambda sequence: self.chunk(session, sequence))


def stored_chunk(session: Session, submission_id: str, part: int, sequence: int) -> bytes | None:
    """Stored bytes of one chunk, still encrypted; None if there are none. part: its number."""
    stored: bytes | None = session.scalar(_CHUNK, {"id": submission_id, "part": part, "sequence": sequence})
    return stored


def open_cipher(session: Session, keys: KeyRing, submission_id: str) -> ChunkCipher:
    """Raises ContentErased, NotFound, or ContentDamaged when the key does not open."""
    key = session.row(_KEY, {"id": submission_id})
    if key is None:
        erased = session.row(_ERASED, {"id": submission_id})
        if erased is not None and erased.erased_at is not None:
            raise ContentErased(f"the content of submission {submission_id} was erased, its time was over")
        raise NotFound("there is no such content")
    try:
        return ChunkCipher(submission_id, keys.unwrap(key.key_version, key.wrapped_key, submission_id))
    except WrongKey as error:
        raise ContentDamaged(f"the content of submission {submission_id} cannot be opened: {error}") from None


def open_part(session: Session, keys: KeyRing, submission_id: str, name: str) -> OpenPart:
    """Raises like open_cipher; NotFound also when there is no such part."""
    cipher = open_cipher(session, keys, submission_id)
    row = session.row(_PART, {"id": submission_id, "name": name})
    if row is None:
        raise NotFound("there is no such part")
    return OpenPart(cipher, row._asdict())


def answers(session: Session, keys: KeyRing, submission_id: str, delivery_id: str) -> list[tuple[str, str]]:
    """What a target said to a delivery's attempts: (name of the part, text), in the order in which it came.

    Raises like open_cipher.
    """
    cipher = open_cipher(session, keys, submission_id)
    rows = session.rows(_ANSWERS, {"id": submission_id, "like": f"%:{delivery_id}:%detail"})
    opened = (OpenPart(cipher, row._asdict()) for row in rows)
    return [(part.row["name"], b"".join(part.read(session)).decode("utf-8", "replace")) for part in opened]


def add_part(tx: Transaction, submission_id: str, name: str, media_type: str, data: bytes) -> None:
    """Encrypt and store a part of an accepted submission. Does nothing when its content is already erased."""
    try:
        cipher = open_cipher(tx, tx.keys, submission_id)
    except (ContentErased, NotFound):
        return
    last = tx.scalar(_LAST_NUMBER, {"id": submission_id}) or 0
    part, chunks = encrypt_part(cipher, submission_id, last + 1, name, media_type, data)
    tx.execute_many(INSERT_PART, [part])
    tx.execute_many(INSERT_CHUNK, chunks)


def write_sealed(tx: Transaction, contents: list[SealedContent], *, claimed: bool) -> None:
    """Keys, parts and chunks of new submissions. claimed: False = spilled before acceptance, an orphan until claimed.

    Raises StoreUnavailable when spilled content was swept before it was accepted (the sender took more than an hour).
    """
    new_keys = [
        {
            "submission_id": content.submission_id,
            "key_version": content.key_version,
            "wrapped_key": content.wrapped_key,
            "claimed": claimed,
            "created_at": tx.now,
        }
        for content in contents
        if not content.spilled
    ]
    tx.execute_many(INSERT_KEY, new_keys)
    for content in contents:
        if content.spilled and claimed and tx.execute(_CLAIM_KEY, {"id": content.submission_id}) != 1:
            raise StoreUnavailable("the content took too long to arrive and was dropped; send it again")
    tx.execute_many(INSERT_PART, [row for content in contents for row in content.parts])
    tx.execute_many(INSERT_CHUNK, [row for content in contents for row in content.chunks])

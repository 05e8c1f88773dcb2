"""Content: streamed in chunks of 1 MiB, encrypted before a byte leaves memory, readable only in order and whole.

AES-256-GCM with one random key per submission, itself wrapped by the installation's key (`keys.py`). Every chunk is
bound to its submission, part, place and to being the last one or not; so a chunk that is cut off, swapped, repeated or
moved does not decrypt. Nonces are random: a key encrypts a few thousand chunks at most, and a number that a rolled back
transaction gave out must not come back with other content.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from gateway.errors import GatewayError
from gateway.store.keys import KEY_BYTES, NONCE_BYTES, KeyRing
from gateway.submission import Part

CHUNK_BYTES = 1024 * 1024
SPILL_BYTES = 1024 * 1024

Row = dict[str, Any]


class ContentErased(GatewayError):
    """The content is gone on purpose: its time was over. The record of the submission remains."""

    exit_code = 1


class ContentDamaged(GatewayError):
    """The stored content is incomplete or was changed. Restore it from the backup; nothing of it is handed out."""


class ChunkCipher:
    """Encrypts and decrypts the chunks of one submission. data_key: 32 bytes, never stored unwrapped."""

    def __init__(self, submission_id: str, data_key: bytes) -> None:
        self._submission_id = submission_id
        self._cipher = AESGCM(data_key)

    def encrypt(self, part: str, sequence: int, final: bool, data: bytes) -> bytes:
        nonce = os.urandom(NONCE_BYTES)
        return nonce + self._cipher.encrypt(nonce, data, self._bound_to(part, sequence, final))

    def decrypt(self, part: str, sequence: int, final: bool, stored: bytes) -> bytes:
        """Raises ContentDamaged unless `stored` is exactly this chunk of this part of this submission."""
        try:
            return self._cipher.decrypt(
                stored[:NONCE_BYTES], stored[NONCE_BYTES:], self._bound_to(part, sequence, final)
            )
        except (InvalidTag, ValueError):
            raise ContentDamaged(f"chunk {sequence} of a part of submission {self._submission_id} is damaged") from None

    def _bound_to(self, part: str, sequence: int, final: bool) -> bytes:
        return "\x00".join((self._submission_id, part, str(sequence), "final" if final else "more")).encode()


@dataclass(frozen=True, slots=True)
class SealedContent:
    """What the accepting transaction has to write. spilled: key and earlier chunks are in the database, unclaimed."""

    submission_id: str
    key_version: int
    wrapped_key: bytes
    spilled: bool
    parts: Sequence[Row]
    chunks: Sequence[Row]


class PartWriter:
    """Takes one part's bytes as they arrive. Made by `ContentWriter.part`; one thread at a time."""

    def __init__(self, owner: ContentWriter, number: int, name: str, media_type: str) -> None:
        self._owner = owner
        self._number = number
        self._name = name
        self._media_type = media_type
        self._buffer = bytearray()
        self._hash = hashlib.sha512()
        self._size = 0
        self._sequence = 0
        self._closed = False

    def write(self, data: bytes) -> None:
        """May block while chunks are spilled into the database. Raises StoreUnavailable."""
        if self._closed:
            raise ValueError(f"part {self._name} is closed")
        self._hash.update(data)
        self._size += len(data)
        self._buffer += data
        # Strictly more than a chunk: the last chunk must know that it is the last.
        while len(self._buffer) > CHUNK_BYTES:
            self._emit(bytes(self._buffer[:CHUNK_BYTES]), final=False)
            del self._buffer[:CHUNK_BYTES]

    def close(self) -> Part:
        """The part as stored, with size and SHA-512 of what was written."""
        if self._closed:
            raise ValueError(f"part {self._name} is closed")
        self._closed = True
        self._emit(bytes(self._buffer), final=True)
        self._buffer.clear()
        sha512 = self._hash.hexdigest()
        self._owner.add_part(
            {
                "submission_id": self._owner.submission_id,
                "number": self._number,
                "name": self._name,
                "media_type": self._media_type,
                "size": self._size,
                "sha512": sha512,
                "chunks": self._sequence,
            }
        )
        return Part(f"{self._owner.submission_id}/{self._number}", self._name, self._media_type, self._size, sha512)

    def _emit(self, data: bytes, *, final: bool) -> None:
        self._owner.add_chunk(self._number, self._name, self._sequence, final, data)
        self._sequence += 1


class ContentWriter:
    """Content of one submission while it is being received. Nothing counts before `Store.accept` took it.

    spill: writes key (the first time) and chunks into the database, blocking, and returns when they are on disk.
    fetch: what was spilled, by part number and place. drop: forgets what was spilled. All three come from the store.
    """

    def __init__(
        self,
        submission_id: str,
        keys: KeyRing,
        spill: Callable[[SealedContent], None],
        drop: Callable[[str], None],
        fetch: Callable[[str, int, int], bytes | None],
        *,
        spill_bytes: int = SPILL_BYTES,
    ) -> None:
        self.submission_id = submission_id
        self._data_key = os.urandom(KEY_BYTES)
        self._cipher = ChunkCipher(submission_id, self._data_key)
        self._keys = keys
        self._wrapped: tuple[int, bytes] | None = None
        self._spill = spill
        self._drop = drop
        self._fetch = fetch
        self._spill_bytes = spill_bytes
        self._spilled = False
        self._names: list[str] = []
        self._parts: list[Row] = []
        self._chunks: list[Row] = []
        self._pending = 0

    def part(self, name: str, media_type: str) -> PartWriter:
        """Begin a part. name: `data`, `attachment:<attachmentId>` …, unique within the submission."""
        if name in self._names:
            raise ValueError(f"part {name} exists already")
        self._names.append(name)
        return PartWriter(self, len(self._names), name, media_type)

    def write_part(self, name: str, media_type: str, data: bytes) -> Part:
        """A whole part at once."""
        writer = self.part(name, media_type)
        writer.write(data)
        return writer.close()

    def has_part(self, name: str) -> bool:
        return name in self._names

    def read(self, name: str) -> Iterator[bytes]:
        """Plaintext of a part that is closed, chunk by chunk, before anything is accepted."""
        [row] = [row for row in self._parts if row["name"] == name]
        number: int = row["number"]
        waiting = {chunk["sequence"]: chunk["data"] for chunk in self._chunks if chunk["part"] == number}

        def chunk(sequence: int) -> bytes | None:
            return waiting[sequence] if sequence in waiting else self._fetch(self.submission_id, number, sequence)

        return decrypt_part(self._cipher, row, chunk)

    def discard(self) -> None:
        """Drop everything, spilled chunks included. Does not block; what a crash leaves behind is swept."""
        self._parts.clear()
        self._chunks.clear()
        if self._spilled:
            self._drop(self.submission_id)

    def seal(self) -> SealedContent:
        """Everything not yet in the database. May block; raises KeyServiceUnavailable, and ValueError when a part is
        still open.
        """
        if len(self._parts) != len(self._names):
            raise ValueError("a part of the content was not closed")
        return self._sealed(self._parts)

    def add_part(self, row: Row) -> None:
        self._parts.append(row)

    def add_chunk(self, number: int, name: str, sequence: int, final: bool, data: bytes) -> None:
        stored = self._cipher.encrypt(name, sequence, final, data)
        self._chunks.append({"submission_id": self.submission_id, "part": number, "sequence": sequence, "data": stored})
        self._pending += len(stored)
        if self._pending > self._spill_bytes:
            self._spill(self._sealed(()))
            self._spilled = True
            self._chunks = []
            self._pending = 0

    def _sealed(self, parts: Sequence[Row]) -> SealedContent:
        if self._wrapped is None:  # only here, where blocking is allowed: a key service is asked
            self._wrapped = self._keys.wrap(self._data_key, self.submission_id)
        return SealedContent(self.submission_id, *self._wrapped, self._spilled, tuple(parts), tuple(self._chunks))


def encrypt_part(
    cipher: ChunkCipher, submission_id: str, number: int, name: str, media_type: str, data: bytes
) -> tuple[Row, list[Row]]:
    """Rows of a part that is added after acceptance (evidence of an attempt): part row and chunk rows."""
    pieces = [data[i : i + CHUNK_BYTES] for i in range(0, len(data), CHUNK_BYTES)] or [b""]
    chunks = [
        {
            "submission_id": submission_id,
            "part": number,
            "sequence": i,
            "data": cipher.encrypt(name, i, i == len(pieces) - 1, piece),
        }
        for i, piece in enumerate(pieces)
    ]
    part = {
        "submission_id": submission_id,
        "number": number,
        "name": name,
        "media_type": media_type,
        "size": len(data),
        "sha512": hashlib.sha512(data).hexdigest(),
        "chunks": len(pieces),
    }
    return part, chunks


def decrypt_part(cipher: ChunkCipher, part: Mapping[str, Any], chunk: Callable[[int], bytes | None]) -> Iterator[bytes]:
    """The plaintext, chunk by chunk. chunk: the stored bytes at a place, None if missing. Raises ContentDamaged."""
    for sequence in range(part["chunks"]):
        stored = chunk(sequence)
        if stored is None:
            raise ContentDamaged(f"chunk {sequence} of a part of submission {part['submission_id']} is missing")
        yield cipher.decrypt(part["name"], sequence, sequence == part["chunks"] - 1, stored)

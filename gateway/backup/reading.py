"""The deliveries in a backup, without restoring it."""

from __future__ import annotations

import sqlite3
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from gateway.backup.manifest import SQLITE, TABLES, BadBackup, Manifest

_COLUMNS = ("delivery_id", "submission_id", "target", "state")
_SIGNATURE = b"PGCOPY\n\xff\r\n\x00"
"""PostgreSQL, COPY, binary format: then 4 bytes of flags and the length of an extension; see its manual."""


class Kept(NamedTuple):
    """A delivery as it was at the moment of the backup."""

    delivery_id: str
    submission_id: str
    target: str
    state: str


def deliveries_in(folder: Path, manifest: Manifest) -> Iterator[Kept]:
    """Every delivery, in no order. Raises BadBackup."""
    if manifest.database == "sqlite":
        connection = sqlite3.connect(f"file:{folder / SQLITE}?mode=ro&immutable=1", uri=True)
        try:
            for row in connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM delivery"):  # noqa: S608 - names are ours
                yield Kept(*row)
        finally:
            connection.close()
        return
    columns = next(table.columns for table in manifest.tables if table.name == "delivery")
    places = [list(columns).index(name) for name in _COLUMNS]
    with (folder / TABLES / "delivery.copy").open("rb") as file:
        for row in _rows(file):
            yield Kept(*((row[place] or b"").decode() for place in places))


def _rows(file: BinaryIO) -> Iterator[list[bytes | None]]:
    if file.read(len(_SIGNATURE)) != _SIGNATURE:
        raise BadBackup("the table of the deliveries is damaged")
    _flags, extension = struct.unpack("!II", _exactly(file, 8))
    _exactly(file, extension)
    while (count := struct.unpack("!h", _exactly(file, 2))[0]) >= 0:
        row: list[bytes | None] = []
        for _ in range(count):
            (length,) = struct.unpack("!i", _exactly(file, 4))
            row.append(None if length < 0 else _exactly(file, length))
        yield row


def _exactly(file: BinaryIO, count: int) -> bytes:
    got = file.read(count)
    if len(got) != count:
        raise BadBackup("the table of the deliveries ends too early")
    return got

"""A backup is a folder: the database as of one moment, the keys (sealed), the standards, and a manifest of it all.

    manifest.json         what this is, from when, and the SHA-256 of every other file; written last
    database.sqlite3      SQLite: a database file as it is; or
    tables/NAME.copy      PostgreSQL: every table as COPY … (FORMAT binary) writes it
    keys.sealed           the files of GATEWAY_HOME/keys under a passphrase; or keys/NAME in the clear where told
    schemas/…             GATEWAY_HOME/schemas

While it is made its name ends in `.unfinished`: a folder without that ending is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from gateway.errors import GatewayError

FORMAT = 1
MANIFEST = "manifest.json"
SQLITE = "database.sqlite3"
TABLES = "tables"
SEALED = "keys.sealed"
PLAIN = "keys"
SCHEMAS = "schemas"
UNFINISHED = ".unfinished"
_CHUNK = 1 << 20

KeysAre = Literal["sealed", "plain", "absent"]


class BadBackup(GatewayError):
    """A folder that is no backup, or not what its manifest says."""

    exit_code = 1
    code = "bad_backup"


@dataclass(frozen=True, slots=True)
class Table:
    """columns: in the order of the file; none for SQLite, whose file holds them."""

    name: str
    rows: int
    columns: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Manifest:
    """made_at: RFC 3339, the moment before the database was read. revision: of the database's tables. key_versions:
    wrapping keys that content in this backup needs. open_deliveries: not ended at that moment. serials: sequence, or
    table of SQLite → last number given out. configuration: SHA-256 of gateway.yaml and the packages' files. files: path
    in the backup → SHA-256 (hex).
    """

    version: str
    made_at: str
    database: Literal["sqlite", "postgresql"]
    revision: str
    tables: Sequence[Table]
    keys: KeysAre
    key_versions: Sequence[int]
    open_deliveries: int
    serials: Mapping[str, int]
    configuration: str
    files: Mapping[str, str] = field(default_factory=dict)

    def write(self, folder: Path) -> str:
        """Returns the SHA-256 of the manifest itself, which covers everything else."""
        text = json.dumps({"format": FORMAT, **asdict(self)}, indent=2, sort_keys=True) + "\n"
        write_file(folder / MANIFEST, [text.encode()])
        return hashlib.sha256(text.encode()).hexdigest()

    def rows(self, table: str) -> int:
        return next((one.rows for one in self.tables if one.name == table), 0)


def read_manifest(folder: Path) -> Manifest:
    """Raises BadBackup."""
    if folder.name.endswith(UNFINISHED):
        raise BadBackup(f"{folder} was never finished", remedy="Take another backup; this one can be removed.")
    try:
        values: dict[str, Any] = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if values.pop("format") != FORMAT:
            raise BadBackup(f"{folder} has a form that this version does not know", remedy="Use a newer gateway.")
        return Manifest(**{**values, "tables": [Table(**one) for one in values["tables"]]})
    except (OSError, ValueError, KeyError, TypeError):
        raise BadBackup(f"{folder} is no backup: it has no readable {MANIFEST}") from None


def verify(folder: Path, manifest: Manifest) -> list[str]:
    """What is not as the manifest says: missing, changed or additional files. Reads every byte."""
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()} - {MANIFEST}
    faults = [f"{name}: is missing" for name in sorted(manifest.files.keys() - there)]
    faults += [f"{name}: is not in the manifest" for name in sorted(there - manifest.files.keys())]
    for name in sorted(there & manifest.files.keys()):
        if digest_of_file(folder / name) != manifest.files[name]:
            faults.append(f"{name}: is not as it was written")
    return faults


def digest_of_file(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def digest_of_configuration(files: Iterable[Path]) -> str:
    """files: single ones and folders. Changes when any of them does, or moves within its folder."""
    whole = hashlib.sha256()
    for root in files:
        for path in sorted(root.rglob("*")) if root.is_dir() else [root]:
            if path.is_file():
                whole.update(f"{path.relative_to(root)}\0{digest_of_file(path)}\n".encode())
    return whole.hexdigest()


def write_file(path: Path, chunks: Iterable[bytes | memoryview]) -> str:
    """For its owner's eyes only, and on disk when this returns. Returns its SHA-256 (hex). Never overwrites."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    digest = hashlib.sha256()
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        for chunk in chunks:
            digest.update(chunk)
            file.write(chunk)
        file.flush()
        os.fsync(file.fileno())
    return digest.hexdigest()


def copy_file(source: Path, path: Path) -> str:
    with source.open("rb") as file:
        return write_file(path, iter(lambda: file.read(_CHUNK), b""))


def flush(folder: Path) -> None:
    """Names are on disk only when their folder is."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)

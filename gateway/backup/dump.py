"""The database as of one moment, out of a running installation and into an empty one.

SQLite: its own online backup. PostgreSQL: COPY of every table in one REPEATABLE READ transaction, in the server's
binary form: needs none of its programs here, and no program that fits the server's version.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, NamedTuple

import psycopg
from alembic.runtime.migration import MigrationContext
from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.backup.manifest import SQLITE, TABLES, Manifest, Table, digest_of_file, write_file
from gateway.errors import GatewayError, StoreUnavailable
from gateway.store import database
from gateway.store.session import DatabaseError

_CHUNK = 1 << 20
_VERSIONS = "alembic_version"
_KEY_VERSIONS = "SELECT DISTINCT key_version FROM content_key ORDER BY key_version"
_OPEN = "SELECT count(*) FROM delivery WHERE state IN ('queued', 'waiting', 'delivering', 'unknown')"
_SERIALS = (
    "SELECT pg_get_serial_sequence(quote_ident(table_name), column_name) FROM information_schema.columns "
    "WHERE table_schema = current_schema() AND column_default LIKE 'nextval(%'"
)
SKIPPED_NUMBERS = 1_000_000
"""Numbers that were given out after the backup must not be given out again: messages are recognised by them."""

Told = Callable[[str], None]


class Dumped(NamedTuple):
    """Parts of the manifest that the database knows, see there."""

    database: Literal["sqlite", "postgresql"]
    revision: str
    tables: list[Table]
    key_versions: list[int]
    open_deliveries: int
    serials: dict[str, int]
    files: dict[str, str]


@contextlib.contextmanager
def plainly(done: str) -> Iterator[None]:
    """What goes wrong with the database or the disk, as one clean error. done: `backed up`, `restored`."""
    try:
        yield
    except (SQLAlchemyError, psycopg.Error, sqlite3.Error, DatabaseError) as error:
        raise StoreUnavailable(
            f"the database was not {done}: {type(error).__name__}",
            remedy="Is it running and migrated (gateway doctor), and is there room?",
        ) from None
    except OSError as error:
        raise GatewayError(f"nothing was {done}: {error.strerror}", code="file", remedy="Is there room?") from None


def dump(url: URL, folder: Path, told: Told) -> Dumped:
    """Write the database into `folder`, beside whatever runs."""
    return _dump_postgres(url, folder, told) if url.get_backend_name() == "postgresql" else _dump_sqlite(url, folder)


def _dump_sqlite(url: URL, folder: Path) -> Dumped:
    path = folder / SQLITE
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    source = sqlite3.connect(f"file:{url.database}?mode=ro", uri=True)
    copy = sqlite3.connect(path, isolation_level=None)
    try:
        # All pages in one step: a reader of one moment, whom the writer neither waits for nor starts over.
        source.backup(copy, pages=-1)
        copy.execute("PRAGMA journal_mode = DELETE")  # one file, not three
        tables = [name for (name,) in copy.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        counted = [
            Table(name, copy.execute(f'SELECT count(*) FROM "{name}"').fetchone()[0])  # noqa: S608 - names are ours
            for name in sorted(tables)
            if name != _VERSIONS and not name.startswith("sqlite_")
        ]
        revision = copy.execute(f"SELECT version_num FROM {_VERSIONS}").fetchone()[0]  # noqa: S608
        versions = [version for (version,) in copy.execute(_KEY_VERSIONS)]
        open_deliveries = copy.execute(_OPEN).fetchone()[0]
        serials = dict(copy.execute("SELECT name, seq FROM sqlite_sequence"))
    finally:
        copy.close()
        source.close()
    with path.open("rb+") as file:
        os.fsync(file.fileno())
    return Dumped("sqlite", revision, counted, versions, open_deliveries, serials, {SQLITE: digest_of_file(path)})


def _dump_postgres(url: URL, folder: Path, told: Told) -> Dumped:
    engine = database.reading_engine(url)  # REPEATABLE READ: all that follows sees one moment
    try:
        with engine.begin() as connection:
            revision = MigrationContext.configure(connection).get_current_revision() or ""
            tables: list[Table] = []
            files: dict[str, str] = {}
            for name, columns in _tables_of(connection):
                table, digest = _copy_out(connection, name, columns, folder / TABLES / f"{name}.copy")
                tables.append(table)
                files[f"{TABLES}/{name}.copy"] = digest
                told(f"{name}: {table.rows} rows")
            versions = list(connection.scalars(text(_KEY_VERSIONS)))
            open_deliveries = connection.scalar(text(_OPEN)) or 0
            serials = {
                name: int(connection.exec_driver_sql(f"SELECT last_value FROM {name}").scalar_one())  # noqa: S608
                for name in connection.scalars(text(_SERIALS)).all()
            }
    finally:
        engine.dispose()
    return Dumped("postgresql", revision, tables, versions, open_deliveries, serials, files)


def _tables_of(connection: Connection) -> Iterator[tuple[str, list[str]]]:
    """Who is referred to comes first."""
    there = inspect(connection)
    for name, _ in there.get_sorted_table_and_fkc_names():
        if name is not None and name != _VERSIONS:
            yield name, [column["name"] for column in there.get_columns(name)]


def _copy_out(connection: Connection, name: str, columns: list[str], path: Path) -> tuple[Table, str]:
    with _cursor(connection) as cursor:
        with cursor.copy(f"COPY {_named(name, columns)} TO STDOUT (FORMAT binary)") as copy:
            digest = write_file(path, copy)
        return Table(name, cursor.rowcount, columns), digest


def load(connection: Connection, folder: Path, manifest: Manifest, told: Told) -> None:
    """Fill a PostgreSQL database that has the tables of the backup's revision, and nothing in them that counts."""
    names = ", ".join(f'"{table.name}"' for table in manifest.tables)
    connection.exec_driver_sql(f"TRUNCATE {names}")  # a migration may have put rows into a table
    for table in manifest.tables:
        with _cursor(connection) as cursor, (folder / TABLES / f"{table.name}.copy").open("rb") as file:
            with cursor.copy(f"COPY {_named(table.name, table.columns)} FROM STDIN (FORMAT binary)") as copy:
                while chunk := file.read(_CHUNK):
                    copy.write(chunk)
            told(f"{table.name}: {cursor.rowcount} rows")
    for name, last in manifest.serials.items():
        connection.execute(
            text("SELECT setval(CAST(:name AS regclass), :next)"), {"name": name, "next": last + SKIPPED_NUMBERS}
        )


def _cursor(connection: Connection) -> Any:
    driver: Any = connection.connection.driver_connection
    return driver.cursor()


def _named(name: str, columns: Sequence[str]) -> str:
    return f'"{name}" (' + ", ".join(f'"{column}"' for column in columns) + ")"

"""Opening the database: engines for writing and reading, what must hold of it, its migrations and its clock."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url, select, text
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from gateway.errors import ConfigurationError, StoreUnavailable
from gateway.store import tables as t
from gateway.store.keys import KeyRing, WrongKey
from gateway.store.place import require_local
from gateway.store.session import Session
from xoev_schemas.findings import Finding, Text

MIGRATIONS = Path(__file__).parent / "migrations"
BUSY_MILLISECONDS = 10_000
TRUNCATE_MILLISECONDS = 200
PAUSED_SECONDS = 10
"""A process that stands still in the middle of a transaction for this long loses its connection, and with it the rows
that it locked: all others would wait for them. Ours never pause there.
"""
READERS = 20
"""Reading connections that are kept: as many as usually read at a time (16 workers and the interface). A new one costs
more than what it reads.
"""
_DURABLE = ("fsync", "full_page_writes", "synchronous_commit")


def database_url(url: str) -> URL:
    """The URL as SQLAlchemy wants it: plain `postgresql://` means psycopg 3. Raises ConfigurationError."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise ConfigurationError([_bad_url()]) from None
    if parsed.drivername in ("postgresql", "postgres"):
        parsed = parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername not in ("sqlite", "postgresql+psycopg") or not parsed.database:
        raise ConfigurationError([_bad_url()])
    if parsed.drivername == "sqlite" and parsed.database == ":memory:":
        raise ConfigurationError([_bad_url()])
    return parsed


def writing_engine(url: URL) -> Engine:
    """One connection, for the writer thread. A transaction takes the write lock first, so it never has to upgrade."""
    return _engine(url, begin="BEGIN IMMEDIATE", isolation="READ COMMITTED", pool_size=1, max_overflow=0)


def reading_engine(url: URL) -> Engine:
    """Connections for readers, who see one moment of the database and never wait for the writer (WAL, MVCC)."""
    return _engine(url, begin="BEGIN", isolation="REPEATABLE READ", pool_size=READERS, max_overflow=40 - READERS)


def _engine(url: URL, *, begin: str, isolation: str, pool_size: int, max_overflow: int) -> Engine:
    postgres = url.get_backend_name() == "postgresql"
    # Parameters never appear in an exception: they hold keys, references and other people's text.
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=pool_size,
        max_overflow=max_overflow,
        pool_pre_ping=postgres,
        **({"isolation_level": isolation} if postgres else {}),
    )
    if postgres:
        event.listen(engine, "connect", _prepare_postgres)
        return engine
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", lambda connection: connection.exec_driver_sql(begin))
    return engine


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    # Python's driver would otherwise begin and commit by itself, and only before some statements.
    connection.isolation_level = None
    for pragma in (
        f"busy_timeout = {BUSY_MILLISECONDS}",
        # Free pages can be given back without rewriting the file (`keeping.give_back`). Before the first table only.
        "auto_vacuum = INCREMENTAL",
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        # Keys are random, so pages are touched again and again: 64 MiB of cache, and 32 MiB of log between checkpoints.
        "cache_size = -65536",
        "wal_autocheckpoint = 8192",
        # What is deleted is overwritten: an erased key must not survive in a free page.
        "secure_delete = ON",
    ):
        connection.execute(f"PRAGMA {pragma}")


def _prepare_postgres(connection: Any, _record: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SET TIME ZONE 'UTC'")
        cursor.execute(f"SET idle_in_transaction_session_timeout = '{PAUSED_SECONDS}s'")
    connection.commit()


def database_now(connection: Connection) -> datetime:
    """The database's own time: leases must not depend on the clocks of many machines. SQLite's is this machine's."""
    if connection.dialect.name == "postgresql":
        now: datetime = connection.exec_driver_sql("SELECT clock_timestamp()").scalar_one()
        return now.astimezone(UTC)
    return datetime.now(UTC)


def truncate_log(engine: Engine) -> bool:
    """Bring SQLite's log into the database file and empty it: its old frames hold what was deleted since. False: a
    reader still needs them. Nothing to do elsewhere.
    """
    if engine.dialect.name != "sqlite":
        return True
    connection = engine.raw_connection()
    cursor = connection.cursor()
    try:
        # Acceptance waits meanwhile: rather later than long.
        cursor.execute(f"PRAGMA busy_timeout = {TRUNCATE_MILLISECONDS}")
        busy = cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        cursor.execute(f"PRAGMA busy_timeout = {BUSY_MILLISECONDS}")
    except engine.dialect.loaded_dbapi.OperationalError:
        raise StoreUnavailable("the database's log file cannot be emptied; it is tried again") from None
    finally:
        connection.close()
    return not busy


def clock_of(clock: Callable[[], datetime] | None) -> Callable[[Connection], datetime]:
    if clock is None:
        return database_now
    return lambda _connection: clock()


# ---------------------------------------------------------------- what must hold before the first write


def prepare(engine: Engine, *, create: bool) -> None:
    """Durable, and at the newest migration. create: bring it there. Raises ConfigurationError, StoreUnavailable."""
    try:
        with engine.connect() as connection:
            if engine.dialect.name == "postgresql":
                _require_durable(connection)
            current = MigrationContext.configure(connection).get_current_revision()
        script = ScriptDirectory(str(MIGRATIONS))
        head = script.get_current_head()
        if current == head:
            return
        if current is not None and current not in {one.revision for one in script.walk_revisions()}:
            raise ConfigurationError([_newer(current, head)])
        if not create:
            raise ConfigurationError([_not_migrated(current, head)])
        upgrade(engine)
    except SQLAlchemyError as error:
        raise _unusable("opened", engine.url, error) from None


def upgrade(engine: Engine, revision: str = "head") -> None:
    """Run every migration that is missing, in one transaction. Safe to call by several processes at once."""
    with engine.begin() as connection:
        upgrade_on(connection, revision)


def upgrade_on(connection: Connection, revision: str = "head") -> None:
    """The same within a transaction of the caller's, up to a revision."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    if connection.dialect.name == "postgresql":
        # Two processes that start together: the second waits here and finds everything done.
        connection.execute(text("SELECT pg_advisory_xact_lock(hashtext('ozg-gateway.migrations'))"))
    config.attributes["connection"] = connection
    command.upgrade(config, revision)


def upgrade_url(url: str, revision: str = "head") -> None:
    """`upgrade` for a database given by its URL (`gateway db upgrade`)."""
    engine = writing_engine(_with_folder(database_url(url)))
    try:
        upgrade(engine, revision)
    except SQLAlchemyError as error:
        raise _unusable("migrated", engine.url, error) from None
    finally:
        engine.dispose()


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a database's tables are. at: its revision, None = no tables. missing: revisions, the oldest first. newer:
    it is of a version that this program does not know.
    """

    at: str | None
    newest: str
    missing: Sequence[str]
    newer: bool


def standing_of(url: str) -> Standing:
    """Changes nothing, makes no file. Raises ConfigurationError, StoreUnavailable."""
    parsed = database_url(url)
    at = None
    if parsed.get_backend_name() == "postgresql" or Path(str(parsed.database)).exists():
        engine = reading_engine(parsed)
        try:
            with engine.connect() as connection:
                at = MigrationContext.configure(connection).get_current_revision()
        except SQLAlchemyError as error:
            raise _unusable("opened", parsed, error) from None
        finally:
            engine.dispose()
    known = [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
    newer = at is not None and at not in known
    return Standing(at, known[-1], [] if newer else known[known.index(at) + 1 :] if at else known, newer)


def open_engines(url: str, *, create: bool) -> tuple[Engine, Engine]:
    """Writing and reading engine of a database that is fit for use. Raises ConfigurationError, StoreUnavailable."""
    parsed = _with_folder(database_url(url))
    require_local(parsed)
    writing = writing_engine(parsed)
    try:
        prepare(writing, create=create)
    except BaseException:
        writing.dispose()
        raise
    return writing, reading_engine(parsed)


def _with_folder(url: URL) -> URL:
    """The folder of a SQLite file is private: the file would else be readable for whoever the umask lets in."""
    if url.get_backend_name() == "sqlite" and url.database:
        path = Path(url.database)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch(mode=0o600, exist_ok=True)
    return url


def _require_durable(connection: Connection) -> None:
    """`SHOW` tells what holds for this session, whether the server, the role or the database set it."""
    off = [name for name in _DURABLE if connection.exec_driver_sql(f"SHOW {name}").scalar_one() == "off"]
    if off:
        raise ConfigurationError([_not_durable(name) for name in off])


def _unusable(done: str, url: URL, error: SQLAlchemyError) -> StoreUnavailable:
    """Which database, and what its driver says. Only before any work: later its words may quote what was written."""
    place = url.set(drivername=url.get_backend_name(), username=None, password=None, query={})
    told = [line.strip() for line in str(getattr(error, "orig", "")).splitlines() if line.strip()]
    why = told[0].rpartition("failed: ")[2] if told else type(error).__name__
    return StoreUnavailable(
        f"the database {place.render_as_string()} cannot be {done}: {why}",
        remedy="Is it running, and do GATEWAY_DATABASE_URL and its password fit?",
    )


def require_keys(reading: Engine, keys: KeyRing) -> None:
    """Every key version in use must be here, and be the right one: found at the start, not at the first reading."""
    with reading.begin() as connection:
        require_keys_on(connection, keys)


def require_keys_on(connection: Connection, keys: KeyRing) -> None:
    """The same within a transaction of the caller's."""
    session = Session(connection)
    for used in session.rows(select(t.content_key.c.key_version).distinct()):
        of_version = select(t.content_key).where(t.content_key.c.key_version == used.key_version).limit(1)
        sample = session.rows(of_version)[0]
        try:
            keys.unwrap(sample.key_version, sample.wrapped_key, sample.submission_id)
        except WrongKey:
            raise ConfigurationError([_wrong_key(sample.key_version)]) from None


def _bad_url() -> Finding:
    return Finding(
        "config.database_url",
        "error",
        "service",
        Text("Die Adresse der Datenbank ist nicht brauchbar.", "The database URL is not usable."),
        path="database_url",
        remedy=Text(
            "Geben Sie sqlite:///PFAD oder postgresql://BENUTZER@RECHNER/DATENBANK an.",
            "Give sqlite:///PATH or postgresql://USER@HOST/DATABASE.",
        ),
    )


def _not_durable(name: str) -> Finding:
    return Finding(
        "config.database_not_durable",
        "error",
        "service",
        Text(
            f"In der Datenbank ist {name} ausgeschaltet: Angenommenes könnte verloren gehen.",
            f"{name} is off in the database: what was accepted could be lost.",
        ),
        path="database_url",
        remedy=Text(
            f"Schalten Sie {name} ein (postgresql.conf, ALTER ROLE oder ALTER DATABASE).",
            f"Turn {name} on (postgresql.conf, ALTER ROLE or ALTER DATABASE).",
        ),
    )


def _not_migrated(current: str | None, head: str | None) -> Finding:
    return Finding(
        "config.database_not_migrated",
        "error",
        "service",
        Text(
            f"Die Datenbank hat den Stand {current or 'leer'}, gebraucht wird {head}.",
            f"The database is at {current or 'nothing'}, it has to be at {head}.",
        ),
        path="database_url",
        remedy=Text("Führen Sie aus: gateway db upgrade", "Run: gateway db upgrade"),
    )


def _newer(current: str, head: str | None) -> Finding:
    return Finding(
        "config.database_newer",
        "error",
        "service",
        Text(
            f"Die Datenbank hat den Stand {current} einer neueren Version; diese kennt nur bis {head}.",
            f"The database is at {current}, of a newer version; this one knows up to {head}.",
        ),
        path="database_url",
        remedy=Text(
            "Starten Sie die neuere Version. Zurück geht es nur mit einer Sicherung von davor.",
            "Start the newer version. The way back is a backup from before.",
        ),
    )


def _wrong_key(version: int) -> Finding:
    return Finding(
        "config.key_wrong",
        "error",
        "service",
        Text(
            f"Inhalte der Datenbank brauchen den Schlüssel {version}, der hier fehlt oder ein anderer ist.",
            f"Content in the database is encrypted with key {version}, which is missing here or is another one.",
        ),
        path=f"content-{version}.key",
        remedy=Text(
            "Stellen Sie die Schlüsseldatei aus der Sicherung wieder her.", "Restore the key file from the backup."
        ),
    )

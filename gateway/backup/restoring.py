"""An installation out of a backup, into an empty place. The database comes last, in one step, and never without the
note that what was open may have been sent since.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, inspect, text
from sqlalchemy.exc import SQLAlchemyError

from gateway.backup import dump, manifest, sealing
from gateway.backup.making import configuration_digest
from gateway.backup.manifest import BadBackup, Manifest
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.store import KeyRing, database, outbox
from gateway.store.key_files import write_key_file
from gateway.store.recovery import suppose_sent
from gateway.store.writer import Transaction

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Plan:
    """What restoring would do. key_files: name → content. obstacles: why it is refused. differs: the configuration is
    another one than at the time of the backup. migrates: the database is older than this program.
    """

    manifest: Manifest
    key_files: dict[str, bytes]
    obstacles: list[str]
    differs: bool
    migrates: bool


@dataclass(frozen=True, slots=True)
class Restored:
    """supposed: deliveries whose outcome counts as unknown now. put_back: that are in the outbox again."""

    supposed: int
    put_back: int


def plan(settings: Settings, folder: Path, passphrase: str | None) -> Plan:
    """Read and check everything, change nothing. Raises BadBackup, GatewayError."""
    described = manifest.read_manifest(folder)
    if faults := manifest.verify(folder, described):
        raise BadBackup("the backup is damaged:\n" + "\n".join(f"  {fault}" for fault in faults[:20]))
    keys = open_keys_of(folder, described, passphrase)
    script = ScriptDirectory(str(database.MIGRATIONS))
    known = {one.revision for one in script.walk_revisions()}
    obstacles = []
    if described.revision not in known:
        obstacles.append(
            f"it was made by version {described.version}, which is newer than this one: install that first"
        )
    url = database.database_url(settings.effective_database_url)
    if url.get_backend_name() != described.database:
        obstacles.append(f"it holds a {described.database} database, and the settings name {url.get_backend_name()}")
    elif _has_tables(url):
        obstacles.append("the database that the settings name is not empty")
    obstacles += _in_the_way(settings.home / "keys", keys)
    obstacles += _in_the_way(settings.home / "schemas", _schemas(folder))
    missing = [n for n in described.key_versions if not _has_key(settings, keys, n)]
    if missing and not settings.key_service:
        obstacles.append(f"the keys {', '.join(f'content-{n}.key' for n in missing)} are neither in it nor in the home")
    differs = described.configuration != configuration_digest(settings)
    return Plan(described, keys, obstacles, differs, described.revision != script.get_current_head())


def restore(
    settings: Settings, folder: Path, planned: Plan, keys: Callable[[], KeyRing], *, sent_since: bool, told: Told
) -> Restored:
    """Do it. keys: opens those that lie in the home then. sent_since: False = surely nothing was delivered after the
    backup. Interrupted at any moment it can be run again. Raises GatewayError.
    """
    if planned.obstacles:
        raise GatewayError("; ".join(planned.obstacles), code="not_restorable")
    with dump.plainly("restored"):
        for name, content in _schemas(folder).items():
            _place(settings.home / "schemas" / name, content)
        for name, content in planned.key_files.items():
            if not (settings.home / "keys" / name).exists():
                write_key_file(settings.home / "keys" / name, content)
        ring = keys()
        url = database.database_url(settings.effective_database_url)
        if planned.manifest.database == "sqlite":
            return _restore_sqlite(url, folder, ring, settings, sent_since)
        return _restore_postgres(url, folder, planned.manifest, ring, settings, sent_since, told)


def open_keys_of(folder: Path, described: Manifest, passphrase: str | None) -> dict[str, bytes]:
    """Raises BadBackup, GatewayError."""
    if described.keys == "plain":
        return {path.name: path.read_bytes() for path in sorted((folder / manifest.PLAIN).iterdir())}
    if described.keys == "absent":
        return {}
    if passphrase is None:
        raise GatewayError(
            "the keys in this backup are sealed",
            code="no_passphrase",
            remedy="Name the file with the passphrase: --passphrase-file FILE",
        )
    return sealing.unseal((folder / manifest.SEALED).read_bytes(), passphrase)


def _schemas(folder: Path) -> dict[str, bytes]:
    root = folder / manifest.SCHEMAS
    return {str(path.relative_to(root)): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def _place(path: Path, content: bytes) -> None:
    """Whole or not at all, so that what an interrupted restore left is never taken for somebody else's."""
    if path.exists():
        return
    begun = path.with_name(f".{path.name}.restoring")
    begun.unlink(missing_ok=True)
    manifest.write_file(begun, [content])
    begun.replace(path)


def _in_the_way(folder: Path, files: dict[str, bytes]) -> list[str]:
    """Files of another installation. What is there already and the same came from a restore that was interrupted."""
    return [
        f"{folder / name} exists and is another one"
        for name, content in files.items()
        if (folder / name).exists() and (folder / name).read_bytes() != content
    ]


def _has_key(settings: Settings, files: dict[str, bytes], version: int) -> bool:
    name = f"content-{version}.key"
    return name in files or (settings.home / "keys" / name).exists()


def _has_tables(url: URL) -> bool:
    if url.get_backend_name() == "sqlite" and not Path(str(url.database)).exists():
        return False
    engine = database.reading_engine(url)
    try:
        return bool(inspect(engine).get_table_names())
    except SQLAlchemyError:
        raise GatewayError("the database that the settings name cannot be opened", code="store_unavailable") from None
    finally:
        engine.dispose()


def _restore_sqlite(url: URL, folder: Path, keys: KeyRing, settings: Settings, sent_since: bool) -> Restored:
    final = Path(str(url.database))
    final.parent.mkdir(parents=True, exist_ok=True)
    begun = final.with_name(final.name + ".restoring")
    for left in (begun, begun.with_name(begun.name + "-wal"), begun.with_name(begun.name + "-shm")):
        left.unlink(missing_ok=True)
    manifest.copy_file(folder / manifest.SQLITE, begun)
    engine = database.writing_engine(url.set(database=str(begun)))
    try:
        with engine.begin() as connection:
            skipped = {"skipped": dump.SKIPPED_NUMBERS}
            connection.execute(text("UPDATE sqlite_sequence SET seq = seq + :skipped"), skipped)
            restored = _finish(connection, keys, settings, sent_since)
        if not database.truncate_log(engine):
            raise GatewayError(
                "the restored database could not be closed; nothing was put in place", code="not_restored"
            )
    finally:
        engine.dispose()
    begun.replace(final)
    manifest.flush(final.parent)
    return restored


def _restore_postgres(
    url: URL, folder: Path, described: Manifest, keys: KeyRing, settings: Settings, sent_since: bool, told: Told
) -> Restored:
    engine = database.writing_engine(url)
    try:
        with engine.begin() as connection:
            database.upgrade_on(connection, described.revision)
            dump.load(connection, folder, described, told)
            return _finish(connection, keys, settings, sent_since)
    finally:
        engine.dispose()


def _finish(connection: Connection, keys: KeyRing, settings: Settings, sent_since: bool) -> Restored:
    """In the one transaction that brings the database: the newest tables, fitting keys, what was open made unknown."""
    database.upgrade_on(connection)
    database.require_keys_on(connection, keys)
    tx = Transaction(connection, datetime.now(UTC), keys, patient=True, announces=settings.announces)
    outbox.expire_claims(tx)
    supposed = suppose_sent(tx) if sent_since else 0
    return Restored(supposed, outbox.rebuild(tx))

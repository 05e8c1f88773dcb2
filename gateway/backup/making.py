"""Taking a backup of an installation that goes on working."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from gateway.backup import dump, manifest, sealing
from gateway.backup.manifest import BadBackup, KeysAre, Manifest
from gateway.errors import GatewayError
from gateway.settings import Settings
from gateway.store import database
from xoev_schemas.lock import LOCK_NAME

Told = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Keys:
    """What becomes of the keys. passphrase: for `sealed`."""

    how: KeysAre
    passphrase: str = ""


@dataclass(frozen=True, slots=True)
class Made:
    """digest: SHA-256 of the manifest, for whoever wants to note it elsewhere. size: bytes."""

    manifest: Manifest
    digest: str
    size: int


def back_up(settings: Settings, folder: Path, keys: Keys, told: Told) -> Made:
    """Take a backup into a folder that does not exist yet. Raises GatewayError; then nothing is left behind."""
    if folder.exists():
        raise GatewayError(f"{folder} exists already", code="exists", remedy="A backup needs a folder of its own.")
    unfinished = folder.with_name(folder.name + manifest.UNFINISHED)
    manifest.remove(unfinished)
    try:
        with dump.plainly("backed up"):
            unfinished.mkdir(parents=True, mode=0o700)
            made = _fill(settings, unfinished, keys, told)
            for inner in [*(path for path in unfinished.rglob("*") if path.is_dir()), unfinished]:
                manifest.flush(inner)
            unfinished.rename(folder)
            manifest.flush(folder.parent)
    except BaseException:
        manifest.remove(unfinished)
        raise
    return made


def _fill(settings: Settings, folder: Path, keys: Keys, told: Told) -> Made:
    made_at = datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
    # Before and after: a key that is made or let go meanwhile is needed by what is read in between.
    key_files = _read_keys(settings.home / "keys")
    dumped = dump.dump(database.database_url(settings.effective_database_url), folder, told)
    key_files |= _read_keys(settings.home / "keys")
    if keys.how != "absent":
        _require_all(settings, key_files, dumped.key_versions)
    files = {**dumped.files, **_write_keys(folder, key_files, keys), **_copy_schemas(settings.home / "schemas", folder)}
    described = Manifest(
        version=version("ozg-gateway"),
        made_at=made_at,
        database=dumped.database,
        revision=dumped.revision,
        tables=dumped.tables,
        keys=keys.how,
        key_versions=dumped.key_versions,
        open_deliveries=dumped.open_deliveries,
        serials=dumped.serials,
        configuration=configuration_digest(settings),
        files=files,
    )
    digest = described.write(folder)
    return Made(described, digest, sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()))


def configuration_digest(settings: Settings) -> str:
    """Of gateway.yaml and the packages that it names: these are kept where they are written, not in backups."""
    return manifest.digest_of_configuration([*([settings.file] if settings.file else []), *settings.packages])


def _read_keys(folder: Path) -> dict[str, bytes]:
    """Every file: wrapping keys, fingerprints, the issuer's and the seals' signing keys."""
    names = sorted(folder.glob("*")) if folder.is_dir() else []
    return {path.name: path.read_bytes() for path in names if path.is_file() and not path.name.startswith(".")}


def _require_all(settings: Settings, files: Iterable[str], versions: Iterable[int]) -> None:
    missing = [] if settings.key_service else [n for n in versions if f"content-{n}.key" not in set(files)]
    if missing:
        raise BadBackup(
            f"content needs wrapping keys that are not here: {', '.join(f'content-{n}.key' for n in missing)}",
            code="key_missing",
            remedy="Bring them back first; with --without-keys the backup is taken all the same.",
        )


def _write_keys(folder: Path, files: dict[str, bytes], keys: Keys) -> dict[str, str]:
    if keys.how == "sealed":
        return {manifest.SEALED: manifest.write_file(folder / manifest.SEALED, [sealing.seal(files, keys.passphrase)])}
    if keys.how == "plain":
        names = {name: f"{manifest.PLAIN}/{name}" for name in files}
        return {path: manifest.write_file(folder / path, [files[name]]) for name, path in names.items()}
    return {}


def _copy_schemas(schemas: Path, folder: Path) -> dict[str, str]:
    """The lock first: what it names is there already, and an import that goes on meanwhile only adds to it."""
    paths = sorted(path for path in schemas.rglob("*") if path.is_file() and path.name != LOCK_NAME)
    lock = [schemas / LOCK_NAME] if (schemas / LOCK_NAME).exists() else []
    digests = {}
    for path in [*lock, *paths]:
        name = f"{manifest.SCHEMAS}/{path.relative_to(schemas)}"
        digests[name] = manifest.copy_file(path, folder / name)
    return digests

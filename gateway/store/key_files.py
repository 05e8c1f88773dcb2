"""Wrapping keys in files: one per version, `content-<n>.key`, holding 32 random bytes as hexadecimal text.

A process sees a new file, or one that is gone, the next time it needs a key; so rotating needs no restart. The files
belong into a backup, but never into the same one as the database.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path

from gateway.errors import ConfigurationError, GatewayError
from gateway.store.keys import KEY_BYTES, KeyServiceUnavailable, KeyVersion, PlainKeys, WrongKey, fingerprint_key
from xoev_schemas.findings import Finding, Text

FINGERPRINTS = "fingerprint.key"
"""The key of fingerprints, in a file of its own as soon as the first wrapping key may go."""
_FILE = re.compile(r"content-(\d+)\.key")
_OPEN_TO_OTHERS = stat.S_IRWXO | stat.S_IWGRP
"""A group may read: that is how orchestrators hand secrets to a process that is not root."""


class FileKeys:
    """A `KeyService` of files. create: make the first key when there is none. fingerprints: see `KeyRing.of`.

    Raises ConfigurationError when there is no key, or one that is not usable or open to others.
    """

    def __init__(self, folder: Path, *, create: bool) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._names = self._listed()
        if not self._names:
            if not create:
                raise ConfigurationError([_no_key(folder)])
            with contextlib.suppress(FileExistsError):  # another process that starts too was first
                create_key(folder, 1)
            self._names = self._listed()
        keys = self._read_all()
        self._keys = PlainKeys(keys)
        own = folder / FINGERPRINTS
        self.fingerprints = _read(own) if own.exists() else fingerprint_key(keys)

    def wrap(self, data_key: bytes, owner: str) -> tuple[int, bytes]:
        return self._current().wrap(data_key, owner)

    def unwrap(self, version: int, wrapped: bytes, owner: str) -> bytes:
        try:
            return self._keys.unwrap(version, wrapped, owner)
        except WrongKey:
            return self._current().unwrap(version, wrapped, owner)  # perhaps it is new

    def versions(self) -> list[KeyVersion]:
        """created_at: when the file was written."""
        known = self._current().versions()
        return [KeyVersion(one.version, _written_at(self._file(one.version))) for one in known]

    def create(self) -> int:
        with _writing(self._folder):
            if not (self._folder / FINGERPRINTS).exists():
                write_key_file(self._folder / FINGERPRINTS, _text(self.fingerprints))
            version = self.versions()[-1].version + 1
            create_key(self._folder, version)
        return version

    def retire(self, version: int) -> None:
        with _writing(self._folder):
            self._file(version).unlink()
            _flush(self._folder)

    def _file(self, version: int) -> Path:
        return self._folder / f"content-{version}.key"

    def _listed(self) -> dict[str, int]:
        """Name → version. Raises FileNotFoundError for no folder only to whoever has keys already."""
        try:
            names = os.listdir(self._folder)
        except FileNotFoundError:
            return {}
        return {name: int(match.group(1)) for name in sorted(names) if (match := _FILE.fullmatch(name))}

    def _current(self) -> PlainKeys:
        """As the folder is now. Where it cannot be looked into, nothing new is wrapped with what may be retired."""
        with self._lock:
            try:
                names = self._listed()
            except OSError:
                names = {}
            if not names:
                raise KeyServiceUnavailable(
                    "the folder of the keys is not readable or holds none any more",
                    remedy="Bring GATEWAY_HOME/keys back: from its volume, or from the backup.",
                )
            if names != self._names:
                before, self._names = self._names, names
                try:
                    self._keys = PlainKeys(self._read_all())
                except ConfigurationError as error:
                    self._names = before
                    raise KeyServiceUnavailable(str(error)) from None
            return self._keys

    def _read_all(self) -> Mapping[int, bytes]:
        keys = {version: _read(self._folder / name) for name, version in self._names.items()}
        exposed = [self._folder / name for name in self._names if _is_exposed(self._folder / name)]
        if exposed:
            raise ConfigurationError([_exposed(path) for path in exposed])
        return keys


def open_fingerprints(folder: Path, *, create: bool) -> bytes:
    """The key of fingerprints where the wrapping keys are in a key service. create: make it when there is none.

    Raises ConfigurationError.
    """
    path = folder / FINGERPRINTS
    if create and not path.exists():
        with contextlib.suppress(FileExistsError):
            write_key_file(path, _text(secrets.token_bytes(KEY_BYTES)))
    if not path.exists():
        raise ConfigurationError([_no_key(folder, FINGERPRINTS)])
    return _read(path)


def create_key(folder: Path, version: int) -> Path:
    """A new random wrapping key, see `write_key_file`."""
    path = folder / f"content-{version}.key"
    write_key_file(path, _text(secrets.token_bytes(KEY_BYTES)))
    return path


def write_key_file(path: Path, content: bytes) -> None:
    """Readable by its owner only, on disk when this returns, whole or not at all: another process may look for it.
    Never overwrites: raises FileExistsError.
    """
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    handle = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.link(unfinished, path)
    finally:
        unfinished.unlink()
    _flush(path.parent)


def _flush(folder: Path) -> None:
    """Names in a folder are on disk only when the folder is."""
    directory = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise GatewayError(f"the keys in {folder} cannot be changed: {error.strerror}", code="file") from None


def _written_at(path: Path) -> datetime | None:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC)
    except FileNotFoundError:
        return None


def _is_exposed(path: Path) -> bool:
    return bool(path.stat().st_mode & _OPEN_TO_OTHERS)


def _text(key: bytes) -> bytes:
    return f"{key.hex()}\n".encode()


def _read(path: Path) -> bytes:
    try:
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (ValueError, OSError):
        key = b""
    if len(key) != KEY_BYTES:
        raise ConfigurationError([_bad_key(path)])
    return key


def _no_key(folder: Path, name: str = "content-1.key") -> Finding:
    return Finding(
        "config.key_missing",
        "error",
        "service",
        Text("Es ist kein Schlüssel für Inhalte vorhanden.", "There is no key for content."),
        path=str(folder),
        remedy=Text(
            f"Stellen Sie die Datei {name} aus der Sicherung wieder her; bei einer neuen Installation erzeugen "
            "Sie sie mit: gateway keys create",
            f"Restore {name} from the backup; for a new installation make it with: gateway keys create",
        ),
    )


def _bad_key(path: Path) -> Finding:
    return Finding(
        "config.key_unreadable",
        "error",
        "service",
        Text(
            "Die Schlüsseldatei ist nicht lesbar oder enthält nicht 64 hexadezimale Zeichen.",
            "The key file is not readable or does not hold 64 hexadecimal characters.",
        ),
        path=str(path),
        remedy=Text("Stellen Sie sie aus der Sicherung wieder her.", "Restore it from the backup."),
    )


def _exposed(path: Path) -> Finding:
    return Finding(
        "config.key_exposed",
        "error",
        "service",
        Text(
            "Andere Benutzer dieses Rechners können die Schlüsseldatei lesen oder ändern.",
            "Other users of this machine can read or change the key file.",
        ),
        path=str(path),
        remedy=Text(
            f"Nehmen Sie ihnen die Rechte (chmod 600 {path.name}) und tauschen Sie den Schlüssel aus: "
            "gateway keys rotate",
            f"Take their rights away (chmod 600 {path.name}) and replace the key: gateway keys rotate",
        ),
    )

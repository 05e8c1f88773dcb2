"""A target's folder on an SFTP server: one connection per delivery, closed at its end.

Nothing is taken from the account that the gateway runs under: no `~/.ssh`, no agent, no known hosts but those of
`target.yaml`. The attempt's time bounds every single wait. Moving uses `posix-rename@openssh.com` (one rename of the
server's file system), files are put on the disk by `fsync@openssh.com`; what a server does not offer it does not get
(PROTOCOL of OpenSSH, sections 4.3 and 4.8).
"""

from __future__ import annotations

import asyncio
import logging
import socket
import time
from collections.abc import Awaitable, Coroutine, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

import asyncssh

from adapters.base import OutcomeUnknown, Permanent, Retryable
from adapters.folder.place import FILE_MODE, FOLDER_MODE, Kind, Names, Taken

# Below that it writes the names of files.
logging.getLogger("asyncssh").setLevel(logging.WARNING)

_CLOSING = 1.0
"""Seconds that saying goodbye may take; everything is done by then."""

_LOST = (asyncssh.SFTPConnectionLost, asyncssh.SFTPNoConnection, asyncssh.DisconnectError, OSError, EOFError)
"""After these nobody knows what became of the last request. TimeoutError is an OSError."""

_KINDS: dict[int, Kind] = {
    asyncssh.FILEXFER_TYPE_REGULAR: "file",
    asyncssh.FILEXFER_TYPE_DIRECTORY: "folder",
}

_Result = TypeVar("_Result")


@dataclass(frozen=True, slots=True)
class Server:
    """Where and how to log in. host_keys: public keys, one of which the server must have. folder: absolute path."""

    host: str
    port: int
    username: str
    folder: str
    host_keys: tuple[str, ...]
    password: str | None
    private_key: asyncssh.SSHKey | None


@contextmanager
def sftp_place(server: Server, seconds: float) -> Iterator[SftpPlace]:
    """The folder, open. seconds: for everything that is done with it, logging in included.

    Raises Retryable (not reachable) or Permanent (class `auth`: host key or login not accepted).
    """
    until = time.monotonic() + seconds
    with asyncio.Runner() as runner:
        connection = _connected(runner, server, until)
        try:
            client = _run(runner, _started(connection), until)
            yield SftpPlace(runner, client, server.folder, until)
        finally:
            connection.close()
            with suppress(Exception):
                runner.run(asyncio.wait_for(connection.wait_closed(), _CLOSING))


class SftpPlace:
    """See `Place`. Server paths are the target's folder and the names below it."""

    def __init__(self, runner: asyncio.Runner, client: asyncssh.SFTPClient, folder: str, until: float) -> None:
        self._runner = runner
        self._client = client
        self._folder = folder.rstrip("/")
        self._until = until

    def kind(self, path: Names) -> Kind | None:
        return self._run(self._kind(path))

    def entries(self, folder: Names) -> dict[str, Kind]:
        return self._run(self._entries(folder))

    def read(self, file: Names, limit: int) -> bytes | None:
        return self._run(self._read(file, limit))

    def make(self, folder: Names) -> None:
        self._run(self._make(folder))

    def write(self, file: Names, chunks: Iterable[bytes]) -> None:
        self._run(self._write(file, chunks))

    def settle(self, folder: Names) -> None:
        """SFTP has no word for it: what the server's file system does is the server's."""

    def move(self, old: Names, new: Names) -> None:
        try:
            self._bounded(self._rename(self._path(old), self._path(new)))
        except _LOST as error:
            raise OutcomeUnknown("sftp.broken_off", detail=str(error)) from None
        except asyncssh.SFTPError as error:
            # Servers of version 3 say "failure" for every reason, so we look for ourselves.
            if self.kind(new) is not None:
                raise Taken from None
            raise _refused(error) from None

    def remove(self, folder: Names) -> None:
        self._run(self._remove(folder))

    def _path(self, path: Names) -> str:
        return "/".join((self._folder, *path)) or "/"

    def _bounded(self, work: Awaitable[_Result]) -> _Result:
        return self._runner.run(asyncio.wait_for(work, max(0.0, self._until - time.monotonic())))

    def _run(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return _run(self._runner, work, self._until)

    async def _kind(self, path: Names) -> Kind | None:
        """Every name on the way is looked at: a server follows links by itself, all but the last."""
        kind: Kind | None = "folder"
        for end in range(len(path) + 1):
            try:
                attributes = await self._client.lstat(self._path(path[:end]))
            except (asyncssh.SFTPNoSuchFile, asyncssh.SFTPNoSuchPath, asyncssh.SFTPNotADirectory):
                return None
            kind = _KINDS.get(attributes.type, "other")
            if kind != "folder" and 0 < end < len(path):
                return None
        return kind

    async def _entries(self, folder: Names) -> dict[str, Kind]:
        # The target's folder itself may be a link: that is the administrator's choice.
        if folder and await self._kind(folder) != "folder":
            return {}
        found: dict[str, Kind] = {}
        async for entry in self._client.scandir(self._path(folder)):
            name = entry.filename if isinstance(entry.filename, str) else entry.filename.decode("utf-8", "replace")
            if name not in (".", "..") and "/" not in name:
                found[name] = _KINDS.get(entry.attrs.type, "other")
        return found

    async def _read(self, file: Names, limit: int) -> bytes | None:
        if await self._kind(file) != "file":
            return None
        try:
            async with self._client.open(self._path(file), "rb") as stream:
                data: Any = await stream.read(limit)  # annotated as text, whatever the mode
        except asyncssh.SFTPNoSuchFile:
            return None
        return bytes(data)

    async def _make(self, folder: Names) -> None:
        try:
            await self._client.mkdir(self._path(folder), asyncssh.SFTPAttrs(permissions=FOLDER_MODE))
        except asyncssh.SFTPError:
            if await self._kind(folder) != "folder":
                raise

    async def _write(self, file: Names, chunks: Iterable[bytes]) -> None:
        async with self._client.open(self._path(file), "xb", asyncssh.SFTPAttrs(permissions=FILE_MODE)) as stream:
            for chunk in chunks:
                await stream.write(chunk)
            with suppress(asyncssh.SFTPOpUnsupported):
                await stream.fsync()

    async def _rename(self, old: str, new: str) -> None:
        try:
            await self._client.posix_rename(old, new)
        except asyncssh.SFTPOpUnsupported:
            # The protocol's own rename never replaces anything, which is what we want.
            await self._client.rename(old, new)

    async def _remove(self, folder: Names) -> None:
        for name in await self._entries(folder):
            await self._client.remove(self._path((*folder, name)))
        if await self._kind(folder) == "folder":
            await self._client.rmdir(self._path(folder))


def _connected(runner: asyncio.Runner, server: Server, until: float) -> asyncssh.SSHClientConnection:
    known = "".join(f"* {key}\n" for key in server.host_keys).encode()
    options: dict[str, Any] = {
        "config": None,
        "agent_path": None,
        "gss_host": None,
        "username": server.username,
        "known_hosts": known,
        "client_keys": [server.private_key] if server.private_key is not None else None,
        "password": server.password,
        "x509_trusted_certs": None,
    }
    try:
        left = max(0.0, until - time.monotonic())
        return runner.run(asyncio.wait_for(asyncssh.connect(server.host, server.port, **options), left))
    except (asyncssh.HostKeyNotVerifiable, asyncssh.KeyExchangeFailed) as error:
        raise Permanent("sftp.host_key", failure="auth", detail=str(error)) from None
    except asyncssh.PermissionDenied as error:
        raise Permanent("sftp.login", failure="auth", detail=str(error)) from None
    except socket.gaierror as error:
        raise Retryable("dns.failed", detail=str(error)) from None
    except (OSError, asyncssh.Error) as error:
        raise Retryable("sftp.unreachable", detail=f"{type(error).__name__} {error}") from None


async def _started(connection: asyncssh.SSHClientConnection) -> asyncssh.SFTPClient:
    return await connection.start_sftp_client()


def _run(runner: asyncio.Runner, work: Coroutine[Any, Any, _Result], until: float) -> _Result:
    """The work's result, or the decision that its failure means: nothing is visible yet, so it may be tried again."""
    try:
        return runner.run(asyncio.wait_for(work, max(0.0, until - time.monotonic())))
    except TimeoutError:
        raise Retryable("folder.too_slow") from None
    except _LOST as error:
        raise Retryable("sftp.broken_off", detail=str(error)) from None
    except asyncssh.Error as error:
        raise _refused(error) from None


def _refused(error: asyncssh.Error) -> Retryable:
    if isinstance(error, asyncssh.SFTPPermissionDenied | asyncssh.SFTPWriteProtect):
        code = "folder.not_allowed"
    elif isinstance(error, asyncssh.SFTPNoSpaceOnFilesystem | asyncssh.SFTPQuotaExceeded):
        code = "folder.full"
    else:
        code = "folder.unreachable"
    return Retryable(code, detail=f"{type(error).__name__} {error}")

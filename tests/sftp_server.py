"""A real SFTP server on loopback (asyncssh's), which keeps its users in one folder and misbehaves when told to."""

from __future__ import annotations

import asyncio
import errno
import threading
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import asyncssh

USER = "gateway"
PASSWORD = "geheim-3"


class SftpServer:
    """root: what users see as `/`. Logging in: as USER with PASSWORD, or with `client_key`.

    fault: `full` (no space at any write), `cut_before_move`, `cut_after_move` (the connection is gone), `forbidden`.
    posix: whether `posix-rename@openssh.com` is offered.
    """

    def __init__(self, root: Path, *, posix: bool = True) -> None:
        self.root = root
        self.host_key = asyncssh.generate_private_key("ssh-ed25519")
        self.client_key = asyncssh.generate_private_key("ssh-ed25519")
        self.fault: str | None = None
        self.logins = 0
        self.port = 0
        self.posix = posix
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._listening: asyncssh.SSHAcceptor | None = None

    @property
    def host_key_line(self) -> str:
        return self.host_key.export_public_key().decode().strip()

    def settings(self, path: str = "/", **changed: Any) -> dict[str, Any]:
        """What `target.yaml` of this server says."""
        url = f"sftp://{USER}@127.0.0.1:{self.port}{path}"
        return {"url": url, "host_keys": [self.host_key_line], "password": PASSWORD} | changed

    def __enter__(self) -> Self:
        self._thread.start()
        self.listen()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def listen(self) -> None:
        """Take connections, at the same port as before."""
        self._listening = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result(10)
        self.port = self._listening.get_port()

    def close(self) -> None:
        """Refuse connections and end those that are open."""
        asyncio.run_coroutine_threadsafe(self._close(), self._loop).result(10)

    async def _listen(self) -> asyncssh.SSHAcceptor:
        authorized = asyncssh.import_authorized_keys(self.client_key.export_public_key().decode())
        return await asyncssh.listen(
            "127.0.0.1",
            self.port,
            server_factory=lambda: _Login(self),
            server_host_keys=[self.host_key],
            authorized_client_keys=authorized,
            sftp_factory=lambda channel: _Files(self, channel),
        )

    async def _close(self) -> None:
        if self._listening is not None:
            self._listening.close()
            await self._listening.wait_closed()
            self._listening = None


class _Login(asyncssh.SSHServer):
    def __init__(self, server: SftpServer) -> None:
        self._server = server

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == (USER, PASSWORD)

    def auth_completed(self) -> None:
        self._server.logins += 1


class _Files(asyncssh.SFTPServer):
    def __init__(self, server: SftpServer, channel: Any) -> None:
        super().__init__(channel, chroot=str(server.root).encode())
        self._server = server
        self._channel_to_cut = channel

    def write(self, file_obj: object, offset: int, data: bytes) -> Any:
        if self._server.fault == "full":
            raise OSError(errno.ENOSPC, "no space")
        return super().write(file_obj, offset, data)

    def mkdir(self, path: bytes, attrs: asyncssh.SFTPAttrs) -> Any:
        if self._server.fault == "forbidden":
            raise asyncssh.SFTPPermissionDenied("no")
        return super().mkdir(path, attrs)

    def posix_rename(self, oldpath: bytes, newpath: bytes) -> Any:
        if not self._server.posix:
            raise asyncssh.SFTPOpUnsupported("unknown extension")
        fault, self._server.fault = self._server.fault, None
        if fault == "cut_before_move":
            return self._cut()
        moved = super().posix_rename(oldpath, newpath)
        return self._cut() if fault == "cut_after_move" else moved

    def _cut(self) -> None:
        self._channel_to_cut.get_connection().abort()

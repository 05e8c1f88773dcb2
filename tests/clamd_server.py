"""A clamd of our own: private folder, private socket and port, and a signature database that knows one harmless file.

The text that every scanner is meant to find (EICAR, www.eicar.org) is put together here, so that no file of this
project is one.
"""

from __future__ import annotations

import hashlib
import signal
from pathlib import Path

from gateway.attachments.scanning import Clamd, ScannerUnavailable
from gateway.demo.child import Child, ServerUnavailable, account, find_program, free_ports, private_folder

EICAR = b"X5O!P%@AP[4\\PZX54(P^)7CC)7}$" + b"-".join((b"EICAR", b"STANDARD", b"ANTIVIRUS", b"TEST", b"FILE!$H+H*"))
STREAM_BYTES = 80 * 1024 * 1024
SCANNED_BYTES = 60 * 1024 * 1024
"""clamd refuses a longer stream, and does not look into a larger file."""
_SECONDS = 60.0


class ClamdServer:
    """Start, stop, start again on the same addresses. Raises ServerUnavailable where clamd is not installed."""

    def __init__(self, folder: Path) -> None:
        program = find_program("clamd", "/usr/sbin", "/usr/local/sbin")
        if program is None:
            raise ServerUnavailable("clamd is not installed: run `make setup`")
        self._program = program
        self._account = account("clamav")
        self._folder = private_folder(folder, "clamd", self._account)
        (self._port,) = free_ports(1)
        self._child: Child | None = None
        self._configure()

    @property
    def url(self) -> str:
        return f"clamd://127.0.0.1:{self._port}"

    @property
    def socket_url(self) -> str:
        return f"clamd:{self._folder / 'socket'}"

    def start(self) -> None:
        if self._child and self._child.alive:
            return
        command = [str(self._program), "--config-file", str(self._folder / "clamd.conf")]
        self._child = Child(
            command, account=self._account, environment={}, folder=self._folder, log=self._folder / "clamd.log"
        )
        self._child.wait_until(self._answers, seconds=_SECONDS)

    def stop(self) -> None:
        if self._child:
            self._child.end(signal.SIGTERM, seconds=10)
            self._child = None

    def _answers(self) -> bool:
        try:
            Clamd(("127.0.0.1", self._port), seconds=5).ping()
        except ScannerUnavailable:
            return False
        return True

    def _configure(self) -> None:
        database = self._folder / "signatures"
        database.mkdir(exist_ok=True)
        # .hdb: MD5 and size of a whole file; .ndb: its bytes anywhere in a file of any kind.
        whole = f"{hashlib.md5(EICAR, usedforsecurity=False).hexdigest()}:{len(EICAR)}:Gateway.Eicar\n"
        (database / "own.hdb").write_text(whole, "ascii")
        (database / "own.ndb").write_text(f"Gateway.Eicar.Inside:0:*:{EICAR.hex()}\n", "ascii")
        lines = (
            f"LocalSocket {self._folder / 'socket'}",
            f"TCPSocket {self._port}",
            "TCPAddr 127.0.0.1",
            f"DatabaseDirectory {database}",
            f"TemporaryDirectory {self._folder}",
            "Foreground yes",
            f"StreamMaxLength {STREAM_BYTES}",
            f"MaxFileSize {SCANNED_BYTES}",
            f"MaxScanSize {SCANNED_BYTES}",
            "AlertExceedsMax yes",
            "AlertEncrypted yes",
        )
        (self._folder / "clamd.conf").write_text("\n".join(lines) + "\n", "utf-8")
        for path in (database, *database.iterdir(), self._folder / "clamd.conf"):
            path.chmod(0o755 if path.is_dir() else 0o644)

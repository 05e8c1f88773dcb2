"""Where a SQLite database lies: on a disk of this machine, with room left. PostgreSQL sees to its own."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from pathlib import Path

from sqlalchemy import URL

from gateway.errors import ConfigurationError
from xoev_schemas.findings import Finding, Text

_MOUNTS = Path("/proc/self/mountinfo")
_NETWORK = re.compile(
    r"nfs\d?|cifs|smb\d?|smbfs|afs|ncpfs|9p|ceph|lustre|gfs2|ocfs2|fuse\.(sshfs|glusterfs|ceph.*|s3fs)"
)
"""File systems on which locks and shared memory, which SQLite's log needs, do not hold between machines."""


def folder_of(url: URL) -> Path | None:
    """None: not SQLite."""
    return Path(str(url.database)).absolute().parent if url.get_backend_name() == "sqlite" else None


def room(url: URL) -> tuple[int, int] | None:
    """Bytes left and bytes in all on the disk of a SQLite database. None: not SQLite, or not known."""
    folder = folder_of(url)
    try:
        usage = shutil.disk_usage(folder) if folder else None
    except OSError:
        return None
    return (usage.free, usage.total) if usage else None


def nearly_full(url: URL, least: int) -> bool:
    """Fewer than `least` bytes are left, or than a twentieth where the disk is small."""
    there = room(url)
    return there is not None and there[0] < min(least, there[1] // 20)


def require_local(url: URL, kind_of: Callable[[Path], str | None] | None = None) -> None:
    """Raises ConfigurationError for a SQLite database on a network file system: it would be damaged there sooner or
    later. kind_of: for tests.
    """
    folder = folder_of(url)
    kind = (kind_of or file_system_of)(folder) if folder else None
    if folder and kind and _NETWORK.fullmatch(kind):
        raise ConfigurationError([_on_network(folder, kind)])


def file_system_of(folder: Path, mounts: Path = _MOUNTS) -> str | None:
    """Name of the file system that a folder lies on, as Linux calls it; None where that is not told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return None
    best, kind = -1, None
    for line in lines:  # proc(5): … mount point (5th) … " - " type source options
        before, _, after = line.partition(" - ")
        point = Path(before.split(" ")[4].replace("\\040", " "))
        if folder.resolve().is_relative_to(point) and len(point.parts) >= best:
            best, kind = len(point.parts), after.split(" ")[0]
    return kind


def _on_network(folder: Path, kind: str) -> Finding:
    return Finding(
        "config.database_on_network",
        "error",
        "service",
        Text(
            f"Die SQLite-Datenbank liegt auf einem Netzlaufwerk ({kind}); dort nimmt sie Schaden.",
            f"The SQLite database lies on a network file system ({kind}), where it gets damaged.",
        ),
        path=str(folder),
        remedy=Text(
            "Legen Sie `home` auf eine Platte dieses Rechners oder verwenden Sie PostgreSQL.",
            "Put `home` on a disk of this machine, or use PostgreSQL.",
        ),
        source="sqlite.org/wal.html",
    )

"""A target's folder on this machine, usually a mounted share.

Everything is opened relative to the folder's descriptor, each name without following links, so that nobody who may
write there can lead us elsewhere, not even between two of our calls. A share that hangs holds the call as long as the
system does (mount it with a time-out); between two pieces of a file the attempt's own time is looked at.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from adapters.base import OutcomeUnknown, Retryable
from adapters.folder.place import FILE_MODE, FOLDER_MODE, Kind, Names, Taken

_CODES = {
    errno.ENOSPC: "folder.full",
    errno.EDQUOT: "folder.full",
    errno.EACCES: "folder.not_allowed",
    errno.EPERM: "folder.not_allowed",
    errno.EROFS: "folder.not_allowed",
}
_SURELY_NOT_MOVED = frozenset({*_CODES, errno.ENOENT, errno.EXDEV, errno.EBUSY})
"""Errors of a rename that mean that it was not done; of others (EIO, ESTALE) a share may have done it all the same."""

_FOLDER = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_NEW_FILE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
_OLD_FILE = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@contextmanager
def local_place(root: Path, seconds: float) -> Iterator[LocalPlace]:
    """The folder, open. seconds: for everything that is done with it. Raises Retryable where it is not there."""
    with _decisions():
        # The folder itself may be named by a link: that is the administrator's choice, and no department's.
        descriptor = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield LocalPlace(descriptor, time.monotonic() + seconds)
    finally:
        os.close(descriptor)


class LocalPlace:
    """See `Place`. root: a descriptor of the folder. until: `time.monotonic()` seconds."""

    def __init__(self, root: int, until: float) -> None:
        self._root = root
        self._until = until

    def kind(self, path: Names) -> Kind | None:
        with _decisions():
            try:
                with self._folder(path[:-1]) as folder:
                    name = path[-1] if path else "."
                    return _kind(os.stat(name, dir_fd=folder, follow_symlinks=False).st_mode)
            except OSError as error:
                _require_missing(error)
                return None

    def entries(self, folder: Names) -> dict[str, Kind]:
        with _decisions():
            try:
                with self._folder(folder) as opened, os.scandir(opened) as found:
                    return {entry.name: _kind(entry.stat(follow_symlinks=False).st_mode) for entry in found}
            except OSError as error:
                _require_missing(error)
                return {}

    def read(self, file: Names, limit: int) -> bytes | None:
        with _decisions():
            try:
                with self._folder(file[:-1]) as folder:
                    opened = os.open(file[-1], _OLD_FILE, dir_fd=folder)
            except OSError as error:
                _require_missing(error)
                return None
            with os.fdopen(opened, "rb") as stream:
                return stream.read(limit) if stat.S_ISREG(os.fstat(opened).st_mode) else None

    def make(self, folder: Names) -> None:
        with _decisions(), self._folder(folder[:-1]) as parent:
            try:
                os.mkdir(folder[-1], FOLDER_MODE, dir_fd=parent)
            except FileExistsError:
                os.close(os.open(folder[-1], _FOLDER, dir_fd=parent))

    def write(self, file: Names, chunks: Iterable[bytes]) -> None:
        with _decisions(), self._folder(file[:-1]) as folder:
            opened = os.open(file[-1], _NEW_FILE, FILE_MODE, dir_fd=folder)
            with os.fdopen(opened, "wb") as stream:
                for chunk in chunks:
                    if time.monotonic() > self._until:
                        raise Retryable("folder.too_slow")
                    stream.write(chunk)
                stream.flush()
                os.fsync(stream.fileno())

    def settle(self, folder: Names) -> None:
        with _decisions(), self._folder(folder) as opened:
            try:
                os.fsync(opened)
            except OSError as error:
                # Some network file systems have no such thing for folders; there the server does it.
                if error.errno not in (errno.EINVAL, errno.ENOTSUP):
                    raise

    def move(self, old: Names, new: Names) -> None:
        with _decisions(), self._folder(old[:-1]) as source, self._folder(new[:-1]) as destination:
            try:
                os.rename(old[-1], new[-1], src_dir_fd=source, dst_dir_fd=destination)
            except OSError as error:
                if error.errno in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR, errno.EISDIR):
                    raise Taken from None
                if error.errno in _SURELY_NOT_MOVED:
                    raise
                raise OutcomeUnknown("folder.move_failed", detail=str(error)) from None

    def remove(self, folder: Names) -> None:
        for name in self.entries(folder):
            with _decisions(), self._folder(folder) as opened:
                os.unlink(name, dir_fd=opened)
        if self.kind(folder) == "folder":
            with _decisions(), self._folder(folder[:-1]) as parent:
                os.rmdir(folder[-1], dir_fd=parent)

    @contextmanager
    def _folder(self, path: Names) -> Iterator[int]:
        """A descriptor of a folder below the root, every name on the way opened without following links."""
        opened = os.dup(self._root)
        try:
            for name in path:
                inner = os.open(name, _FOLDER, dir_fd=opened)
                os.close(opened)
                opened = inner
            yield opened
        finally:
            os.close(opened)


@contextmanager
def _decisions() -> Iterator[None]:
    """What the system says, as a decision: nothing is visible yet, so it may be tried again."""
    try:
        yield
    except OSError as error:
        code = _CODES.get(error.errno or 0, "folder.unreachable")
        raise Retryable(code, detail=f"{errno.errorcode.get(error.errno or 0, '')} {error.strerror}") from None


def _require_missing(error: OSError) -> None:
    """Nothing there: also a link where a file or folder was looked for. Raises what else went wrong."""
    if error.errno not in (errno.ENOENT, errno.ENOTDIR, errno.ELOOP):
        raise error


def _kind(mode: int) -> Kind:
    return "folder" if stat.S_ISDIR(mode) else "file" if stat.S_ISREG(mode) else "other"

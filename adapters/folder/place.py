"""Where a target's folder is: one small protocol over a mounted share and over SFTP.

Every method raises the three errors of `adapters.base` and nothing else of its own but `Taken`. Whatever fails before
`move` has left nothing that a department could see, so it is `Retryable`; `move` alone can end in an unknown outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import Literal, Protocol

Names = tuple[str, ...]
"""A path below the target's folder; () is the folder itself."""

Kind = Literal["file", "folder", "other"]
"""other: a link, a device, a pipe. Never followed, never read."""


FOLDER_MODE, FILE_MODE = 0o770, 0o660
"""Of what we write, before the umask: the department's group reads and moves it, others on the machine do not."""


class Taken(Exception):
    """Something of the new name is there already; nothing was moved."""


class Place(Protocol):
    """The target's folder while it is open. For one thread."""

    def kind(self, path: Names) -> Kind | None:
        """What is there; None: nothing, also where a folder on the way is missing or is none."""
        ...

    def entries(self, folder: Names) -> dict[str, Kind]:
        """What a folder holds; empty where it is missing or is none."""
        ...

    def read(self, file: Names, limit: int) -> bytes | None:
        """A file's first `limit` bytes; None where there is no such file."""
        ...

    def make(self, folder: Names) -> None:
        """A new folder; fine if it is there already."""
        ...

    def write(self, file: Names, chunks: Iterable[bytes]) -> None:
        """A new file, on the disk when this returns."""
        ...

    def settle(self, folder: Names) -> None:
        """The names in a folder are on the disk when this returns (where the system can say so)."""
        ...

    def move(self, old: Names, new: Names) -> None:
        """In one step, within the target's folder; a folder with something in it is never replaced.

        Raises Taken, Retryable (surely not moved) or OutcomeUnknown.
        """
        ...

    def remove(self, folder: Names) -> None:
        """A folder of ours and the files in it; fine if it is not there."""
        ...


OpenPlace = Callable[[], AbstractContextManager[Place]]
"""Opens the target's folder for one delivery, question or ping."""

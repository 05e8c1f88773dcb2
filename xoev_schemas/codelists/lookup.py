"""Many code lists, each read when it is first asked for."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Mapping

from xoev_schemas.codelists.model import CodeList
from xoev_schemas.codelists.reading import read_code_list


class CodeLists:
    """Immutable to its users and thread-safe."""

    def __init__(self, entries: Mapping[tuple[str, str], Callable[[], bytes]]) -> None:
        """entries: (list URI, version) → its bytes, Genericode or JSON; called once, at the first look-up."""
        self._entries = dict(entries)
        self._read: dict[tuple[str, str], CodeList] = {}
        self._reading = threading.Lock()
        versions: dict[str, list[str]] = defaultdict(list)
        for uri, version in self._entries:
            versions[uri].append(version)
        self._versions = {uri: tuple(known) for uri, known in versions.items()}

    def get(self, uri: str, version: str) -> CodeList | None:
        """None where this version is not installed. Raises NotACodeList, and whatever getting the bytes raises."""
        key = (uri, version)
        found = self._read.get(key)
        if found is not None or key not in self._entries:
            return found
        with self._reading:
            if key not in self._read:
                self._read[key] = read_code_list(self._entries[key]())
            return self._read[key]

    def versions(self, uri: str) -> tuple[str, ...]:
        """The installed versions of a list, in the order of `entries`: opaque strings have none of their own."""
        return self._versions.get(uri, ())

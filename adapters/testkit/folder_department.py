"""A simulated department that reads a folder: strict about what lies there, and moves what it has read."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any, Self

import jsonschema_rs

from adapters.folder.settings import MARKER
from adapters.testkit.department import ReadingDepartment
from adapters.testkit.ledger import KeyReused, Received
from adapters.testkit.soap_department import as_dict
from xoev_schemas.documents import JsonDocument, Unreadable, parse

_PAUSE = 0.02
"""Seconds between two looks into the folder."""

DONE = "erledigt"
ANSWERS = "antwort"


class FolderDepartment(ReadingDepartment):
    """folder: made if it is missing, with the marker. ready: ending of the file that says that a folder is complete.

    What it took it moves to `erledigt/KEY` and answers in `antwort/KEY.json`; what breaks its rules stays and is
    counted.
    """

    def __init__(self, folder: Path, *, marker: str = MARKER, ready: str | None = None, prefix: str = "FOLDER") -> None:
        super().__init__(prefix)
        self.folder = folder
        self._marker = marker
        self._ready = ready
        schema = files("adapters.folder").joinpath("manifest.schema.json").read_text(encoding="utf-8")
        self._manifest = jsonschema_rs.validator_for(json.loads(schema), validate_formats=True)
        self._refused: dict[str, str] = {}
        self._thread: threading.Thread | None = None

    @property
    def url(self) -> str:
        return self.folder.resolve().as_uri()

    def start(self) -> Self:
        """Begin to read."""
        for name in ("", DONE, ANSWERS):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        (self.folder / self._marker).touch()
        self.stopped.clear()
        self._thread = threading.Thread(target=self._watch, name=f"department {self.folder.name}", daemon=True)
        self._thread.start()
        return self

    def stop(self) -> None:
        self.stopped.set()
        if self._thread is not None:
            self._thread.join()
            self._thread = None

    @property
    def refused(self) -> dict[str, str]:
        """Folders that were left where they are → why. Reasons name no values."""
        return dict(self._refused)

    def go_down(self) -> None:
        """The share is not mounted any more: the place is there, and empty."""
        self.stop()
        self.folder.rename(self._away)
        self.folder.mkdir()

    def come_up(self) -> None:
        """Mounted again, as it was. Raises OSError if somebody wrote to the empty place meanwhile."""
        self.folder.rmdir()
        self._away.rename(self.folder)
        self.start()

    @property
    def _away(self) -> Path:
        return self.folder.with_name(f"{self.folder.name}-away")

    def _watch(self) -> None:
        while not self.stopped.wait(_PAUSE):
            for folder in self._complete():
                self._read(folder)

    def _complete(self) -> Iterator[Path]:
        for folder in sorted(self.folder.iterdir()):
            if folder.name.startswith(".") or folder.name in (DONE, ANSWERS, *self._refused) or not folder.is_dir():
                continue
            if self._ready is None or folder.with_name(folder.name + self._ready).is_file():
                yield folder

    def _read(self, folder: Path) -> None:
        behaviour = self._script.next(folder.name)
        if behaviour.kind == "slow":
            self.stopped.wait(behaviour.seconds)
        wrong = "told to" if behaviour.kind == "refuse" else self._take(folder)
        if wrong is not None:
            self._refused[folder.name] = wrong
        self._done(folder.name, behaviour, refused=wrong is not None)

    def _take(self, folder: Path) -> str | None:
        """Acts on a folder, answers, moves it. What is wrong with it; None: nothing."""
        try:
            manifest = json.loads((folder / "manifest.json").read_bytes())
        except (OSError, ValueError):
            return "there is no manifest"
        if not self._manifest.is_valid(manifest) or manifest["key"] != folder.name:
            return "the manifest is not valid"
        listed = {entry["name"]: entry for entry in manifest["files"]}
        if {file.name for file in folder.iterdir()} != {*listed, "manifest.json"}:
            return "other files than the manifest says"
        for name, entry in listed.items():
            data = (folder / name).read_bytes()
            if (len(data), hashlib.sha512(data).hexdigest()) != (entry["size"], entry["sha512"]):
                return "a file is not as the manifest says"
        raw = (folder / manifest["request"]).read_bytes()
        try:
            body = _body(raw, listed[manifest["request"]]["mediaType"])
            taken = self.ledger.take(
                folder.name, body, raw, marked=manifest["possibleRepeat"], compared=manifest["files"]
            )
        except Unreadable:
            return "the request is not readable"
        except KeyReused:
            return "the key was used before"
        self._answer(folder, taken)
        return None

    def _answer(self, folder: Path, taken: Received) -> None:
        answer = self.folder / ANSWERS / f"{folder.name}.json"
        unfinished = answer.with_suffix(".part")
        unfinished.write_text(json.dumps({"vorgangsnummer": taken.references["number"]}), encoding="utf-8")
        unfinished.rename(answer)
        folder.rename(self.folder / DONE / folder.name)
        if self._ready is not None:
            folder.with_name(folder.name + self._ready).unlink()


def _body(data: bytes, media_type: str) -> Any:
    document = parse(data, media_type)
    if isinstance(document, JsonDocument):
        return document.value
    return as_dict(document.root)

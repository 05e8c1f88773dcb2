"""The folder adapter: for departments whose system reads a directory, on a mounted share or over SFTP.

A delivery is one folder, named by the key: it is written under another name, put on the disk, and moved to its place in
one step, so that nobody ever sees half of it. The same key finds what is there: identical content is success, other
content is a contract error. What happens to a folder afterwards (moving, deleting, keeping) is the department's.
"""

from __future__ import annotations

import secrets
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from adapters import paths
from adapters.base import (
    DeliveryError,
    FieldSpec,
    OutcomeUnknown,
    Permanent,
    Preview,
    Receipt,
    Request,
    Retryable,
    TargetConfig,
)
from adapters.folder.body import Form, SchemaUnusable
from adapters.folder.local import local_place
from adapters.folder.names import MANIFEST, PART, READY, is_key, matches
from adapters.folder.package import MANIFEST_BYTES, Package, pack, same
from adapters.folder.place import Names, OpenPlace, Place, Taken
from adapters.folder.settings import FolderProbe, FolderSettings, ReceiptFile, faults, form, server
from adapters.folder.sftp import sftp_place
from adapters.guard import only_decisions, only_questions
from adapters.openapi import OpenApiUnusable
from adapters.settings import read_settings_and_probe
from xoev_schemas.documents import JsonDocument, Unreadable, XmlDocument, parse
from xoev_schemas.findings import Finding

_RECEIPT_BYTES = 1024 * 1024


@dataclass(frozen=True, slots=True)
class _Target:
    """What an adapter needs for every delivery. Reading a key that has a passphrase is slow on purpose: once."""

    settings: FolderSettings
    form: Form
    open: OpenPlace


class FolderAdapter:
    """One folder. It is opened anew for each delivery, so nothing is shared between threads but the settings."""

    def __init__(self, config: TargetConfig) -> None:
        self._config = config
        self._settings, self._probe, self._wrong = read_settings_and_probe(FolderSettings, FolderProbe, config)
        self._lock = threading.Lock()
        self._made: _Target | None = None

    def check(self) -> list[Finding]:
        if self._settings is None or self._wrong:
            return list(self._wrong)
        return faults(self._settings, self._config)

    def required_fields(self) -> list[FieldSpec] | None:
        if self._settings is None:
            return None
        try:
            return form(self._settings, self._config).fields()
        except (SchemaUnusable, OpenApiUnusable):
            return None

    def ping(self) -> None:
        """Also writes, and takes away what it wrote: a share that may only be read is no target."""
        with only_decisions(), self._target().open() as place:
            part = _new_part(place, "ping")
            place.remove(part)

    def deliver(self, request: Request) -> Receipt:
        with only_decisions() as progress:
            target = self._target()
            package = pack(request, target.form, self._config.key)
            ready = target.settings.ready
            with target.open() as place:
                if (found := self._find(place, request.key)) is None:
                    part = _write(place, package, ready is not None)
                    progress.sent = True
                    if _moved(place, part, request.key):
                        _hand_over(place, request.key, ready)
                        return Receipt()
                    found = self._find(place, request.key)
                return self._known(place, found, package, ready)

    def preview(self, request: Request) -> Preview:
        with only_decisions():
            target = self._target()
            package = pack(request, target.form, self._config.key)
        files = {package.name: package.media_type} | {n: a.media_type for n, a in package.attachments.items()}
        headers = {**files, MANIFEST: f"key={request.key}, possibleRepeat={str(request.possible_repeat).lower()}"}
        return Preview(
            "write", f"{target.settings.url.rstrip('/')}/{request.key}/{package.name}", headers, package.body
        )

    def probe(self, key: str) -> Receipt | None:
        if self._probe is None:
            raise Permanent("probe.unsupported", failure="contract")
        with only_questions(), self._target().open() as place:
            found = self._find(place, key)
            answer = self._answer(place, key, self._probe.receipt)
            if answer is not None:
                return answer
            if found is None or place.kind((*found, READY)) is not None:
                return None  # not there, or not handed over: the next attempt finds it and does that
            return Receipt(already_there=True)

    def close(self) -> None:
        return None

    def _target(self) -> _Target:
        """Made once. Raises Permanent when the configuration does not allow it."""
        with self._lock:
            settings = self._settings
            if self._made is None:
                if settings is None or self._wrong or faults(settings, self._config):
                    raise Permanent("config.invalid", failure="contract")
                self._made = _Target(settings, form(settings, self._config), _opener(settings, self._config.timeout))
            return self._made

    def _find(self, place: Place, key: str) -> Names | None:
        """Where the key is: at its place first, then where the department moves it, so that no move slips through."""
        if not is_key(key):
            raise Permanent("folder.key_unsafe", failure="contract")
        kind = place.kind((key,))
        if kind == "folder":
            return (key,)
        if kind is not None:
            raise Permanent("folder.key_reused", failure="contract")
        done = self._probe.done if self._probe is not None else []
        return next((found for pattern in done for found in matches(place, pattern, key)), None)

    def _known(self, place: Place, found: Names | None, package: Package, ready: str | None) -> Receipt:
        """Success when the key is there with the same files."""
        entries = package.entries()
        for _ in range(2):
            if found is None:
                break
            manifest = place.read((*found, MANIFEST), MANIFEST_BYTES)
            if same(manifest, entries):
                if ready is not None and place.kind((*found, READY)) is not None:
                    _hand_over(place, package.request.key, ready)
                return Receipt(already_there=True)
            # The department may have moved it between two of our looks.
            found = self._find(place, package.request.key)
        raise Permanent("folder.key_reused", failure="contract")

    def _answer(self, place: Place, key: str, receipt: ReceiptFile | None) -> Receipt | None:
        """What the department wrote back. Unreadable is an answer all the same: it has the case."""
        found = (
            next((f for f in matches(place, receipt.glob, key) if place.kind(f) == "file"), None) if receipt else None
        )
        data = place.read(found, _RECEIPT_BYTES) if found is not None else None
        if receipt is None or found is None or data is None:
            return None
        media_type = "application/xml" if found[-1].lower().endswith(".xml") else "application/json"
        references = _references(receipt.references or dict(self._config.references), data, media_type)
        return Receipt(references, data, media_type, already_there=True)


def _opener(settings: FolderSettings, seconds: float) -> OpenPlace:
    """Opens the folder, of which the marker says that it is the right one."""
    opened: OpenPlace
    if settings.address.scheme == "sftp":
        opened = partial(sftp_place, server(settings), seconds)
    else:
        opened = partial(local_place, Path(unquote(settings.address.path)), seconds)

    @contextmanager
    def marked() -> Iterator[Place]:
        with opened() as place:
            if place.kind((settings.marker,)) != "file":
                raise Retryable("folder.no_marker")
            yield place

    return marked


def _new_part(place: Place, key: str) -> Names:
    """A folder to write into, that nobody reads; what a crash left of an earlier attempt goes away."""
    place.make((PART,))
    for name in place.entries((PART,)):
        if name.startswith(f"{key}."):
            place.remove((PART, name))
    part = (PART, f"{key}.{secrets.token_hex(8)}")
    place.make(part)
    return part


def _write(place: Place, package: Package, ready: bool) -> Names:
    """Everything, on the disk, where nobody looks yet. Leaves nothing when it fails."""
    part = _new_part(place, package.request.key)
    try:
        entries = package.entries(lambda name, pieces: place.write((*part, name), pieces))
        place.write((*part, MANIFEST), [package.manifest(entries)])
        if ready:
            place.write((*part, READY), [])
        place.settle(part)
    except BaseException:
        _tidied(place, part)
        raise
    return part


def _moved(place: Place, part: Names, key: str) -> bool:
    """The one step that makes the folder visible. False: something is there already."""
    try:
        place.move(part, (key,))
    except Taken:
        _tidied(place, part)
        return False
    except Retryable:
        _tidied(place, part)
        raise
    return True


def _hand_over(place: Place, key: str, ready: str | None) -> None:
    """Make the move last, and give the department its ready-file: the one inside the folder is moved out, so that each
    folder is announced once, however often we come back.
    """
    try:
        place.settle(())
        if ready is not None:
            # Someone else announced it where it is gone.
            with suppress(Taken):
                place.move((key, READY), (f"{key}{ready}",))
            place.settle(())
    except DeliveryError as error:
        raise OutcomeUnknown(error.code, detail=error.detail) from None


def _tidied(place: Place, part: Names) -> None:
    """What cannot be taken away now goes with the next attempt."""
    with suppress(DeliveryError):
        place.remove(part)


def _references(places: dict[str, str], data: bytes, media_type: str) -> dict[str, str]:
    try:
        document = parse(data, media_type)
    except Unreadable:
        return {}
    found = {name: _value(document, path) for name, path in places.items()}
    return {name: value for name, value in found.items() if value}


def _value(document: XmlDocument | JsonDocument, path: str) -> str | None:
    if isinstance(document, XmlDocument):
        root: etree._Element = document.root
        return paths.read_xml(root, path)
    value = paths.read(document.value, path)
    return None if value is None or isinstance(value, dict | list) else str(value)

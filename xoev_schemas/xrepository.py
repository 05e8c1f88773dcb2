"""Get standards and code lists from the XRepository, the publishers' own place for them, into a folder to import from.

The only module here that touches the network, and only when somebody asks for it: what a registry holds never changes
by itself. Paths and shapes: XRepository REST interface (`<urn>/metadaten`, `<file id>`,
`<urn_version>:technischerBestandteilGenericode`).
"""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx
from tenacity import retry, retry_if_exception, stop_after_attempt, wait_random_exponential

from xoev_schemas.candidates import safe_name
from xoev_schemas.sources import unpack

MOST_BYTES = 200 * 1024 * 1024
"""Most that one file may have; XBau 2.6 with its documentation has 12 MB."""

_GENERICODE = ":technischerBestandteilGenericode"
_XSD = "XSD"
_ABSENT = {
    "NUR PLATZHALTER GEFUNDEN": "only a placeholder: reserved, not published",
    "NICHT SICHTBAR": "not visible to the public",
}
_CODE_LIST = ("CODELISTE", "VERSION_CODELISTE")

Progress = Callable[[str], None]


class NotFetched(Exception):
    """The XRepository did not give what was asked for. The sentence says what and why; `remedy` what to do."""

    def __init__(self, sentence: str, remedy: str) -> None:
        self.remedy = remedy
        super().__init__(sentence)


@dataclass(frozen=True)
class Fetched:
    """files: what was fetched, as it was called. absent: URN_VERSION → why the XRepository has no content."""

    files: list[str] = field(default_factory=list)
    absent: dict[str, str] = field(default_factory=dict)


class _Absent(Exception):
    """404, with the reason that the body gives."""


class XRepository:
    """One place, the public one or a mirror of it, by the address of its interface. Use as a context manager."""

    def __init__(self, url: str, *, timeout: float = 30.0) -> None:
        """timeout: seconds without any answer."""
        self._url = httpx.URL(url.rstrip("/") + "/")
        self._client = httpx.Client(timeout=timeout, follow_redirects=True, max_redirects=3)

    def __enter__(self) -> XRepository:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def fetch(self, urn: str, folder: Path, *, code_lists: bool = True, progress: Progress = lambda _: None) -> Fetched:
        """The schemas, rules and code lists of a standard's version, or a code list, into an empty folder.

        urn: `urn:xoev-de:bmk:standard:xbau_2.6`, or a code list's, with or without its version (then all of them).
        Raises NotFetched, ImportRefused (for a damaged archive).
        """
        fetched = Fetched()
        metadata = self._metadata(urn)
        documents = list(_documents(metadata))
        if documents:
            self._files(documents, folder, fetched, progress)
            if code_lists:
                for reference in _code_list_references(metadata):
                    self._lists(reference, folder, fetched, progress)
        elif _is_standard(metadata, urn):
            raise NotFetched(f"{urn} names no version, or one without schemas", _versions_remedy(metadata))
        else:
            self._lists(urn, folder, fetched, progress)
        if not fetched.files:
            absent = "; ".join(f"{name}: {why}" for name, why in fetched.absent.items())
            raise NotFetched(f"{urn} has no content: {absent}", "Ask its publisher, or import the files from a folder.")
        return fetched

    def _files(self, documents: list[_Document], folder: Path, fetched: Fetched, progress: Progress) -> None:
        for document in documents:
            progress(document.file)
            target = folder / document.kind / document.name
            try:
                self._download(document.file, target)
            except _Absent as error:
                fetched.absent[document.file] = str(error)
            else:
                fetched.files.append(target.relative_to(folder).as_posix())
                if zipfile.is_zipfile(target):
                    unpack(target, target.parent)
                    target.unlink()

    def _lists(self, urn: str, folder: Path, fetched: Fetched, progress: Progress) -> None:
        """A list in one version, or in all that there are: messages name the version that they use."""
        try:
            versions = [str(v) for v in self._metadata(urn).get("alleVersionsKennungen") or ()]
        except NotFetched as error:
            fetched.absent[urn] = str(error)
            return
        for version in [urn] if urn in versions or not versions else versions:
            progress(version)
            target = folder / "codelists" / f"{safe_name(version)}.gc.xml"
            try:
                self._download(version + _GENERICODE, target)
            except _Absent as error:
                fetched.absent[version] = str(error)
            else:
                fetched.files.append(target.relative_to(folder).as_posix())

    def _metadata(self, urn: str) -> Mapping[str, Any]:
        try:
            content = b"".join(self._read(f"{_quoted(urn)}/metadaten", "application/json"))
        except _Absent as error:
            raise NotFetched(f"the XRepository has no {urn}: {error}", "Compare the URN with its page there.") from None
        try:
            value = json.loads(content)
        except ValueError:
            value = None
        if not isinstance(value, dict):
            raise NotFetched(
                f"{self._url.host} answered something else than metadata for {urn}",
                "See whether xrepository_url is the address of an XRepository.",
            )
        return value

    def _download(self, name: str, target: Path) -> None:
        target.parent.mkdir(parents=True, exist_ok=True)
        with target.open("wb") as file:
            try:
                for chunk in self._read(_quoted(name), "*/*"):
                    file.write(chunk)
            except BaseException:
                target.unlink()
                raise

    def _read(self, name: str, accept: str) -> Iterator[bytes]:
        """The body in pieces. name: quoted. Raises _Absent, NotFetched."""
        try:
            response = self._get(name, accept)
        except httpx.HTTPError as error:
            raise NotFetched(
                f"{self._url.host} could not be reached: {type(error).__name__}",
                "Check the connection (proxy: HTTPS_PROXY), or carry the files here and use: gateway schemas import",
            ) from None
        with closing(response):
            self._judge(response, name)
            size = 0
            for chunk in response.iter_bytes(1 << 16):
                size += len(chunk)
                if size > MOST_BYTES:
                    raise NotFetched(f"{name} is larger than {MOST_BYTES} bytes", "Import it from a folder.")
                yield chunk

    @retry(
        retry=retry_if_exception(lambda error: isinstance(error, httpx.TransportError)),
        wait=wait_random_exponential(multiplier=0.2, max=3),
        stop=stop_after_attempt(3),
        reraise=True,
    )
    def _get(self, path: str, accept: str) -> httpx.Response:
        # Not by base_url: a path that begins with `urn:` would be taken for an address of its own.
        request = self._client.build_request("GET", f"{self._url}{path}", headers={"Accept": accept})
        return self._client.send(request, stream=True)

    def _judge(self, response: httpx.Response, name: str) -> None:
        if response.url.host != self._url.host:
            raise NotFetched(f"{name} leads away to {response.url.host}", "Set xrepository_url to that place yourself.")
        if response.status_code == 404:
            raise _Absent(_reason(response.read()))
        if response.status_code != 200:
            raise NotFetched(f"{self._url.host} answered {response.status_code} for {name}", "Try again later.")


@dataclass(frozen=True)
class _Document:
    """file: id to download. name: of the file. kind: folder for it."""

    file: str
    name: str
    kind: str


def _documents(metadata: Mapping[str, Any]) -> Iterator[_Document]:
    """The schemas (of two published forms the one whose imports are relative) and the Schematron rules."""
    files = [
        (
            str(document.get("dokumentenkategorie")),
            f"{document.get('name')} {file.get('kennung')}",
            str(file["kennung"]),
        )
        for document in metadata.get("dokumente") or ()
        for file in document.get("datei") or ()
    ]
    schemas = [file for kind, _words, file in files if kind == _XSD]
    relative = [file for file in schemas if "xsd_dev" in file]
    for file in relative or schemas:
        yield _Document(file, _file_name(file), "xsd")
    for kind, words, file in files:
        if kind != _XSD and ("schematron" in words.lower() or file.endswith(".sch")):
            yield _Document(file, _file_name(file), "xsd/schematron")


def _quoted(name: str) -> str:
    return quote(name, safe=":")


def _file_name(file: str) -> str:
    """`urn:…_2.6:xmlschema:datei:xsd.zip` → `xsd.zip`; never a path."""
    return safe_name(file.rpartition(":")[2]) or "file"


def _code_list_references(metadata: Mapping[str, Any]) -> list[str]:
    references = metadata.get("referenzen") or ()
    return sorted({str(r["kennung"]) for r in references if r.get("typ") in _CODE_LIST and r.get("kennung")})


def _is_standard(metadata: Mapping[str, Any], urn: str) -> bool:
    return ":standard:" in urn or ":standard:" in str(metadata.get("kennung", ""))


def _versions_remedy(metadata: Mapping[str, Any]) -> str:
    versions = [str(version) for version in metadata.get("alleVersionsKennungen") or ()]
    return f"Name one of: {', '.join(versions)}" if versions else "Look it up on its page in the XRepository."


def _reason(body: bytes) -> str:
    try:
        reason = str(json.loads(body).get("fehler", ""))
    except (ValueError, AttributeError):
        reason = ""
    return _ABSENT.get(reason, reason or "not found")

"""Where standards are imported from: a folder, a ZIP archive or a single file; with the XML catalogs that lie there.

A catalog (OASIS XML Catalogs 1.1) maps published URLs to files, so that unmodified schemas compile without a network.
It is looked for in the folder, below it and, for a folder that is part of a collection, in the folders above.
"""

from __future__ import annotations

import stat
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory
from typing import cast

from lxml import etree

from xoev_schemas.findings import Finding, Text
from xoev_schemas.standards import ImportRefused
from xoev_schemas.xsd import parse_schema

CATALOG_NAME = "catalog.xml"
SUFFIXES = (".xsd", ".json", ".sch", ".xml")
_CATALOG = "{urn:oasis:names:tc:entity:xmlns:xml:catalog}"
_PARENTS = 3  # how far above the imported path a catalog is looked for

ZIP_ENTRIES = 5_000
ZIP_BYTES = 500 * 1024 * 1024
ZIP_RATIO = 100


@dataclass(frozen=True)
class Source:
    """Files to import from.

    top: nothing outside this folder is read. paths: the files to look at (XSD, JSON, Schematron, XML), sorted.
    catalog: published URL → file. label: what the top folder is called where it came from.
    """

    top: Path
    paths: list[Path]
    catalog: dict[str, Path] = field(default_factory=dict)
    label: str = ""

    def folder_name(self, folder: Path) -> str:
        return self.label if self.label and folder == self.top else folder.name

    def ending(self, suffix: str) -> list[Path]:
        return [path for path in self.paths if path.suffix == suffix]

    def name(self, path: Path) -> str:
        """A file's name for findings: relative to the top, never a path of this machine."""
        return path.relative_to(self.top).as_posix() if path.is_relative_to(self.top) else path.name


@contextmanager
def opened(path: Path) -> Iterator[Source]:
    """The source behind a path; an archive is unpacked for as long as the context lasts. Raises ImportRefused."""
    if path.is_dir():
        yield _from_folder(path.resolve(), parents=_PARENTS)
    elif zipfile.is_zipfile(path):
        with TemporaryDirectory(prefix="gateway-schemas-") as unpacked:
            unpack(path, Path(unpacked))
            yield replace(_from_folder(Path(unpacked).resolve(), parents=0), label=path.stem)
    elif path.suffix in SUFFIXES and path.is_file():
        folder = path.resolve().parent
        top, catalog = _catalogs(folder, _PARENTS)
        yield Source(top, [path.resolve()], catalog)
    else:
        raise refused(
            "schemas.not_readable",
            path.name,
            Text("Hier ist kein Ordner, ZIP-Archiv oder Schema.", "This is no folder, ZIP archive or schema."),
            Text("Geben Sie einen Ordner, ein ZIP-Archiv oder eine Datei (.xsd, .json, .sch, .xml) an.",
                 "Name a folder, a ZIP archive, or a file (.xsd, .json, .sch, .xml)."),
        )  # fmt: skip


def refused(code: str, path: str, text: Text, remedy: Text | None = None) -> ImportRefused:
    """An ImportRefused with one finding."""
    return ImportRefused([import_finding(code, path, text, remedy)])


def import_finding(code: str, path: str, text: Text, remedy: Text | None = None) -> Finding:
    return Finding(code, "error", "schema", text, path=path, remedy=remedy or Text("", ""))


def _from_folder(folder: Path, *, parents: int) -> Source:
    top, catalog = _catalogs(folder, parents)
    paths = sorted(p for p in folder.rglob("*") if p.suffix in SUFFIXES and p.is_file())
    return Source(top, [p for p in paths if p.resolve().is_relative_to(top)], catalog)


def _catalogs(folder: Path, parents: int) -> tuple[Path, dict[str, Path]]:
    """The highest folder that has a catalog, and the entries of all; that of the folder itself and those below win."""
    top, catalog = folder, dict[str, Path]()
    for below in sorted(folder.glob(f"*/**/{CATALOG_NAME}")):
        catalog |= _catalog_entries(below)
    for candidate in [folder, *folder.parents[:parents]]:
        file = candidate / CATALOG_NAME
        if file.is_file() and (entries := _catalog_entries(file)):
            top = candidate
            catalog = {**entries, **catalog}
    return top, catalog


def _catalog_entries(file: Path) -> dict[str, Path]:
    try:
        root = parse_schema(file.read_bytes())
    except etree.XMLSyntaxError:
        raise refused(
            "schemas.catalog",
            file.name,
            Text("Der XML-Katalog ist kein wohlgeformtes XML.", "The XML catalog is not well-formed XML."),
        ) from None
    names = [(f"{_CATALOG}uri", "name"), (f"{_CATALOG}system", "systemId")]
    entries = {
        str(entry.get(attribute)): (file.parent / str(entry.get("uri"))).resolve()
        for tag, attribute in names
        for entry in root.iter(tag)
    }
    return {url: target for url, target in entries.items() if target.is_relative_to(file.parent.resolve())}


def root_of(path: Path) -> etree.QName | None:
    """The name of an XML file's root element, without reading the rest; None for what is no XML or has a DOCTYPE."""
    parser = etree.XMLPullParser(events=("start",), resolve_entities=False, no_network=True, load_dtd=False)
    try:
        with path.open("rb") as file:
            while chunk := file.read(4096):
                parser.feed(chunk)
                for _event, element in cast("Iterator[tuple[str, etree._Element]]", parser.read_events()):
                    return None if _has_doctype(element) else etree.QName(element)
    except etree.XMLSyntaxError:
        pass
    return None


def _has_doctype(element: etree._Element) -> bool:
    return element.getroottree().docinfo.internalDTD is not None


def unpack(archive: Path, folder: Path) -> None:
    """A ZIP archive's files. Raises ImportRefused for one that is damaged or meant to do harm.

    Only files of the known kinds; bounded by what really comes out, not by what the headers say.
    """
    try:
        with zipfile.ZipFile(archive) as zip_file:
            entries = [_checked(info) for info in zip_file.infolist() if not info.filename.endswith("/")]
            names = [info.filename.casefold() for info in entries]
            if len(entries) > ZIP_ENTRIES or len(set(names)) != len(names):
                raise _bad_archive("zu viele oder doppelte Einträge", "too many entries, or two of one name")
            left = min(ZIP_BYTES, ZIP_RATIO * archive.stat().st_size)
            for info in entries:
                if PurePosixPath(info.filename).suffix in SUFFIXES:
                    left -= _extract(zip_file, info, folder, left)
    except (
        zipfile.BadZipFile,
        EOFError,
        zlib.error,
        NotImplementedError,
        RuntimeError,
        struct.error,
        ValueError,
    ) as error:
        raise _bad_archive("beschädigt oder nicht unterstützt", "damaged or not supported") from error


def _checked(info: zipfile.ZipInfo) -> zipfile.ZipInfo:
    name = PurePosixPath(info.filename)
    is_link = stat.S_ISLNK(info.external_attr >> 16)
    if (
        not name.name
        or name.is_absolute()
        or ".." in name.parts
        or "\\" in info.filename
        or ":" in info.filename
        or is_link
    ):
        raise _bad_archive("ein Eintrag zeigt aus dem Archiv hinaus", "an entry points out of the archive")
    if info.flag_bits & 0x1:
        raise _bad_archive("verschlüsselte Einträge", "encrypted entries")
    return info


def _extract(zip_file: zipfile.ZipFile, info: zipfile.ZipInfo, folder: Path, left: int) -> int:
    """Bytes written. Stops at `left`, whatever the entry's header promises."""
    target = folder / info.filename
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with zip_file.open(info) as packed, target.open("wb") as file:
        while chunk := packed.read(1 << 20):
            written += len(chunk)
            if written > left:
                raise _bad_archive("der entpackte Inhalt ist zu groß", "the unpacked content is too large")
            file.write(chunk)
    return written


def _bad_archive(de: str, en: str) -> ImportRefused:
    return refused(
        "schemas.archive",
        "",
        Text(f"Das Archiv wird nicht angenommen: {de}.", f"The archive is not accepted: {en}."),
    )

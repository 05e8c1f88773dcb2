"""XSD files on disk: what each says about itself, and which others it needs."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote

from lxml import etree

from xoev_schemas.findings import Finding, Text
from xoev_schemas.sources import Source, import_finding
from xoev_schemas.xsd import XS, parse_schema


@dataclass(frozen=True)
class XsdFile:
    """One file. urn, short_name, version, title: the standard's own metadata (XÖV NDR-32), empty where there is none.

    namespace: empty for a schema without one. elements: names of the global elements.
    references: (namespace or None for include and redefine, schemaLocation or empty) of everything it draws in.
    licences: what it says about its licence.
    root_documentation: global element → text of its documentation.
    """

    path: Path
    data: bytes = field(repr=False)
    namespace: str
    urn: str
    short_name: str
    version: str
    title: str
    elements: list[str]
    references: list[tuple[str | None, str]]
    root_documentation: dict[str, str] = field(repr=False)
    licences: frozenset[str] = frozenset()

    @property
    def imported_namespaces(self) -> set[str]:
        return {namespace for namespace, _location in self.references if namespace is not None}


class Neighbours(Protocol):
    """Schemas that are installed already, to which an import may lead by its namespace."""

    def with_namespace(self, namespace: str) -> Path | None:
        """A file of that target namespace."""

    def target(self, file: Path, location: str) -> Path | None:
        """Where a location in an installed file leads."""

    def name(self, file: Path) -> str | None:
        """Under what name an installed file goes into another standard; None for a file that is not installed."""


class XsdFiles:
    """Reads and remembers the files of a source."""

    def __init__(self, source: Source, neighbours: Neighbours) -> None:
        self._source = source
        self._neighbours = neighbours
        self._files: dict[Path, XsdFile | None] = {}
        self._drawn_in: set[Path] = set()

    def read(self, path: Path, problems: list[Finding]) -> XsdFile | None:
        """None, with a finding, where the file is no schema."""
        path = path.resolve()
        if path not in self._files:
            try:
                self._files[path] = _described(path)
            except (etree.XMLSyntaxError, OSError) as error:
                self._files[path] = None
                line = f":{error.lineno}" if isinstance(error, etree.XMLSyntaxError) else ""
                problems.append(
                    import_finding(
                        "schemas.not_well_formed",
                        f"{self._source.name(path)}{line}",
                        Text("Die Datei ist kein wohlgeformtes Schema.", "The file is not a well-formed schema."),
                    )
                )
        return self._files[path]

    def in_folder(self, folder: Path) -> list[XsdFile]:
        """The files read so far that lie in a folder."""
        return [file for path, file in sorted(self._files.items()) if file is not None and path.parent == folder]

    def unused(self) -> dict[Path, int]:
        """Folder → how many of its schema files no closure has needed, where that are most of them."""
        all_of = Counter(path.parent for path, file in self._files.items() if file)
        needed = Counter(path.parent for path in self._drawn_in)
        return {folder: count - needed[folder] for folder, count in all_of.items() if needed[folder] * 2 < count}

    def closure(self, starts: Iterable[XsdFile], problems: list[Finding]) -> Closure:
        """The files and all they draw in. A reference that leads nowhere becomes a finding."""
        found: dict[Path, XsdFile] = {}
        urls: dict[str, Path] = {}
        pending = list(starts)
        while pending:
            file = pending.pop()
            if file.path in found:
                continue
            found[file.path] = file
            self._drawn_in.add(file.path)
            for namespace, location in file.references:
                target = self._target(file, location)
                if target is None and namespace is not None:
                    target = self._by_namespace(file, namespace)
                if target is None:
                    problems.append(_leads_nowhere(self._source.name(file.path), location or str(namespace)))
                elif needed := self.read(target, problems):
                    pending.append(needed)
                    if location and not _is_beside(file.path, location, target):
                        urls[location] = target
        return self._named([found[path] for path in sorted(found)], urls)

    def _named(self, files: list[XsdFile], urls: Mapping[str, Path]) -> Closure:
        own = [file.path for file in files if self._neighbours.name(file.path) is None]
        base = Path(os.path.commonpath([path.parent for path in own]))
        names = {
            file.path: self._neighbours.name(file.path) or file.path.relative_to(base).as_posix() for file in files
        }
        return Closure(files, names, {url: names[path] for url, path in urls.items()}, base)

    def _target(self, file: XsdFile, location: str) -> Path | None:
        if not location:
            return None
        if self._neighbours.name(file.path) is not None:
            return self._neighbours.target(file.path, location)
        if location in self._source.catalog:
            target = self._source.catalog[location]
        elif "://" in location or location.startswith("urn:"):
            return None
        else:
            target = (file.path.parent / unquote(location)).resolve()
        return target if target.is_relative_to(self._source.top) and target.is_file() else None

    def _by_namespace(self, file: XsdFile, namespace: str) -> Path | None:
        """Beside the file, then what is installed. Not anywhere in the source: in a collection, that may be another
        version's.
        """
        beside = (path for path in sorted(file.path.parent.glob("*.xsd")) if path != file.path)
        for path in beside:
            candidate = self.read(path, [])
            if candidate is not None and candidate.namespace == namespace:
                return path
        return self._neighbours.with_namespace(namespace)


@dataclass(frozen=True)
class Closure:
    """Files that belong together, sorted by path, and what each is called in the standard that they make.

    catalog: location in a file → name, wherever the location alone does not lead there.
    base: folder that the names of the source's own files start from.
    """

    files: list[XsdFile]
    names: Mapping[Path, str]
    catalog: Mapping[str, str]
    base: Path


def _is_beside(file: Path, location: str, target: Path) -> bool:
    return "://" not in location and (file.parent / unquote(location)).resolve() == target.resolve()


def _leads_nowhere(file: str, location: str) -> Finding:
    return import_finding(
        "schemas.import_unresolved",
        file,
        Text(
            f"Das Schema bezieht {location} ein; diese Datei liegt nicht vor.",
            f"The schema draws in {location}, and that file is not here.",
        ),
        Text(
            "Legen Sie die Datei dazu oder einen XML-Katalog (catalog.xml), der die Adresse auf eine Datei abbildet, "
            "oder importieren Sie zuerst den Standard, zu dem der Namensraum gehört. Aus dem Netz wird nichts geladen.",
            "Add the file, or an XML catalog (catalog.xml) that maps the address to a file, or import first the "
            "standard that the namespace belongs to. Nothing is loaded from the network.",
        ),
    )


def _described(path: Path) -> XsdFile:
    data = path.read_bytes()
    root = parse_schema(data)
    elements = root.findall(f"{XS}element")
    references: list[tuple[str | None, etree._Element]]
    references = [(None, node) for tag in ("include", "redefine") for node in root.iterchildren(f"{XS}{tag}")]
    references += [(str(node.get("namespace", "")), node) for node in root.iterchildren(f"{XS}import")]
    licences = (node.text or "" for node in root.iterfind(f"{XS}annotation/{XS}appinfo//lizenz"))
    return XsdFile(
        path=path,
        data=data,
        namespace=str(root.get("targetNamespace", "")),
        urn=_metadata(root, "standard/kennung"),
        short_name=_metadata(root, "standard/nameTechnisch"),
        version=_metadata(root, "versionStandard/version"),
        title=_metadata(root, "standard/nameLang"),
        elements=[str(element.get("name")) for element in elements],
        references=[(ns, str(node.get("schemaLocation", ""))) for ns, node in references],
        licences=frozenset(text.strip() for text in licences if text.strip()),
        root_documentation={
            str(element.get("name")): element.findtext(f"{XS}annotation/{XS}documentation", "").strip()
            for element in elements
        },
    )


def _metadata(root: etree._Element, path: str) -> str:
    """A text from the schema's own `appinfo`; the elements there have no namespace."""
    return (root.findtext(f"{XS}annotation/{XS}appinfo/{path}") or "").strip()

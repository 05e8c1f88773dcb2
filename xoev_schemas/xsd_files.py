"""XSD files on disk: what each says about itself, and which others it needs."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import unquote

from lxml import etree

from xoev_schemas.findings import Finding, Text
from xoev_schemas.sources import Source, import_finding
from xoev_schemas.xsd import XS, parse_schema


@dataclass(frozen=True)
class XsdFile:
    """One file. urn, short_name, version, title: the standard's own metadata (XÖV NDR-32), empty where there is none.

    namespace: empty for a schema without one. elements: names of the global elements.
    references: (namespace or None for include and redefine, schemaLocation) of everything it draws in.
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

    @property
    def imported_namespaces(self) -> set[str]:
        return {namespace for namespace, _location in self.references if namespace is not None}


class XsdFiles:
    """Reads and remembers the files of a source."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._files: dict[Path, XsdFile | None] = {}

    def read(self, path: Path, problems: list[Finding]) -> XsdFile | None:
        """None, with a finding, where the file is no schema."""
        path = path.resolve()
        if path not in self._files:
            try:
                self._files[path] = _described(path)
            except (etree.XMLSyntaxError, OSError):
                self._files[path] = None
                problems.append(
                    import_finding(
                        "schemas.not_well_formed",
                        self._source.name(path),
                        Text("Die Datei ist kein wohlgeformtes Schema.", "The file is not a well-formed schema."),
                    )
                )
        return self._files[path]

    def in_folder(self, folder: Path) -> list[XsdFile]:
        """The files read so far that lie in a folder."""
        return [file for path, file in sorted(self._files.items()) if file is not None and path.parent == folder]

    def closure(self, starts: Iterable[XsdFile], problems: list[Finding]) -> list[XsdFile]:
        """The files and all they draw in, sorted by path. An address that leads nowhere becomes a finding."""
        found: dict[Path, XsdFile] = {}
        pending = list(starts)
        while pending:
            file = pending.pop()
            if file.path in found:
                continue
            found[file.path] = file
            for _namespace, location in file.references:
                target = self._target(file, location)
                if target is None:
                    problems.append(_leads_nowhere(self._source.name(file.path), location))
                elif needed := self.read(target, problems):
                    pending.append(needed)
        return [found[path] for path in sorted(found)]

    def used_urls(self, files: Iterable[XsdFile]) -> dict[str, Path]:
        """The part of the catalog that these files need."""
        locations = {location for file in files for _namespace, location in file.references}
        return {url: path for url, path in self._source.catalog.items() if url in locations}

    def _target(self, file: XsdFile, location: str) -> Path | None:
        if location in self._source.catalog:
            target = self._source.catalog[location]
        elif "://" in location or location.startswith("urn:"):
            return None
        else:
            target = (file.path.parent / unquote(location)).resolve()
        return target if target.is_relative_to(self._source.top) and target.is_file() else None


def _leads_nowhere(file: str, location: str) -> Finding:
    return import_finding(
        "schemas.import_unresolved",
        file,
        Text(
            f"Das Schema bezieht {location} ein; diese Datei liegt nicht vor.",
            f"The schema draws in {location}, and that file is not here.",
        ),
        Text(
            "Legen Sie die Datei dazu oder einen XML-Katalog (catalog.xml), der die Adresse auf eine Datei abbildet. "
            "Aus dem Netz wird nichts geladen.",
            "Add the file, or an XML catalog (catalog.xml) that maps the address to a file. "
            "Nothing is loaded from the network.",
        ),
    )


def _described(path: Path) -> XsdFile:
    data = path.read_bytes()
    root = parse_schema(data)
    elements = root.findall(f"{XS}element")
    references: list[tuple[str | None, etree._Element]]
    references = [(None, node) for tag in ("include", "redefine") for node in root.iterchildren(f"{XS}{tag}")]
    references += [(str(node.get("namespace", "")), node) for node in root.iterchildren(f"{XS}import")]
    return XsdFile(
        path=path,
        data=data,
        namespace=str(root.get("targetNamespace", "")),
        urn=_metadata(root, "standard/kennung"),
        short_name=_metadata(root, "standard/nameTechnisch"),
        version=_metadata(root, "versionStandard/version"),
        title=_metadata(root, "standard/nameLang"),
        elements=[str(element.get("name")) for element in elements],
        references=[(ns, str(node.get("schemaLocation"))) for ns, node in references if node.get("schemaLocation")],
        root_documentation={
            str(element.get("name")): element.findtext(f"{XS}annotation/{XS}documentation", "").strip()
            for element in elements
        },
    )


def _metadata(root: etree._Element, path: str) -> str:
    """A text from the schema's own `appinfo`; the elements there have no namespace."""
    return (root.findtext(f"{XS}annotation/{XS}appinfo/{path}") or "").strip()

"""From files to standards: which standard a schema belongs to, which files it needs, and whether it compiles.

XÖV (NDR-30 to 32): a folder of XSD files that say in their `appinfo` what they belong to. There need not be a root
schema, so one is made for each namespace (`driver-N.xsd`) and one that imports those, needed namespaces first: libxml2
loads only the first file that is imported for a namespace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from xml.sax.saxutils import quoteattr

from xoev_schemas.candidates import Candidate, Found, compiles, digests, safe_name
from xoev_schemas.findings import Finding, Text
from xoev_schemas.importing_fim import fim_json, fim_root, fim_xsd, xdf_standard
from xoev_schemas.importing_lists import code_list, one_per_list
from xoev_schemas.importing_schematron import Prove, with_schematron
from xoev_schemas.sources import Source, import_finding, root_of
from xoev_schemas.standards import ImportRefused, Schema, Standard
from xoev_schemas.xsd_files import Closure, Neighbours, XsdFile, XsdFiles

_DRIVER = "driver.xsd"
_NUMBERED = re.compile(r"\.\d{4,}$")  # NDR-16: a message's name ends with its number
_FORMS = ("xsd", "xsd_dev", "xsd-dev", "schema", "schemas")  # endings of folder names that say nothing of a variant


def discover(
    source: Source, neighbours: Neighbours, installed: Iterable[Standard], variant: str | None, prove: Prove
) -> Found:
    """Every standard and code list in a source.

    prove: see `importing_schematron`. variant: name for the set of schemas found; None = what the folder's name says.
    Raises ImportRefused with all that is wrong, or if there is nothing.
    """
    problems: list[Finding] = []
    notes: list[Finding] = []
    found = _xsd_standards(source, neighbours, variant, problems, notes)
    found += [one for path in source.ending(".json") if (one := fim_json(path, source, problems))]
    roots = {path: root_of(path) for path in source.ending(".xml")}
    made = (xdf_standard(path, root, source, problems) for path, root in roots.items() if root)
    found += [candidate for candidate in made if candidate]
    found = with_schematron(found, installed, source, prove, problems, notes)
    read = (code_list(path, root, source, problems) for path, root in roots.items() if root)
    lists = [one for one in read if one]
    chosen = Found(_one_per_standard(found, problems), one_per_list(lists, problems), notes)
    if not found and not lists and not problems:
        problems.append(_nothing_found(source))
    if problems:
        raise ImportRefused(problems)
    return chosen


def _xsd_standards(
    source: Source, neighbours: Neighbours, variant: str | None, problems: list[Finding], notes: list[Finding]
) -> list[Candidate]:
    files = XsdFiles(source, neighbours)
    xsds = [file for path in source.ending(".xsd") if (file := files.read(path, problems))]
    found = [candidate for file in xsds if (candidate := fim_xsd(file, problems))]
    fim_paths = {file.path for file in xsds if fim_root(file)}
    for group in _groups([file for file in xsds if file.path not in fim_paths], single=len(source.paths) == 1):
        if candidate := _xsd_standard(group, files, source, variant, problems):
            found.append(candidate)
    fim_folders = {path.parent for path in fim_paths}
    for folder, count in sorted(files.unused().items()):
        if folder not in fim_folders and found:
            notes.append(_not_used(source.name(folder), count))
    return found


def _not_used(folder: str, count: int) -> Finding:
    note = import_finding(
        "schemas.not_used",
        folder,
        Text(
            f"{count} Schemadateien gehören zu keinem Standard und werden von keinem gebraucht.",
            f"{count} schema files belong to no standard, and none needs them.",
        ),
        Text(
            "Ein XÖV-Standard nennt sich in seinen Schemadateien selbst (appinfo). Eine einzelne Datei ohne solche "
            "Angaben lässt sich für sich importieren.",
            "An XÖV standard names itself in its schema files (appinfo). A single file without that can be imported "
            "by itself.",
        ),
    )
    return replace(note, severity="warning")


def _nothing_found(source: Source) -> Finding:
    return import_finding(
        "schemas.nothing_found",
        "",
        Text(
            "Hier ist kein Schema, das sich einem XÖV-Standard oder einer FIM-Kennung zuordnen lässt, und keine "
            "Codeliste.",
            "There is no schema here that belongs to an XÖV standard or carries a FIM id, and no code list.",
        ),
        Text(
            f"{len(source.paths)} Dateien wurden angesehen. Geben Sie den Ordner mit den XSD-Dateien des Standards an.",
            f"{len(source.paths)} files were looked at. Name the folder that holds the XSD files of the standard.",
        ),
    )


def _one_per_standard(candidates: Iterable[Candidate], problems: list[Finding]) -> list[Candidate]:
    """Two sets of schemas for the same messages must have names of their own: nobody could tell which one decides."""
    chosen: dict[tuple[str, str], Candidate] = {}
    for candidate in candidates:
        entry = candidate.standard.schemas[0].entry if candidate.standard.schemas else ""
        first = chosen.setdefault((candidate.standard.ref, entry), candidate)
        if digests(first.contents) != digests(candidate.contents):
            problems.append(_twice(candidate.standard.ref, first.origin, candidate.origin))
    return list(chosen.values())


def _twice(ref: str, one: str, other: str) -> Finding:
    return import_finding(
        "schemas.twice",
        other,
        Text(
            f"{ref} gibt es hier zweimal mit verschiedenem Inhalt: in „{one}“ und in „{other}“.",
            f"{ref} is here twice with different content: in '{one}' and in '{other}'.",
        ),
        Text(
            "Importieren Sie die Ordner einzeln und geben Sie einem davon einen Namen: --variant NAME",
            "Import the folders one by one and give one of them a name: --variant NAME",
        ),
    )


# --- XÖV and other XSD ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Group:
    """The files of one folder that belong to one standard in one version (empty names: no metadata)."""

    files: list[XsdFile]

    @property
    def head(self) -> XsdFile:
        return self.files[0]

    @property
    def namespaces(self) -> set[str]:
        return {file.namespace for file in self.files}


def _groups(files: Iterable[XsdFile], *, single: bool) -> list[_Group]:
    """The standards that files belong to. Files without metadata are components, unless one of them was named alone.

    A module that another standard in the same folder imports (XBau's Kernmodul) is a part of that one there.
    """
    by_key: dict[tuple[Path, str, str], list[XsdFile]] = {}
    for file in files:
        if file.urn or single:
            by_key.setdefault((file.path.parent, file.urn or file.namespace, file.version), []).append(file)
    groups = [_Group(members) for members in by_key.values()]
    return [group for group in groups if not any(_imports(other, group) for other in groups if other is not group)]


def _imports(one: _Group, other: _Group) -> bool:
    together = one.head.path.parent == other.head.path.parent
    return together and any(file.imported_namespaces & other.namespaces for file in one.files)


def _xsd_standard(
    group: _Group, files: XsdFiles, source: Source, variant: str | None, problems: list[Finding]
) -> Candidate | None:
    """None: a group of mere components, or a problem was noted."""
    before = len(problems)
    beside = files.in_folder(group.head.path.parent)
    starts = [file for file in beside if file.namespace in group.namespaces]
    closure = files.closure(starts, problems)
    own = _messages(group, closure.files)
    if len(problems) > before or not own:
        return None
    candidate = _assembled(group, closure, own, source, variant)
    return candidate if compiles(candidate, problems) else None


def _messages(group: _Group, closure: list[XsdFile]) -> list[tuple[str, str]]:
    """Global elements of the standard itself, and numbered messages of the modules that it draws in."""
    return sorted(
        {
            (file.namespace, name)
            for file in closure
            for name in file.elements
            if file.namespace in group.namespaces or (file.urn and _NUMBERED.search(name))
        }
    )


def _assembled(
    group: _Group, closure: Closure, messages: list[tuple[str, str]], source: Source, variant: str | None
) -> Candidate:
    contents = {closure.names[file.path]: file.data for file in closure.files}
    contents |= _drivers(closure)
    head = next((file for file in group.files if file.title), group.head)
    folder = source.folder_name(group.head.path.parent)
    variant = _variant(head, folder) if variant is None else variant
    ref = f"xoev:{head.short_name}/{head.version}" if head.urn else f"xsd:{head.namespace}"
    ref = f"{ref}-{variant}" if variant else ref
    uris = sorted(group.namespaces) + ([f"{head.urn}_{head.version}"] if head.urn else [])
    standard = Standard(
        ref=ref,
        title=head.title or head.namespace,
        version=head.version,
        publisher=head.urn.split(":")[2] if head.urn.count(":") > 2 else None,
        schema_uris=uris,
        messages=sorted({name for _namespace, name in messages}),
        files=digests(contents),
        folder=safe_name(ref),
        schemas=[Schema("xsd", _DRIVER, tuple(messages))],
        catalog=closure.catalog,
        variant=variant,
        licences=sorted({licence for file in closure.files for licence in file.licences}),
    )
    return Candidate(standard, contents, source.name(group.head.path.parent))


def _variant(head: XsdFile, folder: str) -> str:
    """`xbau-2.6-schatten` → `schatten`: what a folder's name adds to the standard's own."""
    name, own = folder.lower(), f"{head.short_name}-{head.version}-".lower()
    added = safe_name(name.removeprefix(own)) if head.urn and name.startswith(own) else ""
    return "" if added in _FORMS else added


def _drivers(closure: Closure) -> dict[str, bytes]:
    """One schema per namespace that includes its files, and one that imports those, needed namespaces first."""
    drivers: dict[str, bytes] = {}
    imports = []
    for number, namespace in enumerate(_needed_first(closure.files), start=1):
        # A collection may hold a component twice, here and where a catalog points: by one name, one of them is enough.
        members = {file.path.name: file for file in reversed(closure.files) if file.namespace == namespace}
        locations = sorted(closure.names[file.path] for file in members.values())
        includes = "".join(f"<xs:include schemaLocation={quoteattr(location)}/>" for location in locations)
        target = f"targetNamespace={quoteattr(namespace)}" if namespace else ""
        drivers[f"driver-{number}.xsd"] = _schema(includes, target)
        attribute = f"namespace={quoteattr(namespace)} " if namespace else ""
        imports.append(f'<xs:import {attribute}schemaLocation="driver-{number}.xsd"/>')
    drivers[_DRIVER] = _schema("".join(imports), 'targetNamespace="urn:driver"')
    return drivers


def _schema(content: str, attributes: str) -> bytes:
    return f'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" {attributes}>{content}</xs:schema>\n'.encode()


def _needed_first(closure: list[XsdFile]) -> list[str]:
    """Namespaces in an order in which each comes after those it imports, as far as there is no circle."""
    needs: dict[str, set[str]] = {}
    for file in closure:
        needs.setdefault(file.namespace, set()).update(file.imported_namespaces)
    order: list[str] = []
    visited: set[str] = set()

    def visit(namespace: str) -> None:
        if namespace in visited or namespace not in needs:
            return
        visited.add(namespace)
        for needed in sorted(needs[namespace]):
            visit(needed)
        order.append(namespace)

    for namespace in sorted(needs):
        visit(namespace)
    return order

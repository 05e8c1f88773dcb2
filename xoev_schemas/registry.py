"""The installed standards and code lists of one installation: import, look up, recognise, validate.

    GATEWAY_HOME/schemas/
      schemas.lock              what is installed, with the digest of every file
      xoev-xbau-2.6/…           the files as published, and driver schemas made at import
      fim-S00000000364V1.0.0/…
      codelists/…               code lists, one file per list and version

Nothing here touches the network. A file is read once per process and only used if its digest is the locked one.
"""

from __future__ import annotations

import fcntl
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any

from lxml import etree

from xoev_schemas.candidates import Candidate, Found, FoundList
from xoev_schemas.codelists import CodeList, CodeLists, read_code_list
from xoev_schemas.documents import Document, JsonDocument, XmlDocument
from xoev_schemas.fim import DataSchema
from xoev_schemas.findings import Finding, Text, has_errors
from xoev_schemas.importing import discover
from xoev_schemas.importing_lists import other_codes
from xoev_schemas.importing_schematron import Prove
from xoev_schemas.lock import Installed, RegistryDamaged, read_lock, write_lock
from xoev_schemas.merging import merged, published
from xoev_schemas.model import SchemaModel
from xoev_schemas.neighbours import InstalledNeighbours
from xoev_schemas.opened import OpenedStandard, Stylesheets
from xoev_schemas.places import Names
from xoev_schemas.sources import SUFFIXES, opened
from xoev_schemas.standards import ImportRefused, InstalledList, Judgement, SchemaRef, Standard, fim_id
from xoev_schemas.words import schema_finding
from xoev_schemas.xsd import compiled_for_this_thread
from xoev_schemas.xsd_findings import findings_of

__all__ = ["ImportRefused", "Imported", "Judgement", "Registry", "RegistryDamaged", "SchemaRef", "Standard"]


@dataclass(frozen=True)
class Imported:
    """What a source holds, all of it installed now.

    new: refs and URN_VERSIONs of what was not installed before. notes: warnings, about what will not be used.
    """

    standards: list[Standard]
    lists: list[InstalledList]
    new: frozenset[str]
    notes: list[Finding]


class Registry:
    """Thread-safe for looking up and validating; an import shows to lookups when it is complete."""

    def __init__(self, folder: Path) -> None:
        """folder: holds `schemas.lock`; a missing or empty one is an empty registry. Raises RegistryDamaged."""
        self._folder = folder
        self._loaded = threading.Lock()
        self._use(read_lock(folder))

    def _use(self, installed: Installed) -> None:
        self._installed = installed
        self._by_root = _by_root(installed.standards.values())
        self._open: dict[str, OpenedStandard] = {}
        self._lists = CodeLists({key: partial(self._list_bytes, one) for key, one in installed.lists.items()})

    @property
    def _standards(self) -> Mapping[str, Standard]:
        return self._installed.standards

    @property
    def folder(self) -> Path:
        return self._folder

    def standard(self, ref: str) -> Standard:
        """Raises KeyError."""
        return self._standards[ref]

    def standards(self) -> list[Standard]:
        return [self._standards[ref] for ref in sorted(self._standards)]

    def lists(self) -> list[InstalledList]:
        return [self._installed.lists[key] for key in sorted(self._installed.lists)]

    # --- import ----------------------------------------------------------------------------------------------------

    def import_path(
        self,
        path: Path,
        *,
        variant: str | None = None,
        prove: Prove = lambda _stylesheets: None,
        dry_run: bool = False,
    ) -> Imported:
        """Install every standard and code list in a folder, a ZIP archive, or a single file.

        All compile, or nothing is installed. What is installed already stays as it is and is in the answer too.
        variant: name for the set of schemas, so that it can stand beside the normative one. prove: compiles Schematron
        rules to the last expression (`Workers.prove`). dry_run: only say what would come. Raises ImportRefused: not
        readable, does not compile, or another content of the same version is installed.
        """
        with opened(path) as source:
            neighbours = InstalledNeighbours(self._folder, self.standards())
            found = discover(source, neighbours, self.standards(), variant, prove)
        if dry_run:
            return self._imported(found, self._with(found))
        if self._missing(found):
            with _locked(self._folder):
                before = self._installed
                self._use(read_lock(self._folder))
                installed = self._with(found)
                self._write(found)
                write_lock(self._folder, installed)
                imported = self._imported(found, installed, before)
                self._use(installed)
            return imported
        return self._imported(found, self._installed)

    def holds(self, folder: Path) -> bool:
        """Whether every file of a folder is installed, byte for byte: importing it would change nothing."""
        installed = {digest for s in self._standards.values() for digest in s.files.values()}
        installed |= {one.sha256 for one in self._installed.lists.values()}
        files = (path for path in folder.rglob("*") if path.is_file() and path.suffix in SUFFIXES)
        return all(sha256(path.read_bytes()).hexdigest() in installed for path in files)

    def _imported(self, found: Found, installed: Installed, before: Installed | None = None) -> Imported:
        before = before or self._installed
        refs = sorted({candidate.standard.ref for candidate in found.candidates})
        keys = sorted({(one.entry.uri, one.entry.version) for one in found.lists})
        new = {ref for ref in refs if before.standards.get(ref) != installed.standards[ref]}
        new |= {"_".join(key) for key in keys if key not in before.lists}
        standards = [installed.standards[ref] for ref in refs]
        return Imported(standards, [installed.lists[key] for key in keys], frozenset(new), found.notes)

    def _missing(self, found: Found) -> bool:
        return not all(map(self._has, found.candidates)) or not all(map(self._has_list, found.lists))

    def _has(self, candidate: Candidate) -> bool:
        """Whether the same content is installed, wherever the files lay in the source."""
        known = self._standards.get(candidate.standard.ref)
        if known is None or not published(candidate.standard) <= published(known):
            return False
        return all((self._folder / known.folder / file).is_file() for file in known.files)

    def _has_list(self, found: FoundList) -> bool:
        known = self._installed.lists.get((found.entry.uri, found.entry.version))
        return known is not None and known.sha256 == found.entry.sha256 and (self._folder / known.file).is_file()

    def _with(self, found: Found) -> Installed:
        """What will be installed. Raises ImportRefused for other content of what is installed."""
        # A folder that was deleted by hand is away; importing brings it back.
        standards = {ref: known for ref, known in self._standards.items() if (self._folder / known.folder).is_dir()}
        for candidate in found.candidates:
            if not self._has(candidate):
                known = standards.get(candidate.standard.ref)
                standards[candidate.standard.ref] = merged(known, candidate.standard) if known else candidate.standard
        lists = dict(self._installed.lists)
        for one in found.lists:
            key = (one.entry.uri, one.entry.version)
            if key in lists and (self._folder / lists[key].file).is_file():
                if one.codes != frozenset(self._read_list(lists[key]).labels):
                    raise ImportRefused([other_codes(one.entry)])
            else:
                lists[key] = one.entry
        return Installed(standards, lists)

    def _write(self, found: Found) -> None:
        for candidate in found.candidates:
            if not self._has(candidate):
                _write(self._folder / candidate.standard.folder, candidate.contents)
        for one in found.lists:
            if (one.entry.uri, one.entry.version) not in self._installed.lists or not self._has_list(one):
                _write(self._folder, {one.entry.file: one.data})

    def remove(self, name: str) -> Standard | InstalledList | None:
        """Take a standard (by ref) or a code list (by `URI_version`) away, with its files. None = not installed."""
        with _locked(self._folder):
            installed = read_lock(self._folder)
            standard = installed.standards.get(name)
            one = next((one for one in installed.lists.values() if f"{one.uri}_{one.version}" == name), None)
            if standard is not None:
                installed = replace(installed, standards={r: s for r, s in installed.standards.items() if r != name})
            elif one is not None:
                installed = replace(installed, lists={k: v for k, v in installed.lists.items() if v != one})
            else:
                return None
            write_lock(self._folder, installed)
            self._use(installed)
            if standard is not None:
                shutil.rmtree(self._folder / standard.folder, ignore_errors=True)
            elif one is not None:
                (self._folder / one.file).unlink(missing_ok=True)
        return standard or one

    # --- look up ---------------------------------------------------------------------------------------------------

    def find(self, ref_or_uri: str) -> SchemaRef | None:
        """The installed message or standard that a name means; None = not installed, or not one thing only.

        Names: `fim:S…V…` and any URI, URN or file name with a FIM id in it; `xoev:xbau/2.6`, its namespace or version
        URN, each with `#message` if need be. Schema URIs are opaque keys: nothing is ever loaded from them.
        """
        identifier = fim_id(ref_or_uri)
        if identifier is not None:
            standard = self._standards.get(f"fim:{identifier}")
            return _ref(standard, identifier, ref_or_uri) if standard else None
        name, _, message = ref_or_uri.partition("#")
        named = [
            s
            for s in self._standards.values()
            if name == s.ref or (name in s.schema_uris and not s.is_fim and not s.variant)
        ]
        if len(named) != 1 or (message and message not in named[0].messages):
            return None
        return _ref(named[0], message, ref_or_uri)

    def recognise(self, document: Document) -> SchemaRef | None:
        """What a document says it is; None where nothing installed fits, or more than one does.

        XML: by namespace and root element; between versions that share both, by the root's attribute `version`.
        JSON: by `$schema`, else by its members' FIM ids, most of which must fit one installed schema better than any
        other.
        """
        if isinstance(document, XmlDocument):
            return self._recognised_xml(document.root)
        if isinstance(document.value, dict):
            return self._recognised_json(document.value)
        return None

    def _recognised_xml(self, root: etree._Element) -> SchemaRef | None:
        name = _qualified(root)
        fitting = self._by_root.get(name, [])
        # A message of a module is known to every standard that draws the module in: its own comes first.
        own = [s for s in fitting if name[0] in s.schema_uris or s.is_fim] or fitting
        own = [s for s in own if not s.variant] or own
        if len(own) > 1:
            own = [s for s in own if s.version == root.get("version")]
        return _ref(own[0], name[1], f"{{{name[0]}}}{name[1]}") if len(own) == 1 else None

    def _recognised_json(self, value: dict[str, Any]) -> SchemaRef | None:
        if isinstance(value.get("$schema"), str):
            return self.find(value["$schema"])
        fits = {
            standard.ref: max(_fit(self._opened(standard).json(one).schema, value) for one in schemas)
            for standard in self._standards.values()
            if (schemas := [schema for schema in standard.schemas if schema.kind == "json"])
        }
        best = max(fits.values(), default=0.0)
        chosen = [ref for ref, fit in fits.items() if fit == best]
        if best < _FITS or len(chosen) != 1:
            return None
        return _ref(self._standards[chosen[0]], self._standards[chosen[0]].messages[0], chosen[0])

    # --- validate --------------------------------------------------------------------------------------------------

    def validate(self, document: Document, ref: SchemaRef) -> Judgement:
        """Judge a document by a message's schema. All errors, in document order. Raises RegistryDamaged.

        Any other exception means that the libraries failed, never that the document is wrong.
        """
        standard = self._standards.get(ref.standard)
        if standard is None:
            return Judgement(None, ref.standard, ref.message, [_not_installed(ref.standard)])
        if isinstance(document, XmlDocument):
            return self._validate_xml(document.root, ref, standard)
        return self._validate_json(document, ref, standard)

    def _validate_xml(self, root: etree._Element, ref: SchemaRef, standard: Standard) -> Judgement:
        test = root.get("test") is not None
        opened_standard = self._opened(standard)
        if not opened_standard.roots:
            return Judgement(None, standard.ref, ref.message, [_not_installed(standard.ref)], test)
        source, name = opened_standard.roots.get(str(root.tag), (None, ""))
        if source is None or ref.message not in ("", name):
            return Judgement(False, standard.ref, ref.message, [_wrong_message(standard, ref)], test)
        compiled = compiled_for_this_thread(source)
        if compiled.validate(root):
            return Judgement(True, standard.ref, name, [], test)
        findings = findings_of(compiled, root, opened_standard.index, standard.ref)
        return Judgement(not has_errors(findings), standard.ref, name, findings, test)

    def _validate_json(self, document: JsonDocument, ref: SchemaRef, standard: Standard) -> Judgement:
        schemas = [schema for schema in standard.schemas if schema.kind == "json"]
        if not schemas:
            return Judgement(None, standard.ref, ref.message, [_not_installed(standard.ref)])
        compiled = [self._opened(standard).json(schema) for schema in schemas]
        fitting = max(compiled, key=lambda one: len(_members(one.schema) & set(_keys(document.value))))
        findings = fitting.findings(document.value)
        return Judgement(not has_errors(findings), standard.ref, ref.message or standard.messages[0], findings)

    # --- what belongs to a standard --------------------------------------------------------------------------------

    def code_lists(self) -> CodeLists:
        """All installed code lists, each read when it is first asked for. Raises RegistryDamaged then."""
        return self._lists

    def code_list_by(self, one: InstalledList, column: str) -> CodeList:
        """An installed list whose labels are the values of `column`; read anew, for those who keep it. Raises
        NotACodeList, RegistryDamaged.
        """
        return read_code_list(self._list_bytes(one), column)

    def schematron(self, ref: str) -> Stylesheets | None:
        """The standard's Schematron rules, compiled once; None where it has none."""
        return self._opened(self._standards[ref]).stylesheets

    def enumerated_lists(self, ref: str) -> Mapping[tuple[str, str], CodeList]:
        """The code lists whose codes stand in the standard's own schemas (code type 1), by URI and version."""
        return self._opened(self._standards[ref]).enumerated

    def names(self, ref: str) -> Names:
        """Which names in a document that broke its schema may be shown; one object per document."""
        return Names(self._opened(self._standards[ref]).names)

    def fim(self, ref: str) -> DataSchema | None:
        """What is known of a FIM schema from its XDatenfelder file; None where only its XSD or JSON Schema is here."""
        return self._opened(self._standards[ref]).fim

    def json_schema(self, ref: SchemaRef) -> Any:
        """The JSON Schema of a message, the first if there are several; None where it has none."""
        standard = self._standards[ref.standard]
        found = next((schema for schema in standard.schemas if schema.kind == "json"), None)
        return self._opened(standard).json(found).schema if found else None

    def files(self, ref: str) -> Mapping[str, bytes]:
        """A standard's files as they were imported. Raises KeyError, RegistryDamaged."""
        return self._opened(self._standards[ref]).contents

    def _list_bytes(self, one: InstalledList) -> bytes:
        data = (self._folder / one.file).read_bytes()
        if sha256(data).hexdigest() != one.sha256:
            raise RegistryDamaged(f"{one.file} is not the file that was imported; remove the list and import it again")
        return data

    def _read_list(self, one: InstalledList) -> CodeList:
        return read_code_list(self._list_bytes(one))

    # --- model -----------------------------------------------------------------------------------------------------

    def model(self, ref: SchemaRef) -> SchemaModel:
        """The structure of a message, for static checks of mappings. Slow for big standards (XBau: 2 s), then kept.

        Raises KeyError if the standard is not installed, ValueError if `ref` names no message.
        """
        standard = self._standards[ref.standard]
        if not ref.message:
            raise ValueError(f"{ref.standard} has several messages: name one as {ref.standard}#message")
        return self._opened(standard).model(ref.message)

    def _opened(self, standard: Standard) -> OpenedStandard:
        if (known := self._open.get(standard.ref)) is not None:
            return known
        with self._loaded:
            if standard.ref not in self._open:
                self._open[standard.ref] = OpenedStandard(standard, self._folder / standard.folder)
            return self._open[standard.ref]


# --- helpers -------------------------------------------------------------------------------------------------------


def _ref(standard: Standard, message: str, source: str) -> SchemaRef:
    only = standard.messages[0] if len(standard.messages) == 1 else ""
    return SchemaRef(standard.ref, message or only, standard.media_types, source)


def _by_root(standards: Iterable[Standard]) -> dict[tuple[str, str], list[Standard]]:
    """(namespace, local name) of a root element → the standards that know a message of that name."""
    found: dict[tuple[str, str], list[Standard]] = {}
    for standard in standards:
        for name in {name for schema in standard.schemas for name in schema.messages}:
            found.setdefault(name, []).append(standard)
    return found


def _qualified(root: etree._Element) -> tuple[str, str]:
    name = etree.QName(root)
    return name.namespace or "", name.localname


def _keys(value: Any) -> Iterable[str]:
    return value if isinstance(value, dict) else ()


def _members(schema: Any) -> set[str]:
    return set(schema.get("properties", ())) if isinstance(schema, dict) else set()


_FITS = 0.5


def _fit(schema: Any, value: Mapping[str, Any]) -> float:
    """How much of a document's and a schema's own members they share: 2 if it could be valid, else up to 1."""
    members, required = _members(schema), set(schema.get("required", ())) if isinstance(schema, dict) else set()
    if not value or not members:
        return 0.0
    if set(value) <= members and required <= set(value):
        return 2.0
    return len(set(value) & members) / len(set(value) | required)


def _not_installed(ref: str) -> Finding:
    return Finding(
        code="schema.not_installed",
        severity="warning",
        layer="schema",
        text=Text(
            f"Für {ref} ist in diesem Format kein Schema installiert; die Daten konnten nicht geprüft werden.",
            f"No schema is installed for {ref} in this format; the data could not be checked.",
        ),
        remedy=Text(
            "Installieren Sie das Schema mit: gateway schemas import PFAD",
            "Install the schema: gateway schemas import PATH",
        ),
        source=ref,
    )


def _wrong_message(standard: Standard, ref: SchemaRef) -> Finding:
    expected = ref.message or f"{standard.title} {standard.version}"
    return schema_finding("schema.wrong_message", name="/", path="/", allowed=expected, source=standard.ref)


def _write(folder: Path, contents: Mapping[str, bytes]) -> None:
    for path, data in contents.items():
        target = folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        fresh = target.with_name(f".{target.name}.new")
        fresh.write_bytes(data)
        shutil.move(fresh, target)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """One import at a time, over all processes of a machine: several start at once and bring their own schemas."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".import.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield

"""The installed standards of one installation: import, look up, recognise, validate.

    GATEWAY_HOME/schemas/
      schemas.lock              what is installed, with the digest of every file
      xoev-xbau-2.6/…           the files as published, and driver schemas made at import
      fim-S00000000364V1.0.0/…

Nothing here touches the network. A file is read once per process and only used if its digest is the locked one.
"""

from __future__ import annotations

import fcntl
import logging
import shutil
import threading
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from lxml import etree

from xoev_schemas.documents import Document, JsonDocument, XmlDocument
from xoev_schemas.expectations import SchemaIndex
from xoev_schemas.findings import Finding, Text, has_errors
from xoev_schemas.importing import Candidate, digests, discover, json_of, xsd_of
from xoev_schemas.json_schema import CompiledJsonSchema
from xoev_schemas.lock import RegistryDamaged, read_lock, write_lock
from xoev_schemas.model import SchemaModel, json_model, xsd_model
from xoev_schemas.sources import opened, refused
from xoev_schemas.standards import ImportRefused, Judgement, Schema, SchemaRef, Standard, fim_id
from xoev_schemas.words import schema_finding
from xoev_schemas.xsd import XsdSource, compiled_for_this_thread
from xoev_schemas.xsd_findings import findings_of

__all__ = ["ImportRefused", "Judgement", "Registry", "RegistryDamaged", "SchemaRef", "Standard"]

_log = logging.getLogger(__name__)


class Registry:
    """Thread-safe for looking up and validating; an import shows to lookups when it is complete."""

    def __init__(self, folder: Path) -> None:
        """folder: holds `schemas.lock`; a missing or empty one is an empty registry. Raises RegistryDamaged."""
        self._folder = folder
        self._standards = read_lock(folder)
        self._loaded = threading.Lock()
        self._open: dict[str, _Opened] = {}

    def standards(self) -> list[Standard]:
        return [self._standards[ref] for ref in sorted(self._standards)]

    # --- import ----------------------------------------------------------------------------------------------------

    def import_path(self, path: Path) -> list[Standard]:
        """Install every standard in a folder, a ZIP archive, or the standard of a single XSD or JSON Schema file.

        All compile, or nothing is installed. What is installed already stays as it is and is in the answer too. Raises
        ImportRefused: not readable, does not compile, or another content of the same version is installed.
        """
        with opened(path) as source:
            candidates = _chosen(discover(source))
        if any(not self._has(candidate) for candidate in candidates):
            with _locked(self._folder):
                self._standards = read_lock(self._folder)
                self._install([candidate for candidate in candidates if not self._has(candidate)])
        return [self._standards[ref] for ref in sorted({candidate.standard.ref for candidate in candidates})]

    def _has(self, candidate: Candidate) -> bool:
        known = self._standards.get(candidate.standard.ref)
        if known is None or not candidate.standard.files.items() <= known.files.items():
            return False
        return all((self._folder / known.folder / file).is_file() for file in known.files)

    def _install(self, candidates: Iterable[Candidate]) -> None:
        # A folder that was deleted by hand is the way to replace a standard.
        merged = {ref: known for ref, known in self._standards.items() if (self._folder / known.folder).is_dir()}
        pending = list(candidates)
        for candidate in pending:
            known = merged.get(candidate.standard.ref)
            merged[candidate.standard.ref] = _merged(known, candidate.standard) if known else candidate.standard
        for candidate in pending:
            _write(self._folder / candidate.standard.folder, candidate.contents)
        write_lock(self._folder, merged.values())
        self._standards, self._open = merged, {}

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
        named = [s for s in self._standards.values() if name == s.ref or (name in s.schema_uris and not s.is_fim)]
        if len(named) != 1 or (message and message not in named[0].messages):
            return None
        return _ref(named[0], message, ref_or_uri)

    def recognise(self, document: Document) -> SchemaRef | None:
        """What a document says it is; None where nothing installed fits, or more than one does.

        XML: by namespace and root element; between versions that share both, by the root's attribute `version`.
        JSON: by `$schema`, else by its members' FIM ids where they fit exactly one installed schema.
        """
        if isinstance(document, XmlDocument):
            return self._recognised_xml(document.root)
        if isinstance(document.value, dict):
            return self._recognised_json(document.value)
        return None

    def _recognised_xml(self, root: etree._Element) -> SchemaRef | None:
        name = _qualified(root)
        fitting = [s for s in self._standards.values() if any(name in schema.messages for schema in s.schemas)]
        # A message of a module is known to every standard that draws the module in: its own comes first.
        own = [s for s in fitting if name[0] in s.schema_uris or s.is_fim] or fitting
        if len(own) > 1:
            own = [s for s in own if s.version == root.get("version")]
        return _ref(own[0], name[1], f"{{{name[0]}}}{name[1]}") if len(own) == 1 else None

    def _recognised_json(self, value: dict[str, Any]) -> SchemaRef | None:
        if isinstance(value.get("$schema"), str):
            return self.find(value["$schema"])
        fitting = {
            standard.ref: standard
            for standard in self._standards.values()
            for schema in standard.schemas
            if schema.kind == "json" and _is_shaped(self._opened(standard).json(schema).schema, value)
        }
        if len(fitting) != 1:
            return None
        standard = next(iter(fitting.values()))
        return _ref(standard, standard.messages[0], standard.ref)

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
        name = _qualified(root)
        test = root.get("test") is not None
        schemas = [schema for schema in standard.schemas if schema.kind == "xsd"]
        if not schemas:
            return Judgement(None, standard.ref, ref.message, [_not_installed(standard.ref)], test)
        schema = next((schema for schema in schemas if name in schema.messages), None)
        if schema is None or ref.message not in ("", name[1]):
            return Judgement(False, standard.ref, ref.message, [_wrong_message(standard, ref)], test)
        opened_standard = self._opened(standard)
        compiled = compiled_for_this_thread(opened_standard.xsd(schema))
        if compiled.validate(root):
            return Judgement(True, standard.ref, name[1], [], test)
        findings = findings_of(compiled, root, opened_standard.index, standard.ref)
        return Judgement(not has_errors(findings), standard.ref, name[1], findings, test)

    def _validate_json(self, document: JsonDocument, ref: SchemaRef, standard: Standard) -> Judgement:
        schemas = [schema for schema in standard.schemas if schema.kind == "json"]
        if not schemas:
            return Judgement(None, standard.ref, ref.message, [_not_installed(standard.ref)])
        compiled = [self._opened(standard).json(schema) for schema in schemas]
        fitting = max(compiled, key=lambda one: len(_members(one.schema) & set(_keys(document.value))))
        findings = fitting.findings(document.value)
        return Judgement(not has_errors(findings), standard.ref, ref.message or standard.messages[0], findings)

    # --- model -----------------------------------------------------------------------------------------------------

    def model(self, ref: SchemaRef) -> SchemaModel:
        """The structure of a message, for static checks of mappings. Slow for big standards (XBau: 2 s), then kept.

        Raises KeyError if the standard is not installed, ValueError if `ref` names no message.
        """
        standard = self._standards[ref.standard]
        if not ref.message:
            raise ValueError(f"{ref.standard} has several messages: name one as {ref.standard}#message")
        return self._opened(standard).model(ref.message)

    def _opened(self, standard: Standard) -> _Opened:
        with self._loaded:
            if standard.ref not in self._open:
                self._open[standard.ref] = _Opened(standard, self._folder / standard.folder)
            return self._open[standard.ref]


class _Opened:
    """A standard's verified bytes and what was compiled from them, shared by all threads (lxml's schemas are not)."""

    def __init__(self, standard: Standard, folder: Path) -> None:
        self._standard = standard
        self._folder = folder.resolve()
        self._contents = _verified(standard, folder)
        self._lock = threading.RLock()
        self._index: SchemaIndex | None = None
        self._json: dict[str, CompiledJsonSchema] = {}
        self._xsd: dict[str, XsdSource] = {}
        self._models: dict[str, SchemaModel] = {}

    @property
    def index(self) -> SchemaIndex:
        with self._lock:
            if self._index is None:
                self._index = SchemaIndex(data for path, data in self._contents.items() if path.endswith(".xsd"))
            return self._index

    def xsd(self, schema: Schema) -> XsdSource:
        if schema.entry not in self._xsd:
            self._xsd[schema.entry] = xsd_of(self._standard, schema, self._contents)
        return self._xsd[schema.entry]

    def json(self, schema: Schema) -> CompiledJsonSchema:
        with self._lock:
            if schema.entry not in self._json:
                self._json[schema.entry] = json_of(self._standard, schema, self._contents[schema.entry])
            return self._json[schema.entry]

    def model(self, message: str) -> SchemaModel:
        with self._lock:
            if message not in self._models:
                self._models[message] = self._built(message)
            return self._models[message]

    def _built(self, message: str) -> SchemaModel:
        """From the XSD where there is one: XML and JSON of a FIM schema have the same structure."""
        for schema in sorted(self._standard.schemas, key=lambda schema: schema.kind, reverse=True):
            name = next((name for name in schema.messages if name[1] == message), None)
            if name and schema.kind == "xsd":
                return xsd_model(self._folder, self._standard, schema, name)
            if name:
                return json_model(self.json(schema).schema)
        raise ValueError(f"{self._standard.ref} has no message {message}")


# --- helpers -------------------------------------------------------------------------------------------------------


def _ref(standard: Standard, message: str, source: str) -> SchemaRef:
    only = standard.messages[0] if len(standard.messages) == 1 else ""
    return SchemaRef(standard.ref, message or only, standard.media_types, source)


def _qualified(root: etree._Element) -> tuple[str, str]:
    name = etree.QName(root)
    return name.namespace or "", name.localname


def _keys(value: Any) -> Iterable[str]:
    return value if isinstance(value, dict) else ()


def _members(schema: Any) -> set[str]:
    return set(schema.get("properties", ())) if isinstance(schema, dict) else set()


def _is_shaped(schema: Any, value: dict[str, Any]) -> bool:
    """All members known and all required ones there: enough to tell one FIM schema from another, not to be valid."""
    return bool(value) and set(value) <= _members(schema) and set(schema.get("required", ())) <= set(value)


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


def _verified(standard: Standard, folder: Path) -> dict[str, bytes]:
    contents: dict[str, bytes] = {}
    for path, digest in standard.files.items():
        try:
            contents[path] = (folder / path).read_bytes()
        except OSError as error:
            raise RegistryDamaged(f"{standard.ref}: {path} is missing; import the standard again") from error
        if sha256(contents[path]).hexdigest() != digest:
            raise RegistryDamaged(
                f"{standard.ref}: {path} is not the file that was imported; delete the folder {folder.name} below the "
                "registry and import the standard again"
            )
    return contents


def _chosen(candidates: Iterable[Candidate]) -> list[Candidate]:
    """One per standard and file: of two contents for one version, that from the folder named after the standard."""
    chosen: dict[tuple[str, str], Candidate] = {}
    for candidate in candidates:
        key = (candidate.standard.ref, candidate.standard.schemas[0].entry)
        other = chosen.get(key)
        if other is None or (_is_namesake(candidate) and not _is_namesake(other)):
            chosen[key] = candidate
        if other is not None and digests(other.contents) != digests(candidate.contents):
            _log.warning("%s is there twice with different content; took that of %s", key[0], chosen[key].origin)
    return list(chosen.values())


def _is_namesake(candidate: Candidate) -> bool:
    return candidate.origin == candidate.standard.ref.partition(":")[2].replace("/", "-")


def _merged(known: Standard, new: Standard) -> Standard:
    """One FIM schema in several forms is one standard. Raises ImportRefused where a form has another content."""
    if not new.is_fim or any(known.files.get(path, digest) != digest for path, digest in new.files.items()):
        raise refused(
            "schemas.already_installed",
            new.ref,
            Text(
                f"{new.ref} ist schon mit anderem Inhalt installiert.",
                f"{new.ref} is installed already, with other content.",
            ),
            Text(
                f"Zum Ersetzen löschen Sie den Ordner {known.folder} der Registratur und importieren Sie erneut.",
                f"To replace it, delete the registry's folder {known.folder} and import again.",
            ),
        )
    entries = {schema.entry: schema for schema in [*known.schemas, *new.schemas]}
    return replace(
        known,
        schema_uris=sorted({*known.schema_uris, *new.schema_uris}),
        files={**known.files, **new.files},
        schemas=[entries[entry] for entry in sorted(entries)],
    )


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

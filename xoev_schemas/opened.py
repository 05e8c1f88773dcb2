"""A standard in use: its verified bytes, and what was compiled from them."""

from __future__ import annotations

import threading
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from pathlib import Path, PurePosixPath

from xoev_schemas.candidates import json_of, xsd_of
from xoev_schemas.codelists import CodeList, enumerated_lists
from xoev_schemas.expectations import SchemaIndex
from xoev_schemas.fim import DataSchema, read_xdf
from xoev_schemas.json_schema import CompiledJsonSchema, member_names
from xoev_schemas.lock import RegistryDamaged
from xoev_schemas.model import SchemaModel, json_model, xsd_model
from xoev_schemas.schematron import compile_schematron
from xoev_schemas.standards import Schema, Standard
from xoev_schemas.xsd import XsdSource


@dataclass(frozen=True, slots=True)
class Stylesheets:
    """A standard's Schematron rules as stylesheets. key: their digest. each: in the order in which they are run."""

    key: str
    each: Sequence[bytes]


class OpenedStandard:
    """A standard's verified bytes and what was compiled from them, shared by all threads (lxml's schemas are not)."""

    def __init__(self, standard: Standard, folder: Path) -> None:
        self._standard = standard
        self._folder = folder.resolve()
        self.contents = _verified(standard, folder)
        self._lock = threading.RLock()
        self._index: SchemaIndex | None = None
        self._json: dict[str, CompiledJsonSchema] = {}
        self._models: dict[str, SchemaModel] = {}

    @property
    def index(self) -> SchemaIndex:
        with self._lock:
            if self._index is None:
                self._index = SchemaIndex(data for path, data in self.contents.items() if path.endswith(".xsd"))
            return self._index

    @cached_property
    def names(self) -> Collection[str]:
        members = (member_names(self.json(schema).schema) for schema in self._standard.schemas if schema.kind == "json")
        return frozenset(self.index.names).union(*members)

    @cached_property
    def enumerated(self) -> Mapping[tuple[str, str], CodeList]:
        return enumerated_lists({path: data for path, data in self.contents.items() if path.endswith(".xsd")})

    @cached_property
    def stylesheets(self) -> Stylesheets | None:
        made = [self._stylesheet(PurePosixPath(path)) for path in self._standard.schematron]
        return Stylesheets(sha256(b"\0".join(made)).hexdigest(), made) if made else None

    def _stylesheet(self, path: PurePosixPath) -> bytes:
        def beside(name: str) -> bytes:
            return self.contents[str(path.parent / name)]

        return compile_schematron(self.contents[str(path)], beside, name=path.name)

    @cached_property
    def fim(self) -> DataSchema | None:
        return read_xdf(self.contents[self._standard.xdf]) if self._standard.xdf else None

    @cached_property
    def roots(self) -> Mapping[str, tuple[XsdSource, str]]:
        """Tag of a root element → what it is judged by, and its local name."""
        found: dict[str, tuple[XsdSource, str]] = {}
        for schema in self._standard.schemas:
            if schema.kind == "xsd":
                source = xsd_of(self._standard, schema, self.contents)
                for namespace, name in schema.messages:
                    found.setdefault(f"{{{namespace}}}{name}" if namespace else name, (source, name))
        return found

    def json(self, schema: Schema) -> CompiledJsonSchema:
        with self._lock:
            if schema.entry not in self._json:
                self._json[schema.entry] = json_of(self._standard, schema, self.contents[schema.entry])
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

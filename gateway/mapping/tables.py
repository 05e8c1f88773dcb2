"""Tables that translate codes: written in the rule, kept beside the mapping as YAML or CSV, or an installed code list.

Read at start and checked then; at run time a table is a dictionary.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import TYPE_CHECKING

from gateway.mapping.problems import Place, Problems
from gateway.mapping.values import Json
from gateway.mapping.yaml_nodes import Members, Scalar, YamlNode, read_yaml
from xoev_schemas.codelists.model import NotACodeList
from xoev_schemas.findings import Text

if TYPE_CHECKING:
    from xoev_schemas.registry import Registry
    from xoev_schemas.standards import InstalledList

FOLDER = "codelists"
"""Beside the mapping."""


@dataclass(frozen=True, slots=True)
class Table:
    """values: code → a plain value, or an object of them. origin: for an installed list its version and digest, part of
    a package's version; empty for files of the package itself.
    """

    values: Mapping[str, Json] = field(default_factory=dict)
    origin: str = ""


class Tables:
    """The tables that the mappings of one folder name, each file read once.

    registry: what is installed. None: the mapping is for a schema that is not installed, so it never runs and nothing
    can be said about code lists.
    """

    def __init__(self, folder: FilePath, registry: Registry | None, problems: Problems) -> None:
        self._folder = folder / FOLDER
        self._registry = registry
        self._problems = problems
        self._read: dict[str, Table] = {}

    def get(self, written: str, place: Place) -> Table:
        """written: `NAME`, `urn:…`, each with `#COLUMN` where one column is wanted; place: where that stands."""
        name, _, column = written.partition("#")
        if name.startswith("urn:"):
            return self._installed(name, column, place)
        if name not in self._read:
            self._read[name] = Table(self._file(name, place))
        whole = self._read[name]
        return Table(self._column(whole.values, name, column, place)) if column else whole

    def _file(self, name: str, place: Place) -> dict[str, Json]:
        for suffix, read in ((".yaml", read_code_table), (".csv", read_csv)):
            file = self._folder / f"{name}{suffix}"
            if "/" not in name and file.is_file():
                return read(file, self._problems)
        known = [found.stem for found in self._folder.glob("*.*")]
        self._problems.unknown(place, "mapping.unknown_codelist", Text("Die Codeliste", "code list"), name, known)
        return {}

    def _column(self, values: Mapping[str, Json], name: str, column: str, place: Place) -> dict[str, Json]:
        known = {column for value in values.values() if isinstance(value, dict) for column in value}
        if column not in known and values:
            self._unknown_column(name, column, known, place)
            return {}
        chosen = {code: value.get(column) if isinstance(value, dict) else None for code, value in values.items()}
        for code in [code for code, value in chosen.items() if value is None]:
            text = Text(
                f"Zum Code „{code}“ hat „{name}“ keinen Wert in der Spalte „{column}“.",
                f"'{name}' has no value for code '{code}' in the column '{column}'.",
            )
            self._problems.add(place, "mapping.code_value", text)
        return chosen

    def _installed(self, name: str, column: str, place: Place) -> Table:
        if self._registry is None:
            return Table()
        versions = [one for one in self._registry.lists() if name in (one.uri, f"{one.uri}_{one.version}")]
        if len(versions) != 1:
            self._which(name, versions, self._registry, place)
            return Table()
        [one] = versions
        try:
            found = self._registry.code_lists().get(one.uri, one.version)
            if column and found is not None and column not in found.columns:
                self._unknown_column(name, column, found.columns, place)
                return Table()
            if column:
                found = self._registry.code_list_by(one, column)
        except NotACodeList as error:
            self._problems.findings += error.findings
            return Table()
        labels = found.labels if found is not None else {}
        # A code without an entry in this column counts as unknown: there is nothing to pass on.
        return Table({code: label for code, label in labels.items() if label}, f"{one.uri}_{one.version} {one.sha256}")

    def _unknown_column(self, name: str, column: str, known: Iterable[str], place: Place) -> None:
        what = Text(f"In „{name}“ die Spalte", f"column of '{name}' named")
        self._problems.unknown(place, "mapping.unknown_column", what, column, known)

    def _which(self, name: str, versions: list[InstalledList], registry: Registry, place: Place) -> None:
        """None, or more than one, is installed under this name."""
        if versions:
            text = Text(
                f"Von der Codeliste „{name}“ sind mehrere Versionen installiert.",
                f"several versions of the code list '{name}' are installed.",
            )
            remedy = Text("Nennen Sie die Version: „URN_VERSION“.", "Name the version: 'URN_VERSION'.")
            known = ", ".join(f"{one.uri}_{one.version}" for one in versions[:40])
            self._problems.add(place, "mapping.codelist_version", text, remedy=remedy, allowed=known)
            return
        what = Text("Die installierte Codeliste", "installed code list")
        installed = {uri for one in registry.lists() for uri in (one.uri, f"{one.uri}_{one.version}")}
        self._problems.unknown(place, "mapping.unknown_codelist", what, name, installed)


def read_code_table(file: FilePath, problems: Problems) -> dict[str, Json]:
    """`codelists/NAME.yaml`: code → value (a scalar or an object of scalars). Codes are text: `01` stays `01`."""
    node = read_yaml(file, problems)
    return {} if node is None else code_table(node, problems)


def code_table(node: YamlNode, problems: Problems) -> dict[str, Json]:
    if not isinstance(node, Members):
        text = Text("Eine Codetabelle hat die Form „Code: Wert“.", "a table of codes has the form 'code: value'.")
        problems.add(node.place, "mapping.code_table", text)
        return {}
    table: dict[str, Json] = {}
    for code, value in node.nodes.items():
        entries = value.nodes.values() if isinstance(value, Members) else (value,)
        if all(isinstance(entry, Scalar) and entry.value is not None for entry in entries):
            table[code] = _json(value)
        else:
            text = Text(f"Zum Code „{code}“ fehlt ein einfacher Wert.", f"code '{code}' needs a plain value.")
            problems.add(node.keys[code], "mapping.code_value", text)
    return table


def read_csv(file: FilePath, problems: Problems) -> dict[str, Json]:
    """`codelists/NAME.csv`, UTF-8, separated by `;` or `,` as its first line: that names the columns, the first holds
    the codes. Code → object of the other columns; what is empty is left out.
    """
    try:
        lines = file.read_text(encoding="utf-8-sig").splitlines()
    except UnicodeDecodeError:
        problems.add(Place(file), "mapping.csv", Text("Die Datei ist nicht in UTF-8.", "the file is not in UTF-8."))
        return {}
    rows = csv.reader(lines, delimiter=";" if ";" in "".join(lines[:1]) else ",", strict=True)
    table: dict[str, Json] = {}
    places: dict[str, int] = {}
    try:
        columns = [name.strip() for name in next(rows, [])]
        if len(columns) < 2 or not all(columns) or len(set(columns)) < len(columns):
            text = Text("Die erste Zeile muss die Spalten nennen.", "the first line must name the columns, each once.")
            problems.add(Place(file, 1), "mapping.csv", text)
            return {}
        for row in filter(None, rows):
            cells = [cell.strip() for cell in row]
            if _is_entry(cells, columns, places, Place(file, rows.line_num), problems):
                places[cells[0]] = rows.line_num
                table[cells[0]] = {name: cell for name, cell in zip(columns[1:], cells[1:], strict=True) if cell}
    except csv.Error:
        place = Place(file, rows.line_num)
        problems.add(place, "mapping.csv", Text("Diese Zeile ist kein CSV.", "this line is not CSV."))
    _shortened(places, file, problems)
    return table


def _is_entry(cells: list[str], columns: list[str], places: dict[str, int], place: Place, problems: Problems) -> bool:
    if len(cells) != len(columns) or not cells[0]:
        text = Text(
            f"Hier müssen ein Code und {len(columns) - 1} Werte stehen.",
            f"a code and {len(columns) - 1} values must stand here.",
        )
        problems.add(place, "mapping.csv", text)
        return False
    if cells[0] in places:
        text = Text(
            f"„{cells[0]}“ steht doppelt, zuerst in Zeile {places[cells[0]]}.",
            f"'{cells[0]}' stands here twice, first in line {places[cells[0]]}.",
        )
        problems.add(place, "config.duplicate_key", text)
        return False
    return True


def _shortened(places: Mapping[str, int], file: FilePath, problems: Problems) -> None:
    """Codes that lost their leading zeros, as spreadsheets do it: all are digits, and some that are shorter than the
    others stand among some of full length.
    """
    lengths = {len(code) for code in places}
    if len(lengths) != 2 or not all(code.isdecimal() for code in places):
        return
    full = max(lengths)
    short = [code for code in places if len(code) < full]
    if full - min(lengths) == 1 and len(short) * 2 < len(places):
        text = Text(
            f"„{short[0]}“ ist kürzer als die übrigen Codes: Hat er führende Nullen verloren?",
            f"'{short[0]}' is shorter than the other codes: did it lose leading zeros?",
        )
        remedy = Text(f"Gemeint ist wohl „{short[0].zfill(full)}“.", f"Probably '{short[0].zfill(full)}' is meant.")
        place = Place(file, places[short[0]])
        problems.add(place, "mapping.code_shortened", text, remedy=remedy, severity="warning")


def _json(node: YamlNode) -> Json:
    if isinstance(node, Members):
        return {name: _json(value) for name, value in node.nodes.items()}
    return node.value if isinstance(node, Scalar) else None

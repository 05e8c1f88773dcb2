"""Schematron schemas (ISO/IEC 19757-3) found in a source, and the standards that they belong to.

A publisher delivers them beside the XSD files, in a folder below, or in an archive of their own. What they say about
themselves is only the namespaces that their rules use.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from lxml import etree

from xoev_schemas.candidates import Candidate, digests, does_not_compile
from xoev_schemas.findings import Finding, Text
from xoev_schemas.schematron import compile_schematron
from xoev_schemas.sources import Source, import_finding
from xoev_schemas.standards import Standard
from xoev_schemas.xsd import NotCompiled, parse_schema

_SCH = "{http://purl.oclc.org/dsdl/schematron}"
_FOLDER = "schematron"

Prove = Callable[[Sequence[bytes]], None]


@dataclass(frozen=True)
class _Rules:
    """One Schematron schema with the files beside it that it may include."""

    path: Path
    data: bytes
    namespaces: frozenset[str]
    beside: dict[str, bytes]


def with_schematron(
    candidates: list[Candidate],
    installed: Iterable[Standard],
    source: Source,
    prove: Prove,
    problems: list[Finding],
    notes: list[Finding],
) -> list[Candidate]:
    """The candidates with their rules; rules alone become an addition to an installed standard.

    prove: raises NotCompiled for stylesheets whose expressions are wrong. notes: rules for parts that no message begins
    with (XBildung's own), which therefore nobody runs.
    """
    owners: dict[int, list[_Rules]] = {}
    additions: dict[str, tuple[Standard, list[_Rules]]] = {}
    installed = list(installed)
    for rules in _rules(source, prove, problems):
        if (number := _owner(rules, candidates, source)) is not None:
            owners.setdefault(number, []).append(rules)
        elif standard := _installed_owner(rules, installed):
            additions.setdefault(standard.ref, (standard, []))[1].append(rules)
        elif _is_for_a_part(rules, candidates):
            notes.append(_for_a_part(source.name(rules.path)))
        else:
            problems.append(_without_standard(source.name(rules.path)))
    added = [_added(c, owners[n], source) if n in owners else c for n, c in enumerate(candidates)]
    return added + [_addition(standard, rules) for standard, rules in additions.values()]


def _rules(source: Source, prove: Prove, problems: list[Finding]) -> list[_Rules]:
    """Every schema that compiles. A file that is only a part, to be included by another, is none."""
    found = []
    for path in source.ending(".sch"):
        data = path.read_bytes()
        beside = {p.name: p.read_bytes() for p in source.ending(".sch") if p.parent == path.parent and p != path}
        try:
            root = parse_schema(data)
            if root.tag != f"{_SCH}schema":
                continue
            prove([compile_schematron(data, beside.__getitem__, name=source.name(path))])
        except etree.XMLSyntaxError as error:
            problems.append(does_not_compile(source.name(path), source.name(path), str(error.msg)))
        except NotCompiled as error:
            problems.extend(does_not_compile(source.name(path), f, reason) for f, reason in error.problems)
        else:
            used = frozenset(str(ns.get("uri")) for ns in root.iterchildren(f"{_SCH}ns"))
            found.append(_Rules(path, data, used, beside))
    return found


def _owner(rules: _Rules, candidates: list[Candidate], source: Source) -> int | None:
    """The standard of the nearest folder above whose namespace the rules use, or the only one of that folder: rules for
    everything (XBau's on empty elements) name none.
    """
    place = PurePosixPath(source.name(rules.path.parent))
    above = [
        (len(PurePosixPath(candidate.origin).parts), number)
        for number, candidate in enumerate(candidates)
        if not candidate.standard.is_fim and place.is_relative_to(candidate.origin or ".")
    ]
    naming = [one for one in above if rules.namespaces & set(candidates[one[1]].standard.schema_uris)]
    if naming:
        return max(naming)[1]
    nearest = [number for depth, number in above if depth == max(above)[0]]
    return nearest[0] if len(nearest) == 1 else None


def _is_for_a_part(rules: _Rules, candidates: list[Candidate]) -> bool:
    """Whether a standard here draws in a schema of a namespace that the rules use."""
    declarations = [f'targetNamespace="{namespace}"'.encode() for namespace in rules.namespaces]
    return any(d in data for candidate in candidates for data in candidate.contents.values() for d in declarations)


def _installed_owner(rules: _Rules, installed: list[Standard]) -> Standard | None:
    fitting = [s for s in installed if not s.variant and rules.namespaces & set(s.schema_uris)]
    return fitting[0] if len(fitting) == 1 else None


def _added(candidate: Candidate, rules: list[_Rules], source: Source) -> Candidate:
    folder = source.top / candidate.origin
    contents = dict(candidate.contents)
    names = []
    for one in rules:
        name = one.path.relative_to(folder).as_posix()
        names.append(name)
        contents[name] = one.data
        contents |= {(PurePosixPath(name).parent / other).as_posix(): data for other, data in one.beside.items()}
    standard = replace(candidate.standard, files=digests(contents), schematron=sorted(names))
    return replace(candidate, standard=standard, contents=contents)


def _addition(standard: Standard, rules: list[_Rules]) -> Candidate:
    contents = {
        f"{_FOLDER}/{name}": data for one in rules for name, data in {**one.beside, one.path.name: one.data}.items()
    }
    names = sorted(f"{_FOLDER}/{one.path.name}" for one in rules)
    return Candidate(replace(standard, schemas=[], files=digests(contents), schematron=names), contents)


def _for_a_part(file: str) -> Finding:
    note = import_finding(
        "schemas.schematron_of_part",
        file,
        Text(
            "Diese Schematron-Regeln gelten einem Teil, mit dem keine Nachricht beginnt; sie werden nicht ausgeführt.",
            "These Schematron rules are for a part that no message begins with; they are not run.",
        ),
    )
    return replace(note, severity="warning")


def _without_standard(file: str) -> Finding:
    return import_finding(
        "schemas.schematron_alone",
        file,
        Text(
            "Zu diesen Schematron-Regeln ist kein Standard da, dessen Namensraum sie nennen.",
            "There is no standard here whose namespace these Schematron rules use.",
        ),
        Text(
            "Importieren Sie zuerst die XSD-Dateien des Standards, oder beides zusammen in einem Ordner.",
            "Import the standard's XSD files first, or both together in one folder.",
        ),
    )

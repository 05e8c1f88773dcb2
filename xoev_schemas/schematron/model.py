"""A Schematron schema as read: includes resolved, abstract patterns filled in, `extends` replaced by what it names."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from lxml import etree

from xoev_schemas.findings import Severity


@dataclass(frozen=True, slots=True)
class Place:
    """Where something stands, for problems: file name and 1-based line."""

    file: str
    line: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Value:
    """`value-of` or `name` in a sentence: an XPath expression that is evaluated at the node."""

    select: str


Sentence = tuple[str | Value, ...]


@dataclass(frozen=True, slots=True)
class Let:
    name: str
    value: str
    type: str | None
    place: Place


@dataclass(frozen=True, slots=True)
class Assertion:
    """`assert` (complains where the test is false) or `report` (where it is true: `when`)."""

    id: str
    test: str
    when: bool
    severity: Severity
    subject: str | None
    sentence: Sentence
    diagnostics: tuple[Sentence, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Rule:
    context: str
    parts: tuple[Let | Assertion, ...]
    place: Place


@dataclass(frozen=True, slots=True)
class Pattern:
    """Of its rules, the first whose context fits a node is the one that judges it."""

    lets: tuple[Let, ...]
    rules: tuple[Rule, ...]


@dataclass(frozen=True, slots=True)
class Schema:
    """namespaces: prefix → URI. xslt: the `xsl:function` and `xsl:key` elements, as they stand."""

    namespaces: Mapping[str, str]
    lets: tuple[Let, ...]
    xslt: tuple[tuple[etree._Element, Place], ...]
    patterns: tuple[Pattern, ...]

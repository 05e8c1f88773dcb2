"""Compile and run JSON Schemas (draft 2020-12 and what `$schema` names) with jsonschema-rs, offline."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import jsonschema_rs

from xoev_schemas.findings import Finding, mask
from xoev_schemas.places import Names
from xoev_schemas.words import MOST_FINDINGS, more_findings, once_per_value, schema_finding, shorten
from xoev_schemas.xsd import NotCompiled, unanchored

_VALUE_KEYWORDS = {
    "type", "pattern", "format", "minLength", "maxLength", "minimum", "maximum", "exclusiveMinimum",
    "exclusiveMaximum", "multipleOf",
}  # fmt: skip
_COUNT_KEYWORDS = {"minItems", "maxItems", "minProperties", "maxProperties", "uniqueItems"}

_ENGINE_FAILURES = (
    jsonschema_rs.ValidationErrorKind.BacktrackLimitExceeded,
    jsonschema_rs.ValidationErrorKind.RegexEngineFailure,
)


class CompiledJsonSchema:
    """A validator with its schema; may be shared between threads."""

    def __init__(self, schema: Any, source: str) -> None:
        """Raises NotCompiled, also for a `$ref` that leads out of the schema."""
        self.schema = schema
        self.source = source
        self._names = member_names(schema)
        try:
            self._validator = compiled_validator(schema)
        except (ValueError, jsonschema_rs.ReferencingError) as error:
            raise NotCompiled([(source, str(error))]) from None

    def findings(self, value: Any) -> list[Finding]:
        """All errors; at most MOST_FINDINGS and a note."""
        names = Names(self._names)
        findings = once_per_value(f for error in self._validator.iter_errors(value) for f in self._of(error, names))
        if len(findings) > MOST_FINDINGS:
            return [*findings[:MOST_FINDINGS], more_findings(len(findings) - MOST_FINDINGS, self.source)]
        return findings

    def _of(self, error: Any, names: Names) -> list[Finding]:
        """The library's sentences contain the values, so none is passed on: only the place and the schema's keyword."""
        if isinstance(error.kind, _ENGINE_FAILURES):
            raise RuntimeError(f"{self.source}: a pattern could not be evaluated")  # not the sender's fault
        keyword, path = error.kind.name, list(error.instance_path)
        if keyword == "required":
            path = [*path, error.kind.property]
            title = self._title(path)
            expected = f"{path[-1]} ({title})" if title else path[-1]
            return [self._finding("schema.missing_element", path, names, expected)]
        if keyword in ("additionalProperties", "unevaluatedProperties"):
            return [self._finding("schema.unexpected_element", [*path, name], names) for name in error.kind.unexpected]
        code, allowed = self._expectation(keyword, error.schema_path)
        found = None if isinstance(error.instance, dict | list) else mask(_written(error.instance))
        return [self._finding(code, path, names, allowed, found)]

    def _expectation(self, keyword: str, schema_path: list[str | int]) -> tuple[str, str | None]:
        limit = _at(self.schema, schema_path)
        if keyword in _VALUE_KEYWORDS:
            return "schema.value", shorten(f"{keyword} {_written(limit)}")
        if keyword in _COUNT_KEYWORDS:
            return "schema.count", f"{keyword} {_written(limit)}"
        constants = _constants(keyword, limit)
        if constants:
            return "schema.enumeration", shorten(", ".join(_written(constant) for constant in constants))
        return "schema.other", None

    def _finding(
        self, code: str, path: list[Any], names: Names, allowed: str | None = None, found: str | None = None
    ) -> Finding:
        members = [step for step in path if isinstance(step, str)]
        if members and names.shown(members[-1]) != members[-1]:
            found = mask(members[-1])
        return schema_finding(
            code,
            name=names.shown(members[-1]) if members else "#",
            title=self._title(path),
            path=names.pointer(path),
            found=found,
            allowed=allowed,
            source=self.source,
        )

    def _title(self, path: list[Any]) -> str | None:
        """The `title` of the member that a path ends at, following `properties`, `items` and local `$ref`s."""
        node: Any = self.schema
        for step in path:
            node = dereference(self.schema, node)
            node = node.get("properties", {}).get(step) if isinstance(step, str) else node.get("items")
            if not isinstance(node, dict):
                return None
        title = dereference(self.schema, node).get("title") if path else None
        return title if isinstance(title, str) else None


def member_names(schema: Any) -> frozenset[str]:
    """Every member that a schema declares or requires anywhere."""
    names: set[str] = set()
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            properties, required = node.get("properties"), node.get("required")
            names.update(properties if isinstance(properties, dict) else ())
            names.update(required if isinstance(required, list) else ())
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)
    return frozenset(names)


def compiled_validator(schema: Any) -> Any:
    """With the linear-time engine for patterns; with the bounded backtracking one where a pattern needs look-around."""

    def build(patterns: Any) -> Any:
        return jsonschema_rs.validator_for(schema, validate_formats=True, offline=True, pattern_options=patterns)

    try:
        return build(jsonschema_rs.RegexOptions())
    except ValueError:
        return build(jsonschema_rs.FancyRegexOptions())


def dereference(schema: Any, node: Any) -> dict[str, Any]:
    """Follow `$ref`s within the document (`#/$defs/…`); an unresolvable one or a boolean schema gives `{}`."""
    seen = 0
    while isinstance(node, dict) and isinstance(node.get("$ref"), str) and seen < 32:
        reference = node["$ref"]
        if not reference.startswith("#"):
            return {}
        node = _at(schema, [step.replace("~1", "/").replace("~0", "~") for step in reference.split("/")[1:]])
        seen += 1
    return node if isinstance(node, dict) else {}


def _at(schema: Any, path: list[Any]) -> Any:
    node = schema
    for step in path:
        try:
            node = node[int(step)] if isinstance(node, list) else node[step]
        except (KeyError, IndexError, TypeError, ValueError):
            return None
    return node


def _constants(keyword: str, limit: Any) -> list[Any]:
    """The values that `enum`, `const`, or a `oneOf`/`anyOf` of `const` (what FIM makes of a list) allow."""
    if keyword == "enum" and isinstance(limit, list):
        return limit
    if keyword == "const":
        return [limit]
    if keyword in ("oneOf", "anyOf") and isinstance(limit, list):
        return [option["const"] for option in limit if isinstance(option, dict) and "const" in option]
    return []


def _written(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(map(str, value))
    if isinstance(value, bool) or value is None:
        return {True: "true", False: "false", None: "null"}[value]
    return str(value)


def with_anchored_patterns(schema: Any) -> Any:
    """A copy whose patterns mean the whole value: XDatenfelder patterns do, JSON Schema's need not."""
    anchored = copy.deepcopy(schema)
    for node in _objects(anchored):
        pattern = node.get("pattern")
        if isinstance(pattern, str):
            node["pattern"] = f"^(?:{unanchored(pattern)})$"
    return anchored


def with_dates(schema: Any) -> Any:
    """A copy in which dates are dates. The FIM tools write them as any text and say only in the description what they
    are; the XSD of the same tools says `xs:date`.
    """
    dated = copy.deepcopy(schema)
    for node in _objects(dated):
        if node.get("type") == "string" and str(node.get("description", "")).endswith(_DATE):
            node.setdefault("format", "date")
    return dated


_DATE = " - Wertebereich: Datum"


def _objects(schema: Any) -> Iterator[dict[str, Any]]:
    pending = [schema]
    while pending:
        node = pending.pop()
        if isinstance(node, dict):
            yield node
            pending.extend(node.values())
        elif isinstance(node, list):
            pending.extend(node)

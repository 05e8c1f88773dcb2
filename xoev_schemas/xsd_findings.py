"""Turn libxml2's schema errors into findings.

libxml2's sentences contain the citizens' values ("The value 'Müller' is not …"), so none is passed on. What stands in a
finding comes from the kind of error, from the place in the tree, and from the tail of the sentence, which follows the
value and states the schema's expectation.
"""

from __future__ import annotations

import re
from typing import Any, cast

from lxml import etree

from xoev_schemas.documents import text_of
from xoev_schemas.expectations import SchemaIndex
from xoev_schemas.findings import Finding, mask
from xoev_schemas.places import Names, Places
from xoev_schemas.words import MOST_FINDINGS, more_findings, once_per_value, schema_finding, shorten

# libxml2's name of the error → our code. Prefixes; the first that fits.
_CODES = (
    ("SCHEMAV_CVC_ENUMERATION_VALID", "schema.enumeration"),
    ("SCHEMAV_CVC_COMPLEX_TYPE_4", "schema.missing_attribute"),
    ("SCHEMAV_CVC_COMPLEX_TYPE_3_2", "schema.unexpected_attribute"),
    ("SCHEMAV_CVC_TYPE_3_1_1", "schema.unexpected_attribute"),
    ("SCHEMAV_CVC_TYPE_3_1_2", "schema.unexpected_content"),
    ("SCHEMAV_CVC_COMPLEX_TYPE_2_", "schema.unexpected_content"),
    ("SCHEMAV_CVC_ELT_3_", "schema.unexpected_content"),
    ("SCHEMAV_CVC_ELT_4_", "schema.unknown_type"),
    ("SCHEMAV_CVC_ELT_5_2_2", "schema.value"),
    ("SCHEMAV_CVC_DATATYPE", "schema.value"),
    ("SCHEMAV_CVC_ATTRIBUTE", "schema.value"),
    ("SCHEMAV_CVC_AU", "schema.value"),
    ("SCHEMAV_CVC_IDC", "schema.identity"),
    ("SCHEMAV_CVC_ELT_1", "schema.wrong_message"),
)
_ATTRIBUTE_PRESENCE = ("SCHEMAV_CVC_COMPLEX_TYPE_4", "SCHEMAV_CVC_COMPLEX_TYPE_3_2", "SCHEMAV_CVC_TYPE_3_1_1")
_FACETS = re.compile(r"SCHEMAV_CVC_(?:PATTERN|MIN|MAX|LENGTH|TOTALDIGITS|FRACTIONDIGITS|FACET)")

# libxml2's name of the error → the words that follow the value in its sentence, how the sentence ends, and our form.
# Only the words of the very kind of error count: a value may look like any sentence, but it stands before them.
_EXPECTATIONS = (
    ("SCHEMAV_CVC_PATTERN", " is not accepted by the pattern '", "'.", "pattern {}"),
    ("SCHEMAV_CVC_ENUMERATION", " is not an element of the set {", "}.", "{}"),
    ("SCHEMAV_CVC_MAXLENGTH", "exceeds the allowed maximum length of '", "'.", "maxLength {}"),
    ("SCHEMAV_CVC_MINLENGTH", "underruns the allowed minimum length of '", "'.", "minLength {}"),
    ("SCHEMAV_CVC_LENGTH", "differs from the allowed length of '", "'.", "length {}"),
    ("SCHEMAV_CVC_MININCLUSIVE", " is less than the minimum value allowed ('", "').", "minInclusive {}"),
    ("SCHEMAV_CVC_MAXINCLUSIVE", " is greater than the maximum value allowed ('", "').", "maxInclusive {}"),
    ("SCHEMAV_CVC_MINEXCLUSIVE", " must be greater than '", "'.", "minExclusive {}"),
    ("SCHEMAV_CVC_MAXEXCLUSIVE", " must be less than '", "'.", "maxExclusive {}"),
    ("SCHEMAV_CVC_FRACTIONDIGITS", " has more fractional digits than are allowed ('", "').", "fractionDigits {}"),
    ("SCHEMAV_CVC_TOTALDIGITS", " has more digits than are allowed ('", "').", "totalDigits {}"),
    ("SCHEMAV_CVC_ELT_5_2_2", " does not match the fixed value constraint '", "'.", "fixed {}"),
    ("SCHEMAV_CVC_AU", " does not match the fixed value constraint '", "'.", "fixed {}"),
    ("SCHEMAV_CVC_DATATYPE", " is not a valid value of the ", ".", "{}"),
)
_NAMED_TYPE = re.compile(r"(?:atomic|list|union) type '([^']*)'")
_EXPECTED_ELEMENTS = re.compile(r"Expected is (?:one of )?\( (.+) \)\.$")
_ATTRIBUTE = re.compile(r"^Element '[^']*', attribute '([^']*)': ")
_THE_ATTRIBUTE = re.compile(r"The attribute '([^']*)' is (?:required but missing|not allowed)\.$")


def findings_of(schema: etree.XMLSchema, root: etree._Element, index: SchemaIndex, source: str) -> list[Finding]:
    """All errors of the validation that `schema` has just done, in document order; at most MOST_FINDINGS and a note."""
    entries: list[Any] = list(schema.error_log)  # type: ignore[call-overload]
    # libxml2 reports a bad value of a key once more as an internal complaint about the key.
    entries = [entry for entry in entries if "No precomputed value available" not in entry.message]
    names = Names(index.names)
    places = Places(root, names)
    findings = once_per_value(_finding(entry, places, names, index, source) for entry in entries[:MOST_FINDINGS])
    if len(entries) > MOST_FINDINGS:
        findings.append(more_findings(len(entries) - MOST_FINDINGS, source))
    return findings


def _finding(entry: Any, places: Places, names: Names, index: SchemaIndex, source: str) -> Finding:
    element = places.element(entry.path)
    attribute = _attribute(entry)
    first = places.position(element)[0] == 1
    code = _code(entry, element, attribute, index if first else None)
    late = _stands_late(entry, element) if code == "schema.missing_element" else None
    if late is not None:
        return _wrong_order(late, element, places, index, source)
    name = names.shown(attribute) if attribute else names.of(element)
    finding = schema_finding(
        code,
        name=name,
        title=None if attribute else index.title(etree.QName(element).localname),
        path=places.path(element) + (f"/@{names.shown(attribute)}" if attribute else ""),
        line=entry.line or None,
        found=_found(code, element, attribute) or _masked_name(element, attribute, names),
        allowed=_allowed(entry, code, index),
        source=source,
    )
    pattern, value = _pattern(entry), _value(element, attribute)
    if pattern is None or value is None:
        return finding
    return index.character_sets.explain(finding, pattern, value, name)


def _code(entry: Any, element: etree._Element, attribute: str | None, index: SchemaIndex | None) -> str:
    kind: str = entry.type_name
    if kind == "SCHEMAV_ELEMENT_CONTENT":
        return _content_code(entry.message, element, index)
    if kind == "SCHEMAV_CVC_AU" and attribute is None:
        return "schema.other"
    if _FACETS.match(kind):
        return "schema.value"
    return next((code for prefix, code in _CODES if kind.startswith(prefix)), "schema.other")


def _content_code(message: str, element: etree._Element, index: SchemaIndex | None) -> str:
    """Is an element missing, or one too many?

    libxml2 names the first element that does not fit. If it is the first of its name and the schema knows it as a
    sibling of what was expected, then what is wrong is the gap in front of it. index: None for later ones of a name.
    """
    if "Missing child element(s)" in message:
        return "schema.missing_element"
    expected, local = _qualified_names(message), etree.QName(element).localname
    names = [_local(name) for name in expected]
    # The right name in the wrong namespace: a frequent fault with XÖV's unqualified headers (NDR-23).
    if local in names and etree.QName(element).text not in expected:
        return "schema.wrong_namespace"
    if index and local not in names and index.are_siblings(local, names):
        return "schema.missing_element"
    return "schema.unexpected_element"


def _stands_late(entry: Any, element: etree._Element) -> etree._Element | None:
    """What is missing before an element, where it stands among the siblings behind it."""
    expected = set(_qualified_names(entry.message)) if "Missing child element(s)" not in entry.message else set()
    return next(element.itersiblings(*expected), None) if expected else None


def _wrong_order(
    late: etree._Element, element: etree._Element, places: Places, index: SchemaIndex, source: str
) -> Finding:
    """late: what belongs before `element`; both are names of the schema."""
    order = [_with_title(etree.QName(one).localname, index) for one in (late, element)]
    return schema_finding(
        "schema.wrong_order",
        name=etree.QName(late).localname,
        title=index.title(etree.QName(late).localname),
        path=places.path(late),
        line=cast("int | None", late.sourceline),  # the stubs say float
        allowed=" → ".join(order),
        source=source,
    )


def _qualified_names(message: str) -> list[str]:
    """The names after "Expected is …", as `{namespace}name`; empty where nothing more may follow."""
    found = _EXPECTED_ELEMENTS.search(message)
    return [name.strip() for name in found[1].split(", ")] if found else []


def _namespace(name: str) -> str:
    """`{urn:a}b` → `urn:a`, `b` → empty."""
    return name[1:].rpartition("}")[0] if name.startswith("{") else ""


def _local(name: str) -> str:
    return name.rpartition("}")[2]


def _with_title(name: str, index: SchemaIndex) -> str:
    title = index.title(name)
    return f"{name} ({title})" if title else name


def _allowed(entry: Any, code: str, index: SchemaIndex) -> str | None:
    """The schema's expectation, in the words of the schema; never a part of the document."""
    if entry.type_name == "SCHEMAV_ELEMENT_CONTENT":
        expected = _qualified_names(entry.message)
        if code == "schema.wrong_namespace":
            return ", ".join(sorted({f'xmlns="{_namespace(name)}"' for name in expected}))
        return ", ".join(_with_title(_local(name), index) for name in expected) or None
    for kind, start, end, form in _EXPECTATIONS:
        if entry.type_name.startswith(kind):
            _value, found, expectation = entry.message.rpartition(start)
            expectation = _NAMED_TYPE.sub(r"type \1", expectation.removesuffix(end))
            return form.format(shorten(expectation)) if found else None
    return None


def _attribute(entry: Any) -> str | None:
    """The attribute that an error is about. Names cannot contain quotes, so they end where they seem to."""
    about_presence = entry.type_name.startswith(_ATTRIBUTE_PRESENCE)
    found = (_THE_ATTRIBUTE.search if about_presence else _ATTRIBUTE.match)(entry.message)
    if found is None:
        return None
    return _local(found[1])


def _masked_name(element: etree._Element, attribute: str | None, names: Names) -> str | None:
    """Of a name that is not shown: enough to find it in one's own message."""
    name = attribute or etree.QName(element).localname
    return mask(name) if names.shown(name) != name else None


def _found(code: str, element: etree._Element, attribute: str | None) -> str | None:
    """What stood there, masked. A missing thing has none; an element too many is named by its path already."""
    if code not in ("schema.value", "schema.enumeration", "schema.identity", "schema.unexpected_content"):
        return None
    value = _value(element, attribute)
    return None if value is None else mask(value)


def _value(element: etree._Element, attribute: str | None) -> str | None:
    """What stands there, unmasked: for looking at, never for repeating."""
    if attribute is None:
        return text_of(element)
    return next((str(v) for k, v in element.attrib.items() if etree.QName(k).localname == attribute), None)


def _pattern(entry: Any) -> str | None:
    """The whole pattern that a value broke; None where the error is another."""
    kind, start, end, _form = _EXPECTATIONS[0]
    _value_before, found, pattern = entry.message.rpartition(start)
    return pattern.removesuffix(end) if found and entry.type_name.startswith(kind) else None

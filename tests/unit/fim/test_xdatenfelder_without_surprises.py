"""Whatever an XDatenfelder file or the path of a finding holds: an answer or a refusal with findings, nothing else."""

from __future__ import annotations

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree
from xdf_files import at, code_list, field, group, limits, rule, schema, schema_xml, values

from xoev_schemas.fim import NoExample, NotAnXdf, example, explain, read_xdf, to_json_schema, to_xsd, unevaluated_rules
from xoev_schemas.findings import Finding, Text

FILE = schema_xml(
    at("1:1", field(1, "Name", more=limits(minLength=1, maxLength=5, pattern="[A-Z]+"), help_text="Wie?", basis="§ 1")),
    at("0:*", group(1, "Wahl", at("1:1", field(2, "A", "date")), at("0:1", field(3, "B", "num")), choice=True)),
    at("2:5", field(4, "Staat", kind="select", more=values(_01="Ja"))),
    at("0:1", field(5, "Land", kind="select", more=code_list("urn:a", "1"))),
    rules=rule(1, "Nur wenn"),
)
READ = read_xdf(FILE)


def answer_or_refusal(data: bytes) -> None:
    findings: list[Finding] = []
    try:
        read = read_xdf(data)
    except NotAnXdf as refused:
        findings = refused.findings
    if findings:
        assert all(finding.severity == "error" and finding.text.de for finding in findings)
        return
    for versioned in (True, False):
        to_xsd(read, versioned_names=versioned)
        to_json_schema(read, versioned_names=versioned)
    unevaluated_rules(read)


@given(st.integers(0, len(FILE) - 1), st.integers(0, 40), st.binary(max_size=8))
@settings(max_examples=300, deadline=None)
def test_bytes_replaced_anywhere(start: int, length: int, replacement: bytes) -> None:
    answer_or_refusal(FILE[:start] + replacement + FILE[start + length :])


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_elements_removed_doubled_renamed_or_emptied(data: st.DataObject) -> None:
    root = etree.fromstring(FILE)
    elements = list(root.iter())[1:]
    element = elements[data.draw(st.integers(0, len(elements) - 1))]
    parent = element.getparent()
    assert parent is not None
    match data.draw(st.sampled_from(["remove", "double", "rename", "text", "move"])):
        case "remove":
            parent.remove(element)
        case "double":
            parent.append(etree.fromstring(etree.tostring(element)))
        case "rename":
            element.tag = elements[data.draw(st.integers(0, len(elements) - 1))].tag
        case "text":
            element.text = data.draw(st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Z"]), max_size=9))
        case _:
            elsewhere = elements[data.draw(st.integers(0, len(elements) - 1))]
            if element not in elsewhere.iterancestors() and element is not elsewhere:
                elsewhere.append(element)
    answer_or_refusal(etree.tostring(root))


STEPS = st.sampled_from(
    ["S99000000001V1.0.0", "G99000000001", "F99000000002", "F99000000001V9.9", "F1", "0", "[2]", "@a", "*", "", "~1"]
)
CODES = st.sampled_from(
    ["schema.missing_element", "schema.unexpected_element", "schema.value", "schema.count", "schema.other", "schema.x"]
)


@given(CODES, st.lists(STEPS, max_size=6), st.none() | st.text(max_size=20) | STEPS)
@settings(max_examples=300, deadline=None)
def test_any_place_is_explained_or_left_alone(code: str, steps: list[str], allowed: str | None) -> None:
    finding = Finding(code, "error", "schema", Text("alt", "old"), path="/" + "/".join(steps), allowed=allowed)
    (explained,) = explain([finding], READ)
    assert (explained.code, explained.path, explained.allowed) == (finding.code, finding.path, finding.allowed)
    assert explained.text.de
    assert explained.text.en


def test_a_pattern_that_no_text_is_known_for_gives_no_example_instead_of_a_wrong_one() -> None:
    for pattern in ("[ÄÖÜ]{3}", "(((", "(?=x)y"):
        read = schema(at("1:1", field(1, "Sonderbar", more=limits(pattern=pattern))))
        with pytest.raises(NoExample):
            example(read, Random(1), json=True, versioned_names=True)


def test_two_megabytes_of_relations_change_nothing() -> None:
    relation = (
        "<x:relation><x:praedikat><code>ABL</code></x:praedikat><x:objekt><x:id>F1</x:id></x:objekt></x:relation>"
    )
    data = FILE.replace(b"<x:freigabestatus>", relation.encode() * 3000 + b"<x:freigabestatus>")
    assert len(data) > 2_000_000
    assert read_xdf(data) == READ

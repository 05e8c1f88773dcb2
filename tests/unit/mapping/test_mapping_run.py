"""Running mappings: what comes out, what is reported, and what never is."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping.language import CompiledMapping
from gateway.mapping.problems import Problems
from gateway.mapping.reader import compile_mapping
from gateway.mapping.run import MappingOutcome, run, run_on_case
from gateway.mapping.yaml_nodes import parse_yaml
from xoev_schemas.documents import JsonDocument, parse


def compiled(text: str, kind: str = "request") -> CompiledMapping:
    problems = Problems()
    node = parse_yaml(text, Path("dog-tax/mapping.yaml"), problems)
    assert node is not None
    mapping = compile_mapping(node, Path("dog-tax/mapping.yaml"), kind, problems)
    assert mapping is not None
    assert problems.findings == []
    return mapping


def mapped(text: str, source: dict[str, Any]) -> MappingOutcome:
    return run_on_case(compiled(text), source)


def test_a_missing_required_value_stops_the_mapping_and_names_rule_and_place() -> None:
    outcome = mapped(
        "request:\n  people:\n    each: p\n    make:\n      name: {from: n, required: true}",
        {"p": [{"n": "x"}, {"n": " "}, 1]},
    )

    assert outcome.value is None
    assert [(f.code, f.path, f.line) for f in outcome.findings] == [
        ("mapping.required_missing", "dog-tax/mapping.yaml:5 people[2]/name", 5),
        ("mapping.required_missing", "dog-tax/mapping.yaml:5 people[2]/name", 5),
    ]


def test_all_faults_come_at_once_and_none_repeats_the_value() -> None:
    outcome = mapped(
        "request:\n  a: {from: a, as: date, required: true}\n  b: {from: b, codes: {1: one}}\n"
        "  c: {from: c, required: true}",
        {"a": "Muster-A", "b": "Muster-B"},
    )

    assert [f.code for f in outcome.findings] == ["mapping.type", "mapping.code_unknown", "mapping.required_missing"]
    assert "Muster" not in json.dumps([f.as_dict() for f in outcome.findings]) + repr(outcome)


def test_several_values_for_one_place_are_reported_and_the_first_is_taken() -> None:
    outcome = mapped("request:\n  a: {from: x}\n  b: {from: 'x[2]'}", {"x": ["1", "2"]})

    assert outcome.value == {"a": "1", "b": "2"}
    assert [(f.code, f.severity) for f in outcome.findings] == [("mapping.more_than_one", "warning")]


def test_nothing_in_a_part_whose_condition_does_not_hold_is_required() -> None:
    text = "request:\n  a:\n    when: {path: kind, in: [x, y]}\n    b: {from: missing, required: true}\n  c: 1"

    assert mapped(text, {"kind": "z"}).value == {"c": 1}
    assert mapped(text, {"kind": "x"}).value is None


def test_the_trace_says_which_rule_made_what_from_where_and_can_be_shown_masked() -> None:
    outcome = mapped(
        "request:\n  people:\n    - each: p\n      make: {name: {from: n}}", {"p": [{"n": "Muster"}, {"n": "Zwei"}]}
    )

    line = outcome.trace[1]
    assert (line.target, line.source, line.rule, line.value) == (
        "people[2]/name",
        "p[2]/n",
        "dog-tax/mapping.yaml:4",
        "Zwei",
    )
    assert line.masked == "4 characters: letters"
    assert "Zwei" not in repr(line)


def test_only_attachments_that_a_request_names_go_to_the_target() -> None:
    case = {"attachments": [{"attachmentId": "1", "purpose": "form"}, {"attachmentId": "2", "purpose": "report"}]}

    assert mapped("request:\n  a: {attachments: all}", case).attachment_ids == ("1", "2")
    assert mapped("request:\n  a: {attachments: {purpose: [report]}}", case).attachment_ids == ("2",)
    assert mapped("request:\n  n: {each: attachments, make: {from: purpose}}", case).attachment_ids == ()
    marked = (
        "request:\n  n:\n    each: attachments\n"
        "    make: {$attachment: {from: attachmentId}, when: {path: purpose, equals: form}}"
    )
    assert mapped(marked, case).attachment_ids == ("1",)


def test_a_request_that_makes_nothing_is_an_empty_object() -> None:
    assert mapped("request:\n  a: {from: x}", {}).value == {}


@pytest.mark.parametrize("written", ["true", "1", "ja", True])
def test_a_condition_on_true_understands_every_way_to_write_it(written: object) -> None:
    assert mapped("request:\n  a: {const: 1, when: {path: x, equals: true}}", {"x": written}).value == {"a": 1}
    assert mapped("request:\n  a: {const: 1, when: {path: x, equals: false}}", {"x": written}).value == {}


FIM = """
case:
  applicants:
    - role: applicant
      person:
        familyName: {from: G60000000001/F60000000227}
        birthDate: {from: G60000000001/G60000000083, as: partial-date}
  data:
    dogs:
      each: G99000000002
      make:
        name: {from: F99000000001}
        fee: {from: F99000000002, as: money}
        guide: {from: F99000000003, as: boolean}
"""
text = st.text(st.characters(min_codepoint=33, max_codepoint=0x24F, exclude_categories=["Cc", "Cs"]), max_size=12)
dogs = st.fixed_dictionaries({}, optional={
    "F99000000001V1.0.0": text,
    "F99000000002V1.0.0": st.decimals(min_value=0, max_value=999, places=2).map(float),
    "F99000000003V1.0.0": st.booleans(),
})  # fmt: skip
submissions = st.fixed_dictionaries({}, optional={
    "G60000000001V1.0.0": st.fixed_dictionaries({}, optional={
        "F60000000227V1.1.0": text,
        "G60000000083V1.1.0": st.fixed_dictionaries(
            {"F60000000233V1.1.0": st.integers(1850, 2080)}, optional={"F60000000232V1.1.0": st.integers(1, 12)}
        ),
    }),
    "G99000000002V1.0.0": st.lists(dogs, max_size=3),
})  # fmt: skip


def as_xml(name: str, value: Any) -> str:
    if isinstance(value, list):
        return "".join(as_xml(name, item) for item in value)
    if isinstance(value, dict):
        return f"<{name}>{''.join(as_xml(key, member) for key, member in value.items())}</{name}>"
    shown = (
        str(value).lower() if isinstance(value, bool) else f"{value:.2f}" if isinstance(value, float) else str(value)
    )
    return f"<{name}>{escape(shown)}</{name}>"


@given(submissions)
def test_xml_and_json_of_the_same_fim_content_map_alike(content: dict[str, Any]) -> None:
    mapping = compiled(FIM, "case")

    from_json = run(mapping, parse(json.dumps(content).encode(), "application/json"))
    from_xml = run(mapping, parse(as_xml("S99000000001V1.0.0", content).encode(), "application/xml"))

    assert from_xml.value == from_json.value
    assert from_xml.value is not None


@given(submissions)
def test_a_mapping_is_pure(content: dict[str, Any]) -> None:
    mapping, before = compiled(FIM, "case"), copy.deepcopy(content)

    first, second = run(mapping, JsonDocument(content)), run(mapping, JsonDocument(content))

    assert (first.value, first.findings) == (second.value, second.findings)
    assert content == before


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=8),
    lambda below: (
        st.lists(below, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "attachmentId"]), below, max_size=3)
    ),
    max_leaves=15,
)


@given(st.dictionaries(st.sampled_from(["a", "b"]), json_values))
def test_a_result_never_holds_anything_empty_whatever_comes_in(source: dict[str, Any]) -> None:
    outcome = mapped(
        "request:\n  x: {each: a, make: {y: {from: b}, z: [{from: a}, {each: //b, make: {from: .}}]}}\n"
        "  t: {from: //a}",
        source,
    )

    def empty(value: Any) -> bool:
        inside = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        return value in (None, "", [], {}) or any(empty(member) for member in inside)

    assert outcome.value is not None
    assert not any(empty(member) for member in outcome.value.values())

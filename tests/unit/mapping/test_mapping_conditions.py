"""Conditions mean the same wherever they stand: in mappings, targets and rules."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mapping.condition_reader import read_condition
from gateway.mapping.conditions import Condition, blamed, compiled_condition, measure
from gateway.mapping.nodes import JsonNode, json_steps
from gateway.mapping.problems import Problems
from gateway.mapping.run import document_node
from gateway.mapping.yaml_nodes import parse_yaml
from xoev_schemas.documents import parse
from xoev_schemas.findings import Finding

FILE = Path("rules.yaml")


def read(text: str) -> tuple[Condition | None, list[Finding]]:
    problems = Problems()
    node = parse_yaml(text, FILE, problems)
    assert node is not None
    return read_condition(node, problems), problems.findings


def condition(text: str) -> Condition:
    made, findings = read(text)
    assert made is not None, findings
    assert findings == []
    return made


def holds(text: str, value: Any) -> bool:
    return compiled_condition(condition(text))(JsonNode(value))


@pytest.mark.parametrize(
    ("text", "value", "expected"),
    [
        ("{path: a, present: true}", {"a": 0}, True),
        ("{path: a, present: true}", {"a": "  "}, False),
        ("{path: a, present: false}", {}, True),
        ("{path: a, equals: '01'}", {"a": "01"}, True),
        ("{path: a, equals: 01}", {"a": "01"}, True),
        ("{path: a, equals: true}", {"a": "1"}, True),
        ("{path: a, equals: true}", {"a": "perhaps"}, False),
        ("{path: a, in: [x, y]}", {"a": "y"}, True),
        ("{path: a, in: [x, y]}", {"a": "z"}, False),
        ("{path: [a, b], equals: x}", {"b": "x"}, True),
        ("{path: a, equals: {path: b}}", {"a": " x", "b": "x "}, True),
        ("{path: a, equals: {path: b}}", {"a": "x", "b": "y"}, False),
        ("{path: a, equals: {path: b}}", {}, False),
        ("{path: a, matches: '[0-9]{5}'}", {"a": "44137"}, True),
        ("{path: a, matches: '[0-9]{5}'}", {"a": "441370"}, False),
        ("{path: a, matches: 'x|y'}", {"a": "xy"}, False),
        ("{path: a, at_least: 18}", {"a": 18}, True),
        ("{path: a, at_least: 18}", {"a": "17.99"}, False),
        ("{path: a, at_most: 12.5}", {"a": "12,50"}, True),
        ("{path: a, at_most: 2026-03-01}", {"a": "01.03.2026"}, True),
        ("{path: a, at_most: 2026-03-01}", {"a": "2026-03-02"}, False),
        ("{path: a, at_least: {path: b}}", {"a": "2026-03-02", "b": "2026-03-02"}, True),
        ("{path: a, at_least: {path: b}}", {"a": "10", "b": "9"}, True),
        ("{path: a, at_least: 1}", {"a": "2026-03-02"}, False),
        ("{path: a, at_least: 1}", {"a": "many"}, False),
        ("{path: a, at_most: 1}", {}, False),
        ("{not: {path: a, equals: x}}", {"a": "y"}, True),
        ("{not: {path: a, equals: x}}", {"a": "x"}, False),
        ("{all: [{path: a, present: true}, {path: b, present: true}]}", {"a": 1}, False),
        ("{any: [{path: a, present: true}, {path: b, present: true}]}", {"b": 1}, True),
        ("{any: [{path: a, present: true}, {not: {path: b, present: true}}]}", {"b": 1}, False),
    ],
)
def test_a_condition_holds_or_does_not(text: str, value: dict[str, Any], expected: bool) -> None:
    assert holds(text, value) is expected


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{path: a}", "mapping.condition"),
        ("{path: a, equals: x, in: [y]}", "mapping.condition"),
        ("{equals: x}", "mapping.condition"),
        ("{path: a, not: {path: b, present: true}}", "mapping.condition"),
        ("{path: a, at_leest: 1}", "mapping.unknown_option"),
        ("{path: a, at_least: soon}", "mapping.bound"),
        ("{path: a, at_least: [1]}", "mapping.bound"),
        ("{path: a, at_most: {path: 'b['}}", "mapping.path"),
        ("{path: a, matches: '('}", "mapping.pattern"),
        ("{path: a, matches: 'a)|(b'}", "mapping.pattern"),
        ("{path: a, matches: '(?=x)y'}", "mapping.pattern"),
        ("{path: a, matches: [x]}", "mapping.pattern"),
        ("{path: a, equals: }", "mapping.constant"),
        ("{all: {path: a, present: true}}", "mapping.list"),
        ("{any: []}", "mapping.list"),
        ("{all: [{path: a}]}", "mapping.condition"),
        ("{not: x}", "mapping.options"),
    ],
)
def test_a_faulty_condition_is_told_with_its_place_and_what_to_do(text: str, code: str) -> None:
    _, findings = read(text)

    told = {finding.code: finding for finding in findings}
    assert code in told
    assert (told[code].line, told[code].path) == (1, "rules.yaml")
    assert all((told[code].remedy.de, told[code].remedy.en))


def test_an_expression_that_would_go_astray_elsewhere_takes_no_time_here() -> None:
    text = condition("{path: a, matches: '(a+)+b'}")
    begun = time.perf_counter()

    assert compiled_condition(text)(JsonNode({"a": "a" * 100_000})) is False
    assert time.perf_counter() - begun < 1.0


@given(st.text(max_size=40))
def test_a_measure_never_raises_and_a_bound_is_about_equal_kinds(text: str) -> None:
    taken = measure(text)
    least, most = "{path: a, at_least: {path: a}}", "{path: a, at_most: {path: a}}"
    there = bool(JsonNode(text).text())

    assert holds(least, {"a": text}) is holds(most, {"a": text}) is (there and measure(text.strip()) is not None)
    assert taken is None or holds(least, {"a": text})


@pytest.mark.parametrize(
    ("text", "steps", "allowed"),
    [
        ("{path: b/c, equals: x}", ["b", 1, "c"], "x"),
        ("{path: b/nothing/there, present: true}", ["b", 0], None),
        ("{path: 'b[2]/d', at_most: 3}", ["b", 1], "≤ 3"),
        ("{all: [{path: a, present: true}, {path: a, at_least: {path: z}}]}", ["aV"], "≥ z"),
        ("{not: {path: a, present: true}}", ["aV"], None),
        ("{any: [{path: z, present: true}, {path: y, present: true}]}", [], None),
        ("{path: list, matches: '[a-z]'}", ["list", 1, 0], "[a-z]"),
    ],
)
def test_the_place_to_blame_is_the_one_looked_at_or_the_nearest_around_it(
    text: str, steps: list[str | int], allowed: str | None
) -> None:
    text = text.replace("path: a", "path: F60000000227")
    steps = ["F60000000227V1.1.0" if step == "aV" else step for step in steps]
    document = parse(
        b'{"F60000000227V1.1.0": 5, "b": [{"x": 1}, {"c": "wrong"}], "list": [null, ["1"]]}', "application/json"
    )

    node, told = blamed(condition(text), document_node(document))

    assert isinstance(node, JsonNode)
    assert (json_steps(node), told) == (steps, allowed)

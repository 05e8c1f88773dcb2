"""Faults in mapping files: all at once, each with its line and the nearest valid alternative."""

from __future__ import annotations

from pathlib import Path

import pytest

from gateway.errors import ConfigurationError
from gateway.mapping.language import CompiledMapping
from gateway.mapping.problems import Problems
from gateway.mapping.reader import read_mapping
from xoev_schemas.findings import Finding


def read(folder: Path, text: str, kind: str = "request") -> tuple[CompiledMapping | None, list[Finding]]:
    file = folder / "mapping.yaml"
    file.write_text(text, encoding="utf-8")
    problems = Problems()
    return read_mapping(file, kind, problems), problems.findings


@pytest.mark.parametrize(
    ("text", "line", "code", "hint"),
    [
        ("request:\n  a: {from: x, as: intger}", 2, "mapping.unknown_kind", "integer"),
        ("request:\n  a: {from: x, requird: true}", 2, "mapping.unknown_option", "required"),
        ("request:\n  a:\n    form: x\n    required: true", 4, "mapping.option_without_rule", "=required"),
        ("request:\n  a: {from: 'x['}", 2, "mapping.path", ""),
        ("request:\n  a: {from: ''}", 2, "mapping.path", ""),
        ("request:\n  a: {from: x, const: y}", 2, "mapping.two_directives", ""),
        ("request:\n  a:", 2, "mapping.constant", ""),
        ("request:\n  a: {each: x}", 2, "mapping.each_without_make", ""),
        ("request:\n  a: {concat: x}", 2, "mapping.list", ""),
        ("request:\n  a: {from: x, when: {path: y}}", 2, "mapping.condition", ""),
        ("request:\n  a: {from: x, when: {path: y, equal: z}}", 2, "mapping.unknown_option", "equals"),
        ("request:\n  a: {from: x, required: maybe}", 2, "mapping.boolean", ""),
        ("request:\n  a: {from: x, codelist: farben}", 2, "mapping.unknown_codelist", ""),
        ("request:\n  a: {from: x, codes: [1]}", 2, "mapping.code_table", ""),
        ("request:\n  a: {from: x, codes: {1: null}}", 2, "mapping.code_value", ""),
        ("request:\n  a: {from: x, as: boolean, codes: {1: maybe}}", 2, "mapping.code_value", ""),
        ("request:\n  a: 1\n  a: 2", 3, "config.duplicate_key", ""),
        ("requests:\n  a: 1", 1, "mapping.top_level", ""),
        ("request: {a: 1}\nrequets: {b: 2}", 2, "mapping.unknown_key", "request"),
        ("request: [1]", 1, "mapping.top_level", ""),
        ("request: {a: 1", 1, "config.not_yaml", ""),
        ("", None, "config.empty", ""),
    ],
)
def test_a_fault_is_named_with_its_line_and_a_hint(
    tmp_path: Path, text: str, line: int | None, code: str, hint: str
) -> None:
    _, findings = read(tmp_path, text)

    found = {finding.code: finding for finding in findings}
    assert code in found
    assert found[code].line == line or code == "config.not_yaml"
    assert found[code].path == str(tmp_path / "mapping.yaml")
    assert hint in found[code].remedy.en
    assert found[code].text.de != found[code].text.en


def test_every_fault_of_a_file_is_found_in_one_go(tmp_path: Path) -> None:
    _, findings = read(tmp_path, "request:\n  a: {from: 'x['}\n  b: {from: x, as: dat}\n  c:\n    - {each: y}\n")

    assert [(f.line, f.code) for f in findings] == [
        (2, "mapping.path"),
        (3, "mapping.unknown_kind"),
        (5, "mapping.each_without_make"),
    ]
    with pytest.raises(ConfigurationError, match=r"mapping\.yaml:3"):
        Problems(findings).raise_if_any()


def test_a_missing_code_list_is_answered_with_the_nearest_one_there_is(tmp_path: Path) -> None:
    (tmp_path / "codelists").mkdir()
    (tmp_path / "codelists" / "hunderassen.yaml").write_text("01: Dackel", encoding="utf-8")

    _, findings = read(tmp_path, "request:\n  a: {from: x, codelist: hunderasse}")

    assert findings[0].remedy.de == "Meinten Sie „hunderassen“?"


def test_attachments_of_a_case_are_not_for_the_mapping(tmp_path: Path) -> None:
    _, findings = read(tmp_path, "case:\n  data: {files: {attachments: all}}", kind="case")

    assert [f.code for f in findings] == ["mapping.attachments_in_case"]


@pytest.mark.parametrize(
    "text",
    ["a: &a [*a, *a]", "a: &a [x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b]\n"
     "d: &d [*c,*c,*c,*c,*c,*c,*c,*c]\ne: &e [*d,*d,*d,*d,*d,*d,*d,*d]\nf: [*e,*e,*e,*e,*e,*e,*e,*e]"],
)  # fmt: skip
def test_aliases_that_multiply_are_refused(tmp_path: Path, text: str) -> None:
    _, findings = read(tmp_path, text)

    assert "config.too_deep" in {f.code for f in findings}


def test_codes_that_look_like_numbers_dates_or_words_stay_text(tmp_path: Path) -> None:
    mapping, findings = read(tmp_path, "request:\n  a: {from: x, codes: {01: no, 0200: 2026-01-01, yes: 1e3}}")

    assert findings == []
    assert mapping is not None
    assert getattr(mapping.root.members["a"], "codes", None) == {"01": "no", "0200": "2026-01-01", "yes": "1e3"}

"""The page about the language is true: every example in it is run."""

from __future__ import annotations

import json
import re
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Any

import pytest
from mapping_world import with_list

from gateway.mapping import functions
from gateway.mapping.characters import CHARACTERS
from gateway.mapping.problems import Problems
from gateway.mapping.reader import WORDS, compile_mapping
from gateway.mapping.run import run, run_on_case
from gateway.mapping.values import KINDS
from gateway.mapping.yaml_nodes import parse_yaml
from xoev_schemas.documents import parse

PAGE = Path(__file__).resolve().parents[3] / "docs" / "reference" / "mapping-language.md"
BLOCK = re.compile(r"^## (?P<title>[^\n]+)$|^```(?P<kind>yaml|json|xml)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def examples() -> list[tuple[str, list[tuple[str, str]]]]:
    """(heading, [mapping, what it reads, what it makes])."""
    found: list[tuple[str, list[tuple[str, str]]]] = []
    title = ""
    for block in BLOCK.finditer(PAGE.read_text(encoding="utf-8")):
        if block["title"]:
            title = block["title"]
        elif block["kind"] == "yaml":
            found.append((title, [(block["kind"], block["text"])]))
        else:
            found[-1][1].append((block["kind"], block["text"]))
    return found


@pytest.fixture(autouse=True)
def _function(monkeypatch: pytest.MonkeyPatch) -> None:
    """The function that the page calls."""
    entry = EntryPoint("school-number", "mapping_world:school_number", functions.GROUP)
    monkeypatch.setattr(functions, "entry_points", lambda **_: (entry,))


def made(mapping: str, kind: str, source: str, folder: Path) -> dict[str, Any] | None:
    """folder: with what the page's mappings find beside them and installed."""
    problems = Problems()
    form = mapping.partition(":")[0]
    node = parse_yaml(mapping, PAGE, problems)
    assert node is not None
    (folder / "codelists").mkdir()
    (folder / "codelists" / "districts.csv").write_text("plz;office;name\n44135;B;Mitte\n", encoding="utf-8")
    compiled = compile_mapping(node, folder / "mapping.yaml", form, problems, with_list(folder, "3"))
    assert compiled is not None, problems.findings
    assert problems.findings == []
    if form == "case":
        return run(compiled, parse(source.encode(), f"application/{kind}")).value
    return run_on_case(compiled, json.loads(source)).value


def test_the_page_has_an_example_for_every_directive() -> None:
    text = PAGE.read_text(encoding="utf-8")

    for word in WORDS:
        assert re.search(rf"^[^\n|]*\b{word}:", text, re.MULTILINE), word


def test_the_page_names_every_form_of_a_value() -> None:
    text = PAGE.read_text(encoding="utf-8")

    for kind in (*KINDS, *CHARACTERS):
        assert f"`{kind}`" in text or f": {kind}`" in text, kind


def test_the_language_fits_on_two_pages() -> None:
    prose = BLOCK.sub("", PAGE.read_text(encoding="utf-8"))
    lines = [line for line in prose.splitlines() if line.strip()]

    assert len(lines) <= 2 * 60


@pytest.mark.parametrize(("title", "blocks"), examples(), ids=[title for title, _ in examples()])
def test_an_example_makes_what_the_page_says(title: str, blocks: list[tuple[str, str]], tmp_path: Path) -> None:
    (_, mapping), (kind, source), (_, expected) = blocks

    assert made(mapping, kind, source, tmp_path) == json.loads(expected)

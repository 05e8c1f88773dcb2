"""The page about the language is true: every example in it is run."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from gateway.mapping.problems import Problems
from gateway.mapping.reader import compile_mapping
from gateway.mapping.run import run, run_on_case
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


def made(mapping: str, kind: str, source: str) -> dict[str, Any] | None:
    problems = Problems()
    form = mapping.partition(":")[0]
    node = parse_yaml(mapping, PAGE, problems)
    assert node is not None
    compiled = compile_mapping(node, PAGE, form, problems)
    assert compiled is not None, problems.findings
    assert problems.findings == []
    if form == "case":
        return run(compiled, parse(source.encode(), f"application/{kind}")).value
    return run_on_case(compiled, json.loads(source)).value


def test_the_page_has_an_example_for_every_directive() -> None:
    text = PAGE.read_text(encoding="utf-8")

    assert len(examples()) >= 10
    for word in (
        "from",
        "concat",
        "const",
        "each",
        "first",
        "attachments",
        "when",
        "codes",
        "as",
        "default",
        "required",
    ):
        assert re.search(rf"^[^\n|]*\b{word}:", text, re.MULTILINE), word


@pytest.mark.parametrize(("title", "blocks"), examples(), ids=[title for title, _ in examples()])
def test_an_example_makes_what_the_page_says(title: str, blocks: list[tuple[str, str]]) -> None:
    (_, mapping), (kind, source), (_, expected) = blocks

    assert made(mapping, kind, source) == json.loads(expected)

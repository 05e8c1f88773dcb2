"""The reference pages that people wrote name exactly what the code has: keys of packages, codes of findings."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Set
from pathlib import Path
from typing import get_args

import pytest
from pydantic import BaseModel

from adapters.amqp.adapter import AmqpSettings
from adapters.base import FailureClass
from adapters.folder.settings import FolderProbe, FolderSettings, ReceiptFile
from adapters.http import HttpSettings
from adapters.rest.settings import Asynchronous, RestProbe, RestSettings
from adapters.settings import AdapterSettings, keys_of
from adapters.soap.adapter import SoapProbe, SoapSettings
from gateway.delivery import DELIVERY_TRANSITIONS, SUBMISSION_TRANSITIONS
from gateway.delivery.words import CLASSES, REMEDIES, STATES, explain
from gateway.packages.forms import (
    AcceptsForm,
    AttachmentsForm,
    ClientForm,
    RetryForm,
    RuleForm,
    ServiceForm,
    TargetForm,
)
from gateway.packages.rule_files import CONDITIONS
from gateway.store.records import DeadLetterState

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "reference"
_CODE = re.compile(r"`([a-z_]+\.[a-z_]+)`")
_OURS = re.compile(
    r"(?:attachment|xml|json|text|media_type|codelist|convention|fim|schemas?|schematron|metadata|config|mapping|service|sample)\.[a-z_]+"
)
_WIRE = re.compile(r"(?:dns|tcp|tls|proxy|http|soap|rest|target|amqp|folder|sftp|request)\.[a-z_]+")
_FILES = (".yaml", ".json", ".xml", ".lock")
"""Endings of string constants that look like a code and name a file."""


def first_cells(page: str) -> dict[str, list[set[str]]]:
    """Heading → for each table below it, the words in backticks in its first column."""
    found: dict[str, list[set[str]]] = {}
    heading, open_table = "", False
    for line in page.splitlines():
        if line.startswith("#"):
            heading = line.lstrip("# ")
        if not line.startswith("|"):
            open_table = False
            continue
        if not open_table:
            found.setdefault(heading, []).append(set())
            open_table = True
        found[heading][-1] |= set(re.findall(r"`([^`]+)`", line.split("|")[1]))
    return found


def own(model: type[BaseModel], *bases: type[BaseModel]) -> set[str]:
    return set(keys_of(model)) - {key for base in bases for key in keys_of(base)}


_SHARED_BY_BOTH = {"repeat_mark", "success", "already_there"}
_MEDIA_TYPES = {"multipart/form-data", "application/x-www-form-urlencoded"}


@pytest.mark.parametrize(
    ("heading", "tables"),
    [
        ("`services/NAME/service.yaml`", [own(ServiceForm)]),
        ("`accepts`", [own(AcceptsForm)]),
        ("`rules`", [own(RuleForm) | set(CONDITIONS)]),
        ("`attachments`", [own(AttachmentsForm)]),
        ("`targets/NAME/target.yaml`", [own(TargetForm) | {"when"}]),
        ("`retry`", [own(RetryForm)]),
        ("SOAP and REST", [own(HttpSettings, AdapterSettings) | _SHARED_BY_BOTH]),
        ("SOAP only", [own(SoapSettings, HttpSettings) - _SHARED_BY_BOTH, own(SoapProbe)]),
        (
            "REST only",
            [own(RestSettings, HttpSettings) - _SHARED_BY_BOTH, _MEDIA_TYPES, own(Asynchronous), own(RestProbe)],
        ),
        ("AMQP", [own(AmqpSettings, AdapterSettings)]),
        ("Folder", [own(FolderSettings, AdapterSettings), own(FolderProbe), own(ReceiptFile)]),
        ("`clients/NAME.yaml`", [own(ClientForm)]),
    ],
)
def test_the_page_on_packages_names_every_key_and_no_other(heading: str, tables: list[set[str]]) -> None:
    page = (PAGES / "package-format.md").read_text(encoding="utf-8")
    assert first_cells(page)[heading] == tables


def constants(*folders: str) -> Iterator[str]:
    """String constants of the modules; an f-string counts with its first piece."""
    for folder in folders:
        for file in (ROOT / folder).rglob("*.py"):
            if "testkit" in file.parts:
                continue
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield node.value


def codes(pattern: re.Pattern[str], *folders: str) -> set[str]:
    return {text for text in constants(*folders) if pattern.fullmatch(text) and not text.endswith(_FILES)}


def documented(*headings: str, without: tuple[str, ...] = ()) -> set[str]:
    """Codes that stand in the first column below these headings (empty: below every other one)."""
    tables = first_cells((PAGES / "findings.md").read_text(encoding="utf-8"))
    chosen = [table for heading, t in tables.items() if heading in headings or not headings for table in t]
    left_out = set().union(*(table for heading in without for table in tables[heading]))
    return {code for code in set().union(*chosen) if _CODE.fullmatch(f"`{code}`")} - left_out


ATTEMPTS = "Attempts at a department system"


def test_the_page_on_findings_has_every_code_that_a_finding_can_carry() -> None:
    from gateway.intake import metadata

    made = codes(_OURS, "xoev_schemas", "gateway", "adapters") - {"mapping.crashed", "config.path"}
    made |= {f"metadata.{name}" for name in (*metadata._CODES.values(), "not_allowed")}
    assert documented(without=(ATTEMPTS,)) == made


def test_the_page_on_findings_has_every_code_that_an_attempt_can_carry() -> None:
    made = codes(_WIRE, "adapters")
    written = {code for code in documented(ATTEMPTS) if _WIRE.fullmatch(code)}
    assert written == made


def test_every_code_that_an_attempt_can_carry_has_words_in_both_languages() -> None:
    silent = {code for code in codes(_WIRE, "adapters") if explain(code) is None}
    varying = {"http.503", "oauth.http.500", "oauth.tcp.refused", "probe.http.read_timeout", "bug.KeyError"}
    assert silent | {code for code in varying if explain(code) is None} == set()


def test_every_class_of_failure_has_words_and_a_remedy_or_the_common_one() -> None:
    assert set(CLASSES) == {*get_args(FailureClass), "clarify", "requirement", "order"}
    assert set(REMEDIES) <= set(CLASSES)


def test_every_state_and_outcome_has_a_word_in_german() -> None:
    outcomes = {"delivered", "skipped", "failed", "dead", "unknown"}
    assert set(STATES) == {*DELIVERY_TRANSITIONS, *get_args(DeadLetterState), *outcomes}


@pytest.mark.parametrize(
    ("heading", "table"),
    [("States of a submission", SUBMISSION_TRANSITIONS), ("States of a delivery", DELIVERY_TRANSITIONS)],
)
def test_the_page_on_the_way_has_the_states_of_the_code(heading: str, table: Mapping[str | None, Set[str]]) -> None:
    page = (ROOT / "docs" / "explanation" / "the-way.md").read_text(encoding="utf-8")
    section = page.partition(f"## {heading}\n")[2].partition("\n## ")[0]
    rows = [line.split("|") for line in section.splitlines() if line.startswith("| ") and "| from |" not in line]
    written = {row[1].strip().strip("`"): re.findall(r"`(\w+)`", row[2]) for row in rows}
    assert written == {str(old or "(none)"): sorted(new) for old, new in table.items()}

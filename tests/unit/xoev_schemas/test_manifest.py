"""Every published and constructed message through every layer, with everything published installed.

`manifest.tsv` says, message by message, what comes out: one line per file below `xoev`, the verdict, the codes of the
findings by severity (`code*3`: three of them, told in the order of their codes), and a note where the verdict is not
what the collection's own list (`INSTANCES.tsv`) lets expect. That list is held against the same judgements.
"""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from checking_support import install_published

from xoev_schemas.documents import Unreadable
from xoev_schemas.findings import Finding
from xoev_schemas.ladder import Checker

MANIFEST = Path(__file__).with_name("manifest.tsv")
SEVERITIES = ("error", "warning", "info")
WITHOUT_SCHEMA = "(schema not available)"

Row = dict[str, str]


def rows(file: Path) -> list[Row]:
    with file.open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


@pytest.fixture(scope="module")
def instances(test_data: Path) -> list[Row]:
    return rows(test_data / "xoev/INSTANCES.tsv")


def told(findings: list[Finding], severity: str) -> str:
    counts = Counter(finding.code for finding in findings if finding.severity == severity)
    return " ".join(code if count == 1 else f"{code}*{count}" for code, count in sorted(counts.items()))


def judged(checker: Checker, data: bytes) -> tuple[str, list[Finding]]:
    """(verdict, findings); the verdict is `valid`, `invalid`, `not judged` or `unreadable`."""
    try:
        judgement = checker.check(data, "application/xml")
    except Unreadable as refusal:
        return "unreadable", refusal.findings
    return {True: "valid", False: "invalid", None: "not judged"}[judgement.valid], judgement.findings


def line(checker: Checker, file: str, data: bytes) -> Row:
    verdict, findings = judged(checker, data)
    return {"file": file, "verdict": verdict, **{f"{s}s": told(findings, s) for s in SEVERITIES}}


def test_every_message_is_judged_as_the_manifest_says(
    everything: Checker, test_data: Path, instances: list[Row]
) -> None:
    expected = [{key: value for key, value in row.items() if key != "note"} for row in rows(MANIFEST)]

    actual = [line(everything, row["file"], (test_data / "xoev" / row["file"]).read_bytes()) for row in instances]

    assert [row for row in actual if row not in expected] == []
    assert len(actual) == len(expected) == 68


def test_the_verdicts_of_the_collections_own_list_are_the_schemas(
    everything: Checker, test_data: Path, instances: list[Row]
) -> None:
    """Its xsd_result is about the schema alone."""
    actual = {}
    for row in instances:
        verdict, findings = judged(everything, (test_data / "xoev" / row["file"]).read_bytes())
        broken = any(finding.layer == "schema" and finding.severity == "error" for finding in findings)
        by_schema = {"unreadable": "not-well-formed", "not judged": row["xsd_result"]}
        actual[row["file"]] = by_schema.get(verdict, "xsd-invalid" if broken else "xsd-valid")
        assert (verdict == "not judged") is (row["schema"] == WITHOUT_SCHEMA), row["file"]

    assert actual == {row["file"]: row["xsd_result"] for row in instances}


def test_the_rules_that_the_notes_name_are_those_that_fail(
    everything: Checker, test_data: Path, instances: list[Row]
) -> None:
    noted = {row["file"]: row["first_error_or_note"].split()[2] for row in instances if "Schematron sch-" in str(row)}
    assert len(noted) == 2

    for file, rule in noted.items():
        _, findings = judged(everything, (test_data / "xoev" / file).read_bytes())
        failed = [finding.source for finding in findings if finding.layer == "schematron"]
        assert failed == [f"xoev:xbau/2.6, {rule}"]


def test_the_first_error_of_the_list_is_among_the_findings_at_its_line(
    everything: Checker, test_data: Path, instances: list[Row]
) -> None:
    for row in [row for row in instances if row["xsd_result"] == "xsd-invalid"]:
        number = int(row["first_error_or_note"].removeprefix("line ").partition(":")[0])
        _, findings = judged(everything, (test_data / "xoev" / row["file"]).read_bytes())
        first = next(finding for finding in findings if finding.layer == "schema")
        # What is missing is told at the element that came instead or at the one it is missing in: the parser's line.
        assert first.line == number, row["file"]


def test_a_code_that_no_version_of_its_list_has_fails_there_and_only_there(
    everything: Checker, test_data: Path
) -> None:
    """The collection's note on this message says so of its code 9999, which every published version of the list has."""
    file = "xbau-2.6/instances/constructed-invalid-codelist-anlageart_0200.xml"
    published = (test_data / "xoev" / file).read_bytes()
    assert published.count(b"<code>9999</code>") == 1

    verdict, findings = judged(everything, published.replace(b"<code>9999</code>", b"<code>9998</code>"))

    assert (verdict, told(findings, "error")) == ("invalid", "codelist.code_unknown")
    assert judged(everything, published)[0] == "valid"


def test_validate_says_of_messages_without_a_schema_that_it_cannot_tell(
    test_data: Path, instances: list[Row], tmp_path: Path
) -> None:
    install_published(test_data, tmp_path / "home/schemas")
    files = [str(test_data / "xoev" / row["file"]) for row in instances if row["schema"] == WITHOUT_SCHEMA]
    assert len(files) == 13

    done = subprocess.run(
        [sys.executable, "-m", "gateway", "validate", "--json", *files],
        env={**os.environ, "GATEWAY_HOME": str(tmp_path / "home")},
        cwd=tmp_path,
        capture_output=True,
        timeout=60,
    )

    assert done.returncode == 2
    assert [(entry["file"], entry["valid"]) for entry in json.loads(done.stdout)] == [(file, None) for file in files]

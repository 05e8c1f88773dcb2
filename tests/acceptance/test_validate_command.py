"""`gateway validate` as a portal developer types it: forms of report, languages, values, exit codes."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from gateway.cli import run
from gateway.services import shipped_folder

SAMPLES = shipped_folder() / "services" / "hundesteuer-anmeldung" / "samples"
GOOD = SAMPLES / "one-dog-xml" / "data.xml"
BAD = SAMPLES / "invalid-breed-and-chip-number-xml" / "data.xml"
CHIP = "<F99000000006V1.0.0>"


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("LC_ALL", "LC_MESSAGES", "LANG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def typed(capsys: pytest.CaptureFixture[str], *words: str | Path) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    code = run(["validate", *map(str, words)])
    told = capsys.readouterr()
    return code, told.out, told.err


def test_a_terminal_shows_the_line_the_place_and_what_to_do(capsys: pytest.CaptureFixture[str]) -> None:
    code, told, aside = typed(capsys, BAD)
    assert code == 1
    assert "not valid by the standard (fim:S99000000001V1.0.0) · not accepted by this gateway" in told
    assert f"      28 │     {CHIP}••••</F99000000006V1.0.0>\n         │     ▲\n" in told
    assert "      Place: /S99000000001V1.0.0/G99000000002V1.0.0/F99000000006V1.0.0 · line 28, column 5\n" in told
    assert "      To do: " in told
    assert "--show-values" in aside


def test_values_are_shown_to_who_asks_on_a_terminal_and_never_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    value = BAD.read_text(encoding="utf-8").partition(CHIP)[2].partition("<")[0]
    assert f"{CHIP}{value}<" in typed(capsys, BAD, "--show-values")[1]
    assert f'"{value}"' not in typed(capsys, BAD, "--show-values", "--json")[1]


@pytest.mark.parametrize("how", [["--lang", "de"], ["LANG=de_DE.UTF-8"]])
def test_it_speaks_the_language_of_its_reader(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, how: list[str]
) -> None:
    if how[0].startswith("LANG"):
        monkeypatch.setenv("LANG", "de_DE.UTF-8")
        how = []
    told = typed(capsys, BAD, *how)[1]
    assert "nicht gültig nach dem Standard" in told
    assert "Abhilfe: " in told


def test_json_is_one_array_with_the_places_of_all_files(capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _aside = typed(capsys, GOOD, BAD, "--format", "json")
    verdicts = json.loads(told)
    assert code == 1
    assert [(verdict["file"], verdict["valid"]) for verdict in verdicts] == [(str(GOOD), True), (str(BAD), False)]
    errors = [finding for finding in verdicts[1]["findings"] if finding["severity"] == "error"]
    assert [(finding["line"], finding["column"]) for finding in errors] == [(20, 5), (28, 5)]


@pytest.mark.parametrize("form", ["text", "json", "html"])
def test_a_report_goes_to_a_file_and_nothing_else_to_the_terminal(
    capsys: pytest.CaptureFixture[str], folder: Path, form: str
) -> None:
    code, told, aside = typed(capsys, BAD, GOOD, "--format", form, "-o", "report")
    assert (code, told) == (1, "")
    assert "report: written" in aside
    report = (folder / "report").read_text(encoding="utf-8")
    assert str(GOOD) in report
    assert report.startswith({"text": "✗ ", "json": "[", "html": "<!DOCTYPE html>"}[form])


def test_a_page_on_standard_output_is_nothing_but_the_page(capsys: pytest.CaptureFixture[str]) -> None:
    code, told, _aside = typed(capsys, GOOD, "--format", "html", "--lang", "en")
    assert code == 0
    assert told.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert told.endswith("</html>\n")


def test_standard_input_is_a_file_too(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(GOOD.read_bytes())))
    code, told, _aside = typed(capsys, "-", "--json")
    assert (code, json.loads(told)[0]["valid"]) == (0, True)


def test_the_worst_of_all_files_decides_the_exit_code(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "foreign.xml").write_text("<unknown xmlns='urn:nobody'/>", encoding="utf-8")
    (folder / "broken.xml").write_text("<a", encoding="utf-8")
    assert typed(capsys, GOOD)[0] == 0
    assert typed(capsys, GOOD, "broken.xml")[0] == 1
    code, told, _aside = typed(capsys, GOOD, "broken.xml", "foreign.xml")
    assert code == 2
    assert "? foreign.xml\n  cannot be judged: no schema is installed · not accepted by this gateway" in told

"""`gateway check` as a pipeline meets it: 0 fits, 1 a package is wrong, 2 could not check; always one JSON document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SERVICE = "hundesteuer-anmeldung"


def check(folder: Path, settings: str, *options: str) -> tuple[int, Any]:
    (folder / "gateway.yaml").write_text(settings, encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "gateway", "check", "--json", "--config", "gateway.yaml", *options],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


@pytest.mark.parametrize(("options", "code", "severity"), [((), 0, "warning"), (("--strict",), 1, "error")])
def test_a_standard_that_is_not_installed_is_a_warning_unless_asked_strictly(
    tmp_path: Path, options: tuple[str, ...], code: int, severity: str
) -> None:
    returned, report = check(tmp_path, "home: var\n", *options)

    assert returned == code
    assert {f["severity"] for f in report["findings"] if f["code"] == "config.schema_not_installed"} == {severity}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("retry: {delays: [30]}", "Write the unit: 30s, 30m, 30h or 30d."),
        ("operatoin: X", "Did you mean 'operation'?"),
    ],
)
def test_a_wrong_setting_of_a_target_is_an_answer_with_file_line_and_remedy(
    tmp_path: Path, line: str, says: str
) -> None:
    settings = f"home: var\nservices: [{SERVICE}]\ntargets:\n  hundesteuer:\n    {line}\n"

    returned, report = check(tmp_path, settings)

    errors = [f for f in report["findings"] if f["severity"] == "error"]
    assert returned == 1
    assert {(Path(f["path"]).name, f["line"]) for f in errors} == {("gateway.yaml", 5)}
    assert says in {f["remedy"]["en"] for f in errors}


def test_settings_that_cannot_be_read_leave_the_question_open(tmp_path: Path) -> None:
    returned, report = check(tmp_path, "home: [\n")

    assert returned == 2
    assert report["error"]["code"] == "configuration"

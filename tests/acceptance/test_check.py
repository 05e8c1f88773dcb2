"""`gateway check` as a pipeline meets it: 0 fits, 1 a package is wrong, 2 could not check; always one JSON document."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

SERVICE = "hundesteuer-anmeldung"
XS = "http://www.w3.org/2001/XMLSchema"


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


@pytest.mark.parametrize(
    ("options", "code", "severity"), [(("--seconds", "0"), 0, "warning"), (("--strict",), 1, "error")]
)
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


def run(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_without_packages_of_its_own_it_says_that_those_shipped_are_checked(tmp_path: Path) -> None:
    assert "packages shipped with the gateway" in run(tmp_path, "check", "--seconds", "0").stderr

    (tmp_path / "own" / "services").mkdir(parents=True)
    (tmp_path / "gateway.yaml").write_text("home: var\npackages: [own]\n", encoding="utf-8")
    assert "shipped" not in run(tmp_path, "check", "--seconds", "0").stderr


@pytest.mark.parametrize(
    ("setting", "code"),
    [("services: [hundesteuer]", "config.unknown_service"), ("packages: [nowhere]", "config.missing_folder")],
)
def test_what_the_settings_name_and_nobody_has_is_found_in_their_line(tmp_path: Path, setting: str, code: str) -> None:
    returned, report = check(tmp_path, f"home: var\n{setting}\n")

    [finding] = report["findings"]
    assert returned == 1
    assert (finding["code"], finding["path"], finding["line"]) == (code, str(tmp_path / "gateway.yaml"), 2)


def test_settings_that_are_no_yaml_are_told_why(tmp_path: Path) -> None:
    _, report = check(tmp_path, "home: [\n")

    [finding] = report["error"]["findings"]
    assert finding["line"] == 2
    assert "expected the node content" in finding["text"]["en"]


@pytest.mark.parametrize(
    ("schema", "code", "line"),
    [("<a>\n</b>", "schemas.not_well_formed", 2), ("\n".join(["<xs:schema", f'xmlns:xs="{XS}" targetNamespace="urn:a">',
     '<xs:element name="a" type="b"/>', "</xs:schema>"]), "schemas.not_compiled", 3)],
)  # fmt: skip
def test_a_broken_schema_of_a_package_is_found_in_its_line(tmp_path: Path, schema: str, code: str, line: int) -> None:
    file = tmp_path / "own" / "services" / "a" / "schema" / "a.xsd"
    file.parent.mkdir(parents=True)
    file.write_text(schema, encoding="utf-8")

    returned, report = check(tmp_path, "home: var\npackages: [own]\n")

    [finding] = report["findings"]
    assert (returned, finding["code"], finding["line"]) == (1, code, line)
    assert (tmp_path / finding["path"]).samefile(file)


def test_no_token_is_issued_for_a_client_of_another_issuer(tmp_path: Path) -> None:
    client = tmp_path / "own" / "clients" / "form.yaml"
    client.parent.mkdir(parents=True)
    client.write_text("kind: portal\nissuer: urn:foo\nclient_id: f\nservices: '*'\n", encoding="utf-8")
    (tmp_path / "gateway.yaml").write_text("home: var\npackages: [own]\n", encoding="utf-8")

    done = run(tmp_path, "token", "form")

    assert (done.returncode, done.stdout) == (2, "")
    assert "urn:ozg-gateway:local" in done.stderr


def test_the_tables_are_data_a_page_or_text_and_only_of_the_services_that_were_named(tmp_path: Path) -> None:
    settings = f"home: var\nservices: [{SERVICE}, wunschkennzeichen]\n"

    returned, report = check(tmp_path, settings, SERVICE, "--seconds", "0")

    assert returned == 0
    assert {table["service"] for table in report["requests"]} == {SERVICE}
    (disclosed,) = report["disclosures"]
    assert {"de": "alle Anlagen", "en": "all attachments"} in [row["what"] for row in disclosed["attachments"]]
    field = next(f for f in report["requests"][0]["fields"] if f["path"] == "Vorgang.Halter.Familienname")
    assert field["origins"][0]["source"]["named"]["name"] == "Familienname"
    assert field["origins"][0]["case"] == "applicants[1]/person/familyName"


def test_a_page_goes_to_a_file_and_findings_to_the_terminal(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(f"home: var\nservices: [{SERVICE}]\n", encoding="utf-8")
    command = [sys.executable, "-m", "gateway", "check", "--format", "html", "-o", "page.html", "--lang", "de"]

    done = subprocess.run(
        [*command, "--seconds", "0"], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )

    assert (done.returncode, done.stdout) == (0, "")
    assert "config.not_scanned" in done.stderr
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.startswith("<!DOCTYPE html>")
    assert "Familienname (F60000000227)" in page


def test_a_service_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    (tmp_path / "gateway.yaml").write_text(f"home: var\nservices: [{SERVICE}]\n", encoding="utf-8")
    command = [sys.executable, "-m", "gateway", "check", "hundestuer", "--json"]

    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)

    assert done.returncode == 2
    assert SERVICE in json.dumps(json.loads(done.stdout))

"""`gateway docs privacy`: what a data protection officer gets is in the configuration, or is called a gap."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from gateway.cli import run
from gateway.privacy.page import Section, as_html, as_markdown
from gateway.services import shipped_folder

DOG_TAX = "hundesteuer-anmeldung"
ENGLISH = re.compile(r"\b(the|and|of|with|which|is|are|not|submission|service|target|delivery|retention)\b")


def printed(capsys: pytest.CaptureFixture[str], *words: str, home: Path) -> str:
    config = home / "gateway.yaml"
    if not config.exists():
        config.write_text(json.dumps({"home": str(home / "var")}), encoding="utf-8")
    assert run(["docs", "privacy", *words, "--config", str(config)]) == 0
    return capsys.readouterr().out


def sections(capsys: pytest.CaptureFixture[str], home: Path, *words: str) -> dict[str, dict[str, Any]]:
    document = json.loads(printed(capsys, *words, "--format", "json", home=home))
    assert document["language"] == "de"
    found = {section["key"]: section for section in document["sections"]}
    assert len(found) == len(document["sections"]), "every key once"
    return found


def cells(section: dict[str, Any]) -> str:
    return json.dumps(section["rows"], ensure_ascii=False)


def test_the_record_says_what_the_packages_say(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    told = sections(capsys, tmp_path, "--service", DOG_TAX)

    assert "Hund zur Hundesteuer anmelden" in cells(told[f"record.{DOG_TAX}"])
    assert "stadtkasse" in cells(told[f"record.{DOG_TAX}"])
    assert told[f"basis.{DOG_TAX}"]["paragraphs"][:2] == [
        "Verfahrensrecht: Abgabenordnung.",
        "Besonderer Schutz der Inhalte: Steuergeheimnis.",
    ]
    categories = told[f"categories.{DOG_TAX}"]["rows"]
    assert ["Halterin oder Halter", "Familienname", "F60000000227"] in categories
    assert ["SEPA-Lastschriftmandat", "IBAN", "F99000000014"] in categories
    assert ["Inhalt, zugestellt", "30 Tage nach dem Ende des Eingangs"] in told[f"periods.{DOG_TAX}"]["rows"]
    assert "6 Monate" in cells(told[f"periods.{DOG_TAX}"])
    assert [row[0] for row in told[f"recipients.{DOG_TAX}"]["rows"]] == [
        "hundesteuer",
        "eakte-stadtkasse",
        "hundestatistik",
    ]


def test_each_recipient_is_told_with_the_fields_that_it_gets(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = sections(capsys, tmp_path, "--service", DOG_TAX)

    file_plan = told[f"fields.{DOG_TAX}.eakte-stadtkasse"]["rows"]
    statistics = cells(told[f"fields.{DOG_TAX}.hundestatistik"])
    assert file_plan == [
        ["Antragstellende – Natürliche Person – Familienname"],
        ["Antragstellende – Natürliche Person – Vornamen"],
        ["Anlagen"],
    ]
    assert "IBAN" in cells(told[f"fields.{DOG_TAX}.hundesteuer"])
    assert "IBAN" not in statistics
    assert "Familienname" not in statistics


def test_what_the_configuration_cannot_know_is_a_gap_and_never_made_up(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    told = sections(capsys, tmp_path)

    for service in shipped_services():
        gaps = " ".join(gap for key, one in told.items() if f".{service}" in key for gap in one["gaps"])
        for missing in ("Verantwortlichen", "Art. 6 Abs. 1", "Art. 9", "Drittland"):
            assert missing in gaps, service
    assert "Frist für die Aufzeichnungen" in " ".join(told["deletion.data"]["gaps"])
    assert any("Personen oder Stellen" in gap for gap in told["roles"]["gaps"])


def test_it_is_german_throughout(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = printed(capsys, home=tmp_path)

    assert {m.group(0) for m in ENGLISH.finditer(re.sub(r"„[^“]*“", "", text))} == set()


def test_what_is_set_changes_what_is_told(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    before = sections(capsys, tmp_path)["measures"]
    settings = {"home": str(tmp_path / "var"), "scanner": "clamd:/run/clamd.sock", "stage": "production"}
    (tmp_path / "gateway.yaml").write_text(json.dumps(settings), encoding="utf-8")

    told = sections(capsys, tmp_path)

    assert ["Prüfung von Anlagen auf Schadsoftware", "nicht eingerichtet"] in before["rows"]
    assert ["Prüfung von Anlagen auf Schadsoftware", "eingerichtet"] in told["measures"]["rows"]
    assert len(told["measures"]["gaps"]) == len(before["gaps"]) - 1
    assert "Umgebung: Betrieb" in told["title"]["paragraphs"][0]
    assert "hundestatistik" in cells(told["measures"]), "the one queue that carries content"


def test_an_unknown_service_is_refused_with_the_known_ones(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    assert run(["docs", "privacy", "--service", "hundesteuer-anmeldun"]) == 2
    assert f"Did you mean {DOG_TAX}?" in capsys.readouterr().err


def test_names_from_packages_are_text_in_every_form() -> None:
    nasty = Section("k", "<b>*Titel*</b>", 1, ["a|b <script>"], ("c",), [("x | y\n<i>",)], ["[z](javascript:1)"])

    page, markdown = as_html([nasty]), as_markdown([nasty])

    assert "<script>" not in page
    assert "<b>" not in page
    assert "<i>" not in page
    assert r"x \| y \<i\>" in markdown
    assert r"\[z\](javascript:1)" in markdown
    assert 'lang="de"' in page


def shipped_services() -> list[str]:
    folders = sorted((shipped_folder() / "services").glob("*/service.yaml"))
    return [folder.parent.name for folder in folders if yaml.safe_load(folder.read_text(encoding="utf-8"))]

"""What operators type to ask department systems themselves: reachable, authorised, and of the same mind as we are?"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from adapters.testkit import Gatekeeper, RestDepartment
from gateway.cli import run
from gateway.services import shipped_folder

TARGET = "eakte-stadtkasse"
FOLDER = shipped_folder() / "targets" / TARGET
OPENAPI = FOLDER / "eakte.openapi.yaml"
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def ask(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    """(command, settings of the target) → (exit code, the target's document)"""

    def asked(command: str, **settings: Any) -> tuple[int, Any]:
        file = tmp_path / "gateway.yaml"
        file.write_text(json.dumps({"home": str(tmp_path / "var"), "targets": {TARGET: settings}}), encoding="utf-8")
        code = run(["targets", command, TARGET, "--json", "--config", str(file)])
        [document] = json.loads(capsys.readouterr().out)
        return code, document

    return asked


def test_a_target_that_answers_is_reachable(ask: Ask) -> None:
    with RestDepartment(OPENAPI) as department:
        code, told = ask("ping", url=department.url)
    assert (code, told["reachable"], told["code"], told["contract"]) == (0, True, None, None)
    assert department.received == [], "no case is made by asking"


def test_a_target_that_is_away_is_not_and_the_answer_says_why(ask: Ask) -> None:
    code, told = ask("ping", url="http://127.0.0.1:9")
    assert (code, told["reachable"], told["class"], told["code"]) == (1, False, "unavailable", "tcp.refused")
    assert told["text"] == {"de": "Die Verbindung wurde abgelehnt.", "en": "The connection was refused."}


def test_a_target_that_does_not_know_us_is_no_yes(ask: Ask) -> None:
    gate = Gatekeeper(basic="amt:geheim")
    with RestDepartment(OPENAPI, gate=gate) as department:
        auth = {"type": "basic", "username": "amt", "password": "falsch"}
        assert ask("ping", url=department.url, auth=auth)[0] == 1
        code, told = ask("ping", url=department.url, auth=auth)
        assert (code, told["class"]) == (1, "auth")
        assert ask("ping", url=department.url, auth={**auth, "password": "geheim"})[0] == 0


def test_a_target_whose_file_is_wrong_cannot_be_asked(ask: Ask) -> None:
    code, told = ask("ping", url="http://127.0.0.1:9", path="/vorgange")
    assert (code, told["reachable"], told["code"]) == (2, None, "config.invalid")
    [finding] = told["findings"]
    assert finding["code"] == "config.rest"
    assert finding["path"].endswith(("target.yaml", "gateway.yaml"))


def test_without_a_served_description_there_is_nothing_to_compare(ask: Ask) -> None:
    with RestDepartment(OPENAPI) as department:
        code, told = ask("test", url=department.url)
    assert (code, told["reachable"], told["contract"]) == (0, True, "not_served")


@pytest.mark.parametrize(
    ("now", "code", "contract", "told"),
    [
        ("required: [aktenplan, betreff, bezug, eingangszeitpunkt]", 0, "matches", []),
        ("required: [test, aktenplan, betreff, bezug, eingangszeitpunkt]", 1, "differs", [("error", "test")]),
        ("required: [aktenplan, betreff, bezug]", 0, "matches", []),
    ],
    ids=["the same", "a field has to be filled now", "a field may be left out now"],
)
def test_the_description_that_the_target_serves_is_compared(
    ask: Ask, tmp_path: Path, now: str, code: int, contract: str, told: list[tuple[str, str]]
) -> None:
    text, before = OPENAPI.read_text(encoding="utf-8"), "required: [aktenplan, betreff, bezug, eingangszeitpunkt]"
    assert before in text
    served = tmp_path / "served.yaml"
    served.write_text(text.replace(before, now), encoding="utf-8")
    with RestDepartment(served, served_at="/openapi.yaml") as department:
        answered, document = ask("test", url=department.url, served_at="/openapi.yaml")
    assert (answered, document["contract"]) == (code, contract)
    assert [(finding["severity"], finding["found"]) for finding in document["findings"]] == told


def test_a_description_that_cannot_be_fetched_leaves_the_question_open(ask: Ask) -> None:
    with RestDepartment(OPENAPI) as department:
        code, told = ask("test", url=department.url, served_at="/openapi.yaml")
    assert (code, told["reachable"], told["contract"]) == (2, True, "unknown")


def test_the_page_on_documents_names_exactly_these_members(ask: Ask) -> None:
    _, told = ask("test", url="http://127.0.0.1:9")
    page = (Path(__file__).resolve().parents[2] / "docs/reference/operators-documents.md").read_text(encoding="utf-8")
    section = page.partition("## `gateway targets ping` and")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|([^|]+)\|", section, re.MULTILINE)
    assert {name for row in rows for name in re.findall(r"`(\w+)`", row)} == set(told)


def test_a_name_that_no_target_has_gets_the_nearest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["targets", "ping", "eakte-stadtkase"]) == 2
    assert "Did you mean eakte-stadtkasse?" in capsys.readouterr().err

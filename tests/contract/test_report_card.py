"""The report card: the built-in adapters pass all of it, a naive one visibly fails."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import naive_adapter
import pytest

from adapters.testkit import Authority
from adapters.testkit.contract import Bench
from adapters.testkit.rigs import RIGS
from adapters.testkit.trials import HTTP_TRIALS, READING_TRIALS
from gateway.cli import run

HERE = Path(__file__).parent
HOW_TO = HERE.parents[1] / "docs" / "how-to" / "write-an-adapter.md"


def card_of(rig: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, dict[str, Any]]:
    code = run(["adapters", "card", rig, "--json"])
    return code, json.loads(capsys.readouterr().out)


@pytest.mark.parametrize(
    ("rig", "trials"),
    [("rest", HTTP_TRIALS), ("soap", HTTP_TRIALS), ("folder", READING_TRIALS), ("amqp", READING_TRIALS)],
)
def test_a_built_in_adapter_passes_every_row(rig: str, trials: Any, capsys: pytest.CaptureFixture[str]) -> None:
    code, card = card_of(rig, capsys)
    assert [row for row in card["rows"] if row["passed"] is False] == []
    assert code == 0
    behaviours = [row for row in card["rows"] if row["part"] == "behaviour"]
    assert [(row["name"], row["passed"]) for row in behaviours] == [(trial.name, True) for trial in trials]


def test_a_naive_adapter_fails_where_it_would_lose_double_or_show_a_case(capsys: pytest.CaptureFixture[str]) -> None:
    code, card = card_of("naive_adapter:rig", capsys)
    rows = {row["name"]: row for row in card["rows"]}
    failed = {name for name, row in rows.items() if row["passed"] is False}
    assert code == 1
    doubled = {"slow", "slow-middle", "commit-then-hang-up", "reset", "cut", "cut-chunk", "fail-after-commit"}
    lost = {"html", "redirect", "fault-in-200", "hang-up", "empty", "never-finishes", "broken", "crossed", "doctype"}
    shown = {"expired-certificate", "wrong-host", "unknown-authority"}
    hung = {"trickle", "huge", "gzip-bomb"}
    assert doubled | lost | shown | hung <= failed
    assert {"duplicate-reference", "wrong-label"} & failed == set(), "what is right is right for everybody"
    assert rows["commit-then-hang-up"]["did"].startswith("was asked 2×, acted 2×"), "its repeat is in the ledger"
    assert "it followed the redirect" in rows["redirect"]["fault"]
    assert re.search(r"it took \d+ MB", rows["huge"]["fault"])
    assert "those are not the references" in rows["crossed"]["fault"]
    for name in failed:
        assert rows[name]["fault"]
        assert rows[name]["why"]
        assert rows[name]["remedy"]


@pytest.mark.parametrize(
    ("rig", "told"),
    [
        ("sop", "did you mean 'soap'"),
        ("no_such_module:rig", "cannot be loaded"),
        ("naive_adapter:rigg", "cannot be loaded"),
        ("naive_adapter:__doc__", "is no function"),
        ("json:dumps", "the rig does not work"),
    ],
)
def test_a_rig_that_is_none_is_wrong_usage(rig: str, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    code = run(["adapters", "card", rig])
    assert code == 2
    assert told in capsys.readouterr().err


def test_a_rig_that_works_once_is_no_fault_of_the_adapter(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[Path] = []

    def once(folder: Path, authority: Authority | None) -> AbstractContextManager[Bench]:
        calls.append(folder)
        if len(calls) > 3:
            raise OSError("no more ports")
        return RIGS["folder"](folder, authority)

    monkeypatch.setattr(naive_adapter, "once", once, raising=False)
    assert run(["adapters", "card", "naive_adapter:once"]) == 2
    assert "the rig does not work: OSError: no more ports" in capsys.readouterr().err


def test_the_card_for_people_says_why_and_what_to_do(capfd: pytest.CaptureFixture[str]) -> None:
    words = [sys.executable, "-m", "gateway", "adapters", "card", "folder"]
    ended = subprocess.run(words, capture_output=True, text=True, timeout=120, check=False)
    assert ended.returncode == 0
    assert "folder: at a hostile department" in ended.stdout
    assert "0 failed" in ended.stderr


def test_the_adapter_of_the_how_to_is_made_from_nothing_and_passes(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n# (\w+\.py)\n(.*?)^```$", HOW_TO.read_text(encoding="utf-8"), re.M | re.S)
    assert [name for name, _ in blocks] == ["line_adapter.py", "line_rig.py", "test_line_adapter.py"]
    for name, code in blocks:
        (tmp_path / name).write_text(code, encoding="utf-8")
    for words in (
        ["pytest", "-q", "-p", "no:cacheprovider", "--rootdir", str(tmp_path)],
        ["gateway", "adapters", "card", "line_rig:line"],
    ):
        ended = subprocess.run(
            [sys.executable, "-m", *words], cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False
        )
        assert ended.returncode == 0, ended.stdout[-3000:] + ended.stderr[-3000:]

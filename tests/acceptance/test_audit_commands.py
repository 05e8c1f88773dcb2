"""What an auditor types: is the record unchanged, what happened here, did the day balance, and a proof to take away."""

from __future__ import annotations

import contextlib
import json
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from intake_support import SERVICE, Sender, finish_deliveries, open_sender

from gateway.cli import run
from gateway.commands.stories import sentence
from gateway.delivery import DeliveryState
from gateway.delivery.sealing import Sealer
from gateway.submission import SubmissionState


@dataclass
class Desk:
    """An installation, and the command line in front of it."""

    sender: Sender
    config: Path
    capture: pytest.CaptureFixture[str]

    def type(self, *words: str) -> tuple[int, str, str]:
        """(exit code, stdout, stderr)"""
        code = run([*words, "--config", str(self.config)])
        done = self.capture.readouterr()
        return code, done.out, done.err

    def json(self, *words: str, code: int = 0) -> Any:
        returned, shown, complained = self.type(*words, "--json")
        assert returned == code, complained
        return json.loads(shown)

    def delivered(self) -> str:
        submission: str = self.sender.send().json()["submissionId"]
        finish_deliveries(self.sender.gateway, submission)
        return submission

    def seal(self, days: float = 0) -> None:
        now = self.sender.gateway.clock()
        self.sender.gateway.clock = lambda: now + timedelta(days=days)
        while Sealer(self.sender.gateway).turn():
            pass
        self.capture.readouterr()  # what was logged

    def tamper(self, statement: str) -> None:
        with sqlite3.connect(self.sender.gateway.settings.home / "gateway.db") as database:
            database.execute("DROP TRIGGER IF EXISTS event_no_update")
            database.execute(statement)


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    config = tmp_path / "gateway.yaml"
    config.write_text(json.dumps({"home": str(tmp_path / "var"), "services": [SERVICE]}), encoding="utf-8")
    with contextlib.contextmanager(open_sender)(tmp_path / "var") as sender:
        yield Desk(sender, config, capsys)


def test_an_unchanged_record_is_said_to_be_so_and_a_changed_one_exactly_where(desk: Desk) -> None:
    first, second = desk.delivered(), desk.delivered()
    desk.seal()

    code, shown, _ = desk.type("audit", "verify", "--lang", "de")
    assert (code, shown.strip()) == (0, "2 Eingänge, 1 Siegel geprüft: unverändert.")
    document = desk.json("audit", "verify")
    assert (document["valid"], document["submissions"], document["seals"], document["faults"]) == (True, 2, 1, [])

    desk.tamper(f"UPDATE event SET actor = 'herr-b' WHERE number = 3 AND submission_id = '{first}'")
    code, shown, _ = desk.type("audit", "verify", "--lang", "de")
    assert code == 1
    assert f"{first}: Ereignis 3 wurde verändert" in shown
    assert desk.json("audit", "verify", second)["valid"] is True
    [fault] = desk.json("audit", "verify", first, code=1)["faults"]
    assert (fault["code"], fault["submissionId"], fault["event"]) == ("event_changed", first, 3)


def test_keys_from_elsewhere_are_believed_instead_of_those_that_lie_here(desk: Desk, tmp_path: Path) -> None:
    desk.delivered()
    desk.seal()
    keys = tmp_path / "keys.json"
    keys.write_text(desk.sender.http.get("/v1/keys/audit").text)
    home = desk.sender.gateway.settings.home / "keys"

    assert desk.type("audit", "verify", "--public-key", str(keys))[0] == 0
    (home / "audit-1.key").unlink()
    _, _, told = desk.type("audit", "verify")
    assert "keys that the same database holds" in told
    desk.delivered()
    desk.seal(days=0.01)  # with a new key, which nobody outside knows
    faults = desk.json("audit", "verify", "--public-key", str(keys), code=1)["faults"]
    assert [fault["code"] for fault in faults] == ["key_unknown"]
    keys.write_text("{}")
    assert desk.type("audit", "verify", "--public-key", str(keys))[0] == 2


def test_only_some_days_can_be_verified_and_a_wrong_date_is_told(desk: Desk) -> None:
    desk.delivered()
    desk.seal()

    assert desk.json("audit", "verify", "--to", "2020-01-01")["submissions"] == 0
    code, _, told = desk.type("audit", "verify", "--from", "gestern")
    assert (code, "YYYY-MM-DD" in told) == (2, True)
    assert desk.type("audit", "verify", "--from", "2026-02-02", "--to", "2026-01-01")[0] == 2


def test_the_story_of_a_submission_is_told_in_both_languages_with_its_seal(desk: Desk) -> None:
    submission = desk.delivered()

    _, shown, _ = desk.type("audit", "show", submission, "--lang", "de")
    assert "Der Eingang wurde angenommen  [demo-portal; noch ohne Siegel]" in shown
    desk.seal()
    code, shown, _ = desk.type("audit", "show", submission, "--lang", "en")

    assert code == 0
    assert "The submission was accepted  [demo-portal; seal 1]" in shown
    assert "Complete and unchanged." in shown
    assert desk.json("audit", "show", submission)["events"][0]["seal"] == 1
    assert desk.type("audit", "show", "0" * 8 + "-0000-4000-8000-" + "0" * 12)[0] == 1


@pytest.mark.parametrize(
    "kind",
    [
        *[f"delivery.{state}" for state in DeliveryState],
        *[f"submission.{state}" for state in SubmissionState],
    ],
)
def test_every_change_of_state_has_a_sentence(kind: str) -> None:
    told = sentence({"kind": kind, "details": {}}, "")

    assert kind not in (told.de, told.en)


def test_a_proof_is_written_once_everything_is_sealed_and_never_over_another_file(desk: Desk, tmp_path: Path) -> None:
    submission = desk.delivered()
    file = tmp_path / "proof.json"

    code, _, told = desk.type("audit", "export", submission, str(file))
    assert (code, "not sealed yet" in told, file.exists()) == (2, True, False)
    desk.seal()
    assert desk.json("audit", "export", submission, str(file))["events"] > 4
    assert json.loads(file.read_text())["submissionId"] == submission
    assert desk.type("audit", "export", submission, str(file))[0] == 2


def test_the_books_of_a_day_are_shown_and_what_does_not_balance_is_an_exit_code(desk: Desk) -> None:
    desk.delivered()
    assert desk.type("audit", "day")[0] == 1
    desk.seal()
    desk.seal(days=1.1)

    code, shown, _ = desk.type("audit", "day", "--lang", "de")
    assert (code, "Differenz" in shown, SERVICE in shown) == (0, True, True)
    desk.tamper("UPDATE delivery SET state = 'discarded'")
    desk.seal(days=1)
    [record] = [r for r in desk.json("audit", "day", "--service", SERVICE, code=1) if r["service"] == SERVICE]
    assert record["differences"]["discarded"] > 0
    assert record["created"] == record["open"] + sum(
        record["states"][state] for state in ("delivered", "skipped", "discarded", "returned")
    )
    code, _, told = desk.type("audit", "day", "--service", "hundesteuer-anmeldun")
    assert (code, "Did you mean" in told) == (2, True)

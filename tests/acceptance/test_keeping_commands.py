"""What operators type to rotate keys, to erase, and to keep from being erased: shown first, done with --yes, proven."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from intake_support import SERVICE, Sender, finish_deliveries, open_sender
from vault_server import transit_server

from gateway.cli import run
from gateway.store import ContentErased, Store


@dataclass
class Desk:
    """An installation, and the command line in front of it."""

    sender: Sender
    config: Path
    capture: pytest.CaptureFixture[str]

    @property
    def store(self) -> Store:
        return self.sender.gateway.store

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


@pytest.fixture
def desk(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[Desk]:
    config = tmp_path / "gateway.yaml"
    config.write_text(json.dumps({"home": str(tmp_path / "var"), "services": [SERVICE]}), encoding="utf-8")
    with contextlib.contextmanager(open_sender)(tmp_path / "var") as sender:
        yield Desk(sender, config, capsys)


def test_erase_shows_what_there_is_then_does_it_and_proves_it(desk: Desk) -> None:
    submission = desk.delivered()

    code, _, told = desk.type("erase", submission)
    assert code == 0
    assert "Nothing was changed; add --yes and --reason" in told
    assert desk.store.submission(submission)

    code, _, told = desk.type("erase", submission, "--yes")
    assert (code, "reason is missing" in told) == (2, True)

    done = desk.json("erase", submission, "--yes", "--reason", "Art. 17 DSGVO")
    assert (done["erased"], done["erasedNow"], done["parts"], done["bytes"]) == (True, True, 0, 0)
    certificate = done["certificate"]
    assert certificate["details"]["reason"] == "Art. 17 DSGVO"
    assert certificate["details"]["parts"] > 0
    with pytest.raises(ContentErased):
        desk.store.submission(submission)

    again = desk.json("erase", submission, "--yes", "--reason", "again")
    assert (again["erasedNow"], again["certificate"]) == (False, certificate)
    _, shown, _ = desk.type("erase", submission)
    assert certificate["hash"] in shown


def test_what_is_open_or_under_a_hold_is_not_erased_and_says_what_to_do(desk: Desk) -> None:
    underway = desk.sender.send().json()["submissionId"]
    code, _, told = desk.type("erase", underway)
    assert (code, "kept as long as a submission is open" in told) == (1, True)

    held = desk.delivered()
    assert desk.json("hold", "add", held, "--reason", "Az. 12 K 34/26")["hold"] is True
    code, _, told = desk.type("erase", held, "--reason", "r", "--yes")
    assert code == 1
    assert "Az. 12 K 34/26" in told
    assert f"hold remove {held}" in told
    assert desk.store.submission(held)


def test_holds_are_listed_and_lifted_with_yes_only(desk: Desk) -> None:
    submission = desk.delivered()
    desk.type("hold", "add", submission, "--reason", "lawsuit")

    [listed] = desk.json("hold", "list")
    assert (listed["submissionId"], listed["reason"], listed["state"]) == (submission, "lawsuit", "completed")
    code, _, told = desk.type("hold", "add", submission, "--reason", "again")
    assert (code, "already" in told) == (1, True)

    assert desk.json("hold", "remove", submission)["dryRun"] is True
    assert len(desk.json("hold", "list")) == 1
    desk.json("hold", "remove", submission, "--reason", "over", "--yes")
    assert desk.json("hold", "list") == []
    code, _, told = desk.type("hold", "remove", submission, "--reason", "over", "--yes")
    assert (code, "not under a legal hold" in told) == (1, True)


@pytest.mark.parametrize("words", [("erase",), ("hold", "add", "--reason", "r"), ("hold", "remove")])
def test_an_id_that_is_none_or_belongs_to_nothing_is_refused(desk: Desk, words: tuple[str, ...]) -> None:
    nobody = "00000000-0000-4000-8000-000000000000"

    assert desk.type(*words, "nonsense")[0] == 2
    assert desk.type(*words, nobody)[0] == 1


def test_keys_are_rotated_beside_the_running_gateway_and_retired_when_they_may(desk: Desk) -> None:
    submission = desk.delivered()
    [first] = desk.json("keys", "list")
    assert (first["version"], first["submissions"], first["state"]) == (1, 1, "current")

    assert desk.json("keys", "rotate") == {"version": 2, "made": True, "rewrapped": 1, "unreadable": []}

    states = [(key["version"], key["submissions"], key["state"]) for key in desk.json("keys", "list")]
    assert states == [(1, 0, "unused"), (2, 1, "current")]
    assert desk.store.submission(submission), "the running process reads on"
    later = desk.delivered()
    assert desk.store.submission(later)
    refused = desk.json("keys", "retire", "1", "--yes", code=1)
    assert "wait an hour" in refused["why"]
    refused = desk.json("keys", "retire", "2", "--yes", code=1)
    assert "rotate first" in refused["why"]


def test_an_installation_keeps_its_keys_in_a_key_service(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with transit_server() as vault:
        config, token = tmp_path / "gateway.yaml", tmp_path / "token"
        token.write_text("first-token")
        service = {"key_service": vault.url, "key_service_token_file": str(token)}
        settings = {"home": str(tmp_path / "var"), "services": [SERVICE], **service}
        config.write_text(json.dumps(settings), encoding="utf-8")
        with contextlib.contextmanager(open_sender)(tmp_path / "var", **service) as sender:
            desk = Desk(sender, config, capsys)
            submission = desk.delivered()
            assert not list((tmp_path / "var" / "keys").glob("content-*.key")), "no wrapping key on this machine"

            desk.json("keys", "rotate")
            assert [(key["version"], key["submissions"]) for key in desk.json("keys", "list")] == [(1, 0), (2, 1)]
            assert "Nothing was changed" in desk.type("keys", "retire", "1")[2]
            assert vault.oldest == 1
            assert desk.json("keys", "retire", "1", "--yes")["retired"] is True
            assert (vault.oldest, bool(desk.store.submission(submission))) == (2, True)

            vault.sealed = True
            answer = sender.send()
            assert (answer.status_code, answer.headers.get("retry-after") is not None) == (503, True)
            vault.sealed = False
            assert sender.send().status_code == 202

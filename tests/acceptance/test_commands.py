"""The `gateway` command as people and scripts meet it: exit codes, one JSON document, errors that say what to do."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from gateway.runtime import running
from gateway.services import shipped_folder
from gateway.settings import load_settings
from gateway.wiring import Gateway, open_gateway

SAMPLES = shipped_folder() / "services" / "hundesteuer-anmeldung" / "samples"
GOOD = str(SAMPLES / "one-dog-xml" / "data.xml")
BAD = str(SAMPLES / "invalid-city-missing-xml" / "data.xml")
COMMANDS = [
    "", "run", "demo", "serve", "work", "relay", "validate", "map", "send", "check", "services list", "services test",
    "schemas list", "schemas import", "schemas show", "dead list", "dead show", "dead redrive", "dead discard",
    "dead restore", "case show", "targets", "targets ping", "targets test", "deliveries list",
    "token", "db upgrade", "keys create",
]  # fmt: skip


class Shell:
    """A folder with a gateway.yaml, in which commands run."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "gateway", *arguments]
        env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "COLUMNS": "200", **environment}
        return subprocess.run(command, cwd=self.folder, env=env, capture_output=True, text=True, timeout=120)

    def json(self, *arguments: str, code: int = 0) -> Any:
        """stdout must be exactly one JSON document."""
        done = self.run(*arguments, "--json")
        assert done.returncode == code, done.stderr
        return json.loads(done.stdout)


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    folder = tmp_path_factory.mktemp("installation")
    retry = {"delays": ["0.2s"], "give_up_after": "0.5s"}
    targets = {name: {"url": "http://127.0.0.1:9", "retry": retry} for name in ("hundesteuer", "eakte-stadtkasse")}
    targets["hundestatistik"] = {"url": "embedded://statistik", "retry": retry}
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{probe.getsockname()[1]}"
    settings = {"home": "var", "listen": listen, "relay_seconds": 0.1, "targets": targets}
    (folder / "gateway.yaml").write_text(json.dumps(settings), encoding="utf-8")
    return Shell(folder)


@pytest.fixture(scope="module")
def gateway(shell: Shell) -> Iterator[Gateway]:
    """The installation, running; its department systems are not there."""
    before = Path.cwd()
    os.chdir(shell.folder)
    try:
        with open_gateway(load_settings()) as opened, running(opened, ("api", "work", "relay")):
            yield opened
    finally:
        os.chdir(before)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_explains_itself(command: str, shell: Shell) -> None:
    shown = shell.run(*command.split(), "--help")
    assert shown.returncode == 0
    assert "Usage:" in shown.stdout


def test_validating_tells_valid_from_not_valid_and_from_cannot_tell(shell: Shell, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.xml"
    foreign.write_text("<unknown xmlns='urn:nobody'/>", encoding="utf-8")

    assert shell.run("validate", GOOD).returncode == 0
    assert shell.run("validate", GOOD, BAD).returncode == 1
    assert shell.run("validate", GOOD, BAD, str(foreign)).returncode == 2, "the highest wins"

    verdicts = shell.json("validate", GOOD, BAD, str(foreign), code=2)
    assert [v["valid"] for v in verdicts] == [True, False, None]
    assert [v["accepted"] for v in verdicts] == [True, False, False]
    assert set(verdicts[0]) == {"file", "valid", "accepted", "standard", "message", "findings"}
    (finding,) = [found for found in verdicts[1]["findings"] if found["severity"] == "error"]
    assert set(finding) == {
        "code", "severity", "layer", "path", "line", "column", "found", "allowed", "text", "remedy", "source",
    }  # fmt: skip
    assert (finding["code"], finding["line"]) == ("schema.missing_element", 11)
    assert set(finding["text"]) == {"de", "en"}


def test_mapping_shows_case_and_request_and_says_where_values_come_from(shell: Shell) -> None:
    case = shell.run("map", GOOD)
    assert json.loads(case.stdout)["applicants"][0]["person"]["familyName"]
    traced = shell.run("map", GOOD, "--trace")
    assert "hundesteuer-anmeldung/mapping.yaml:" in traced.stderr
    wrong = shell.run("map", GOOD, "--target", "finanzamt")
    assert wrong.returncode == 2
    assert "hundesteuer" in wrong.stderr, "names the targets there are"


def test_mapping_for_a_target_shows_the_request_that_would_go_out(shell: Shell) -> None:
    soap = shell.json("map", GOOD, "--target", "hundesteuer")
    assert (soap["action"], soap["address"]) == ("POST", "http://127.0.0.1:9")
    assert "VorgangAnlegen" in soap["headers"]["SOAPAction"]
    assert "Envelope" in soap["body"]
    today = datetime.now(UTC).date().isoformat()
    assert today in soap["body"], "the moment of receipt is now, not a made-up one"
    queue = shell.json("map", GOOD, "--target", "hundestatistik")
    assert queue["action"] == "publish"
    assert set(json.loads(queue["body"])) == {"postleitzahl", "hunde"}
    shown = shell.run("map", GOOD, "--target", "hundestatistik", "--trace")
    assert "cloudEvents:id: 0" in shown.stdout
    assert "hundestatistik/request.yaml:" in shown.stderr
    assert "placeholders" in shown.stderr


def test_a_mapped_message_has_the_form_of_a_sample_s_case(shell: Shell) -> None:
    expected = json.loads((SAMPLES / "one-dog-xml" / "case.json").read_text(encoding="utf-8"))
    assert shell.json("map", GOOD, "--sample") == expected


def test_the_shipped_configuration_has_no_error_and_its_samples_come_out_as_expected(shell: Shell) -> None:
    report = shell.json("check")
    assert [f for f in report["findings"] if f["severity"] == "error"] == []
    assert "hundestatistik" in report["recipients"]["hundesteuer-anmeldung"]["applicants/address/postalCode"]
    results = shell.json("services", "test")
    assert results
    assert all(result["ok"] for result in results)
    assert shell.run("services", "test", "hundesteuer").returncode == 2


def test_standards_are_listed_shown_and_refused_by_name(shell: Shell) -> None:
    (standard,) = [s for s in shell.json("schemas", "list") if s["standard"] == "fim:S99000000001V1.0.0"]
    shown = shell.json("schemas", "show", standard["standard"])
    assert shown["messages"] == ["S99000000001V1.0.0"]
    assert len(shown["files"]) >= 2
    missing = shell.run("schemas", "show", "fim:S99000000001V1.0.1")
    assert missing.returncode == 2
    assert "Did you mean fim:S99000000001V1.0.0" in missing.stderr


def test_a_real_standard_is_imported_and_judges_its_own_messages(shell: Shell, test_data: Path) -> None:
    imported = shell.json("schemas", "import", str(test_data / "xoev"))
    assert "xoev:xbau/2.6" in {s["standard"] for s in imported["standards"]}
    instance = test_data / "xoev" / "xbau-2.6" / "instances" / "constructed-valid_baugenehmigung.antrag.0200.xml"
    (verdict,) = shell.json("validate", str(instance))
    assert (verdict["standard"], verdict["message"]) == ("xoev:xbau/2.6", "baugenehmigung.antrag.0200")


def test_what_cannot_be_imported_is_refused_with_the_reason(shell: Shell, tmp_path: Path) -> None:
    broken = tmp_path / "broken.xsd"
    broken.write_text("<xs:schema xmlns:xs='http://www.w3.org/2001/XMLSchema'><xs:element name='a' type='b'/>", "utf-8")
    refused = shell.run("schemas", "import", str(broken))
    assert refused.returncode == 1
    assert "broken.xsd" in refused.stderr


def test_wrong_settings_name_file_and_fault(shell: Shell, tmp_path: Path) -> None:
    wrong = tmp_path / "gateway.yaml"
    wrong.write_text("home: var\nlisten: [oops\n", encoding="utf-8")
    broken = shell.run("check", "--config", str(wrong))
    assert broken.returncode == 2
    assert f"{wrong} (line 3)" in broken.stderr
    wrong.write_text("broker: amqp://x\n", encoding="utf-8")
    unknown = shell.run("check", "--config", str(wrong))
    assert unknown.returncode == 2
    assert "broker" in unknown.stderr
    assert shell.run("check", "--config", "missing.yaml").returncode == 2


def test_where_nothing_is_installed_commands_say_so(tmp_path: Path) -> None:
    nowhere = Shell(tmp_path).run("dead", "list")
    assert nowhere.returncode == 2
    assert "GATEWAY_HOME" in nowhere.stderr


def test_the_embedded_shape_cannot_be_split(shell: Shell) -> None:
    for role in ("serve", "work", "relay"):
        refused = shell.run(role)
        assert refused.returncode == 2
        assert "gateway run" in refused.stderr


def test_an_unknown_client_gets_no_token_but_the_names_there_are(shell: Shell) -> None:
    assert shell.json("token", "demo-portal")["token_type"] == "Bearer"
    unknown = shell.run("token", "nobody")
    assert unknown.returncode == 2
    assert "demo-portal" in unknown.stderr


def test_an_operator_finds_mends_and_gives_up_dead_letters(shell: Shell, gateway: Gateway) -> None:
    # Given an application whose department systems are not there
    (answer,) = shell.json("send", GOOD)
    assert answer["status"] == "accepted"
    refused = shell.json("send", BAD, code=1)
    assert refused[0]["findings"][0]["code"] == "schema.missing_element"
    letters: list[dict[str, Any]] = []
    while len(letters) < 2:
        letters = shell.json("dead", "list")
    first, second = (letter["deliveryId"] for letter in letters)

    # When the operator looks, and tries without --yes or without a reason
    shown = shell.json("dead", "show", first)
    assert (shown["class"], shown["submission"]["submissionId"]) == ("expired", answer["submissionId"])
    tried = shell.json("dead", "redrive", first)
    assert (tried["redriven"], tried["selected"], tried["dryRun"]) == (0, 1, True)
    silent = shell.run("dead", "redrive", first, "--yes")
    assert silent.returncode == 2
    assert "--reason" in silent.stderr

    # Then nothing happened; with both it does, and is recorded
    assert shell.json("dead", "discard", second, "--yes", "--reason", "entered twice")["discarded"] == 1
    assert [d["deliveryId"] for d in shell.json("dead", "list", "--state", "discarded")] == [second]
    assert shell.json("dead", "restore", second, "--reason", "a mistake")["restored"] == 1
    assert shell.json("dead", "redrive", first, "--yes", "--reason", "the system is back")["redriven"] == 1
    for known in (answer["submissionId"], answer["caseId"], first):
        (case,) = shell.json("case", "show", known)
        assert case["submissionId"] == answer["submissionId"]
    reasons = [e["details"].get("reason") for e in case["events"]]
    assert {"entered twice", "a mistake", "the system is back"} <= set(reasons)
    assert shell.run("case", "show", "AZ-0").returncode == 1
    assert shell.run("dead", "show", "not-an-id").returncode == 2


def test_who_waits_is_told_what_became_of_each_delivery(shell: Shell, gateway: Gateway) -> None:
    """Given systems that are not there, when somebody waits until it is given up, then the answer is no."""
    (sent,) = shell.json("send", GOOD, "--wait", "10", "--service", "hundesteuer-anmeldung", code=1)
    assert sent["status"] == "accepted"
    assert {d["target"]: d["status"] for d in sent["deliveries"]}["hundesteuer"] == "dead"
    shown = shell.run("send", GOOD, "--wait", "10")
    assert shown.returncode == 1
    assert "accepted as" in shown.stdout
    assert "dead" in shown.stdout


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_the_demo_leaves_nothing_when_it_is_told_to_end(number: signal.Signals, tmp_path: Path) -> None:
    """Given a demo in the middle of its play, when it is ended, then what it laid out goes with it."""
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "TMPDIR": str(scratch)}
    command = [sys.executable, "-m", "gateway", "demo"]
    demo = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )
    try:
        assert demo.stderr is not None
        told = iter(demo.stderr.readline, "")
        assert any("Sending" in line for line in told), "everything is up, the play goes on"
        assert list(scratch.glob("gateway-demo-*"))
        demo.send_signal(number)
        demo.communicate(timeout=60)
    finally:
        demo.kill()
        demo.wait()
    assert demo.returncode == 128 + number
    assert list(scratch.iterdir()) == []


@pytest.mark.parametrize("shape", [[], ["--production"]])
def test_the_demo_loses_and_doubles_nothing(shape: list[str], shell: Shell, tmp_path: Path) -> None:
    counts = Shell(tmp_path).json("demo", "--once", *shape)
    assert counts["sent"] == counts["accepted"] + counts["rejected"] >= 10
    assert counts["rejected"] >= 1
    assert counts["redriven"] == 1
    assert (counts["dead"], counts["lost"], counts["doubled"], counts["unfinished"]) == (0, 0, 0, 0)
    assert counts["delivered"] > counts["accepted"], "some services have several targets"


def test_the_demo_takes_real_standards_in(tmp_path: Path, test_data: Path) -> None:
    done = Shell(tmp_path).run("demo", "--once", "--json", "--standards", str(test_data))
    assert "WARNING" not in done.stderr
    counts = json.loads(done.stdout)
    assert counts["services"] == sorted(file.parent.name for file in shipped_folder().glob("services/*/service.yaml"))
    assert (counts["dead"], counts["lost"], counts["doubled"], counts["unfinished"]) == (0, 0, 0, 0)


def test_a_production_installation_starts_only_with_a_key_that_somebody_made(tmp_path: Path) -> None:
    """Given a new installation in production, when a key is made, then it opens, and the key is never replaced."""
    shell = Shell(tmp_path)
    (tmp_path / "gateway.yaml").write_text("{home: var, stage: production}", encoding="utf-8")
    assert shell.run("db", "upgrade").returncode == 0
    refused = shell.run("dead", "list")
    assert (refused.returncode, "gateway keys create" in refused.stderr) == (2, True)
    assert shell.run("keys", "create").returncode == 0
    key = tmp_path / "var" / "keys" / "content-1.key"
    made = key.read_bytes()
    assert key.stat().st_mode & 0o077 == 0
    assert shell.json("dead", "list") == []
    again = shell.run("keys", "create")
    assert (again.returncode, key.read_bytes()) == (2, made)

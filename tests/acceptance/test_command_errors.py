"""What people and scripts are told when a command cannot do what it was asked: never a traceback, always what to do.

Commands run inside this process (`gateway.cli.run`), each in an empty folder.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gateway.cli import run
from gateway.commands import packages as package_commands
from gateway.errors import GatewayError
from gateway.runtime import alone
from gateway.services import shipped_folder

SAMPLES = shipped_folder() / "services" / "hundesteuer-anmeldung" / "samples"
GOOD = str(SAMPLES / "one-dog-xml" / "data.xml")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("GATEWAY_CONFIG", "GATEWAY_HOME", "GATEWAY_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def nobody() -> Iterator[str]:
    """An address where nobody listens: the port is taken, and not listened on."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield f"127.0.0.1:{taken.getsockname()[1]}"


def typed(line: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    """Exit code, standard output, standard error."""
    code = run(line.split())
    told = capsys.readouterr()
    assert "Traceback" not in told.err
    return code, told.out, told.err


def failed(line: str, capsys: pytest.CaptureFixture[str], *, code: int = 2) -> dict[str, Any]:
    """The `error` of a command with `--json`: stdout is one document and says what stderr says."""
    given, out, err = typed(f"{line} --json", capsys)
    assert given == code
    error = json.loads(out)["error"]
    assert set(error) == {"code", "text", "remedy", "exitCode", "findings"}
    assert error["exitCode"] == code
    assert error["text"] in " ".join(err.split()).replace("gateway: ", "") or error["text"] in err
    return dict(error)


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("validate nofile.xml", "usage"),
        ("validate", "usage"),
        ("map nofile.xml", "usage"),
        (f"map {GOOD} --target finanzamt", "unknown_target"),
        ("send nofile.xml", "usage"),
        (f"send {GOOD} --url gopher://example", "usage"),
        (f"send {GOOD} --wait 0", "usage"),
        (f"send {GOOD}", "no_installation"),
        ("services test hundesteuer", "unknown_service"),
        ("services list --config missing.yaml", "configuration"),
        ("check --config missing.yaml", "configuration"),
        ("schemas show fim:S1", "unknown_standard"),
        ("schemas import nowhere", "usage"),
        ("token demo-portal", "no_installation"),
        ("token demo-portal --seconds -3", "usage"),
        ("dead lst", "usage"),
        ("no-such-command", "usage"),
    ],
)
def test_with_json_an_error_is_the_one_document(
    line: str, code: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    error = failed(line, capsys)
    assert error["code"] == code
    assert error["remedy"] or error["findings"], "says what to do"
    assert list(folder.iterdir()) == []


def test_a_message_that_cannot_be_mapped_is_told_as_findings(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "broken.xml").write_text("<a><b></a>", encoding="utf-8")
    error = failed("map broken.xml", capsys, code=1)
    assert error["code"] == "unreadable"
    assert [finding["code"] for finding in error["findings"]] == ["xml.not_well_formed"]


@pytest.mark.parametrize(
    "line",
    [
        f"validate {GOOD}",
        f"map {GOOD}",
        f"map {GOOD} --target hundesteuer",
        "check --seconds 0",
        "services list",
        "services test",
        "schemas list",
        "schemas show fim:S99000000001V1.0.0",
    ],
)
def test_looking_leaves_nothing_behind(line: str, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    code, out, _ = typed(line, capsys)
    assert code == 0
    assert out
    assert list(folder.iterdir()) == []


def test_where_nothing_is_installed_one_learns_how_to_begin(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    for line in ("token demo-portal", f"send {GOOD}"):
        _, _, err = typed(line, capsys)
        assert str(folder / "var") in err
        assert "gateway demo" in err
        assert "gateway run" in err


def test_sending_to_nobody_names_the_address_and_how_to_start(
    capsys: pytest.CaptureFixture[str], folder: Path, nobody: str
) -> None:
    (folder / "gateway.yaml").write_text(f"listen: {nobody}", encoding="utf-8")
    error = failed(f"send {GOOD}", capsys)
    assert error["code"] == "unreachable"
    assert nobody in error["text"]
    assert "gateway run" in error["remedy"]


@pytest.mark.parametrize("listen", ["127.0.0.1:http", "127.0.0.1:70000", "::1:80"])
def test_a_wrong_address_to_listen_on_is_refused_before_anything_starts(
    listen: str, capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    code, _, err = typed(f"run --listen {listen}", capsys)
    assert code == 2
    assert "--listen" in err
    assert "127.0.0.1:8080" in err, "an example"
    assert list(folder.iterdir()) == []


def test_a_home_that_cannot_be_made_is_named(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "file").write_text("", encoding="utf-8")
    (folder / "gateway.yaml").write_text("home: file/var", encoding="utf-8")
    for line in ("run", "db upgrade", f"schemas import {shipped_folder() / 'services'}"):
        code, _, err = typed(line, capsys)
        assert code == 2
        assert str(folder / "file") in err.replace("\n", "")


def test_a_database_that_does_not_answer_is_named_without_its_password(
    capsys: pytest.CaptureFixture[str], folder: Path, nobody: str
) -> None:
    url = f"postgresql://gateway:geheim-4711@{nobody}/gateway"
    (folder / "gateway.yaml").write_text(f"database_url: {url}", encoding="utf-8")
    for line in ("db upgrade", "run"):
        code, _, err = typed(line, capsys)
        assert code == 2
        assert nobody in err
        assert "refused" in err
        assert "geheim-4711" not in err


def test_wrong_settings_are_told_with_line_variable_or_neighbour(
    capsys: pytest.CaptureFixture[str], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "gateway.yaml").write_text("home: var\nbrokr_url: amqp://x\nlimits:\n  attachments: many\n", "utf-8")
    monkeypatch.setenv("GATEWAY_STAGE", "prod")
    error = failed("services list", capsys)
    places = {(finding["path"], finding["line"]): finding for finding in error["findings"]}
    file = str(folder / "gateway.yaml")
    assert set(places) == {(file, 2), (file, 4), ("GATEWAY_STAGE", None)}
    assert "broker_url" in places[file, 2]["remedy"]["en"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "home: [", "just words"])
def test_a_file_that_holds_no_settings_is_refused(text: str, capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    (folder / "gateway.yaml").write_text(text, encoding="utf-8")
    assert failed("check", capsys)["findings"][0]["code"] == "config.invalid"


def test_an_unforeseen_error_is_an_apology_without_the_text_of_the_exception(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(_settings: object) -> None:
        raise ZeroDivisionError("Erika Mustermann")

    monkeypatch.setattr(package_commands, "look", broken)
    error = failed("services list", capsys)
    assert error["code"] == "bug"
    assert "ZeroDivisionError" in error["text"]
    assert "--debug" in error["remedy"]
    _, _, quiet = typed("services list", capsys)
    assert "Mustermann" not in quiet
    assert run(["--debug", "services", "list"]) == 2
    assert "Traceback" in capsys.readouterr().err


def test_one_process_at_a_time_runs_an_embedded_home(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    """Given a home in use, when a second gateway starts there, then it says so and who it is; afterwards it is free."""
    with alone(folder / "var"):
        code, _, err = typed("run --listen 127.0.0.1:0", capsys)
        assert code == 2
        assert f"process {os.getpid()}" in err
        assert str(folder / "var") in err.replace("\n", "")
    with alone(folder / "var"):
        pass


def test_a_gateway_that_was_killed_leaves_its_home_free(folder: Path) -> None:
    """Given another process that holds a home, when it is killed, then nothing of it stands in the way."""
    hold = "import sys; from pathlib import Path; from gateway.runtime import alone\n"
    hold += "with alone(Path('var')): print('held', flush=True); sys.stdin.read()"
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, "-c", hold]
    holder = subprocess.Popen(command, cwd=folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(GatewayError, match=f"process {holder.pid}"), alone(folder / "var"):
            pass
    finally:
        holder.kill()
        holder.communicate()
    with alone(folder / "var"):
        pass


def test_a_package_folder_without_services_or_clients_is_said_to_be_empty(
    capsys: pytest.CaptureFixture[str], folder: Path
) -> None:
    (folder / "mine").mkdir()
    (folder / "gateway.yaml").write_text("packages: [mine]", encoding="utf-8")
    code, out, _ = typed("check --json", capsys)
    assert code == 0
    found = {finding["code"]: finding for finding in json.loads(out)["findings"]}
    assert set(found) == {"config.no_services", "config.no_clients"}
    assert "services/NAME/service.yaml" in found["config.no_services"]["remedy"]["en"]
    assert typed("check --strict", capsys)[0] == 1


def test_a_sample_that_is_not_json_is_a_finding(capsys: pytest.CaptureFixture[str], folder: Path) -> None:
    import shutil

    for part in ("services/hundesteuer-anmeldung", "targets", "clients"):
        shutil.copytree(shipped_folder() / part, folder / "mine" / part)
    case = folder / "mine" / "services" / "hundesteuer-anmeldung" / "samples" / "one-dog-xml" / "case.json"
    case.write_text("{", encoding="utf-8")
    (folder / "gateway.yaml").write_text("packages: [mine]", encoding="utf-8")
    code, out, _ = typed("check --seconds 0", capsys)
    assert code == 1
    assert "case.json" in out
    assert typed("services test --json", capsys)[0] == 1


def test_the_version_is_the_package_s(capsys: pytest.CaptureFixture[str]) -> None:
    from importlib.metadata import version

    assert typed("--version", capsys)[:2] == (0, f"gateway {version('ozg-gateway')}\n")


def test_a_client_s_secret_is_made_or_read_and_fits_its_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    from io import StringIO

    from gateway.intake.tokens import secret_matches

    code, out, _ = typed("keys secret --json", capsys)
    made = json.loads(out)
    assert code == 0
    assert secret_matches(made["client_secret"], made["secret_scrypt"])

    monkeypatch.setattr("sys.stdin", StringIO("one that we chose ourselves\n"))
    code, out, _ = typed("keys secret --stdin", capsys)
    assert code == 0
    assert secret_matches("one that we chose ourselves", out.partition("secret_scrypt: ")[2].strip())

    monkeypatch.setattr("sys.stdin", StringIO("short\n"))
    code, _, err = typed("keys secret --stdin", capsys)
    assert code == 2
    assert "short" not in err.replace("too_short", "")

"""`gateway services new` and `watch`, as somebody who connects a service types them."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from gateway.commands.saving import saves
from gateway.services import shipped_folder

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = shipped_folder() / "services" / "hundesteuer-anmeldung" / "schema"
OPENAPI = shipped_folder() / "targets" / "jagdbehoerde" / "jagdbehoerde.openapi.yaml"
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "LC_ALL": "C.UTF-8"}


def gateway(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "gateway", *words]
    return subprocess.run(command, cwd=folder, env=ENVIRONMENT, capture_output=True, text=True, timeout=120)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An installation with one standard and no package yet."""
    (tmp_path / "gateway.yaml").write_text("home: var\npackages: [mine]\n", encoding="utf-8")
    done = gateway(tmp_path, "schemas", "import", str(SCHEMA))
    assert done.returncode == 0, done.stderr
    return tmp_path


def test_a_service_from_a_standard_passes_check_and_its_samples(folder: Path) -> None:
    # When
    done = gateway(folder, "services", "new", "hunde", "--from", "fim:S99000000001")
    # Then it says what it wrote, and what to do next in three lines
    assert done.returncode == 0, done.stderr
    assert "mine/services/hunde/mapping.yaml" in done.stdout.splitlines()
    assert all((folder / line).is_file() for line in done.stdout.splitlines())
    steps = [line for line in done.stderr.splitlines() if line[:2] in ("1.", "2.", "3.", "4.")]
    assert len(steps) == 3
    # And what it wrote is right
    checked = json.loads(gateway(folder, "check", "--json").stdout)
    # What a valid message may lack is for the author to decide: a draft says it, and is no error.
    codes = {finding["code"] for finding in checked["findings"]} - {"mapping.can_break"}
    assert codes == {"config.no_clients", "config.not_scanned"}
    samples = json.loads(gateway(folder, "services", "test", "--json").stdout)
    assert [sample["ok"] for sample in samples] == [True, True]


def test_nothing_is_ever_overwritten(folder: Path) -> None:
    # Given
    assert gateway(folder, "services", "new", "hunde", "--from", "fim:S99000000001").returncode == 0
    mapping = folder / "mine" / "services" / "hunde" / "mapping.yaml"
    mapping.write_text("case: {data: {mine: {from: F99000000001}}}\n", encoding="utf-8")
    # When
    again = gateway(folder, "services", "new", "hunde", "--from", "fim:S99000000001")
    # Then
    assert again.returncode == 2
    assert "is there already" in again.stderr
    assert "mine: {from" in mapping.read_text(encoding="utf-8")


def test_a_dry_run_tells_the_same_files_and_writes_none(folder: Path) -> None:
    # When
    done = gateway(folder, "services", "new", "hunde", "--from", "fim:S99000000001", "--dry-run", "--json")
    # Then
    told = json.loads(done.stdout)
    assert (told["service"], told["written"], told["findings"]) == ("hunde", False, [])
    assert "mine/targets/hunde/request.yaml" in told["files"]
    assert not (folder / "mine").exists()


def test_a_target_from_openapi_and_a_service_that_goes_there(folder: Path) -> None:
    # When
    target = gateway(folder, "services", "new", "jagd", "--from", f"openapi:{OPENAPI}")
    # Then
    assert target.returncode == 0, target.stderr
    assert "POST /vorgaenge" in target.stderr
    # When a service is to go there
    service = gateway(folder, "services", "new", "hunde", "--from", "fim:S99000000001", "--target", "jagd")
    # Then its request is drafted beside the target, and what it still lacks is told with its place
    assert service.returncode == 1
    assert "mine/targets/jagd/request-hunde.yaml" in service.stdout.splitlines()
    assert "the member 'jagdschein', which jagd requires, is not made" in service.stdout
    assert "at: mine/targets/jagd/request-hunde.yaml (line" in service.stdout


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("hunde", "--from", "fim:S99000000002V1.0.0"), "S99000000001V1.0.0"),
        (("Hunde!", "--from", "fim:S99000000001"), "lower-case letters"),
        (("ziel", "--from", "wsdl:nowhere.wsdl"), "there is no file nowhere.wsdl"),
        (("ziel", "--from", f"openapi:{OPENAPI}#POST /vorgang"), "POST /vorgaenge"),
    ],
)
def test_what_cannot_be_done_is_told_with_what_can(folder: Path, words: tuple[str, ...], told: str) -> None:
    # When
    done = gateway(folder, "services", "new", *words)
    # Then
    assert done.returncode == 2, done.stdout
    assert told in done.stderr
    assert not (folder / "mine" / "services").exists()
    assert not (folder / "mine" / "targets").exists()


def test_every_save_is_a_change_and_looking_alone_is_none(tmp_path: Path) -> None:
    # Given
    file, waits = tmp_path / "mapping.yaml", 0

    def wait() -> None:
        nonlocal waits
        waits += 1
        if waits == 3:
            file.write_text("case: {}\n", encoding="utf-8")

    looks = saves(tmp_path, wait)
    # When, then: at once, and at the save
    next(looks)
    assert waits == 0
    next(looks)
    assert waits == 3


def test_watching_tells_a_slip_when_it_is_saved_and_that_it_is_mended(folder: Path) -> None:
    # Given
    assert gateway(folder, "services", "new", "hunde", "--from", "fim:S99000000001").returncode == 0
    mapping = folder / "mine" / "services" / "hunde" / "mapping.yaml"
    right = mapping.read_text(encoding="utf-8")
    command = [sys.executable, "-m", "gateway", "services", "watch", "mine/services/hunde"]
    watching = subprocess.Popen(command, cwd=folder, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    try:
        assert watching.stdout is not None
        lines = iter(watching.stdout)
        assert "as it should be" in verdict(lines)
        # When
        mapping.write_text(right.replace("F60000000227", "F60000000999"), encoding="utf-8")
        # Then
        assert "mapping.path_unknown" in verdict(lines)
        # When
        mapping.write_text(right, encoding="utf-8")
        # Then
        assert "as it should be" in verdict(lines)
    finally:
        watching.send_signal(signal.SIGINT)
    assert watching.wait(30) == 0


def verdict(lines: Iterator[str] | IO[str]) -> str:
    """All up to the line with the time."""
    told = ""
    for line in lines:
        told += line
        if line[:2].isdigit() and line[2] == ":":
            return told
    raise AssertionError(f"no verdict in: {told}")

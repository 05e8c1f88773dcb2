"""The tutorial "Mend a message", done as its page says: broken as shown, reported as shown."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from test_tutorial import ROOT, Step, assert_shown, steps

PAGE = (ROOT / "docs/tutorial/mend-a-message.md").read_text(encoding="utf-8")
OWN, PUBLISHED = PAGE.split("## On a standard as published")


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """`gateway` is in PATH, `SERVICES` is set, as the page asks."""
    command = tmp_path / "bin/gateway"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {sys.executable} -m gateway "$@"\n')
    command.chmod(0o755)
    path = f"{command.parent}:{os.environ['PATH']}"
    return {
        **os.environ,
        "PATH": path,
        "PYTHONPATH": str(ROOT),
        "SERVICES": str(ROOT / "services"),
        "LC_ALL": "C.UTF-8",
    }


def do(todo: Iterable[Step], folder: Path, env: dict[str, str]) -> int:
    """How many outputs were compared."""
    output, compared = "", 0
    for step in todo:
        if step.kind == "output":
            assert_shown(step.text, output)
            compared += 1
        else:
            assert step.kind == "command"
            done = subprocess.run(
                ["/bin/sh", "-c", step.what], cwd=folder, env=env, capture_output=True, text=True, timeout=60
            )
            output = done.stdout + done.stderr
    return compared


def test_messages_of_the_shipped_schema_are_reported_as_the_page_shows(tmp_path: Path, env: dict[str, str]) -> None:
    assert do(steps(OWN), tmp_path, env) == 1 + 8


def test_messages_of_a_published_standard_are_reported_as_the_page_shows(
    tmp_path: Path, env: dict[str, str], test_data: Path
) -> None:
    env["XBAU"] = str(test_data / "xoev/xbau-2.6")

    assert do(steps(PUBLISHED), tmp_path, env) == 1 + 2

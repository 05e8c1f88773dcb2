"""The tutorial "Connect a service", done as its page says: its files, its commands, its output."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "tutorial" / "connect-a-service.md"
_BLOCK = re.compile(r"(?P<before>[^\n]*)\n+^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_NAMED = re.compile(r"`([^`]+)`:$")
_LINE = re.compile(r"Line (\d+) of `([^`]+)` becomes:$")


@dataclass(frozen=True)
class Step:
    """kind: `file` (what = its path), `line` (what = path:number), `command`, `output`."""

    kind: str
    what: str
    text: str


def steps(page: str) -> Iterator[Step]:
    for block in _BLOCK.finditer(page):
        before, text = block["before"], block["text"]
        if changed := _LINE.search(before):
            yield Step("line", f"{changed[2]}:{changed[1]}", text)
        elif named := _NAMED.fullmatch(before):
            yield Step("file", named[1], text)
        elif block["language"] == "sh":
            yield Step("command", text.strip(), "")
        else:
            assert not block["language"], f"nothing says what this block is for: {text[:60]}"
            yield Step("output", "", text)


def write(folder: Path, step: Step) -> None:
    if step.kind == "file":
        file = folder / step.what
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(step.text, encoding="utf-8")
        return
    name, _, number = step.what.rpartition(":")
    lines = (folder / name).read_text(encoding="utf-8").splitlines(keepends=True)
    lines[int(number) - 1] = step.text
    (folder / name).write_text("".join(lines), encoding="utf-8")


def environment() -> dict[str, str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        listen = f"127.0.0.1:{free.getsockname()[1]}"
    return {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "200", "LC_ALL": "C.UTF-8", "GATEWAY_LISTEN": listen}


def command(line: str) -> list[str]:
    words = line.split()
    assert words[0] == "gateway", line
    return [sys.executable, "-m", "gateway", *words[1:]]


@contextmanager
def in_the_foreground(line: str, folder: Path, env: dict[str, str]) -> Iterator[None]:
    """A command that stays; ready when its health says so, ended as by Ctrl-C."""
    process = subprocess.Popen(command(line), cwd=folder, env=env, stderr=subprocess.DEVNULL)
    try:
        wait_until_ready(process, f"http://{env['GATEWAY_LISTEN']}/health/ready")
        yield
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)


def wait_until_ready(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        assert process.poll() is None, "the gateway ended"
        with suppress(httpx.TransportError):
            if httpx.get(url).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError("the gateway did not get ready within a minute")


def assert_shown(expected: str, output: str) -> None:
    """Every line of the page stands in the output, in this order; `…` is whatever."""
    rest = iter(output.splitlines())
    for line in expected.splitlines():
        pattern = line.rstrip().replace("[", "[[]").replace("…", "*")
        assert any(fnmatchcase(found.rstrip(), pattern) for found in rest), (
            f"{line!r} is not, or not here, in:\n{output}"
        )


def test_the_page_does_what_it_says(tmp_path: Path) -> None:
    env, output, todo = environment(), "", list(steps(PAGE.read_text(encoding="utf-8")))
    assert {step.kind for step in todo} == {"file", "line", "command", "output"}
    with ExitStack() as stack:
        for step in todo:
            if step.kind in ("file", "line"):
                write(tmp_path, step)
            elif step.kind == "output":
                assert_shown(step.text, output)
            elif step.what == "gateway run":
                stack.enter_context(in_the_foreground(step.what, tmp_path, env))
            else:
                output = run(step.what, tmp_path, env)


def run(line: str, folder: Path, env: dict[str, str]) -> str:
    """What a terminal shows. A trace and progress go to stderr; a trace comes first, a summary last."""
    done = subprocess.run(command(line), cwd=folder, env=env, capture_output=True, text=True, timeout=60)
    return done.stderr + done.stdout if "--trace" in line else done.stdout + done.stderr

"""Bytes that libFuzzer makes, guided by which code they reach: a short run here, a long one in `make test-long`."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="atheris is there for Linux only")

ROOT = Path(__file__).resolve().parents[2]
TARGET = Path(__file__).with_name("fuzz_bytes.py")


def fuzzed(folder: Path, *limits: str) -> str:
    """What libFuzzer says at the end. Fails with the input, base64, at the first that is not judged or refused."""
    seeds = folder / "seeds"
    seeds.mkdir()
    for sample in (ROOT / "services/hundesteuer-anmeldung/samples").glob("*/data.*"):
        (seeds / f"{sample.parent.name}{sample.suffix}").write_bytes(sample.read_bytes())
    done = subprocess.run(
        [sys.executable, str(TARGET), str(seeds), "-seed=1", "-max_len=6000", f"-artifact_prefix={folder}/", *limits],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-3_000:]
    return done.stderr


@pytest.mark.timeout(180)
def test_no_bytes_bring_down_the_check_in_a_short_run(tmp_path: Path) -> None:
    assert "Done 20000 runs" in fuzzed(tmp_path, "-runs=20000")


@pytest.mark.long
@pytest.mark.timeout(1_200)
def test_no_bytes_bring_down_the_check_in_ten_minutes(tmp_path: Path) -> None:
    assert "Done" in fuzzed(tmp_path, "-max_total_time=600")

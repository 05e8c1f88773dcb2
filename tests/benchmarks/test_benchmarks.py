"""The benchmarks run. Their timings decide nothing here: what a busy machine measures is no verdict."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.long
@pytest.mark.usefixtures("postgres_server", "rabbitmq_node")  # skips or fails where these servers are not installed
def test_the_benchmarks_compare_both_shapes_with_the_bare_loop(tmp_path: Path) -> None:
    page = tmp_path / "page.md"

    # When the whole of it runs with a few submissions
    command = [sys.executable, "-m", "tests.benchmarks", "--quick", "--write", str(page)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)

    # Then it ends well (all that was sent was accepted and delivered, on both sides) and says so in ratios and figures.
    assert done.returncode == 0, done.stderr
    text = page.read_text(encoding="utf-8")
    assert text.strip() == done.stdout.strip()
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    for shape in ("embedded", "production"):
        ratios = {row[1]: row[2:4] for row in rows if row[0] == shape and row[1] in ("accepting", "end to end")}
        assert set(ratios) == {"accepting", "end to end"}
        assert all(float(ratio) > 0 for pair in ratios.values() for ratio in pair)
        assert {row[1] for row in rows if row[0] == shape} >= {"gateway", "bare"}

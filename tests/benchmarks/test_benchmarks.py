"""The benchmarks run. Their timings decide nothing here: what a busy machine measures is no verdict."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from lxml import etree

from adapters.soap.wsdl import Wsdl
from gateway import pipeline
from gateway.services import map_request
from gateway.settings import load_settings
from gateway.wiring import open_gateway
from tests.benchmarks.message import SERVICE, TARGET, message, multipart
from tests.benchmarks.sides import Shape, prepare
from tests.benchmarks.steps import receive, submission
from tests.benchmarks.straight import request_of, request_schema

ROOT = Path(__file__).resolve().parents[2]


def test_the_bare_loop_sends_the_very_request_that_the_gateway_sends(tmp_path: Path) -> None:
    # Given a submission of the benchmarks
    side = prepare("gateway", Shape("embedded", tmp_path), 1)
    with open_gateway(load_settings(side.folder / "gateway.yaml")) as gateway:
        given = submission(gateway, *receive(gateway, multipart(message())))
        case = pipeline.make_case(gateway, given, pipeline.check(gateway, given)).value

        # When the gateway and the straight code make the request of it
        body = dict(map_request(gateway.packages.targets[TARGET], SERVICE, case).value or {})
    wsdl = Wsdl(gateway.packages.targets[TARGET].folder / "HundesteuerService.wsdl")
    body["Vorgang"] = {**body["Vorgang"], "FremdId": "D-1"}
    made = wsdl.message(wsdl.operation("VorgangAnlegen"), body)
    straight = etree.fromstring(request_of("D-1", case["receivedAt"], etree.fromstring(message())))

    # Then both say the same, and the types of the WSDL allow it.
    assert [(e.tag, (e.text or "").strip()) for e in straight.iter()] == [
        (e.tag, (e.text or "").strip()) for e in made.iter()
    ]
    assert request_schema().validate(straight[0][0])


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

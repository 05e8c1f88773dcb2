"""What mapping costs against parsing the same message with bare lxml: submission → case, then case → request.

The messages are those of the check, of about 10 KiB: the shipped service's on a schema of FIM, and XBau's constructed
one (`GATEWAY_TEST_DATA`). Only the mapping: what the case's schema and the adapter check is not in it. Aim: below 3.
"""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from lxml import etree

from gateway.mapping.run import run, run_on_case
from gateway.services import Packages, shipped_folder
from tests.benchmarks.checking import DATA, PARSER, ROUNDS, seconds, without_rules
from tests.benchmarks.checking import message as xbau_message
from tests.benchmarks.message import SERVICE, TARGET, message
from xoev_schemas.documents import parse
from xoev_schemas.registry import Registry

Mappings = dict[str, dict[str, float]]
"""What → `case_us`, `request_us`, `parse_us`, and `ratio` of the first two to the third."""

_ENVELOPE: dict[str, Any] = {
    "submissionId": "0190f0a0-0000-7000-8000-000000000000",
    "receivedAt": "2026-03-02T08:30:00Z",
    "test": False,
    "attachments": [],
}


def measure() -> Mappings:
    """XBau only with the third-party data."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = Registry(folder / "registry")
        registry.import_path(shipped_folder() / "services" / SERVICE / "schema")
        if DATA.is_dir():
            registry.import_path(without_rules(DATA / "xoev/xbau-2.6", folder))
        packages = Packages.load([shipped_folder()], registry)
        measured = {"FIM": _measured(packages, SERVICE, TARGET, message())}
        if DATA.is_dir():
            measured["XBau"] = _measured(packages, "bauantrag", "bauaufsicht", xbau_message(10 * 1024))
        return measured


def _measured(packages: Packages, service: str, target: str, data: bytes) -> dict[str, float]:
    document = parse(data, "application/xml")
    mapping, request = packages.services[service].accepts[0].compiled, packages.targets[target].request_for(service)
    made = run(mapping, document).value
    assert made is not None
    assert request is not None
    case = {**made, **_ENVELOPE}
    assert run_on_case(request, case).value
    calls = (
        lambda: run(mapping, document),
        lambda: run_on_case(request, case),
        lambda: etree.fromstring(data, PARSER),
    )
    turns = [[seconds(call) for call in calls] for _ in range(ROUNDS)]
    # The fastest of many short turns, by turns: whatever else uses the machine only ever adds.
    to_case, to_request, parsing = (min(turn) for turn in zip(*turns, strict=True))
    return {
        "case_us": round(to_case * 1e6, 1),
        "request_us": round(to_request * 1e6, 1),
        "parse_us": round(parsing * 1e6, 1),
        "ratio": round((to_case + to_request) / parsing, 1),
    }

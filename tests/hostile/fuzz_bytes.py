"""A libFuzzer target: bytes, guided by which code of ours they reach, up every layer of checking that needs no process.

    python tests/hostile/fuzz_bytes.py [FOLDER WITH SEEDS] -max_total_time=600

Ends at the first input that raises anything but Unreadable, takes longer than ten seconds, or whose findings cannot
be written as JSON; libFuzzer leaves the input beside it. `test_fuzzing.py` runs it.
"""

from __future__ import annotations

import json
import sys
import tempfile
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["xoev_schemas"]):
    from xoev_schemas.documents import Limits, Unreadable
    from xoev_schemas.ladder import Checker
    from xoev_schemas.positions import located
    from xoev_schemas.registry import Registry
    from xoev_schemas.workers import Workers

SCHEMA = Path(__file__).resolve().parents[2] / "services/hundesteuer-anmeldung/schema"
_folder = tempfile.TemporaryDirectory(prefix="fuzz-")
_registry = Registry(Path(_folder.name))
_registry.import_path(SCHEMA)
_checker = Checker(_registry, Workers(1, 1 << 30, 10.0), Limits())


def check(data: bytes) -> None:
    """The first byte decides between JSON and XML, so that one corpus serves both."""
    media_type = "application/json" if data[:1] == b"{" else "application/xml"
    try:
        findings = _checker.check(data, media_type).findings
    except Unreadable as refusal:
        findings = refusal.findings
    json.dumps([finding.as_dict() for finding in located(findings, data, media_type)])


if __name__ == "__main__":
    atheris.Setup([*sys.argv, "-timeout=10", "-rss_limit_mb=2048"], check)
    atheris.Fuzz()

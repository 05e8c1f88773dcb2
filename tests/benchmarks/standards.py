"""What installed standards and their business rules cost: the whole check with Schematron against bare Saxon in as many
processes, and a start with every published standard installed against one with none.

Bare Saxon compiles the same stylesheets, and then parses and transforms the same message in a loop; the gateway does
everything else beside it (its own parsing, XSD, code lists, conventions) and sends the message to its processes. Aims:
0.8 for the first, a third for the second. The data is third-party (`GATEWAY_TEST_DATA`).
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.benchmarks.checking import DATA, Checks, _make_up_lists, message
from xoev_schemas.documents import Limits, XmlDocument, parse
from xoev_schemas.ladder import Checker
from xoev_schemas.registry import Registry
from xoev_schemas.workers import Workers

PROCESSES = max(1, (os.cpu_count() or 2) - 1)
"""One core is left to the gateway itself, in both: it works while its processes do."""
ROUNDS, MESSAGES, STARTS = 5, 400, 5
ROOT = Path(__file__).resolve().parents[2]
SAMPLE = ROOT / "services/hundesteuer-anmeldung/samples/one-dog-xml/data.xml"

_BARE = """
import sys, time
from pathlib import Path
from saxonche import PySaxonProcessor
count, text, *stylesheets = int(sys.argv[1]), *(Path(name).read_text() for name in sys.argv[2:])
saxon = PySaxonProcessor(license=False)
compiler = saxon.new_xslt30_processor()
rules = [compiler.compile_stylesheet(stylesheet_text=stylesheet) for stylesheet in stylesheets]
def check():
    tree = saxon.parse_xml(xml_text=text)
    return [rule.transform_to_string(xdm_node=tree) for rule in rules]
for _ in range(20):
    check()
print("ready", flush=True)
sys.stdin.readline()
for _ in range(count):
    check()
"""


def measure() -> Checks:
    """Empty without the third-party data."""
    if not DATA.is_dir():
        return {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        registry = Registry(folder / "full/schemas")
        for source in ("xoev", "codelists"):
            registry.import_path(DATA / source)
        return {
            "check with Schematron : bare Saxon": _compared(*_checks(registry, folder), ROUNDS, per=MESSAGES),
            "start with all standards : with none": _compared(
                lambda: _started(folder / "full"), lambda: _started(folder / "empty"), STARTS
            ),
        }


def _checks(registry: Registry, folder: Path) -> tuple[Callable[[], float], Callable[[], float]]:
    data = message(10 * 1024)
    files = [folder / "message.xml", *(folder / f"{n}.xsl" for n in range(2))]
    for file, content in zip(files, [data, *registry.schematron("xoev:xbau/2.6").each], strict=True):
        file.write_bytes(content)
    document = parse(data, "application/xml")
    assert isinstance(document, XmlDocument)
    ref = registry.recognise(document)
    assert ref
    registry.validate(document, ref)  # writes in which lists the codes are from
    _make_up_lists(registry, document.root, folder / "made-up")
    checker = Checker(registry, Workers(PROCESSES, 2 << 30, 60.0), Limits())
    assert not checker.check(data, "application/xml").findings

    def ours() -> float:
        with ThreadPoolExecutor(2 * PROCESSES) as threads:
            list(threads.map(lambda _: checker.check(data, "application/xml"), range(20 * PROCESSES)))
            begin = time.perf_counter()
            for judgement in threads.map(lambda _: checker.check(data, "application/xml"), range(MESSAGES)):
                assert judgement.valid
            return time.perf_counter() - begin

    return ours, lambda: _bare([str(file) for file in files])


def _bare(files: list[str]) -> float:
    """Seconds for MESSAGES in PROCESSES processes, from when all of them are warm."""
    command = [sys.executable, "-c", _BARE, str(MESSAGES // PROCESSES), *files]
    running = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(PROCESSES)
    ]
    for process in running:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    begin = time.perf_counter()
    for process in running:
        process.communicate("go\n")
    return time.perf_counter() - begin


def _started(home: Path) -> float:
    """Seconds of a whole command: start, open everything that is installed and configured, judge one message, end."""
    environment = {**os.environ, "GATEWAY_HOME": str(home), "PYTHONPATH": str(ROOT)}
    begin = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "gateway", "validate", str(SAMPLE)],
        env=environment,
        cwd=home.parent,
        check=True,
        capture_output=True,
    )
    return time.perf_counter() - begin


def _compared(ours: Callable[[], float], bare: Callable[[], float], rounds: int, per: int = 1) -> dict[str, float]:
    """Medians of rounds by turns, so that a busy machine slows both; microseconds."""
    taken = [(ours() / per, bare() / per) for _ in range(rounds)]
    one, other = statistics.median(t[0] for t in taken), statistics.median(t[1] for t in taken)
    return {"us": round(one * 1e6, 1), "bare_us": round(other * 1e6, 1), "ratio": round(other / one, 2)}

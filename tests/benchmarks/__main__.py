"""`make bench`: throughput, latency, memory and where the time goes, each next to the bare loop of the same run.

    .venv/bin/python -m tests.benchmarks [--shape embedded] [--write docs/reference/benchmarks.md]

Some three minutes. Timings decide nothing: no test looks at them.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from gateway.demo import servers
from tests.benchmarks import checking, mapping, standards, steps
from tests.benchmarks.comparing import QUICK, Plan, compare
from tests.benchmarks.processes import department
from tests.benchmarks.report import page
from tests.benchmarks.sides import Shape, prepare

SHAPES = ("embedded", "production")
STEP_COUNT = 320


def main() -> int:
    parser = argparse.ArgumentParser(prog="make bench", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--shape", choices=SHAPES, action="append", help="only this one")
    parser.add_argument("--quick", action="store_true", help="only see whether it works; the figures mean nothing")
    parser.add_argument("--write", type=Path, metavar="PATH", help="write the page there as well")
    options = parser.parse_args()
    text = run(options.shape or SHAPES, QUICK if options.quick else Plan())
    print(text)
    if options.write:
        options.write.write_text(text, encoding="utf-8")
    return 0


def run(names: list[str] | tuple[str, ...], plan: Plan) -> str:
    """Measure, and make the page of it."""
    with tempfile.TemporaryDirectory(prefix="gateway-bench-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        folder.chmod(0o711)  # the private servers run as other users when we are root
        with department() as port:
            results = {}
            versions: list[str] = []
            for shape_name in names:
                print(f"{shape_name} …", file=sys.stderr)
                with opened(shape_name, folder) as shape:
                    results[shape_name] = compare(shape, plan, port)
                    versions += shape.versions()
            print("steps …", file=sys.stderr)
            measured = steps.measure(prepare("gateway", Shape("embedded", folder), port), STEP_COUNT)
    checks = (checking.measure(), standards.measure())
    return page(results, measured, checks, mapping.measure(), plan, versions)


@contextlib.contextmanager
def opened(name: str, folder: Path) -> Iterator[Shape]:
    """A shape with its private servers, if it needs any. Raises ServerUnavailable."""
    if name == "embedded":
        yield Shape(name, folder)
        return
    with contextlib.ExitStack() as stack:
        postgres, rabbit = servers.PostgresServer(folder), servers.RabbitNode(folder)
        for server in (postgres, rabbit):
            stack.callback(server.close)
            server.start()
        yield Shape(name, folder, postgres, rabbit)


if __name__ == "__main__":
    sys.exit(main())

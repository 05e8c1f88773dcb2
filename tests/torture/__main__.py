"""`make torture`: seeded runs against a whole installation, and the table of what came of them.

    .venv/bin/python -m tests.torture --seed 7 --minutes 2 [--shape embedded] [--seeded] [--write docs/reliability.md]

Exit code: 0 nothing was lost, doubled or seen, and every seeded fault was reported · 1 otherwise · 2 it could not run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import random
import shutil
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from gateway import logs
from gateway.demo.servers import PostgresServer, RabbitNode, ServerUnavailable
from tests.torture import report
from tests.torture.plan import ShapeName, make
from tests.torture.proofs import PROOFS, prove
from tests.torture.run import Ground, Result, run
from tests.torture.seeded import FAULTS

SHAPES: tuple[ShapeName, ...] = ("embedded", "production")
ROUND_SECONDS = 45.0
"""A long run is many of these, each with the next seed, on an empty installation, checked at its end."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="make torture", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--seed", type=int, help="the same seed makes the same plan; without one, a random one")
    parser.add_argument("--minutes", type=float, default=2.0, help="of torture in each shape; checking comes on top")
    parser.add_argument("--shape", choices=SHAPES, action="append", help="only this one")
    parser.add_argument("--seeded", action="store_true", help="also put faults into the program: each must be reported")
    parser.add_argument("--folder", type=Path, help="keep histories and logs there (a new folder)")
    parser.add_argument("--json", action="store_true", help="print the figures as one JSON document")
    parser.add_argument("--write", type=Path, metavar="PAGE", help="put the tables between the markers of this page")
    options = parser.parse_args()
    logs.configure("ERROR")
    seed = options.seed if options.seed is not None else random.SystemRandom().randrange(1_000_000)
    try:
        with Stage(options.folder) as stage:
            results = [
                result
                for shape in options.shape or SHAPES
                for result in stage.rounds(shape, seed, options.minutes * 60)
            ]
            caught = stage.proofs(seed) if options.seeded else {}
            tables = report.tables(results, caught, stage.versions())
    except ServerUnavailable as error:
        print(error, file=sys.stderr)
        return 2
    except Exception:
        traceback.print_exc()
        return 2
    print(json.dumps(report.figures(results, caught)) if options.json else tables)
    if options.write:
        report.write(options.write, tables)
    missed = [name for name, names in caught.items() if (FAULTS[name].reported or "") not in (names or {""})]
    return 1 if missed or any(result.violations for result in results) else 0


class Stage(contextlib.AbstractContextManager["Stage"]):
    """A folder and, when first needed, private servers. What found something stays on disk, and is named."""

    def __init__(self, folder: Path | None) -> None:
        if folder:
            folder.mkdir(parents=True)
        self._folder = (folder or Path(tempfile.mkdtemp(prefix="gateway-torture-"))).resolve()
        self._folder.chmod(0o711)  # the private servers run as other users when we are root
        self._keep = folder is not None
        self._stack = contextlib.ExitStack()
        self._servers: tuple[PostgresServer, RabbitNode] | None = None
        self._grounds = 0

    def __exit__(self, *_: object) -> None:
        self._stack.close()
        if self._keep:
            say(f"kept: {self._folder}")
        else:
            shutil.rmtree(self._folder, ignore_errors=True)

    def rounds(self, shape: ShapeName, seed: int, seconds: float) -> Iterator[Result]:
        left = seconds
        while left >= 1:
            length = min(left, ROUND_SECONDS)
            say(f"{shape}, seed {seed}, {length:.0f} s …")
            result = run(make(seed, shape, length), self._ground(shape))
            yield self._told(result)
            left, seed = left - length, seed + 1

    def proofs(self, seed: int) -> dict[str, set[str]]:
        """Name of each seeded fault → the invariants whose violation was reported."""
        caught = {}
        for name, proof in PROOFS.items():
            say(f"seeded: {name} …")
            caught[name] = prove(name, seed, self._ground(proof.shape)).names
            say(f"    {', '.join(sorted(caught[name])) or 'nothing reported'}")
        return caught

    def versions(self) -> list[str]:
        return report.server_versions(*self._servers) if self._servers else []

    def _told(self, result: Result) -> Result:
        for violation in result.violations:
            say(f"    {violation.invariant}: {violation.text}")
        if result.violations:
            self._keep = True
            say(f"    history: {result.history}")
        return result

    def _ground(self, shape: ShapeName) -> Ground:
        self._grounds += 1
        folder = self._folder / f"{self._grounds:03d}-{shape}"
        folder.mkdir()
        if shape == "embedded":
            return Ground(folder)
        postgres, rabbit = self._started()
        name = f"torture_{self._grounds}_{int(time.time())}"
        database = urlunsplit(urlsplit(postgres.create_database(name)))
        return Ground(folder, database, rabbit.create_vhost(name), {"database": postgres, "broker": rabbit})

    def _started(self) -> tuple[PostgresServer, RabbitNode]:
        if self._servers is None:
            postgres, rabbit = PostgresServer(self._folder), RabbitNode(self._folder)
            for server in (postgres, rabbit):
                self._stack.callback(server.close)
            self._servers = postgres, rabbit
        for server in self._servers:
            server.start()
        return self._servers


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())

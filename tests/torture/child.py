"""A gateway under torture: `python child.py CONTROL BROKEN ROLE …` runs `gateway ROLE …`.

CONTROL is a folder whose file `clock` says by how many seconds the gateway's clock is off. BROKEN is `-`, or a fault
of `seeded.py` that the program has in this run. Everything is put in here, in the test's own child: the program has no
code for tests.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

# Started as a file, this folder comes first on the path, where the project has to be.
sys.path[0] = str(Path(__file__).resolve().parents[2])

from gateway import pipeline, wiring  # noqa: E402
from gateway.delivery import relay  # noqa: E402
from gateway.store import database, outbox  # noqa: E402
from tests.torture import seeded  # noqa: E402

_CONTROL = Path(sys.argv[1])


def now() -> datetime:
    try:
        offset = float((_CONTROL / "clock").read_text())
    except (FileNotFoundError, ValueError):
        offset = 0.0
    return datetime.now(UTC) + timedelta(seconds=offset)


def database_now(connection: Any, original: Any = database.database_now) -> datetime:
    """PostgreSQL's own clock is that of its machine; SQLite's is ours."""
    return now() if connection.dialect.name == "sqlite" else original(connection)


wiring.utc_now = now
database.database_now = database_now
# What takes a minute in the field takes a moment here: a run is to end.
pipeline.PROBE_AGAIN = timedelta(seconds=1)
outbox._SLACK = timedelta(seconds=0.5)
relay.LEASE_SECONDS = 4.0

if __name__ == "__main__":
    from gateway.cli import main

    seeded.put_in(sys.argv[2])
    sys.argv = ["gateway", *sys.argv[3:]]
    main()

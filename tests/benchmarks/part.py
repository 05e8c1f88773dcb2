"""One part of the gateway that the command line does not offer alone: intake of the embedded shape, without workers.

python -m tests.benchmarks.part FILE        gateway.yaml; serves until SIGTERM
"""

from __future__ import annotations

import sys
from pathlib import Path

from gateway.logs import configure
from gateway.runtime import running, until_told
from gateway.settings import load_settings
from gateway.wiring import open_gateway

if __name__ == "__main__":
    settings = load_settings(Path(sys.argv[1]))
    configure(settings.log_level)
    with open_gateway(settings) as gateway, running(gateway, ("api",)):
        until_told()

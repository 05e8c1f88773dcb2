from __future__ import annotations

from collections.abc import Iterator

import pytest

from xoev_schemas.workers import Workers


@pytest.fixture(scope="session")
def workers() -> Iterator[Workers]:
    workers = Workers(1, memory_bytes=1 << 30, seconds=30)
    yield workers
    workers.close()

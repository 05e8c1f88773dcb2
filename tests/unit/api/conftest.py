from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from intake_support import Sender, open_sender


@pytest.fixture(scope="module")
def sender(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sender]:
    home: Path = tmp_path_factory.mktemp("home")
    yield from open_sender(home)

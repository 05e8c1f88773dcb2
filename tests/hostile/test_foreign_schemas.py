"""The W3C's tests of XML Schema (without NIST's): whoever imports a schema like these gets a compiled one or a refusal,
in bounded time and memory, and no process dies of it.
"""

from __future__ import annotations

import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from xoev_schemas.workers import WorkerKilled, Workers

ARCHIVE = "hostile/xsd/w3c-xsdtests-without-nist.tar.xz"


@pytest.fixture
def pool(monkeypatch: pytest.MonkeyPatch) -> Iterator[Workers]:
    """One process that finds `worker_functions`; 512 MiB and ten seconds per schema."""
    monkeypatch.setenv("PYTHONPATH", str(Path(__file__).parent))
    workers = Workers(1, 512 << 20, 10.0)
    yield workers
    workers.close()


def outcomes(pool: Workers, test_data: Path, folder: Path, every: int) -> Counter[str]:
    """Of every n-th schema: how often `compiled`, `refused`, or why its process was ended."""
    with tarfile.open(test_data / ARCHIVE) as archive:
        archive.extraction_filter = getattr(tarfile, "data_filter", None)  # Python 3.11.4 and newer
        archive.extractall(folder)
    files = sorted(folder.rglob("*.xsd"))
    assert len(files) > 11_000
    counted: Counter[str] = Counter()
    for file in files[::every]:
        try:
            answer = pool.call("worker_functions:compile_schema", str(file.parent).encode(), file.name.encode())
            counted[answer.decode()] += 1
        except WorkerKilled as killed:
            counted[f"{killed.reason}: {file.relative_to(folder)}"] += 1
    return counted


@pytest.mark.timeout(120)
def test_a_sample_of_the_schemas_is_compiled_or_refused(pool: Workers, test_data: Path, tmp_path: Path) -> None:
    counted = outcomes(pool, test_data, tmp_path, 40)

    assert set(counted) == {"compiled", "refused"}
    assert min(counted.values()) > 20


@pytest.mark.long
@pytest.mark.timeout(3_600)
def test_every_schema_is_compiled_or_refused(pool: Workers, test_data: Path, tmp_path: Path) -> None:
    assert set(outcomes(pool, test_data, tmp_path, 1)) == {"compiled", "refused"}

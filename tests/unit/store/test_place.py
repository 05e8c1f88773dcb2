"""Where a SQLite database lies."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from sqlalchemy import make_url

from gateway.errors import ConfigurationError
from gateway.store import place
from gateway.store.place import file_system_of, nearly_full, require_local

MOUNTS = """27 1 254:0 / / rw,relatime - ext4 /dev/vda rw
40 27 0:40 / /srv/with\\040blank rw,relatime shared:1 - nfs4 server:/x rw
41 27 0:41 / /srv rw,relatime - xfs /dev/vdb rw
"""


@pytest.mark.parametrize(
    ("folder", "kind"), [("/var/lib", "ext4"), ("/srv/with blank/home", "nfs4"), ("/srv/other", "xfs")]
)
def test_the_innermost_mount_says_which_file_system_it_is(tmp_path: Path, folder: str, kind: str) -> None:
    mounts = tmp_path / "mountinfo"
    mounts.write_text(MOUNTS, encoding="utf-8")

    assert file_system_of(Path(folder), mounts) == kind


@pytest.mark.parametrize("kind", ["nfs4", "cifs", "fuse.sshfs"])
def test_a_sqlite_database_on_a_network_file_system_is_refused_with_a_way_out(kind: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        require_local(make_url("sqlite:////srv/home/gateway.db"), lambda _: kind)

    assert refused.value.findings[0].code == "config.database_on_network"
    assert "PostgreSQL" in refused.value.findings[0].remedy.en


def test_local_disks_and_other_databases_are_let_be() -> None:
    require_local(make_url("sqlite:////srv/home/gateway.db"), lambda _: "ext4")
    require_local(make_url("postgresql://host/x"), lambda _: "nfs4")


def test_a_disk_is_nearly_full_below_the_bound_or_a_twentieth_of_a_small_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    url = make_url(f"sqlite:///{tmp_path}/gateway.db")
    megabyte = 1 << 20
    for total, free, expected in [(100_000, 511, True), (100_000, 513, False), (20, 2, False), (20, 0, True)]:
        usage = SimpleNamespace(total=total * megabyte, free=free * megabyte)
        monkeypatch.setattr(place.shutil, "disk_usage", lambda _, usage=usage: usage)
        assert nearly_full(url, 512 * megabyte) is expected

    assert not nearly_full(make_url("postgresql://host/x"), 512 * megabyte)

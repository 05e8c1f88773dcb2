"""The store's own time: the database's, whatever happens to the clock of this machine."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from store_world import KEYS

from gateway.store import database, writer
from gateway.store.store import Store


def test_a_jump_of_the_clock_is_seen_only_through_the_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    jump = timedelta(0)

    class Clock(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:  # type: ignore[override]
            return datetime.now(UTC) + jump

    monkeypatch.setattr(database, "datetime", Clock)
    store = Store.open(f"sqlite:///{tmp_path / 'gateway.db'}", keys=KEYS, create=True)
    try:
        before = store.now()
        assert abs(before - datetime.now(UTC)) < timedelta(seconds=5)

        jump = timedelta(hours=1)  # SQLite's time is this machine's: the next commit brings it
        assert store.now() - before < timedelta(minutes=1)
        store.expire_claims().result(30)
        assert store.now() - before > timedelta(minutes=59)

        # set right while nothing is committed: what the last commit said is not believed for ever
        jump = timedelta(0)
        monkeypatch.setattr(writer, "_BELIEVED_SECONDS", 0.0)
        end = time.monotonic() + 30
        while store.now() - before > timedelta(minutes=59):
            assert time.monotonic() < end
            time.sleep(0.01)
    finally:
        store.close()

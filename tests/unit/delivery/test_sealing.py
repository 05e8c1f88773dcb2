"""The relay's housekeeping seals what happened and closes the days; what goes wrong there holds up no delivery."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from intake_support import Sender, open_sender
from structlog.testing import capture_logs

from gateway.delivery import sealing
from gateway.delivery.sealing import Sealer
from gateway.errors import StoreUnavailable


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    with contextlib.contextmanager(open_sender)(tmp_path) as opened:
        yield opened


def faults(sender: Sender) -> list[str]:
    audit = sender.gateway.store.audit
    return [fault.code for step in audit.verify(audit.public_keys()) for fault in step.faults]


def test_a_key_is_made_at_first_use_for_its_owner_only_and_a_restart_signs_with_the_same(sender: Sender) -> None:
    sender.send()
    Sealer(sender.gateway).turn()
    sender.send()

    Sealer(sender.gateway).turn()

    path = sender.gateway.settings.home / "keys" / "audit-1.key"
    assert path.stat().st_mode & 0o077 == 0
    assert len(sender.gateway.store.audit.public_keys()) == 1
    assert faults(sender) == []


def test_a_new_version_signs_from_the_next_seal_on_and_old_seals_stay_good(sender: Sender) -> None:
    sender.send()
    sealer = Sealer(sender.gateway)
    sealer.turn()
    pem = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (sender.gateway.settings.home / "keys" / "audit-2.key").write_bytes(pem)
    sender.send()

    now = sender.gateway.clock()
    sender.gateway.clock = lambda: now + timedelta(seconds=61)
    sealer.turn()

    assert len(sender.gateway.store.audit.public_keys()) == 2
    assert faults(sender) == []


def test_a_backlog_is_caught_up_with_in_bounded_batches_between_deliveries(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sealing, "BATCHES_A_TURN", 1)
    plan = sender.gateway.store.audit.next_batch
    monkeypatch.setattr(sender.gateway.store.audit, "next_batch", lambda: plan(2))
    for _ in range(5):
        sender.send()
    sealer = Sealer(sender.gateway)

    turns = 1
    while sealer.turn():
        turns += 1

    assert turns >= 3
    assert sender.gateway.store.audit.standing()[0] == 0


def test_an_unreadable_key_stops_sealing_only_and_is_told(sender: Sender) -> None:
    keys = sender.gateway.settings.home / "keys"
    (keys / "audit-1.key").write_text("no key")
    sender.send()

    with capture_logs() as logs:
        assert Sealer(sender.gateway).turn() is False

    assert [entry["event"] for entry in logs] == ["record.not_sealed"]


def test_a_database_that_is_away_is_for_the_relay_to_wait_for(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    def away() -> None:
        raise StoreUnavailable("away")

    monkeypatch.setattr(sender.gateway.store.audit, "next_batch", away)

    with pytest.raises(StoreUnavailable):
        Sealer(sender.gateway).turn()


def test_a_day_that_does_not_balance_is_an_error_in_the_log(sender: Sender) -> None:
    sender.send()
    Sealer(sender.gateway).turn()
    now = sender.gateway.clock()
    sender.gateway.clock = lambda: now + timedelta(days=1, hours=1)
    Sealer(sender.gateway).turn()
    with sqlite3.connect(sender.gateway.settings.home / "gateway.db") as database:
        database.execute("UPDATE delivery SET state = 'discarded'")
    sender.gateway.clock = lambda: now + timedelta(days=2, hours=1)

    with capture_logs() as logs:
        Sealer(sender.gateway).turn()

    [entry] = [entry for entry in logs if entry["event"] == "day.difference"]
    assert (entry["log_level"], entry["deliveries"] > 0) == ("error", True)

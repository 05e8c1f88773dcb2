"""`gateway doctor` as an operator types it, and starts that are refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml
from test_backup_and_restore import Place, new_place

from gateway.cli import run
from gateway.commands import doctor
from gateway.settings import load_settings
from gateway.wiring import load_packages
from queues import open_broker
from queues.base import Exchange, Queue, Topology
from queues.topology import target_queue

__all__ = ["new_place"]


@pytest.fixture
def place(new_place: Callable[[str], Place]) -> Place:
    place = new_place("first")
    with place.store(create=True):
        pass
    return place


def states(told: Any) -> dict[str, str]:
    """The worst that was said of each thing."""
    order = ["good", "warning", "bad"]
    found: dict[str, str] = {}
    for one in told["checks"]:
        found[one["what"]] = max(found.get(one["what"], "good"), one["state"], key=order.index)
    return found


def test_all_that_is_good_is_named(place: Place) -> None:
    code, told = place.json("doctor")

    found = states(told)
    assert (code, told["good"]) == (0, True)
    assert {"keys", "tables", "database", "clock", "queues"} <= {
        what for what, state in found.items() if state == "good"
    }


def test_a_key_that_others_can_read_is_bad_and_the_remedy_is_named(place: Place) -> None:
    (place.home / "keys" / "content-1.key").chmod(0o644)

    code, told = place.json("doctor")

    assert (code, states(told)["keys"]) == (1, "bad")
    assert any("keys rotate" in one["remedy"] for one in told["checks"])


def test_a_clock_that_is_not_the_databases_is_bad(new_place: Callable[[str], Place], monkeypatch: Any) -> None:
    place = new_place("first")
    with place.store(create=True):
        pass
    monkeypatch.setattr(doctor, "utc_now", lambda: datetime.now(UTC) + timedelta(minutes=10))

    code, told = place.json("doctor")

    assert (code, states(told)["clock"]) == (1, "bad")


def test_a_nearly_full_disk_is_bad(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    if not place.url.startswith("sqlite"):
        pytest.skip("PostgreSQL sees to its own disk")
    monkeypatch.setattr(doctor, "nearly_full", lambda *_: True)

    code, told = place.json("doctor")

    assert (code, states(told)["disk"]) == (1, "bad")


def test_a_queue_with_other_arguments_is_named_with_ours_and_theirs_and_nothing_starts_on_it(
    place: Place, fresh_rabbitmq_url: str
) -> None:
    # Given RabbitMQ in which somebody made our queue, with a delivery limit of their own
    values = yaml.safe_load(place.config.read_text(encoding="utf-8"))
    place.config.write_text(yaml.safe_dump({**values, "broker_url": fresh_rabbitmq_url}), encoding="utf-8")
    _, packages = load_packages(load_settings(place.config))
    target = sorted({name for s in packages.services.values() if s.inactive is None for name in s.targets})[0]
    name = target_queue(target)
    broker = open_broker(fresh_rabbitmq_url, name="somebody")
    broker.declare(
        Topology(exchanges=[Exchange("ozg.dead")], queues=[Queue(name, dead_exchange="ozg.dead", delivery_limit=5)])
    )
    broker.close()

    code, told = place.json("doctor")
    started = run(["relay", "--config", str(place.config)])
    mended, rebuilt = place.json("relay", "--rebuild", "--dry-run")

    (queues,) = [one for one in told["checks"] if one["what"] == "queues"]
    assert code == 1
    assert queues["state"] == "bad"
    assert name in queues["text"]
    assert "x-delivery-limit is '5' there, we need '20'" in queues["text"]
    assert "relay --rebuild" in queues["remedy"]
    assert started == 2
    assert (mended, rebuilt["dryRun"]) == (0, True)  # what mends it needs no broker

"""Content is kept as long as the service says after the end, then goes with its key; the record stays."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from intake_support import Sender, open_sender

from adapters.base import Permanent
from gateway.delivery import Delivered
from gateway.delivery.retention import keep_and_erase
from gateway.delivery.verdicts import dead
from gateway.store import AttemptStart, Claimed, ContentErased


@pytest.fixture
def sender(tmp_path: Path) -> Iterator[Sender]:
    with contextlib.contextmanager(open_sender)(tmp_path) as opened:
        yield opened


def end(sender: Sender, submission_id: str, *, discard_one: bool = False) -> None:
    """Deliver everything, or discard one delivery as a person would."""
    store = sender.gateway.store
    for number, delivery in enumerate(store.view(submission_id).deliveries):
        claim = store.claim(delivery.delivery_id, "w", 60).result(30)
        assert isinstance(claim, Claimed)
        attempt = store.start_attempt(claim.delivery, AttemptStart("w", "v", "c", "r", False)).result(30)
        if discard_one and number == 0:
            store.finish(claim.delivery, attempt, dead(Permanent("http.404", failure="contract"))).result(30)
            store.discard([delivery.delivery_id], actor="clerk", reason="entered by hand elsewhere").result(30)
        else:
            store.finish(claim.delivery, attempt, Delivered()).result(30)


@pytest.mark.parametrize(("discarded", "days"), [(False, 30), (True, 183)])
def test_content_goes_when_its_time_is_over_and_not_before(sender: Sender, discarded: bool, days: int) -> None:
    submission_id = sender.send().json()["submissionId"]
    gateway = sender.gateway
    assert keep_and_erase(gateway) == 0
    end(sender, submission_id, discard_one=discarded)

    now = gateway.clock()
    assert keep_and_erase(gateway) == 0, "it gets its date"
    assert gateway.store.undated() == []
    gateway.clock = lambda: now + timedelta(days=days - 3)
    assert keep_and_erase(gateway) == 0
    assert b"".join(gateway.store.read_part(submission_id, "data"))

    gateway.clock = lambda: now + timedelta(days=days + 3)
    assert keep_and_erase(gateway) == 1
    with pytest.raises(ContentErased):
        gateway.store.read_part(submission_id, "data")
    assert gateway.store.view(submission_id).state == "completed"
    assert gateway.store.verify_chain(submission_id) == []
    assert keep_and_erase(gateway) == 0


def test_what_is_open_has_no_date(sender: Sender) -> None:
    sender.send()
    assert sender.gateway.store.undated() == []

"""The contract of an adapter as a test suite (needs pytest): subclass it, and give it a rig that makes benches.

    class TestMyAdapter(AdapterContract):
        rig = staticmethod(my_rig)

What a target cannot do at all is left out of its bench and skipped; everything else holds for every adapter.
`adapters.testkit.hostile` has the same with every misbehaviour of a department besides.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from adapters.base import (
    Adapter,
    DeliveryError,
    OutcomeUnknown,
    Permanent,
    Receipt,
    Request,
    RequestAttachment,
    Retryable,
)
from adapters.testkit.certificates import Authority
from adapters.testkit.folder_department import FolderDepartment
from adapters.testkit.http_department import HttpDepartment
from adapters.testkit.ledger import Received
from adapters.testkit.queue_department import QueueDepartment

CANARY = "Zwetschgenknödel"
"""Stands in every body: a text that no log and no error's text may show."""


@dataclass(frozen=True)
class Bench:
    """An adapter at its target.

    body: a valid request, with `CANARY` somewhere in it, without the key. invalid: one that the target's description
    refuses, also with `CANARY`; None where there is no description. references: names that a receipt carries.
    wrong: the same adapter with a setting that names nothing in the target's description.
    idempotent: the target finds its case by a known key. probes: it can be asked by key. echoes: its answers repeat the
    key, and the adapter is told to look.
    """

    adapter: Adapter
    body: Mapping[str, Any]
    department: HttpDepartment | QueueDepartment | FolderDepartment | None = None
    invalid: Mapping[str, Any] | None = None
    references: frozenset[str] = frozenset()
    wrong: Adapter | None = None
    idempotent: bool = False
    probes: bool = False
    echoes: bool = False

    def request(self, key: str, *, possible_repeat: bool = False, body: Mapping[str, Any] | None = None) -> Request:
        return Request(
            key=key,
            submission_id=f"submission-of-{key}",
            body=self.body if body is None else body,
            service="service",
            received_at="2026-01-02T03:04:05Z",
            possible_repeat=possible_repeat,
            attachments=(
                RequestAttachment("a1", "plan.pdf", "application/pdf", 4, "00", lambda: iter([b"\x00\xff", b"ab"])),
            ),
        )

    def received(self, count: int) -> list[Received]:
        """What the department acted on, once it is `count` requests: some read later. Skips where nobody remembers."""
        if self.department is None:
            pytest.skip("this target has no memory to look into")
        if not isinstance(self.department, HttpDepartment):
            assert self.department.wait_for(count)
        return self.department.received

    def reachable(self) -> HttpDepartment | FolderDepartment:
        """The department as one that can go away and come back."""
        if self.department is None or isinstance(self.department, QueueDepartment):
            pytest.skip("this target is never away")
        return self.department

    def http(self) -> HttpDepartment:
        if not isinstance(self.department, HttpDepartment):
            pytest.skip("this target has no HTTP server")
        return self.department


Rig = Callable[[Path, Authority | None], AbstractContextManager[Bench]]
"""Makes a bench, with a folder of its own for files; with an authority the department shows its certificate, and the
adapter believes `authority.file`. The end of the context closes the adapter and stops the department.
"""


def no_rig(folder: Path, authority: Authority | None) -> AbstractContextManager[Bench]:
    raise pytest.UsageError("give the suite a rig, or override its bench")


def raised(action: Callable[[], Receipt | None]) -> DeliveryError:
    """The error of a delivery, whose text must be safe. Fails when there is none or another exception."""
    with pytest.raises(DeliveryError) as caught:
        action()
    assert CANARY not in f"{caught.value} {caught.value!r}"
    return caught.value


class AdapterContract:
    """Tests for any adapter; set `rig`, or override `bench`."""

    rig: Rig = staticmethod(no_rig)

    @pytest.fixture
    def bench(self, tmp_path: Path) -> Iterator[Bench]:
        with self.rig(tmp_path, None) as bench:
            yield bench

    def test_is_an_adapter_whose_configuration_is_fine(self, bench: Bench) -> None:
        assert isinstance(bench.adapter, Adapter)
        assert bench.adapter.check() == []

    def test_check_finds_a_name_that_the_target_does_not_know(self, bench: Bench) -> None:
        if bench.wrong is None:
            pytest.skip("this target has no description")
        findings = bench.wrong.check()
        assert findings
        assert all(f.severity == "error" and f.text.de and f.text.en and f.path for f in findings)
        with pytest.raises(Permanent) as caught:
            bench.wrong.deliver(bench.request("k1"))
        assert caught.value.failure == "contract"

    def test_delivers_once_and_the_receipt_has_the_references(self, bench: Bench) -> None:
        receipt = bench.adapter.deliver(bench.request("k1"))
        assert set(receipt.references) == bench.references
        assert all(receipt.references.values())
        assert not receipt.already_there
        if bench.department is not None:
            [record] = bench.received(1)
            assert (record.key, record.possible_repeat) == ("k1", False)

    def test_a_ping_finds_the_target(self, bench: Bench) -> None:
        bench.adapter.ping()

    def test_a_possible_repeat_is_marked(self, bench: Bench) -> None:
        bench.adapter.deliver(bench.request("k1", possible_repeat=True))
        assert bench.received(1)[0].possible_repeat

    def test_the_same_key_again_is_already_there_at_an_idempotent_target(self, bench: Bench) -> None:
        if not bench.idempotent:
            pytest.skip("this target is not idempotent")
        first = bench.adapter.deliver(bench.request("k1"))
        second = bench.adapter.deliver(bench.request("k1"))
        assert second.already_there
        assert second.references == first.references

    def test_two_attempts_send_the_same_bytes(self, bench: Bench) -> None:
        department = bench.http()
        bench.adapter.deliver(bench.request("k1"))
        bench.adapter.deliver(bench.request("k1"))
        assert len({record.sha256 for record in department.received}) == 1

    def test_a_probe_finds_what_arrived_and_nothing_else(self, bench: Bench) -> None:
        if not bench.probes:
            with pytest.raises(Permanent) as caught:
                bench.adapter.probe("k1")
            assert (caught.value.failure, caught.value.code) == ("contract", "probe.unsupported")
            return
        assert bench.adapter.probe("k1") is None
        delivered = bench.adapter.deliver(bench.request("k1"))
        found = bench.adapter.probe("k1")
        assert found is not None
        assert found.already_there
        assert found.references == delivered.references
        assert bench.adapter.probe("k2") is None

    def test_a_target_that_is_away_is_retryable(self, bench: Bench) -> None:
        department = bench.reachable()
        department.go_down()
        error = raised(lambda: bench.adapter.deliver(bench.request("k1")))
        assert isinstance(error, Retryable)
        assert error.failure == "unavailable"
        with pytest.raises(Retryable):
            bench.adapter.ping()
        if bench.probes:
            with pytest.raises(Retryable):
                bench.adapter.probe("k1")
        department.come_up()
        bench.adapter.deliver(bench.request("k1"))

    def test_not_now_is_retryable_after_the_time_told(self, bench: Bench) -> None:
        bench.http().tell("down", retry_after=7, times=1)
        error = raised(lambda: bench.adapter.deliver(bench.request("k1")))
        assert isinstance(error, Retryable)
        assert (error.failure, error.retry_after) == ("throttled", 7.0)
        bench.adapter.deliver(bench.request("k1"))

    def test_a_refusal_is_permanent(self, bench: Bench) -> None:
        bench.http().tell("refuse")
        error = raised(lambda: bench.adapter.deliver(bench.request("k1")))
        assert isinstance(error, Permanent)
        assert error.failure == "rejected_by_target"
        assert error.detail

    def test_refused_credentials_are_permanent_and_say_so(self, bench: Bench) -> None:
        bench.http().tell("unauthorised")
        error = raised(lambda: bench.adapter.deliver(bench.request("k1")))
        assert (type(error), error.failure) == (Permanent, "auth")

    def test_hanging_up_after_the_commit_is_unknown_and_a_probe_finds_it(self, bench: Bench) -> None:
        bench.http().tell("commit_then_hang_up", times=1)
        error = raised(lambda: bench.adapter.deliver(bench.request("k1")))
        assert isinstance(error, OutcomeUnknown)
        if bench.probes:
            assert bench.adapter.probe("k1") is not None

    def test_hanging_up_without_a_commit_is_unknown_and_a_probe_does_not_find_it(self, bench: Bench) -> None:
        bench.http().tell("hang_up", times=1)
        error = raised(lambda: bench.adapter.deliver(bench.request("k1")))
        assert isinstance(error, OutcomeUnknown)
        if bench.probes:
            assert bench.adapter.probe("k1") is None

    def test_an_answer_cut_in_the_middle_is_unknown(self, bench: Bench) -> None:
        bench.http().tell("broken")
        assert isinstance(raised(lambda: bench.adapter.deliver(bench.request("k1"))), OutcomeUnknown)

    def test_a_page_for_people_is_a_wrong_configuration(self, bench: Bench) -> None:
        bench.http().tell("html")
        error = raised(lambda: bench.adapter.deliver(bench.request("k1")))
        assert (type(error), error.failure) == (Permanent, "contract")

    def test_an_answer_that_does_not_come_in_time_is_unknown(self, bench: Bench) -> None:
        bench.http().tell("slow", seconds=30, key="k1")
        assert isinstance(raised(lambda: bench.adapter.deliver(bench.request("k1"))), OutcomeUnknown)

    def test_an_invalid_request_is_not_sent(self, bench: Bench) -> None:
        if bench.invalid is None:
            pytest.skip("this target has no description")
        error = raised(lambda: bench.adapter.deliver(bench.request("k1", body=bench.invalid)))
        assert (type(error), error.failure) == (Permanent, "mapping")
        assert bench.department is None or bench.department.received == []

    def test_works_from_eight_threads(self, bench: Bench) -> None:
        keys = [f"k{n}" for n in range(40)]
        with ThreadPoolExecutor(8) as pool:
            receipts = list(pool.map(lambda key: bench.adapter.deliver(bench.request(key)), keys))
        assert all(not receipt.already_there for receipt in receipts)
        if bench.department is not None:
            assert sorted(record.key for record in bench.received(len(keys))) == sorted(keys)
        if bench.references:
            assert len({tuple(sorted(receipt.references.items())) for receipt in receipts}) == len(keys)

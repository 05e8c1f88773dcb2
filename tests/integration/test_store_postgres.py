"""The store on a PostgreSQL that is shared, restarted, or not to be trusted."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import pytest

from adapters.base import Permanent
from gateway.delivery import Delivered
from gateway.delivery.verdicts import dead
from gateway.demo.servers import PostgresServer
from gateway.errors import ConfigurationError, Conflict, StoreUnavailable
from gateway.store.keys import KeyRing
from gateway.store.store import Accepted, AttemptStart, Claimed, KeyReused, Store
from gateway.submission import Checked, Submission

KEYS = KeyRing({1: bytes(range(32))})
CHECKED = Checked("hundesteuer", "stadtkasse", "fim:S99", "S99", True, "accept")
START = AttemptStart("w", "v", "c" * 64, "d" * 64, False)


def submission(key: str | None = None) -> Submission:
    return Submission(
        submission_id=str(uuid4()),
        channel="rest",
        client="portal",
        inbox_key=key,
        received_at=datetime.now(UTC),
        schema_uri="urn:x",
        media_type="application/xml",
        data=b"<hund/>",
        metadata={},
        metadata_version="2.1.0",
        digest="d",
    )


def accept(store: Store, handed_in: Submission, *targets: str) -> Accepted | KeyReused:
    content = store.new_content(handed_in.submission_id)
    return store.accept(handed_in, CHECKED, targets or ("steuer",), content).result(60)


@contextmanager
def two_processes(url: str) -> Iterator[tuple[Store, Store]]:
    first, second = Store.open(url, keys=KEYS, create=True), Store.open(url, keys=KEYS, create=True)
    try:
        yield first, second
    finally:
        first.close()
        second.close()


@pytest.mark.parametrize("setting", ["fsync", "full_page_writes", "synchronous_commit"])
def test_a_server_that_may_lose_a_commit_is_refused(
    postgres_server: PostgresServer, fresh_postgres_url: str, setting: str
) -> None:
    Store.open(fresh_postgres_url, keys=KEYS, create=True).close()
    change = psycopg.connect(fresh_postgres_url, autocommit=True)
    try:
        if setting == "synchronous_commit":
            change.execute(f"ALTER DATABASE {change.info.dbname} SET synchronous_commit = off".encode())
        else:
            change.execute(f"ALTER SYSTEM SET {setting} = off".encode())
            change.execute("SELECT pg_reload_conf()")
        with pytest.raises(ConfigurationError, match=setting):
            open_a_hundred_times(fresh_postgres_url)
    finally:
        change.execute(f"ALTER SYSTEM RESET {setting}".encode())
        change.execute("SELECT pg_reload_conf()")
        change.close()


def open_a_hundred_times(url: str) -> None:
    """A reload of the server's configuration reaches new sessions a moment later."""
    for _ in range(100):
        Store.open(url, keys=KEYS).close()


def test_two_processes_that_start_on_an_empty_database_both_find_it_migrated(fresh_postgres_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        stores = list(pool.map(lambda _: Store.open(fresh_postgres_url, keys=KEYS, create=True), range(4)))

    assert [store.counts() for store in stores] == [{}] * 4
    for store in stores:
        store.close()


def test_the_same_key_at_two_processes_at_once_is_one_submission(fresh_postgres_url: str) -> None:
    with two_processes(fresh_postgres_url) as stores, ThreadPoolExecutor(40) as pool:
        answers = list(pool.map(lambda i: accept(stores[i % 2], submission(f"key-{i % 10}")), range(200)))

        accepted = [answer for answer in answers if isinstance(answer, Accepted)]
        assert len(accepted) == 200
        assert sum(answer.created for answer in accepted) == len({a.submission_id for a in accepted}) == 10
        assert stores[0].counts() == {"queued": 10}


def test_two_processes_that_end_deliveries_of_the_same_submissions_agree(fresh_postgres_url: str) -> None:
    """The chain is one per submission: both processes lengthen it, and exactly one completes the submission."""
    with two_processes(fresh_postgres_url) as stores, ThreadPoolExecutor(16) as pool:
        accepted = [accept(stores[0], submission(), "a", "b") for _ in range(40)]
        deliveries = [d for a in accepted for d in stores[0].view(a.submission_id).deliveries]

        def deliver(index: int) -> None:
            store = stores[index % 2]
            claimed = store.claim(deliveries[index].delivery_id, f"w{index}", 60).result(60)
            assert isinstance(claimed, Claimed)
            number = store.start_attempt(claimed.delivery, START).result(60)
            store.finish(claimed.delivery, number, Delivered({"az": str(index)})).result(60)

        list(pool.map(deliver, range(len(deliveries))))

        for answer in accepted:
            view = stores[1].view(answer.submission_id, events=True)
            assert view.state == "completed"
            assert sum(event["kind"] == "submission.completed" for event in view.events) == 1
            assert stores[1].verify_chain(answer.submission_id) == []


def test_two_people_at_two_processes_redrive_many_letters_and_each_letter_goes_once(fresh_postgres_url: str) -> None:
    with two_processes(fresh_postgres_url) as stores:
        ids = []
        for _ in range(30):
            answer = accept(stores[0], submission())
            delivery_id = stores[0].view(answer.submission_id).deliveries[0].delivery_id
            claimed = stores[0].claim(delivery_id, "w", 60).result(60)
            assert isinstance(claimed, Claimed)
            stores[0].finish(claimed.delivery, None, dead(Permanent("http.422"))).result(60)
            ids.append(delivery_id)

        futures = [
            stores[0].redrive(ids, actor="frau-a", reason="r"),
            stores[1].redrive(ids[::-1], actor="herr-b", reason="r"),
        ]
        counts = [0 if isinstance(f.exception(60), Conflict) else len(f.result(60)) for f in futures]

        assert sum(counts) == 30
        assert stores[0].counts() == {"queued": 30}


def test_after_the_server_was_killed_everything_answered_is_there_and_work_goes_on(
    postgres_server: PostgresServer, fresh_postgres_url: str
) -> None:
    store = Store.open(fresh_postgres_url, keys=KEYS, create=True)
    acknowledged: list[str] = []
    refused = threading.Event()

    def send() -> None:
        while not refused.is_set():
            try:
                answer = accept(store, submission())
            except StoreUnavailable:
                refused.set()
            else:
                acknowledged.append(answer.submission_id)

    senders = [threading.Thread(target=send) for _ in range(4)]
    for sender in senders:
        sender.start()
    while len(acknowledged) < 50 and not refused.is_set():
        refused.wait(0.01)
    postgres_server.kill()
    for sender in senders:
        sender.join(60)
    postgres_server.start()

    first_again = accept_until_it_works(store)

    assert refused.is_set()
    assert all(store.view(submission_id).state == "accepted" for submission_id in acknowledged)
    assert all(store.verify_chain(submission_id) == [] for submission_id in acknowledged[-10:])
    assert store.view(first_again.submission_id).state == "accepted"
    store.close()


def accept_until_it_works(store: Store) -> Accepted | KeyReused:
    """At most one refusal per stale connection: the pool finds out at the first use."""
    for _ in range(20):
        try:
            return accept(store, submission())
        except StoreUnavailable:
            continue
    raise AssertionError("the store did not recover")

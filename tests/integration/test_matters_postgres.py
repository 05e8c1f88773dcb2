"""Matters on a PostgreSQL that several processes work on."""

from __future__ import annotations

from dataclasses import replace

import psycopg
from test_store_postgres import KEYS, accept, submission

from gateway.store.store import Accepted, Store


def test_what_begins_to_wait_while_the_one_in_front_ends_is_not_left_behind(fresh_postgres_url: str) -> None:
    store = Store.open(fresh_postgres_url, keys=KEYS, create=True)
    with psycopg.connect(fresh_postgres_url) as other, psycopg.connect(fresh_postgres_url, autocommit=True) as observer:
        # Given a matter of two, and another process that is ending the first
        accepted = [accept(store, replace(submission(), case_id="matter")) for _ in range(2)]
        first, second = (a.submission_id for a in accepted if isinstance(a, Accepted))
        other.execute("SELECT 1 FROM submission WHERE submission_id = %s FOR UPDATE", [first])
        other.execute("UPDATE delivery SET state = 'delivered' WHERE submission_id = %s", [first])

        # When the second is told to wait for it
        waits = store.matters.wait(store.view(second).deliveries[0].delivery_id)
        while not waits.done() and not observer.execute(_BLOCKED).fetchone():
            pass
        other.commit()

        # Then it goes: nobody would let it on any more
        assert waits.result(30) is False
    store.close()


_BLOCKED = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"

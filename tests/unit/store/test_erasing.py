"""Erasing is complete, repeatable and proven; a legal hold stops it; what is erased is in no file of the database."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select
from store_world import CANARY, KEYS, Clock, World, death

from gateway.errors import Conflict, NotFound
from gateway.store import Store
from gateway.store import tables as t
from xoev_schemas.findings import Text

BY = {"actor": "clerk", "reason": "Art. 17 DSGVO"}


def discarded(world: World) -> str:
    """A submission that died at its target, with all that is kept of that, and was given up."""
    delivery = world.claimed()
    attempt = world.attempt(delivery)
    told = Text(f"Das Ziel nennt {CANARY[:3]}***.", f"The target names {CANARY[:3]}***.")
    world.store.finish(delivery, attempt, death(text=told, remedy=told, detail=CANARY)).result(30)
    world.store.discard([delivery.delivery_id], actor="a", reason="r").result(30)
    return delivery.submission_id


def erase(world: World, submission_id: str) -> bool:
    return world.store.erase(submission_id, **BY).result(30)


def test_everything_goes_but_the_record_and_its_certificate(world: World) -> None:
    submission_id = discarded(world)
    before = world.store.holds.erasure(submission_id)
    assert (before.final, before.certificate) == (True, None)
    assert before.parts == 3, "data, record, and what the target said"

    assert erase(world, submission_id)

    after = world.store.holds.erasure(submission_id)
    assert (after.parts, after.size, after.erased_at) == (0, 0, world.clock())
    assert after.certificate is not None
    assert after.certificate["kind"] == "content.erased"
    assert after.certificate["details"] == {"reason": BY["reason"], "parts": before.parts, "bytes": before.size}
    [letter] = world.store.dead_letters(submission_id=submission_id)
    assert CANARY[:3] not in letter.text.de + letter.text.en + letter.remedy.de + letter.remedy.en
    assert (letter.failure, letter.code) == ("rejected_by_target", "http.422")
    assert world.store.verify_chain(submission_id) == []


def test_erasing_again_changes_nothing_and_shows_the_same_certificate(world: World) -> None:
    submission_id = discarded(world)
    erase(world, submission_id)
    first = world.store.holds.erasure(submission_id)
    world.clock.forward(60)

    assert erase(world, submission_id) is False
    assert world.store.holds.erasure(submission_id) == first


def test_no_table_but_those_of_the_record_names_an_erased_submission(world: World) -> None:
    submission_id = discarded(world)
    erase(world, submission_id)

    named = set()
    with world.store._read() as session:
        for table in t.metadata.sorted_tables:
            if "submission_id" in table.c and session.rows(
                select(table.c.submission_id).where(table.c.submission_id == submission_id)
            ):
                named.add(table.name)
    assert named - {"sealed_range"} == {"submission", "delivery", "outbox", "event", "dead_letter"}


# -------------------------------------------------------------------------------------------------------- legal hold


def test_under_a_legal_hold_neither_retention_nor_a_person_erases(world: World) -> None:
    held, free = discarded(world), discarded(world)
    for submission_id in (held, free):
        world.store.set_keep_until(submission_id, world.clock() + timedelta(days=1)).result(30)
    world.store.holds.add(held, actor="clerk", reason="lawsuit 12/26").result(30)
    world.clock.now += timedelta(days=2)

    assert world.store.erase_due(world.clock()).result(30) == 1
    with pytest.raises(Conflict, match="legal hold"):
        erase(world, held)
    assert world.store.holds.erasure(free).erased_at is not None
    assert CANARY.encode() in b"".join(world.store.read_part(held, "data"))

    world.store.holds.remove(held, actor="clerk", reason="lawsuit over").result(30)

    assert world.store.erase_due(world.clock()).result(30) == 1
    kinds = [event["kind"] for event in world.store.view(held, events=True).events]
    assert kinds[-3:] == ["hold.added", "hold.removed", "content.erased"]
    assert world.store.verify_chain(held) == []


def test_holds_are_listed_with_who_why_and_since_when_and_count_once(world: World) -> None:
    open_one = world.delivery().submission_id
    world.store.holds.add(open_one, actor="clerk", reason="lawsuit").result(30)

    with pytest.raises(Conflict, match="already"):
        world.store.holds.add(open_one, actor="other", reason="again").result(30)

    [hold] = world.store.holds.all()
    assert (hold.submission_id, hold.actor, hold.reason, hold.since) == (open_one, "clerk", "lawsuit", world.clock())
    assert (hold.service, hold.department, hold.state) == ("hundesteuer", "stadtkasse", "accepted")
    assert world.store.holds.erasure(open_one).hold == "lawsuit"


def test_a_hold_needs_something_to_keep_and_one_that_is_not_there_cannot_be_lifted(world: World) -> None:
    submission_id = discarded(world)
    with pytest.raises(Conflict, match="not under a legal hold"):
        world.store.holds.remove(submission_id, actor="a", reason="r").result(30)
    erase(world, submission_id)
    with pytest.raises(Conflict, match="nothing left"):
        world.store.holds.add(submission_id, actor="a", reason="r").result(30)
    with pytest.raises(NotFound):
        world.store.holds.add("nobody", actor="a", reason="r").result(30)


# ------------------------------------------------------------------------------------------- what is left in the files


@pytest.fixture
def on_disk(tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path / 'files' / 'gateway.db'}"
    clock = Clock()
    store = Store.open(url, keys=KEYS, clock=clock, create=True)
    yield World(store, clock, url)
    store.close()


def files_of(world: World) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(Path(world.url.removeprefix("sqlite:///")).parent.iterdir()))


def stored_bytes(world: World, submission_id: str) -> list[bytes]:
    """The wrapped key and the encrypted chunks, as they lie in the file."""
    where = "WHERE submission_id = ?"
    with sqlite3.connect(world.url.removeprefix("sqlite:///")) as connection:
        keys = connection.execute(f"SELECT wrapped_key FROM content_key {where}", (submission_id,)).fetchall()
        chunks = connection.execute(f"SELECT data FROM content_chunk {where}", (submission_id,)).fetchall()
    return [row[0] for row in keys + chunks]


def test_erased_bytes_are_in_no_file_of_the_database(on_disk: World) -> None:
    submission_id, kept = discarded(on_disk), discarded(on_disk)
    erased, staying = stored_bytes(on_disk, submission_id), stored_bytes(on_disk, kept)
    assert len(erased) == 4
    assert all(piece in files_of(on_disk) for piece in erased), "else the test would see nothing"

    erase(on_disk, submission_id)
    assert on_disk.store.holds.scrub()

    left = files_of(on_disk)
    assert [piece for piece in erased if piece in left] == []
    assert all(piece in left for piece in staying)


def test_a_reader_in_the_way_is_told_and_a_later_try_scrubs(on_disk: World) -> None:
    submission_id = discarded(on_disk)
    erased = stored_bytes(on_disk, submission_id)

    with on_disk.store._read() as reading:
        reading.rows(select(t.submission.c.submission_id))
        erase(on_disk, submission_id)
        assert on_disk.store.holds.scrub() is False
    assert on_disk.store.holds.scrub() is True
    assert [piece for piece in erased if piece in files_of(on_disk)] == []


def test_nothing_of_an_application_is_in_the_files_in_the_clear(on_disk: World) -> None:
    discarded(on_disk)

    assert CANARY.encode() not in files_of(on_disk)

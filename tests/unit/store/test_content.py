"""Content is readable whole, in order and by nobody else; and keys are never silently the wrong ones."""

from __future__ import annotations

import contextlib
import hashlib
import sqlite3
import stat
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from store_world import CANARY, KEYS, World, death, verdict

from gateway.errors import ConfigurationError, NotFound, StoreUnavailable
from gateway.store.content import CHUNK_BYTES, ChunkCipher, ContentWriter, SealedContent, decrypt_part
from gateway.store.database import database_url
from gateway.store.keeping import PAGES_AT_ONCE, RESERVED_PAGES
from gateway.store.key_files import create_key
from gateway.store.keys import KeyRing, WrongKey
from gateway.store.store import Accepted, ContentDamaged, ContentErased, Store

BIG = bytes(range(256)) * 4096 * 3 + b"the end"  # three full chunks and a bit


def keep(world: World, *parts: tuple[str, bytes]) -> str:
    """An accepted submission with these parts; its id."""
    submission = world.submission()
    content = world.store.new_content(submission.submission_id)
    for name, data in parts:
        content.write_part(name, "application/octet-stream", data)
    world.store.accept(submission, verdict(), ["steuer"], content).result(60)
    return submission.submission_id


def tamper(world: World, *statements: str) -> None:
    """As somebody with all rights on the database who knows how to get around the triggers."""
    engine = create_engine(database_url(world.url))
    drop = (
        "ALTER TABLE content_chunk DISABLE TRIGGER ALL"
        if engine.dialect.name == "postgresql"
        else "DROP TRIGGER content_chunk_no_update"
    )
    with engine.begin() as connection:
        for statement in (drop, *statements):
            connection.execute(text(statement))
    engine.dispose()


def read(world: World, submission_id: str, name: str = "attachment:a") -> bytes:
    return b"".join(world.store.read_part(submission_id, name))


# ---------------------------------------------------------------- reading what was written


@given(st.lists(st.binary(max_size=200), max_size=8), st.integers(1, 64))
@settings(max_examples=60, deadline=None)
def test_any_bytes_in_any_pieces_come_back_with_their_size_and_hash(pieces: list[bytes], chunk: int) -> None:
    content = ContentWriter("s", KEYS, lambda _: None, lambda _: None, lambda *_: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("gateway.store.content.CHUNK_BYTES", chunk)
        writer = content.part("data", "text/plain")
        for piece in pieces:
            writer.write(piece)
        part = writer.close()
    sealed = content.seal()
    cipher = ChunkCipher("s", KEYS.unwrap(sealed.key_version, sealed.wrapped_key, "s"))
    stored = {row["sequence"]: row["data"] for row in sealed.chunks}

    assert b"".join(decrypt_part(cipher, sealed.parts[0], stored.get)) == b"".join(pieces)
    assert part.size == len(b"".join(pieces))
    assert part.sha512 == hashlib.sha512(b"".join(pieces)).hexdigest()


@pytest.mark.parametrize("data", [b"", b"x", b"y" * CHUNK_BYTES, b"z" * (CHUNK_BYTES + 1), BIG])
def test_content_around_the_chunk_size_comes_back_exactly(world: World, data: bytes) -> None:
    assert read(world, keep(world, ("attachment:a", data))) == data


def test_large_content_is_spilled_encrypted_before_acceptance_and_belongs_to_nobody_until_then(world: World) -> None:
    submission = world.submission()
    content = world.store.new_content(submission.submission_id)
    part = content.part("attachment:a", "application/pdf")

    part.write(BIG)
    with pytest.raises(NotFound):
        world.store.view(submission.submission_id)
    with pytest.raises(NotFound):
        world.store.read_part(submission.submission_id, "attachment:a")
    part.close()
    world.store.accept(submission, verdict(), ["steuer"], content).result(60)

    assert read(world, submission.submission_id) == BIG


def test_a_refused_submission_leaves_no_spilled_content(world: World) -> None:
    content = world.store.new_content("refused")
    content.part("data", "text/xml").write(BIG)

    content.discard()
    world.store.rebuild().result(30)  # whatever was submitted before it is written by now

    assert chunks_of(world) == 0


def test_a_large_upload_that_was_refused_does_not_stay_in_the_size_of_the_file(tmp_path: Path) -> None:
    # given
    path = tmp_path / "gateway.db"
    store = Store.open(f"sqlite:///{path}", keys=KEYS, create=True)
    content = store.new_content("00000000-0000-4000-8000-000000000001")
    content.write_part("data", "application/octet-stream", bytes(40 * CHUNK_BYTES))

    def pages() -> int:
        with contextlib.closing(sqlite3.connect(path)) as connection:
            return int(connection.execute("PRAGMA page_count").fetchone()[0])

    full = pages()

    # when
    content.discard()
    store.sweep_orphans().result(30)  # what was told to the writer before is done then
    given = list(iter(lambda: store.give_back().result(30), 0))
    store.close()

    # then
    assert full > 40 * CHUNK_BYTES // 4096 - PAGES_AT_ONCE, "it was spilled"
    assert 0 < max(given) <= PAGES_AT_ONCE
    assert pages() <= RESERVED_PAGES + 200


def test_content_that_was_accepted_is_not_dropped_by_a_late_discard(world: World) -> None:
    submission = world.submission()
    content = world.store.new_content(submission.submission_id)
    content.write_part("attachment:a", "application/pdf", BIG)
    world.store.accept(submission, verdict(), ["steuer"], content).result(60)

    content.discard()
    world.store.rebuild().result(30)

    assert read(world, submission.submission_id) == BIG


def test_a_repeat_drops_the_content_it_brought_again(world: World) -> None:
    first = world.submission(inbox_key="k", digest="d")
    world.accept(submission=first)
    before = chunks_of(world)
    again = world.submission(inbox_key="k", digest="d")
    content = world.store.new_content(again.submission_id)
    content.write_part("attachment:a", "application/pdf", BIG)

    answer = world.store.accept(again, verdict(), ["steuer"], content).result(60)
    world.store.rebuild().result(30)

    assert isinstance(answer, Accepted)
    assert not answer.created
    assert chunks_of(world) == before


def test_what_nobody_accepted_is_swept_after_an_hour_and_then_cannot_be_accepted(world: World) -> None:
    submission = world.submission()
    content = world.store.new_content(submission.submission_id)
    content.write_part("attachment:a", "application/pdf", BIG)

    early = world.store.sweep_orphans().result(30)
    world.clock.now += timedelta(hours=1, seconds=1)
    swept = world.store.sweep_orphans().result(30)

    assert (early, swept, chunks_of(world)) == (0, 1, 0)
    with pytest.raises(StoreUnavailable, match="send it again"):
        world.store.accept(submission, verdict(), ["steuer"], content).result(30)
    with pytest.raises(NotFound):
        world.store.view(submission.submission_id)


def test_a_part_that_was_not_closed_is_not_accepted(world: World) -> None:
    submission = world.submission()
    content = world.store.new_content(submission.submission_id)
    content.part("attachment:a", "application/pdf").write(b"half")

    with pytest.raises(ValueError, match="not closed"):
        world.store.accept(submission, verdict(), ["steuer"], content)


def chunks_of(world: World) -> int:
    engine = create_engine(database_url(world.url))
    with engine.connect() as connection:
        count = int(connection.execute(text("SELECT count(*) FROM content_chunk")).scalar_one())
    engine.dispose()
    return count


# ---------------------------------------------------------------- tampering

_LAST = "part = 1 AND sequence = 3"


@pytest.mark.parametrize(
    "statements",
    [
        pytest.param([f"DELETE FROM content_chunk WHERE {_LAST}"], id="last chunk cut off"),
        pytest.param(
            [f"DELETE FROM content_chunk WHERE {_LAST}", "UPDATE content_part SET chunks = 3 WHERE number = 1"],
            id="cut off and the record adapted",
        ),
        pytest.param(["DELETE FROM content_chunk WHERE part = 1 AND sequence = 1"], id="middle chunk removed"),
        pytest.param(
            [
                "UPDATE content_chunk SET sequence = 9 WHERE part = 1 AND sequence = 0",
                "UPDATE content_chunk SET sequence = 0 WHERE part = 1 AND sequence = 1",
                "UPDATE content_chunk SET sequence = 1 WHERE part = 1 AND sequence = 9",
            ],
            id="two chunks exchanged",
        ),
        pytest.param(
            [
                "UPDATE content_chunk SET data = (SELECT other.data FROM content_chunk AS other "
                "WHERE other.part = 2 AND other.sequence = 0) WHERE part = 1 AND sequence = 0"
            ],
            id="chunk of another part",
        ),
        pytest.param(
            ["UPDATE content_part SET name = 'attachment:x' WHERE number = 1"],
            id="part renamed",
        ),
    ],
)
def test_content_that_was_tampered_with_is_not_handed_out(world: World, statements: list[str]) -> None:
    submission_id = keep(world, ("attachment:a", BIG), ("attachment:b", BIG[::-1]))

    tamper(world, *statements)

    name = "attachment:x" if "attachment:x" in statements[0] else "attachment:a"
    with pytest.raises(ContentDamaged):
        read(world, submission_id, name)


def test_a_chunk_of_another_submission_does_not_decrypt_even_with_its_key(world: World) -> None:
    mine, other = keep(world, ("attachment:a", b"mine")), keep(world, ("attachment:a", b"other"))
    take = "(SELECT {0} FROM {1} AS o WHERE o.submission_id = '" + other + "'{2})"
    tamper(
        world,
        f"UPDATE content_chunk SET data = {take.format('data', 'content_chunk', ' AND o.part = 1')} "
        f"WHERE submission_id = '{mine}' AND part = 1",
        f"UPDATE content_key SET wrapped_key = {take.format('wrapped_key', 'content_key', '')} "
        f"WHERE submission_id = '{mine}'",
    )

    with pytest.raises(ContentDamaged):
        read(world, mine)
    assert read(world, other) == b"other"


def test_stored_chunks_cannot_be_changed_through_the_database(world: World) -> None:
    keep(world, ("attachment:a", b"x"))
    engine = create_engine(database_url(world.url))

    with pytest.raises(Exception, match="content is never changed"), engine.begin() as connection:
        connection.execute(text("UPDATE content_chunk SET sequence = 5"))
    engine.dispose()


# ---------------------------------------------------------------- erasing


def ended(world: World) -> str:
    delivery = world.dead()
    world.store.discard([delivery.delivery_id], actor="a", reason="r").result(30)
    return delivery.submission_id


def test_erased_content_is_gone_the_record_stays_and_says_so(world: World, tmp_path: Path) -> None:
    submission_id = ended(world)

    first = world.store.erase(submission_id, actor="gateway", reason="retention").result(30)
    again = world.store.erase(submission_id, actor="gateway", reason="retention").result(30)

    assert (first, again, chunks_of(world)) == (True, False, 0)
    with pytest.raises(ContentErased):
        world.store.submission(submission_id)
    view = world.store.view(submission_id, events=True)
    assert (view.state, view.events[-1]["kind"]) == ("completed", "content.erased")
    assert world.store.verify_chain(submission_id) == []
    assert {attempt.case_digest for attempt in world.store.attempts(view.deliveries[0].delivery_id)} == {""}


def test_open_submissions_are_never_erased(world: World) -> None:
    delivery = world.dead()

    for action in (
        lambda: world.store.erase(delivery.submission_id, actor="a", reason="r"),
        lambda: world.store.set_keep_until(delivery.submission_id, world.clock()),
    ):
        with pytest.raises(Exception, match="as long as a submission is open"):
            action().result(30)


def test_content_goes_when_its_time_is_over_and_not_when_it_came_back_to_life(world: World) -> None:
    over, restored, later = ended(world), ended(world), ended(world)
    for submission_id, days in ((over, 30), (restored, 30), (later, 60)):
        world.store.set_keep_until(submission_id, world.clock() + timedelta(days=days)).result(30)
    alive = world.store.view(restored).deliveries[0].delivery_id
    world.store.restore([alive], actor="a", reason="r").result(30)
    world.clock.now += timedelta(days=31)

    assert world.store.erase_due(world.clock()).result(30) == 1
    assert world.store.erase_due(world.clock()).result(30) == 0
    with pytest.raises(ContentErased):
        read(world, over, "data")
    assert CANARY.encode() in read(world, restored, "data") + read(world, later, "data")


def test_what_is_erased_is_not_restored_sent_again_or_taken_for_a_known_repeat(world: World) -> None:
    submission = world.submission(inbox_key="k", digest="d")
    delivery = world.claimed(world.delivery(world.accept(submission=submission)))
    world.store.finish(delivery, None, death()).result(30)
    world.store.discard([delivery.delivery_id], actor="a", reason="r").result(30)
    world.store.erase(submission.submission_id, actor="a", reason="r").result(30)

    with pytest.raises(Exception, match="erased"):
        world.store.restore([delivery.delivery_id], actor="a", reason="r").result(30)
    # Whether it is the same content cannot be known any more: claiming that it is could lose an application.
    assert not isinstance(world.store.find_by_key("rest", "portal", "k", "d"), Accepted)


# ---------------------------------------------------------------- keys


def test_a_first_key_is_made_private_and_found_again(tmp_path: Path) -> None:
    folder = tmp_path / "keys"

    first = KeyRing.load(folder, create=True)
    version, wrapped = first.wrap(b"k" * 32, "s")

    assert KeyRing.load(folder, create=False).unwrap(version, wrapped, "s") == b"k" * 32
    assert stat.S_IMODE((folder / "content-1.key").stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    with pytest.raises(FileExistsError):
        create_key(folder, 1)


def test_the_newest_key_wraps_and_older_ones_still_open(tmp_path: Path) -> None:
    create_key(tmp_path, 1)
    old = KeyRing.load(tmp_path, create=False).wrap(b"k" * 32, "s")
    create_key(tmp_path, 2)
    ring = KeyRing.load(tmp_path, create=False)

    assert ring.current == 2
    assert ring.unwrap(*old, "s") == b"k" * 32
    with pytest.raises(WrongKey):
        ring.unwrap(*old, "another-submission")
    with pytest.raises(WrongKey, match="content-7"):
        ring.unwrap(7, old[1], "s")


@pytest.mark.parametrize("content", ["", "abc", "zz" * 32, "ab" * 31])
def test_a_broken_key_file_is_refused_with_its_remedy(tmp_path: Path, content: str) -> None:
    (tmp_path / "content-1.key").write_text(content)

    with pytest.raises(ConfigurationError) as refused:
        KeyRing.load(tmp_path, create=True)
    assert refused.value.findings[0].code == "config.key_unreadable"


def test_without_a_key_an_installation_does_not_make_up_one_unless_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as refused:
        KeyRing.load(tmp_path, create=False)
    assert refused.value.findings[0].code == "config.key_missing"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("keys", [KeyRing({1: b"x" * 32}), KeyRing({2: bytes(range(32))})])
def test_a_database_is_not_opened_with_other_keys_than_its_own(world: World, keys: KeyRing) -> None:
    world.accept()

    with pytest.raises(ConfigurationError) as refused:
        Store.open(world.url, keys=keys)
    assert refused.value.findings[0].code == "config.key_wrong"


def test_unwrapped_keys_and_plaintext_are_not_part_of_what_is_written() -> None:
    spilled: list[SealedContent] = []
    remember: Callable[[SealedContent], Any] = spilled.append
    content = ContentWriter("s", KEYS, remember, lambda _: None, lambda *_: None, spill_bytes=0)

    content.write_part("data", "text/xml", CANARY.encode() * 10)

    assert len(spilled) == 1
    assert CANARY.encode() not in b"".join(row["data"] for row in spilled[0].chunks)

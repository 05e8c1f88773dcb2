"""The record is sealed: what is changed afterwards is found and named; a proof needs nothing but a public key."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from store_world import CANARY, World

from gateway.delivery import Delivered
from gateway.errors import Conflict
from gateway.store import merkle
from gateway.store.audit import Checked
from gateway.store.chain import Fault
from gateway.store.database import database_url
from gateway.store.signing import SigningKey

KEY = SigningKey(1, Ed25519PrivateKey.from_private_bytes(bytes(range(32))))


def a_life(world: World) -> str:
    """A submission with ten events; its id."""
    delivery = world.dead()
    world.store.redrive([delivery.delivery_id], actor="frau-a", reason="Zuordnung berichtigt").result(30)
    claimed = world.claimed(delivery)
    world.store.finish(claimed, world.attempt(claimed), Delivered({"az": "AZ-1"}, CANARY.encode())).result(30)
    return delivery.submission_id


def seal_all(world: World, limit: int = 500) -> int:
    """How many seals it took."""
    count = 0
    while (batch := world.store.audit.next_batch(limit)) is not None:
        world.store.audit.seal(batch, KEY)
        count += 1
    return count


def verify(world: World, **arguments: object) -> list[Fault]:
    steps: list[Checked] = list(world.store.audit.verify([KEY.public], **arguments))  # type: ignore[arg-type]
    return [fault for step in steps for fault in step.faults]


def tamper(world: World, *statements: str) -> None:
    """As somebody with all rights on the database, who gets around triggers and keys of other tables."""
    engine = create_engine(database_url(world.url))
    with engine.begin() as connection:
        if engine.dialect.name == "postgresql":
            connection.execute(text("SET session_replication_role = replica"))
        else:
            for name in ("event_no_update", "event_no_delete"):
                connection.execute(text(f"DROP TRIGGER IF EXISTS {name}"))
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


# ------------------------------------------------------------------------------------------------ the tree


@pytest.mark.parametrize(
    ("size", "root"),
    [
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_roots_are_those_of_the_certificate_transparency_test_vectors(size: int, root: str) -> None:
    inputs = ["", "00", "10", "2021", "3031", "40414243", "5051525354555657", "606162636465666768696a6b6c6d6e6f"]
    leaves = [merkle.leaf_hash(bytes.fromhex(data)) for data in inputs]

    assert merkle.root(leaves[:size]).hex() == root


@given(st.integers(1, 70), st.data())
def test_every_leaf_leads_to_the_root_and_no_other_place_does(size: int, data: st.DataObject) -> None:
    leaves = [merkle.leaf_hash(bytes([n])) for n in range(size)]
    index = data.draw(st.integers(0, size - 1))
    path = merkle.audit_path(leaves, index)

    assert merkle.root_by_path(leaves[index], index, size, path) == merkle.root(leaves)
    for other in {0, size - 1, (index + 1) % size} - {index}:
        assert merkle.root_by_path(leaves[index], other, size, path) != merkle.root(leaves)
    assert merkle.root_by_path(leaves[index], size, size, path) is None


# ------------------------------------------------------------------------------------------------ sealing


def test_everything_that_happened_is_sealed_in_bounded_batches_and_verifies(world: World) -> None:
    for _ in range(3):
        a_life(world)

    assert seal_all(world, limit=7) > 2
    assert world.store.audit.next_batch() is None
    assert world.store.audit.standing()[0] == 0
    assert verify(world) == []
    assert [key.key_id for key in world.store.audit.public_keys()] == [KEY.public.key_id]


def test_what_happens_after_a_seal_goes_into_the_next_one(world: World) -> None:
    accepted = world.accept()
    seal_all(world)

    world.store.record_access(accepted.submission_id, actor="frau-a", what="data", reason="Rückfrage").result(30)

    assert world.store.audit.standing()[0] == 1
    assert verify(world) == []
    assert seal_all(world) == 1
    assert verify(world) == []


def test_of_two_who_seal_at_once_one_is_refused_whole(open_world: Callable[[], World]) -> None:
    first, second = open_world(), open_world()
    first.accept()
    batches = first.store.audit.next_batch(), second.store.audit.next_batch()
    assert batches[0] is not None
    assert batches[1] is not None

    first.store.audit.seal(batches[0], KEY)
    with pytest.raises(Conflict):
        second.store.audit.seal(batches[1], KEY)

    assert second.store.audit.next_batch() is None
    assert verify(second) == []


@pytest.mark.parametrize("step", ["note_key", "_PUT_IN"])
def test_what_a_crash_in_the_middle_leaves_is_sealed_by_the_next_one(
    open_world: Callable[[], World], monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    world = open_world()
    a_life(world)
    batch = world.store.audit.next_batch()
    assert batch is not None
    with monkeypatch.context() as broken:
        broken.setattr(f"gateway.store.sealing.{step}", None)
        with pytest.raises(Exception):  # noqa: B017 - whatever the step dies of
            world.store.audit.seal(batch, KEY)

    again = open_world()

    assert again.store.audit.next_batch() == batch
    assert seal_all(again) == 1
    assert verify(again) == []


def test_events_of_an_older_version_beside_this_one_are_sealed_too(world: World) -> None:
    accepted = world.accept()
    a_life(world)
    tamper(world, f"DELETE FROM sealed_range WHERE submission_id = '{accepted.submission_id}'")  # it writes none

    assert verify(world) != []
    while world.store.audit.enrol_forgotten():
        pass
    seal_all(world)

    assert verify(world) == []


# ------------------------------------------------------------------------------------------------ tampering

_WRONG_HASH = "0" * 63 + "1"


@pytest.mark.parametrize(
    ("statement", "code"),
    [
        ("UPDATE event SET actor = 'herr-b' WHERE number = 6", ("event_changed", 6)),
        ("DELETE FROM event WHERE number = 4", ("event_missing", 4)),
        ("DELETE FROM event WHERE number = 10", ("event_missing", 10)),
        (f"UPDATE event SET hash = '{_WRONG_HASH}' WHERE number = 5", ("event_changed", 5)),
        ("DELETE FROM sealed_range WHERE first > 8", ("event_unsealed", 9)),
        ("UPDATE sealed_range SET seal = NULL, position = NULL WHERE first = 1", ("seal_leaf_ownerless", None)),
        ("UPDATE seal SET statement = replace(statement, '\"size\":10', '\"size\":11')", ("signature_wrong", None)),
        ("UPDATE seal SET statement = '{'", ("seal_changed", None)),
        ("UPDATE seal SET key_id = 'other'", ("key_unknown", None)),
        ("DELETE FROM seal WHERE number = 1", ("seal_missing", None)),
    ],
)
def test_a_change_behind_the_gateways_back_is_named(world: World, statement: str, code: tuple[str, int | None]) -> None:
    submission_id = a_life(world)
    seal_all(world)
    world.accept()
    seal_all(world)

    tamper(world, statement)

    faults = verify(world)
    assert code in {(fault.code, fault.event) for fault in faults}
    assert all(fault.submission_id == submission_id for fault in faults if code[1] and fault.event == code[1])


def test_a_history_that_was_rewritten_from_end_to_end_is_found_by_its_seal(world: World) -> None:
    """The chain alone is satisfied: every hash was computed again by somebody who knows how."""
    submission_id = a_life(world)
    seal_all(world)
    previous, statements = "0" * 64, []
    for event in world.store.audit.proof(submission_id, whole=True)["entries"]:
        entry = json.loads(event["entry"]) | {"previous": previous}
        if entry["number"] == 6:
            entry["actor"] = "herr-b"
        canonical = json.dumps(entry, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        before, previous = previous, hashlib.sha256(canonical.encode()).hexdigest()
        statements.append(
            f"UPDATE event SET previous = '{before}', hash = '{previous}', actor = '{entry['actor']}' "
            f"WHERE number = {entry['number']}"
        )

    tamper(world, *statements, f"UPDATE submission SET event_hash = '{previous}'")

    faults = verify(world)
    assert [(fault.code, fault.event) for fault in faults] == [("event_not_as_sealed", n) for n in range(6, 11)]
    assert {fault.submission_id for fault in faults} == {submission_id}


def test_a_submission_that_was_removed_with_everything_is_missed(world: World) -> None:
    submission_id = a_life(world)
    world.accept()
    seal_all(world)
    own = f"submission_id = '{submission_id}'"
    deletes = [f"DELETE FROM {t} WHERE {own}" for t in ("event", "reference", "delivery", "submission")]

    tamper(world, "DELETE FROM attempt", *deletes)
    assert [(f.code, f.submission_id) for f in verify(world)] == [("submission_missing", submission_id)]

    tamper(world, f"DELETE FROM sealed_range WHERE submission_id = '{submission_id}'")
    assert [(f.code, f.seal) for f in verify(world)] == [("seal_leaf_ownerless", 1)]


def test_another_ones_key_is_not_believed(world: World) -> None:
    world.accept()
    batch = world.store.audit.next_batch()
    assert batch is not None
    world.store.audit.seal(batch, SigningKey(1, Ed25519PrivateKey.generate()))

    assert [fault.code for fault in verify(world)] == ["key_unknown"]


_TEXTS = ("kind", "delivery_id", "old", "new", "actor", "details", "previous", "hash", "at")


@pytest.fixture(scope="module")
def sealed_life(tmp_path_factory: pytest.TempPathFactory) -> World:
    from store_world import KEYS, Clock

    from gateway.store.store import Store

    clock = Clock()
    url = f"sqlite:///{tmp_path_factory.mktemp('sealed') / 'gateway.db'}"
    world = World(Store.open(url, keys=KEYS, clock=clock, create=True), clock, url)
    a_life(world)
    seal_all(world)
    tamper(world)
    return world


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(number=st.integers(1, 10), column=st.sampled_from(_TEXTS), place=st.integers(0, 10_000))
def test_one_bit_turned_in_any_column_of_any_event_is_found(
    sealed_life: World, number: int, column: str, place: int
) -> None:
    """As bytes in the file, not as text: what comes out need not even be UTF-8."""
    engine = create_engine(database_url(sealed_life.url))
    where = {"number": number}
    with engine.begin() as connection:
        statement = text(f"SELECT CAST({column} AS BLOB) FROM event WHERE number = :number")
        stored = connection.execute(statement, where).scalar_one()
        if not stored:
            engine.dispose()
            return
        bit = place % (len(stored) * 8)
        turned = bytearray(stored)
        turned[bit // 8] ^= 1 << bit % 8
        change = text(f"UPDATE event SET {column} = CAST(:value AS TEXT) WHERE number = :number")
        connection.execute(change, {**where, "value": bytes(turned)})
    try:
        assert (number) in {fault.event for fault in verify(sealed_life)}
    finally:
        with engine.begin() as connection:
            connection.execute(change, {**where, "value": stored})
        engine.dispose()


# ------------------------------------------------------------------------------------------------ proofs


def proven(document: dict[str, object], public_key: bytes) -> list[dict[str, object]]:
    """The entries, checked by straight-line code that knows the published format and nothing of the gateway."""
    entries = []
    for item in document["entries"]:  # type: ignore[attr-defined]
        leaf = item["leaf"]
        [seal] = [seal for seal in document["seals"] if seal["number"] == leaf["seal"]]  # type: ignore[attr-defined]
        Ed25519PublicKey.from_public_bytes(public_key).verify(
            base64.b64decode(seal["signature"]), seal["statement"].encode()
        )
        signed = json.loads(seal["statement"])
        node = hashlib.sha256(b"\x00" + hashlib.sha256(item["entry"].encode()).digest()).digest()
        index, last = leaf["index"], signed["size"] - 1
        for sibling in map(bytes.fromhex, leaf["path"]):
            if index % 2 == 1 or index == last:
                node = hashlib.sha256(b"\x01" + sibling + node).digest()
                while index % 2 == 0 and index != 0:
                    index, last = index // 2, last // 2
            else:
                node = hashlib.sha256(b"\x01" + node + sibling).digest()
            index, last = index // 2, last // 2
        assert last == 0
        assert node.hex() == signed["root"]
        entries.append(json.loads(item["entry"]))
    return entries


def test_a_whole_history_is_proven_with_the_public_key_alone(world: World) -> None:
    submission_id = a_life(world)
    for _ in range(5):
        world.accept()
    seal_all(world, limit=4)

    document = json.loads(json.dumps(world.store.audit.proof(submission_id, whole=True)))

    entries = proven(document, KEY.public.key)
    assert [entry["number"] for entry in entries] == list(range(1, 11))
    assert {entry["submission_id"] for entry in entries} == {submission_id}
    assert CANARY not in json.dumps(document)


def test_a_proof_with_another_entry_fails(world: World) -> None:
    accepted = world.accept()
    seal_all(world)
    document = world.store.audit.proof(accepted.submission_id)
    document["entries"][0]["entry"] = document["entries"][0]["entry"].replace("portal", "Portal")

    with pytest.raises(AssertionError):
        proven(document, KEY.public.key)


def test_before_the_seal_there_is_nothing_to_prove_with(world: World) -> None:
    accepted = world.accept()

    document = world.store.audit.proof(accepted.submission_id)

    assert [entry["leaf"] for entry in document["entries"]] == [None]
    assert document["seals"] == []


# ------------------------------------------------------------------------------------------------ closing the day


def at(world: World, *moment: int) -> None:
    world.clock.now = datetime(2026, *moment, tzinfo=UTC)


def test_a_day_is_closed_after_midnight_in_berlin_and_the_sum_is_right(world: World) -> None:
    at(world, 7, 10, 20, 0)
    a_life(world)
    world.dead()
    seal_all(world)
    at(world, 7, 10, 22, 2)  # 00:02 of the 11th in Berlin
    world.accept()
    seal_all(world)

    assert world.store.audit.due_day(world.clock()) is None  # what began before midnight may still be written
    at(world, 7, 10, 22, 6)
    assert world.store.audit.due_day(world.clock()) == date(2026, 7, 10)
    [record] = world.store.audit.close_day(date(2026, 7, 10), KEY)

    told = record.told()
    assert (record.service, record.difference, told["created"], told["open"]) == ("hundesteuer", 0, 2, 1)
    assert told["states"] | {"delivered": 1, "dead": 1} == told["states"]
    assert (told["firstSeal"], told["lastSeal"]) == (1, 1)
    assert world.store.audit.due_day(world.clock()) is None
    assert verify(world) == []


def test_missed_days_are_closed_one_after_the_other_from_what_the_day_before_left(world: World) -> None:
    at(world, 3, 28, 12, 0)
    dead = world.dead()
    seal_all(world)
    at(world, 3, 29, 12, 0)  # a day of 23 hours
    world.store.discard([dead.delivery_id], actor="frau-a", reason="doppelt").result(30)
    world.accept()
    seal_all(world)
    at(world, 3, 31, 12, 0)

    closed = []
    while (day := world.store.audit.due_day(world.clock())) is not None:
        closed += world.store.audit.close_day(day, KEY)

    assert [(str(c.day), c.told()["created"], c.told()["createdThatDay"], c.difference) for c in closed] == [
        ("2026-03-28", 1, 1, 0),
        ("2026-03-29", 2, 1, 0),
        ("2026-03-30", 2, 0, 0),
    ]
    assert [c.told()["states"]["dead"] for c in closed] == [1, 0, 0]
    assert [c.told()["states"]["discarded"] for c in closed] == [0, 1, 1]
    assert verify(world) == []


@pytest.mark.parametrize(
    ("statement", "difference"),
    [
        ("DELETE FROM delivery WHERE state = 'queued'", 2),
        ("UPDATE delivery SET state = 'discarded' WHERE state = 'dead'", 2),
    ],
)
def test_a_delivery_that_vanished_or_changed_by_itself_shows_in_the_sum(
    world: World, statement: str, difference: int
) -> None:
    at(world, 7, 10, 8, 0)
    world.dead()
    world.accept()
    seal_all(world)
    at(world, 7, 11, 8, 0)
    world.store.audit.close_day(date(2026, 7, 10), KEY)

    tamper(world, "DELETE FROM outbox", statement)
    at(world, 7, 12, 8, 0)
    [record] = world.store.audit.close_day(date(2026, 7, 11), KEY)

    assert record.difference == difference
    assert world.store.audit.standing()[1] == {"hundesteuer": difference}


def test_a_closed_day_that_was_changed_is_found(world: World) -> None:
    world.accept()
    seal_all(world)
    world.clock.forward(2 * 86400)
    world.store.audit.close_day(date(2026, 11, 24), KEY)

    tamper(world, "UPDATE day_close SET difference = 1")

    assert [(fault.code, fault.day) for fault in verify(world)] == [("day_changed", "2026-11-24")]


def test_only_a_span_of_days_can_be_verified(world: World) -> None:
    at(world, 7, 10, 8, 0)
    a_life(world)
    seal_all(world)
    at(world, 7, 12, 8, 0)
    world.accept()
    seal_all(world)
    tamper(world, "UPDATE event SET actor = 'x' WHERE number = 6")
    begin, day = datetime(2026, 7, 10, tzinfo=UTC), timedelta(days=1)

    assert verify(world, between=(begin + 2 * day, begin + 3 * day)) == []
    assert "event_changed" in {fault.code for fault in verify(world, between=(begin, begin + day))}

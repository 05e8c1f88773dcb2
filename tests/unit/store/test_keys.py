"""Wrapping keys are rotated beside running processes, however often that is interrupted, wherever they are kept; an old
one goes only when nothing needs it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from store_world import Clock, World, verdict
from vault_server import TransitServer, transit_server

from gateway.errors import ConfigurationError, GatewayError
from gateway.store import KeyRing, Store
from gateway.store import tables as t
from gateway.store.content import ContentDamaged
from gateway.store.key_files import FileKeys
from gateway.store.keys import KeyServiceUnavailable, WrongKey
from gateway.store.rotation import BATCH
from gateway.store.vault import VaultKeys

FINGERPRINTS = bytes(32)


@pytest.fixture
def vault() -> Iterator[TransitServer]:
    with transit_server() as service:
        yield service


Opened = Callable[[], World]


@pytest.fixture(params=["files", "key service"])
def open_process(request: pytest.FixtureRequest, tmp_path: Path, database_url: str) -> Iterator[Opened]:
    """Opens the same installation as a process of its own would, with keys that it read by itself."""
    stores: list[Store] = []
    token = tmp_path / "token"
    token.write_text("first-token\n")

    def keys() -> KeyRing:
        if request.param == "files":
            return KeyRing.load(tmp_path / "keys", create=True)
        service: TransitServer = request.getfixturevalue("vault")
        return KeyRing.of(VaultKeys(service.url, token), FINGERPRINTS)

    def open_one() -> World:
        clock = Clock(datetime.now(UTC))
        stores.append(Store.open(database_url, keys=keys(), clock=clock, create=True))
        return World(stores[-1], clock, database_url)

    yield open_one
    for store in stores:
        store.close()


def data_of(world: World, submission_id: str) -> bytes:
    return b"".join(world.store.read_part(submission_id, "data"))


def use_of(world: World) -> list[tuple[int, int, bool]]:
    return [(one.version, one.count, one.current) for one in world.store.keys.use()]


def in_two_hours() -> datetime:
    return datetime.now(UTC) + timedelta(hours=2)


def test_after_rotation_the_new_key_wraps_everything_and_running_processes_read_and_write_on(
    open_process: Opened,
) -> None:
    running, operator = open_process(), open_process()
    before = [running.accept().submission_id for _ in range(3)]
    told: list[tuple[int, int]] = []

    rotated = operator.store.keys.rotate(lambda done, of: told.append((done, of)))

    assert (rotated.version, rotated.made, rotated.rewrapped, rotated.unreadable) == (2, True, 3, ())
    assert told == [(3, 3)]
    after = running.accept().submission_id
    assert use_of(operator) == [(1, 0, False), (2, 4, True)]
    for world in (running, operator, open_process()):
        assert all(b"Kanarienvogel" in data_of(world, one) for one in [*before, after])


def test_an_interrupted_rotation_goes_on_with_the_same_key(open_process: Opened) -> None:
    world = open_process()
    for _ in range(BATCH + 5):
        world.accept()

    class Killed(BaseException): ...

    def killed(_done: int, _of: int) -> None:
        raise Killed

    with pytest.raises(Killed):
        world.store.keys.rotate(killed)
    assert use_of(world) == [(1, 5, False), (2, BATCH, True)]

    again = open_process().store.keys.rotate()

    assert (again.version, again.made, again.rewrapped) == (2, False, 5)
    assert use_of(world) == [(1, 0, False), (2, BATCH + 5, True)]


def test_an_old_key_is_retired_only_when_nothing_needs_it(open_process: Opened) -> None:
    world = open_process()
    submission = world.accept().submission_id
    keys = world.store.keys

    assert "rotate first" in keys.refusal(1, in_two_hours())
    keys._keys.service.create()
    assert "still need" in keys.refusal(1, in_two_hours())
    with pytest.raises(GatewayError, match="still need"):
        keys.retire(1, in_two_hours())
    keys.rotate()
    keys.rotate()
    assert "goes first" in keys.refusal(2, in_two_hours())
    assert "no key version 9" in keys.refusal(9, in_two_hours())

    keys.retire(1, in_two_hours())

    assert [one.version for one in keys.use()] == [2, 3]
    assert b"Kanarienvogel" in data_of(open_process(), submission)


def test_what_began_to_arrive_under_the_old_key_still_opens_and_keeps_it_from_being_retired(
    open_process: Opened,
) -> None:
    world = open_process()
    submission = world.submission()
    begun = world.store.new_content(submission.submission_id)
    begun.seal()  # its key is wrapped, and not in the database yet
    world.store.keys.rotate()

    world.store.accept(submission, verdict(), ("steuer",), begun).result(30)

    assert use_of(world) == [(1, 1, False), (2, 0, True)]
    assert "still need" in world.store.keys.refusal(1, in_two_hours())
    assert world.store.keys.rotate().rewrapped == 1


def test_a_large_one_that_is_still_arriving_is_rotated_with_the_others(open_process: Opened) -> None:
    world = open_process()
    submission = world.submission()
    arriving = world.store.new_content(submission.submission_id, spill_bytes=10)
    arriving.write_part("attachment:1", "text/plain", b"x" * 100)
    assert use_of(world) == [(1, 1, True)]

    assert world.store.keys.rotate().rewrapped == 1
    world.store.accept(submission, verdict(), ("steuer",), arriving).result(30)

    assert use_of(world) == [(1, 0, False), (2, 1, True)]
    assert b"".join(world.store.read_part(submission.submission_id, "attachment:1")) == b"x" * 100


def test_a_key_file_is_not_retired_within_the_hour_in_which_content_may_still_arrive(tmp_path: Path) -> None:
    keys = KeyRing.load(tmp_path / "keys", create=True)
    store = Store.open(f"sqlite:///{tmp_path}/gateway.db", keys=keys, create=True)
    store.keys.rotate()

    assert "wait an hour" in store.keys.refusal(1, datetime.now(UTC) + timedelta(minutes=59))
    assert store.keys.refusal(1, in_two_hours()) == ""
    store.close()


def test_what_no_key_opens_is_named_and_stays_while_the_rest_is_rotated(open_process: Opened) -> None:
    world = open_process()
    broken, sound = (world.accept().submission_id for _ in range(2))
    _damage(world.store, broken)

    rotated = world.store.keys.rotate()

    assert (rotated.unreadable, rotated.rewrapped) == ((broken,), 1)
    assert use_of(world) == [(1, 1, False), (2, 1, True)]
    assert b"Kanarienvogel" in data_of(world, sound)
    with pytest.raises(ContentDamaged):
        data_of(world, broken)


# ------------------------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("mode", [0o604, 0o644, 0o620, 0o602])
def test_a_key_file_that_others_can_read_or_change_is_refused(tmp_path: Path, mode: int) -> None:
    KeyRing.load(tmp_path / "keys", create=True)
    (tmp_path / "keys" / "content-1.key").chmod(mode)

    with pytest.raises(ConfigurationError) as refused:
        KeyRing.load(tmp_path / "keys", create=False)

    assert [fault.code for fault in refused.value.findings] == ["config.key_exposed"]


def test_a_key_file_that_an_orchestrator_lets_the_group_read_is_taken(tmp_path: Path) -> None:
    KeyRing.load(tmp_path, create=True)
    (tmp_path / "content-1.key").chmod(0o440)

    assert KeyRing.load(tmp_path, create=False).current == 1


def test_fingerprints_stay_the_same_when_the_first_key_is_gone(tmp_path: Path) -> None:
    ring = KeyRing.load(tmp_path, create=True)
    before = ring.fingerprint("Erika Mustermann")

    ring.service.create()
    ring.service.retire(1)

    assert KeyRing.load(tmp_path, create=False).fingerprint("Erika Mustermann") == before
    assert ring.fingerprint("Erika Mustermann") == before


def test_without_its_folder_nothing_new_is_wrapped_with_what_may_be_retired(tmp_path: Path) -> None:
    ring = KeyRing.load(tmp_path / "keys", create=True)
    version, wrapped = ring.wrap(b"k" * 32, "s")
    (tmp_path / "keys").rename(tmp_path / "elsewhere")

    with pytest.raises(KeyServiceUnavailable):
        ring.wrap(b"k" * 32, "s")
    assert ring.unwrap(version, wrapped, "s") == b"k" * 32, "what is in hand still opens"


def test_a_new_key_file_is_whole_or_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = FileKeys(tmp_path, create=True)

    def full(*_arguments: Any) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", full)
    with pytest.raises(GatewayError, match="No space left"):
        keys.create()
    assert [path.name for path in tmp_path.iterdir()] == ["content-1.key"]


# ------------------------------------------------------------------------------------------------------- key service


def test_a_wrapped_key_is_bound_to_its_submission_and_version(vault: TransitServer, tmp_path: Path) -> None:
    keys = vault_keys(vault, tmp_path)
    version, wrapped = keys.wrap(b"k" * 32, "submission-1")

    assert keys.unwrap(version, wrapped, "submission-1") == b"k" * 32
    for version_is, wrapped_is, owner in (
        (version, wrapped, "submission-2"),
        (2, wrapped, "submission-1"),
        (version, b"\x00" * 60, "submission-1"),
    ):
        with pytest.raises(WrongKey):
            keys.unwrap(version_is, wrapped_is, owner)


def test_while_the_key_service_is_away_nothing_is_written_in_the_clear(vault: TransitServer, tmp_path: Path) -> None:
    keys = vault_keys(vault, tmp_path)
    vault.sealed = True

    with pytest.raises(KeyServiceUnavailable, match="503"):
        keys.wrap(b"k" * 32, "s")
    vault.sealed = False
    assert keys.wrap(b"k" * 32, "s")[0] == 1


def test_a_renewed_token_is_taken_up_without_a_restart(vault: TransitServer, tmp_path: Path) -> None:
    keys = vault_keys(vault, tmp_path)
    keys.wrap(b"k" * 32, "s")
    vault.token = "second-token"
    (tmp_path / "token").write_text("second-token")

    assert keys.wrap(b"k" * 32, "s")[0] == 1
    vault.token = "third-token"
    with pytest.raises(KeyServiceUnavailable, match="403"):
        keys.wrap(b"k" * 32, "s")


def test_a_retired_version_of_the_service_opens_nothing(vault: TransitServer, tmp_path: Path) -> None:
    keys = vault_keys(vault, tmp_path)
    version, wrapped = keys.wrap(b"k" * 32, "s")
    keys.create()

    keys.retire(version)

    assert [one.version for one in keys.versions()] == [2]
    with pytest.raises(WrongKey):
        keys.unwrap(version, wrapped, "s")


def vault_keys(service: TransitServer, folder: Path) -> VaultKeys:
    (folder / "token").write_text("first-token")
    return VaultKeys(service.url, folder / "token")


def _damage(store: Store, submission_id: str) -> None:
    row = update(t.content_key).where(t.content_key.c.submission_id == submission_id).values(wrapped_key=b"x" * 60)
    store._writer.submit("", lambda tx: tx.execute(row)).result(30)

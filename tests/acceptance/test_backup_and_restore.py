"""`gateway backup` and `gateway restore` as an operator types them, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import pytest
import yaml
from sqlalchemy import create_engine, text

from gateway.cli import run
from gateway.demo import servers
from gateway.settings import load_settings
from gateway.store import Claimed, KeyRing, Store
from gateway.store.database import database_url, upgrade_url
from gateway.submission import Checked, Submission

CONTENT = b"<hund>Kanarienvogel-4711</hund>"
VERDICT = Checked(service="hundesteuer", department="amt", standard="s", message="m", valid=True, decision="accept")


class Place:
    """Where an installation is, or is to be: settings in a file. Commands run in this process."""

    def __init__(self, folder: Path, url: str, capture: pytest.CaptureFixture[str]) -> None:
        self.home = folder / "home"
        self.home.mkdir(parents=True)
        self.config = folder / "gateway.yaml"
        self._capture = capture
        self.config.write_text(yaml.safe_dump({"home": str(self.home), "database_url": url}), encoding="utf-8")

    @property
    def url(self) -> str:
        return load_settings(self.config).effective_database_url

    def json(self, *words: str) -> tuple[int, Any]:
        self._capture.readouterr()
        code = run([*words, "--config", str(self.config), "--json"])
        return code, json.loads(self._capture.readouterr().out)

    @contextmanager
    def store(self, *, create: bool = False) -> Iterator[Store]:
        store = Store.open(self.url, keys=KeyRing.load(self.home / "keys", create=create), create=create)
        yield store
        store.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def new_place(
    request: pytest.FixtureRequest, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Iterator[Callable[[str], Place]]:
    """Makes an empty place with a database of its own."""
    made: list[str] = []

    def make(name: str) -> Place:
        if request.param == "sqlite":
            return Place(tmp_path / name, "", capsys)
        server: str = request.getfixturevalue("postgres_url")
        made.append(f"test_{uuid.uuid4().hex[:12]}")
        servers.create_database(server, made[-1])
        return Place(tmp_path / name, urlunsplit(urlsplit(server)._replace(path=f"/{made[-1]}")), capsys)

    yield make
    for name in made:
        servers.drop_database(request.getfixturevalue("postgres_url"), name)


@pytest.fixture
def place(new_place: Callable[[str], Place]) -> Place:
    """An installation with a submission, a standard, and a key."""
    place = new_place("first")
    (place.home / "schemas").mkdir()
    (place.home / "schemas" / "schemas.lock").write_text("{}", encoding="utf-8")
    with place.store(create=True) as store:
        accept(store)
    return place


@pytest.fixture
def passphrase(tmp_path: Path) -> str:
    file = tmp_path / "passphrase"
    file.write_text("korrekt-pferd-batterie-heftklammer\n", encoding="utf-8")
    return str(file)


def accept(store: Store) -> str:
    """A submission with a delivery to each of two targets; its id."""
    submission = Submission(
        submission_id=str(uuid.uuid4()),
        channel="rest",
        client="portal",
        inbox_key=None,
        received_at=datetime.now(UTC),
        schema_uri="urn:example:dog",
        media_type="application/xml",
        data=CONTENT,
        metadata={},
        metadata_version="2.1.0",
        digest=uuid.uuid4().hex,
    )
    store.accept(submission, VERDICT, ["steuer", "statistik"], store.new_content(submission.submission_id)).result(30)
    return submission.submission_id


def test_a_backup_brings_everything_back_elsewhere_and_what_was_open_counts_as_unknown(
    place: Place, new_place: Callable[[str], Place], passphrase: str, tmp_path: Path
) -> None:
    target = str(tmp_path / "backup")
    with place.store() as store:  # running
        delivered = store.view(submission_id := accept(store)).deliveries[0].delivery_id
        code, made = place.json("backup", target, "--passphrase-file", passphrase)
        accept(store)  # after it: gone with the installation
        outbox_ids = [row.outbox_id for row in store.due_outbox(100, datetime.now(UTC))]
    assert code == 0, made
    assert (made["submissions"], made["openDeliveries"], made["keys"]) == (2, 4, "sealed")

    elsewhere = new_place("second")
    dry, told = elsewhere.json("restore", target, "--passphrase-file", passphrase)
    assert (dry, told["obstacles"], told["restored"]) == (0, [], False)
    assert not (elsewhere.home / "keys").exists()
    code, told = elsewhere.json("restore", target, "--passphrase-file", passphrase, "--yes")

    assert (code, told["restored"], told["unknown"]) == (0, True, 4)
    assert (elsewhere.home / "schemas" / "schemas.lock").read_text(encoding="utf-8") == "{}"
    with elsewhere.store() as store:
        assert b"".join(store.read_part(submission_id, "data")) == CONTENT
        assert store.verify_chain(submission_id) == []
        claim = store.claim(delivered, "w", 60).result(30)
        assert isinstance(claim, Claimed)
        assert claim.unfinished_attempt == 1
        # Numbers that were given out after the backup are not given out again: messages are recognised by them
        accept(store)
        assert max(row.outbox_id for row in store.due_outbox(100, datetime.now(UTC))) > max(outbox_ids)


def test_a_move_with_everything_stopped_sends_what_is_open_as_it_is(
    place: Place, new_place: Callable[[str], Place], tmp_path: Path
) -> None:
    target = str(tmp_path / "backup")
    assert place.json("backup", target, "--with-keys")[0] == 0

    code, told = new_place("second").json("restore", target, "--nothing-sent-since", "--yes")

    assert (code, told["unknown"]) == (0, 0)


def test_nothing_is_restored_over_an_installation_with_contents(place: Place, tmp_path: Path) -> None:
    target = str(tmp_path / "backup")
    place.json("backup", target, "--with-keys")

    code, told = place.json("restore", target, "--yes")

    assert (code, told["restored"]) == (1, False)
    assert any("not empty" in one for one in told["obstacles"])


def test_a_backup_of_an_older_version_is_brought_to_the_tables_of_this_one(
    new_place: Callable[[str], Place], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, target = new_place("old"), str(tmp_path / "backup")
    KeyRing.load(place.home / "keys", create=True)
    upgrade_url(place.url, "0005")
    place.json("backup", target, "--with-keys")

    elsewhere = new_place("second")
    code, told = elsewhere.json("restore", target, "--yes")

    assert (code, told["revision"], told["migrates"], told["restored"]) == (0, "0005", True, True)
    with elsewhere.store() as store:
        accept(store)


def test_a_backup_that_was_changed_is_found_and_not_restored(
    place: Place, new_place: Callable[[str], Place], tmp_path: Path
) -> None:
    target = tmp_path / "backup"
    place.json("backup", str(target), "--with-keys")
    assert place.json("backup", "--verify", str(target))[0] == 0
    database = next(path for path in target.rglob("*") if path.name in ("database.sqlite3", "submission.copy"))
    database.write_bytes(database.read_bytes()[:-1] + b"?")
    (target / "keys" / "content-1.key").unlink()

    code, told = place.json("backup", "--verify", str(target))
    refused, why = new_place("second").json("restore", str(target), "--yes")

    assert (code, refused) == (1, 1)
    assert {fault.partition(":")[0] for fault in told["faults"]} == {
        str(database.relative_to(target)),
        "keys/content-1.key",
    }
    assert why["error"]["code"] == "bad_backup"


def test_keys_are_never_in_the_clear_unless_that_was_said(place: Place, passphrase: str, tmp_path: Path) -> None:
    key = (place.home / "keys" / "content-1.key").read_bytes().strip()
    sealed, without = tmp_path / "sealed", tmp_path / "without"

    code, told = place.json("backup", str(tmp_path / "undecided"))
    place.json("backup", str(sealed), "--passphrase-file", passphrase)
    place.json("backup", str(without), "--without-keys")

    assert (code, told["error"]["code"]) == (2, "usage")
    for folder in (sealed, without):
        assert not any(key in path.read_bytes() for path in folder.rglob("*") if path.is_file())
        assert all(path.stat().st_mode & 0o077 == 0 for path in folder.rglob("*"))


def test_a_database_that_is_not_there_is_told_plainly_and_leaves_nothing_behind(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    away = Place(tmp_path / "away", "postgresql://user:geheim@127.0.0.1:1/none", capsys)

    code, told = away.json("backup", str(tmp_path / "backup"), "--with-keys")

    assert (code, told["error"]["code"]) == (2, "store_unavailable")
    assert "geheim" not in json.dumps(told)
    assert not list(tmp_path.glob("backup*"))


def test_another_passphrase_opens_nothing(
    place: Place, new_place: Callable[[str], Place], passphrase: str, tmp_path: Path
) -> None:
    place.json("backup", str(tmp_path / "backup"), "--passphrase-file", passphrase)
    Path(passphrase).write_text("eine ganz andere Passphrase\n", encoding="utf-8")

    code, told = new_place("second").json("restore", str(tmp_path / "backup"), "--passphrase-file", passphrase, "--yes")

    assert (code, told["error"]["code"]) == (1, "wrong_passphrase")


def test_a_restore_without_its_keys_is_refused_and_names_them(
    place: Place, new_place: Callable[[str], Place], tmp_path: Path
) -> None:
    place.json("backup", str(tmp_path / "backup"), "--without-keys")
    elsewhere = new_place("second")

    code, told = elsewhere.json("restore", str(tmp_path / "backup"), "--yes")
    shutil.copytree(place.home / "keys", elsewhere.home / "keys")
    with_keys, _ = elsewhere.json("restore", str(tmp_path / "backup"), "--yes")

    assert code == 1
    assert "content-1.key" in " ".join(told["obstacles"])
    assert with_keys == 0


def test_a_database_that_is_newer_than_the_program_is_refused_with_what_to_do(place: Place) -> None:
    engine = create_engine(database_url(place.url))
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()

    code, told = place.json("dead", "list")

    assert code == 2
    assert [one["code"] for one in told["error"]["findings"]] == ["config.database_newer"]

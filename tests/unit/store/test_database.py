"""Opening a database: at the newest migration, durable, and what happens when it fails in the middle."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.command import upgrade as upgrade_to
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, inspect, text
from store_world import KEYS, Clock, World, verdict

from gateway.errors import ConfigurationError, NotFound, StoreUnavailable
from gateway.store import database
from gateway.store.database import upgrade_url
from gateway.store.store import Accepted, Store
from gateway.store.tables import metadata
from xoev_schemas.findings import Text


def test_the_migrations_make_exactly_the_tables_of_the_code(database_url: str) -> None:
    upgrade_url(database_url)
    engine = create_engine(_plain(database_url))

    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "compare_server_default": True})
        differences = compare_metadata(context, metadata)
    engine.dispose()

    assert differences == []


def test_migrating_twice_changes_nothing(world: World) -> None:
    accepted = world.accept()

    upgrade_url(world.url)

    assert world.store.view(accepted.submission_id).state == "accepted"


def test_what_died_before_both_languages_keeps_its_words(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as before:
        before.setattr(database.command, "upgrade", lambda config, _: upgrade_to(config, "0002"))
        upgrade_url(database_url)
    engine = create_engine(_plain(database_url))
    row = {"id": "dead-1", "at": "2026-11-24T12:00:00.000000+00:00"}
    with engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO dead_letter (dead_id, failure, code, place, fingerprint, fingerprint_version, text,"
                " remedy, source, attempts, died_at, state)"
                " VALUES (:id, 'bug', 'bug.X', '', 'f', 1, 'Warum', 'Was tun', 'worker', 1, :at, 'open')"
            ),
            row,
        )
    engine.dispose()

    upgrade_url(database_url)

    store = Store.open(database_url, keys=KEYS)
    (letter,) = store.dead_letters()
    store.close()
    assert (letter.text, letter.remedy) == (Text("Warum", "Warum"), Text("Was tun", "Was tun"))


def test_a_database_that_is_not_migrated_is_not_opened_and_the_remedy_is_named(database_url: str) -> None:
    with pytest.raises(ConfigurationError, match="gateway db upgrade") as refused:
        Store.open(database_url, keys=KEYS)
    assert refused.value.findings[0].code == "config.database_not_migrated"

    upgrade_url(database_url)
    Store.open(database_url, keys=KEYS).close()


def test_without_a_test_clock_the_databases_own_time_counts(database_url: str) -> None:
    store = Store.open(database_url, keys=KEYS, create=True)
    assert store.acquire_lease("relay", "a", 60).result(30)
    assert not store.acquire_lease("relay", "b", 60).result(30)
    store.close()


@pytest.mark.parametrize(
    "url", ["", "mysql://x/y", "sqlite://", "sqlite:///:memory:", "not a url", "postgresql://host"]
)
def test_an_unusable_url_is_refused_without_repeating_it(url: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        Store.open(url, keys=KEYS)
    assert refused.value.findings[0].code == "config.database_url"


def test_a_server_that_is_not_there_is_unavailable_without_showing_the_password() -> None:
    with pytest.raises(StoreUnavailable) as refused:
        Store.open("postgresql://user:geheim@127.0.0.1:1/none", keys=KEYS)
    assert "geheim" not in str(refused.value)


def test_sqlite_is_opened_durable_and_private(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "gateway.db"
    store = Store.open(f"sqlite:///{file}", keys=KEYS, create=True)

    with store._writing.connect() as connection:
        pragmas = {
            name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one()
            for name in ("journal_mode", "synchronous", "foreign_keys", "secure_delete")
        }
    store.close()

    assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "secure_delete": 1}
    assert file.stat().st_mode & 0o077 == 0


# ---------------------------------------------------------------- when it fails


def test_a_failure_in_the_middle_of_accepting_leaves_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("killed here")

    submission = world.submission()
    monkeypatch.setattr("gateway.store.intake.write_sealed", fail)
    future = world.store.accept(submission, verdict(), ["steuer"], world.store.new_content(submission.submission_id))

    assert isinstance(future.exception(30), RuntimeError)
    monkeypatch.undo()
    assert empty(world)
    assert world.accept(submission=submission).created


def test_when_the_commit_fails_everybody_in_it_is_told_and_nothing_is_there(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    dialect = world.store._writing.dialect

    def refuse(_connection: object) -> None:
        raise sqlite3.OperationalError("disk I/O error")

    monkeypatch.setattr(dialect, "do_commit", refuse)
    submissions = [world.submission() for _ in range(5)]
    futures = [
        world.store.accept(s, verdict(), ["steuer"], world.store.new_content(s.submission_id)) for s in submissions
    ]
    errors = [future.exception(30) for future in futures]
    monkeypatch.undo()

    assert [type(error) for error in errors] == [StoreUnavailable] * 5
    assert empty(world)
    assert world.accept(submission=submissions[0]).created


def test_a_full_disk_refuses_and_recovers_by_itself(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path / 'gateway.db'}", keys=KEYS, create=True)
    world = World(store, Clock(), "")
    kept = world.accept()
    with store._writing.connect() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    big = world.submission(data=b"x" * 500_000)

    futures = [
        store.accept(s, verdict(), ["steuer"], store.new_content(s.submission_id)) for s in (big, world.submission())
    ]
    errors = [future.exception(30) for future in futures]
    with store._writing.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count = 1000000")
    recovered = world.accept(submission=big)

    assert isinstance(errors[0], StoreUnavailable)
    assert store.view(kept.submission_id).state == store.view(recovered.submission_id).state == "accepted"
    assert store.verify_chain(recovered.submission_id) == []
    store.close()


def test_closing_commits_what_was_submitted_and_takes_nothing_more(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'gateway.db'}"
    world = World(Store.open(url, keys=KEYS, create=True), Clock(), url)
    submissions = [world.submission() for _ in range(300)]
    futures = [
        world.store.accept(s, verdict(), ["steuer"], world.store.new_content(s.submission_id)) for s in submissions
    ]

    world.store.close()

    assert all(isinstance(future.result(0), Accepted) for future in futures)
    with pytest.raises(StoreUnavailable, match="closed"):
        world.store.rebuild()
    reopened = Store.open(url, keys=KEYS)
    assert reopened.counts() == {"queued": 300}
    reopened.close()


def test_errors_do_not_repeat_what_was_to_be_stored(world: World) -> None:
    submission = world.submission(inbox_key="Mustermann-Geheim", schema_uri="bad\x00Mustermann-Geheim")
    future = world.store.accept(submission, verdict(), ["steuer"], world.store.new_content(submission.submission_id))

    error = future.exception(30)

    if error is not None:  # SQLite takes the character, PostgreSQL does not
        assert "Mustermann" not in str(error)
        assert error.__cause__ is None
        with pytest.raises(NotFound):
            world.store.view(submission.submission_id)


def empty(world: World) -> bool:
    engine = create_engine(_plain(world.url))
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
        counts = {
            table: connection.execute(text(f"SELECT count(*) FROM {table}")).scalar_one()
            for table in tables
            if table != "alembic_version"
        }
    engine.dispose()
    return not any(counts.values())


def _plain(url: str) -> str:
    return database.database_url(url).render_as_string(hide_password=False)

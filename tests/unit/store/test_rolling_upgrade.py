"""Old and new version side by side: what the program of the revision before writes still goes into the new tables."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from alembic.script import ScriptDirectory
from sqlalchemy import Column, Connection, MetaData, Table, delete, insert, select, types, update
from sqlalchemy.exc import DatabaseError
from store_world import KEYS

from gateway.errors import ConfigurationError
from gateway.store.database import MIGRATIONS, standing_of, upgrade_url, writing_engine
from gateway.store.database import database_url as parsed
from gateway.store.store import Store

REVISIONS = [one.revision for one in ScriptDirectory(str(MIGRATIONS)).walk_revisions()][::-1]
SINCE = "0006"
"""The rule holds from the revision after this one on (docs/decisions): no release had the ones before."""


def value(column: Column[Any], row: int) -> Any:
    """Some value of the column's type, the same for the same row: keys that refer to each other fit."""
    kind = column.type
    if isinstance(kind, types.Boolean):
        return False
    if isinstance(kind, types.LargeBinary):
        return bytes([row])
    if isinstance(kind, types.Integer):
        return row
    if isinstance(kind, types.JSON):
        return {}
    if isinstance(kind, types.DateTime):
        return datetime(2026, 11, 24, tzinfo=UTC)
    return f"{row}"


def tables_of(connection: Connection) -> list[Table]:
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != "alembic_version"]


def what_works(connection: Connection, tables: list[Table], row: int) -> set[tuple[str, str]]:
    """Which statements, by table, a program that knows these columns may make. Some are forbidden: content and events
    are never changed.
    """
    works = set()
    for table in [*tables, *reversed(tables)]:
        if (table.name, "insert") not in works:
            connection.execute(insert(table), {c.name: value(c, row) for c in table.columns})
            works.add((table.name, "insert"))
            continue
        here = [c == value(c, row) for c in table.primary_key]
        others = {c.name: value(c, row) for c in table.columns if not c.primary_key}
        changes = {"update": update(table).where(*here).values(others)} if others else {}
        for kind, statement in {**changes, "delete": delete(table).where(*here)}.items():
            savepoint = connection.begin_nested()
            try:
                done = connection.execute(statement).rowcount
                savepoint.commit()
            except DatabaseError:
                savepoint.rollback()
            else:
                works |= {(table.name, kind)} if done == 1 else set()
    return works


@pytest.mark.parametrize("revision", REVISIONS[REVISIONS.index(SINCE) : -1])
def test_the_version_before_still_writes_into_the_tables_of_the_one_after(database_url: str, revision: str) -> None:
    upgrade_url(database_url, revision)
    engine = writing_engine(parsed(database_url))
    with engine.begin() as connection:
        old = tables_of(connection)
        before = what_works(connection, old, 1)

    upgrade_url(database_url, REVISIONS[REVISIONS.index(revision) + 1])

    with engine.begin() as connection:
        after = what_works(connection, old, 2)
        for table in old:  # and reads what it knows
            connection.execute(select(table)).all()
    engine.dispose()
    assert {("delivery", "update"), ("outbox", "delete"), ("event", "insert")} <= before
    assert before <= after


def test_a_check_says_what_is_missing_and_changes_nothing(database_url: str) -> None:
    nothing = standing_of(database_url)
    upgrade_url(database_url, REVISIONS[-2])
    older, again = standing_of(database_url), standing_of(database_url)
    upgrade_url(database_url)

    assert (nothing.at, list(nothing.missing)) == (None, REVISIONS)
    assert (older.at, list(older.missing)) == (again.at, [REVISIONS[-1]]) == (REVISIONS[-2], [REVISIONS[-1]])
    assert (list(standing_of(database_url).missing), standing_of(database_url).newer) == ([], False)


def test_a_program_does_not_start_on_the_tables_of_a_newer_one(database_url: str) -> None:
    upgrade_url(database_url)
    engine = writing_engine(parsed(database_url))
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '9999'")
    engine.dispose()

    with pytest.raises(ConfigurationError) as refused:
        Store.open(database_url, keys=KEYS, create=True)

    assert refused.value.findings[0].code == "config.database_newer"
    assert standing_of(database_url).newer

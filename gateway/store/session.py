"""Statements are said with SQLAlchemy Core, compiled once per database, and run on the driver's own cursor.

SQLAlchemy's own execution costs several times what SQLite needs for a statement, and one delivery takes two dozen of
them in the one thread that writes. Types (moments, booleans, JSON) go through SQLAlchemy's own processors.
"""

from __future__ import annotations

from collections import namedtuple
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeVar

from sqlalchemy import ColumnElement, Connection, Dialect, Select, literal_column
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.expression import CompoundSelect, UpdateBase
from sqlalchemy.types import TypeEngine

_T = TypeVar("_T")

Record = Any
"""A row: a named tuple with the selected columns' names."""
Parameters = Mapping[str, Any]
Statement = Select[Any] | CompoundSelect[Any] | UpdateBase

_RACES = frozenset({"40001", "40P01"})
_STUCK = ("SQLITE_FULL", "SQLITE_IOERR", "SQLITE_READONLY", "SQLITE_CANTOPEN", "SQLITE_CORRUPT", "SQLITE_BUSY")


def one_of(column: ColumnElement[str], values: Iterable[str]) -> ColumnElement[bool]:
    """`column IN (…)` for our own constant words, written out: a list as a parameter is expanded at each execution."""
    return column.in_([literal_column(f"'{value}'") for value in values])


class DatabaseError(Exception):
    """What the database objected to; never its own text, which repeats values.

    conflict: a constraint · race: lost against another transaction, worth repeating · lost: connection or disk, the
    whole transaction is gone · refused: anything else.
    """

    def __init__(self, kind: Literal["conflict", "race", "lost", "refused"], name: str) -> None:
        super().__init__(name)
        self.kind = kind


class Session:
    """Runs statements on one connection, inside the transaction that the connection is in."""

    def __init__(self, connection: Connection) -> None:
        self._dialect = connection.dialect
        driver = connection.connection.dbapi_connection
        assert driver is not None
        self._cursor = driver.cursor()

    def rows(self, statement: Statement, parameters: Parameters | None = None) -> list[Record]:
        """All rows of a SELECT."""
        prepared = self._run(statement, parameters)
        return [prepared.record(row) for row in self._call(self._cursor.fetchall)]

    def row(self, statement: Statement, parameters: Parameters | None = None) -> Record | None:
        """The first row of a SELECT, or None."""
        prepared = self._run(statement, parameters)
        row = self._call(self._cursor.fetchone)
        return None if row is None else prepared.record(row)

    def scalar(self, statement: Statement, parameters: Parameters | None = None) -> Any:
        """The first column of the first row, or None."""
        row = self.row(statement, parameters)
        return None if row is None else row[0]

    def execute(self, statement: Statement, parameters: Parameters | None = None) -> int:
        """How many rows an INSERT, UPDATE or DELETE touched."""
        self._run(statement, parameters)
        count: int = self._cursor.rowcount
        return count

    def execute_many(self, statement: Statement, rows: Sequence[Parameters]) -> None:
        """One statement for many rows, which all name the same columns; nothing for none."""
        if rows:
            prepared = _prepare(self._dialect, statement, tuple(rows[0]))
            self._call(self._cursor.executemany, prepared.sql, [prepared.bind(row) for row in rows])

    def command(self, sql: str) -> None:
        """A statement without parameters, as the driver takes it (savepoints)."""
        self._call(self._cursor.execute, sql)

    def figure(self, sql: str) -> int:
        """The one number that a statement without parameters answers."""
        self._call(self._cursor.execute, sql)
        row = self._cursor.fetchone()
        assert row is not None
        return int(row[0])

    @property
    def on_sqlite(self) -> bool:
        return self._dialect.name == "sqlite"

    def _run(self, statement: Statement, parameters: Parameters | None) -> _Prepared:
        parameters = parameters or {}
        prepared = _prepare(self._dialect, statement, tuple(parameters))
        self._call(self._cursor.execute, prepared.sql, prepared.bind(parameters))
        return prepared

    def _call(self, run: Callable[..., _T], *arguments: Any) -> _T:
        try:
            return run(*arguments)
        except self._dialect.loaded_dbapi.Error as error:
            raise _translated(error, self._dialect) from None


class _Prepared:
    """A statement's text for one database, and how values get into and out of it."""

    def __init__(self, dialect: Dialect, statement: Statement, names: Sequence[str]) -> None:
        compiled = statement.compile(
            dialect=dialect,
            column_keys=None if isinstance(statement, Select | CompoundSelect) else list(names),
        )
        assert isinstance(compiled, SQLCompiler)
        self.sql = str(compiled)
        self._constants = dict(compiled.params)
        order = compiled.positiontup if compiled.positional else list(compiled.params)
        self._binds = [(name, _into(compiled, name, dialect)) for name in order or ()]
        self._complete = set(names) >= {name for name, _ in self._binds}
        self._positional = compiled.positional
        self._columns: list[Callable[[Any], Any] | None] = []
        if isinstance(statement, Select | CompoundSelect):
            columns = list(statement.selected_columns)
            self._columns = [_out_of(column.type, dialect) for column in columns]
            self._type: Any = namedtuple("Record", [str(column.key) for column in columns], rename=True)  # type: ignore[misc]

    def bind(self, parameters: Parameters) -> Any:
        """The parameters as the driver takes them. A name that is not given keeps the statement's own value."""
        given = parameters if self._complete else {**self._constants, **parameters}
        if self._positional:
            return [given[name] if into is None else into(given[name]) for name, into in self._binds]
        return {name: given[name] if into is None else into(given[name]) for name, into in self._binds}

    def record(self, row: Sequence[Any]) -> Record:
        return self._type._make(
            [value if out is None else out(value) for value, out in zip(row, self._columns, strict=True)]
        )


@lru_cache(maxsize=512)
def _prepare(dialect: Dialect, statement: Statement, names: tuple[str, ...]) -> _Prepared:
    return _Prepared(dialect, statement, names)


def _into(compiled: SQLCompiler, name: str, dialect: Dialect) -> Callable[[Any], Any] | None:
    return _implementation(compiled.binds[name].type, dialect).bind_processor(dialect)


def _out_of(kind: TypeEngine[Any], dialect: Dialect) -> Callable[[Any], Any] | None:
    return _implementation(kind, dialect).result_processor(dialect, None)


def _implementation(kind: TypeEngine[Any], dialect: Dialect) -> TypeEngine[Any]:
    return kind.dialect_impl(dialect)


def _translated(error: Exception, dialect: Dialect) -> DatabaseError:
    sqlite_name: str = getattr(error, "sqlite_errorname", None) or ""
    sqlstate: str = getattr(error, "sqlstate", None) or ""
    name = f"{type(error).__name__} {sqlite_name or sqlstate}".rstrip()
    if isinstance(error, dialect.loaded_dbapi.IntegrityError):
        return DatabaseError("conflict", name)
    if sqlstate in _RACES:
        return DatabaseError("race", name)
    if sqlite_name.startswith(_STUCK) or dialect.is_disconnect(error, None, None):  # type: ignore[arg-type]
        return DatabaseError("lost", name)
    return DatabaseError("refused", name)

"""SQLite as a database of operations: a file, or ``:memory:``.

Statements run in a thread, one at a time, each in a transaction of its own, so the event loop never waits for the disk.
Neighbours: `db.statements` writes them, `operation.db` uses this.
"""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from typing import Any, TypeVar

from tidemill.db import statements
from tidemill.db.base import BaseDatabase, BaseDatabaseContext, Conditions, identifier
from tidemill.runtime.config import config, field

__all__ = ["SqliteDatabase", "SqliteDatabaseConfig", "SqliteDatabaseContext"]

Result = TypeVar("Result")


@config
class SqliteDatabaseConfig:
    """Where the database is."""

    filename: str = field("the file, or :memory:")


class SqliteDatabaseContext(BaseDatabaseContext):
    """One piece of work with a SQLite database."""

    parent: SqliteDatabase

    async def create_table(self, table_name: str, cols: Mapping[str, str]) -> None:
        """Make a table, unless it is there; ``cols`` maps columns to types."""
        await self.parent.execute(*statements.create_table(table_name, cols))

    async def insert(self, table_name: str, data: Mapping[str, Any]) -> None:
        """Insert a row; ``data`` maps columns to values."""
        await self.parent.execute(*statements.insert(table_name, data))

    async def update(self, table_name: str, data: Mapping[str, Any], conditions: Conditions | None = None) -> None:
        """Set the columns of the rows that meet the conditions; of all rows without any."""
        await self.parent.execute(*statements.update(table_name, data, conditions))

    async def remove(self, table_name: str, conditions: Conditions | None = None) -> None:
        """Delete the rows that meet the conditions; all rows without any."""
        await self.parent.execute(*statements.remove(table_name, conditions))

    async def lookup(
        self, table_name: str, cols: Sequence[str] | None = None, conditions: Conditions | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the rows that meet the conditions, with the columns asked for; with all columns if none is."""
        for row in await self.parent.execute(*statements.lookup(table_name, cols, conditions)):
            yield dict(row)

    async def insert_or_update(self, table_name: str, data: Mapping[str, Any]) -> None:
        """Insert a row, or set the columns of the one that has its primary key already.

        Raises sqlite3.IntegrityError where it is no key that is there already, but another constraint that is broken.
        """
        await self.parent.work(lambda db: _insert_or_update(db, table_name, data))


class SqliteDatabase(BaseDatabase):
    """A SQLite database: ``SqliteDatabase(SqliteDatabaseConfig(filename="people.db"))``.

    It may be entered by several operations at once: they share the connection, and the last one closes it.
    """

    CONFIG = SqliteDatabaseConfig
    CONTEXT = SqliteDatabaseContext

    def __init__(self, config: SqliteDatabaseConfig | None = None, **fields: Any) -> None:
        super().__init__(config, **fields)
        self._entered = 0
        self.db: sqlite3.Connection | None = None
        self.cursor: sqlite3.Cursor | None = None

    async def __aenter__(self) -> SqliteDatabase:
        if self.db is None:
            # One statement at a time, in whichever thread is free.
            self.db = sqlite3.connect(self.config.filename, check_same_thread=False)
            self.db.row_factory = sqlite3.Row
            self.cursor = self.db.cursor()
            self.lock = asyncio.Lock()
        self._entered += 1
        return self

    async def __aexit__(self, *exc: object) -> None:
        self._entered -= 1
        if self._entered == 0 and self.db is not None:
            self.db.close()
            self.db = self.cursor = None

    async def execute(self, statement: str, values: Sequence[Any] = ()) -> list[sqlite3.Row]:
        """Run one statement in a transaction of its own and return its rows."""
        return await self.work(lambda db: db.execute(statement, list(values)).fetchall())

    async def work(self, job: Callable[[sqlite3.Connection], Result]) -> Result:
        """Run ``job`` over the connection in a thread, in a transaction of its own, and return what it returns."""
        if self.db is None:
            raise sqlite3.ProgrammingError(f"the database {self.config.filename} is not open; enter it first")
        async with self.lock:
            return await asyncio.to_thread(_in_transaction, self.db, job)


def _in_transaction(db: sqlite3.Connection, job: Callable[[sqlite3.Connection], Result]) -> Result:
    with db:
        return job(db)


def _insert_or_update(db: sqlite3.Connection, table: str, data: Mapping[str, Any]) -> None:
    try:
        db.execute(*statements.insert(table, data))
    except sqlite3.IntegrityError:
        keys = [row["name"] for row in db.execute(f'PRAGMA table_info("{identifier(table)}")') if row["pk"]]
        if not keys or any(key not in data for key in keys):
            raise
        rest = {name: value for name, value in data.items() if name not in keys}
        if rest:
            db.execute(*statements.update(table, rest, [[[key, "=", data[key]]] for key in keys]))

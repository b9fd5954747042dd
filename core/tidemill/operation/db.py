"""Operations over a database: create_table, insert, update, remove, lookup, insert_or_update.

Each is configured with the database that it works on, ``DatabaseQueryConfig(database=SqliteDatabase(…))``. Neighbour:
`db.statements` has the rule that no value is ever part of a statement.
"""

from __future__ import annotations

from typing import Any

from tidemill.db.base import BaseDatabase, Conditions
from tidemill.model.definition import Definition
from tidemill.runtime.config import config, field
from tidemill.runtime.decorator import op

__all__ = [
    "DatabaseQueryConfig",
    "db_query_create_table",
    "db_query_insert",
    "db_query_insert_or_update",
    "db_query_lookup",
    "db_query_remove",
    "db_query_update",
]

QUERY_TABLE = Definition(name="query_table", primitive="str")
QUERY_DATA = Definition(name="query_data", primitive="Dict[str, Any]")
QUERY_CONDITIONS = Definition(name="query_conditions", primitive="Conditions")
QUERY_COLS = Definition(name="query_cols", primitive="Dict[str, str]")
QUERY_LOOKUPS = Definition(name="query_lookups", primitive="Dict[str, Any]")


@config
class DatabaseQueryConfig:
    """Which database is asked."""

    database: BaseDatabase = field("the database, such as SqliteDatabase(filename=…)")


_ENTERED: dict[str, Any] = {
    "config_cls": DatabaseQueryConfig,
    "imp_enter": {"database": lambda self: self.config.database},
    "ctx_enter": {"dbctx": lambda self: self.parent.database()},
}


@op(
    name="db_query_create_table",
    inputs={"table_name": QUERY_TABLE, "cols": QUERY_COLS},
    outputs={},
    **_ENTERED,
)
async def db_query_create_table(self: Any, *, table_name: str, cols: Any = ()) -> None:
    """Make a table, unless it is there; ``cols`` maps columns to types."""
    await self.dbctx.create_table(table_name=table_name, cols=cols)


@op(name="db_query_insert", inputs={"table_name": QUERY_TABLE, "data": QUERY_DATA}, outputs={}, **_ENTERED)
async def db_query_insert(self: Any, *, table_name: str, data: dict[str, Any]) -> None:
    """Insert a row; ``data`` maps columns to values."""
    await self.dbctx.insert(table_name=table_name, data=data)


@op(
    name="db_query_update",
    inputs={"table_name": QUERY_TABLE, "data": QUERY_DATA, "conditions": QUERY_CONDITIONS},
    outputs={},
    **_ENTERED,
)
async def db_query_update(self: Any, *, table_name: str, data: dict[str, Any], conditions: Conditions = ()) -> None:
    """Set the columns of the rows that meet the conditions; of all rows without any."""
    await self.dbctx.update(table_name=table_name, data=data, conditions=conditions)


@op(
    name="db_query_remove",
    inputs={"table_name": QUERY_TABLE, "conditions": QUERY_CONDITIONS},
    outputs={},
    **_ENTERED,
)
async def db_query_remove(self: Any, *, table_name: str, conditions: Conditions = ()) -> None:
    """Delete the rows that meet the conditions; all rows without any."""
    await self.dbctx.remove(table_name=table_name, conditions=conditions)


@op(
    name="db_query_lookup",
    inputs={"table_name": QUERY_TABLE, "cols": QUERY_COLS, "conditions": QUERY_CONDITIONS},
    outputs={"lookups": QUERY_LOOKUPS},
    **_ENTERED,
)
async def db_query_lookup(self: Any, *, table_name: str, cols: Any = (), conditions: Conditions = ()) -> dict[str, Any]:
    """Return the rows that meet the conditions, with the columns asked for; with all columns if none is."""
    rows = self.dbctx.lookup(table_name=table_name, cols=cols, conditions=conditions)
    return {"lookups": [row async for row in rows]}


@op(
    name="db_query_insert_or_update",
    inputs={"table_name": QUERY_TABLE, "data": QUERY_DATA},
    outputs={},
    **_ENTERED,
)
async def db_query_insert_or_update(self: Any, *, table_name: str, data: dict[str, Any]) -> None:
    """Insert a row, or set the columns of the one that has its primary key already."""
    await self.dbctx.insert_or_update(table_name=table_name, data=data)

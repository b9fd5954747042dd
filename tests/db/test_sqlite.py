"""Statements with parameters, and SQLite behind the operations over databases."""

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tidemill import DataFlow, GetSingle, Input, InvalidInput, OperationException, noasync
from tidemill.db import statements
from tidemill.db.base import BaseDatabase, BaseDatabaseContext, Condition
from tidemill.db.sqlite import SqliteDatabase, SqliteDatabaseConfig
from tidemill.operation import db as operations

HOSTILE = ["x; DROP TABLE people", 'x"', "x y", "", "é", "a" * 129, None, 3, "people--"]
COLUMNS = {"key": "INTEGER NOT NULL PRIMARY KEY", "name": "varchar(30)", "age": "int"}


@pytest.mark.parametrize("name", HOSTILE)
def test_names_of_tables_and_columns_are_checked_wherever_they_stand(name: Any) -> None:
    calls: list[Callable[[], Any]] = [
        lambda: statements.create_table(name, {"a": "int"}),
        lambda: statements.create_table("t", {name: "int"}),
        lambda: statements.insert(name, {"a": 1}),
        lambda: statements.insert("t", {name: 1}),
        lambda: statements.update(name, {"a": 1}),
        lambda: statements.update("t", {name: 1}),
        lambda: statements.update("t", {"a": 1}, [[[name, "=", 1]]]),
        lambda: statements.lookup(name),
        lambda: statements.lookup("t", [name]),
        lambda: statements.remove(name),
        lambda: statements.remove("t", [[Condition(name, "=", 1)]]),
    ]
    for make in calls:
        with pytest.raises(InvalidInput) as caught:
            make()
        assert caught.value.reason == "InvalidIdentifier"


@pytest.mark.parametrize("kind", ["int); DROP TABLE t; --", "int DEFAULT (1)", "", None, "int, other int", "int 'x'"])
def test_types_of_columns_are_words(kind: Any) -> None:
    with pytest.raises(InvalidInput, match="is no type of a column"):
        statements.create_table("t", {"a": kind})


@pytest.mark.parametrize("comparison", ["= 1 OR 1 =", "IN", "", None, "= ?; --"])
def test_comparisons_are_out_of_a_list(comparison: Any) -> None:
    with pytest.raises(InvalidInput, match="is no comparison"):
        statements.lookup("t", [], [[["a", comparison, 1]]])


@pytest.mark.parametrize("conditions", ["a = 1", [["a", "=", 1]], [[["a", "="]]], {"a": 1}])
def test_conditions_are_lists_of_lists_of_three(conditions: Any) -> None:
    with pytest.raises(InvalidInput) as caught:
        statements.lookup("t", [], conditions)
    assert caught.value.reason == "InvalidCondition"


def test_values_are_never_part_of_a_statement() -> None:
    said = "'; DROP TABLE t; --"
    for statement, values in (
        statements.insert("t", {"a": said}),
        statements.update("t", {"a": said}, [[["b", "like", said], Condition("c", ">", said)], [], [["d", "=", 1]]]),
        statements.remove("t", [[["a", "=", said]]]),
    ):
        assert "DROP" not in statement
        assert said in values
        assert statement.count("?") == len(values)
    statement, values = statements.update("t", {"a": 0}, [[["b", "like", 1], ["c", ">", 2]], [["d", "=", 3]]])
    assert statement == 'UPDATE "t" SET "a" = ? WHERE ("b" LIKE ? OR "c" > ?) AND ("d" = ?)'
    assert values == [0, 1, 2, 3]


async def test_a_row_is_inserted_changed_found_and_removed(tmp_path: Path) -> None:
    async with SqliteDatabase(filename=str(tmp_path / "a.db")) as database, database() as context:
        await context.create_table("people", COLUMNS)
        await context.create_table("people", COLUMNS)
        await context.insert("people", {"key": 1, "name": "Ada", "age": 36})
        await context.insert("people", {"key": 2, "name": "Bob", "age": 16})
        await context.update("people", {"age": 37}, [[["name", "=", "Ada"]]])
        assert [row async for row in context.lookup("people", ["name"], [[["age", ">=", 18]]])] == [{"name": "Ada"}]
        await context.insert_or_update("people", {"key": 2, "age": 17})
        await context.insert_or_update("people", {"key": 3, "name": "Cat", "age": 1})
        await context.insert_or_update("people", {"key": 3})
        assert [row["age"] async for row in context.lookup("people")] == [37, 17, 1]
        await context.remove("people", [[["age", "<", 18]]])
        assert [row async for row in context.lookup("people")] == [{"key": 1, "name": "Ada", "age": 37}]
        await context.remove("people")
        assert [row async for row in context.lookup("people")] == []


async def test_what_is_not_a_known_key_is_an_error_and_nothing_is_changed() -> None:
    async with SqliteDatabase(SqliteDatabaseConfig(":memory:")) as database, database() as context:
        await context.create_table("people", {"key": "INTEGER PRIMARY KEY", "name": "text NOT NULL"})
        with pytest.raises(sqlite3.IntegrityError):
            await context.insert_or_update("people", {"name": None})


async def test_a_database_that_several_have_entered_is_open_until_the_last_has_left() -> None:
    database = SqliteDatabase(filename=":memory:")
    async with database:
        async with database, database() as context:
            await context.create_table("t", {"a": "int"})
        await database.execute('INSERT INTO "t" VALUES (?)', [1])
    with pytest.raises(sqlite3.ProgrammingError, match="is not open"):
        await database.execute("SELECT 1")


async def test_another_database_says_what_it_can_do() -> None:
    class Nothing(BaseDatabase):
        CONFIG, CONTEXT = dict, BaseDatabaseContext

    async with Nothing(name="x") as database, database() as context:
        assert database.config == {"name": "x"}
        for call in (
            context.create_table("t", {}),
            context.insert("t", {}),
            context.update("t", {}),
            context.remove("t"),
            context.insert_or_update("t", {}),
        ):
            with pytest.raises(NotImplementedError):
                await call
        with pytest.raises(NotImplementedError):
            context.lookup("t")


def asked(database: SqliteDatabase, operation: Any, **inputs: Any) -> Any:
    """Run one operation over the database in a data flow, and return what it found."""
    asks = [GetSingle] if operation.op.outputs else []
    config = operations.DatabaseQueryConfig(database=database)
    flow = DataFlow(operation, *asks, configs={operation.op.name: config})
    if asks:
        flow.seed.append(Input(["query_lookups"], GetSingle.op.inputs["spec"]))
    given = [Input(value, operation.op.inputs[name]) for name, value in inputs.items()]
    [(_, result)] = noasync.run(flow, given)
    return result.get("query_lookups")


def test_the_operations_over_a_database(tmp_path: Path) -> None:
    database = SqliteDatabase(SqliteDatabaseConfig(filename=str(tmp_path / "a.db")))
    asked(database, operations.db_query_create_table, table_name="people", cols=COLUMNS)
    asked(database, operations.db_query_insert, table_name="people", data={"key": 1, "name": "Ada"})
    asked(database, operations.db_query_insert_or_update, table_name="people", data={"key": 1, "age": 36})
    asked(database, operations.db_query_update, table_name="people", data={"age": 37}, conditions=[[["key", "=", 1]]])
    found = asked(database, operations.db_query_lookup, table_name="people", cols=["name", "age"], conditions=[])
    assert found == [{"name": "Ada", "age": 37}]
    asked(database, operations.db_query_remove, table_name="people", conditions=[])
    assert asked(database, operations.db_query_lookup, table_name="people", cols=[], conditions=[]) == []
    with pytest.raises(OperationException, match="InvalidIdentifier: .*is no name of a table"):
        asked(database, operations.db_query_insert, table_name="x; DROP", data={"key": 1})

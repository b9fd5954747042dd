"""SQL with parameters: each function returns (statement, values).

What a caller gives as a value is never part of a statement. What has to be part of one is a checked name of a table or
column, a type out of a small grammar, or a comparison out of a list. Neighbours: `db.base`, `db.sqlite`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from tidemill.db.base import Conditions, conditions_of, identifier
from tidemill.errors import InvalidInput, did_you_mean, shown

__all__ = ["COMPARISONS", "create_table", "insert", "lookup", "remove", "update"]

Statement = tuple[str, list[Any]]

COMPARISONS = ("=", "==", "!=", "<>", "<", "<=", ">", ">=", "LIKE", "NOT LIKE", "GLOB", "IS", "IS NOT")
"""How a column may be compared with a value."""

_TYPE = re.compile(r"[A-Za-z][A-Za-z0-9_]*(\(\d+(, ?\d+)?\))?( [A-Za-z]+)*")
"""A type with its length, and words after it: INTEGER NOT NULL PRIMARY KEY, varchar(30)."""


def create_table(table: str, cols: Mapping[str, str]) -> Statement:
    """Make a table unless it is there. Raises `InvalidInput` (InvalidIdentifier, InvalidColumnType)."""
    listed = ", ".join(f"{_quoted(name)} {_type(kind)}" for name, kind in cols.items())
    return f"CREATE TABLE IF NOT EXISTS {_quoted(table)} ({listed})", []


def insert(table: str, data: Mapping[str, Any]) -> Statement:
    """Insert a row."""
    names = ", ".join(_quoted(name) for name in data)
    return f"INSERT INTO {_quoted(table)} ({names}) VALUES ({', '.join('?' * len(data))})", list(data.values())


def update(table: str, data: Mapping[str, Any], conditions: Conditions | None = None) -> Statement:
    """Set columns of the rows that meet the conditions."""
    where, values = _where(conditions)
    changes = ", ".join(f"{_quoted(name)} = ?" for name in data)
    return f"UPDATE {_quoted(table)} SET {changes}{where}", [*data.values(), *values]


def lookup(table: str, cols: Sequence[str] | None = None, conditions: Conditions | None = None) -> Statement:
    """Select columns (all, if none is named) of the rows that meet the conditions."""
    where, values = _where(conditions)
    names = ", ".join(_quoted(name) for name in cols) if cols else "*"
    return f"SELECT {names} FROM {_quoted(table)}{where}", values


def remove(table: str, conditions: Conditions | None = None) -> Statement:
    """Delete the rows that meet the conditions."""
    where, values = _where(conditions)
    return f"DELETE FROM {_quoted(table)}{where}", values


def _quoted(name: Any) -> str:
    return f'"{identifier(name)}"'


def _type(said: Any) -> str:
    if isinstance(said, str) and _TYPE.fullmatch(said):
        return said
    hint = "expected words, and a length in parentheses, such as text or INTEGER NOT NULL PRIMARY KEY"
    raise InvalidInput(f"{shown(said)} is no type of a column; {hint}", reason="InvalidColumnType")


def _comparison(said: Any) -> str:
    if isinstance(said, str) and said.upper() in COMPARISONS:
        return said.upper()
    wrong = f"{shown(said)} is no comparison {did_you_mean(str(said), COMPARISONS)}"
    raise InvalidInput(wrong, reason="InvalidCondition")


def _where(conditions: Conditions | None) -> Statement:
    every: list[str] = []
    values: list[Any] = []
    for either in conditions_of(conditions):
        if not either:
            continue
        every.append(" OR ".join(f"{_quoted(one.column)} {_comparison(one.operation)} ?" for one in either))
        values.extend(one.value for one in either)
    return "".join([" WHERE ", " AND ".join(f"({text})" for text in every)]) if every else "", values

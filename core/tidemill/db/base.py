"""What a database can do for an operation, and the conditions that it is asked with.

A database is entered once, and gives a context for each piece of work::

    async with SqliteDatabase(filename="people.db") as database, database() as context:
        await context.insert("people", {"name": "Ada"})

Names of tables and columns cannot be parameters of a statement, so they are checked (`identifier`); every value is one.
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from typing import Any, ClassVar, NamedTuple, TypeAlias

from tidemill.errors import InvalidInput, shown

__all__ = ["BaseDatabase", "BaseDatabaseContext", "Condition", "Conditions", "conditions_of", "identifier"]


class Condition(NamedTuple):
    """A column is compared with a value: ``Condition("age", ">=", 18)``."""

    column: str
    operation: str
    value: Any


Conditions: TypeAlias = Sequence[Sequence[Condition | Sequence[Any]]]
"""Lists of conditions: one of each inner list has to hold, and all of the outer list."""

_NAME = re.compile(r"[A-Za-z0-9_]{1,128}")


def identifier(name: Any) -> str:
    """Return the name of a table or column. Raises `InvalidInput` (InvalidIdentifier) unless it is letters, digits and
    underscores."""
    if isinstance(name, str) and _NAME.fullmatch(name):
        return name
    said = f"{shown(name)} is no name of a table or column; expected at most 128 letters (a to z), digits, underscores"
    raise InvalidInput(said, reason="InvalidIdentifier")


def conditions_of(said: Any) -> list[list[Condition]]:
    """Return conditions however they are written; none for None.

    Raises `InvalidInput` (InvalidCondition) for what is no list of lists of (column, operation, value).
    """
    return [[_condition(one) for one in _listed(either)] for either in _listed(said or ())]


def _listed(said: Any) -> Iterable[Any]:
    if isinstance(said, (list, tuple)):
        return said
    raise InvalidInput(f"{shown(said)} is no list of conditions; {_SHAPE}", reason="InvalidCondition")


def _condition(said: Any) -> Condition:
    if isinstance(said, (list, tuple)) and len(said) == 3:
        return Condition(*said)
    raise InvalidInput(f"{shown(said)} is no condition; {_SHAPE}", reason="InvalidCondition")


_SHAPE = 'expected [[["age", ">=", 18], …either of these], …and one of these]'


class BaseDatabaseContext:
    """One piece of work with a database; subclass it for another kind of database."""

    def __init__(self, parent: Any) -> None:
        self.parent = parent

    async def __aenter__(self) -> BaseDatabaseContext:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    async def create_table(self, table_name: str, cols: Mapping[str, str]) -> None:
        """Make a table, unless it is there; ``cols`` maps columns to types."""
        raise NotImplementedError

    async def insert(self, table_name: str, data: Mapping[str, Any]) -> None:
        """Insert a row; ``data`` maps columns to values."""
        raise NotImplementedError

    async def update(self, table_name: str, data: Mapping[str, Any], conditions: Conditions | None = None) -> None:
        """Set the columns of the rows that meet the conditions; of all rows without any."""
        raise NotImplementedError

    async def remove(self, table_name: str, conditions: Conditions | None = None) -> None:
        """Delete the rows that meet the conditions; all rows without any."""
        raise NotImplementedError

    def lookup(
        self, table_name: str, cols: Sequence[str] | None = None, conditions: Conditions | None = None
    ) -> AsyncIterator[dict[str, Any]]:
        """Yield the rows that meet the conditions, with the columns asked for; with all columns if none is."""
        raise NotImplementedError

    async def insert_or_update(self, table_name: str, data: Mapping[str, Any]) -> None:
        """Insert a row, or set the columns of the one that has its primary key already."""
        raise NotImplementedError


class BaseDatabase:
    """A database: entered once, and called for a context of each piece of work. ``CONFIG`` is the class of its
    configuration, ``CONTEXT`` that of its contexts."""

    CONFIG: ClassVar[type]
    CONTEXT: ClassVar[type[BaseDatabaseContext]]

    def __init__(self, config: Any = None, **fields: Any) -> None:
        self.config = config if config is not None else type(self).CONFIG(**fields)

    async def __aenter__(self) -> BaseDatabase:
        return self

    async def __aexit__(self, *exc: object) -> None:
        pass

    def __call__(self) -> BaseDatabaseContext:
        """Return the context of one piece of work."""
        return type(self).CONTEXT(self)

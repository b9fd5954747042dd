"""A flow says, for each parameter of each operation, from which origins its inputs may come.

A *source* is one such origin, in one of four spellings::

    "seed"                                any word: inputs given with that origin
    {"fetch": "body"}                     the output `body` of the operation instance `fetch`
    {"seed": ["URL", "Path"]}             that origin, for inputs of any of the listed definitions
    [{"parse": "line"}, {"fetch": "body"}]   made by parse.line, from a parent made by fetch.body, …

Neighbours: `model.dataflow` holds flows and makes them where none is written; `plan.compile` resolves them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tidemill.errors import TidemillError, pointer, shown
from tidemill.model.definition import Definition

__all__ = ["Forward", "InputFlow", "Source"]

Source = Any
"""One of the four spellings above (they are what a file holds, so they stay plain data until they are compiled)."""


def _listed(sources: Any) -> list[Source]:
    if isinstance(sources, (str, Mapping)):
        return [sources]
    return list(sources)


@dataclass
class InputFlow:
    """The sources of one operation: of each parameter in ``inputs``, of its gate in ``conditions``."""

    inputs: dict[str, list[Source]] = field(default_factory=dict)
    conditions: list[Source] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.inputs = {name: _listed(sources) for name, sources in (self.inputs or {}).items()}
        self.conditions = _listed(self.conditions or ())

    def said(self) -> dict[str, Any]:
        """Return the flow of the operation as plain data, without what is empty; what only Python can say is spelt out,
        so that it is told from everything else."""
        found: dict[str, Any] = {}
        if self.inputs:
            found["inputs"] = {name: [_plain(source) for source in sources] for name, sources in self.inputs.items()}
        if self.conditions:
            found["conditions"] = [_plain(source) for source in self.conditions]
        return found

    def export(self) -> dict[str, Any]:
        """Return the flow of the operation as a file says it, without what is empty.

        Raises `TidemillError` (NotExportable) for ``{(operation, output): [definitions]}``: keys of a file are words.
        """
        for name, sources in (*self.inputs.items(), ("", self.conditions)):
            for at, source in enumerate(sources):
                if _only_python(source):
                    where = ("inputs", name, at) if name else ("conditions", at)
                    raise TidemillError(
                        f"the source {shown(source)} cannot be written to a file; write {{operation: output}}, and "
                        "give what has another definition an origin of its own",
                        reason="NotExportable",
                        path=pointer(*where),
                    )
        return self.said()

    @staticmethod
    def get_alternate_definitions(origin: tuple[Any, Any]) -> tuple[Sequence[str], Any]:
        """Return (the definitions that an item of a source lists, its origin); no definitions where it names an
        output."""
        first, second = origin
        return (second, first) if isinstance(second, (list, tuple)) else ([], origin)

    @classmethod
    def _fromdict(cls, **said: Any) -> InputFlow:
        return cls(inputs=said.get("inputs") or {}, conditions=said.get("conditions") or [])


def _plain(source: Source) -> Source:
    if isinstance(source, Mapping):
        return {
            (origin if isinstance(origin, str) else str(origin)): list(names) if not isinstance(names, str) else names
            for origin, names in source.items()
        }
    if isinstance(source, Sequence) and not isinstance(source, str):
        return [_plain(step) for step in source]
    return source


def _only_python(source: Source) -> bool:
    steps = source if isinstance(source, (list, tuple)) else [source]
    return any(isinstance(step, Mapping) and any(not isinstance(origin, str) for origin in step) for step in steps)


@dataclass
class Forward:
    """Which definitions are passed on into the child contexts of which operation instances."""

    book: dict[str, list[Definition]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.book = dict(self.book or {})

    def add(self, instance_name: str, definition_list: Sequence[Definition]) -> None:
        """Pass inputs of the definitions on into the child contexts that ``instance_name`` opens."""
        known = self.book.setdefault(instance_name, [])
        known.extend(definition for definition in definition_list if definition not in known)

    def get_instances_to_forward(self, definition: Definition) -> list[str]:
        """Return the instances into whose child contexts inputs of ``definition`` are passed."""
        return [instance for instance, listed in self.book.items() if definition in listed]

    def export(self) -> dict[str, Any]:
        """Return the book as plain data."""
        return {"book": {name: [item.export() for item in listed] for name, listed in self.book.items()}}

    @classmethod
    def _fromdict(cls, **said: Any) -> Forward:
        book = {
            name: [item if isinstance(item, Definition) else Definition._fromdict(**item) for item in listed]
            for name, listed in (said.get("book") or {}).items()
        }
        return cls(book=book)

"""Which inputs of a definition each input descends from, for all inputs of a context in one pass.

What a chain of inputs descends from is shared along it and merged only where chains meet, so ten thousand generations
below one input cost ten thousand steps.
"""

from __future__ import annotations

from collections.abc import Iterable

from tidemill.engine.inputs import Item

__all__ = ["ancestors_of"]

Above = tuple[Item, ...]


def ancestors_of(items: Iterable[Item], definition: str) -> dict[int, Above]:
    """Return, by number, the inputs of ``definition`` that each input descends from."""
    with_self: dict[int, Above] = {}
    above: dict[int, Above] = {}
    for item in sorted(items, key=lambda other: other.number):
        found: Above = ()
        for parent in item.parents:
            theirs = with_self.get(parent.number, ())
            if theirs and theirs is not found:
                found = _merged(found, theirs) if found else theirs
        above[item.number] = found
        is_one = item.definition is not None and item.definition.name == definition
        with_self[item.number] = (*found, item) if is_one else found
    return above


def _merged(mine: Above, theirs: Above) -> Above:
    known = {item.number for item in mine}
    new = tuple(item for item in theirs if item.number not in known)
    return mine + new if new else mine

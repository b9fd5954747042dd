"""Canonical order: the order in which output operations see inputs, the same whatever the timing was.

Seeds come first, as they were given. Every other input comes after its parents, by generation; within a generation by
the rank of its parents, then by operation, output, emission and element. An input that stands for all equal values
(``dedupe``) is placed by its value, since who gave it first is a matter of timing.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from tidemill.engine.inputs import Item
from tidemill.plan.digest import canonical

__all__ = ["order_of_sets", "ranks", "readable", "sorted_items"]

_DEFAULT_RANK = -1


def ranks(items: Iterable[Item]) -> dict[int, int]:
    """Return the rank of each input, by its number. ``items`` are all inputs of a context, in the order of their
    numbers (so parents come before children); defaults that were taken rank before all."""
    generations: list[list[Item]] = []
    generation_of: dict[int, int] = {}
    rank_of: dict[int, int] = {}
    for item in items:
        if item.channel is None:
            rank_of[item.number] = _DEFAULT_RANK
            continue
        generation = 0
        if item.channel.operation is not None and not item.channel.definition.dedupe:  # which have no parents
            generation = 1 + max((generation_of.get(parent.number, 0) for parent in item.parents), default=-1)
        generation_of[item.number] = generation
        while len(generations) <= generation:
            generations.append([])
        generations[generation].append(item)
    rank = 0
    for members in generations:
        for item in sorted(members, key=lambda member: _key(member, rank_of)):
            rank_of[item.number] = rank
            rank += 1
    return rank_of


def _key(item: Item, rank_of: dict[int, int]) -> tuple[Any, ...]:
    channel = item.channel
    assert channel is not None
    if channel.definition.dedupe:
        origins = (str(channel.origin), str(channel.stands_for or ""))
        return (2, (), origins, channel.definition.name, canonical(item.value))
    if channel.operation is None:
        return (0, (), item.position)
    above = tuple([rank_of[parent.number] for parent in item.parents])
    return (1, above, channel.operation.index, channel.index, item.position)


def readable(visible: Sequence[Item], definition: str | None) -> list[Item]:
    """Return the inputs of a definition (None: of any) that operations may read, in canonical order. ``visible`` are
    in the order of their numbers; what has not been validated is not in the network yet."""
    found = [
        item
        for item in visible
        if item.channel is not None
        and item.channel.validator is None
        and (definition is None or item.channel.definition.name == definition)
    ]
    return found if len(found) < 2 else sorted_items(found, ranks(visible))


def sorted_items(items: Sequence[Item], rank_of: dict[int, int]) -> list[Item]:
    """Return the inputs in canonical order."""
    return sorted(items, key=lambda item: rank_of[item.number])


def order_of_sets(items: Sequence[Item], rank_of: dict[int, int]) -> tuple[int, ...]:
    """Return the place of a parameter set among those of its operation: the ranks of its inputs."""
    return tuple([rank_of.get(item.number, _DEFAULT_RANK) for item in items])

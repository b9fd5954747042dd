"""Input network, decided: what an input is inside a context, which sources accept it, and which locks it carries.

Neighbours: `engine.operations` says which operations an input concerns, `engine.order` in which order they are read.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from tidemill.model.definition import Definition
from tidemill.model.input import Ancestors, Origin

if TYPE_CHECKING:
    from tidemill.engine.operations import Channel

__all__ = ["FIRST", "NO_LOCKS", "Item", "has_path", "locks_of"]

NO_LOCKS: frozenset[int] = frozenset()
FIRST = (0, 0)
"""The position of an output that is neither one of a list nor yielded by a generator: (emission, element)."""


class Item:
    """An input inside a context.

    ``number`` counts the inputs of the context; ``channel`` has its origin and definition; ``parents`` are the inputs
    of the parameter set that gave it, in the order of the parameters; ``position`` is (emission, element) of an
    output and (0, place as given) of a seed; ``locks`` are the numbers of the locked inputs among itself and its
    ancestors. A default that a parameter took is an item without a channel.
    """

    __slots__ = ("channel", "locks", "number", "parents", "position", "value")

    def __init__(
        self,
        number: int,
        value: Any,
        channel: Channel | None,
        parents: tuple[Item, ...] = (),
        position: tuple[int, int] = FIRST,
        locks: frozenset[int] = NO_LOCKS,
    ) -> None:
        self.number = number
        self.value = value
        self.channel = channel
        self.parents = parents
        self.position = position
        self.locks = locks

    @property
    def origin(self) -> Origin:
        """A word, or (operation instance, output)."""
        return self.channel.origin if self.channel is not None else "default"

    @property
    def definition(self) -> Definition | None:
        """What the value is; None for a default that was taken."""
        return self.channel.definition if self.channel is not None else None

    @property
    def uid(self) -> str:
        """The identity within the context."""
        return str(self.number)

    def get_parents(self) -> Ancestors[Item]:
        """Return every ancestor once, nearest generation first; defaults that were taken are none."""
        found: Ancestors[Item] = Ancestors()
        seen: set[int] = set()
        generation: Sequence[Item] = self.parents
        while generation:
            following: list[Item] = []
            for parent in generation:
                if parent.number not in seen and parent.channel is not None:
                    seen.add(parent.number)
                    found.append(parent)
                    following.extend(parent.parents)
            generation = following
        return found

    def __repr__(self) -> str:
        name = self.channel.definition.name if self.channel is not None else "default"
        return f"Item({self.number}, {name}={self.value!r})"


def has_path(item: Item, path: Sequence[Origin]) -> bool:
    """Say whether the ancestors of ``item`` have the origins of ``path``: some parent the first, some parent of that
    one the second, and so on. What was validated stands for what it was made of, here too. Each ancestor is looked
    at once a step, so diamonds cost nothing."""
    generation: Iterable[Item] = (item, *_validated(item))
    for origin in path:
        matching = {
            parent.number: parent
            for child in generation
            for above in child.parents
            for parent in (above, *_validated(above))
            if parent.channel is not None and parent.channel.origin == origin
        }
        if not matching:
            return False
        generation = matching.values()
    return True


def _validated(item: Item) -> Sequence[Item]:
    """Return what a validator made ``item`` of: nobody else may take an input that has still to be validated."""
    parents = item.parents
    if len(parents) == 1 and (channel := parents[0].channel) is not None and channel.validator is not None:
        return parents
    return ()


def locks_of(items: Sequence[Item]) -> frozenset[int]:
    """Return the locks of a combination: the union over its inputs. Equal sets are shared, not copied."""
    found = NO_LOCKS
    for item in items:
        if item.locks and item.locks is not found:
            found = found | item.locks if found else item.locks
    return found

"""Random contexts whose inputs can be numbered in any order that timing could bring about."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from hypothesis import strategies as st

from tests.engine.making import default_item, item, operation, output_channel, plan_of, seed_channel
from tidemill import Definition
from tidemill.engine.inputs import Item

ONCE = Definition("once", "int", dedupe="value")
PLAN = plan_of(
    operation("join", "xy", gives="pq"),
    operation("once", "x", outputs={"r": ONCE}),
    operation("start", gives="a"),
)
JOIN, ONCE_OP, START = (PLAN.instances[name] for name in ("join", "once", "start"))
CHANNELS = {
    "seed": seed_channel(),
    "client": seed_channel("client"),
    "start": output_channel(START, "a"),
    "p": output_channel(JOIN, "p"),
    "q": output_channel(JOIN, "q"),
    "once": output_channel(ONCE_OP, "r"),
}
CHANNELS["seed once"] = seed_channel("seed", ONCE)


@dataclass(frozen=True)
class Node:
    """An input by what makes it what it is: its channel, its parents (places in the world; -1: a default), position."""

    channel: str
    parents: tuple[int, ...]
    position: tuple[int, int]
    value: int = 0


World = list[Node]
PLACES = st.tuples(st.integers(0, 2), st.integers(0, 2))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Draw a context: seeds, then outputs whose parents come before them; no two nodes are the same one."""
    found: dict[object, Node] = {}
    for place in range(draw(st.integers(1, 4))):
        node = Node(draw(st.sampled_from(["seed", "client", "seed once"])), (), (0, place), place)
        found[place] = node
    for _ in range(draw(st.integers(0, 8))):
        channel = draw(st.sampled_from(["start", "p", "q", "once"]))
        parent = st.integers(-1, len(found) - 1)
        count = {"start": 0, "once": 1}.get(channel, 2)
        node = Node(channel, draw(st.tuples(*[parent] * count)), draw(PLACES), draw(st.integers(0, 3)))
        # One value that is wanted once is one input, whoever gave it.
        same = (channel, node.value) if channel == "once" else (channel, node.parents, node.position)
        found.setdefault(same, node)
    return list(found.values())


def numbered(world: World, random: Random) -> tuple[list[Item], dict[int, Item]]:
    """Return the inputs in the order of some numbering (parents first), and each by its place in the world."""
    items: list[Item] = []
    at: dict[int, Item] = {}
    while len(at) < len(world):
        ready = [
            place for place, node in enumerate(world) if place not in at and all(p in at or p < 0 for p in node.parents)
        ]
        place = random.choice(ready)
        node = world[place]
        parents = []
        for parent in node.parents:
            if parent < 0:
                items.append(default_item(len(items)))
            parents.append(items[-1] if parent < 0 else at[parent])
        made = item(
            len(items), node.value, channel=CHANNELS[node.channel], parents=tuple(parents), position=node.position
        )
        items.append(made)
        at[place] = made
    return items, at

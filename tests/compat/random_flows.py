"""Random data flows without cycles, as plain data that `tests.compat.flow_driver` runs.

They keep to what means the same in DFFML and here: each parameter of an operation has a definition of its own,
conditions are seeds, there are no defaults, at most one input of a context is locked, and nothing waits. What differs
is in docs/dffml.md.
"""

from __future__ import annotations

import random
from typing import Any

__all__ = ["describe"]

KINDS = ("coroutine", "coroutine", "function", "generator")


def describe(seed: int) -> dict[str, Any]:
    """Return the description of one data flow over one or two contexts; the same for the same ``seed``."""
    chance = random.Random(seed)
    seeds = [f"s{at}" for at in range(chance.randint(1, 4))]
    made = [f"d{at}" for at in range(chance.randint(1, 6))]
    gates = ["gate"] if chance.random() < 0.4 else []
    order = seeds + made
    operations = [_operation(chance, f"op{at}", order, len(seeds), gates) for at in range(chance.randint(1, 7))]
    contexts = [f"context {at}" for at in range(chance.randint(1, 2))]
    validated = chance.sample(seeds, 1) if chance.random() < 0.3 else []
    operations += [_validator(f"check {name}", name) for name in validated]
    locked = chance.sample(seeds, 1) if chance.random() < 0.3 else []
    return {
        "definitions": order + gates,
        "gates": gates,
        "operations": operations,
        "seed": [[True, "gate"]] if gates and chance.random() < 0.7 else [],
        "validated": {name: f"check {name}" for name in validated},
        "locked": locked,
        "contexts": {name: _inputs(chance, name, seeds, locked) for name in contexts},
        "asked": {},
    }


def _inputs(chance: random.Random, context: str, seeds: list[str], locked: list[str]) -> list[list[Any]]:
    found: list[list[Any]] = [
        [f"{context}:{name}:{at}", name]
        for name in seeds
        for at in range(chance.choice((0, 1)) if name in locked else chance.choice((0, 1, 1, 2, 3)))
    ]
    chance.shuffle(found)
    return found


def _validator(name: str, definition: str) -> dict[str, Any]:
    """Return an operation that checks the inputs of a definition."""
    places = {"inputs": {"in0": definition}, "outputs": {"out0": definition}, "expand": [], "conditions": []}
    usual = {"kind": "coroutine", "stage": "processing", "nothing": False, "fails": False, "validator": True}
    return {"name": name, **places, **usual}


def _operation(chance: random.Random, name: str, order: list[str], seeds: int, gates: list[str]) -> dict[str, Any]:
    """Return an operation whose outputs come after its inputs in ``order``, so that nothing feeds itself."""
    cut = chance.randint(1, len(order) - 1) if len(order) > 1 else 1
    taken = chance.sample(order[:cut], min(cut, chance.choice((1, 1, 2, 2, 3))))
    later = order[max(cut, seeds) :]
    given = chance.sample(later, min(len(later), chance.choice((1, 1, 2))))
    ends = chance.random() < 0.1
    kind = chance.choice(KINDS)
    outputs = {} if ends else {f"out{at}": definition for at, definition in enumerate(given)}
    return {
        "name": name,
        "kind": "coroutine" if ends else kind,
        "inputs": {f"in{at}": definition for at, definition in enumerate(taken)},
        "outputs": outputs,
        "expand": [output for output in outputs if chance.random() < 0.3],
        "conditions": list(gates) if chance.random() < 0.3 else [],
        "stage": "cleanup" if ends else "processing",
        "nothing": chance.random() < 0.3,
        "fails": kind == "coroutine" and chance.random() < 0.2,
    }

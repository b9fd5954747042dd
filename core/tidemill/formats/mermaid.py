"""A data flow as the Mermaid graph that DFFML draws: the same nodes, the same ids, the same order.

Ids are MD5 sums of names, so a drawing that was made with DFFML and one that is made here can be compared line by line.
Neighbour: `diagram` draws the picture of our own, which is smaller and says more.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any

from tidemill.model.dataflow import DataFlow
from tidemill.model.operation import Operation, Stage

__all__ = ["DIRECTIONS", "draw"]

DIRECTIONS = ("TD", "TB", "BT", "LR", "RL")
"""In which direction a graph may run."""

_STAGE, _OPERATION, _GIVEN = (
    "fill:#afd388b5,stroke:#a4ca7a",
    "fill:#fff4de,stroke:#cece71",
    "fill:#f6dbf9,stroke:#a178ca",
)
_BREAKS = set('[](){}<>|"&;`#')  # what would end a label, or write HTML


def draw(
    dataflow: DataFlow,
    *,
    stages: Collection[Stage] = (),
    simple: bool = False,
    short: bool = False,
    direction: str = "TD",
) -> str:
    """Return the graph, with a line end at its end.

    ``stages`` are those that are drawn, all if there are none; ``simple`` leaves out the names of inputs and outputs;
    ``short`` leaves out the modules of the names of operations; ``direction`` is one of `DIRECTIONS`.
    """
    drawing = _Drawing(dataflow, tuple(stages), simple, short)
    return "\n".join([f"graph {direction}", *drawing.stages(), *drawing.flow()]) + "\n"


def _id(*names: str) -> str:
    return hashlib.md5(".".join(names).encode(), usedforsecurity=False).hexdigest()


def _label(*lines: str) -> str:
    """Return a label as it is; in quotes, with escapes, if it would be read as more than a label."""
    if all(line.isprintable() and not _BREAKS & set(line) for line in lines):
        return "<br>".join(lines)
    safe = ("".join(c if c.isprintable() and c not in _BREAKS else f"#{ord(c)};" for c in line) for line in lines)
    return f'"{"<br>".join(safe)}"'


@dataclass(frozen=True)
class _Drawing:
    dataflow: DataFlow
    wanted: tuple[Stage, ...]
    simple: bool
    short: bool

    @property
    def boxed(self) -> bool:
        """Whether stages have boxes: one alone needs none."""
        return len(self.wanted) != 1

    def has(self, stage: Stage) -> bool:
        return not self.wanted or stage in self.wanted

    def stages(self) -> Iterator[str]:
        """Yield the boxes of the stages with their operations."""
        for stage in Stage:
            if not self.has(stage):
                continue
            if self.boxed:
                box = _id("stage", stage.value)
                yield f"subgraph {box}[{stage.value.title()} Stage]"
                yield f"style {box} {_STAGE}"
            for instance, operation in self.dataflow.operations.items():
                if operation.stage is stage:
                    yield from self._operation(instance, operation)
            if self.boxed:
                yield "end"

    def _operation(self, instance: str, operation: Operation) -> Iterator[str]:
        node, shown = _id(instance), _label(instance.rpartition(":")[2] if self.short else instance)
        if self.simple:
            yield f"{node}[{shown}]"
            return
        box = _id("subgraph", instance)
        yield f"subgraph {box}[{shown}]"
        yield f"style {box} {_OPERATION}"
        yield f"{node}[{shown}]"
        for name in operation.inputs:
            place = _id("input", instance, name)
            yield f"{place}({_label(name)})"
            yield f"{place} --> {node}"
        for name in operation.outputs:
            place = _id("output", instance, name)
            yield f"{place}({_label(name)})"
            yield f"{node} --> {place}"
        for condition in operation.conditions:
            place = _id("condition", instance, condition.name)
            yield f"{place}{{{_label(condition.name)}}}"
            yield f"{place} --> {node}"
        yield "end"

    def flow(self) -> Iterator[str]:
        """Yield where the inputs of the operations come from."""
        if self.boxed:
            yield "subgraph inputs[Inputs]"
            yield f"style inputs {_GIVEN}"
        for instance, entry in self.dataflow.flow.items():
            operation = self.dataflow.operations.get(instance)
            if operation is None or not self.has(operation.stage):
                continue
            for name, sources in entry.inputs.items():
                target = _id(instance) if self.simple else _id("input", instance, name)
                definition = operation.inputs[name].name if name in operation.inputs else name
                for source in sources:
                    yield from self._arrow(source, definition, target)
            for at, source in enumerate(entry.conditions):
                yield from self._gate(instance, operation, at, source)
        if self.boxed:
            yield "end"

    def _arrow(self, source: Any, definition: str, target: str) -> Iterator[str]:
        head = source[0] if isinstance(source, (list, tuple)) else source
        if isinstance(head, str):
            yield from self._given(_id(head, definition), head, definition, target)
            return
        for origin, names in head.items():
            if isinstance(names, str):
                yield f"{_id(origin) if self.simple else _id('output', origin, names)} --> {target}"
                continue
            word = origin if isinstance(origin, str) else ".".join(origin)
            for name in names:
                yield from self._given(_id(word, name), word, f"{word}.{name}", target)

    def _given(self, node: str, origin: str, definition: str, target: str) -> Iterator[str]:
        yield f"{node}({_label(origin, definition)})"
        if not self.boxed:
            yield f"style {node} {_GIVEN}"
        yield f"{node} --> {target}"

    def _gate(self, instance: str, operation: Operation, at: int, source: Any) -> Iterator[str]:
        head = source[0] if isinstance(source, (list, tuple)) else source
        if isinstance(head, str):
            if not self.simple and at < len(operation.conditions):
                name = operation.conditions[at].name
                node = _id(head, name)
                yield f"{node}({_label(name)})"
                yield f"{node} --> {_id('condition', instance, name)}"
            return
        for origin, output in head.items():
            if not isinstance(origin, str) or not isinstance(output, str):
                continue
            if self.simple:
                yield f"{_id(origin)} --> {_id(instance)}"
                continue
            maker = self.dataflow.operations.get(origin)
            made = maker.outputs.get(output) if maker is not None else None
            name = made.name if made is not None else output
            yield f"{_id('output', origin, output)} --> {_id('condition', instance, name)}"

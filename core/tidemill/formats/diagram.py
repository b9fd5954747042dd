"""A data flow as a picture, in text: Mermaid for documents, DOT for graphviz.

Neighbours: `model.dataflow` is what is drawn; the command line turns DOT into SVG.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tidemill.model.dataflow import DataFlow
from tidemill.model.operation import Stage

__all__ = ["Graph", "graph_of", "to_dot", "to_mermaid"]


@dataclass(frozen=True, slots=True)
class Node:
    """A thing in the picture: ``kind`` is "operation", "condition" or "given" (an origin outside the data flow)."""

    id: str
    label: str
    kind: str
    stage: str = ""


@dataclass(frozen=True, slots=True)
class Edge:
    """What goes from one node to another; ``gate`` says that it opens a condition and is not passed on."""

    source: str
    target: str
    label: str
    gate: bool = False


@dataclass(frozen=True, slots=True)
class Graph:
    """The nodes and edges of a data flow, in the order of their names."""

    nodes: tuple[Node, ...]
    edges: tuple[Edge, ...]


def graph_of(dataflow: DataFlow, *, stages: Collection[Stage] = tuple(Stage), simple: bool = False) -> Graph:
    """Return the graph of the operations of ``stages``; ``simple`` leaves out labels and what is given."""
    drawn = [name for name, operation in sorted(dataflow.operations.items()) if operation.stage in stages]
    nodes = {
        name: Node(f"op{at}", name, "operation", dataflow.operations[name].stage.value) for at, name in enumerate(drawn)
    }
    edges: dict[Edge, None] = {}
    given: dict[tuple[str, str], Node] = {}
    for name in drawn:
        for origin, output, label, gate in _arrivals(dataflow, name):
            if output is None:
                if simple:
                    continue
                node = given.setdefault((origin, label), Node(f"in{len(given)}", f"{origin}: {label}", "given"))
                edges[Edge(node.id, nodes[name].id, "", gate)] = None
            elif origin in nodes:
                text = "" if simple else output if output == label or not label else f"{output} → {label}"
                edges[Edge(nodes[origin].id, nodes[name].id, text, gate)] = None
    return Graph((*given.values(), *nodes.values()), tuple(edges))


def _arrivals(dataflow: DataFlow, name: str) -> Iterator[tuple[str, str | None, str, bool]]:
    """Yield (origin, output or None, what it is there, whether it is a condition) of all that reaches an operation."""
    operation, entry = dataflow.operations[name], dataflow.flow.get(name)
    if entry is None:
        return
    for parameter, sources in sorted(entry.inputs.items()):
        definition = operation.inputs[parameter].name if parameter in operation.inputs else parameter
        for origin, output, names in _heads(sources):
            if output is not None:
                yield origin, output, parameter, False
            else:
                for each in names or (definition,):
                    yield origin, None, each, False
    wanted = tuple(definition.name for definition in operation.conditions)
    for origin, output, names in _heads(entry.conditions):
        if output is not None:
            yield origin, output, "", True
        else:
            for each in names or wanted:
                yield origin, None, each, True


def _heads(sources: Iterable[Any]) -> Iterator[tuple[str, str | None, tuple[str, ...]]]:
    """Yield (origin, output or None, definitions) of each source; of a path, its first step."""
    for source in sources:
        head = source[0] if isinstance(source, (list, tuple)) and source else source
        if isinstance(head, str):
            yield head, None, ()
        elif isinstance(head, Mapping):
            for origin, names in head.items():
                if isinstance(origin, tuple):
                    yield str(origin[0]), str(origin[1]), ()
                elif isinstance(names, str):
                    yield str(origin), names, ()
                else:
                    yield str(origin), None, tuple(str(each) for each in names)


def to_mermaid(graph: Graph) -> str:
    """Return the graph as a Mermaid flowchart."""
    lines = ["flowchart TD"]
    for node in graph.nodes:
        if node.kind == "given":
            lines.append(f"  {node.id}([{_mermaid(node.label)}])")
    for stage in Stage:
        inside = [node for node in graph.nodes if node.stage == stage.value]
        if inside:
            lines += [f"  subgraph {stage.value}", *(f"    {n.id}[{_mermaid(n.label)}]" for n in inside), "  end"]
    for edge in graph.edges:
        arrow = "-.->" if edge.gate else "-->"
        label = f"|{_mermaid(edge.label)}|" if edge.label else ""
        lines.append(f"  {edge.source} {arrow}{label} {edge.target}")
    return "\n".join(lines) + "\n"


def _mermaid(text: str) -> str:
    """Return a label in quotes: a name must be able to end neither the quotes nor the line, nor to write HTML."""
    safe = "".join(char if char.isprintable() and char not in '"&<>#;`|' else f"#{ord(char)};" for char in text)
    return f'"{safe}"'


def to_dot(graph: Graph) -> str:
    """Return the graph in graphviz's DOT."""
    lines = ["digraph dataflow {", '  node [fontname="sans-serif"];', '  edge [fontname="sans-serif", fontsize=10];']
    for node in graph.nodes:
        if node.kind == "given":
            lines.append(f"  {node.id} [label={_dot(node.label)}, shape=oval, style=dashed];")
    for stage in Stage:
        inside = [node for node in graph.nodes if node.stage == stage.value]
        if inside:
            lines += [f"  subgraph cluster_{stage.value} {{", f"    label={_dot(stage.value)};"]
            lines += [f"    {node.id} [label={_dot(node.label)}, shape=box];" for node in inside]
            lines.append("  }")
    for edge in graph.edges:
        style = ", style=dotted" if edge.gate else ""
        lines.append(f"  {edge.source} -> {edge.target} [label={_dot(edge.label)}{style}];")
    return "\n".join([*lines, "}"]) + "\n"


def _dot(text: str) -> str:
    safe = "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in text)
    return '"' + safe.replace("\\", "\\\\").replace('"', '\\"') + '"'

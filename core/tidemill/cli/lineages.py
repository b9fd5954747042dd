"""Lineage as people read it: a tree, a Mermaid graph, JSON.

Neighbours: `lineage` and its counterpart for clusters, which get the events; `journal.lineage`, which makes the graph.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tidemill.formats.values import as_json, as_text

if TYPE_CHECKING:
    from tidemill.journal.lineage import Graph, Node

__all__ = ["FORMATS", "drawn"]

FORMATS = ("tree", "mermaid", "json")
WIDE = 60
"""Characters of a value that are shown."""
_SHAPES = {"input": ("[", "]"), "default": ("[", "]"), "set": ("([", "])"), "result": ("[[", "]]")}
_UNSAFE = set('"<>&#`|[](){}\\')


def drawn(graph: Graph, kind: str) -> Iterator[str]:
    """Yield the lines of a graph as one of `FORMATS`."""
    if kind == "json":
        yield as_json(graph.plain())
    elif kind == "mermaid":
        yield from _mermaid(graph)
    else:
        yield from _tree(graph)


def _label(node: Node) -> str:
    what = node.what
    if node.kind == "set":
        return node.name if what["state"] == "completed" else f"{node.name} {what['state']}"
    if "failure" in what:
        return f"{node.context} failed: {what['failure']['reason']}: {_short(what['failure']['message'])}"
    if node.kind == "result":
        return f"{node.context} = {_short(what['value'])}"
    origin = "default" if node.kind == "default" else what["origin"]
    return f"#{what['number']} {node.name} = {_short(what.get('value'))} ({origin})"


def _short(value: Any) -> str:
    text = "".join(char if char.isprintable() else " " for char in as_text(value))
    return text if len(text) <= WIDE else text[: WIDE - 1] + "…"


def _tree(graph: Graph) -> Iterator[str]:
    """What has been shown above is not shown again with all that is below it."""
    following, shown = graph.following(), set[str]()
    for root in graph.roots:
        ahead = [(root, "", "")]
        while ahead:
            id, first, rest = ahead.pop()
            below = following.get(id, [])
            again = id in shown and bool(below)
            yield f"{first}{_label(graph.nodes[id])}{'  (see above)' if again else ''}"
            if again:
                continue
            shown.add(id)
            for place, other in reversed(list(enumerate(below))):
                last = place == len(below) - 1
                ahead.append((other, rest + ("└─ " if last else "├─ "), rest + ("   " if last else "│  ")))


def _mermaid(graph: Graph) -> Iterator[str]:
    names = {id: f"n{place}" for place, id in enumerate(graph.nodes)}
    yield "graph TD"
    for id, node in graph.nodes.items():
        opened, closed = _SHAPES[node.kind]
        safe = "".join(f"#{ord(char)};" if char in _UNSAFE else char for char in _label(node))
        yield f'{names[id]}{opened}"{safe}"{closed}'
    for first, then in graph.edges:
        yield f"{names[first]} --> {names[then]}"

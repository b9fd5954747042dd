"""A picture has every operation, where its inputs come from, and no way out of a label."""

from __future__ import annotations

import pytest

from tidemill.formats.diagram import graph_of, to_dot, to_mermaid
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.flow import InputFlow
from tidemill.model.operation import Operation, Stage

URL, BODY, OK = Definition("URL", "string"), Definition("body", "string"), Definition("ok", "bool")
FLOW = DataFlow(
    Operation("check", inputs={"url": URL}, outputs={"valid": OK}),
    Operation("fetch", inputs={"url": URL}, outputs={"text": BODY}, conditions=[OK]),
    Operation("count", inputs={"body": BODY}),
    Operation("remove", inputs={"text": BODY}, stage=Stage.CLEANUP),
)


def test_a_flowchart_has_operations_by_stage_sources_and_conditions() -> None:
    assert (
        to_mermaid(graph_of(FLOW))
        == """\
flowchart TD
  in0(["seed: URL"])
  subgraph processing
    op0["check"]
    op1["count"]
    op2["fetch"]
  end
  subgraph cleanup
    op3["remove"]
  end
  in0 --> op0
  op2 -->|"text → body"| op1
  in0 --> op2
  op0 -.->|"valid"| op2
  op2 -->|"text"| op3
"""
    )


def test_a_simple_flowchart_has_operations_and_arrows_only() -> None:
    assert (
        to_mermaid(graph_of(FLOW, stages=[Stage.PROCESSING], simple=True))
        == """\
flowchart TD
  subgraph processing
    op0["check"]
    op1["count"]
    op2["fetch"]
  end
  op2 --> op1
  op0 -.-> op2
"""
    )


def test_dot_says_the_same() -> None:
    assert (
        to_dot(graph_of(FLOW, stages=[Stage.PROCESSING]))
        == """\
digraph dataflow {
  node [fontname="sans-serif"];
  edge [fontname="sans-serif", fontsize=10];
  in0 [label="seed: URL", shape=oval, style=dashed];
  subgraph cluster_processing {
    label="processing";
    op0 [label="check", shape=box];
    op1 [label="count", shape=box];
    op2 [label="fetch", shape=box];
  }
  in0 -> op0 [label=""];
  op2 -> op1 [label="text → body"];
  in0 -> op2 [label=""];
  op0 -> op2 [label="valid", style=dotted];
}
"""
    )


def test_every_form_of_source_is_drawn() -> None:
    flow = DataFlow(
        operations={"a": Operation("a", outputs={"x": URL}), "b": Operation("b", inputs={"u": URL})},
        flow={
            "a": InputFlow(conditions=["go", {"seed": ["ok"]}]),
            "b": InputFlow(
                inputs={"u": ["other", {"seed": ["A", "B"]}, [{"a": "x"}, {"z": "y"}], {("a", "x"): ["URL"]}]}
            ),
        },
    )
    graph = graph_of(flow)
    assert [node.label for node in graph.nodes] == ["seed: ok", "other: URL", "seed: A", "seed: B", "a", "b"]
    assert [(edge.source, edge.target, edge.label, edge.gate) for edge in graph.edges] == [
        ("in0", "op0", "", True), ("in1", "op1", "", False), ("in2", "op1", "", False), ("in3", "op1", "", False),
        ("op0", "op1", "x → u", False),
    ]  # fmt: skip


def test_an_operation_without_a_flow_entry_stands_alone() -> None:
    flow = DataFlow(Operation("a", inputs={"u": URL}), flow={})
    assert to_mermaid(graph_of(flow)) == 'flowchart TD\n  subgraph processing\n    op0["a"]\n  end\n'


@pytest.mark.parametrize("name", ['a"]\n  click op0 "javascript:x', "<script>", "a|b`c;#", "a\\", "\u202e"])
def test_a_name_cannot_leave_its_label(name: str) -> None:
    graph = graph_of(DataFlow(operations={name: Operation("x")}))
    mermaid = to_mermaid(graph).splitlines()
    assert len(mermaid) == 4
    label = mermaid[2].removeprefix('    op0["').removesuffix('"]')
    assert not set(label) & set('"<>`|\n')
    dot = to_dot(graph).splitlines()
    assert len(dot) == 8
    inside = dot[5].removeprefix('    op0 [label="').removesuffix('", shape=box];')
    assert '"' not in inside.replace("\\\\", "").replace('\\"', "")
    assert inside.isprintable()

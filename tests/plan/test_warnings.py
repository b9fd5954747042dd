"""What is right but hardly meant: what can never run, cycles without an end, conditions that are no conditions."""

from __future__ import annotations

from typing import Any

import pytest

from tidemill import DataFlow, Definition, InputFlow, Operation, Stage, compile_plan

A, B, C = Definition("a"), Definition("b"), Definition("c")


def warnings(*operations: Operation, flow: dict[str, InputFlow] | None = None) -> list[tuple[str, str, str]]:
    found = compile_plan(DataFlow(*operations, flow=flow)).warnings
    return [(problem.reason, problem.path, problem.message) for problem in found]


def operation(name: str, takes: str = "", gives: str = "", **more: Any) -> Operation:
    return Operation(name, inputs={d: Definition(d) for d in takes}, outputs={d: Definition(d) for d in gives}, **more)


def test_nothing_to_warn_of() -> None:
    assert warnings(operation("one", "a", "b"), operation("two", "ab", "c"), operation("three", "c")) == []


@pytest.mark.parametrize("flow", [{}, {"score": InputFlow(inputs={"a": []})}])
def test_a_parameter_without_a_source(flow: dict[str, InputFlow]) -> None:
    assert warnings(operation("score", "a"), flow=flow) == [
        ("UnboundParameter", "/flow/score/inputs/a", "score.a has no source and no default; it would never run")
    ]


def test_a_default_is_as_good_as_a_source() -> None:
    assert warnings(Operation("score", inputs={"a": Definition("a", default=1)}), flow={}) == []


def test_operations_that_wait_for_each_other_never_run() -> None:
    one, two = operation("one", "a", "b"), operation("two", "b", "a")
    assert [(reason, path) for reason, path, _ in warnings(one, two)] == [
        ("NeverRuns", "/flow/one/inputs/a"),
        ("NeverRuns", "/flow/two/inputs/b"),
        ("UnboundedCycle", "/flow/one"),
    ]
    assert warnings(one, two)[0][2] == (
        '"one" can never run: a comes only from two, which can never run before it; add a source such as seed, or a '
        "default"
    )


def test_what_comes_after_what_never_runs_never_runs() -> None:
    found = warnings(operation("one", "a", "b"), operation("two", "b", "c"), operation("three", "c"), flow={
        "two": InputFlow(inputs={"b": [{"one": "b"}]}), "three": InputFlow(inputs={"c": [{"two": "c"}]}),
    })  # fmt: skip
    assert [(reason, path) for reason, path, _ in found] == [
        ("UnboundParameter", "/flow/one/inputs/a"),
        ("NeverRuns", "/flow/three/inputs/c"),
        ("NeverRuns", "/flow/two/inputs/b"),
    ]


def test_a_gate_that_nothing_can_open() -> None:
    gated = operation("gated", conditions=[C])
    never = [("NeverRuns", "/flow/gated/conditions", '"gated" can never run: nothing can give what its conditions '
              "wait for")]  # fmt: skip
    assert warnings(gated, flow={}) == never
    assert warnings(gated, operation("opens", "c", "c"))[0] == never[0]
    assert warnings(gated) == []


def test_any_condition_is_enough_where_any_is() -> None:
    flow = {"gated": InputFlow(conditions=[{"never": "c"}, "seed"])}
    operations = operation("gated", conditions=[C, B], conditions_mode="any"), operation("never", "a", "c")
    assert [reason for reason, _, _ in warnings(*operations, flow=flow)] == ["UnboundParameter"]


def test_a_cycle_is_told_once_with_its_way() -> None:
    operations = operation("one", "a", "b"), operation("two", "b", "c"), operation("three", "c", "a")
    flow = DataFlow(*operations).flow
    flow["one"].inputs["a"].append("seed")
    assert warnings(*operations, flow=flow) == [
        (
            "UnboundedCycle",
            "/flow/one",
            "one → three → two → one feeds itself; it runs until it gives nothing more, or until the limit of "
            "parameter sets",
        )
    ]


def test_an_operation_may_be_a_cycle_and_two_cycles_are_two() -> None:
    flow = {name: InputFlow(inputs={takes: ["seed", {name: takes}]}) for name, takes in (("one", "a"), ("two", "b"))}
    found = warnings(operation("one", "a", "a"), operation("two", "b", "b"), flow=flow)
    assert [(reason, path) for reason, path, _ in found] == [
        ("UnboundedCycle", "/flow/one"),
        ("UnboundedCycle", "/flow/two"),
    ]


def test_a_validator_is_no_cycle() -> None:
    checked = Definition("a", validate="check")
    check = Operation("check", inputs={"x": checked}, outputs={"y": checked}, validator=True)
    use = Operation("use", inputs={"x": checked}, outputs={"y": B})
    assert warnings(check, use) == []
    # Its own output is of the definition that it checks, so it looks like a cycle where nothing need go round.
    again = Operation("use", inputs={"x": checked}, outputs={"y": checked})
    flow = DataFlow(check, again).flow
    flow["check"].inputs["x"].append("seed")
    assert warnings(check, again, flow=flow) == []


@pytest.mark.parametrize(("primitive", "warned"), [("int", True), ("Bool", False), ("boolean", False), ("mine", False)])
def test_a_condition_that_is_no_bool(primitive: str, warned: bool) -> None:
    found = warnings(operation("gated", conditions=[Definition("c", "bool"), Definition("d", primitive)]))
    said = f'the condition "d" of "gated" is a {primitive}, not a bool: any value that is not empty or zero opens it'
    assert found == ([("ConditionType", "/operations/gated/conditions/1", said)] if warned else [])


def test_stages_are_looked_at_alike() -> None:
    end = operation("end", "a", stage=Stage.OUTPUT)
    assert [reason for reason, _, _ in warnings(end, flow={})] == ["UnboundParameter"]

"""What a plan says: every spelling of a source resolved, gates grouped, everything numbered in the order of names."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from tidemill import DataFlow, Definition, Forward, Input, InputFlow, Operation, Stage, compile_plan
from tidemill.plan.graph import accepts_of, producers
from tidemill.plan.plan import Accept, Plan, PlannedOperation

A, B, C = Definition("a"), Definition("b"), Definition("c")
ONE = Operation("one", outputs={"out": A, "other": B})
TWO = Operation("two", inputs={"x": A}, outputs={"out": A})


def planned(operation: Operation, *others: Operation, flow: InputFlow | None = None, **more: Any) -> PlannedOperation:
    """Compile some operations, with this entry for the first of them, and return that."""
    dataflow = DataFlow(operation, *others, **more)
    if flow is not None:
        dataflow.flow[operation.instance] = flow
        dataflow.update_by_origin()
    return compile_plan(dataflow).instances[operation.instance]


SOURCES: list[tuple[Any, list[Accept]]] = [
    ("seed", [Accept("seed", "a")]),
    ("client", [Accept("client", "a")]),
    ({"one": "out"}, [Accept(("one", "out"), None)]),
    ({"one": "out", "two": "out"}, [Accept(("one", "out"), None), Accept(("two", "out"), None)]),
    ({"seed": ["b", "c"]}, [Accept("seed", "b"), Accept("seed", "c")]),
    ({"seed": ("b",)}, [Accept("seed", "b")]),
    ({("one", "out"): ["b"]}, [Accept(("one", "out"), "b")]),
    ({("one", "out"): "b"}, [Accept(("one", "out"), "b")]),
    ([{"two": "out"}, {"one": "out"}], [Accept(("two", "out"), None, (("one", "out"),))]),
    (("client", {"one": "out"}, "seed"), [Accept("client", "a", (("one", "out"), "seed"))]),
    ([{"seed": ["b"]}, "client"], [Accept("seed", "b", ("client",))]),
    (["seed"], [Accept("seed", "a")]),
]


@pytest.mark.parametrize(("source", "accepts"), SOURCES, ids=lambda value: str(value))
def test_every_spelling_of_a_source_is_resolved(source: Any, accepts: list[Accept]) -> None:
    use = Operation("use", inputs={"x": A})
    found = planned(use, ONE, TWO, flow=InputFlow(inputs={"x": [source]}))
    assert list(found.parameters[0].accepts) == accepts
    assert list(accepts_of(found)) == accepts
    assert found.parameters[0].givers == producers(accepts)
    assert found.parameters[0].only_given is all(isinstance(accept.origin, str) for accept in accepts)


def test_sources_are_alternatives_and_one_that_is_named_twice_is_one() -> None:
    use = Operation("use", inputs={"x": A})
    found = planned(use, ONE, flow=InputFlow(inputs={"x": ["seed", {"one": "out"}, "seed"]}))
    assert found.parameters[0].accepts == (Accept("seed", "a"), Accept(("one", "out"), None))


def test_everything_is_numbered_in_the_order_of_names() -> None:
    first = Operation("b", inputs={"y": A, "x": B}, outputs={"q": A, "p": B}, expand=["q"])
    plan = compile_plan(DataFlow(first, Operation("a", stage=Stage.OUTPUT)))
    assert [(operation.index, operation.instance) for operation in plan.operations] == [(0, "a"), (1, "b")]
    found = plan.instances["b"]
    assert [(parameter.index, parameter.name) for parameter in found.parameters] == [(0, "x"), (1, "y")]
    assert found.names == ("x", "y")
    assert [(output.index, name, output.expand) for name, output in found.outputs.items()] == [
        (0, "p", False),
        (1, "q", True),
    ]
    assert (repr(found), found.name) == ("PlannedOperation(b)", "b")


def test_a_plan_holds_what_the_data_flow_holds() -> None:
    seed = Input(1, C)
    dataflow = DataFlow(
        ONE, Operation("end", stage=Stage.OUTPUT), seed=[seed], configs={"one": 1}, implementations={"one": 2},
        definitions={"z": Definition("z")}, forward=Forward({"one": [A, C]}),
    )  # fmt: skip
    plan = compile_plan(dataflow)
    assert (plan.seed, dict(plan.configs), dict(plan.implementations)) == ((seed,), {"one": 1}, {"one": 2})
    assert set(plan.definitions) == {"a", "b", "c", "z"}
    assert plan.instances["one"].forwards == {"a", "c"}
    assert [operation.instance for operation in plan.of_stage(Stage.OUTPUT)] == ["end"]
    assert plan.of_stage(Stage.CLEANUP) == ()
    assert repr(plan) == f"Plan({plan.digest[:19]}…, 2 operations)"


def test_a_plan_cannot_be_changed() -> None:
    dataflow = DataFlow(ONE)
    plan = compile_plan(dataflow)
    dataflow.configs["one"] = 3
    dataflow.seed.append(Input(1, A))
    assert (dict(plan.configs), plan.seed) == ({}, ())
    for thing, name in ((plan, "digest"), (plan.instances["one"], "index"), (plan.limits, "inputs")):
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(thing, name, 3)
    instances: Any = plan.instances
    with pytest.raises(TypeError):
        instances["two"] = None


def test_what_a_definition_means_is_said_by_its_producer() -> None:
    maker = Operation("z", outputs={"out": Definition("a", default=1)})
    user = Operation("u", inputs={"x": Definition("a", default=2)})
    plan = compile_plan(DataFlow(user, maker, definitions={"a": Definition("a", default=3)}))
    assert plan.definitions["a"].default == 1
    assert plan.instances["u"].parameters[0].definition.default == 2


def test_a_validator_takes_no_default() -> None:
    checked = Definition("a", validate="check", default=3)
    check = Operation("check", inputs={"x": checked}, outputs={"out": checked}, validator=True)
    use = Operation("use", inputs={"x": checked})
    plan = compile_plan(DataFlow(check, use))
    assert not plan.instances["check"].parameters[0].has_default
    assert plan.instances["use"].parameters[0].has_default


def test_who_validates_an_input_gives_it_too() -> None:
    checked = Definition("a", validate="check")
    check = Operation("check", inputs={"x": checked}, outputs={"out": Definition("valid")}, validator=True)
    make = Operation("make", outputs={"out": checked})
    sources = [{"make": "out"}, "seed", {"client": ["a"]}]
    use = Operation("use", inputs={"x": Definition("a", validate="check")})
    found = planned(use, make, check, flow=InputFlow(inputs={"x": sources}))
    assert found.parameters[0].givers == {"make", "check"}


# -- gates ----------------------------------------------------------------------------------------------------------

OPENERS = (Operation("x", outputs={"out": A}), Operation("y", outputs={"out": A}), Operation("z", outputs={"out": B}))
X, Y, Z = (Accept((name, "out"), None) for name in "xyz")

GATES: list[tuple[list[Definition], str, list[Any], tuple[tuple[Accept, ...], ...]]] = [
    ([], "all", [], ()),
    ([A], "all", [{"x": "out"}], ((X,),)),
    ([A], "all", [{"x": "out"}, {"y": "out"}, {"x": "out"}], ((X, Y),)),
    ([A, B], "all", [{"x": "out"}, {"z": "out"}, {"y": "out"}], ((X, Y), (Z,))),
    ([A, B], "any", [{"x": "out"}, {"z": "out"}], ((X, Z),)),
    ([A, B], "all", ["seed"], ((Accept("seed", "a"),), (Accept("seed", "b"),))),
    ([A, B], "all", [{"seed": ["b"]}, "client"],
     ((Accept("seed", "b"), Accept("client", "b")), (Accept("client", "a"),))),
    ([A], "all", [[{"x": "out"}, "seed"]], ((Accept(("x", "out"), None, ("seed",)),),)),
    ([A], "all", [], ((),)),
    ([A, B], "any", [], ((),)),
    ([], "all", [{"z": "out"}, {"x": "out"}], ((Z,), (X,))),  # conditions that only the flow knows
    ([], "all", ["seed"], ((Accept("seed", None),),)),
    ([A], "all", [{"z": "out"}], ((Z,),)),  # gives none of the conditions: it stands for itself
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "mode", "sources", "gate"), GATES)
def test_the_sources_of_conditions_are_grouped_by_what_they_give(
    conditions: list[Definition], mode: str, sources: list[Any], gate: tuple[tuple[Accept, ...], ...]
) -> None:
    gated = Operation("gated", conditions=conditions, conditions_mode=mode)
    found = planned(gated, *OPENERS, flow=InputFlow(conditions=sources))
    assert sorted(map(set, found.gate), key=str) == sorted(map(set, gate), key=str)
    assert found.openers == producers(accept for group in gate for accept in group)


# -- who reaches whom -----------------------------------------------------------------------------------------------


def reaches(plan: Plan) -> dict[str, set[str]]:
    return {
        operation.instance: {plan.operations[at].instance for at in plan.reaches[operation.index]}
        for operation in plan.operations
    }


def test_who_reaches_whom_goes_over_inputs_conditions_and_validators() -> None:
    checked = Definition("v", validate="check")
    operations = (
        Operation("start", outputs={"out": A}),
        Operation("middle", inputs={"x": A}, outputs={"out": B}),
        Operation("gated", conditions=[B], outputs={"out": checked}),
        Operation("check", inputs={"x": checked}, outputs={"out": checked}, validator=True),
        Operation("end", inputs={"x": checked}),
        Operation("alone"),
    )
    assert reaches(compile_plan(DataFlow(*operations))) == {
        "alone": set(),
        "start": {"middle", "gated", "check", "end"},
        "middle": {"gated", "check", "end"},
        "gated": {"check", "end"},
        "check": {"check", "end"},  # it gives what stands where the unvalidated input would
        "end": set(),
    }


def test_an_operation_in_a_cycle_reaches_itself() -> None:
    there = Operation("there", inputs={"x": A}, outputs={"out": B})
    back = Operation("back", inputs={"x": B}, outputs={"out": A})
    assert reaches(compile_plan(DataFlow(there, back))) == {"there": {"there", "back"}, "back": {"there", "back"}}

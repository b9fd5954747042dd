"""Data flows: wired by definitions, changed by hand, and the same after a trip through JSON or YAML, linked or not."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tidemill import (
    DataFlow,
    Definition,
    DefinitionMissing,
    Forward,
    GetSingle,
    Input,
    InputFlow,
    InvalidFlow,
    Limits,
    Operation,
    RunDataFlowConfig,
    Stage,
    TidemillError,
    compile_plan,
    op,
    run_dataflow,
)
from tidemill.model.dataflow import auto_flow, origins_of, subflow_cycle

A, B, C = Definition("a", "int"), Definition("b", "int"), Definition("c", "bool")
MAKE = Operation("make", outputs={"out": A})
USE = Operation("use", inputs={"x": A, "y": B}, outputs={"out": C})


@op(inputs={"x": A}, outputs={"y": B})
def double(x: int) -> dict[str, int]:
    return {"y": 2 * x}


# -- wiring ---------------------------------------------------------------------------------------------------------


def test_a_parameter_comes_from_the_seeds_when_nobody_gives_its_definition() -> None:
    assert DataFlow.auto(USE).flow == {"use": InputFlow(inputs={"x": ["seed"], "y": ["seed"]})}


def test_a_producer_hides_the_seed() -> None:
    flow = DataFlow(MAKE, USE, double)
    assert flow.flow["use"].inputs == {"x": [{"make": "out"}], "y": [{double.op.name: "y"}]}


def test_producers_are_matched_by_the_name_of_the_definition() -> None:
    maker = Operation("make", outputs={"out": A._replace(default=3)})
    assert DataFlow(maker, USE).flow["use"].inputs["x"] == [{"make": "out"}]


def test_several_producers_are_alternatives_and_an_operation_may_feed_itself() -> None:
    again = Operation("again", inputs={"x": A}, outputs={"one": A, "two": A})
    flow = DataFlow(MAKE, again)
    assert flow.flow["again"].inputs["x"] == [{"make": "out"}, {"again": "one"}, {"again": "two"}]


def test_conditions_are_wired_each_on_its_own() -> None:
    gated = Operation("gated", conditions=[C, B, Definition("d")])
    flow = DataFlow(USE, gated)
    assert flow.flow["gated"].conditions == [{"use": "out"}, "seed"]


def test_a_validator_does_not_wait_for_itself() -> None:
    checked = Definition("a", validate="check")
    check = Operation("check", inputs={"x": checked}, outputs={"out": checked}, validator=True)
    flow = DataFlow(check, Operation("use", inputs={"x": checked}))
    assert flow.flow["check"].inputs == {"x": ["seed"]}
    assert flow.flow["use"].inputs == {"x": [{"check": "out"}]}
    assert flow.validators == {"check": flow.operations["check"]}
    assert auto_flow(flow.operations) == flow.flow


# -- what it is made of ---------------------------------------------------------------------------------------------


def test_operations_come_decorated_named_or_as_they_are() -> None:
    flow = DataFlow(double, MAKE, operations={"twice": double.op, "third": double})
    assert set(flow.operations) == {double.op.name, "make", "twice", "third"}
    assert {operation.instance for operation in flow.operations.values()} == set(flow.operations)
    assert flow.implementations == {double.op.name: double.imp}


def test_an_implementation_that_is_given_is_not_overwritten() -> None:
    assert DataFlow(double, implementations={double.op.name: 3}).implementations == {double.op.name: 3}


@pytest.mark.parametrize(
    ("make", "reason", "path"),
    [
        (lambda: DataFlow(MAKE, MAKE), "DuplicateOperation", "/operations/make"),
        (lambda: DataFlow(MAKE, operations={"make": double}), "DuplicateOperation", "/operations/make"),
        (lambda: DataFlow(len), "NotAnOperation", "/operations/"),
        (lambda: DataFlow(operations={"x/y": 3}), "NotAnOperation", "/operations/x~1y"),
    ],
)
def test_what_cannot_be_told_apart_or_is_no_operation_is_refused(make: Any, reason: str, path: str) -> None:
    with pytest.raises(InvalidFlow) as caught:
        make()
    (problem,) = caught.value.problems
    assert (problem.reason, problem.path) == (reason, path)


def test_definitions_are_collected_from_operations_conditions_and_seeds() -> None:
    own = Definition("own")
    flow = DataFlow(Operation("op", inputs={"x": A}, conditions=[C]), seed=[Input(1, B)], definitions={"own": own})
    assert flow.definitions == {"a": A, "b": B, "c": C, "own": own}


def test_update_follows_what_was_edited() -> None:
    flow = DataFlow(USE)
    assert flow.by_origin == {Stage.PROCESSING: {"seed": [flow.operations["use"]]}}
    flow.operations["make"] = MAKE
    flow.update(auto_flow=True)
    use = flow.operations["use"]
    assert flow.by_origin == {Stage.PROCESSING: {("make", "out"): [use], "seed": [use]}}
    flow.flow["use"].inputs["x"] = ["client"]
    flow.flow["gone"] = InputFlow(inputs={"x": ["seed"]})
    flow.update_by_origin()
    assert flow.by_origin == {Stage.PROCESSING: {"client": [use], "seed": [use]}}
    assert flow.flow["use"].inputs["x"] == ["client"]


def test_the_origins_of_sources() -> None:
    sources = ["seed", {"op": "out"}, {"seed": ["A"]}, {("op", "out"): ["A"]}, [{"two": "x"}, {"one": "y"}], 3, []]
    assert origins_of(sources) == ["seed", ("op", "out"), "seed", ("op", "out"), ("two", "x")]


# -- through files --------------------------------------------------------------------------------------------------

names = st.sampled_from(["one", "two", "three", "a/b", "no", "1"])
primitives = st.sampled_from(["int", "generic"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text("ab: #", max_size=4),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text("ab", max_size=2), inner, max_size=2),
    max_leaves=4,
)
pool = st.fixed_dictionaries(
    {name: st.builds(Definition, st.just(name), primitives, lock=st.booleans()) for name in ("d", "e", "f")}
)


@st.composite
def dataflows(draw: st.DrawFn) -> DataFlow:
    definitions = st.sampled_from(sorted(draw(pool).items())).map(lambda pair: pair[1])
    sides = st.dictionaries(st.sampled_from("xyz"), definitions, max_size=2)
    operation = st.builds(
        Operation, names, inputs=sides, outputs=sides, conditions=st.lists(definitions, max_size=2),
        stage=st.sampled_from(Stage), validator=st.booleans(), retry=st.integers(0, 2),
    )  # fmt: skip
    return DataFlow(
        operations=draw(st.dictionaries(names, operation, max_size=3)),
        seed=draw(st.lists(st.builds(Input, values, definitions, origin=names | st.just("seed")), max_size=2)),
        configs=draw(st.dictionaries(names, st.dictionaries(names, values, max_size=2), max_size=2)),
        forward=Forward(draw(st.dictionaries(names, st.lists(definitions, min_size=1, max_size=2), max_size=1))),
        limits=draw(st.builds(Limits, inputs=st.none() | st.integers(1, 9))),
    )


def through_json(data: Any) -> Any:
    return json.loads(json.dumps(data, sort_keys=True))


def through_yaml(data: Any) -> Any:
    return yaml.safe_load(yaml.safe_dump(data, sort_keys=True, allow_unicode=True))


def same(one: DataFlow, other: DataFlow) -> bool:
    mine, theirs = (
        (
            flow.operations, flow.flow, flow.configs, flow.forward, flow.limits,
            [(item.value, item.definition, item.origin) for item in flow.seed],
        )
        for flow in (one, other)
    )  # fmt: skip
    return mine == theirs


@given(dataflows(), st.booleans(), st.sampled_from([through_json, through_yaml]))
def test_a_data_flow_survives_a_file(flow: DataFlow, linked: bool, through: Any) -> None:
    exported = flow.export(linked=linked)
    again = DataFlow._fromdict(**through(exported))
    assert same(flow, again)
    assert through(again.export(linked=linked)) == through(exported)


@pytest.mark.parametrize("linked", [True, False])
@pytest.mark.parametrize("through", [through_json, through_yaml])
def test_a_definition_that_only_sources_name_survives_a_file(linked: bool, through: Any) -> None:
    other = Definition("other", "int", lock=True)
    flow = DataFlow(USE, definitions={"other": other}, flow={"use": {"inputs": {"x": [{"seed": ["a", "other"]}]}}})
    again = DataFlow._fromdict(**through(flow.export(linked=linked)))
    assert again.definitions == flow.definitions
    assert again.definitions["other"] == other
    assert "definitions" not in DataFlow(USE).export()


@pytest.mark.parametrize("wrong", [3, "seed", None, {"value": 1, "definition": "a"}])
def test_a_seed_is_an_input(wrong: Any) -> None:
    with pytest.raises(InvalidFlow, match="is no Input") as caught:
        DataFlow(MAKE, seed=[Input(1, B), wrong, wrong])
    assert [(problem.reason, problem.path) for problem in caught.value.problems] == [
        ("NotAnInput", "/seed/1"), ("NotAnInput", "/seed/2"),
    ]  # fmt: skip


def test_a_linked_flow_writes_each_definition_once() -> None:
    flow = DataFlow(MAKE, USE, seed=[Input(1, B)], forward=Forward({"use": [A]}))
    linked = flow.export(linked=True)
    assert linked["linked"] is True
    assert linked["definitions"] == {definition.name: definition.export() for definition in (A, B, C)}
    assert linked["operations"]["use"]["inputs"] == {"x": "a", "y": "b"}
    assert linked["seed"] == [{"value": 1, "definition": "b"}]
    assert linked["forward"] == {"book": {"use": ["a"]}}
    assert compile_plan(DataFlow._fromdict(**linked)).digest == compile_plan(flow).digest


def test_two_definitions_of_one_name_cannot_be_linked() -> None:
    flow = DataFlow(Operation("op", inputs={"x": A, "y": A._replace(default=1)}))
    with pytest.raises(TidemillError, match="two different definitions") as caught:
        flow.export(linked=True)
    assert (caught.value.reason, caught.value.path) == ("DefinitionConflict", "/definitions/a")
    assert same(flow, DataFlow._fromdict(**flow.export()))


def test_every_missing_definition_is_told_with_its_place() -> None:
    linked: dict[str, Any] = {
        "linked": True,
        "definitions": {"is_ad": {"primitive": "bool"}},
        "operations": {"add": {"name": "add", "inputs": {"x": "no"}, "outputs": {"y": "no"}, "conditions": ["is_add"]}},
        "seed": [{"value": 1, "definition": "no"}],
        "forward": {"book": {"add": ["no"]}},
    }
    with pytest.raises(DefinitionMissing, match=r'add\.conditions.*is_add.*did you mean "is_ad"') as caught:
        DataFlow._fromdict(**linked)
    assert [problem.path for problem in caught.value.problems] == [
        "/operations/add/inputs/x",
        "/operations/add/outputs/y",
        "/operations/add/conditions/0",
        "/seed/0/definition",
        "/forward/add/0",
    ]
    assert linked["operations"]["add"]["inputs"] == {"x": "no"}  # what was given is not changed


def test_a_linked_flow_may_hold_what_is_made_already() -> None:
    flow = DataFlow._fromdict(
        linked=True, operations={"make": {"name": "make", "outputs": {"out": A}}}, definitions=None, flow={}
    )
    assert flow.operations["make"].outputs == {"out": A}


def test_things_that_are_made_already_may_stand_in_a_mapping() -> None:
    seed = Input(1, A)
    flow = DataFlow._fromdict(
        operations={"make": MAKE, "double": double}, seed=[seed], forward=Forward(), limits=Limits(inputs=3),
        definitions={"b": B, "z": {"name": "z"}}, flow={"double": {"inputs": {"x": ["seed"]}}},
    )  # fmt: skip
    assert flow.seed == [seed]
    assert flow.limits == Limits(inputs=3)
    assert flow.definitions["z"] == Definition("z")
    assert flow.flow["double"] == InputFlow(inputs={"x": ["seed"]})
    assert flow.implementations == {double.op.name: double.imp}


@dataclasses.dataclass
class Config:
    nostrict: list[str]


class Exporting:
    def export(self) -> dict[str, int]:
        return {"a": 1}


def test_configurations_are_written_as_plain_data() -> None:
    own = GetSingle.imp.CONFIG
    assert own is not None
    configs = {"one": Config(["a"]), "two": own(nostrict=["b"]), "three": Exporting(), "four": {"a": 1}, "five": "x"}
    operations = {name: MAKE for name in configs}
    assert DataFlow(operations=operations, configs=configs).export()["configs"] == {
        "one": {"nostrict": ["a"]}, "two": {"nostrict": ["b"]}, "three": {"a": 1}, "four": {"a": 1}, "five": "x",
    }  # fmt: skip


def test_a_data_flow_that_another_runs_is_written_with_it() -> None:
    inner = DataFlow(USE, seed=[Input(1, A)])
    outer = DataFlow(operations={"sub": run_dataflow}, configs={"sub": RunDataFlowConfig(dataflow=inner)})
    exported = json.loads(json.dumps(outer.export()))
    assert exported["configs"] == {"sub": {"dataflow": json.loads(json.dumps(inner.export())), "strict": True}}
    again = DataFlow._fromdict(**exported)
    assert compile_plan(again).digest == compile_plan(outer).digest


def test_a_data_flow_that_runs_itself_is_refused() -> None:
    inner = DataFlow(USE, configs={"again": {}})
    outer = DataFlow(USE, configs={"plain": 3, "other": {"dataflow": DataFlow(USE)}, "sub": {"dataflow": inner}})
    assert subflow_cycle(outer) is None
    inner.configs["again"] = {"dataflow": outer}
    assert subflow_cycle(inner) == ["again", "sub"]
    with pytest.raises(InvalidFlow, match="runs itself: sub → again → sub") as caught:
        outer.export()
    assert (caught.value.reason, caught.value.path) == ("SubflowCycle", "/configs/sub")


def test_an_operation_that_was_put_in_under_another_name_keeps_both() -> None:
    flow = DataFlow(MAKE)
    flow.operations["again"] = MAKE
    exported = flow.export()["operations"]
    assert "instance_name" not in exported["make"]
    assert "instance_name" not in exported["again"]
    flow.operations["again"] = MAKE._replace(instance_name="third")
    assert flow.export()["operations"]["again"]["instance_name"] == "third"

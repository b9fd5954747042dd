"""Operations: what they say is checked when it is said, and survives a file."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tidemill import Definition, Forward, InputFlow, Limits, Operation, Stage, TidemillError, op
from tidemill.model.operation import EXECUTORS, operations_in

A, B = Definition("a", "int"), Definition("b", "array")
words = st.text(min_size=1, max_size=6)
sides = st.dictionaries(words, st.builds(Definition, words), max_size=3)
operations = st.builds(
    Operation,
    name=words,
    inputs=sides,
    outputs=sides | st.just({"list": B}),
    stage=st.sampled_from(Stage),
    conditions=st.lists(st.builds(Definition, words), max_size=2),
    instance_name=st.none() | words,
    validator=st.booleans(),
    retry=st.integers(0, 5),
    conditions_mode=st.sampled_from(["all", "any"]),
    pool=words,
    executor=st.none() | st.sampled_from(EXECUTORS),
    concurrency=st.none() | st.integers(1, 9),
    timeout=st.none() | st.floats(0.5, 9),
    backoff=st.floats(0, 9),
)


@given(operations)
def test_an_operation_survives_a_file(operation: Operation) -> None:
    operation = operation._replace(expand=list(operation.outputs)[:1])
    exported = operation.export()
    assert Operation._fromdict(**json.loads(json.dumps(exported, sort_keys=True))) == operation


def test_only_dffmls_own_keys_are_written_at_their_defaults() -> None:
    assert Operation("op").export() == {
        "name": "op", "inputs": {}, "outputs": {}, "stage": "processing", "retry": 0
    }  # fmt: skip
    assert Operation("op", validator=True, instance_name="i").export()["validator"] is True


WRONG: list[tuple[dict[str, Any], str]] = [
    ({"name": ""}, "a non-empty string"),
    ({"name": 3}, "a non-empty string"),
    ({"stage": "later"}, "one of processing, cleanup, output"),
    ({"inputs": {"a": "str"}}, "a mapping from parameters to Definitions"),
    ({"inputs": [A]}, "a mapping from parameters to Definitions"),
    ({"outputs": {"a": None}}, "a mapping from names to Definitions"),
    ({"conditions": ["a"]}, "a list of Definitions"),
    ({"conditions": {"a": A}}, "a list of Definitions"),
    ({"validator": "yes"}, "True or False"),
    ({"pool": ""}, "a non-empty string"),
    ({"executor": "fork"}, "one of loop, thread, process, subprocess"),
    ({"conditions_mode": "some"}, "all or any"),
    ({"retry": -1}, "0 or more"),
    ({"retry": 1.5}, "0 or more"),
    ({"concurrency": 0}, "1 or more"),
    ({"concurrency": "2"}, "1 or more"),
    ({"timeout": 0}, "more than 0"),
    ({"timeout": "1"}, "more than 0"),
    ({"timeout": float("nan")}, "more than 0"),
    ({"backoff": -0.1}, "0 or more"),
    ({"backoff": None}, "0 or more"),
    ({"expand": ["nothing"]}, "names of outputs"),
]


@pytest.mark.parametrize(("said", "expected"), WRONG, ids=lambda value: str(value))
def test_a_wrong_field_is_refused_with_what_was_expected(said: dict[str, Any], expected: str) -> None:
    (field,) = said
    with pytest.raises(TidemillError, match=expected) as caught:
        Operation(**{"name": "op", "instance_name": "i", **said})
    assert (caught.value.reason, caught.value.path) == ("InvalidOperation", f"/operations/i/{field}")


def test_an_instance_name_is_a_word() -> None:
    with pytest.raises(TidemillError, match="instance_name is 3, expected a string"):
        Operation(name="op", instance_name=3)  # type: ignore[arg-type]


def test_an_operation_is_called_by_its_instance_name_or_else_its_name() -> None:
    assert Operation("op").instance == "op"
    named = Operation("op", instance_name="i")
    assert named.instance == "i"
    assert named != Operation("op")
    assert {named: 1}[Operation("op", instance_name="i")] == 1
    assert named._asdict()["instance_name"] == "i"


@pytest.mark.parametrize(("retry", "tries"), [(0, 1), (1, 1), (2, 2)])
def test_retry_is_the_number_of_tries(retry: int, tries: int) -> None:
    assert Operation("op", retry=retry).tries == tries


def test_what_is_given_is_copied_and_a_stage_may_be_a_word() -> None:
    inputs, word = {"x": A}, "output"
    operation = Operation("op", inputs=inputs, stage=word)  # type: ignore[arg-type]
    inputs.clear()
    assert operation.inputs == {"x": A}
    assert operation.stage is Stage.OUTPUT


def test_operations_are_found_among_things() -> None:
    @op
    def double(x: int) -> int:
        return 2 * x

    plain = Operation("plain")
    assert operations_in([double, plain, 3]) == [double.op, plain]


# -- the entries of a flow ------------------------------------------------------------------------------------------


def test_one_source_may_be_given_without_a_list() -> None:
    entry = InputFlow(inputs={"x": "seed", "y": {"op": "out"}}, conditions="client")  # type: ignore[arg-type,dict-item]
    assert entry == InputFlow(inputs={"x": ["seed"], "y": [{"op": "out"}]}, conditions=["client"])
    assert InputFlow() == InputFlow._fromdict(inputs=None, conditions=None)


def test_every_spelling_of_a_source_survives_a_file() -> None:
    sources = ["seed", {"op": "out"}, {"seed": ["A", "B"]}, [{"two": "out"}, {"one": "out"}, "seed"]]
    entry = InputFlow(inputs={"x": sources}, conditions=sources)
    assert InputFlow._fromdict(**json.loads(json.dumps(entry.export()))) == entry
    assert InputFlow().export() == {}


@pytest.mark.parametrize("source", [{("op", "out"): ["A"]}, [{"one": "out"}, {("op", "out"): ["A"]}]])
def test_a_source_that_only_python_can_say_is_not_written_as_another(source: Any) -> None:
    with pytest.raises(TidemillError, match="cannot be written to a file") as caught:
        InputFlow(inputs={"x": ["seed", source]}).export()
    assert (caught.value.reason, caught.value.path) == ("NotExportable", "/inputs/x/1")
    with pytest.raises(TidemillError) as caught:
        InputFlow(conditions=[source]).export()
    assert caught.value.path == "/conditions/0"
    said = [InputFlow(conditions=[one]).said() for one in (source, {"op": "out"}, {"op.out": ["A"]}, {"out": ["A"]})]
    assert all(said.count(one) == 1 for one in said)


def test_forward_keeps_each_definition_once_and_survives_a_file() -> None:
    forward = Forward()
    forward.add("one", [A, B])
    forward.add("one", [A])
    forward.add("two", [B])
    assert forward.book == {"one": [A, B], "two": [B]}
    assert forward.get_instances_to_forward(B) == ["one", "two"]
    assert forward.get_instances_to_forward(A) == ["one"]
    assert Forward._fromdict(**json.loads(json.dumps(forward.export()))) == forward
    assert Forward._fromdict() == Forward() == Forward._fromdict(book={})
    assert Forward._fromdict(book={"one": [A]}) == Forward({"one": [A]})


# -- limits ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [0, -1, 1.5, "10", True])
@pytest.mark.parametrize("name", Limits.__dataclass_fields__)
def test_a_limit_is_a_whole_number_of_one_or_more(name: str, value: Any) -> None:
    with pytest.raises(TidemillError, match=f"the limit {name} is .*whole number of 1 or more") as caught:
        Limits(**{name: value})
    assert (caught.value.reason, caught.value.path) == ("InvalidLimit", f"/limits/{name}")


def test_data_flows_in_data_flows_always_have_a_limit() -> None:
    nothing: Any = None
    with pytest.raises(TidemillError, match="subflow_depth is None"):
        Limits(subflow_depth=nothing)


def test_limits_survive_a_file_and_are_written_where_they_differ() -> None:
    assert Limits().export() == {}
    limits = Limits(inputs=None, value_depth=3)
    assert limits.export() == {"inputs": None, "value_depth": 3}
    assert Limits._fromdict(**limits.export()) == limits


def test_an_unknown_limit_is_refused_with_the_nearest() -> None:
    with pytest.raises(TidemillError, match='did you mean "inputs"') as caught:
        Limits._fromdict(input=3)
    assert (caught.value.reason, caught.value.path) == ("UnknownField", "/limits")

"""Operations over mappings, numbers and words, in data flows and by hand."""

from typing import Any, NamedTuple

import pytest

from tidemill import DataFlow, GetSingle, Input, TidemillError, noasync
from tidemill.operation.mapping import create_mapping, mapping_extract_value, path_of, traverse_get
from tidemill.operation.math import multiply
from tidemill.operation.preprocess import literal_eval


def result_of(operation: Any, **inputs: Any) -> Any:
    """Run an operation in a data flow and return its one output."""
    flow = DataFlow.auto(operation, GetSingle)
    [output] = operation.op.outputs.values()
    flow.seed.append(Input([output.name], GetSingle.op.inputs["spec"]))
    given = [Input(value, operation.op.inputs[name]) for name, value in inputs.items()]
    [(_, result)] = noasync.run(flow, given)
    return result[output.name]


def test_a_value_is_taken_from_a_path() -> None:
    assert result_of(mapping_extract_value, mapping={"one": {"two": 42}}, traverse=["one", "two"]) == 42
    assert mapping_extract_value({"one": {"two": 42}}, "one.two") == {"value": 42}


def test_what_has_fields_is_a_mapping_too() -> None:
    class Point(NamedTuple):
        x: int

    class Plain:
        def __init__(self) -> None:
            self.x = 2

    assert mapping_extract_value(Point(1), ["x"]) == {"value": 1}
    assert mapping_extract_value(Plain(), ["x"]) == {"value": 2}


def test_a_path_that_leads_nowhere_is_refused() -> None:
    with pytest.raises(TidemillError, match="KeyMissing: there is nothing at .*did you mean"):
        mapping_extract_value({"colour": 1}, ["color"])
    assert mapping_extract_value({"a": 1}, []) == {"value": {"a": 1}}


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("one", ["one"]),
        ("one.two", ["one", "two"]),
        ("'one.two'.three", ["one.two", "three"]),
        ('a."b.c.d"', ["a", "b.c.d"]),
        ("a.'b'", ["a", "b"]),
        ("a.'b.c", ["a", "b", "c"]),
    ],
)
def test_keys_of_a_path_are_between_dots(text: str, keys: list[str]) -> None:
    assert path_of(text) == keys


def test_a_path_may_lead_through_lists() -> None:
    assert traverse_get({"one": ["a", "b"]}, "one", 1) == "b"


def test_a_mapping_is_made() -> None:
    assert result_of(create_mapping, key="one", value=1) == {"one": 1}


@pytest.mark.parametrize(
    ("multiplicand", "multiplier", "product"),
    [(12, 3, 36), ([1, 2], 2, [2, 4]), ((1, 2), 2, (2, 4)), ("ab", 2, "abab")],
)
def test_numbers_are_multiplied(multiplicand: Any, multiplier: Any, product: Any) -> None:
    assert result_of(multiply, multiplicand=multiplicand, multiplier=multiplier) == product


def test_a_literal_is_read_and_nothing_is_run() -> None:
    assert result_of(literal_eval, str_to_eval="[1, 2, {'a': None}]") == [1, 2, {"a": None}]
    with pytest.raises(TidemillError, match="malformed node"):
        result_of(literal_eval, str_to_eval="print('x')")

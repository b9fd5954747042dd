"""Inputs: validated and converted once, identified when asked, with each ancestor told once."""

from __future__ import annotations

import dataclasses
import json
from typing import Any, NamedTuple, NewType

import pytest

from tidemill import (
    Definition,
    Input,
    InputValidationError,
    MemoryInputSet,
    MemoryInputSetConfig,
    Parameter,
    StringInputSetContext,
    TidemillError,
)

A = Definition("a")
Name = NewType("Name", str)


class Pair(NamedTuple):
    left: int
    right: int = 2


@dataclasses.dataclass
class Point:
    x: int


def test_a_callable_validate_gives_the_value_and_is_called_once() -> None:
    seen: list[Any] = []

    def check(value: str) -> str:
        seen.append(value)
        return value + "!"

    item = Input("x", Definition("a", validate=check))
    assert (item.value, seen, item.validated) == ("x!", ["x"], True)


def test_what_a_callable_validate_gives_becomes_the_spec() -> None:
    definition = Definition("a", "map", spec=Pair, validate=lambda value: {"left": value})
    assert Input(1, definition).value == Pair(1)


def test_a_value_that_validate_refuses_is_refused_by_name() -> None:
    with pytest.raises(InputValidationError, match="'x' is not a valid \"a\": ValueError: invalid literal") as caught:
        Input("x", Definition("a", validate=int))
    assert caught.value.path == "/inputs/a"
    assert isinstance(caught.value.__cause__, ValueError)


def test_an_input_that_an_operation_has_to_validate_is_not_validated_yet() -> None:
    assert not Input(1, Definition("a", validate="check")).validated
    assert not Input(1, A, validated=False).validated


def test_the_uid_is_made_on_first_use() -> None:
    item, named = Input(1, A), Input(1, A, uid="me")
    assert item.given_uid == ""
    assert item.uid == item.uid == item.given_uid != ""
    assert (named.uid, named.given_uid) == ("me", "me")
    assert item != Input(1, A, uid=item.uid)  # values are never compared, and inputs are told apart by the engine


def test_every_ancestor_comes_once_and_the_nearest_first() -> None:
    top = Input("top", A)
    left, right = Input("left", A, parents=[top]), Input("right", A, parents=[top])
    bottom = Input("bottom", A, parents=[left, right, left])
    assert [item.value for item in bottom.get_parents()] == ["left", "right", "top"]


def test_many_generations_and_diamonds_are_walked_in_one_pass() -> None:
    item = Input(0, A)
    for number in range(1, 5001):
        item = Input(number, A, parents=[item, item])
    assert [parent.value for parent in item.get_parents()] == list(range(4999, -1, -1))


@pytest.mark.parametrize("origin", ["client", ("op", "out")])
def test_an_origin_survives_a_file(origin: Any) -> None:
    item = Input({"a": [1]}, Definition("a", "map"), origin=origin, uid="u")
    again = Input._fromdict(**json.loads(json.dumps(item.export(), sort_keys=True)))
    assert (again.value, again.definition, again.origin, again.uid) == (item.value, item.definition, origin, "u")


def test_a_definition_that_is_made_already_is_taken_as_it_is() -> None:
    assert Input._fromdict(value=1, definition=A).definition is A


def test_a_seed_says_no_more_than_its_value_and_definition() -> None:
    assert Input(3, A).export() == {"value": 3, "definition": {"name": "a", "primitive": "generic"}}


@pytest.mark.parametrize(
    ("value", "plain"), [(Pair(1), {"left": 1, "right": 2}), (Point(1), {"x": 1}), ([1], [1]), (None, None)]
)
def test_values_of_specs_are_exported_as_mappings(value: Any, plain: Any) -> None:
    assert Input(value, A).export()["value"] == plain


def test_a_new_type_is_a_definition() -> None:
    name: Any = Name
    assert Input("x", name).definition == Definition("Name", "str")


def test_anything_else_is_no_definition() -> None:
    wrong: Any = "a"
    with pytest.raises(TidemillError, match="is given a Definition, not 'a'") as caught:
        Input(1, wrong)
    assert caught.value.reason == "UnknownDefinition"


def test_an_input_is_shown_by_value_and_definition() -> None:
    assert repr(Input("x", A)) == "Input(value=x, definition=a)"
    assert Input(1, A, links=[A]).links == (A,)


def test_a_parameter_is_one_argument() -> None:
    item = Input(1, A)
    assert Parameter("x", 1, item, A) == Parameter(key="x", value=1, origin=item, definition=A)


async def test_an_input_set_knows_its_context_inputs_and_definitions() -> None:
    ctx = StringInputSetContext("mine")
    given = MemoryInputSet(MemoryInputSetConfig(ctx=ctx, inputs=[Input(1, A), Input(2, A)]))
    assert [item.value for item in given] == [item.value async for item in given.inputs()] == [1, 2]
    assert await given.definitions() == {A}
    assert given.ctx is ctx
    assert (await ctx.handle()).as_string() == str(ctx) == repr(ctx) == "mine"


def test_a_context_without_a_name_gets_one_of_its_own() -> None:
    assert str(StringInputSetContext()) != str(StringInputSetContext())

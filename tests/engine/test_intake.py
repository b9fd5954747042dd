"""Intake: what may enter a context from outside; a batch enters whole or not at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from tests.engine.making import NUMBER, TEXT, plan_of
from tidemill import DataFlow, Definition, Input, Limits, Operation, compile_plan
from tidemill.engine.intake import Offer, checked
from tidemill.engine.operations import Channels
from tidemill.errors import InvalidInput
from tidemill.plan.plan import Plan

NULL = Definition("null", "int", default=None)
LOOSE = Definition("loose")
ONCE = Definition("once", dedupe="value")
TAKE = Operation(
    "take", inputs={"n": NUMBER, "t": TEXT, "x": NULL, "l": LOOSE, "o": ONCE}, outputs={"a": TEXT, "b": NUMBER}
)
PLAN = plan_of(TAKE)


def offered(
    *inputs: Any,
    plan: Plan = PLAN,
    have: int = 0,
    uids: dict[str, Any] | None = None,
    parent_of: Callable[[str], Any] = {"": None}.get,
) -> list[Offer]:
    given: Sequence[Input] = inputs
    return checked(given, channels=Channels(plan), have=have, uids=uids or {}, parent_of=parent_of)


def refused(*inputs: Any, **more: Any) -> tuple[str, str, str]:
    with pytest.raises(InvalidInput) as caught:
        offered(*inputs, **more)
    return caught.value.reason, caught.value.path, caught.value.message


def limited(**limits: Any) -> Plan:
    return compile_plan(DataFlow(TAKE, limits=Limits(**limits)))


def test_nothing_is_nothing() -> None:
    assert offered() == []


def test_inputs_come_out_in_order_with_channel_value_parents_and_uid() -> None:
    channels = Channels(PLAN)
    inputs = [Input(3, NUMBER), Input("a", TEXT, uid="u"), Input(4, NUMBER, origin=("take", "b"))]
    offers = checked(inputs, channels=channels, have=0, uids={}, parent_of={"": None}.get)
    assert offers == [
        (channels.given("seed", NUMBER), 3, (), ""),
        (channels.given("seed", TEXT), "a", (), "u"),
        (channels.given(("take", "b"), NUMBER), 4, (), ""),
    ]


def test_an_input_in_the_name_of_an_output_has_the_definition_of_that_output() -> None:
    ((channel, *_),) = offered(Input("a", Definition("other"), origin=("take", "a")))
    assert channel.definition == TEXT


@pytest.mark.parametrize("thing", [5, None, "text"])
def test_what_is_no_input_is_refused(thing: Any) -> None:
    assert refused(Input(1, NUMBER), thing) == ("InvalidInput", "/inputs/1", f"{thing!r} is no Input")


@pytest.mark.parametrize("origin", [("nobody", "a"), ("take", "c")])
def test_an_origin_that_does_not_exist_is_refused(origin: tuple[str, str]) -> None:
    said = f'the input says that "{origin[0]}" gave it as "{origin[1]}", but the data flow has no such output'
    assert refused(Input(1, NUMBER), Input(1, NUMBER, origin=origin)) == ("UnknownOrigin", "/inputs/1/origin", said)


def test_the_limit_of_inputs_counts_those_that_are_there() -> None:
    two = [Input(1, NUMBER), Input(2, NUMBER)]
    assert len(offered(*two, plan=limited(inputs=5), have=3)) == 2
    assert len(offered(*two, plan=limited(inputs=None), have=10**9)) == 2
    assert refused(*two, plan=limited(inputs=5), have=4) == (
        "InputLimitExceeded",
        "/inputs",
        "6 inputs in one context; limit 5",
    )


WRONG: list[tuple[Input, str, str]] = [
    (Input(None, NUMBER), "NullValue", '"number" is int and cannot be null'),
    (Input("1", NUMBER), "TypeMismatch", "\"number\": expected int, got str '1'"),
    (Input(True, NUMBER), "TypeMismatch", '"number": expected int, got bool True'),
    (Input(1, TEXT), "TypeMismatch", '"text": expected str, got int 1'),
    (Input("12345", TEXT), "ValueTooLarge", '"text": the value has more than 4 bytes, the limit value_bytes'),
]


@pytest.mark.parametrize(("wrong", "reason", "message"), WRONG)
def test_a_wrong_value_is_refused_with_its_place(wrong: Input, reason: str, message: str) -> None:
    found = refused(Input("1234", TEXT), wrong, plan=limited(value_bytes=4))
    assert found == (reason, f"/inputs/1/{wrong.definition.name}", message)


def test_a_value_that_is_too_deep_is_refused() -> None:
    assert offered(Input([1], LOOSE), plan=limited(value_depth=1))[0][1] == [1]
    assert refused(Input([[1]], LOOSE), plan=limited(value_depth=1)) == (
        "TooDeep",
        "/inputs/0/loose",
        '"loose": the value nests deeper than 1 levels, the limit value_depth',
    )


def test_null_is_a_value_where_the_definition_says_so() -> None:
    assert [value for _, value, *_ in offered(Input(None, NULL), Input(None, LOOSE), plan=limited(value_bytes=1))] == [
        None,
        None,
    ]


def test_a_value_of_the_exact_type_is_not_looked_at_again() -> None:
    channels = Channels(PLAN)
    asked: list[Any] = []

    def refuse(value: Any) -> bool:
        asked.append(value)
        return False

    channels.given("seed", NUMBER).check = (int, refuse)
    inputs = [Input(1, NUMBER)]
    assert len(checked(inputs, channels=channels, have=0, uids={}, parent_of={"": None}.get)) == 1
    assert asked == []


class Integer(int):
    """No int by type, but by class."""


def test_a_subclass_passes_as_well() -> None:
    assert offered(Input(Integer(3), NUMBER))[0][1] == 3


class Unspeakable:
    """Has no repr."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_what_cannot_be_compared_cannot_count_once() -> None:
    assert offered(Input([1], ONCE))[0][1] == [1]
    assert refused(Input(Unspeakable(), ONCE)) == (
        "NotComparable",
        "/inputs/0/once",
        '"once" wants equal values once, and <Unspeakable whose repr raised RuntimeError> cannot be compared: no',
    )
    assert len(offered(Input(Unspeakable(), LOOSE))) == 1  # where it is not asked for, nobody compares


def test_a_uid_is_one_input_in_a_batch_and_in_the_context() -> None:
    same = [Input(1, NUMBER, uid="u"), Input(2, NUMBER), Input(1, NUMBER, uid="u"), Input(3, NUMBER, uid="v")]
    assert [(value, uid) for _, value, _, uid in offered(*same)] == [(1, "u"), (2, ""), (3, "v")]
    assert [(value, uid) for _, value, _, uid in offered(*same, uids={"u": 1})] == [(2, ""), (3, "v")]


def test_a_uid_stands_for_one_value() -> None:
    said = 'the uid "u" stands for 1 already; 2 needs one of its own'
    conflict = ("InputConflict", "/inputs/1/uid", said)
    assert refused(Input(1, NUMBER, uid="u"), Input(2, NUMBER, uid="u")) == conflict
    assert refused(Input(5, NUMBER), Input(2, NUMBER, uid="u"), uids={"u": 1}) == conflict
    assert refused(Input(5, NUMBER), Input(2, NUMBER, uid="u"), uids={"u": 1, "": 2}) == conflict


class Odd:
    """Equals nothing, not even itself, or refuses to say."""

    def __init__(self, refuses: bool = False) -> None:
        self.refuses = refuses

    def __eq__(self, other: object) -> bool:
        if self.refuses:
            raise ValueError("ambiguous")
        return False

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "odd"


def test_one_object_is_one_value_whatever_it_equals() -> None:
    odd = Odd()
    assert len(offered(Input(odd, LOOSE, uid="u"), Input(odd, LOOSE, uid="u"))) == 1


@pytest.mark.parametrize("refuses", [False, True])
def test_what_cannot_be_told_equal_is_a_conflict(refuses: bool) -> None:
    assert refused(Input(Odd(refuses), LOOSE, uid="u"), Input(Odd(refuses), LOOSE, uid="u")) == (
        "InputConflict",
        "/inputs/1/uid",
        'the uid "u" stands for odd already; odd needs one of its own',
    )


def test_parents_are_what_the_backend_knows_them_as() -> None:
    first, second = Input(1, NUMBER, uid="f"), Input(2, NUMBER, uid="s")
    child = Input(3, NUMBER, parents=[second, first])
    ((_, _, parents, _),) = offered(child, parent_of={"f": "first", "s": "second"}.get)
    assert parents == ("second", "first")


def test_a_parent_of_the_same_batch_is_known_by_its_uid() -> None:
    first = Input(1, NUMBER, uid="f")
    _, (_, _, parents, _) = offered(first, Input(2, NUMBER, parents=[first]), parent_of=lambda _: None)
    assert parents == ("f",)


def test_a_parent_of_another_context_is_refused() -> None:
    child = Input(3, NUMBER, parents=[Input(1, NUMBER, uid="f"), Input(2, TEXT, uid="s")])
    assert refused(Input(0, NUMBER), child, parent_of={"f": "first"}.get) == (
        "ForeignParent",
        "/inputs/1/parents",
        "the parent Input(value=2, definition=text) of Input(value=3, definition=number) is not an input of this "
        "context; add it first, with a uid",
    )

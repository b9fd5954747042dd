"""What the outputs of a call become: channels and places, and every refusal with its reason and its message."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import pytest

from tests.engine.making import NUMBER, TEXT, item, parameter_set, planned
from tidemill import Definition, Limits
from tidemill.engine.implementations import MAX_BACKOFF, MAX_LOST, Refused, given_by, result_of_call, retry_after
from tidemill.engine.inputs import FIRST
from tidemill.engine.operations import Channel
from tidemill.plan.plan import PlannedOperation


class Point(NamedTuple):
    """A spec."""

    x: int
    y: int = 0


def positive(value: Any) -> Any:
    """Validate: take positive numbers, doubled."""
    if value <= 0:
        raise ValueError("not positive")
    return value * 2


LIST, MAP = Definition("list", "array"), Definition("map", "map")
ITEMS, POINT, POINTS = Definition("items", "int"), Definition("point", "map", spec=Point), Definition("points", "map")
POSITIVE, ANY = Definition("positive", "int", validate=positive), Definition("any")
CHECKED = Definition("checked", "str", validate="somebody")
OUTPUTS = {
    "any": ANY, "checked": CHECKED, "items": ITEMS, "list": LIST, "lists": LIST._replace(name="lists"), "map": MAP,
    "number": NUMBER, "once": Definition("once", dedupe="value"), "point": POINT, "positive": POSITIVE, "text": TEXT,
}  # fmt: skip
UNCHECKED = {name: definition for name, definition in OUTPUTS.items() if name != "checked"}
OP = planned("op", outputs=UNCHECKED, expand=["items", "lists"])
CHANNELS = {name: Channel(("op", name), output.definition, OP, output.index) for name, output in OP.outputs.items()}


def channel_of(operation: PlannedOperation, name: str) -> Channel:
    assert operation is OP
    return CHANNELS[name]


def give(returned: Any, emission: int = 0, **limits: Any) -> list[tuple[str, Any, tuple[int, int]]]:
    given = given_by(OP, returned, channel_of, Limits(**limits), emission)
    return [(channel.origin[1], value, place) for channel, value, place in given]


def refusal(returned: Any, **limits: Any) -> tuple[str, str]:
    with pytest.raises(Refused) as caught:
        give(returned, **limits)
    assert str(caught.value) == caught.value.message
    return caught.value.reason, caught.value.message


class Record(Mapping[str, Any]):
    """A mapping that is no dict, and may fail while it is read."""

    def __init__(self, said: dict[str, Any], problem: Exception | None = None) -> None:
        self.said = said
        self.problem = problem

    def __getitem__(self, key: str) -> Any:
        return self.said[key]

    def __iter__(self) -> Iterator[str]:
        yield from self.said
        if self.problem:
            raise self.problem

    def __len__(self) -> int:
        return len(self.said)


TAKEN: list[tuple[Any, list[tuple[str, Any, tuple[int, int]]]]] = [
    (None, []),
    ({}, []),
    ({"number": 1}, [("number", 1, (0, 0))]),
    ({"text": "a", "number": 1}, [("text", "a", (0, 0)), ("number", 1, (0, 0))]),
    (Record({"number": 1}), [("number", 1, (0, 0))]),
    ({"items": [5, 6]}, [("items", 5, (0, 0)), ("items", 6, (0, 1))]),
    ({"items": (5, 6)}, [("items", 5, (0, 0)), ("items", 6, (0, 1))]),
    ({"items": range(2)}, [("items", 0, (0, 0)), ("items", 1, (0, 1))]),
    ({"items": []}, []),
    ({"items": None}, []),
    ({"items": [], "number": 1}, [("number", 1, (0, 0))]),
    ({"items": [7], "number": 1}, [("items", 7, (0, 0)), ("number", 1, (0, 0))]),
    ({"lists": [1, "a"]}, [("lists", 1, (0, 0)), ("lists", "a", (0, 1))]),  # what the elements are is not said
    ({"list": [1, 2]}, [("list", [1, 2], (0, 0))]),
    ({"any": None}, [("any", None, (0, 0))]),
    ({"any": "x"}, [("any", "x", (0, 0))]),
    ({"point": {"x": 1}}, [("point", Point(1, 0), (0, 0))]),
    ({"point": Point(1, 2)}, [("point", Point(1, 2), (0, 0))]),
    ({"positive": 3}, [("positive", 6, (0, 0))]),
]


@pytest.mark.parametrize(("returned", "given"), TAKEN)
def test_what_a_mapping_gives(returned: Any, given: list[Any]) -> None:
    assert give(returned) == given


def test_an_emission_has_its_number_in_every_place() -> None:
    assert give({"number": 1, "items": [5, 6]}, 3) == [
        ("number", 1, (3, 0)),
        ("items", 5, (3, 0)),
        ("items", 6, (3, 1)),
    ]


def test_a_place_that_says_nothing_is_shared() -> None:
    assert give({"number": 1})[0][2] is FIRST


def test_a_value_of_the_exact_type_is_not_looked_at_again(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def refuse(value: Any) -> bool:
        asked.append(value)
        return False

    monkeypatch.setattr(CHANNELS["number"], "check", (int, refuse))
    assert give({"number": 1}) == [("number", 1, (0, 0))]
    assert asked == []
    assert refusal({"number": "a"})[0] == "TypeMismatch"
    assert asked == ["a"]


def test_the_channels_are_those_of_the_outputs() -> None:
    given = given_by(OP, {"number": 1, "items": [5]}, channel_of, Limits())
    assert [channel for channel, _, _ in given] == [CHANNELS["number"], CHANNELS["items"]]


@pytest.mark.parametrize("primitive", ["array", "list", "Array", "LIST"])
def test_an_expanded_list_says_nothing_of_its_elements(primitive: str) -> None:
    lists = planned("op", outputs={"o": Definition("o", primitive)}, expand=["o"])
    channel = Channel(("op", "o"), Definition("o", "int"), lists, 0)
    assert given_by(lists, {"o": ["a"]}, lambda _, __: channel, Limits()) == [(channel, "a", (0, 0))]


def test_what_a_validator_operation_has_to_see_is_not_touched() -> None:
    check = planned("somebody", inputs={"x": CHECKED}, outputs={"o": CHECKED}, validator=True)
    channel = Channel(("somebody", "o"), CHECKED, check, 0)
    assert given_by(check, {"o": "a"}, lambda _, __: channel, Limits()) == [(channel, "a", (0, 0))]


KEYS = "{any, items, list, lists, map, number, once, point, positive, text}"
SHAPE = f'"op" has to return a mapping with keys out of {KEYS}, or None; '
HAS = "(has: any, items, list, lists, map, number, once, point, positive, text)"
EXPANDED = "op.items is expanded, so it has to be a list of inputs; it is "


class Unreadable:
    """Cannot be asked for its type, its truth or its repr."""

    def __repr__(self) -> str:
        raise RuntimeError("no")


class Failing:
    """Ends with an error each time it is walked."""

    def __iter__(self) -> Iterator[int]:
        yield 1
        raise KeyError("gone")


REFUSED: list[tuple[Any, str, str]] = [
    (5, "OutputShape", f"{SHAPE}it returned int 5"),
    ([("number", 1)], "OutputShape", f"{SHAPE}it returned list [('number', 1)]"),
    ({"numbr": 1}, "OutputShape", f'{SHAPE}it gave "numbr" {HAS}; did you mean "number"?'),
    ({7: 1}, "OutputShape", f'{SHAPE}it gave "7" {HAS}'),
    ({"items": 5}, "OutputShape", f"{EXPANDED}int 5"),
    ({"items": "abc"}, "OutputShape", f"{EXPANDED}str 'abc'"),
    ({"items": b"abc"}, "OutputShape", f"{EXPANDED}bytes b'abc'"),
    ({"items": bytearray(b"a")}, "OutputShape", f"{EXPANDED}bytearray bytearray(b'a')"),
    ({"items": {"a": 1}}, "OutputShape", f"{EXPANDED}dict {{'a': 1}}"),
    ({"number": "1"}, "TypeMismatch", "op.number: expected int, got str '1'"),
    ({"number": True}, "TypeMismatch", "op.number: expected int, got bool True"),
    ({"items": [1, "2"]}, "TypeMismatch", "op.items: expected int, got str '2'"),
    ({"items": [[1]]}, "TypeMismatch", "op.items: expected int, got list [1]"),
    ({"number": None}, "TypeMismatch", "op.number: expected int, got null None"),
    ({"items": [None]}, "TypeMismatch", "op.items: expected int, got null None"),
    ({"list": 5}, "TypeMismatch", "op.list: expected array, got int 5"),
    ({"list": "abc"}, "TypeMismatch", "op.list: expected array, got str 'abc'"),
    (
        {"point": {"z": 1}},
        "TypeMismatch",
        "op.point: {'z': 1} is no Point: Point.__new__() got an unexpected keyword argument 'z'",
    ),
    ({"positive": -1}, "InputValidationError", "op.positive: -1 is refused: ValueError: not positive"),
    (
        {"number": Unreadable()},
        "TypeMismatch",
        "op.number: expected int, got Unreadable <Unreadable whose repr raised RuntimeError>",
    ),
    (Record({}, OSError("torn")), "OutputShape", 'what "op" gave cannot be read: OSError: torn'),
    (
        {"once": Unreadable()},
        "NotComparable",
        "op.once wants equal values once, and <Unreadable whose repr raised RuntimeError> cannot be compared: no",
    ),
    ({"items": Failing()}, "OutputShape", "what \"op\" gave cannot be read: KeyError: 'gone'"),
]


@pytest.mark.parametrize(("returned", "reason", "message"), REFUSED)
def test_what_was_not_declared_is_refused(returned: Any, reason: str, message: str) -> None:
    assert refusal(returned) == (reason, message)


def test_a_refusal_keeps_what_caused_it() -> None:
    for returned, cause in (
        ({"positive": 0}, ValueError),
        ({"items": Failing()}, KeyError),
        ({"point": {"z": 1}}, TypeError),
        ({"once": Unreadable()}, RuntimeError),
    ):
        with pytest.raises(Refused) as caught:
            give(returned)
        assert isinstance(caught.value.__cause__, cause)


def test_an_operation_without_outputs_has_nothing_to_give() -> None:
    none = planned("none", "x")
    assert given_by(none, {}, channel_of, Limits()) == []
    with pytest.raises(Refused) as caught:
        given_by(none, {"a": 1}, channel_of, Limits())
    assert caught.value.message == (
        '"none" has to return a mapping with keys out of {nothing}, or None; it gave "a" (there are none)'
    )


def test_a_list_gives_as_many_inputs_as_the_limit_says() -> None:
    assert len(give({"items": [1, 2, 3]}, outputs=3)) == 3
    assert len(give({"items": [1, 2, 3]}, outputs=None)) == 3
    assert refusal({"items": [1, 2, 3, 4]}, outputs=3) == (
        "TooManyItems",
        "op.items gives more than 3 inputs, the limit outputs",
    )


def test_an_endless_list_ends_at_the_limit() -> None:
    def endless() -> Iterator[int]:
        number = 0
        while True:
            yield number
            number += 1

    assert refusal({"items": endless()}, outputs=10)[0] == "TooManyItems"


def test_values_keep_to_the_limits() -> None:
    assert give({"text": "abcd"}, value_bytes=4) == [("text", "abcd", (0, 0))]
    assert give({"list": [1]}, value_depth=1) == [("list", [1], (0, 0))]
    assert refusal({"text": "abcde"}, value_bytes=4) == (
        "OutputTooLarge",
        "op.text: the value has more than 4 bytes, the limit value_bytes",
    )
    assert refusal({"list": [[1]]}, value_depth=1) == (
        "TooDeep",
        "op.list: the value nests deeper than 1 levels, the limit value_depth",
    )
    assert refusal({"lists": [[], [[]]]}, value_depth=1)[0] == "TooDeep"


@pytest.mark.parametrize(
    ("retry", "backoff", "tries", "wait"),
    [
        (0, 0.5, 1, None),
        (1, 0.5, 1, None),
        (2, 0.5, 1, 0.5),
        (2, 0.5, 2, None),
        (2, 0.5, 3, None),
        (9, 0.5, 2, 1.0),
        (9, 0.5, 3, 2.0),
        (9, 0.5, 7, 32.0),
        (9, 0.5, 8, 60.0),
        (9, 100.0, 1, 60.0),
        (9, 0.0, 5, 0.0),
        (9999, 0.0, 5000, 0.0),
        (9999, 0.1, 5000, 60.0),
        (9999, 60 / 2**64, 64, 30.0),
        (9999, 30 / 2**64, 65, 30.0),
        (9999, 30 / 2**64, 66, 30.0),
    ],
)
def test_the_wait_before_a_further_try_doubles_up_to_a_minute(
    retry: int, backoff: float, tries: int, wait: float | None
) -> None:
    tried = parameter_set(planned("op", "x", retry=retry, backoff=backoff), item(0))
    tried.tries = tries
    assert retry_after(tried) == wait


def test_the_bounds_are_what_the_documentation_says() -> None:
    assert (MAX_LOST, MAX_BACKOFF) == (3, 60.0)


def test_the_output_stage_returns_a_mapping_or_nothing() -> None:
    record = Record({"number": 1})
    assert (result_of_call(OP, None), result_of_call(OP, {}), result_of_call(OP, record)) == (None, {}, record)
    with pytest.raises(Refused) as caught:
        result_of_call(OP, [1])
    assert caught.value.reason == "OutputShape"
    assert caught.value.message == 'the output operation "op" has to return a mapping; it returned list [1]'

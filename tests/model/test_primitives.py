"""Primitives: what each takes, and which may stand for which."""

from __future__ import annotations

import dataclasses
from collections import UserDict, deque, namedtuple
from decimal import Decimal
from fractions import Fraction
from typing import Any, NewType

import pytest

from tidemill.model.primitives import CANONICAL, checker_of, compatible, primitive_of, type_name


@dataclasses.dataclass
class Point:
    x: int = 0


class Odd(int):
    pass


Pair = namedtuple("Pair", "a b")

TAKES: dict[str, list[Any]] = {
    "str": ["", "text"],
    "int": [0, -1, 2**70, Odd(3)],
    "float": [0, 1.5, float("inf"), Fraction(1, 3)],
    "bool": [True, False],
    "bytes": [b"", bytearray(b"x"), memoryview(b"x")],
    "map": [{}, UserDict(), Pair(1, 2), Point()],
    "array": [[], (), set(), deque(), Pair(1, 2), range(3)],
}
REFUSES: dict[str, list[Any]] = {
    "str": [b"x", 1, ["x"]],
    "int": ["12", 1.0, True, Decimal(1)],
    "float": ["1.5", True, 1j],
    "bool": [0, 1, "true", []],
    "bytes": ["x", [1]],
    "map": [[], "a", 1],
    "array": ["text", b"x", bytearray(b"x"), {}, 3],
}


@pytest.mark.parametrize("name", CANONICAL)
def test_a_checked_primitive_takes_what_it_says_and_converts_nothing(name: str) -> None:
    for spelling in (name, name.upper()):
        found = checker_of(spelling)
        assert found is not None
        exact, check = found
        assert isinstance(TAKES[CANONICAL[name]][0], exact) or exact is float
        assert [value for value in TAKES[CANONICAL[name]] if not check(value)] == []
        assert [value for value in REFUSES[CANONICAL[name]] if check(value)] == []


def test_numbers_of_other_libraries_are_numbers() -> None:
    bool_ = type("bool_", (), {})
    boolean = checker_of("bool")
    assert boolean is not None
    assert boolean[1](bool_())


@pytest.mark.parametrize("name", ["generic", "object", "List[int]", "mine"])
def test_any_other_primitive_takes_anything(name: str) -> None:
    assert checker_of(name) is None


@pytest.mark.parametrize(
    ("given", "taken", "may"),
    [
        ("int", "integer", True),
        ("int", "float", True),
        ("float", "int", False),
        ("int", "str", False),
        ("bool", "int", False),
        ("mine", "int", True),
        ("int", "mine", True),
        ("Dict", "MAPPING", True),
    ],
)
def test_which_primitive_may_stand_for_which(given: str, taken: str, may: bool) -> None:
    assert compatible(given, taken) is may


@pytest.mark.parametrize(
    ("annotation", "primitive"),
    [
        (None, "generic"),
        (type(None), "generic"),
        (str, "str"),
        (bytes, "bytes"),
        (dict, "map"),
        (list, "array"),
        (dict[str, int], "map"),
        (list[str], "array"),
        (tuple[int, ...], "generic"),
        (int | None, "generic"),
        (Any, "generic"),
        (Point, "object"),
        (NewType("Name", str), "generic"),
    ],
)
def test_the_primitive_of_an_annotation(annotation: Any, primitive: str) -> None:
    assert primitive_of(annotation) == primitive


def test_the_name_of_a_type_in_messages() -> None:
    assert [type_name(value) for value in (None, 1, "a", Point())] == ["null", "int", "str", "Point"]

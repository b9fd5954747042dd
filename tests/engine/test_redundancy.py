"""The identity of a parameter set within its context: which combinations are the same one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.engine.making import default_item, item, operation, plan_of
from tidemill.engine.redundancy import key_of

PLAN = plan_of(operation("a", "xy"), operation("b", "xy"), operation("none"))


def test_it_is_the_number_of_the_operation_and_those_of_its_inputs() -> None:
    a, b = PLAN.instances["a"], PLAN.instances["b"]
    assert key_of(a, (item(4), item(7))) == (0, 4, 7)
    assert key_of(b, (item(4), item(7))) == (1, 4, 7)
    assert key_of(b, (item(4), default_item(9))) == (1, 4, 9)
    assert key_of(PLAN.instances["none"], ()) == (2,)


def test_the_value_of_an_input_is_no_part_of_it() -> None:
    assert key_of(PLAN.instances["a"], (item(0, "x"),)) == key_of(PLAN.instances["a"], (item(0, "y"),))


combinations = st.tuples(st.sampled_from("ab"), st.integers(0, 50), st.integers(0, 50))


@given(combinations, combinations)
def test_it_is_equal_for_equal_combinations_only(one: tuple[str, int, int], other: tuple[str, int, int]) -> None:
    keys = [key_of(PLAN.instances[name], (item(x), item(y))) for name, x, y in (one, other)]
    assert (keys[0] == keys[1]) == (one == other)

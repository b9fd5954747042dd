"""A parameter set: what it starts as, what its operation is called with, how it shows itself."""

from __future__ import annotations

import pytest

from tests.engine.making import default_item, item, parameter_set, planned
from tidemill.engine import parameters
from tidemill.engine.inputs import NO_LOCKS
from tidemill.engine.parameters import ParameterSet


def test_a_new_one_is_taken_and_has_no_history() -> None:
    join, x, y = planned("join", "xy"), item(0, "a"), item(1, "b")
    context = object()
    made = ParameterSet(context, join, (x, y))
    assert (made.context, made.operation, made.items) == (context, join, (x, y))
    assert made.state is parameters.TAKEN
    assert (made.tries, made.lost, made.emitted, made.given, made.leases) == (0, 0, 0, 0, 0)
    assert (made.locks, made.worker, made.children) == (NO_LOCKS, None, None)


def test_its_states_are_seven_words() -> None:
    states = (
        parameters.TAKEN,
        parameters.DISPATCHED,
        parameters.LEASED,
        parameters.DELAYED,
        parameters.PARENT,
        parameters.COMPLETED,
        parameters.DROPPED,
    )
    assert states == ("taken", "dispatched", "leased", "delayed", "parent", "completed", "dropped")


def test_the_arguments_are_values_by_the_names_of_the_parameters() -> None:
    assert parameter_set(planned("none")).arguments() == {}
    assert parameter_set(planned("one", "x"), item(3, "a")).arguments() == {"x": "a"}
    two = parameter_set(planned("two", "yx"), item(3, "a"), default_item(4, None))
    assert two.arguments() == {"x": "a", "y": None}
    assert list(two.arguments()) == ["x", "y"]


@pytest.mark.parametrize("count", [0, 2, 4])
def test_a_wrong_number_of_inputs_is_a_mistake(count: int) -> None:
    wrong = parameter_set(planned("three", "xyz"), *(item(n) for n in range(count)))
    with pytest.raises(ValueError, match="zip"):
        wrong.arguments()
    with pytest.raises(ValueError, match="zip"):
        repr(wrong)


def test_the_repr_names_operation_inputs_and_state() -> None:
    made = parameter_set(planned("join", "xy"), item(3), item(7))
    assert repr(made) == "ParameterSet(join(x=#3, y=#7), taken)"
    made.state = parameters.LEASED
    assert repr(made) == "ParameterSet(join(x=#3, y=#7), leased)"


def test_a_parameter_set_equals_only_itself() -> None:
    join, x = planned("join", "x"), item(0)
    one, other = parameter_set(join, x), parameter_set(join, x)
    assert one == one and one != other

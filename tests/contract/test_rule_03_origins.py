"""Rule 3: a parameter takes an input only from the origins that its flow names."""

from typing import Any

import pytest

from tests.contract.driver import Driver, Ran
from tests.contract.shapes import A, B, C, D, E, flow, operation, seeds
from tidemill.errors import InvalidInput
from tidemill.model.dataflow import DataFlow
from tidemill.model.flow import InputFlow
from tidemill.model.input import Input


def values(ran: Ran, instance: str) -> list[int]:
    """Return what the only parameter of an operation was given, sorted."""
    return sorted(value for call in ran.calls(instance) for value in call.values())


def ways(**inputs: Any) -> InputFlow:
    return InputFlow(inputs)


async def test_a_word_takes_inputs_given_under_that_word_only(driver: Driver) -> None:
    take, other = operation("take", {"a": A}), operation("other", {"a": A})
    plan = flow(take, other, flow={"take": ways(a=["mail"]), "other": ways(a=["seed"])})
    ran = await driver.run(plan, {}, [Input(1, A, origin="mail"), Input(2, A), Input(3, A, origin="phone")])
    assert values(ran, "take") == [1]
    assert values(ran, "other") == [2]
    assert ran.ending.inputs == 3


async def test_a_word_takes_the_definition_of_the_parameter_only(driver: Driver) -> None:
    plan = flow(operation("take", {"a": A}), operation("other", {"b": B}))
    ran = await driver.run(plan, {}, seeds(A, 1) + seeds(B, 2))
    assert values(ran, "take") == [1]
    assert values(ran, "other") == [2]


async def test_several_sources_take_from_each_of_them_and_an_input_counts_once(driver: Driver) -> None:
    plan = flow(operation("take", {"a": A}), flow={"take": ways(a=["seed", "mail", {"seed": ["A", "B"]}])})
    ran = await driver.run(plan, {}, [Input(1, A), Input(2, A, origin="mail"), Input(3, B), Input(4, B, origin="mail")])
    assert values(ran, "take") == [1, 2, 3]
    assert ran.ending.parameter_sets == 3


async def test_an_output_is_taken_from_the_operation_that_the_flow_names(driver: Driver) -> None:
    left, right = operation("left", {"a": A}, {"out": B}), operation("right", {"a": A}, {"out": B})
    take = operation("take", {"b": B})
    sources = {"left": ways(a=["seed"]), "right": ways(a=["seed"]), "take": ways(b=[{"right": "out"}])}
    plan = flow(left, right, take, flow=sources)
    scripts = {"left": lambda a: {"out": a + 10}, "right": lambda a: {"out": a + 20}}
    ran = await driver.run(plan, scripts, seeds(A, 1, 2) + seeds(B, 99))
    assert values(ran, "take") == [21, 22]


async def test_one_of_two_outputs_of_one_definition_is_taken(driver: Driver) -> None:
    split = operation("split", {"a": A}, {"high": B, "low": B})
    plan = flow(split, operation("take", {"b": B}),
                flow={"split": ways(a=["seed"]), "take": ways(b=[{"split": "high"}])})  # fmt: skip
    ran = await driver.run(plan, {"split": lambda a: {"high": a + 100, "low": a - 100}}, seeds(A, 1, 2))
    assert values(ran, "take") == [101, 102]


async def test_alternative_definitions_stand_at_one_parameter(driver: Driver) -> None:
    plan = flow(operation("take", {"a": A}), flow={"take": ways(a=[{"seed": ["B", "C"]}])})
    ran = await driver.run(plan, {}, seeds(A, 1) + seeds(B, 2) + seeds(C, 3) + seeds(D, 4))
    assert values(ran, "take") == [2, 3]


async def test_a_parameter_whose_source_is_an_output_takes_no_seed_of_that_definition(driver: Driver) -> None:
    make = operation("make", {"a": A}, {"b": B})
    plan = flow(make, operation("take", {"b": B}), flow={"make": ways(a=["seed"]), "take": ways(b=[{"make": "b"}])})
    ran = await driver.run(plan, {"make": lambda a: None}, seeds(A, 1) + seeds(B, 2))
    assert ran.calls("make") == [{"a": 1}]
    assert ran.calls("take") == []


async def test_an_input_given_in_the_name_of_an_output_is_taken_like_one(driver: Driver) -> None:
    make = operation("make", {"a": A}, {"b": B})
    plan = flow(make, operation("take", {"b": B}), flow={"make": ways(a=["seed"]), "take": ways(b=[{"make": "b"}])})
    ran = await driver.run(plan, {}, [Input(7, B, origin=("make", "b"))])
    assert ran.calls("take") == [{"b": 7}]


async def test_an_input_in_the_name_of_an_output_that_does_not_exist_is_refused(driver: Driver) -> None:
    with pytest.raises(InvalidInput) as caught:
        await driver.open(flow(operation("take", {"a": A})), [Input(7, B, origin=("make", "b"))])
    assert caught.value.reason == "UnknownOrigin"
    assert caught.value.path == "/inputs/0/origin"
    assert caught.value.message == 'the input says that "make" gave it as "b", but the data flow has no such output'


def by_path(*path: Any) -> DataFlow:
    """Return a flow in which ``share`` gives B from seeds and from ``make``, and ``take`` asks for a path above B."""
    make, share = operation("make", {"a": A}, {"a2": A}), operation("share", {"a": A}, {"b": B})
    return flow(make, share, operation("take", {"b": B}),
                flow={"make": ways(a=["seed"]), "share": ways(a=["seed", "mail", {"make": "a2"}]),
                      "take": ways(b=[list(path)])})  # fmt: skip


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        (({"share": "b"},), [10, 20, 1010]),
        (({"share": "b"}, "seed"), [10]),
        (({"share": "b"}, "mail"), [20]),
        (({"share": "b"}, {"make": "a2"}), [1010]),
        (({"share": "b"}, {"make": "a2"}, "seed"), [1010]),
        (({"share": "b"}, {"make": "a2"}, "mail"), []),
        (({"share": "b"}, "seed", "seed"), []),
        (({"share": "b"}, {"share": "b"}), []),
    ],
)
async def test_an_ancestor_path_names_the_origins_upwards(
    driver: Driver, path: tuple[Any, ...], expected: list[int]
) -> None:
    scripts = {"make": lambda a: {"a2": a + 100}, "share": lambda a: {"b": a * 10}}
    ran = await driver.run(by_path(*path), scripts, [Input(1, A), Input(2, A, origin="mail")])
    assert values(ran, "take") == expected


DIAMOND = {
    "by_left": [{"meet": "d"}, {"left": "b"}, {"start": "a"}, "seed"],
    "by_right": [{"meet": "d"}, {"right": "c"}, {"start": "a"}, "seed"],
    "crosswise": [{"meet": "d"}, {"left": "b"}, {"right": "c"}],
    "too_short": [{"meet": "d"}, {"start": "a"}],
    "too_long": [{"meet": "d"}, {"left": "b"}, {"start": "a"}, "seed", "seed"],
}


async def test_ancestor_paths_go_up_either_side_of_a_diamond(driver: Driver) -> None:
    made = [
        operation("start", {"e": E}, {"a": A}),
        operation("left", {"a": A}, {"b": B}),
        operation("right", {"a": A}, {"c": C}),
        operation("meet", {"b": B, "c": C}, {"d": D}),
        *(operation(name, {"d": D}) for name in DIAMOND),
    ]
    plan = flow(*made, flow={
        "start": ways(e=["seed"]), "left": ways(a=[{"start": "a"}]), "right": ways(a=[{"start": "a"}]),
        "meet": ways(b=[{"left": "b"}], c=[{"right": "c"}]),
        **{name: ways(d=[path]) for name, path in DIAMOND.items()},
    })  # fmt: skip
    scripts = {
        "start": lambda e: {"a": e}, "left": lambda a: {"b": a * 10}, "right": lambda a: {"c": a * 100},
        "meet": lambda b, c: {"d": b + c},
    }  # fmt: skip
    ran = await driver.run(plan, scripts, seeds(E, 1, 2))
    assert values(ran, "by_left") == values(ran, "by_right") == [110, 120, 210, 220]
    assert values(ran, "crosswise") == values(ran, "too_short") == values(ran, "too_long") == []


async def test_a_ladder_of_diamonds_is_looked_at_once_a_step(driver: Driver) -> None:
    """2 to the power of 64 ways lead up from the last rung: a path must not be looked for along each of them."""
    climb, top = operation("climb", {"a": A}, {"a": A}), operation("top", {"a": A})
    path: list[Any] = [{"climb": "a"}] * 65 + ["seed"]
    plan = flow(climb, top, flow={"climb": ways(a=["nowhere"]), "top": ways(a=[path])})
    rung = Input(0, A, uid="0")
    await driver.open(plan, [rung], hold=True)
    for at in range(1, 67):
        rung = Input(at, A, [rung, rung], ("climb", "a"), uid=str(at))
        await driver.backend.add("context", [rung])
    await driver.backend.close("context")
    await driver.drain()
    assert (await driver.end()).calls("top") == [{"a": 65}]


async def test_a_path_is_looked_for_above_every_parent_of_one_origin(driver: Driver) -> None:
    wrap, pair = operation("wrap", {"a": A}, {"b": B}), operation("pair", {"x": B, "y": B}, {"d": D})
    take = operation("take", {"d": D})
    plan = flow(wrap, pair, take, flow={
        "wrap": ways(a=["seed", "mail"]), "pair": ways(x=[{"wrap": "b"}], y=[{"wrap": "b"}]),
        "take": ways(d=[[{"pair": "d"}, {"wrap": "b"}, "mail"]]),
    })  # fmt: skip
    scripts = {"wrap": lambda a: {"b": a}, "pair": lambda x, y: {"d": 10 * x + y}}
    ran = await driver.run(plan, scripts, [Input(1, A), Input(2, A, origin="mail"), Input(3, A)])
    assert values(ran, "take") == [12, 21, 22, 23, 32]

"""Rule 9: output operations see values in canonical order, so no result depends on timing or on who did the work."""

import random
from collections.abc import Callable
from typing import Any

import pytest

from tests.contract.backends import Factory
from tests.contract.clock import Clock
from tests.contract.driver import Driver, Ran, Reading, Script
from tests.contract.shapes import A, B, C, D, flow, multi, operation, output, seeds, single
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.flow import InputFlow
from tidemill.model.input import Input
from tidemill.model.operation import Stage

PORT = Definition("port", "int", default=80)
CHECKED = Definition("checked", "int", validate="check")
ONCE = Definition("once", "int", dedupe="value")


def say(build: Callable[..., dict[str, Any]]) -> Reading:
    """Script of an output operation that makes its mapping of its own parameters."""

    async def read(get: object, **parameters: Any) -> dict[str, Any]:
        return build(**parameters)

    return Reading(read)


async def shuffled(factory: Factory, plan: DataFlow, scripts: dict[str, Script], inputs: list[Input], seed: int) -> Ran:
    """Run a flow with three workers that take, finish and hand back their work in an order that is made up."""
    rng, clock = random.Random(seed), Clock()
    async with factory(clock, rng.randrange) as subject:
        driver = Driver(subject, clock, scripts)
        await driver.open(plan, inputs)
        while True:
            await driver.lease(rng.randint(0, 3), rng.choice(["w1", "w2", "w3"]))
            held = driver.holding()
            if not held and not await driver.lease(3):
                return await driver.end()
            for lease in rng.sample(held, min(len(held), rng.randint(0, 2))):
                await (driver.release(lease) if rng.random() < 0.2 else driver.finish(lease))


def tree() -> tuple[DataFlow, dict[str, Script]]:
    """Return a flow that gives B in three ways, in two generations, and C of pairs; and what its operations do."""
    plan = flow(
        operation("alone", {}, {"b": B}),
        operation("left", {"a": A}, {"b": B}),
        operation("split", {"a": A}, {"all": D}, expand=["all"]),
        operation("under", {"d": D}, {"b": B}),
        operation("pair", {"a": A, "d": D}, {"c": C}),
        output("tell"),
    )
    scripts: dict[str, Script] = {
        "alone": lambda: {"b": 0},
        "left": lambda a: {"b": a * 10},
        "split": lambda a: {"all": [a * 100 + 2, a * 100 + 1]},
        "under": lambda d: {"b": -d},
        "pair": lambda a, d: {"c": a * 1000 + d},
        "tell": multi("A", "B", "C", "D"),
    }
    return plan, scripts


TOLD = {
    "A": [2, 1],
    "B": [7, 0, 20, 10, -202, -201, -102, -101],
    "C": [2202, 2201, 2102, 2101, 1202, 1201, 1102, 1101],
    "D": [202, 201, 102, 101],
}


@pytest.mark.parametrize("seed", range(20))
async def test_the_order_is_canonical_whatever_the_order_of_completion(factory: Factory, seed: int) -> None:
    plan, scripts = tree()
    ran = await shuffled(factory, plan, scripts, seeds(A, 2, 1) + seeds(B, 7), seed)
    assert ran.result == TOLD


async def test_seeds_stand_in_the_order_in_which_they_were_given_those_of_the_flow_first(driver: Driver) -> None:
    plan = flow(operation("work", {"a": A}), output("tell"), seed=seeds(A, 9, 8))
    await driver.open(plan, seeds(A, 3, 1), hold=True)
    await driver.backend.add("context", [Input(2, A, origin="mail")])
    await driver.backend.close("context")
    driver.scripts["tell"] = multi("A")
    await driver.drain()
    assert (await driver.end()).result == {"A": [9, 8, 3, 1, 2]}


async def test_outputs_follow_operation_output_emission_and_element(factory: Factory) -> None:
    def yields(a: int) -> Any:
        yield {"y": [a + 1, a + 2], "x": [a + 3]}
        yield {"x": [a + 4, a + 5]}

    plan = flow(
        operation("second", {"a": A}, {"b": B}),
        operation("first", {"a": A}, {"x": B, "y": B}, expand=["x", "y"]),
        output("tell"),
    )
    scripts = {"first": yields, "second": lambda a: {"b": a}, "tell": multi("B")}
    for seed in range(5):
        ran = await shuffled(factory, plan, scripts, seeds(A, 20, 10), seed)
        assert ran.result == {"B": [23, 24, 25, 21, 22, 20, 13, 14, 15, 11, 12, 10]}


async def test_a_default_in_the_place_of_a_parent_ranks_before_every_input(factory: Factory) -> None:
    grow = operation("grow", {"a": A, "port": PORT}, {"b": B, "next": PORT})
    sources = {"grow": InputFlow({"a": ["seed"], "port": [{"grow": "next"}]}), "tell": InputFlow()}
    scripts = {
        "grow": lambda a, port: {"b": a * 1000 + port, **({"next": port + a} if port == 80 else {})},
        "tell": multi("B"),
    }
    for seed in range(5):
        ran = await shuffled(factory, flow(grow, output("tell"), flow=sources), scripts, seeds(A, 2, 1), seed)
        assert ran.result == {"B": [2080, 1080, 2082, 2081, 1082, 1081]}


async def test_a_default_ranks_before_the_inputs_of_the_first_generation_too(factory: Factory) -> None:
    """``start`` has no parents, and gives its port once the default has been used."""
    grow, start = (
        operation("grow", {"a": A, "port": PORT}, {"b": B}),
        operation("start", {}, {"port": PORT}, conditions=[B]),
    )
    sources = {
        "grow": InputFlow({"a": ["seed"], "port": [{"start": "port"}]}),
        "start": InputFlow({}, [{"grow": "b"}]),
        "tell": InputFlow(),
    }
    scripts = {"grow": lambda a, port: {"b": a * 1000 + port}, "start": lambda: {"port": 81}, "tell": multi("B")}
    for seed in range(5):
        ran = await shuffled(factory, flow(grow, start, output("tell"), flow=sources), scripts, seeds(A, 2, 1), seed)
        assert ran.result == {"B": [2080, 2081, 1080, 1081]}


async def test_the_last_value_is_the_last_in_canonical_order(factory: Factory) -> None:
    plan = flow(operation("left", {"a": A}, {"b": B}), output("tell"))
    for seed in range(5):
        scripts = {"left": lambda a: {"b": a * 10}, "tell": single("B")}
        assert (await shuffled(factory, plan, scripts, seeds(A, 3, 1, 2), seed)).result == {"B": 20}


async def test_one_output_operation_makes_the_result(driver: Driver) -> None:
    ran = await driver.run(flow(output("tell")), {"tell": say(lambda: {"x": 1, "y": None})})
    assert ran.result == {"x": 1, "y": None}


async def test_the_results_of_several_stand_under_their_names(driver: Driver) -> None:
    plan = flow(output("one"), output("two"), output("idle", {"c": C}))
    ran = await driver.run(plan, {"one": say(lambda: {"x": 1}), "two": say(lambda: {"x": 2})})
    assert ran.result == {"one": {"x": 1}, "two": {"x": 2}}


async def test_no_output_operation_makes_an_empty_result(driver: Driver) -> None:
    work = operation("work", {"a": A}, {"b": B})
    assert (await driver.run(flow(work), {"work": lambda a: {"b": a}}, seeds(A, 1))).result == {}


async def test_an_output_operation_that_does_not_run_or_returns_nothing_leaves_the_result_empty(driver: Driver) -> None:
    ran = await driver.run(flow(output("tell", {"c": C})), {}, seeds(A, 1))
    assert (ran.calls("tell"), ran.result) == ([], {})
    ran = await driver.run(flow(output("tell", {"a": A})), {}, seeds(A, 1), name="nothing")
    assert (ran.calls("tell"), ran.result) == ([{"a": 1}], {})


async def test_later_parameter_sets_of_one_operation_win(factory: Factory) -> None:
    plan = flow(operation("left", {"a": A}, {"b": B}), output("tell", {"b": B}))
    scripts = {"left": lambda a: {"b": a * 10}, "tell": say(lambda b: {"last": b, f"of {b}": True})}
    for seed in range(5):
        ran = await shuffled(factory, plan, scripts, seeds(A, 3, 1, 2), seed)
        assert ran.result == {"last": 20, "of 30": True, "of 10": True, "of 20": True}
        assert list(ran.result) == ["last", "of 30", "of 10", "of 20"]


async def test_later_parameter_sets_win_also_where_all_there_is_comes_of_a_default(factory: Factory) -> None:
    given = Definition("given", "int", default=1)
    sources = {"left": InputFlow({"a": ["seed"]}), "tell": InputFlow({"b": [{"left": "b"}]})}
    plan = flow(operation("left", {"a": given}, {"b": B}, expand=["b"]), output("tell", {"b": B}), flow=sources)
    scripts = {"left": lambda a: {"b": [a * 30, a * 10, a * 20]}, "tell": say(lambda b: {"last": b, f"of {b}": True})}
    for seed in range(5):
        ran = await shuffled(factory, plan, scripts, [], seed)
        assert ran.result == {"last": 20, "of 30": True, "of 10": True, "of 20": True}


async def test_what_an_output_operation_returns_is_no_input(driver: Driver) -> None:
    plan = flow(output("first", {"a": A}, outputs={"b": B}), output("second", {"b": B}))
    ran = await driver.run(plan, {"first": say(lambda a: {"b": a}), "second": say(lambda b: {"b": b})}, seeds(A, 1))
    assert ran.result == {"first": {"b": 1}}
    assert (ran.calls("second"), ran.ending.inputs) == ([], 1)


async def test_the_output_stage_reads_cleanup_too_and_only_what_has_been_validated(driver: Driver) -> None:
    check = operation("check", {"n": CHECKED}, {"ok": CHECKED}, validator=True)
    tidy = operation("tidy", {"a": A}, {"b": B}, stage=Stage.CLEANUP)
    scripts = {
        "check": lambda n: {"ok": n * 10} if n != 2 else None,
        "tidy": lambda a: {"b": a * 10},
        "tell": multi("checked", "B", "port", "C"),
    }
    sources = {"check": InputFlow({"n": ["seed"]}), "tidy": InputFlow({"a": ["seed"]})}
    plan = flow(check, tidy, output("tell", {"port": PORT}), flow={**sources, "tell": InputFlow({"port": ["seed"]})})
    ran = await driver.run(plan, scripts, seeds(A, 1) + seeds(CHECKED, 1, 2, 3))
    assert ran.calls("tell") == [{"port": 80}]
    assert ran.result == {"checked": [10, 30], "B": [10], "port": [], "C": []}


async def test_equal_values_that_are_one_input_stand_by_their_value(factory: Factory) -> None:
    """Whose value it was that came first is a matter of timing."""
    plan = flow(operation("left", {"a": A}, {"n": ONCE}), output("tell"))
    for seed in range(5):
        scripts = {"left": lambda a: {"n": a % 3}, "tell": multi("once")}
        assert (await shuffled(factory, plan, scripts, seeds(A, 5, 3, 2, 4), seed)).result == {"once": [0, 1, 2]}


@pytest.mark.parametrize(("returned", "shown"), [(7, "int 7"), ("text", "str 'text'"), ([1], "list [1]")])
async def test_a_result_that_is_no_mapping_fails_the_context(driver: Driver, returned: Any, shown: str) -> None:
    await driver.open(flow(output("tell", {"a": A})), seeds(A, 1))
    await driver.complete(await driver.one(), returned)
    failure = (await driver.end()).failure
    assert (failure.reason, failure.instance, failure.inputs) == ("OutputShape", "tell", {"a": 1})
    assert failure.message == f'the output operation "tell" has to return a mapping; it returned {shown}'

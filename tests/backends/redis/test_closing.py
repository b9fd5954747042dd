"""The output stage run ahead of its lease, where nothing else of a context was open: over real servers it counts as if
it had come singly, or is run again over what there is then."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.backends.redis.races import World, world_of
from tests.contract.driver import Reading
from tests.contract.shapes import LOCKED, A, B, C, D, flow, multi, operation, output, seeds
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.plans import Wired
from tidemill.engine.parameters import ParameterSet
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed
from tidemill.plan.compile import compile_plan

WANTED = Definition("wanted", "string")
USE, SECOND = operation("use", {"a": A}, {"b": B}), operation("second", {"b": B}, {"c": C})
TELL = output("tell", {"wanted": WANTED}, retry=2)
WORDS = ("taken", "dispatched", "leased", "completed")
SEEDS: dict[str, Any] = {"seed": [Input("C", WANTED)]}


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        prepared(found)
        yield found


def prepared(world: World) -> None:
    world.driver.scripts.update(second=lambda b: {"c": b + 1}, tell=tells())


def tells() -> Reading:
    """Return the script of ``tell``, whatever its parameter is."""
    return Reading(lambda get, **_: multi("A", "B", "C").read(get))


async def opened(world: World, *values: int) -> None:
    """Open a context of the chain."""
    await world.backend.open("context", compile_plan(flow(USE, SECOND, TELL, **SEEDS)), seeds(A, *values))


def chain(world: World, one: ParameterSet, *values: int) -> tuple[Completed, ParameterSet | None]:
    """Return the report of a chain that has given these, and what comes after it."""
    report = last = Completed(one, {"b": values[0]})
    assert world.network.seal(report)
    for value in values[1:]:
        following = world.network.following(last)
        assert following is not None
        last = Completed(following, {"c": value})
        assert world.network.seal(last)
        report.ahead.append(last)
    return report, world.network.closing(report)


async def closed(world: World, one: ParameterSet, runs: bool = False) -> Completed:
    """Return the report of a chain with the output stage after it; it still runs."""
    report, tell = chain(world, one, 10, 20)
    assert tell is not None
    assert tell.arguments() == {"wanted": "C"}
    if runs:
        report.ahead.append(tell)
    else:
        report.ahead.append(await told(world, tell, "seen"))
    return report


async def told(world: World, tell: ParameterSet, *notes: str) -> Completed:
    """Return what ``tell`` says of what it sees."""
    found = {}
    for name in "ABC":
        found[name] = [item.value for item in await world.backend.inputs.inputs(tell.context, name)]
    report = Completed(tell, found, notes)
    assert world.network.seal(report)
    return report


async def counters(world: World) -> dict[str, int]:
    """Return the counters of parameter sets, without the digest of the plan."""
    flat = await world.redis.hgetall(world.client.key("counts", ""))
    return {name.decode().split(" ", 1)[-1]: int(many) for name, many in flat.items()}


async def result(world: World) -> dict[str, list[int]]:
    """Have everything else done, and return what the context tells."""
    await world.driver.drain()
    return dict((await world.driver.end()).result)


async def test_the_output_stage_ends_its_context_with_what_it_comes_after(world: World) -> None:
    await opened(world, 1)
    await world.report("w1", await closed(world, await world.one("w1")))
    counted = {f"{op} {word}": 1 for op in range(3) for word in WORDS}
    assert await counters(world) == {**counted, "opened": 1, "succeeded": 1}
    assert await world.redis.hlen(world.client.key("held", "w1")) == 0
    ending = await world.backend.ending("context")
    assert (ending.result, ending.notes) == ({"A": [1], "B": [10], "C": [20]}, ("seen",))
    assert world.refused == 0


async def test_it_leaves_the_events_and_the_lineage_that_it_would_have_left() -> None:
    found = []
    for ahead in (True, False):
        async with world_of("valkey") as world:
            prepared(world)
            backend = RedisBackend(world.client, journal=1000, lineage=True)
            plan = compile_plan(flow(USE, SECOND, TELL, **SEEDS))
            await backend.open("context", plan, seeds(A, 1))
            report, tell = chain(world, await world.one("w1"), 10, 20)
            assert tell is not None
            report.ahead += [await told(world, tell)] if ahead else []
            await world.report("w1", report)
            await world.driver.drain("w1")
            ending = await backend.ending("context")
            found.append(([one.plain() async for one in backend.journal("context")], ending.lineage(), ending.result))
            await backend.shut()
    assert found[0] == found[1]
    assert found[0][2] == {"A": [1], "B": [10], "C": [20]}


async def test_where_more_has_come_meanwhile_it_is_run_again_over_all(world: World) -> None:
    await opened(world, 1)
    report = await closed(world, await world.one("w1"))
    await world.backend.add("context", seeds(A, 2))
    await world.report("w1", report)
    assert world.refused == 1
    assert await result(world) == {"A": [1, 2], "B": [10, 2], "C": [20, 3]}


async def test_where_more_has_come_and_gone_meanwhile_it_is_run_again_over_all(world: World) -> None:
    await opened(world, 1)
    report = await closed(world, await world.one("w1"))
    await world.backend.add("context", seeds(A, 2))
    await world.report("w2", chain(world, await world.one("w2"), 11, 21)[0])
    await world.report("w1", report)
    assert world.refused == 1
    assert (await counters(world))["1 dispatched"] == 1
    assert (await counters(world)).get("1 leased") is None
    assert await result(world) == {"A": [1, 2], "B": [10, 11], "C": [20, 21]}
    assert (await counters(world))["1 taken"] == 1


async def test_what_still_runs_of_it_is_leased_with_the_report(world: World) -> None:
    await opened(world, 1)
    report = await closed(world, await world.one("w1"), runs=True)
    await world.report("w1", report)
    running = report.ahead[-1]
    assert isinstance(running, ParameterSet)
    assert (running.worker, running.leases) == ("1:0", 1)
    assert await world.lease("w2", 5) == []  # it is leased to nobody else
    await world.report("w1", await told(world, running))
    assert await result(world) == {"A": [1], "B": [10], "C": [20]}
    assert world.refused == 0


async def test_what_still_runs_of_it_when_more_has_come_is_not_leased(world: World) -> None:
    await opened(world, 1)
    report = await closed(world, await world.one("w1"), runs=True)
    await world.backend.add("context", seeds(A, 2))
    await world.report("w1", report)
    assert report.ahead[-1].worker is None  # type: ignore[union-attr]
    assert await result(world) == {"A": [1, 2], "B": [10, 2], "C": [20, 3]}


async def test_what_runs_on_under_a_lease_of_its_own_does_not_take_old_inputs_for_all(world: World) -> None:
    await opened(world, 1)
    report, _ = chain(world, await world.one("w1"), 10)
    second = world.network.following(report)
    assert second is not None
    report.ahead.append(second)
    await world.report("w1", report)
    last = Completed(second, {"c": 20})
    assert world.network.seal(last)
    assert world.network.closing(last) is None
    await world.report("w1", last)
    assert await result(world) == {"A": [1], "B": [10], "C": [20]}
    assert world.refused == 0


async def test_of_a_context_that_was_cancelled_nothing_is_made_of_it(world: World) -> None:
    await opened(world, 1)
    report = await closed(world, await world.one("w1"))
    await world.backend.cancel("context")
    await world.report("w1", report)
    assert world.refused == 2
    failure = (await world.driver.end()).ending.failure
    assert failure is not None
    assert failure.reason == "Cancelled"


async def test_where_something_else_is_open_it_is_not_looked_for(world: World) -> None:
    await opened(world, 1, 2)
    first, second = await world.lease("w1", 2)
    assert chain(world, first, 10, 20)[1] is None
    await world.report("w1", chain(world, first, 10, 20)[0])
    assert chain(world, second, 11, 21)[1] is None
    await world.report("w1", chain(world, second, 11, 21)[0])
    assert await result(world) == {"A": [1, 2], "B": [10, 11], "C": [20, 21]}


async def test_where_a_context_is_held_open_it_is_not_looked_for(world: World) -> None:
    plan = compile_plan(flow(USE, SECOND, TELL, **SEEDS))
    await world.backend.open("context", plan, seeds(A, 1), hold=True)
    report, tell = chain(world, await world.one("w1"), 10, 20)
    assert tell is None
    await world.report("w1", report)
    await world.backend.close("context")
    assert await result(world) == {"A": [1], "B": [10], "C": [20]}


async def test_where_its_parameter_has_no_input_or_two_it_is_not_run(world: World) -> None:
    for name, many in (("none", 0), ("two", 2)):
        brought = [Input("C", WANTED)] * many
        plan = compile_plan(flow(USE, SECOND, TELL, seed=brought))
        await world.backend.open(name, plan, seeds(A, 1))
        report, tell = chain(world, await world.one("w1"), 10, 20)
        assert tell is None
        await world.report("w1", report)
        await world.driver.drain()
    assert (await world.driver.end("none")).result == {}


# -- reports that are not true ----------------------------------------------------------------------------------------

Wrong = Callable[[list[Any]], None]


def of_another_operation(said: list[Any]) -> None:
    said[7][-1][0] = 0


def of_another_identity(said: list[Any]) -> None:
    said[7][-1][2] = "0:0"


def of_other_inputs(said: list[Any]) -> None:
    said[7][-1][2] = "1:1"


def over_more_inputs(said: list[Any]) -> None:
    said[7][-1][3] += 1


def over_fewer_inputs(said: list[Any]) -> None:
    said[7][-1][3] -= 1


def with_outputs(said: list[Any]) -> None:
    said[7][-1][1] = said[4]


def before_the_end(said: list[Any]) -> None:
    said[7] = [said[7][-1], said[7][0]]


def instead_of_what_follows(said: list[Any]) -> None:
    said[7] = [said[7][-1]]


def of_what_comes_before(said: list[Any]) -> None:
    said[7] = [[0, [], "0:2", -1, [], b"\xc0"]]


def by_a_number(said: list[Any]) -> None:
    said[7][-1][2] = 7


def twice(said: list[Any]) -> None:
    said[7].append(said[7][-1])


WRONG: dict[Wrong, int] = {
    of_another_operation: 1, of_another_identity: 1, of_other_inputs: 3, over_more_inputs: 3, over_fewer_inputs: 3,
    with_outputs: 1, before_the_end: 1, instead_of_what_follows: 1, of_what_comes_before: 1, by_a_number: 1, twice: 1,
}  # fmt: skip
"""What is not so, and how many parameter sets have been completed by such a report, but for the one that is not."""


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
async def test_what_is_not_so_is_refused(world: World, wrong: Wrong) -> None:
    await opened(world, 1)
    one = await world.one("w1")
    report = await closed(world, one)
    assert isinstance(report.ahead[-1], Completed)
    report.ahead[-1].said[6] = b"\xc0"  # what nobody has told
    said = world.network._report(report)
    said[3] = one.leases
    wrong(said)
    await world.client.call("cycle", "w1", "default", [said], 0, 0.0, world.nonce(), -1)
    assert world.refused == 1
    counted = await counters(world)
    assert sum(many for name, many in counted.items() if name.endswith("completed")) == min(WRONG[wrong], 2)
    follows = 20 if WRONG[wrong] == 3 else 11
    assert await result(world) == {"A": [1], "B": [10], "C": [follows]}


# -- what may be run ahead --------------------------------------------------------------------------------------------


def ends(dataflow: DataFlow, instance: str = "use") -> bool:
    """Say whether whoever runs on from an operation may come to the output stage."""
    wired = Wired(compile_plan(dataflow))
    return wired._ends(wired.plan.operations[wired.plan.instances[instance].index])


def test_a_chain_to_whose_end_nothing_is_missing_ends() -> None:
    assert ends(flow(USE, TELL))
    assert ends(flow(USE, SECOND, TELL))
    assert ends(flow(USE, SECOND, output("tell")))
    assert ends(flow(operation("use", {"a": A}, {"b": B, "c": C}), TELL))
    longest = [Definition(f"x{at}", "int") for at in range(7)]
    steps = [operation(f"s{at}", {"x": longest[at]}, {"y": longest[at + 1]}) for at in range(6)]
    assert [ends(flow(*steps, TELL), f"s{at}") for at in range(6)] == [False, True, True, True, True, True]


NEVER = {
    "no output stage": flow(USE, SECOND),
    "two operations in it": flow(USE, SECOND, TELL, output("other")),
    "two parameters": flow(USE, SECOND, output("tell", {"wanted": WANTED, "d": D})),
    "it takes what comes last": flow(USE, SECOND, output("tell", {"c": C})),
    "clean-up": flow(USE, SECOND, TELL, operation("clean", {"d": D}, stage=Stage.CLEANUP)),
    "a default": flow(USE, SECOND, TELL, operation("other", {"z": Definition("z", "int", default=1)})),
    "another pool": flow(USE, SECOND, output("tell", pool="far")),
    "places": flow(USE, SECOND, output("tell", concurrency=1)),
    "a condition": flow(USE, SECOND, output("tell", conditions=[Definition("condition", "bool")])),
    "locks": flow(USE, SECOND, TELL, operation("other", {"l": LOCKED})),
    "nothing is given": flow(operation("use", {"a": A}), TELL),
    "others are concerned": flow(USE, SECOND, TELL, operation("third", {"b": B, "c": C})),
    "equal values once": flow(operation("use", {"a": A}, {"b": Definition("o", "int", dedupe="value")}), TELL),
}


@pytest.mark.parametrize("why", NEVER)
def test_otherwise_it_does_not(why: str) -> None:
    assert not ends(NEVER[why])

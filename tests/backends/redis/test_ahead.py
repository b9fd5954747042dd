"""What runners run ahead of their leases, over real servers: it counts as if it had come singly, or not at all."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any

import pytest

from tests.backends.redis.races import World, world_of
from tests.contract.shapes import LOCKED, A, B, C, D, E, flow, multi, operation, output, seeds
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.groups import RedisGroups
from tidemill.backends.redis.plans import Wired
from tidemill.engine.parameters import ParameterSet
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.limits import Limits
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed
from tidemill.plan.compile import compile_plan

NAMES = {"use": "b", "second": "c", "third": "d"}
TELL = output("tell")
CHAIN = (
    operation("use", {"a": A}, {"b": B}),
    operation("second", {"b": B}, {"c": C}),
    operation("third", {"c": C}, {"d": D}),
    operation("fourth", {"d": D}, {"e": E}),
    TELL,
)


SCRIPTS: dict[str, Any] = {
    "second": lambda b: {"c": b + 1},
    "third": lambda c: {"d": c + 1},
    "fourth": lambda d: {"e": d + 1},
    "tell": multi("B", "C", "D", "E"),
}


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        found.driver.scripts.update(SCRIPTS)
        yield found


async def opened(world: World, *values: int, limits: Limits | None = None, group: str = "") -> None:
    """Open a context of the chain."""
    chain = flow(*CHAIN, limits=limits) if limits else flow(*CHAIN)
    await world.backend.open("context", compile_plan(chain), seeds(A, *values), group=group)


def ran(world: World, one: ParameterSet, *values: int, runs: bool = False) -> Completed:
    """Return the report of ``use`` and of what was run ahead of it, with these outputs; the last one still runs."""
    report = last = completed(world, one, values[0])
    for value in values[1:]:
        following = world.network.following(last)
        assert following is not None
        last = completed(world, following, value)
        report.ahead.append(last)
    if runs:
        following = world.network.following(last)
        assert following is not None
        report.ahead.append(following)
    return report


def completed(world: World, one: ParameterSet, value: int) -> Completed:
    report = Completed(one, {NAMES[one.operation.instance]: value})
    assert world.network.seal(report)
    return report


async def tells(world: World) -> dict[str, list[int]]:
    """Have everything else done, and return what the context tells."""
    await world.driver.drain()
    return dict((await world.driver.end()).result)


async def counters(world: World) -> dict[str, int]:
    """Return the counters of parameter sets, without the digest of the plan."""
    flat = await world.redis.hgetall(world.client.key("counts", ""))
    return {name.decode().split(" ", 1)[-1]: int(many) for name, many in flat.items()}


async def test_what_was_run_ahead_counts_as_if_it_had_come_singly(world: World) -> None:
    await opened(world, 1)
    await world.report("w1", ran(world, await world.one("w1"), 10, 20, 30))
    assert await counters(world) == {
        **{f"{op} {word}": 1 for op in (1, 3, 4) for word in ("taken", "dispatched", "leased", "completed")},
        **{f"{op} {word}": 1 for op in (0,) for word in ("taken", "dispatched")},
        "opened": 1,
    }
    assert await world.redis.hlen(world.client.key("held", "w1")) == 0
    assert await tells(world) == {"B": [10], "C": [20], "D": [30], "E": [31]}
    assert world.refused == 0


async def test_what_was_run_ahead_has_the_lineage_that_it_would_have_had() -> None:
    found = []
    for values in ((10, 20, 30), (10,)):
        async with world_of("valkey") as world:
            world.driver.scripts.update({**SCRIPTS, "second": lambda b: {"c": 20}, "third": lambda c: {"d": 30}})
            backend = RedisBackend(world.client, lineage=True)
            await backend.open("context", compile_plan(flow(*CHAIN)), seeds(A, 1))
            await world.report("w1", ran(world, await world.one("w1"), *values))
            await world.driver.drain()
            found.append((await backend.ending("context")).lineage())
            await backend.shut()
    assert found[0] == found[1]
    assert len(found[0]) == 5


async def test_the_journal_has_the_events_that_it_would_have_had() -> None:
    found = []
    for values in ((10, 20, 30), (10,)):
        async with world_of("valkey") as world:
            world.driver.scripts.update({**SCRIPTS, "second": lambda b: {"c": 20}, "third": lambda c: {"d": 30}})
            backend = RedisBackend(world.client, journal=1000)
            await backend.open("context", compile_plan(flow(*CHAIN)), seeds(A, 1))
            await world.report("w1", ran(world, await world.one("w1"), *values))
            await world.driver.drain("w1")
            assert (await backend.ending("context")).failure is None
            found.append([one.plain() async for one in backend.journal("context")])
            await backend.shut()
    ahead, singly = found
    assert ahead == singly
    assert [one["kind"] for one in ahead].count("completed") == 5


async def test_what_comes_after_it_singly_is_leased_to_whoever_wants_it(world: World) -> None:
    await opened(world, 1, 2)
    first, second = await world.lease("w1", 2)
    await world.report("w1", ran(world, first, 10, 20), ran(world, second, 11))
    leased = await world.lease("w2", 5)
    assert sorted(one.operation.instance for one in leased) == ["second", "third"]
    await world.workers.lose("w2", "default", released=True)
    assert await tells(world) == {"B": [10, 11], "C": [20, 12], "D": [21, 13], "E": [22, 14]}


@pytest.mark.parametrize("many", [8, 9])
async def test_only_so_many_come_with_one_report(world: World, many: int) -> None:
    again = compile_plan(flow(operation("again", {"a": A}, {"a": A}), output("tell")))
    world.driver.scripts.update(again=lambda a: None, tell=multi("A"))
    await world.backend.open("context", again, seeds(A, 0))
    one = await world.one("w1")
    report = last = Completed(one, {"a": 1})
    for value in range(many):
        assert world.network.seal(last)
        following = world.network.following(last)
        assert following is not None
        last = Completed(following, {"a": 2 + value})
        report.ahead.append(last)
    assert world.network.seal(last)
    await world.report("w1", report)
    assert world.refused == many - 8
    taken = 9 if many == 8 else 1
    assert (await tells(world))["A"] == list(range(taken + 1))


async def test_what_still_runs_is_leased_with_the_report(world: World) -> None:
    await opened(world, 1)
    report = ran(world, await world.one("w1"), 10, 20, runs=True)
    await world.report("w1", report)
    running = report.ahead[-1]
    assert isinstance(running, ParameterSet)
    assert running.worker == "3:2"
    assert running.leases == 1
    assert await world.lease("w2", 5) == []  # it is leased to nobody else
    await world.report("w1", completed(world, running, 99))
    assert await tells(world) == {"B": [10], "C": [20], "D": [99], "E": [100]}
    assert world.refused == 0


async def test_what_still_runs_goes_to_others_when_its_runner_is_lost(world: World) -> None:
    await opened(world, 1)
    report = ran(world, await world.one("w1"), 10, runs=True)
    await world.report("w1", report)
    assert await world.workers.lose("w1", "default") == 1
    again = await world.one("w2")
    assert (again.operation.instance, again.lost, again.leases) == ("second", 1, 2)
    await world.report("w2", completed(world, again, 5))
    assert (await tells(world))["C"] == [5]


async def test_a_report_that_is_repeated_leases_what_still_runs_under_the_same_number(world: World) -> None:
    await opened(world, 1)
    report, nonce = ran(world, await world.one("w1"), 10, runs=True), world.nonce()
    report.lease = 1
    running = report.ahead[-1]
    assert isinstance(running, ParameterSet)
    heard: list[tuple[str | None, int]] = []
    for _ in range(2):
        running.worker = None
        await world.network.exchange("w1", (report,), 0, nonce)
        heard.append((running.worker, running.leases))
    assert heard == [("1:1", 1), ("1:1", 1)]
    assert world.refused == 0
    await world.report("w1", completed(world, running, 5))
    assert (await tells(world))["C"] == [5]


async def test_what_is_run_ahead_of_a_lease_that_is_over_counts_nothing(world: World) -> None:
    await opened(world, 1)
    late = ran(world, await world.one("w1"), 10, 20, runs=True)
    await world.workers.lose("w1", "default", released=True)
    await world.one("w1")
    await world.report("w1", late)
    assert late.ahead[-1].worker is None  # type: ignore[union-attr]
    assert world.refused == 1
    assert (await counters(world)).get("1 taken") is None


async def test_of_a_context_that_was_cancelled_nothing_is_made_of_what_was_run_ahead(world: World) -> None:
    await opened(world, 1, 2)
    first, second = await world.lease("w1", 2)
    await world.backend.cancel("context")
    await world.report("w1", ran(world, first, 10, 20, runs=True))
    assert world.refused == 2  # of one that was completed, and one that ran
    await world.report("w1", ran(world, second, 11))
    ran_out = await world.driver.end()
    assert ran_out.ending.failure is not None
    assert ran_out.ending.failure.reason == "Cancelled"


async def test_a_limit_that_is_reached_ahead_drops_what_comes_after_it(world: World) -> None:
    await opened(world, 1, limits=Limits(parameter_sets=2))
    await world.report("w1", ran(world, await world.one("w1"), 10, 20, 30))
    failure = (await world.driver.end()).ending.failure
    assert failure is not None
    assert failure.reason == "ParameterSetLimitExceeded"
    assert world.refused == 1


async def test_what_ran_when_its_group_was_suspended_is_done_and_nothing_else_is_leased(world: World) -> None:
    groups = RedisGroups(world.client)
    await opened(world, 1, group="g")
    one = await world.one("w1")
    await groups.suspend("g")
    await world.report("w1", ran(world, one, 10, 20))
    assert await world.lease("w1", 5) == []
    counts = await groups.counts("g")
    assert counts.aside == 1
    assert sum(one.counts.completed for one in counts.operations) == 2
    await groups.resume("g")
    assert (await tells(world))["E"] == [22]


# -- reports that are not true ----------------------------------------------------------------------------------------

Wrong = Callable[[list[Any], Wired], None]


def other_operation(said: list[Any], wired: Wired) -> None:
    said[7] = [[wired.plan.instances["third"].index, said[7][0][1]]]


def outputs_of_another(said: list[Any], wired: Wired) -> None:
    said[7][0][1] = said[4]


def outputs_of_nobody(said: list[Any], wired: Wired) -> None:
    said[7][0][1] = [[9999, b"", 0, "T", b""]]


def given_by_nobody(said: list[Any], wired: Wired) -> None:
    said[7][0][1] = [[["wseed", "C", 0, False, False], b"", 0, "T", b""]]


def too_many(said: list[Any], wired: Wired) -> None:
    said[7] = said[7] * 9


def repeated(said: list[Any], wired: Wired) -> None:
    said[7] = said[7] * 2


def beyond_what_runs(said: list[Any], wired: Wired) -> None:
    said[7] = [[said[7][0][0]], said[7][0]]


def of_several_outputs(said: list[Any], wired: Wired) -> None:
    said[4] = said[4] * 2


def no_list(said: list[Any], wired: Wired) -> None:
    said[7] = 7


def no_operation(said: list[Any], wired: Wired) -> None:
    said[7] = [[False, said[7][0][1]]]


WRONG = (
    other_operation, outputs_of_another, outputs_of_nobody, given_by_nobody, too_many, repeated, beyond_what_runs,
    of_several_outputs, no_list, no_operation,
)  # fmt: skip


@pytest.mark.parametrize("wrong", WRONG, ids=lambda wrong: wrong.__name__)
async def test_of_what_is_not_so_everything_beyond_the_lease_is_refused(world: World, wrong: Wrong) -> None:
    await opened(world, 1)
    one = await world.one("w1")
    said = world.network._report(ran(world, one, 10, 66))
    said[3] = one.leases
    wrong(said, one.context.wired)
    await world.client.call("cycle", "w1", "default", [said], 0, 0.0, world.nonce(), -1)
    assert world.refused == 1
    outputs = [10] * len(said[4])
    follows = [value + 1 for value in outputs]
    assert await tells(world) == {
        "B": outputs, "C": follows, "D": [value + 1 for value in follows], "E": [value + 2 for value in follows],
    }  # fmt: skip


# -- what may be run ahead --------------------------------------------------------------------------------------------


def follows(dataflow: DataFlow) -> str | None:
    """Return what may be run ahead of ``use``."""
    wired = Wired(compile_plan(dataflow))
    found = wired.follows.get(wired.number(wired.outputs[wired.plan.instances["use"].index]["b"]))
    return found.instance if found is not None else None


USE = operation("use", {"a": A}, {"b": B})


def test_what_is_certain_may_be_run_ahead() -> None:
    assert follows(flow(USE, operation("second", {"b": B}, {"c": C}))) == "second"
    assert follows(flow(USE, operation("second", {"b": B}, {"c": C}, retry=3, backoff=1.0))) == "second"
    assert follows(flow(USE, operation("second", {"b": B}, {"c": C}), operation("other", {"c": C}))) == "second"


CHECKED = Definition("v", "int", validate="check")
CONDITION = Definition("condition", "bool")
NOT_CERTAIN = {
    "nothing": flow(USE),
    "two operations": flow(USE, operation("second", {"b": B}, {"c": C}), operation("other", {"b": B})),
    "two parameters": flow(USE, operation("second", {"b": B, "a": A}, {"c": C})),
    "a default": flow(USE, operation("second", {"b": B, "d": Definition("z", "int", default=1)}, {"c": C})),
    "a condition": flow(USE, operation("second", {"b": B}, {"c": C}, conditions=[CONDITION])),
    "places": flow(USE, operation("second", {"b": B}, {"c": C}, concurrency=2)),
    "another pool": flow(USE, operation("second", {"b": B}, {"c": C}, pool="far")),
    "another stage": flow(USE, operation("second", {"b": B}, {"c": C}, stage=Stage.CLEANUP)),
    "the output stage": flow(USE, output("second", {"b": B})),
    "locks": flow(USE, operation("second", {"b": B}, {"c": C}), operation("other", {"l": LOCKED})),
    "a list": flow(
        operation("use", {"a": A}, {"b": B}, expand=["b"]), operation("second", {"b": B}, {"c": C})
    ),
    "clean-up": flow(
        operation("use", {"a": A}, {"b": B}, stage=Stage.CLEANUP),
        operation("second", {"b": B}, {"c": C}, stage=Stage.CLEANUP),
    ),
    "equal values once": flow(
        operation("use", {"a": A}, {"b": Definition("once", "int", dedupe="value")}),
        operation("second", {"b": Definition("once", "int", dedupe="value")}, {"c": C}),
    ),
    "a validator": flow(
        operation("use", {"a": A}, {"b": CHECKED}),
        operation("check", {"x": CHECKED}, {"x": CHECKED}, validator=True),
        operation("second", {"b": CHECKED}, {"c": C}),
    ),
}  # fmt: skip


@pytest.mark.parametrize("why", NOT_CERTAIN)
def test_what_is_not_certain_is_not_run_ahead(why: str) -> None:
    assert follows(NOT_CERTAIN[why]) is None


def test_an_output_that_opens_a_door_is_not_certain_to_do_one_thing() -> None:
    gate = Definition("gate", "bool")
    use = operation("use", {"a": A}, {"b": gate})
    second = operation("second", {"b": gate}, {"c": C})
    assert follows(flow(use, second)) == "second"
    assert follows(flow(use, second, operation("other", {"a": A}, conditions=[gate]))) is None


async def test_several_outputs_or_none_are_not_followed(world: World) -> None:
    await opened(world, 1)
    one = await world.one("w1")
    nothing = Completed(one, None)
    assert world.network.seal(nothing)
    assert world.network.following(nothing) is None
    wrong = Completed(one, {"b": "text"})
    assert not world.network.seal(wrong)
    await world.report("w1", wrong)
    failure = (await world.driver.end()).ending.failure
    assert failure is not None
    assert (failure.reason, failure.instance) == ("TypeMismatch", "use")

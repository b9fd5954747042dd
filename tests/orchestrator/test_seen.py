"""What is seen of a run: its progress, what its inputs were made from, and an order that can be repeated."""

from __future__ import annotations

import asyncio
import dataclasses
from typing import Any

import pytest

from tests.orchestrator.support import MULTI, listed, outcome_of
from tidemill import DataFlow, Definition, GetMulti, Input, MemoryOrchestrator, noasync, op, run

NUMBER, DOUBLED, SUM = Definition("number", "int"), Definition("doubled", "int"), Definition("sum", "int", default=0)


@op(name="double", inputs={"x": NUMBER}, outputs={"y": DOUBLED}, retry=2, backoff=0)
async def double(x: int) -> dict[str, int]:
    if x < 0:
        raise ValueError(f"{x} is below zero")
    return {"y": 2 * x}


@op(name="add", inputs={"x": DOUBLED, "y": NUMBER, "z": Definition("more", "int", default=0)}, outputs={"sum": SUM})
async def add(x: int, y: int, z: int) -> dict[str, int]:
    return {"sum": x + y + z}


FLOW = DataFlow(double, add)


def given(*numbers: int) -> list[Input]:
    return [Input(number, NUMBER) for number in numbers]


# -- progress -------------------------------------------------------------------------------------------------------


async def test_progress_counts_contexts_and_parameter_sets() -> None:
    async with MemoryOrchestrator() as orchestrator, orchestrator(FLOW) as octx:
        before = octx.progress()
        assert before.contexts == {"open": 0, "succeeded": 0, "failed": 0}
        await listed(octx.outcomes({"a": given(1, 2), "b": given(-1), "c": given(3)}))
        after = octx.progress()
    assert after.contexts == {"open": 0, "succeeded": 2, "failed": 1}
    assert before.elapsed <= after.elapsed
    assert dataclasses.asdict(after.operations["double"]) == {
        "taken": 4, "dispatched": 5, "leased": 5, "completed": 3, "failed": 1, "retried": 1
    }  # fmt: skip
    assert after.operations["add"].completed == 4 + 1
    assert after.blocked == {}


async def test_progress_is_seen_while_a_run_goes_on() -> None:
    began, go = asyncio.Event(), asyncio.Event()

    @op(name="wait", inputs={"x": NUMBER}, outputs={})
    async def wait(x: int) -> None:
        began.set()
        await go.wait()

    async with MemoryOrchestrator() as orchestrator, orchestrator(DataFlow(wait)) as octx:
        task = asyncio.create_task(listed(octx.run({"a": given(1)})))
        await began.wait()
        progress = octx.progress()
        go.set()
        await task
    assert progress.contexts == {"open": 1, "succeeded": 0, "failed": 0}
    assert (progress.operations["wait"].leased, progress.operations["wait"].completed) == (1, 0)


# -- lineage --------------------------------------------------------------------------------------------------------


async def test_lineage_tells_what_each_input_was_made_from() -> None:
    outcome = await outcome_of(FLOW, Input(3, NUMBER, uid="three"), lineage=True)
    seed, doubled, summed = outcome.lineage()
    assert (seed.definition, seed.origin, seed.value, seed.parents) == ("number", "seed", 3, ())
    assert (doubled.definition, doubled.origin, doubled.value) == ("doubled", ("double", "y"), 6)
    assert doubled.parents == (seed.id,)
    assert (summed.value, summed.parents) == (9, (doubled.id, seed.id, "default"))
    assert seed.parameter_set is None
    assert len({seed.id, doubled.id, summed.id, doubled.parameter_set, summed.parameter_set}) == 5
    assert outcome.inputs == 3
    assert outcome.parameter_sets == 2


async def test_lineage_is_the_same_for_every_order() -> None:
    told = {
        tuple(sorted((record.id, record.parents) for record in (
            await outcome_of(FLOW, *given(1, 2, 3), lineage=True, seed=seed, workers=1)
        ).lineage()))
        for seed in range(5)
    }  # fmt: skip
    assert len(told) == 1


async def test_without_being_asked_for_there_is_no_lineage() -> None:
    assert (await outcome_of(FLOW, *given(1))).lineage() == []


async def test_the_lineage_of_a_failed_context_is_told_too() -> None:
    outcome = await outcome_of(FLOW, *given(-1), lineage=True)
    assert [record.value for record in outcome.lineage()] == [-1]


# -- an order that can be repeated ----------------------------------------------------------------------------------


def traced() -> tuple[DataFlow, list[Any]]:
    """Return a data flow, and where its calls are written down."""
    calls: list[Any] = []

    @op(name="one", inputs={"x": NUMBER}, outputs={"y": DOUBLED})
    async def one(x: int) -> dict[str, int]:
        calls.append(("one", x))
        await asyncio.sleep(0)
        return {"y": 2 * x}

    @op(name="two", inputs={"x": DOUBLED, "y": NUMBER}, outputs={"sum": SUM})
    async def two(x: int, y: int) -> dict[str, int]:
        calls.append(("two", x, y))
        return {"sum": x + y}

    return DataFlow(one, two, GetMulti, seed=[Input(["doubled", "sum"], MULTI)]), calls


async def order(seed: int | None) -> tuple[list[Any], Any]:
    flow, calls = traced()
    found = [pair async for pair in run(flow, {"a": given(*range(5)), "b": given(5, 6)}, seed=seed)]
    return calls, {str(ctx): result for ctx, result in found}


async def test_one_seed_is_one_order_and_another_is_another() -> None:
    orders = [(await order(seed))[0] for seed in range(6)]
    assert [(await order(seed))[0] for seed in range(6)] == orders
    assert len({tuple(calls) for calls in orders}) > 1
    assert len({tuple(sorted(calls, key=str)) for calls in orders}) == 1


async def test_no_order_changes_a_result() -> None:
    _, expected = await order(None)
    assert expected["b"] == {"doubled": [10, 12], "sum": [15, 16, 17, 18]}
    for seed in range(20):
        assert (await order(seed))[1] == expected


@pytest.mark.parametrize("workers", [1, 2, 50])
async def test_no_number_of_workers_changes_a_result(workers: int) -> None:
    flow, _ = traced()
    orchestrator = MemoryOrchestrator(workers=workers, seed=1)
    found = await listed(run(flow, {"b": given(5, 6)}, orchestrator=orchestrator))
    assert [result for _, result in found] == [{"doubled": [10, 12], "sum": [15, 16, 17, 18]}]


def test_an_order_is_repeated_without_an_event_loop_too() -> None:
    calls = []
    for _ in range(2):
        flow, called = traced()
        list(noasync.run(flow, {"a": given(1, 2, 3)}, seed=7))
        calls.append(called)
    assert calls[0] == calls[1]

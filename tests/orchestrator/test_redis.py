"""The orchestrator over a store gives what the one in memory gives, and any process that shares the store may work."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.stores import server
from tests.orchestrator.support import MULTI, listed
from tidemill import (
    DataFlow,
    Definition,
    DuplicateContext,
    GetMulti,
    Input,
    InvalidInput,
    MemoryOrchestrator,
    OperationException,
    Outcome,
    RunDataFlowConfig,
    StoreMisconfigured,
    TidemillError,
    op,
    run,
    run_dataflow,
)
from tidemill.orchestrator.redis import RedisOrchestrator, RedisOrchestratorContext

NUMBER, DOUBLED, PART = Definition("number", "int"), Definition("doubled", "int"), Definition("part", "int")


@op(name="double", inputs={"x": NUMBER}, outputs={"y": DOUBLED}, retry=2, backoff=0)
async def double(x: int) -> dict[str, int]:
    if x < 0:
        raise ValueError(f"{x} is below zero")
    return {"y": 2 * x}


@op(name="split", inputs={"x": DOUBLED}, outputs={"part": PART})
async def split(x: int) -> AsyncIterator[dict[str, int]]:
    for part in range(x):
        yield {"part": part}


FLOW = DataFlow(
    double, split, GetMulti, seed=[Input(["doubled", "part"], MULTI)],
    configs={"get_multi": {"nostrict": ["doubled", "part"]}},
)  # fmt: skip


def given(*numbers: int) -> list[Input]:
    return [Input(number, NUMBER) for number in numbers]


@pytest.fixture
def store() -> dict[str, Any]:
    """The keywords of an orchestrator with a corner of a server for itself."""
    return {"url": server("valkey"), "prefix": f"o{uuid.uuid4().hex}:", "durability": "none"}


async def results(orchestrator: Any, *sets: Any, **keywords: Any) -> dict[str, Any]:
    return {
        ctx.as_string(): result async for ctx, result in named(run(FLOW, *sets, orchestrator=orchestrator, **keywords))
    }


async def begun(octx: RedisOrchestratorContext) -> None:
    """Wait until the store has the first context."""
    async with asyncio.timeout(120):
        while not (await octx.backend.counts(octx.plan))["double"].taken:
            pass


async def named(pairs: Any) -> AsyncIterator[tuple[Any, Any]]:
    async for ctx, result in pairs:
        yield await ctx.handle(), result


async def test_a_run_over_a_store_gives_what_one_in_memory_gives(store: dict[str, Any]) -> None:
    sets = {"a": given(1, 2), "b": given(3), "c": []}
    expected = await results(MemoryOrchestrator(), sets)
    assert await results(RedisOrchestrator(**store), sets) == expected
    assert expected["a"] == {"doubled": [2, 4], "part": [0, 1, 0, 1, 2, 3]}


async def test_a_store_of_this_machine_is_started_for_a_run() -> None:
    assert await results(RedisOrchestrator(), {"a": given(1)}) == {"a": {"doubled": [2], "part": [0, 1]}}


async def test_a_failed_context_stops_no_other_and_says_why(store: dict[str, Any]) -> None:
    async with RedisOrchestrator(**store) as orchestrator, orchestrator(FLOW) as octx:
        found = {one.name: one for one in await listed(octx.outcomes({"a": given(-1), "b": given(1)}))}
        assert found["b"].result == {"doubled": [2], "part": [0, 1]}
        failure = found["a"].failure
        assert failure is not None
        assert (failure.reason, failure.instance, failure.inputs) == ("Exception", "double", {"x": -1})
        assert failure.traceback is not None and "below zero" in failure.traceback
        with pytest.raises(OperationException, match="below zero"):
            await listed(octx.run({"d": given(-1)}))


async def test_many_contexts_are_opened_in_few_calls_and_their_progress_is_seen(store: dict[str, Any]) -> None:
    async with RedisOrchestrator(**store, max_ctxs=50) as orchestrator, orchestrator(FLOW) as octx:
        before = await octx.backend.client.redis.info("commandstats")
        sets = [{f"c{at}": given(at % 3)} for at in range(300)]
        found = await listed(octx.outcomes(*sets))
        assert sorted(one.name for one in found) == sorted(f"c{at}" for at in range(300))
        assert [one.result["doubled"] for one in found if one.result] == [
            [2 * (int(one.name[1:]) % 3)] for one in found
        ]
        octx.progress()
        await octx._looking  # type: ignore[misc]
        seen = octx.progress()
        assert seen.contexts == {"open": 0, "succeeded": 300, "failed": 0}
        assert (seen.operations["double"].completed, seen.operations["get_multi"].completed) == (300, 300)
        calls = await octx.backend.client.redis.info("commandstats")
        assert calls["cmdstat_fcall"]["calls"] - before["cmdstat_fcall"]["calls"] < 300


async def test_others_that_share_the_store_do_the_work(store: dict[str, Any]) -> None:
    async with RedisOrchestrator(**store, workers=0) as submitting, submitting(FLOW) as octx:
        waiting = asyncio.create_task(listed(octx.outcomes({"a": given(1, 2)})))
        await begun(octx)
        async with RedisOrchestrator(**store) as working, working(FLOW):
            (found,) = await asyncio.wait_for(waiting, 120)
        assert found.result == {"doubled": [2, 4], "part": [0, 1, 0, 1, 2, 3]}


async def test_a_data_flow_runs_data_flows(store: dict[str, Any]) -> None:
    parent = DataFlow(
        GetMulti, operations={"sub": run_dataflow}, seed=[Input(["flow_results"], MULTI)],
        configs={"sub": RunDataFlowConfig(dataflow=FLOW)},
    )  # fmt: skip
    child = {"inner": [{"value": 2, "definition": "number"}]}
    inputs = [Input(child, run_dataflow.op.inputs["inputs"])]
    (expected,) = await listed(run(parent, {"outer": inputs}))
    (found,) = await listed(run(parent, {"outer": inputs}, orchestrator=RedisOrchestrator(**store)))
    assert found[1] == expected[1] == {"flow_results": [{"inner": {"doubled": [4], "part": [0, 1, 2, 3]}}]}


async def test_lineage_is_kept_when_it_is_wanted(store: dict[str, Any]) -> None:
    async def lineage(orchestrator: Any) -> set[str]:
        async with orchestrator, orchestrator(FLOW) as octx:
            (found,) = await listed(octx.outcomes({"a": given(1)}))
            assert isinstance(found, Outcome)
            return {repr(record) for record in found.lineage()}

    expected = await lineage(MemoryOrchestrator(lineage=True))
    assert await lineage(RedisOrchestrator(**store, lineage=True)) == expected
    assert await lineage(RedisOrchestrator(**{**store, "prefix": "p:"})) == set()


async def test_what_cannot_be_opened_stops_the_run_and_leaves_nothing(store: dict[str, Any]) -> None:
    async with RedisOrchestrator(**store) as orchestrator, orchestrator(FLOW) as octx:
        cases: list[tuple[list[Any], type[TidemillError]]] = [
            ([{"a": []}, {"a": []}], DuplicateContext), ([{"a": [Input("x", NUMBER)]}], InvalidInput)
        ]  # fmt: skip
        for wrong, error in cases:
            with pytest.raises(error):
                await listed(octx.outcomes(*wrong))
            assert octx.counts["open"] == 0
        (found,) = await listed(octx.outcomes({"a": given(1)}))
        assert found.result is not None


async def test_a_name_that_somebody_else_uses_is_refused(store: dict[str, Any]) -> None:
    async with RedisOrchestrator(**store, workers=0) as one, one(FLOW) as first:
        waiting = asyncio.create_task(listed(first.outcomes({"a": given(1)})))
        await begun(first)
        async with RedisOrchestrator(**store) as other, other(FLOW) as second:
            with pytest.raises(DuplicateContext, match='there is a context "a" already'):
                await listed(second.outcomes({"a": given(1), "b": given(1)}))
            assert (await asyncio.wait_for(waiting, 120))[0].result == {"doubled": [2], "part": [0, 1]}


async def test_a_halt_cancels_what_is_open(store: dict[str, Any]) -> None:
    halt = asyncio.Event()
    async with RedisOrchestrator(**store, workers=0) as orchestrator, orchestrator(FLOW) as octx:
        waiting = asyncio.create_task(listed(octx.outcomes({"a": given(1)}, halt=halt)))
        await begun(octx)
        halt.set()
        (found,) = await asyncio.wait_for(waiting, 120)
        assert found.failure is not None and found.failure.reason == "Cancelled"


@pytest.mark.parametrize(
    ("keywords", "error"),
    [({"workers": -1}, TidemillError), ({"max_ctxs": 0}, TidemillError), ({"url": "memory"}, StoreMisconfigured)],
)
async def test_what_an_orchestrator_cannot_be_is_refused(keywords: dict[str, Any], error: type[TidemillError]) -> None:
    with pytest.raises(error):
        async with RedisOrchestrator(**keywords):
            pass


async def test_a_store_that_would_lose_work_is_refused(store: dict[str, Any]) -> None:
    with pytest.raises(StoreMisconfigured, match="durability is none"):
        async with RedisOrchestrator(**{**store, "durability": "always"}) as orchestrator, orchestrator(FLOW):
            pass

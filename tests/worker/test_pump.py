"""The pump over a store whose replies get lost, and with plans that it cannot run."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.redis.proxy import Proxy
from tests.backends.redis.stores import server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, fleet, until
from tidemill import DataFlow, Definition, Input, Operation, op
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.client import Client
from tidemill.plan.compile import compile_plan
from tidemill.runtime.prepare import Implementations
from tidemill.runtime.pump import BATCH, Pump


@contextlib.asynccontextmanager
async def pumping(url: str, backend: RedisBackend, slots: int = 8) -> AsyncIterator[Pump]:
    """Run a pump over the shard of a backend, reached by another way."""
    client = Client(url, timeout=5)
    client.tag = backend.client.tag
    mine = RedisBackend(client)
    async with Implementations("default") as implementations:
        mine.compile = implementations.enter
        pump = Pump(mine.implementations, mine.inputs, implementations, runner="runner", slots=slots)
        task = asyncio.create_task(pump.run())
        try:
            yield pump
        finally:
            await pump.drain(DEADLINE)
            await asyncio.wait_for(task, DEADLINE)
            await mine.shut()


async def test_lost_replies_cost_no_call_and_change_no_result(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(flows.FOLDER, str(tmp_path))
    url = server("valkey")
    async with fleet(url, tmp_path) as (_, backend), Proxy(url, every=7) as proxy, pumping(proxy.url, backend):
        plan = compile_plan(flows.FLOW)
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*[backend.open(f"c{at}", plan, flows.given(at)) for at in range(10)])
            results = [(await backend.ending(f"c{at}")).result for at in range(10)]
    assert results == [flows.result(at) for at in range(10)]
    wanted = sorted(line for at in range(10) for line in flows.expected(at).elements())
    assert sorted(flows.calls_of(tmp_path)) == wanted
    assert proxy.lost.total() > 5


async def test_what_has_gathered_goes_in_one_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(flows.FOLDER, str(tmp_path))
    url = server("valkey")
    async with fleet(url, tmp_path) as (_, backend), pumping(url, backend, slots=64) as pump:
        plan = compile_plan(flows.FLOW)
        await asyncio.gather(*[backend.open(f"c{at}", plan, flows.given(at)) for at in range(40)])
        async with asyncio.timeout(DEADLINE):
            for at in range(40):
                assert (await backend.ending(f"c{at}")).result == flows.result(at)
        assert sum(pump.counts.values()) > 2 * pump.trips


async def test_no_more_is_leased_than_can_be_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A call brings half as many reports of whole chains as it may lease: those of others would wait behind them."""
    monkeypatch.setenv(flows.FOLDER, str(tmp_path))
    waiting: list[int] = []
    url = server("valkey")
    async with fleet(url, tmp_path) as (_, backend), pumping(url, backend, slots=400) as pump:
        network, plan = pump._network, compile_plan(flows.FLOW)
        exchange = network.exchange

        async def counted(runner: str, reports: Any, *more: Any) -> Any:
            waiting.append(len(reports) + len(pump._reports))
            return await exchange(runner, reports, *more)

        monkeypatch.setattr(network, "exchange", counted)
        await asyncio.gather(*[backend.open(f"c{at}", plan, flows.given(at)) for at in range(400)])
        async with asyncio.timeout(DEADLINE):
            for at in range(400):
                assert (await backend.ending(f"c{at}")).result == flows.result(at)
    assert max(waiting) < 8 * BATCH  # what was running already ends, too


async def test_a_bell_that_rings_before_the_answer_has_been_read_is_heard(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store rings once for whoever it has told that there is nothing, and no more before that one has come."""
    monkeypatch.setenv(flows.FOLDER, str(tmp_path))
    url = server("valkey")
    async with fleet(url, tmp_path) as (_, backend), pumping(url, backend) as pump, asyncio.timeout(DEADLINE):
        network, opened = pump._network, asyncio.Event()
        exchange = network.exchange

        async def late(*said: Any) -> Any:
            """Answer that there is nothing when there is something by now, and the bell has been rung for it."""
            monkeypatch.setattr(network, "exchange", exchange)
            answer = await exchange(*said)
            await backend.open("c", compile_plan(flows.FLOW), flows.given(1))
            await until(lambda: pump._bell is None, "the bell has been heard")
            opened.set()
            return answer

        await until(lambda: pump._bell is not None, "the pump waits for its bell")
        monkeypatch.setattr(network, "exchange", late)
        pump.again()
        await opened.wait()
        assert (await backend.ending("c")).result == flows.result(1)


A, B = Definition("a", "int"), Definition("b", "int")


async def test_an_operation_that_is_not_there_fails_with_what_is_missing(tmp_path: Path) -> None:
    url = server("valkey")
    missing = DataFlow(Operation("tests.worker.flows:gone", {"a": A}, {"b": B}))
    nowhere = DataFlow(Operation("no.such.module:gone", {"a": A}, {"b": B}))
    async with fleet(url, tmp_path) as (_, backend), pumping(url, backend):
        for name, flow in {"missing": missing, "nowhere": nowhere}.items():
            await backend.open(name, compile_plan(flow), [Input(1, A)])
            async with asyncio.timeout(DEADLINE):
                failure = (await backend.ending(name)).failure
            assert failure is not None
            assert failure.reason == "OperationLoadError"
            assert failure.instance == flow.operations[failure.instance].instance
            assert "gone" in failure.message


async def test_a_data_flow_that_cannot_be_written_says_so_to_whoever_has_not_made_it(tmp_path: Path) -> None:
    @op(name="local", inputs={"a": A}, outputs={"b": B})
    async def local(a: int) -> dict[str, int]:
        return {"b": a}

    class Odd:
        """Nothing that could be written."""

    url = server("valkey")
    flow = DataFlow(local, configs={"local": Odd()})
    async with fleet(url, tmp_path) as (_, backend), pumping(url, backend):
        await backend.open("c", compile_plan(flow), [Input(1, A)])
        async with asyncio.timeout(DEADLINE):
            failure = (await backend.ending("c")).failure
    assert failure is not None
    assert failure.reason == "PlanNotStored"

"""What a runner runs ahead of its leases: fewer calls of the store and the same outcome, and nothing waits for it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.backends.redis.stores import server
from tests.worker.fleet import DEADLINE, fleet, until
from tests.worker.test_pump import pumping
from tidemill import DataFlow, Definition, GetMulti, Input, Stage, op
from tidemill.backends.redis.backend import RedisBackend
from tidemill.networks.implementations import Completed, Report
from tidemill.plan.compile import compile_plan
from tidemill.runtime.pump import Pump

A, B, C, D, E = (Definition(name, "int") for name in "abcde")
CALLED: Counter[str] = Counter()
ENDED: Counter[str] = Counter()
GATES: dict[str, asyncio.Event] = {}


@op(inputs={"a": A}, outputs={"b": B})
async def first(a: int) -> dict[str, int]:
    """Begin a chain; where there is a gate it is waited for."""
    return {"b": await passed("first", a)}


@op(inputs={"b": B}, outputs={"c": C})
async def second(b: int) -> dict[str, int]:
    """Go on."""
    return {"c": await passed("second", b)}


@op(inputs={"c": C}, outputs={"d": D}, retry=2)
async def third(c: int) -> dict[str, int]:
    """Go on; fail the first time for more than 100."""
    value = await passed("third", c)
    if c > 100 and CALLED["third"] == 1:
        raise RuntimeError("not yet")
    return {"d": value}


@op(inputs={"d": D}, outputs={"e": E})
def fourth(d: int) -> dict[str, int]:
    """Go on, on a thread."""
    CALLED["fourth"] += 1
    return {"e": d + 1}


async def passed(name: str, value: int) -> int:
    """Wait at a gate, if there is one; return one more."""
    CALLED[name] += 1
    try:
        if name in GATES:
            await GATES[name].wait()
    finally:
        ENDED[name] += 1
    return value + 1


PLAN = compile_plan(DataFlow(first, second, third, fourth))
ONCE = {"first": 1, "second": 1, "third": 1, "fourth": 1}


@pytest.fixture(autouse=True)
def nothing_called() -> None:
    """Begin anew."""
    CALLED.clear()
    ENDED.clear()
    GATES.clear()


@pytest.fixture
async def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[tuple[RedisBackend, Pump]]:
    """A pump over a store, and a backend for whoever submits. However slow the machine is, everything is quick."""
    monkeypatch.setattr("tidemill.runtime.ahead.SOON", DEADLINE)
    url = server("valkey")
    async with fleet(url, tmp_path) as (_, backend), pumping(url, backend) as pump:
        await until(lambda: pump.trips, "it has looked once, which is not to be counted")
        yield backend, pump


async def told(backend: RedisBackend) -> Any:
    """Return the ending of the context."""
    async with asyncio.timeout(DEADLINE):
        return await backend.ending("c")


async def counts(backend: RedisBackend, word: str) -> dict[str, int]:
    """Return how many parameter sets of each operation are counted under a word."""
    flat = await backend.client.redis.hgetall(backend.client.key("counts", ""))
    keys = [(key.decode().split(" "), int(many)) for key, many in flat.items()]
    said = [(PLAN.operations[int(key[1])].instance, many) for key, many in keys if len(key) == 3 and key[2] == word]
    return {instance.partition(":")[2]: many for instance, many in said}


async def until_counted(backend: RedisBackend, word: str, **wanted: int) -> None:
    """Wait until so many parameter sets are counted."""
    async with asyncio.timeout(DEADLINE):
        while (found := await counts(backend, word)) != wanted:
            assert all(many <= wanted.get(name, 0) for name, many in found.items()), (found, wanted)
            await asyncio.sleep(0.005)


async def test_a_chain_is_run_without_a_call_for_each_step(running: tuple[RedisBackend, Pump]) -> None:
    backend, pump = running
    before = pump.trips
    await backend.open("c", PLAN, [Input(1, A)])
    ending = await told(backend)
    assert ending.failure is None
    assert CALLED == ONCE
    assert await counts(backend, "completed") == ONCE
    assert pump.counts["completed"] == 4
    assert pump.trips - before <= 4  # it is leased, three are reported, the fourth is: and an idle look


async def test_what_is_completed_does_not_wait_for_what_is_run_ahead_of_it(
    running: tuple[RedisBackend, Pump],
) -> None:
    backend, _ = running
    GATES["second"] = asyncio.Event()
    await backend.open("c", PLAN, [Input(1, A)])
    await until_counted(backend, "completed", first=1)
    assert await counts(backend, "leased") == {"first": 1, "second": 1}
    assert CALLED == {"first": 1, "second": 1}
    GATES["second"].set()
    assert (await told(backend)).failure is None
    assert CALLED == ONCE


async def test_what_fails_ahead_has_one_try_less_and_no_more(running: tuple[RedisBackend, Pump]) -> None:
    backend, _ = running
    await backend.open("c", PLAN, [Input(200, A)])
    assert (await told(backend)).failure is None
    assert CALLED == {**ONCE, "third": 2}
    assert (await counts(backend, "retried"), (await counts(backend, "completed"))) == ({"third": 1}, ONCE)


async def test_what_follows_something_slow_is_not_run_ahead(
    running: tuple[RedisBackend, Pump], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tidemill.runtime.ahead.SOON", 0.0)  # nothing is quick
    backend, _ = running
    GATES["first"] = asyncio.Event()
    await backend.open("c", PLAN, [Input(1, A)])
    await until(lambda: CALLED["first"], "the first one runs")
    await backend.cancel("c")
    GATES["first"].set()
    ending = await told(backend)
    assert ending.failure is not None
    assert ending.failure.reason == "Cancelled"
    assert CALLED == {"first": 1}


async def test_what_runs_ahead_and_is_not_made_is_cancelled(
    running: tuple[RedisBackend, Pump], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, pump = running
    GATES["second"] = asyncio.Event()
    exchange = pump._network.exchange

    async def cancelled_before(worker: str, reports: Any, want: int, nonce: bytes) -> Any:
        if reports:
            monkeypatch.undo()
            await backend.cancel("c")
        return await exchange(worker, reports, want, nonce)

    monkeypatch.setattr(pump._network, "exchange", cancelled_before)
    await backend.open("c", PLAN, [Input(1, A)])
    ending = await told(backend)
    assert ending.failure is not None
    assert ending.failure.reason == "Cancelled"
    await until(lambda: ENDED["second"], "the second one ends")
    assert CALLED == {"first": 1, "second": 1}
    await until(lambda: not pump.running, "nothing runs any more")


async def test_what_runs_ahead_when_the_runner_is_to_end_is_handed_back(tmp_path: Path) -> None:
    url = server("valkey")
    GATES["second"] = asyncio.Event()
    async with fleet(url, tmp_path) as (_, backend):
        async with pumping(url, backend) as pump:
            await backend.open("c", PLAN, [Input(1, A)])
            await until_counted(backend, "leased", first=1, second=1)
            await pump.drain(0)
        del GATES["second"]
        async with pumping(url, backend):
            assert (await told(backend)).failure is None
    assert CALLED == {**ONCE, "second": 2}


async def test_nothing_is_run_ahead_of_what_was_lost_before(running: tuple[RedisBackend, Pump]) -> None:
    backend, pump = running
    before = pump.trips
    pump.pause(True)
    await until(lambda: pump.trips > before, "it has looked, and takes nothing")
    await backend.open("c", PLAN, [Input(1, A)])
    leased, _ = await backend.implementations.exchange("other", (), 1, b"nonce")
    assert len(leased) == 1
    await backend.implementations.lose("other")
    GATES["second"] = asyncio.Event()
    pump.pause(False)
    await until_counted(backend, "completed", first=1)
    GATES["second"].set()
    assert (await told(backend)).failure is None
    assert CALLED == ONCE


# -- the output stage -------------------------------------------------------------------------------------------------

ALL = GetMulti.op.inputs["spec"]
ENDING = compile_plan(DataFlow(first, second, GetMulti, seed=[Input(["b", "c"], ALL)]))


@op(inputs={"spec": ALL}, outputs={"output": GetMulti.op.outputs["output"]}, stage=Stage.OUTPUT)
class Tells(GetMulti):
    """Tells somebody of what it reads: that is not to be done for nothing, whatever it is derived from."""

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """Count the call."""
        CALLED["tells"] += 1
        return dict(await super().run(inputs))


async def test_a_context_whose_results_are_only_read_ends_in_the_call_that_ends_its_chain(
    running: tuple[RedisBackend, Pump],
) -> None:
    backend, pump = running
    before = pump.trips
    await backend.open("c", ENDING, [Input(1, A)])
    assert (await told(backend)).result == {"b": [2], "c": [3]}
    assert CALLED == {"first": 1, "second": 1}
    assert pump.counts["completed"] == 3
    assert pump.trips - before <= 3  # it is leased, all is reported: and an idle look


async def test_what_does_more_than_to_read_is_not_run_before_its_time(
    running: tuple[RedisBackend, Pump], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, pump = running
    sent: list[Report] = []
    exchange = pump._network.exchange

    async def exchanging(worker: str, reports: Sequence[Report], want: int, nonce: bytes) -> Any:
        sent.extend(reports)
        return await exchange(worker, reports, want, nonce)

    monkeypatch.setattr(pump._network, "exchange", exchanging)
    plan = compile_plan(DataFlow(first, second, Tells, seed=[Input(["b"], ALL)]))
    await backend.open("c", plan, [Input(1, A)])
    assert (await told(backend)).result == {"b": [2]}
    assert CALLED == {"first": 1, "second": 1, "tells": 1}
    assert [len(report.ahead) for report in sent if isinstance(report, Completed)] == [1, 0]


async def test_what_is_added_meanwhile_is_read_too(
    running: tuple[RedisBackend, Pump], monkeypatch: pytest.MonkeyPatch
) -> None:
    backend, pump = running
    exchange = pump._network.exchange

    async def added_before(worker: str, reports: Sequence[Report], want: int, nonce: bytes) -> Any:
        if reports:
            monkeypatch.undo()
            await backend.add("c", [Input(10, A)])
        return await exchange(worker, reports, want, nonce)

    monkeypatch.setattr(pump._network, "exchange", added_before)
    await backend.open("c", ENDING, [Input(1, A)])
    assert (await told(backend)).result == {"b": [2, 11], "c": [3, 12]}
    assert CALLED == {"first": 2, "second": 2}


async def test_what_fails_in_the_output_stage_ahead_fails_once(running: tuple[RedisBackend, Pump]) -> None:
    backend, _ = running
    plan = compile_plan(DataFlow(first, second, GetMulti, seed=[Input(["nothing"], ALL)]))
    await backend.open("c", plan, [Input(1, A)])
    failure = (await told(backend)).failure
    assert failure is not None
    assert failure.reason == "DefinitionNotInContext"
    assert CALLED == {"first": 1, "second": 1}

"""Workers that nothing happens to: what they give is what one process gives, and every parameter set runs once."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

import tidemill
from tests.backends.redis.stores import server
from tests.worker import flows
from tests.worker.fleet import DEADLINE, fleet
from tidemill.plan.compile import compile_plan

CONTEXTS = 4


async def test_many_workers_give_what_one_process_gives(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    alone, together = tmp_path / "alone", tmp_path / "together"
    alone.mkdir()
    together.mkdir()
    monkeypatch.setenv(flows.FOLDER, str(alone))
    wanted = {}
    sets = {f"c{number}": flows.given(number) for number in range(CONTEXTS)}
    async for ctx, result in tidemill.run(flows.WHOLE, sets):
        wanted[(await ctx.handle()).as_string()] = result
    async with fleet(server("valkey"), together) as (workers, backend):
        workers.start(2)
        plan = compile_plan(flows.WHOLE)
        async with asyncio.timeout(DEADLINE):
            await asyncio.gather(*[backend.open(name, plan, inputs) for name, inputs in sets.items()])
            endings = {name: await backend.ending(name) for name in sets}
        assert await workers.stop() == [0, 0], workers.log()
    assert {name: ending.failure for name, ending in endings.items()} == dict.fromkeys(sets)
    assert {name: ending.result for name, ending in endings.items()} == wanted
    journal = Counter(flows.calls_of(together))
    assert journal == Counter(flows.calls_of(alone))
    assert set(journal.values()) == {1}
    expected = sum((flows.expected(number) for number in range(CONTEXTS)), Counter[str]())
    assert {line for line in journal if line.split()[0] not in ("far", "farther", "inner")} == set(expected)

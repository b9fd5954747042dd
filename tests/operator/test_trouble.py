"""Whatever goes wrong is said, hurts nothing else, and is over when it is over."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from redis import Redis

from tests.backends.redis.stores import server
from tests.operator.stage import DEADLINE, Stage, stage
from tests.operator.words import dataflow, run
from tidemill.backends.redis.recovery import RedisRecovery, ServerRun
from tidemill_operator import service
from tidemill_operator.leader import Leader
from tidemill_operator.metrics import Metrics
from tidemill_operator.names import CLEANUP, label
from tidemill_operator.store import Store

NOWHERE = "redis://127.0.0.1:1"
RUNS = "dataflowruns"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(server("valkey"), tmp_path) as found:
        yield found


async def test_what_cannot_be_read_is_refused_by_its_object_alone(place: Stage) -> None:
    place.work()
    place.start()
    deep = '{"a":' * 9000 + "1" + "}" * 9000
    body = dataflow(place.namespace, "deep")
    made = place.apply(body)
    text = json.dumps({**made, "spec": "DEEP"}).replace('"DEEP"', f'{{"seed": [{{"value": {deep}}}]}}')
    place.api.raw["dataflows", place.namespace, "deep"] = text.encode()
    wrong = dataflow(place.namespace, "wrong")
    wrong["spec"]["operations"]["measure"]["inputs"] = {"wrod": "nothing"}
    place.apply(wrong)
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"]}))
    await place.ended()
    await place.until(lambda: place.reason("Accepted", "deep") == "TooDeep", "it says what is wrong with the deep one")
    await place.until(lambda: place.get("wrong").get("status", {}).get("conditions"), "and with the other one")
    assert place.get("wrong")["status"]["conditions"][0]["status"] == "False"
    assert "nothing" in place.message("Accepted", "wrong")
    writes = len([one for one in place.api.writes("/dataflows/deep/status")])
    assert writes == 1


async def test_a_store_that_is_away_is_waited_for(place: Stage) -> None:
    away = place.start(store=NOWHERE, timeout=0.3)
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"]}))
    await place.until(lambda: place.reason("Progressing") == "StoreUnavailable", "it says so")
    assert place.reason("Accepted") == "Accepted"
    assert await place.stop(away) == 0
    place.work()
    place.start()
    await place.ended()


async def test_a_store_that_would_lose_work_is_refused(place: Stage) -> None:
    place.start(durability="always")
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"]}))
    await place.until(lambda: place.reason("Progressing") == "StoreMisconfigured", "it says so")
    assert "durability" in place.message("Progressing")


async def test_an_object_goes_though_the_store_is_away_for_ever(place: Stage) -> None:
    place.start(store=NOWHERE, timeout=0.3, finalizer_timeout=1.5)
    place.apply(dataflow(place.namespace))
    await place.until(lambda: place.get()["metadata"].get("finalizers") == [CLEANUP], "it is waited for")
    place.api.delete("dataflows", place.namespace, "words")
    await place.until(lambda: not place.get(), "it is gone")
    assert "StoreNotCleaned" in place.events()


def finished(place: Stage) -> dict[str, Any]:
    """Return what a status says, but for the workers, who may have had something to do a moment before the end."""
    status: dict[str, Any] = place.get()["status"]
    return {name: value for name, value in status.items() if name != "pools"}


async def test_an_operator_that_dies_is_followed_by_another_one(place: Stage) -> None:
    place.work()
    place.start(opened_at_once=10)
    inputs = {f"c{number}": ["tide"] for number in range(60)}
    place.apply(dataflow(place.namespace, inputs=inputs))
    await place.until(lambda: place.get().get("status", {}).get("contexts", {}).get("total"), "some are open")
    await place.kill()
    place.start()
    await place.ended()
    assert place.get()["status"]["contexts"] == {"open": 0, "succeeded": 60, "failed": 0, "total": 60}
    await place.kill()
    before = finished(place)
    operator = place.start()
    await place.looked_at(operator, 2)
    assert finished(place) == before, "who begins anew has nothing to say about what was finished"


async def test_flows_finish_while_no_operator_is_there(place: Stage) -> None:
    place.start()
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"]}))
    await place.until(lambda: place.get().get("status", {}).get("contexts", {}).get("open") == 1, "it is open")
    await place.kill()
    place.work()
    with Redis.from_url(place.url) as redis:
        await place.until(lambda: redis.hlen(f"{place.client.tag}:ended:"), "it has ended")
    place.start()
    await place.ended()


async def test_two_operators_and_one_acts(place: Stage) -> None:
    first, second = place.start(), place.start(name="second")
    place.apply(dataflow(place.namespace))
    await place.until(lambda: place.reason("Accepted"), "one of them looks at it")
    acting = [one for one in (first, second) if one.leader.holds]
    assert len(acting) == 1
    [waiting] = {first, second} - set(acting)
    assert len(waiting.work) == 0
    assert waiting.not_ready() == []
    acting[0].stop()
    await place.until(lambda: waiting.leader.holds and len(waiting.work) == 1, "the other one goes on")


async def test_an_operator_that_loses_its_lease_ends_and_writes_nothing_more(place: Stage) -> None:
    operator = place.start()
    await place.until(lambda: operator.watching.is_set(), "it watches")
    place.api.refuse = lambda verb, path: 500 if "/leases/" in path else None
    [task] = place._tasks
    assert await asyncio.wait_for(task, DEADLINE) == 1
    place._tasks.clear()
    assert not operator.leader.holds


async def test_a_watch_that_is_deaf_is_noticed(place: Stage) -> None:
    operator = place.start(canary=5)
    await place.until(lambda: operator.watching.is_set(), "it watches")
    assert operator.canary.late() == []
    place.api.deaf.add("leases")
    await place.until(operator.canary.late, "it is noticed")
    assert "the watch of leases" in operator.canary.late()[0]


async def test_kinds_that_are_missing_or_too_old_are_waited_for(place: Stage) -> None:
    definition = place.api.objects["customresourcedefinitions", "", "dataflows.tidemill.alt"]
    annotations = definition["metadata"].pop("annotations")
    operator = place.start()
    await place.until(lambda: "CrdTooOld" in operator.waits, "it says so")
    assert operator.not_ready() == [operator.waits]
    definition["metadata"]["annotations"] = annotations
    await place.until(lambda: operator.watching.is_set(), "it begins")
    assert operator.not_ready() == []


async def test_what_was_opened_and_not_noted_is_not_opened_again(place: Stage) -> None:
    place.start()
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"], "two": ["mill"]}))
    await place.until(lambda: place.get().get("status", {}).get("contexts", {}).get("open") == 2, "they are open")
    await place.kill()
    sets = place.client.key("sets", place.get()["metadata"]["uid"])
    noted = [name for name in await place.client.redis.hkeys(sets) if name.startswith(b"o")]
    assert len(noted) == 2
    await place.client.redis.hdel(sets, *noted)
    operator = place.start()
    await place.looked_at(operator, 2)
    assert len(await place.client.redis.hkeys(sets)) == 4
    assert place.get()["status"]["contexts"]["total"] == 2


async def test_what_was_open_in_a_store_that_was_emptied_is_lost(place: Stage) -> None:
    operator = place.start()
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"]}))
    await place.until(lambda: place.get().get("status", {}).get("contexts", {}).get("open") == 1, "it is open")
    async for key in place.client.redis.scan_iter(f"{place.client.tag}*"):
        await place.client.redis.unlink(key)
    operator.work.wake(place.get()["metadata"]["uid"], "DataFlow", place.namespace, "words")
    await place.ended("StateLost")
    assert place.get()["status"]["contexts"]["total"] == 1


async def test_a_run_whose_data_flow_goes_says_so_and_can_be_cancelled(place: Stage) -> None:
    place.start()
    place.apply(dataflow(place.namespace))
    place.apply(run(place.namespace, "r", inputs={"x": ["tide"]}))
    await place.until(lambda: place.get("r", RUNS).get("status", {}).get("contexts", {}).get("open") == 1, "it is open")
    place.api.delete("dataflows", place.namespace, "words")
    await place.until(lambda: place.reason("Progressing", "r", RUNS) == "DataFlowNotFound", "it says so")
    place.apply(run(place.namespace, "r", inputs={"x": ["tide"]}, cancel=True))
    await place.ended("RunCancelled", "r", RUNS)


@pytest.mark.parametrize(
    ("now", "durable", "follows"),
    [
        (ServerRun("a", "h"), False, True),
        (ServerRun("b", "i", "0" * 40), True, True),
        (ServerRun("b", "i"), False, False),
        (ServerRun("b", "i", "h"), True, False),
    ],
)
def test_who_follows_whom(now: ServerRun, durable: bool, follows: bool) -> None:
    assert now.follows(ServerRun("a", "h"), durable=durable) is follows
    assert now.follows(ServerRun("", ""), durable=durable)


async def test_a_store_that_took_over_begins_another_epoch(place: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    leader = Leader(place.cluster, place.namespace, "tm", "me", duration=15, every=1, within=10)
    await leader.acquire()

    async def looked() -> int:
        store = Store(place.namespace, place.settings(), leader, Metrics())
        await store.ready()
        await store.client.close()
        return await RedisRecovery(place.client).epoch()

    assert await looked() == 0
    assert await looked() == 0
    said = await RedisRecovery(place.client).server()
    other = ServerRun("another", "history", said.history)

    async def server_of(self: RedisRecovery) -> ServerRun:
        return other

    monkeypatch.setattr(RedisRecovery, "server", server_of)
    assert await looked() == 1
    assert await looked() == 1
    assert leader.notes[label("epoch")] == "1"
    assert leader.notes[label("store-run")] == "another"


def test_metrics_know_no_names_unless_asked_to() -> None:
    plain, full = Metrics(), Metrics(objects=True)
    for metrics in (plain, full):
        metrics.tell(("DataFlow", "ns", "secret-name"), {"open": 1}, {"default": (1, 1, 5)})
    assert b"secret-name" not in plain.text()
    assert b'tidemill_operator_object_backlog{kind="DataFlow",name="secret-name"' in full.text()
    full.forget(("DataFlow", "ns", "secret-name"))
    assert b"secret-name" not in full.text()
    assert service._memory() > 1e6

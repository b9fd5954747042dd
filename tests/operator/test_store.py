"""What the operator asks of a store, where more than one of its passes asks at once."""

from pathlib import Path

from tests.backends.redis.stores import server
from tests.operator.stage import stage
from tests.operator.words import dataflow
from tidemill.backends.redis.workers import RedisWorkers
from tidemill_operator.leader import Leader
from tidemill_operator.metrics import Metrics
from tidemill_operator.store import Store


async def test_what_was_seen_of_pools_is_told_also_when_a_worker_is_found_dead_meanwhile(tmp_path: Path) -> None:
    async with stage(server("valkey"), tmp_path) as one:
        await one.client.load()
        workers = RedisWorkers(one.client)
        await workers.hello("w", {})
        leader = Leader(one.cluster, one.namespace, "l", "tester", duration=3, every=1, within=2)
        store = Store(one.namespace, one.settings(worker_lease=0.001), leader, Metrics())
        try:
            seen = [await store.look(["words.default"])]
            while "w" in seen[-1].beats:
                store.pools.clear()  # so that it is asked for anew
                seen.append(await store.look(["words.default"]))
        finally:
            await store.client.close()
        assert len(seen) > 2
        assert None not in seen


async def test_the_pools_of_a_data_flow_that_is_gone_are_asked_about_no_more(tmp_path: Path) -> None:
    async with stage(server("valkey"), tmp_path) as one:
        store = one.start().stores.of(one.namespace)
        one.apply(dataflow(one.namespace))
        one.apply(dataflow(one.namespace, "others"))
        both = {"words.default", "others.default"}
        await one.until(lambda: store.pools == both, "both are asked about")
        one.api.delete("dataflows", one.namespace, "others")
        await one.until(lambda: store.pools == {"words.default"}, "one of them is forgotten")

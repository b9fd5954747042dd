"""What users of other systems have reported of lost, repeated and stuck work, and of locks that nobody gives back, as
tests named after the reports. Those that are not about this layer:

    celery#6229, #2599, #3270 (one setting that long tasks pass)       beats, no timeout: tests/worker/test_pauses.py
    celery#8091, #8384, #10205 (deaf after the store was away)         tests/worker/test_pump.py, test_health.py
    celery#10302, open-wearables#1543 (the same, and nobody sees it)   liveness: tests/worker/test_health.py
    taskiq-redis#130 (no reclaim in a cluster)                         one shard is one slot: test_checks.py
    argo-workflows#4870 (locks of templates)                           as #4046, below
"""

from collections.abc import AsyncIterator

import pytest
from redis.exceptions import ConnectionError

from tests.backends.redis.races import World, done, naive_in, naive_is_caught, race, world_of
from tests.contract.driver import Running
from tests.contract.shapes import A, B, flow, operation, output, seeds
from tidemill.backends.redis import client as clients
from tidemill.model.definition import Definition
from tidemill.model.input import Input
from tidemill.networks.implementations import Child, Completed, Subflow
from tidemill.plan.compile import compile_plan

LOCK, OTHER, THIRD = (Definition(name, "int", lock=True) for name in ("lock", "other", "third"))


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        yield found


# -- lost, repeated, stuck ---------------------------------------------------------------------------------------------


@race(("workers", "if a[2] > count then redis.call('HSET', K.beats, a[1], string.format('%.0f', a[2])) end", ""))
async def test_celery_5935_what_runs_long_runs_once(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open()
    long = await world.one("w/1")
    seen = "0"
    for count in range(1, 20):
        await world.workers.beat("w", count)
        assert await world.workers.expire("w", seen) is None, "who beats was held to be dead"
        seen = str(count)
    assert await world.lease("other") == []
    await world.report("w/1", done(long, 7))
    await world.workers.bye("w")
    assert await world.told() == [7]


@race(("workers", "expire(a)\n  local count = redis.call('HGET', K.beats, a[1])", "expire(a)\n  local count = a[2]"))
async def test_celery_9339_how_long_others_wait_is_nobody_elses_lease(world: World) -> None:
    """The shortest setting of all does not win: whoever expires says which beat it saw last, and not how long ago."""
    await world.workers.hello("patient", {"lease": 3600})
    await world.workers.hello("hasty", {"lease": 1})
    await world.open()
    one = await world.one("patient/1")
    await world.workers.beat("patient", 1)
    assert await world.workers.expire("patient", "0") is None
    await world.report("patient/1", done(one, 7))
    for worker in ("patient", "hasty"):
        await world.workers.bye(worker)
    assert await world.told() == [7]


@race(("workers", "return { W.depart(a[1], 'released', '') }", "redis.call('HDEL', K.beats, a[1]) return { 0, 0 }"))
async def test_celery_1789_kombu_305_who_is_told_to_end_hands_back(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open(5)
    await world.lease("w/1", 3)
    await world.lease("w/2", 2)
    assert await world.workers.bye("w") == 5
    assert await world.told() == [0, 1, 2, 3, 4]


def deaf(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a worker wait for its bell, and never look when the connection breaks."""

    async def rung(worker: str) -> bool:
        return False

    monkeypatch.setattr(world.network, "rung", rung)


@race(patch=deaf)
async def test_celery_8030_who_was_cut_off_looks_again(world: World) -> None:
    async def cut_off(*_: str) -> bool:
        raise ConnectionError("the store is away")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(world.client, "popped", cut_off)
        assert await world.network.rung("w1")


@race(
    ("runners", "  if rest > 0 then\n    redis.call('HSET', K.beats, worker, how)\n    return many, rest\n  end\n", "")
)
async def test_taskiq_redis_131_who_takes_back_may_die_in_between(world: World) -> None:
    await world.workers.hello("gone", {})
    await world.open(600)
    while await world.lease("gone/1", 200):
        pass
    _, left = await world.client.call("expire", "gone", "0")  # whoever has begun dies here
    assert left > 0
    await world.workers.hello("heir", {})
    beat = await world.workers.beat("heir", 1)
    assert beat is not None
    for worker, count in beat.others.items():
        await world.workers.expire(worker, count)
    await world.workers.bye("heir")
    assert await world.told() == list(range(600))


async def sizes(world: World) -> dict[bytes, int]:
    """Return how much each key of the shard holds."""
    ways = {b"hash": "hlen", b"list": "llen", b"zset": "zcard", b"set": "scard", b"string": "exists"}
    return {key: await getattr(world.redis, ways[await world.redis.type(key)])(key) for key in await world.keys()}


@race(("keeping", "    redis.call('ZREM', key('due'), unpack(due, at, last))\n", ""))
async def test_safe_decoder_service_329_what_has_ended_takes_no_room(world: World) -> None:
    async def turn(number: int) -> None:
        await world.open(3, name=f"turn {number}", retry=2, backoff=1)
        assert await world.told(f"turn {number}") == [0, 1, 2]

    await turn(0)
    await turn(1)  # whoever works was woken meanwhile
    before = await sizes(world)
    for number in range(2, 20):
        await turn(number)
    assert await sizes(world) == before


@race(("leases", "if r.state ~= 'dispatched' or c.stage ~= c.p.ops[op + 1].stage then", "if false then"))
async def test_lorawan_stack_5321_what_is_gone_is_handed_to_nobody(world: World) -> None:
    await world.open(3)
    one = await world.one("w1")
    await world.backend.cancel("context")
    assert await world.lease("w2", 5) == []
    await world.report("w1", done(one, 1))
    assert (await world.driver.end()).failure.reason == "Cancelled"


async def test_redis_py_8_a_wait_is_longer_than_what_is_waited_for(world: World) -> None:
    waits = world.client._waiter().connection_pool.connection_kwargs
    assert waits["socket_timeout"] > clients.WAIT
    assert (
        world.redis.connection_pool.connection_kwargs["socket_timeout"] is None
    )  # and the caller's, where it says one


# -- locks that nobody gives back --------------------------------------------------------------------------------------


async def two_of_a_lock(world: World) -> None:
    """Open a context with two parameter sets that want the same lock."""
    await world.driver.open(flow(operation("work", {"a": LOCK, "x": B})), [Input(1, LOCK), Input(1, B), Input(2, B)])


@race(("leases", "if #r.locks > 0 then L.release(c, r) end", ""))
async def test_argo_8684_locks_outlive_no_restart(world: World) -> None:
    await world.workers.hello("w", {})
    await two_of_a_lock(world)
    await world.one("w/1")
    assert await world.workers.recover(1)
    await world.workers.hello("new", {})
    one = await world.one("new/1")
    assert await world.lease("new/1") == []
    await world.report("new/1", Completed(one, None))
    await world.one("new/1")
    await world.workers.bye("new")
    await world.driver.drain()
    await world.driver.end()


@race(("locks", "do redis.call('DEL', queue(c, lock)) end", "do end"))
async def test_argo_7633_who_is_stopped_gives_its_locks_back(world: World) -> None:
    await two_of_a_lock(world)
    one = await world.one("w1")
    await world.backend.cancel("context")
    await world.report("w1", Completed(one, None))
    assert (await world.driver.end()).failure.reason == "Cancelled"
    names = [key.decode() for key in await world.keys()]
    assert not [name for name in names if ":q:" in name or ":l:" in name]


@race(("locks", "other.state == 'taken' and holds(c, other) then", "other.state == 'taken' then"))
async def test_argo_14461_several_locks_are_one_step(world: World) -> None:
    sides = [(LOCK, OTHER), (OTHER, THIRD), (THIRD, LOCK)]
    operations = [operation(f"work{at}", {"a": one, "b": two}) for at, (one, two) in enumerate(sides)]
    await world.driver.open(flow(*operations), [Input(1, LOCK), Input(2, OTHER), Input(3, THIRD)])
    ran = []
    for turn in range(3):
        (one,) = await world.lease(f"w{turn}", 5)
        ran.append(one.operation.instance)
        await world.report(f"w{turn}", Completed(one, None))
    assert sorted(ran) == ["work0", "work1", "work2"]
    await world.driver.end()


@race(("implementations", "P.ring(pool, #ready)", ""))
async def test_argo_4703_whoever_waits_for_a_lock_is_called(world: World) -> None:
    await two_of_a_lock(world)
    one = await world.one("w1")
    assert await world.lease("idle", 5) == []
    await world.report("w1", Completed(one, None))
    assert await world.redis.llen(world.client.key("wake", "idle")) == 1
    assert len(await world.lease("idle", 5)) == 1
    await world.driver.lose("idle")
    await world.driver.drain()
    await world.driver.end()


@race(
    ("reports", "  C.open(c, r, children)\n", "  if #r.locks > 0 then L.release(c, r) end\n  C.open(c, r, children)\n")
)
async def test_argo_4046_a_lock_is_kept_while_data_flows_run(world: World) -> None:
    await two_of_a_lock(world)
    child = compile_plan(flow(operation("inner", {"a": A}, {"b": B}), output("tell")))
    one = await world.one("w1")
    await world.report("w1", Subflow(one, [Child("child", child, seeds(A, 2))]))
    (inner,) = await world.lease("w2", 5)
    assert inner.operation.instance == "inner"
    await world.report("w2", Completed(inner, {"b": 1}))
    world.driver.scripts["work"] = Running(lambda **_: [], lambda endings, **_: None)
    await world.driver.drain()
    assert len((await world.driver.end()).leases) >= 2


@race(("implementations", "redis.call('HINCRBY', K.running, plan .. ' ' .. op, -1)", ""))
async def test_argo_6110_a_place_is_given_back_once(world: World) -> None:
    await world.open(4, concurrency=1)
    for turn in range(3):
        assert len(await world.lease(f"w{turn}", 5)) == 1
        assert await world.lease("other", 5) == []
        await world.workers.lose(f"w{turn}", "default", released=True)
        await world.workers.lose(f"w{turn}", "default", released=True)
    assert await world.told() == [0, 1, 2, 3]


@pytest.mark.parametrize("name", naive_in(__name__))
async def test_the_naive_variant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await naive_is_caught(name, monkeypatch)

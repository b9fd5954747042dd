"""Races of naive designs, the third part: replies that are lost, calls that are repeated, workers that go.

What R19 and so on are, and where those are that are missing here, says `test_races.py`.
"""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.races import (
    World,
    done,
    lost_replies,
    naive_in,
    naive_is_caught,
    race,
    world_of,
)
from tidemill.backends.redis.workers import WorkerTaken
from tidemill.networks.implementations import Fenced

TAKES_BACK = "local taken, left = W.take_back(runners[at], runners[at + 1], how, message, (most or PIECE) - many)"


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        yield found


# -- R19 to R24: replies that are lost, workers that go ---------------------------------------------------------------


@race(("runners", "redis.call('SET', key('last', runner), cmsgpack.pack(last))", ""))
async def test_r19_a_lost_reply_leases_nothing_to_nobody(world: World) -> None:
    assert world.redis.get_retry()._retries == 0  # the client library repeats nothing by itself
    await world.open(2)
    with pytest.MonkeyPatch.context() as patched:
        lost_replies(world, patched, "cycle", 3)
        one = await world.one("w1")
    assert await world.redis.hlen(world.client.key("held", "w1")) == 1
    await world.report("w1", done(one, 7))
    assert await world.told() == [1, 7]


def new_nonces(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have every call made under a nonce of its own."""
    call = world.client.call

    async def calling(verb: str, *request: Any) -> Any:
        own = (*request[:5], world.nonce()) if verb == "cycle" else request
        return await call(verb, *own)

    monkeypatch.setattr(world.client, "call", calling)


@race(patch=new_nonces)
async def test_r20_a_call_is_repeated_under_its_nonce(world: World) -> None:
    await world.open(3)
    with pytest.MonkeyPatch.context() as patched:
        made = lost_replies(world, patched, "cycle", 2)
        await world.lease("w1")
    assert len(made) == 3 and len(set(made)) == 1
    await world.driver.lose("w1")
    assert await world.told() == [0, 1, 2]


@race(("runners", "if r and r.state == 'leased' and r.worker == runner and r.leases == last[at + 2] then", "if r then"))
async def test_r20_a_repeated_call_gives_nothing_that_has_gone_to_another(world: World) -> None:
    await world.open()
    nonce = world.nonce()
    (one,), _ = await world.network.exchange("first", (), 1, nonce)
    back = ["released", one.context.id, one.worker, one.leases]
    await world.client.call("cycle", "first", "default", [back], 0, world.driver.clock.now, b"")
    await world.one("second")
    assert await world.network.exchange("first", (), 1, nonce) == ([], None)
    await world.workers.lose("second", "default", released=True)
    assert await world.told() == [0]


@race(("runners", "if last[1] ~= nonce then return nil end", "do return nil end"))
async def test_r21_a_completion_whose_reply_is_lost_is_one(world: World) -> None:
    await world.open()
    one = await world.one("w1")
    with pytest.MonkeyPatch.context() as patched:
        lost_replies(world, patched, "cycle", 2)
        await world.report("w1", done(one, 7))
    assert world.refused == 0
    assert await world.told() == [7]


@race(("runners", TAKES_BACK, "local taken, left = 0, 0"))
async def test_r22_who_leaves_takes_nothing_along(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open(2)
    await world.lease("w/1", 2)
    await world.workers.bye("w")
    assert await world.told() == [0, 1]


@race(("implementations", "P.ring(pool, #ready)", "redis.call('LTRIM', key('ready', pool), -100, -1)"))
async def test_r23_what_is_ready_is_never_trimmed(world: World) -> None:
    await world.open(400)
    assert await world.told() == list(range(400))


@race(("workers", "if count and count ~= '0' then return 'TAKEN' end", ""))
async def test_r24_a_name_is_used_once(world: World) -> None:
    await world.workers.hello("pod-0", {})
    await world.open()
    late = await world.one("pod-0/1")
    await world.workers.beat("pod-0", 1)
    with pytest.raises(WorkerTaken):
        await world.workers.hello("pod-0", {})
    await world.workers.bye("pod-0")
    with pytest.raises(Fenced):
        await world.report("pod-0/1", done(late, 1))
    assert await world.told() == [0]


@pytest.mark.parametrize("name", naive_in(__name__))
async def test_the_naive_variant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await naive_is_caught(name, monkeypatch)

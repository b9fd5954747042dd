"""Races of naive designs over a store, each played to its end: what goes wrong elsewhere does not go wrong here.

R1 and so on are the numbers of a list of such races. Those that are not about this layer:

    R13 (who works must not be who beats)         tests/worker/test_pauses.py, test_beats.py
    R17 (a holder that outlives its lease)        tests/worker/test_kernel.py, test_pauses.py, and below
    R29, R30, R40, R42 (two operators, a status that the store takes back, scaling, submitting over HTTP)
                                                  with the operator
"""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.backends.redis.races import (
    TELL,
    World,
    done,
    failed,
    naive_in,
    naive_is_caught,
    race,
    world_of,
)
from tests.contract.shapes import A, B, C, flow, multi, operation, output, seeds
from tidemill.model.input import Input
from tidemill.networks.implementations import Completed, Fenced
from tidemill.plan.compile import compile_plan

PAIR = output("pair", {"a": A, "b": B})
YEARS = 10 * 365 * 24 * 3600.0


@pytest.fixture(params=["redis", "valkey"])
async def world(request: pytest.FixtureRequest) -> AsyncIterator[World]:
    """Workers that play over a store."""
    async with world_of(request.param) as found:
        yield found


async def chain(world: World) -> None:
    """Open a context of ``use``, what ``then`` makes of its output, and an end that tells it."""
    then = operation("then", {"b": B}, {"c": C})
    world.driver.scripts.update({"then": lambda b: {"c": b * 10}, "tell": multi("B", "C")})
    await world.driver.open(flow(operation("use", {"a": A}, {"b": B}), then, output("tell")), seeds(A, 1))


async def result(world: World) -> dict[str, Any]:
    """Have everything else done, and return the result."""
    await world.driver.drain()
    return (await world.driver.end()).result


# -- R1 to R9: storing, matching, dispatching -------------------------------------------------------------------------


@race(("reports", "  P.count(c, op, 'completed')\n  finish(c, r)", "  P.count(c, op, 'completed')"))
async def test_r01_outputs_and_their_end_are_one_step(world: World) -> None:
    await world.open()
    await world.report("dies", done(await world.one("dies"), 5))
    await world.workers.lose("dies", "default")
    assert await world.told() == [5]


@race(("reports", "elseif #given > 0 and not stored(c, r, given, 0, now) then", "elseif #given < 0 then"))
async def test_r02_who_is_done_has_given(world: World) -> None:
    await chain(world)
    await world.report("dies", done(await world.one("dies"), 5))
    await world.workers.lose("dies", "default")
    assert await result(world) == {"B": [5], "C": [50]}


@race(("implementations", "for at = 1, #ready, 4000 do", "for at = 1, 0 do"))
async def test_r03_what_follows_is_ready_in_the_same_step(world: World) -> None:
    await chain(world)
    await world.report("dies", done(await world.one("dies"), 5))
    await world.workers.lose("dies", "default")
    assert (await world.one("other")).operation.instance == "then"
    await world.workers.lose("other", "default")
    assert await result(world) == {"B": [5], "C": [50]}


@race(
    ("matching", "parameter < place and before[parameter] or now[parameter]", "now[parameter]"),
    ("redundancy", "if c.set[field] or not new and get(c, field) then return end", ""),
)
async def test_r04_who_gives_at_once_makes_no_pair_twice(world: World) -> None:
    both = operation("both", {"one": A, "other": A}, {"b": B})
    world.driver.scripts["both"] = lambda one, other: {"b": one * 10 + other}
    await world.driver.open(flow(both, output("tell")), hold=True)
    await asyncio.gather(*[world.backend.add("context", [Input(value, A)]) for value in range(4)])
    await world.backend.close("context")
    assert await world.told() == sorted(one * 10 + other for one in range(4) for other in range(4))


@race(("contexts", "if offer[4] ~= '' and get(c, 'n' .. offer[4]) then return 'AGAIN' end", ""))
async def test_r04_who_gives_the_same_at_once_gives_it_once(world: World) -> None:
    await world.driver.open(flow(operation("use", {"a": A}, {"b": B}), TELL), hold=True)
    answer, asked, both = world.client._answer, list[str](), asyncio.Event()

    async def answering(verb: str, *arguments: bytes) -> Any:
        """Let nobody go on before both have been told that the input is not there yet."""
        said = await answer(verb, *arguments)
        if verb == "known":
            asked.append(verb)
            if len(asked) == 2:
                both.set()
            await both.wait()
        return said

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(world.client, "_answer", answering)
        gives = [world.backend.add("context", [Input(1, A, uid="one")]) for _ in range(2)]
        new = sorted(await asyncio.gather(*gives))
    assert new == [0, 1]
    await world.backend.close("context")
    assert await world.told() == [1]


@race(
    ("stages", "local others = c.open - #c.holding", "local others = c.leased + c.backlog"),
    ("settle", "if #c.holding > 0 or c.open == 0 then S.quiet(c) end", "S.quiet(c)"),
)
async def test_r05_nothing_ends_while_something_waits(world: World) -> None:
    await world.open(2, retry=2, backoff=5)
    first, second = await world.lease("w1", 2)
    await world.report("w1", failed(first))
    await world.report("w1", done(second, 7))
    assert await world.lease("w1", 2) == []
    assert await world.told() == [0, 7]


@race(
    (
        "reports",
        "elseif #given > 0 and not stored(c, r, given, 0, now) then\n    return\n  end\n  P.count(c, op, 'completed')\n"
        "  finish(c, r)",
        "end\n  P.count(c, op, 'completed')\n  finish(c, r)\n  if #given > 0 then stored(c, r, given, 0, now) end",
    )
)
async def test_r06_children_are_counted_before_their_parent_is_not(world: World) -> None:
    await chain(world)
    await world.report("w1", done(await world.one("w1"), 5))
    assert await result(world) == {"B": [5], "C": [50]}


@race(("matching", "before[parameter] or now[parameter]", "before[parameter] or math.max(0, now[parameter] - 1)"))
async def test_r07_two_that_arrive_at_once_make_their_pair(world: World) -> None:
    await world.driver.open(flow(operation("both", {"a": A, "b": B})), hold=True)
    await asyncio.gather(world.backend.add("context", seeds(A, 1, 2)), world.backend.add("context", seeds(B, 3, 4)))
    await world.backend.add("context", seeds(A, 5))
    await world.backend.close("context")
    await world.driver.drain()
    ran = await world.driver.end()
    assert sorted((call["a"], call["b"]) for call in ran.calls("both")) == [(a, b) for a in (1, 2, 5) for b in (3, 4)]


@race(("redundancy", "then P.dispatch(c, r) else R.keep(c, r) end", "then R.keep(c, r) else R.keep(c, r) end"))
async def test_r08_what_is_taken_is_dispatched(world: World) -> None:
    await world.open(3)
    assert len(await world.lease("w1", 3)) == 3
    await world.driver.lose("w1")
    assert await world.told() == [0, 1, 2]


@race(("implementations", "  r.state = 'dispatched'\n  R.keep(c, r)", "  r.state = 'dispatched'"))
async def test_r09_what_is_dispatched_is_on_record(world: World) -> None:
    await world.open(3)
    assert world.driver.subject.existing() == 3
    assert len(await world.lease("w1", 3)) == 3
    await world.driver.lose("w1")
    assert await world.told() == [0, 1, 2]


# -- R10 to R18: leases, locks, epochs --------------------------------------------------------------------------------


@race(("leases", "P.hold(c, r, r.leases)", ""))
async def test_r10_what_a_killed_worker_took_comes_back(world: World) -> None:
    await world.open(2)
    await world.lease("killed", 2)
    assert await world.workers.lose("killed", "default") == 2
    assert await world.told() == [0, 1]


@race(("leases", "or r.worker ~= worker or (lease > 0 and r.leases ~= lease) then", "then"))
async def test_r11_who_held_it_before_ends_nothing(world: World) -> None:
    await world.open()
    late = await world.one("first")
    await world.workers.lose("first", "default")
    now = await world.one("second")
    await world.report("first", done(late, 1))
    assert world.refused == 1
    await world.report("second", done(now, 2))
    assert await world.told() == [2]


@race(("workers", "if count ~= a[2] then return 'ALIVE' end", ""))
async def test_r12_who_beats_keeps_what_takes_long(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open()
    long = await world.one("w/1")
    for count in range(1, 50):
        await world.workers.beat("w", count)
        assert await world.workers.expire("w", str(count - 1)) is None
    await world.report("w/1", done(long, 9))
    await world.workers.bye("w")
    assert await world.told() == [9]


async def no_key_ends_by_itself(world: World) -> None:
    """See that nothing in the store has a time to live."""
    lives = {key: await world.redis.pttl(key) for key in await world.keys()}
    assert {key: life for key, life in lives.items() if life != -1} == {}


@race(("workers", "redis.call('HSET', key('said'), a[1], a[2])", "redis.call('EXPIRE', K.beats, 30)"))
async def test_r14_no_life_ends_unseen(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open(2, retry=2, backoff=5)
    await world.report("w/1", failed(await world.one("w/1")))
    await world.one("w/1")
    await no_key_ends_by_itself(world)
    await world.workers.bye("w")
    assert await world.told() == [0, 1]


ONE_AFTER_THE_OTHER = """\
    local own, there = queue(c, lock), false
    for _, id in ipairs(redis.call('LRANGE', own, 0, -1)) do there = there or id == r.id end
    if not there and redis.call('RPUSH', own, r.id) == 1 then redis.call('SADD', listed_at(c), lock) end
    if redis.call('LINDEX', own, 0) ~= r.id then return false end
  end"""
ALL_AT_ONCE = """\
    local own = queue(c, lock)
    if redis.call('RPUSH', own, r.id) == 1 then redis.call('SADD', listed_at(c), lock) end
  end"""


@race(
    ("locks", ALL_AT_ONCE, ONE_AFTER_THE_OTHER),
    ("locks", "other.state == 'taken' and holds(c, other)", "other.state == 'taken' and L.acquire(c, other)"),
)
async def test_r15_locks_are_taken_all_at_once(world: World) -> None:
    left, right = locked("left"), locked("right")
    operations = [
        operation("first", {"a": left, "b": right}), operation("second", {"a": left, "b": right}),
        operation("third", {"a": right, "b": left}),
    ]  # fmt: skip
    await world.driver.open(flow(*operations), [Input(1, left), Input(2, right)])
    await world.driver.drain()
    ran = await world.driver.end()
    assert sorted(lease.instance for lease in ran.leases) == ["first", "second", "third"]


def locked(name: str) -> Any:
    """Return a definition whose inputs are locked."""
    return type(A)(name, "int", lock=True)


@race(("leases", "or r.worker ~= worker or (lease > 0 and r.leases ~= lease) then", "then"))
async def test_r16_nobody_gives_back_the_lock_of_another(world: World) -> None:
    lock = locked("lock")
    await world.driver.open(flow(operation("work", {"a": lock, "x": B})), [Input(1, lock), Input(1, B), Input(2, B)])
    late = await world.one("first")
    await world.workers.lose("first", "default")
    await world.one("second")  # what waited for the lock goes before what comes back
    await world.workers.lose("second", "default", released=True)
    again = await world.one("third")
    assert again.worker == late.worker
    await world.report("first", Completed(late, None))
    assert await world.lease("fourth", 5) == []
    await world.workers.lose("third", "default", released=True)
    await world.driver.drain()
    assert len((await world.driver.end()).leases) == 2


@race(
    (
        "locks",
        "  if holds(c, r) then return true end\n",
        "  redis.call('EXPIRE', queue(c, r.locks[1]), 30)\n  if holds(c, r) then return true end\n",
    ),
)
async def test_r17_a_lock_ends_with_its_lease_and_not_before(world: World) -> None:
    lock = locked("lock")
    await world.driver.open(flow(operation("work", {"a": lock, "x": B})), [Input(1, lock), Input(1, B), Input(2, B)])
    await world.one("w1")
    world.driver.clock.now += YEARS
    assert await world.lease("w2", 5) == []
    await no_key_ends_by_itself(world)
    await world.driver.lose("w1")
    await world.driver.drain()
    assert len((await world.driver.end()).leases) == 2


@race(
    ("workers", "if moved or not tonumber(workers[at + 1]) then", "if false then"),
    ("work", "if (knows >= 0 and knows ~= W.epoch()) or not", "if not"),
)
async def test_r18_a_store_that_has_gone_back_takes_nothing_from_before(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open()
    before = await world.contents()
    late = await world.one("w/1")
    await world.put_back(before)
    assert await world.workers.recover(1)
    assert await world.workers.hello("new", {}) == 1
    now = await world.one("new/1")
    assert now.leases > late.leases  # no number is given twice
    with pytest.raises(Fenced):
        await world.report("w/1", done(late, 1))
    await world.report("new/1", done(now, 2))
    await world.workers.bye("new")
    assert await world.told() == [2]


async def gone_back(world: World, before: dict[bytes, bytes]) -> None:
    """Have the store go back to before, and whoever looks after it notice."""
    await world.put_back(before)
    assert await world.workers.recover(1)


@race(("work", "if (knows >= 0 and knows ~= W.epoch()) or not", "if not"))
async def test_r18_who_has_no_worker_is_told_that_an_epoch_is_over(world: World) -> None:
    await world.open(2)
    before = await world.contents()
    late = await world.one("alone")
    await gone_back(world, before)
    with pytest.raises(Fenced):
        await world.report("alone", done(late, 1))
    assert world.refused == 1
    await world.report("alone", done(await world.one("alone"), 2))  # it has begun anew
    await world.report("alone", done(await world.one("alone"), 3))
    assert await world.told() == [2, 3]


@race(("runners", "return math.max(number, W.epoch() * 2 ^ 32) + 1", "return number + 1"))
async def test_r18_a_number_of_a_lease_is_never_given_twice(world: World) -> None:
    await world.open()
    before = await world.contents()
    late = await world.one("alone")
    await gone_back(world, before)
    world.network._epochs.clear()  # as one that knows of no epoch
    now = await world.one("alone")
    await world.report("alone", done(late, 1))
    assert world.refused == 1
    await world.report("alone", done(now, 2))
    assert await world.told() == [2]


@race(("opening", "W.epoch() * 2 ^ 32 + redis.call('INCR', K.serial)", "redis.call('INCR', K.serial)"))
async def test_r18_a_number_of_a_context_is_never_given_twice(world: World) -> None:
    await world.backend.publish(compile_plan(flow(operation("use", {"a": A}, {"b": B}), TELL)))
    before = await world.contents()
    await world.open(1, "one")
    late = await world.one("alone")
    await gone_back(world, before)
    await world.open(1, "two")
    assert (await world.one("another")).context.id != late.context.id
    await world.workers.lose("another", "default", released=True)
    assert await world.told("two") == [0]


@pytest.mark.parametrize("name", naive_in(__name__))
async def test_the_naive_variant_is_caught(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    await naive_is_caught(name, monkeypatch)

"""Leases over real servers, and everything that might break them: late reports, lost replies, beats that come in
between, zombies, runners that die with a bell in their hands, and epochs."""

from collections.abc import AsyncIterator
from typing import Any, cast

import pytest

from tests.backends.redis.stores import store
from tests.contract.clock import Clock
from tests.contract.driver import Driver
from tests.contract.shapes import A, B, flow, multi, operation, output, seeds
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.implementations import RedisOperationImplementationNetwork
from tidemill.backends.redis.workers import RedisWorkers, WorkerTaken, runner_of
from tidemill.engine.parameters import DROPPED, ParameterSet
from tidemill.errors import OperationFailure
from tidemill.networks.implementations import Completed, Emitted, Failed, Fenced, Released, Report

TELL = output("tell")
MANY = 600  # parameter sets of one runner: more than one call takes back


@pytest.fixture(params=["redis", "valkey"])
async def driver(request: pytest.FixtureRequest) -> AsyncIterator[Driver]:
    """Workers that play over a store."""
    clock = Clock()
    async with store(request.param, clock) as subject:
        yield Driver(subject, clock, {"use": lambda a: {"b": a}, "tell": multi("B")})


class World:
    """A store as its workers use it, with one context of so many parameter sets of `USE`."""

    def __init__(self, driver: Driver) -> None:
        self.driver = driver
        self.backend = cast(RedisBackend, driver.backend)
        self.client = self.backend.client
        self.network: RedisOperationImplementationNetwork = self.backend.implementations
        self.workers = RedisWorkers(self.client)
        self._nonce = 0

    async def open(self, many: int = 1, **keywords: Any) -> None:
        use = operation("use", {"a": A}, {"b": B}, **keywords)
        await self.driver.open(flow(use, TELL), seeds(A, *range(many)))

    def nonce(self) -> bytes:
        self._nonce += 1
        return self._nonce.to_bytes(16, "big")

    async def lease(self, runner: str, want: int = 1) -> list[ParameterSet]:
        """Lease everything there is, up to ``want``."""
        return (await self.network.exchange(runner, (), want, self.nonce()))[0]

    async def report(self, runner: str, *reports: Report) -> None:
        for report in reports:
            report.lease = report.parameter_set.leases
        await self.network.exchange(runner, reports, 0, self.nonce())

    async def bells(self, *runners: str) -> list[str]:
        """Return the runners whose bell rings, and silence it."""
        return [one for one in runners if await self.client.redis.lpop(self.client.key("wake", one))]

    async def told(self) -> list[int]:
        """Have everything else done, and return what the context tells in the end."""
        await self.driver.drain()
        return sorted((await self.driver.end()).result["B"])


@pytest.fixture
def world(driver: Driver) -> World:
    return World(driver)


def done(one: ParameterSet, value: int) -> Completed:
    return Completed(one, {"b": value})


# -- late reports -----------------------------------------------------------------------------------------------------


async def test_what_a_lost_runner_says_late_counts_nothing(world: World) -> None:
    await world.open()
    (late,) = await world.lease("first")
    await world.workers.lose("first", "default")
    (again,) = await world.lease("second")
    await world.report("first", done(late, 1))
    await world.report("second", done(again, 2))
    await world.report("first", Released(late))
    assert world.driver.subject.refused() == 2
    assert await world.told() == [2]


async def test_an_older_lease_of_the_same_runner_counts_nothing(world: World) -> None:
    await world.open()
    (late,) = await world.lease("only")
    await world.workers.lose("only", "default", released=True)
    (again,) = await world.lease("only")
    assert again.leases == late.leases + 1
    await world.report("only", done(late, 1))
    assert world.driver.subject.refused() == 1
    await world.report("only", done(again, 2))
    assert await world.told() == [2]


async def test_a_generator_learns_that_its_lease_is_lost(world: World) -> None:
    await world.open()
    (late,) = await world.lease("only")
    await world.workers.lose("only", "default", released=True)
    await world.lease("only")
    await world.report("only", Emitted(late, 0, {"b": 1}))
    assert late.state == DROPPED
    await world.driver.lose("only")
    assert await world.told() == [0]


# -- lost replies -----------------------------------------------------------------------------------------------------


async def test_a_repeated_cycle_settles_nothing_twice_and_leases_the_same(world: World) -> None:
    await world.open(6)
    first = await world.lease("runner", 2)
    reports: list[Report] = [Completed(one, {"b": 7}, lease=one.leases) for one in first]
    nonce = world.nonce()
    answers = [await world.network.exchange("runner", reports, 2, nonce) for _ in range(3)]
    told = [[(one.worker, one.leases, one.arguments()) for one in leased] for leased, _ in answers]
    assert told[0] == told[1] == told[2]
    assert len(told[0]) == 2
    assert world.driver.subject.refused() == 0
    await world.driver.lose("runner")
    assert await world.told() == [2, 3, 4, 5, 7, 7]


async def test_a_repeated_emission_is_stored_once(world: World) -> None:
    await world.open()
    (one,) = await world.lease("runner")
    nonce = world.nonce()
    for _ in range(3):
        await world.network.exchange("runner", [Emitted(one, 0, {"b": 5}, one.leases)], 0, nonce)
        assert one.state != DROPPED
    await world.report("runner", Completed(one, None))
    assert await world.told() == [5]


async def test_a_repeated_cycle_gives_only_what_is_still_held(world: World) -> None:
    await world.open(2)
    nonce = world.nonce()
    first, _ = await world.network.exchange("runner", (), 2, nonce)
    await world.workers.lose("runner", "default", released=True)
    again, _ = await world.network.exchange("runner", (), 2, nonce)
    assert [one.leases for one in first] == [1, 1]
    assert [one.leases for one in again] == [2, 2]  # it is another cycle now: the first one's leases are gone
    await world.driver.lose("runner")
    assert await world.told() == [0, 1]


async def test_a_new_nonce_is_another_cycle(world: World) -> None:
    await world.open(2)
    (first,) = await world.lease("runner")
    (second,) = await world.lease("runner")
    assert first.arguments() != second.arguments()
    await world.driver.lose("runner")
    assert await world.told() == [0, 1]


# -- expiry -----------------------------------------------------------------------------------------------------------


async def test_a_beat_in_between_saves_a_worker(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open()
    (one,) = await world.lease("w/1")
    assert await world.workers.beat("w", 1) is not None
    seen = (await world.workers.beat("w", 1) or pytest.fail("it lives")).others
    assert seen == {}
    await world.workers.beat("w", 2)
    assert await world.workers.expire("w", "1") is None
    await world.report("w/1", done(one, 9))
    assert await world.workers.bye("w") == 0
    assert await world.told() == [9]


async def test_a_beat_that_is_repeated_or_late_turns_nothing_back(world: World) -> None:
    await world.workers.hello("w", {})
    await world.workers.hello("other", {})
    for count in (2, 3, 3, 2):
        await world.workers.beat("w", count)
    beat = await world.workers.beat("other", 1)
    assert beat is not None
    assert beat.others == {"w": "3"}
    for worker in ("w", "other"):
        await world.workers.bye(worker)


async def test_a_zombie_is_refused_whatever_it_says(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open(2)
    one, other = await world.lease("w/1", 2)
    await world.workers.beat("w", 1)
    assert await world.workers.expire("w", "1") == 2
    assert await world.workers.beat("w", 2) is None
    for reports in ([done(one, 100)], [Emitted(other, 0, {"b": 100})], []):
        with pytest.raises(Fenced):
            await world.network.exchange("w/1", reports, 5, world.nonce())
    with pytest.raises(Fenced):  # nor does it come to life under a number that nobody had
        await world.network.exchange("w/2", (), 5, world.nonce())
    assert world.driver.subject.refused() == 2
    assert await world.told() == [0, 1]


async def test_a_lost_runner_is_refused_and_its_worker_is_not(world: World) -> None:
    """A call of its that is still on its way when it dies must not lease anything to the dead."""
    await world.workers.hello("w", {})
    await world.open(2)
    await world.lease("w/1")
    assert await world.workers.lose("w/1", "default", "it was ended by signal 9 (SIGKILL)") == 1
    with pytest.raises(Fenced):
        await world.lease("w/1")
    leased = await world.lease("w/2", 2)
    await world.report("w/2", *[done(one, 4) for one in leased])
    await world.workers.bye("w")
    assert await world.told() == [4, 4]


async def test_a_runner_of_a_worker_that_has_not_said_hello_is_refused(world: World) -> None:
    await world.open()
    with pytest.raises(Fenced):
        await world.lease("stranger/1")
    assert await world.told() == [0]


async def test_what_is_much_is_taken_back_in_pieces_that_anybody_may_take(world: World) -> None:
    await world.workers.hello("w", {})
    await world.workers.hello("heir", {})
    await world.open(MANY)
    held = 0
    while leased := await world.lease("w/1", 100):
        held += len(leased)
    assert held == MANY
    many, left = await world.client.call("expire", "w", "0")
    assert many + left == MANY and left > 0
    with pytest.raises(Fenced):  # from the first piece on
        await world.lease("w/1")
    beat = await world.workers.beat("heir", 1)  # whoever began has died; somebody else sees it and goes on
    assert beat is not None
    assert beat.others == {"w": "lost"}
    assert await world.workers.expire("w", beat.others["w"]) == left
    beat = await world.workers.beat("heir", 2)
    assert beat is not None
    assert beat.others == {}
    await world.workers.bye("heir")
    assert await world.told() == list(range(MANY))


async def test_three_lost_workers_are_poison_and_what_is_handed_back_costs_nothing(world: World) -> None:
    await world.open()
    for number in range(5):
        worker = f"w{number}"
        await world.workers.hello(worker, {})
        await world.lease(runner_of(worker, 1))
        assert await world.workers.bye(worker) == 1
    for number in range(3):
        worker = f"v{number}"
        await world.workers.hello(worker, {})
        await world.lease(runner_of(worker, 1))
        said = f"the runner {worker}/1 was ended by signal 11 (SIGSEGV)"
        assert await world.workers.lose(runner_of(worker, 1), "default", said) == 1
        await world.workers.bye(worker)
    failure = (await world.driver.end()).failure
    assert failure.reason == "Poisonous"
    assert "signal 11 (SIGSEGV)" in failure.message


async def test_an_id_is_used_once(world: World) -> None:
    assert await world.workers.hello("w", {"host": "here"}) == 0
    assert await world.workers.hello("w", {"host": "here"}) == 0  # its reply was lost
    await world.workers.beat("w", 1)
    with pytest.raises(WorkerTaken):
        await world.workers.hello("w", {})
    await world.workers.bye("w")
    assert await world.workers.bye("w") == 0


# -- bells ------------------------------------------------------------------------------------------------------------


async def test_a_bell_that_a_dead_runner_had_heard_rings_for_another(world: World) -> None:
    for runner in ("one", "two"):
        assert await world.lease(runner) == []
    await world.open()
    (rung,) = await world.bells("one", "two")
    (other,) = {"one", "two"} - {rung}
    await world.workers.lose(rung, "default")
    assert await world.bells("one", "two") == [other]
    assert await world.told() == [0]


async def test_a_bell_that_a_full_runner_has_heard_rings_for_another(world: World) -> None:
    for runner in ("one", "two"):
        assert await world.lease(runner) == []
    await world.open()
    (rung,) = await world.bells("one", "two")
    (other,) = {"one", "two"} - {rung}
    assert await world.lease(rung, 0) == []  # it drains, or has no memory left
    assert await world.bells("one", "two") == [other]
    assert await world.told() == [0]


async def test_who_has_nothing_to_do_gets_a_share(world: World) -> None:
    for runner in ("one", "two"):
        assert await world.lease(runner) == []
    await world.open(8)
    assert sorted(await world.bells("one", "two")) == ["one", "two"]
    assert len(await world.lease("one", 64)) == 4
    assert len(await world.lease("two", 64)) == 2
    assert await world.bells("one", "two") == ["one"]
    assert len(await world.lease("one", 64)) == 1
    assert len(await world.lease("two", 64)) == 1
    assert await world.lease("one", 64) == []
    for runner in ("one", "two"):
        await world.driver.lose(runner)
    assert await world.told() == list(range(8))


async def test_what_is_left_to_one_that_never_comes_is_taken_soon(world: World) -> None:
    for runner in ("held up", "one"):
        assert await world.lease(runner) == []
    await world.open(64)
    had, calls = 0, 0
    while had < 64:
        leased, due = await world.network.exchange("one", (), 100, world.nonce())
        had, calls = had + len(leased), calls + 1
        assert had == 64 or (due is not None and due <= 0.05)
    assert calls <= 7
    assert await world.lease("one") == []
    for runner in ("held up", "one"):
        await world.driver.lose(runner)
    assert await world.told() == list(range(64))


async def test_a_further_try_that_only_a_dead_runner_knew_of_is_told_to_another(world: World) -> None:
    assert await world.lease("idle") == []
    await world.open(1, retry=2, backoff=5)
    assert await world.bells("idle") == ["idle"]
    (one,) = await world.lease("busy")
    leased, due = await world.network.exchange("idle", (), 1, world.nonce())
    assert (leased, due) == ([], None)
    failed = Failed(one, OperationFailure("Exception", "boom", "use", "use", {"a": 0}), one.leases)
    _, due = await world.network.exchange("busy", [failed], 1, world.nonce())
    assert due == pytest.approx(5)
    assert await world.bells("idle") == []
    await world.workers.lose("busy", "default")
    assert await world.bells("idle") == ["idle"]
    _, due = await world.network.exchange("idle", (), 1, world.nonce())
    assert due == pytest.approx(5)
    world.driver.clock.now += 5
    assert await world.told() == [0]


# -- epochs -----------------------------------------------------------------------------------------------------------


async def test_a_new_epoch_hands_everything_back_and_fences_whoever_was_there(world: World) -> None:
    await world.workers.hello("w", {})
    await world.open(MANY)
    while await world.lease("w/1", 100):
        pass
    left = await world.client.call("recover", 7)
    assert left > 0
    assert await world.workers.hello("new", {}) == 7
    assert await world.workers.recover(7)
    with pytest.raises(Fenced):
        await world.lease("w/1")
    assert await world.workers.beat("w", 1) is None
    beat = await world.workers.beat("new", 1)
    assert beat is not None
    assert (beat.epoch, beat.others) == (7, {})
    assert not await world.workers.recover(6)
    await world.workers.bye("new")
    assert await world.told() == list(range(MANY))


async def test_a_new_epoch_takes_back_from_whoever_has_no_worker_too(world: World) -> None:
    await world.open(MANY)
    late = await world.lease("alone", MANY)
    while leased := await world.lease("alone", 100):
        late += leased
    assert len(late) == MANY
    assert await world.workers.recover(1)
    with pytest.raises(Fenced):
        await world.report("alone", *[done(one, -1) for one in late[:3]])
    assert world.driver.subject.refused() == 3
    assert await world.told() == list(range(MANY))

"""One operator acts at a time, whatever happens to its clock, its connection, or itself."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from tests.operator.fake import FakeAPI, fake_api
from tidemill_operator.cluster import Cluster
from tidemill_operator.leader import Leader, LeaseLost, boottime

PATH = ("leases", "ns", "tm")


class Clock:
    """Seconds that pass as a test says."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
async def place() -> AsyncIterator[tuple[FakeAPI, Cluster]]:
    async with fake_api() as found:
        yield found


def leader(cluster: Cluster, clock: Clock, who: str = "one") -> Leader:
    return Leader(cluster, "ns", "tm", who, duration=15, every=0.01, within=10, clock=clock)


async def test_the_first_one_acts_and_a_second_one_waits(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    clock = Clock()
    one, two = leader(cluster, clock), leader(cluster, clock, "two")
    await one.acquire()
    assert one.holds
    assert not await two._take()
    assert two.holder == one.who
    with pytest.raises(LeaseLost, match="another operator may act"):
        two.guard()
    spec = api.objects[PATH]["spec"]
    assert (spec["holderIdentity"], spec["leaseDurationSeconds"], spec["leaseTransitions"]) == (one.who, 15, 1)


async def test_a_lease_is_over_when_it_was_seen_unchanged_for_long_enough(place: tuple[FakeAPI, Cluster]) -> None:
    _, cluster = place
    clock = Clock()
    one, two = leader(cluster, clock), leader(cluster, clock, "two")
    await one.acquire()
    assert not await two._take()
    clock.now += 14
    assert not await two._take()
    assert not one.holds, "who could not renew must stop before others begin"
    clock.now += 2
    assert await two._take()
    assert two.holds
    await one._renew()
    assert not one.holds


async def test_who_renews_is_not_taken_over_from(place: tuple[FakeAPI, Cluster]) -> None:
    _, cluster = place
    clock = Clock()
    one, two = leader(cluster, clock), leader(cluster, clock, "two")
    await one.acquire()
    for _ in range(10):
        assert not await two._take()
        clock.now += 8
        await one._renew()
        assert one.holds


async def test_a_holder_that_never_renews_cannot_say_that_it_needs_no_time(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    clock = Clock()
    api.put(
        "leases",
        {"metadata": {"name": "tm", "namespace": "ns"}, "spec": {"holderIdentity": "x", "leaseDurationSeconds": 0}},
    )
    one = leader(cluster, clock)
    assert not await one._take()
    clock.now += 14
    assert not await one._take()
    clock.now += 2
    assert await one._take()
    assert api.objects[PATH]["spec"]["leaseTransitions"] == 1


async def test_two_that_try_at_the_same_time_do_not_both_get_it(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    clock = Clock()
    for known in (False, True):
        api.objects.pop(PATH, None)
        if known:
            api.put("leases", {"metadata": {"name": "tm", "namespace": "ns"}, "spec": {}})
        several = [leader(cluster, clock, str(number)) for number in range(5)]
        taken = await asyncio.gather(*(one._take() for one in several))
        assert sum(taken) == 1


async def test_whoever_lets_go_makes_nobody_wait(place: tuple[FakeAPI, Cluster]) -> None:
    _, cluster = place
    clock = Clock()
    one, two = leader(cluster, clock), leader(cluster, clock, "two")
    await one.acquire()
    await one.release()
    assert not one.holds
    await one.release()
    assert await two._take()


async def test_a_lease_that_cannot_be_renewed_is_lost_in_time(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    clock = Clock()
    one = leader(cluster, clock)
    await one.acquire()
    keeping = asyncio.create_task(one.keep())
    api.refuse = lambda verb, path: 500
    clock.now += 11
    with pytest.raises(LeaseLost):
        await asyncio.wait_for(keeping, 120)


async def test_a_lease_that_somebody_labels_is_kept(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    clock = Clock()
    one = leader(cluster, clock)
    await one.acquire()
    api.put("leases", {"metadata": {"name": "tm", "namespace": "ns", "labels": {"a": "b"}}})
    await one._renew()
    assert one.holds
    await one._renew()
    assert api.objects[PATH]["metadata"]["labels"] == {"a": "b"}


async def test_a_lease_that_somebody_deletes_is_lost(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    clock = Clock()
    one = leader(cluster, clock)
    await one.acquire()
    api.delete(*PATH)
    await one._renew()
    assert not one.holds


async def test_notes_are_there_for_the_next_one(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    clock = Clock()
    one, two = leader(cluster, clock), leader(cluster, clock, "two")
    await one.acquire()
    await one.note(**{"tidemill.alt/epoch": "3"})
    before = len(api.log)
    await one.note(**{"tidemill.alt/epoch": "3"})
    assert len(api.log) == before
    await one.release()
    await two.acquire()
    assert two.notes["tidemill.alt/epoch"] == "3"


async def test_what_cannot_be_noted_is_not_relied_on(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    one = leader(cluster, Clock())
    await one.acquire()
    api.refuse = lambda verb, path: 500 if verb == "PUT" else None
    with pytest.raises(LeaseLost):
        await one.note(epoch="4")


async def test_an_api_server_that_refuses_is_asked_again(place: tuple[FakeAPI, Cluster]) -> None:
    api, cluster = place
    left = [403, 500, None, 500]
    api.refuse = lambda verb, path: left.pop(0) if left else None
    one = leader(cluster, Clock())
    await asyncio.wait_for(one.acquire(), 20)
    assert one.holds


def test_the_clock_goes_on() -> None:
    assert boottime() <= boottime()

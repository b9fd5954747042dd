"""What a store is at can be seen: contexts, counts, pools, workers, and why something waits."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.backends.redis.beside import USE, Corner, corner, ignored, opened, used
from tests.contract.shapes import LOCKED, A, B, flow, operation, seeds
from tidemill.backends.redis import overview as overviews
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.overview import Overview, RedisOverview, Wait
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.cli.overviews import _summary, report
from tidemill.errors import OperationFailure
from tidemill.networks.backend import Counts
from tidemill.networks.implementations import Failed
from tidemill.plan.compile import compile_plan


@pytest.fixture
async def place() -> AsyncIterator[Corner]:
    """A corner of a server."""
    async with corner() as found:
        yield found


def reasons(overview: Overview) -> list[tuple[str, int]]:
    return [(wait.reason, wait.many) for wait in overview.waits()]


async def seen(backend: RedisBackend, *names: str, plans: list[str] | None = None) -> Overview:
    return await RedisOverview(backend.client).look(names=names, plans=plans or [])


async def test_an_empty_store_has_nothing_to_show(place: Corner) -> None:
    assert await seen(place.backend()) == Overview()


async def test_work_of_a_pool_that_nobody_serves_says_so(place: Corner) -> None:
    backend = place.backend(silent=True)
    plan = compile_plan(flow(operation("use", {"a": A}, pool="gpu")))
    await opened(backend, "one", "two", plan=plan)
    overview = await seen(backend)
    said = 'no worker serves the pool "gpu"; start one: tidemill worker --pool gpu'
    assert overview.waits() == [Wait("NoWorkers", 2, said)]
    assert (overview.ready, overview.serving, overview.workers) == ({"gpu": 2}, {}, 0)
    workers = RedisWorkers(backend.client)
    await workers.hello("worker", {"pool": "gpu", "runners": 2})
    overview = await seen(backend)
    assert (overview.waits(), overview.serving, overview.workers) == ([], {"gpu": 1}, 1)
    backend.implementations.pool = "gpu"
    for number in (1, 2):
        await backend.implementations.exchange(f"worker/{number}", [], 0)
    assert (await seen(backend)).serving == {"gpu": 2}
    await workers.bye("worker")
    assert reasons(await seen(backend)) == [("NoWorkers", 2)]


async def test_what_workers_lack_is_told_with_a_beat_and_goes_with_them(place: Corner) -> None:
    backend = place.backend(silent=True)
    workers = RedisWorkers(backend.client)
    await workers.hello("one", {"pool": "gpu"})
    await workers.beat("one", 1, said={"pool": "gpu", "missing": {"a:b": "there is no module a"}})
    await workers.beat("one", 2)
    assert (await seen(backend)).missing == {"gpu": {"a:b": "there is no module a"}}
    await workers.bye("one")
    assert await workers.beat("one", 3, said={"pool": "gpu", "missing": {"a:b": "late"}}) is None
    assert (await seen(backend)).missing == {}


async def test_counts_and_contexts_are_followed_to_their_ends(place: Corner) -> None:
    backend = place.backend(silent=True)
    await opened(backend, "one", "two", "three")
    overview = await seen(backend)
    assert overview.contexts == {"open": 3, "succeeded": 0, "failed": 0}
    assert overview.looked == 3
    (one,) = [state for state in overview.states if state.name == "one"]
    assert (one.stage, one.taken, one.open, one.leased, one.waiting, one.child) == ("processing", 1, 1, 0, 0, False)
    (leased,), _ = await backend.implementations.exchange("plays", [], 1)
    failure = OperationFailure("Exception", "no", "use", "use", {})
    await backend.implementations.exchange("plays", [Failed(leased, failure)], 0)
    await used(backend)
    overview = await seen(backend)
    assert overview.contexts == {"open": 0, "succeeded": 2, "failed": 1}
    counts = {one.instance: one.counts for one in overview.operations}
    assert counts["use"] == Counts(taken=3, dispatched=3, leased=3, completed=2, failed=1)
    assert counts["tell"] == Counts(taken=2, dispatched=2, leased=2, completed=2)


async def test_contexts_that_are_named_are_shown_with_their_plans_only(place: Corner) -> None:
    backend = place.backend(silent=True)
    other = compile_plan(flow(operation("other", {"b": B}, pool="gpu")))
    await opened(backend, "one", "two")
    await backend.publish(other)
    await backend.begin("three", other, seeds(B, 1), ignored)
    overview = await seen(backend, "one", "gone")
    assert [state.name for state in overview.states] == ["one"]
    assert {one.instance for one in overview.operations} == {"use"}
    assert reasons(overview) == [("NoWorkers", 2)]
    assert {one.instance for one in (await seen(backend, "gone", plans=[other.digest])).operations} == {"other"}
    assert {one.plan for one in (await seen(backend)).operations} == {USE.digest, other.digest}


async def test_what_waits_for_locks_places_and_times_is_told_apart(place: Corner) -> None:
    backend = place.backend(silent=True)
    use = operation("use", {"a": LOCKED, "b": B})
    once = operation("once", {"b": B}, concurrency=1)
    again = operation("again", {"a": A}, retry=2, backoff=20)
    plan = compile_plan(flow(use, once, again))
    await backend.publish(plan)
    given = [*seeds(LOCKED, 1), *seeds(B, 1, 2, 3), *seeds(A, 1)]
    await backend.begin("one", plan, given, ignored)
    leased, _ = await backend.implementations.exchange("plays", [], 100)
    failed = [
        Failed(one, OperationFailure("Exception", "no", "again")) for one in leased if one.operation.instance == "again"
    ]
    await backend.implementations.exchange("plays", failed, 0)
    overview = await seen(backend)
    assert reasons(overview) == [("WaitingForLocks", 2), ("ConcurrencyLimit", 2), ("Delayed", 1)]
    assert [one.parked for one in overview.operations if one.instance == "once"] == [2]


@pytest.mark.parametrize(("many", "whole"), [(3, True), (4, False)])
async def test_where_a_part_of_the_contexts_was_looked_at_that_is_said(
    place: Corner, monkeypatch: pytest.MonkeyPatch, many: int, whole: bool
) -> None:
    monkeypatch.setattr(overviews, "MOST", 3)
    backend = place.backend(silent=True)
    plan = compile_plan(flow(operation("use", {"a": LOCKED, "b": B})))
    await backend.publish(plan)
    for number in range(many):
        await backend.begin(f"context {number}", plan, [*seeds(LOCKED, 1), *seeds(B, 1, 2)], ignored)
    overview = await seen(backend)
    assert (overview.looked, overview.whole) == (3, whole)
    [said] = [wait.said for wait in overview.waits() if wait.reason == "WaitingForLocks"]
    assert said.endswith("; in the 3 open contexts that were looked at") is not whole
    assert any("3 of the open contexts" in line for line in _summary(overview)) is not whole
    assert report(overview)["all_open_looked_at"] is whole


async def test_more_contexts_than_one_page_are_all_seen(place: Corner) -> None:
    backend = place.backend(silent=True)
    await opened(backend, *[f"context {number}" for number in range(700)])
    overview = await seen(backend)
    assert overview.looked == 700
    assert overview.ready == {"default": 700}
    names = [f"context {number}" for number in range(100)]
    assert (await seen(backend, *names)).looked == 100

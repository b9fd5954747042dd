"""Workers that vanish, repeat themselves, come too late or speak for others: nothing is done twice, nothing is left
undone, and what is refused is counted."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest

from tests.contract.backends import Factory
from tests.contract.clock import Clock
from tests.contract.driver import Driver, Lease, Running, failure_of
from tests.contract.shapes import LOCKED, A, B, C, flow, multi, operation, output, seeds
from tidemill.errors import OperationFailure
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Child, Completed, Emitted, Failed, Lost, Released, Report, Subflow
from tidemill.plan.compile import compile_plan

MAKE = operation("make", {"a": A}, {"b": B})
USE = operation("use", {"b": B})
READ = output("read")

REPORTS: dict[str, Callable[[Lease], Report]] = {
    "completed": lambda lease: Completed(lease.parameter_set, {"b": 666}, ("evil",), lease.number),
    "emitted": lambda lease: Emitted(lease.parameter_set, 0, {"b": 666}, lease.number),
    "failed": lambda lease: Failed(lease.parameter_set, failure_of(lease, "evil"), lease.number),
    "lost": lambda lease: Lost(lease.parameter_set, "evil", lease.number),
    "released": lambda lease: Released(lease.parameter_set, lease.number),
    "subflow": lambda lease: Subflow(lease.parameter_set, [Child("x", compile_plan(flow(USE)), ())], lease.number),
}
EVERY_REPORT = pytest.mark.parametrize("kind", sorted(REPORTS))


async def open_one(driver: Driver, *more: int) -> Lease:
    """Open a context of `make`, `use` and an output operation, and lease its first parameter set to w1."""
    driver.scripts.update({"make": lambda a: {"b": a * 10}, "read": multi("B")})
    await driver.open(flow(MAKE, USE, READ), seeds(A, 1, *more))
    lease = await driver.one()
    assert lease.instance == "make"
    return lease


async def refuse(driver: Driver, worker: str, report: Report) -> None:
    """Send a report that has to be refused and counted, and to lease nothing by it."""
    before = driver.subject.refused()
    assert await driver.cycle(worker, (report,), 0) == []
    assert driver.subject.refused() == before + 1, f"{type(report).__name__} was taken"


async def ends_well(driver: Driver) -> None:
    """Do the rest of the work; the context has to have run `make` and `use` once and end with their result."""
    await driver.drain()
    ran = await driver.end()
    assert ran.result == {"B": [10]}
    assert (ran.ending.inputs, ran.ending.parameter_sets, ran.ending.notes) == (2, 3, ())
    assert ran.calls("use") == [{"b": 10}]
    assert ran.ending.failures == ()


# -- reports that are refused -----------------------------------------------------------------------------------------


@EVERY_REPORT
async def test_a_repeated_completion_is_refused_and_so_is_what_else_is_said_after_it(driver: Driver, kind: str) -> None:
    lease = await open_one(driver)
    await driver.complete(lease, {"b": 10})
    for _ in range(2):
        await refuse(driver, "w1", REPORTS[kind](lease))
    await ends_well(driver)


@EVERY_REPORT
async def test_a_worker_that_never_held_the_lease_is_refused(driver: Driver, kind: str) -> None:
    lease = await open_one(driver)
    await refuse(driver, "stranger", REPORTS[kind](lease))
    await driver.complete(lease, {"b": 10})
    await ends_well(driver)


@EVERY_REPORT
async def test_a_worker_is_refused_once_it_is_held_to_have_vanished(driver: Driver, kind: str) -> None:
    lease = await open_one(driver)
    assert await driver.lose("w1") == 1
    await refuse(driver, "w1", REPORTS[kind](lease))
    again = await driver.one("w2")
    await refuse(driver, "w1", REPORTS[kind](lease))
    await driver.complete(again, {"b": 10})
    await refuse(driver, "w1", REPORTS[kind](lease))
    await ends_well(driver)


@EVERY_REPORT
async def test_the_same_worker_is_refused_when_it_speaks_of_an_earlier_lease(driver: Driver, kind: str) -> None:
    lease = await open_one(driver)
    await driver.release(lease)
    again = await driver.one()
    assert (again.worker, again.which, again.number) == ("w1", lease.which, 2)
    await refuse(driver, "w1", REPORTS[kind](lease))
    await driver.complete(again, {"b": 10})
    await ends_well(driver)


@EVERY_REPORT
async def test_a_report_between_two_leases_is_refused(driver: Driver, kind: str) -> None:
    lease = await open_one(driver)
    await driver.release(lease)
    await refuse(driver, "w1", REPORTS[kind](lease))
    await ends_well(driver)


@EVERY_REPORT
async def test_a_report_of_a_context_that_has_ended_is_refused(driver: Driver, kind: str) -> None:
    lease = await open_one(driver)
    await driver.complete(lease, {"b": 10})
    await ends_well(driver)
    await refuse(driver, "w1", REPORTS[kind](lease))


@EVERY_REPORT
async def test_a_report_while_it_waits_for_its_next_try_is_refused(driver: Driver, kind: str) -> None:
    driver.scripts.update({"make": lambda a: {"b": a * 10}, "read": multi("B")})
    await driver.open(flow(MAKE._replace(retry=2), USE, READ), seeds(A, 1))
    lease = await driver.one()
    await driver.fail(lease)
    await refuse(driver, "w1", REPORTS[kind](lease))
    await ends_well(driver)


async def test_several_reports_of_one_step_are_judged_each_by_itself(driver: Driver) -> None:
    lease = await open_one(driver, 2)
    other = await driver.one()
    good = [Completed(one.parameter_set, {"b": 10 * one.arguments["a"]}, (), one.number) for one in (lease, other)]
    for one in (lease, other):
        driver.drop(one)
    await driver.cycle("w1", [good[0], good[0], good[1], REPORTS["failed"](lease)], 0)
    assert driver.subject.refused() == 2
    await driver.drain()
    assert (await driver.end()).result == {"B": [10, 20]}


async def test_what_is_reported_and_what_is_leased_is_one_step(driver: Driver) -> None:
    lease = await open_one(driver)
    driver.drop(lease)
    (following,) = await driver.cycle("w1", [Completed(lease.parameter_set, {"b": 10}, (), lease.number)], 5)
    assert (following.instance, following.arguments) == ("use", {"b": 10})


# -- handing back and vanishing ---------------------------------------------------------------------------------------


async def test_what_is_handed_back_is_ready_at_once_for_anybody(driver: Driver) -> None:
    lease = await open_one(driver)
    assert await driver.lease(9, "w2") == []
    await driver.release(lease)
    again = await driver.one("w2")
    assert (again.which, again.arguments) == (lease.which, {"a": 1})
    await driver.finish(again)
    await ends_well(driver)


async def test_a_worker_loses_all_that_it_holds_and_nobody_elses(driver: Driver) -> None:
    await driver.open(flow(MAKE), seeds(A, 1, 2, 3))
    await driver.lease(2, "w1")
    kept = await driver.one("w2")
    assert await driver.lose("w1") == 2
    assert driver.holding() == [kept]
    assert sorted(lease.arguments["a"] for lease in await driver.lease(9, "w3")) == [1, 2]


@pytest.mark.parametrize("worker", ["never seen", "idle", "again"])
async def test_a_worker_that_holds_nothing_loses_nothing(driver: Driver, worker: str) -> None:
    await open_one(driver)
    await driver.lease(0, "idle")
    assert await driver.lose("w1") == 1
    await driver.one("again")
    assert await driver.lose("again") == 1
    assert await driver.lose(worker) == 0
    await ends_well(driver)


async def test_lost_locks_go_to_who_waits_and_the_loser_queues_up_behind(driver: Driver) -> None:
    operations = [operation(name, {"x": LOCKED}) for name in ("first", "second", "third")]
    await driver.open(flow(*operations), seeds(LOCKED, 1))
    assert (await driver.one()).instance == "first"
    order = []
    await driver.lose("w1")
    while leased := await driver.lease(9, "w2"):
        (lease,) = leased
        order.append(lease.instance)
        await driver.complete(lease)
    assert order == ["second", "third", "first"]
    assert (await driver.end()).ending.failure is None


async def test_a_lost_place_of_a_limited_operation_is_free_again(driver: Driver) -> None:
    single = operation("single", {"a": A}, concurrency=1)
    await driver.open(flow(single), seeds(A, 1, 2))
    assert len(await driver.lease(9)) == 1
    await driver.lose("w1")
    seen = []
    while leased := await driver.lease(9, "w2"):
        (lease,) = leased
        seen.append(lease.arguments["a"])
        await driver.complete(lease)
    assert sorted(seen) == [1, 2]
    assert (await driver.end()).ending.parameter_sets == 2


# -- vanishing at each point of life ----------------------------------------------------------------------------------

TIDY = operation("tidy", {"b": B}, stage=Stage.CLEANUP)
RUN = operation("run", {"c": C}, {"b": B})
EVERYTHING = flow(MAKE._replace(retry=2), operation("locking", {"x": LOCKED}), RUN, USE, TIDY, READ)


def gives(a: int) -> Iterator[Any]:
    """Yield two values."""
    yield {"b": a * 10}
    yield {"b": a * 10 + 1}


@dataclass(frozen=True)
class Life:
    """What a context came to: how many reports it took, its inputs by identity, and its ending."""

    reports: int
    inputs: frozenset[tuple[str, str]]
    result: dict[str, Any]
    parameter_sets: int
    failures: tuple[OperationFailure, ...]


async def live(factory: Factory, vanish_at: int | None = None, said_twice: int | None = None) -> Life:
    """Run a context that has everything in it. Just before report number ``vanish_at`` the worker is held to have
    vanished, and then sends it all the same; report number ``said_twice`` is sent twice."""
    clock, count = Clock(), 0
    plan = compile_plan(flow(USE, READ))
    runs = Running(lambda c: [Child("x", plan, seeds(B, c))], lambda ended, c: {"b": sum(ended[0].result["B"])})
    async with factory(clock) as subject:
        driver = Driver(subject, clock, {"make": gives, "run": runs, "read": multi("B")})
        await driver.open(EVERYTHING, seeds(A, 1, 2) + seeds(LOCKED, 1) + seeds(C, 7))
        while leased := await driver.lease(1):
            (lease,) = leased
            for report in await driver.reports(lease):
                report.lease = lease.number
                if count == vanish_at:
                    assert await driver.lose("w1") == 1
                    await refuse(driver, "w1", report)
                    count += 1
                    break
                await driver.report(lease, report)
                if count == said_twice and not isinstance(report, Emitted):
                    await refuse(driver, "w1", report)
                elif count == said_twice:  # the lease goes on, and what it emitted is known
                    await driver.report(lease, report)
                count += 1
        ran = await driver.end()
    found = frozenset((record.id, str(record.value)) for record in ran.ending.lineage())
    return Life(count, found, ran.result, ran.ending.parameter_sets, ran.ending.failures)


async def test_whenever_a_worker_vanishes_the_outcome_is_the_same(factory: Factory) -> None:
    undisturbed = await live(factory)
    assert undisturbed.result == {"B": [10, 11, 20, 21, 7]}
    assert undisturbed.reports > 15
    for at in range(undisturbed.reports):
        disturbed = await live(factory, vanish_at=at)
        assert disturbed.reports > undisturbed.reports, f"nothing was done again after report {at}"
        assert replace(disturbed, reports=0) == replace(undisturbed, reports=0), f"lost before report {at}"


async def test_whatever_is_said_twice_the_outcome_is_the_same(factory: Factory) -> None:
    undisturbed = await live(factory)
    for at in range(undisturbed.reports):
        assert await live(factory, said_twice=at) == undisturbed, f"report {at} was sent twice"

"""Rule 8: processing, cleanup, output, each until nothing is ready, leased, waiting, delayed or to be expanded."""

from collections.abc import Mapping

import pytest

from tests.contract.driver import Driver, Lease, Ran, Reading
from tests.contract.shapes import LOCKED, A, B, C, flow, multi, operation, output, seeds
from tidemill.errors import ContextClosed
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.operation import Operation, Stage
from tidemill.networks.implementations import Completed

Definitions = Mapping[str, Definition]


def cleanup(instance: str, inputs: Definitions | None = None, outputs: Definitions | None = None) -> Operation:
    return operation(instance, inputs, outputs, stage=Stage.CLEANUP)


def staged() -> DataFlow:
    """Return a flow with one operation of each stage; all take the same input."""
    return flow(operation("work", {"a": A}, {"b": B}), cleanup("tidy", {"a": A}), output("tell", {"a": A}))


def names(leases: list[Lease]) -> list[str]:
    return [lease.instance for lease in leases]


async def complete_and_lease(driver: Driver, lease: Lease, returned: object = None) -> list[Lease]:
    """Report that an operation has returned and lease what follows, as one step."""
    driver.drop(lease)
    return await driver.cycle(lease.worker, [Completed(lease.parameter_set, returned, lease=lease.number)], 9)


async def test_the_step_that_completes_the_last_one_moves_the_stage_on(driver: Driver) -> None:
    await driver.open(staged(), seeds(A, 1))
    (work,) = await driver.lease(9)
    (tidy,) = await complete_and_lease(driver, work)
    (tell,) = await complete_and_lease(driver, tidy)
    assert names([work, tidy, tell]) == ["work", "tidy", "tell"]
    assert await complete_and_lease(driver, tell, {"told": 1}) == []
    assert (await driver.end()).result == {"told": 1}


async def test_no_operation_of_a_stage_starts_before_all_of_the_one_before_have_ended(driver: Driver) -> None:
    await driver.open(staged(), seeds(A, 1, 2))
    first, second = await driver.lease(9)
    assert await complete_and_lease(driver, first) == []
    tidying = await complete_and_lease(driver, second)
    assert [(lease.instance, lease.arguments) for lease in tidying] == [("tidy", {"a": 1}), ("tidy", {"a": 2})]
    assert await complete_and_lease(driver, tidying[0]) == []
    assert names(await complete_and_lease(driver, tidying[1])) == ["tell", "tell"]


async def test_a_context_with_nothing_to_do_ends_when_it_is_opened(driver: Driver) -> None:
    await driver.open(staged())
    ran = await driver.end()
    assert (ran.result, ran.ending.inputs, ran.ending.parameter_sets) == ({}, 0, 0)


async def test_a_context_that_is_held_open_stays_in_processing(driver: Driver) -> None:
    await driver.open(staged(), hold=True)
    assert await driver.lease() == []
    await driver.backend.add("context", seeds(A, 1))
    (work,) = await driver.lease(9)
    assert await complete_and_lease(driver, work) == []
    await driver.backend.close("context")
    assert names(await driver.lease(9)) == ["tidy"]
    with pytest.raises(ContextClosed) as caught:
        await driver.backend.add("context", seeds(A, 2))
    assert caught.value.reason == "IntakeClosed"


async def test_nothing_is_added_once_processing_has_ended(driver: Driver) -> None:
    await driver.open(staged(), seeds(A, 1))
    (tidy,) = await complete_and_lease(driver, await driver.one())
    with pytest.raises(ContextClosed) as caught:
        await driver.backend.add("context", seeds(A, 2))
    assert (caught.value.reason, caught.value.message) == (
        "RunClosed",
        'the context "context" has ended its processing',
    )
    assert names(await complete_and_lease(driver, tidy)) == ["tell"]


async def test_a_later_stage_is_matched_over_everything_that_there_is(driver: Driver) -> None:
    work, join = operation("work", {"a": A}, {"b": B}), cleanup("join", {"a": A, "b": B})
    ran = await driver.run(flow(work, join), {"work": lambda a: {"b": a * 10}}, seeds(A, 1, 2) + seeds(B, 5))
    found = sorted((call["a"], call["b"]) for call in ran.calls("join"))
    assert found == [(1, 5), (1, 10), (1, 20), (2, 5), (2, 10), (2, 20)]


async def test_what_cleanup_gives_starts_cleanup_and_nothing_of_processing(driver: Driver) -> None:
    work, tidy, after = operation("work", {"b": B}), cleanup("tidy", {"a": A}, {"b": B}), cleanup("after", {"b": B})
    plan = flow(work, tidy, after, output("tell"))
    ran = await driver.run(plan, {"tidy": lambda a: {"b": a * 10}, "tell": multi("B")}, seeds(A, 1) + seeds(B, 5))
    assert [(lease.instance, lease.arguments) for lease in ran.leases] == [
        ("work", {"b": 5}),
        ("after", {"b": 5}),
        ("tidy", {"a": 1}),
        ("after", {"b": 10}),
        ("tell", {}),
    ]
    assert ran.result == {"B": [5, 10]}


async def test_a_gate_that_cleanup_opens_starts_nothing_of_processing(driver: Driver) -> None:
    work, tell = operation("work", {"a": A}, conditions=[B]), output("tell", {"a": A}, conditions=[B])
    ran = await driver.run(
        flow(work, cleanup("tidy", {"a": A}, {"b": B}), tell), {"tidy": lambda a: {"b": a}}, seeds(A, 1)
    )
    assert names(ran.leases) == ["tidy", "tell"]


async def test_combinations_that_are_still_to_be_made_hold_the_stage(driver: Driver) -> None:
    plan = flow(operation("join", {"a": A, "b": B}), cleanup("tidy"))
    ran = await driver.run(plan, {}, seeds(A, *range(40)) + seeds(B, *range(40)))
    assert names(ran.leases) == ["join"] * 1600 + ["tidy"]


async def test_cleanup_without_parameters_runs_once(driver: Driver) -> None:
    ran = await driver.run(flow(operation("work", {"a": A}), cleanup("tidy")), {}, seeds(A, 1, 2))
    assert names(ran.leases) == ["work", "work", "tidy"]


async def test_delayed_work_holds_the_stage(driver: Driver) -> None:
    work = operation("work", {"a": A}, retry=2, backoff=5.0)
    await driver.open(flow(work, cleanup("tidy")), seeds(A, 1))
    await driver.fail(await driver.one())
    assert await driver.lease(9) == []
    assert driver.clock.next_in() == 5.0
    assert driver.clock.advance()
    (again,) = await driver.lease(9)
    assert (again.instance, again.number) == ("work", 2)
    assert names(await complete_and_lease(driver, again)) == ["tidy"]


async def test_work_that_waits_for_a_lock_or_was_lost_holds_the_stage(driver: Driver) -> None:
    users = [operation(name, {"k": LOCKED}) for name in ("one", "two")]
    await driver.open(flow(*users, cleanup("tidy")), seeds(LOCKED, 1))
    await driver.one("doomed")
    await driver.lose("doomed")
    for name in ("two", "one", "tidy"):
        (lease,) = await driver.lease(9)
        assert lease.instance == name
        await driver.complete(lease)
    assert (await driver.end()).result == {}


async def test_a_generator_that_still_runs_holds_the_stage(driver: Driver) -> None:
    await driver.open(flow(operation("count", {"a": A}, {"b": B}), cleanup("tidy", {"b": B})), seeds(A, 1))
    count = await driver.one()
    await driver.emit(count, 0, {"b": 10})
    assert await driver.lease(9) == []
    assert [lease.arguments for lease in await complete_and_lease(driver, count)] == [{"b": 10}]


def what_failed(ran: Ran) -> list[tuple[str, str, str]]:
    return [(one.instance, one.reason, one.message) for one in ran.ending.failures]


async def test_cleanup_follows_a_failure_and_there_is_no_output_stage(driver: Driver) -> None:
    await driver.open(staged(), seeds(A, 1, 2))
    first, second = await driver.lease(9)
    await driver.fail(first, "no such thing")
    assert await driver.lease(9) == []  # the other one still runs
    tidying = await complete_and_lease(driver, second, {"b": 20})
    assert names(tidying) == ["tidy", "tidy"]
    for lease in tidying:
        await driver.complete(lease)
    ran = await driver.end()
    assert (ran.failure.instance, ran.failure.inputs) == ("work", {"a": 1})
    assert (ran.failure.reason, ran.failure.message) == ("Exception", "no such thing")
    assert ran.ending.inputs == 3  # what the other one gave is there, and has started nothing


async def test_a_failure_in_cleanup_drops_nothing_of_it_and_fails_the_context(driver: Driver) -> None:
    plan = flow(cleanup("tidy", {"a": A}, {"c": C}), cleanup("after", {"c": C}), output("tell"))

    def tidy(a: int) -> dict[str, int]:
        if a < 3:
            raise ValueError(f"cannot tidy {a}")
        return {"c": a}

    ran = await driver.run(plan, {"tidy": tidy}, seeds(A, 1, 2, 3))
    assert [(lease.instance, lease.arguments) for lease in ran.leases] == [
        ("tidy", {"a": 1}), ("tidy", {"a": 2}), ("tidy", {"a": 3}), ("after", {"c": 3}),
    ]  # fmt: skip
    assert (ran.failure.reason, ran.failure.message) == ("Exception", "ValueError: cannot tidy 1")
    assert what_failed(ran) == [("tidy", "Exception", "ValueError: cannot tidy 2")]


async def test_a_context_that_is_not_strict_goes_through_all_stages(driver: Driver) -> None:
    def work(a: int) -> dict[str, int]:
        if a == 1:
            raise ValueError("not this one")
        return {"b": a * 10}

    scripts = {"work": work, "tell": multi("B")}
    ran = await driver.run(staged(), scripts, seeds(A, 1, 2), strict=False)
    assert names(ran.leases) == ["work", "work", "tidy", "tidy", "tell", "tell"]
    assert ran.result == {"B": [20]}
    assert what_failed(ran) == [("work", "Exception", "ValueError: not this one")]


async def test_a_failure_in_the_output_stage_fails_the_context_after_its_cleanup(driver: Driver) -> None:
    async def refuse(get: object, a: int) -> None:
        raise ValueError(f"nothing to say about {a}")

    ran = await driver.run(staged(), {"tell": Reading(refuse)}, seeds(A, 1))
    assert names(ran.leases) == ["work", "tidy", "tell"]
    assert (ran.failure.instance, ran.failure.message) == ("tell", "ValueError: nothing to say about 1")

"""Rule 15: an operation may run data flows in child contexts; it waits for them without a worker, and hears how they
ended."""

from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from tests.contract.driver import Driver, Lease, Running
from tests.contract.shapes import LOCKED, A, B, C, flow, multi, operation, output, seeds
from tidemill.model.definition import Definition
from tidemill.model.flow import Forward
from tidemill.model.input import Input
from tidemill.model.limits import Limits
from tidemill.model.operation import Stage
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Child, Subflow
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan

RUN = operation("run", {"a": A}, {"b": B})
TIDY = operation("tidy", stage=Stage.CLEANUP)
INNER = flow(operation("inner", {"c": C}), operation("late", stage=Stage.CLEANUP), output("total"))


def children(plan: Plan, *names: str, strict: bool = True) -> Any:
    """Return what opens a child context of each name, with the parameter as its input."""
    return lambda a: [Child(name, plan, seeds(C, a), strict) for name in names]


def summed(endings: Sequence[Ending], a: int) -> dict[str, int]:
    """Add up the results of the child contexts; one that failed fails the operation too."""
    total = 0
    for ending in endings:
        if ending.failure is not None:
            raise RuntimeError(f"{ending.context}: {ending.failure.message}")
        total += sum((ending.result or {})["C"])
    return {"b": total}


def play(driver: Driver, *names: str, outputs: Any = summed, strict: bool = True) -> Plan:
    """Tell the driver what the operations of these tests do; return the plan of the child contexts."""
    plan = compile_plan(INNER)
    driver.scripts["total"] = multi("C")
    driver.scripts["run"] = Running(children(plan, *names, strict=strict), outputs)
    return plan


async def start(driver: Driver, lease: Lease) -> None:
    """Have the worker of `run` report which child contexts it wants."""
    (report,) = await driver.reports(lease)
    assert isinstance(report, Subflow)
    await driver.report(lease, report)


# -- waiting ----------------------------------------------------------------------------------------------------------


async def test_it_gives_what_it_makes_of_how_its_child_contexts_ended(driver: Driver) -> None:
    play(driver, "x", "y")
    ran = await driver.run(flow(RUN, operation("use", {"b": B})), {}, seeds(A, 3))
    assert ran.calls("use") == [{"b": 6}]
    assert (ran.ending.parameter_sets, ran.ending.inputs) == (2, 2)
    inner = [lease.context for lease in driver.leases if lease.instance == "inner"]
    assert inner == ["context/run/x", "context/run/y"]


async def test_it_holds_no_worker_and_no_place_while_it_waits(driver: Driver) -> None:
    play(driver, "x")
    single = RUN._replace(concurrency=1)
    await driver.open(flow(single, TIDY), seeds(A, 1, 2), name="one")
    first = await driver.one()
    assert await driver.lease(9, "w2") == []
    await start(driver, first)
    assert driver.holding() == []
    leased = await driver.lease(9, "w2")
    assert [(lease.context, lease.instance) for lease in leased] == [("one", "run"), ("one/run/x", "inner")]


async def test_the_stage_waits_for_the_child_contexts(driver: Driver) -> None:
    play(driver, "x")
    await driver.open(flow(RUN, TIDY), seeds(A, 1))
    await start(driver, await driver.one())
    for expected in ("inner", "late", "total"):
        lease = await driver.one()
        assert (lease.context, lease.instance) == ("context/run/x", expected)
        await driver.finish(lease)
    again = await driver.one()
    assert (again.instance, again.number) == ("run", 2)
    await driver.finish(again)
    assert (await driver.one()).instance == "tidy"


async def test_without_child_contexts_it_goes_on_at_once(driver: Driver) -> None:
    driver.scripts["run"] = Running(lambda a: [], lambda endings, a: {"b": len(endings)})
    ran = await driver.run(flow(RUN, operation("use", {"b": B})), {}, seeds(A, 1))
    assert ran.calls("use") == [{"b": 0}]


async def test_it_hears_of_every_ending_in_the_order_of_the_children_whichever_ends_first(driver: Driver) -> None:
    heard = list[str]()
    play(driver, "x", "y", outputs=lambda endings, a: heard.extend(one.context for one in endings))
    await driver.open(flow(RUN), seeds(A, 1))
    await start(driver, await driver.one())
    leases = {lease.context: lease for lease in await driver.lease(9)}
    for name in ("context/run/y", "context/run/x"):
        await driver.complete(leases[name])
        await driver.drain()
    assert heard == ["context/run/x", "context/run/y"]
    assert (await driver.end()).result == {}


async def test_one_child_that_ends_does_not_end_the_waiting(driver: Driver) -> None:
    play(driver, "x", "y")
    await driver.open(flow(RUN), seeds(A, 1))
    await start(driver, await driver.one())
    left, _right = await driver.lease(9)
    await driver.complete(left)
    await driver.drain()
    assert [lease.instance for lease in driver.leases].count("run") == 1


async def test_of_a_parameter_set_that_is_lost_after_its_children_ended_nothing_is_missing(driver: Driver) -> None:
    play(driver, "x")
    await driver.open(flow(RUN, operation("use", {"b": B})), seeds(A, 5))
    await start(driver, await driver.one())
    for _ in range(3):
        await driver.finish(await driver.one())
    assert (await driver.one("doomed")).instance == "run"
    await driver.lose("doomed")
    await driver.drain()
    assert (await driver.end()).calls("use") == [{"b": 5}]


async def test_what_is_reported_for_the_lease_before_the_waiting_is_refused(driver: Driver) -> None:
    play(driver, "x")
    await driver.open(flow(RUN), seeds(A, 5))
    first = await driver.one()
    await start(driver, first)
    await driver.complete(first, {"b": 666})
    assert driver.subject.refused() == 1
    await driver.drain()
    assert [record.value for record in (await driver.end()).ending.lineage()] == [5, 5]


# -- children that fail -----------------------------------------------------------------------------------------------


def fails(c: int) -> None:
    raise ValueError(f"no {c}")


async def test_a_failed_child_fails_the_operation_that_does_not_expect_it(driver: Driver) -> None:
    play(driver, "x")
    ran = await driver.run(flow(RUN), {"inner": fails}, seeds(A, 1))
    assert (ran.failure.instance, ran.failure.inputs) == ("run", {"a": 1})
    assert ran.failure.message == "RuntimeError: context/run/x: ValueError: no 1"
    assert [lease.instance for lease in driver.leases] == ["run", "inner", "late", "run"]


async def test_a_failed_child_is_an_ending_like_others_to_an_operation_that_expects_it(driver: Driver) -> None:
    play(driver, "x", outputs=lambda endings, a: {"b": sum(one.failure is not None for one in endings)})
    ran = await driver.run(flow(RUN, operation("use", {"b": B})), {"inner": fails}, seeds(A, 1))
    assert (ran.calls("use"), ran.ending.failures) == ([{"b": 1}], ())


async def test_a_child_need_not_be_strict(driver: Driver) -> None:
    play(driver, "x", strict=False)
    ran = await driver.run(flow(RUN, operation("use", {"b": B})), {"inner": fails}, seeds(A, 4))
    assert ran.calls("use") == [{"b": 4}]


@pytest.mark.parametrize(
    ("given", "reason"), [(seeds(C, "one"), "TypeMismatch"), (seeds(Definition("zzz", "int"), "x"), "TypeMismatch")]
)
async def test_a_child_that_cannot_be_opened_has_failed(driver: Driver, given: list[Input], reason: str) -> None:
    plan = compile_plan(INNER)
    heard = list[Ending]()
    driver.scripts["run"] = Running(lambda a: [Child("x", plan, given)], lambda endings, a: heard.extend(endings))
    ran = await driver.run(flow(RUN), {}, seeds(A, 1))
    (ending,) = heard
    assert ending.failure is not None
    assert (ending.failure.reason, ending.context, ending.result) == (reason, "context/run/x", None)
    assert ran.result == {}


async def test_two_children_of_one_name_are_not_one(driver: Driver) -> None:
    heard = list[Ending]()
    play(driver, "x", "x", outputs=lambda endings, a: heard.extend(endings))
    await driver.run(flow(RUN), {}, seeds(A, 1))
    assert sorted(one.failure.reason if one.failure else "fine" for one in heard) == ["DuplicateContext", "fine"]


async def test_parameter_sets_that_name_the_same_child_each_have_their_own(driver: Driver) -> None:
    play(driver, "x")
    ran = await driver.run(flow(RUN, operation("use", {"b": B})), {}, seeds(A, 3, 4))
    assert sorted(call["b"] for call in ran.calls("use")) == [3, 4]
    assert len({lease.context for lease in driver.leases if lease.instance == "inner"}) == 2


async def test_a_further_try_has_a_child_context_of_the_same_name(driver: Driver) -> None:
    play(driver, "x")
    await driver.open(flow(RUN._replace(retry=2, backoff=0.0)), seeds(A, 3))
    await start(driver, await driver.one())
    for _ in range(3):
        await driver.finish(await driver.one())
    again = await driver.one()
    again.parameter_set.children = None  # as the worker that failed has read it
    await driver.fail(again)
    await driver.drain()
    assert (await driver.end()).result == {}
    assert [lease.context for lease in driver.leases if lease.instance == "inner"] == ["context/run/x"] * 2


# -- nested -----------------------------------------------------------------------------------------------------------


def nested(driver: Driver, limits: Limits) -> Plan:
    """Have `run` run the data flow that it is in, for one less, until that is none."""
    plan = compile_plan(flow(RUN, output("total"), limits=limits))
    driver.scripts["total"] = multi("B")
    driver.scripts["run"] = Running(
        lambda a: [Child(f"{a - 1}", plan, seeds(A, a - 1))] if a else [],
        lambda endings, a: {"b": a + sum(sum(_result(one)["B"]) for one in endings)},
    )
    return plan


def _result(ending: Ending) -> Mapping[str, Any]:
    if ending.failure is not None:
        raise RuntimeError(ending.failure.message)
    return ending.result or {}


async def test_child_contexts_have_child_contexts(driver: Driver) -> None:
    ran = await driver.run(nested(driver, Limits()), {}, seeds(A, 4))
    assert ran.result == {"B": [4 + 3 + 2 + 1]}
    deepest = max((lease.context for lease in driver.leases), key=len)
    assert deepest == "context/run/3/run/2/run/1/run/0"


@pytest.mark.parametrize("depth", [1, 2, 5])
async def test_data_flows_run_data_flows_as_deep_as_the_limit(driver: Driver, depth: int) -> None:
    # The innermost one asks for no child context, and that counts as a level too.
    ran = await driver.run(nested(driver, Limits(subflow_depth=depth)), {}, seeds(A, depth - 1))
    assert ran.ending.failure is None


@pytest.mark.parametrize("depth", [1, 2, 5])
async def test_past_the_limit_the_operation_fails_with_the_depth(driver: Driver, depth: int) -> None:
    ran = await driver.run(nested(driver, Limits(subflow_depth=depth)), {}, seeds(A, 100))
    assert ran.failure.message.endswith(f"data flows run data flows {depth + 1} levels deep; limit {depth}")
    assert len({lease.context for lease in driver.leases}) == depth + 1


async def test_past_the_limit_the_reason_is_the_depth(driver: Driver) -> None:
    heard = list[Ending]()
    plan = nested(driver, Limits(subflow_depth=1))
    driver.scripts["run"] = Running(driver.scripts["run"].children, lambda endings, a: heard.extend(endings))
    await driver.run(plan, {}, seeds(A, 1))
    assert [one.failure.reason for one in heard if one.failure] == ["SubflowDepthExceeded"]


# -- cancelled --------------------------------------------------------------------------------------------------------


async def test_when_the_parent_fails_its_child_contexts_are_cancelled_and_clean_up_first(driver: Driver) -> None:
    play(driver, "x")
    await driver.open(flow(RUN, operation("wrong", {"a": A}), TIDY), seeds(A, 1))
    leases = {lease.instance: lease for lease in await driver.lease(9)}
    await start(driver, leases["run"])
    await driver.fail(leases["wrong"])
    late = await driver.one()
    assert (late.context, late.instance) == ("context/run/x", "late"), "the child's other work is dropped"
    assert await driver.lease(9) == []
    await driver.complete(late)
    assert [(lease.context, lease.instance) for lease in await driver.lease(9)] == [("context", "tidy")]
    await driver.complete(driver.holding()[0])
    assert (await driver.end()).failure.instance == "wrong"
    assert [lease.instance for lease in driver.leases].count("run") == 1


async def test_cancelling_goes_all_the_way_down(driver: Driver) -> None:
    await driver.open(nested(driver, Limits()), seeds(A, 3))
    for _ in range(3):
        await start(driver, await driver.one())
    deepest = await driver.one()
    await driver.backend.cancel("context")
    await driver.release(deepest)
    assert await driver.lease(9) == []
    assert (await driver.end()).failure.reason == "Cancelled"


async def test_child_contexts_asked_for_after_the_parent_has_failed_are_not_worked_on(driver: Driver) -> None:
    play(driver, "x")
    await driver.open(flow(RUN, operation("wrong", {"a": A})), seeds(A, 1))
    leases = {lease.instance: lease for lease in await driver.lease(9)}
    await driver.fail(leases["wrong"])
    await start(driver, leases["run"])
    await driver.drain()
    assert (await driver.end()).failure.instance == "wrong"
    assert [lease.instance for lease in driver.leases].count("inner") == 0


# -- forwarded --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_what_is_forwarded_comes_in_canonical_order_when_nothing_else_can_come(
    driver: Driver, order: Sequence[int]
) -> None:
    make = operation("make", {"b": B}, {"c": C})
    forward = Forward()
    forward.add("run", [C])
    play(driver, "x", outputs=lambda endings, a: None)
    plan = await driver.open(flow(RUN, make, forward=forward), seeds(A, 0) + seeds(B, 1, 2, 3) + seeds(C, 9))
    assert plan.instances["run"].forwards == {"C"}
    leases = {lease.arguments.get("b"): lease for lease in await driver.lease(9)}
    await start(driver, leases[None])
    inner = await driver.one("inner")
    assert inner.arguments == {"c": 0}, "its own input, before the others"
    for at in order:
        assert await driver.lease(9) == []
        await driver.complete(leases[at + 1], {"c": (at + 1) * 10})
    forwarded = await driver.lease(9)
    assert [(lease.instance, lease.arguments["c"]) for lease in forwarded] == [("inner", c) for c in (9, 10, 20, 30)]


async def test_only_listed_definitions_are_forwarded_and_only_into_listed_instances(driver: Driver) -> None:
    forward = Forward()
    forward.add("run", [C])
    play(driver, "x", outputs=lambda endings, a: None)
    other = operation("other", {"a": A}, {"b": B})
    driver.scripts["other"] = driver.scripts["run"]
    await driver.run(flow(RUN, other, forward=forward), {}, seeds(A, 1) + seeds(C, 5) + seeds(B, 7))
    inner = [(one.context, one.arguments["c"]) for one in driver.leases if one.instance == "inner"]
    assert sorted(inner) == [("context/other/x", 1), ("context/run/x", 1), ("context/run/x", 5)]


def forwarding(instance: str, definition: Definition) -> Forward:
    """Pass inputs of a definition on into the child contexts of an operation."""
    forward = Forward()
    forward.add(instance, [definition])
    return forward


async def test_a_child_that_fails_before_anything_is_forwarded_lets_no_other_go_early(driver: Driver) -> None:
    make = operation("make", {"b": B}, {"c": C})
    plan = play(driver)
    driver.scripts["run"] = Running(lambda a: [Child(str(a), plan, seeds(C, a))], lambda endings, a: {"b": a})
    await driver.open(flow(RUN, make, forward=forwarding("run", C)), seeds(A, 1, 2) + seeds(B, 5))
    leases = {tuple(lease.arguments.values()): lease for lease in await driver.lease(9)}
    for lease in (leases[1,], leases[2,]):
        await start(driver, lease)
    bad, good = await driver.lease(9)
    await driver.fail(bad)
    (late,) = await driver.lease(9)
    await driver.complete(late)
    await driver.complete(good)
    (first,) = await driver.lease(9)
    assert (first.instance, first.arguments) == ("run", {"a": 1}), "its child has failed, the other one waits"
    await driver.finish(first)
    assert [lease.instance for lease in await driver.lease(9)] == ["make"], "of what it gave"
    assert [lease for lease in driver.leases if lease.instance == "late"] == [late]


async def test_what_waits_for_the_lock_of_a_parameter_set_is_not_waited_for(driver: Driver) -> None:
    """Neither could go first: the child contexts of one wait for the quiet, the other one for its lock."""
    run = operation("run", {"a": A, "locked": LOCKED}, {"b": B})
    plan = compile_plan(INNER)
    driver.scripts["run"] = Running(lambda a, locked: [Child(str(a), plan, [])], lambda endings, a, locked: {"b": a})
    ran = await driver.run(
        flow(run, output("read"), forward=forwarding("run", C)), {"read": multi("B")},
        seeds(A, 1, 2) + seeds(LOCKED, 0) + seeds(C, 3),
    )  # fmt: skip
    assert ran.result == {"B": [1, 2]}
    assert sorted(one.context for one in driver.leases if one.instance == "inner") == ["context/run/1", "context/run/2"]

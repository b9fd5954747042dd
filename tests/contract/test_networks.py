"""The five networks of a backend, under their names: each does what its Protocol says."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import pytest

from tests.contract.driver import Driver, Reading
from tests.contract.shapes import LOCKED, A, B, C, flow, operation, output, seeds
from tidemill.engine.inputs import Item
from tidemill.engine.parameters import ParameterSet
from tidemill.model.definition import Definition
from tidemill.model.flow import InputFlow
from tidemill.model.input import Input
from tidemill.model.operation import Stage
from tidemill.networks.implementations import Completed
from tidemill.plan.compile import compile_plan

NETWORKS = {
    "inputs": ["inputs"],
    "operations": ["affected_by"],
    "implementations": ["cycle", "listen", "lose"],
    "redundancy": ["take"],
    "locks": ["acquire", "release"],
}
RAW = Definition("raw", "int", validate="check")


@pytest.mark.parametrize("name", NETWORKS)
def test_a_backend_shows_its_networks_under_their_names(driver: Driver, name: str) -> None:
    network = getattr(driver.backend, name)
    for verb in NETWORKS[name]:
        assert callable(getattr(network, verb)), f"{name}.{verb}"


def test_the_five_networks_are_five(driver: Driver) -> None:
    assert len({id(getattr(driver.backend, name)) for name in NETWORKS}) == 5


# -- inputs -----------------------------------------------------------------------------------------------------------

MAKE = operation("make", {"a": A}, {"b": B})


async def read(driver: Driver, dataflow: Any, given: Sequence[Input], finish: Sequence[int]) -> list[Any]:
    """Run `make` in the order ``finish`` of its inputs, and return what the output stage reads: all inputs, those of
    one definition, and those of a definition that there is none of."""
    found: list[Any] = []

    async def reader(get: Any, **_: Any) -> dict[str, Any]:
        (lease,) = [lease for lease in driver.holding() if lease.instance == "read"]
        context = lease.parameter_set.context
        found.extend([await driver.backend.inputs.inputs(context, name) for name in (None, "B", "zzz")])
        return {}

    driver.scripts["read"] = Reading(reader)
    await driver.open(dataflow, given)
    leases = await driver.lease(9)
    for at in finish:
        await driver.complete(leases[at], {"b": leases[at].arguments["a"] * 10})
    await driver.drain()
    await driver.end()
    return found


@pytest.mark.parametrize("finish", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
async def test_inputs_are_read_in_canonical_order(driver: Driver, finish: Sequence[int]) -> None:
    everything, listed, none = await read(driver, flow(MAKE, output("read")), seeds(A, 3, 1, 2), finish)
    assert [item.value for item in everything] == [3, 1, 2, 30, 10, 20]
    assert [item.value for item in listed] == [30, 10, 20]
    assert none == []


async def test_an_input_says_what_it_is_and_where_it_comes_from(driver: Driver) -> None:
    (seed, made), _, _ = await read(driver, flow(MAKE, output("read")), seeds(A, 1), (0,))
    assert isinstance(seed, Item)
    assert (seed.value, seed.origin, seed.definition and seed.definition.name, list(seed.get_parents())) == (
        1, "seed", "A", [],
    )  # fmt: skip
    assert (made.value, made.origin, made.definition and made.definition.name) == (10, ("make", "b"), "B")
    assert list(made.get_parents()) == [seed]
    assert made.uid != seed.uid


async def test_what_the_output_stage_reads_is_what_was_there_when_it_began(driver: Driver) -> None:
    late = operation("late", {"a": A}, {"b": B}, stage=Stage.OUTPUT)
    tidy = operation("tidy", {}, {"b": B}, stage=Stage.CLEANUP)
    driver.scripts.update({"late": lambda a: {"b": 666}, "tidy": lambda: {"b": 5}})
    _, listed, _ = await read(driver, flow(MAKE, tidy, late, output("read")), seeds(A, 1), (0,))
    # What was made of nothing is of the first generation, as seeds are.
    assert [item.value for item in listed] == [5, 10]


async def test_a_default_that_was_taken_is_no_input(driver: Driver) -> None:
    given = Definition("given", "int", default=5)
    make = operation("make", {"a": given}, {"b": B})
    everything, listed, _ = await read(driver, flow(make, output("read")), (), (0,))
    assert [item.value for item in everything] == [item.value for item in listed] == [50]
    assert list(listed[0].get_parents()) == []


# -- operations -------------------------------------------------------------------------------------------------------


def test_it_knows_whom_an_input_concerns(driver: Driver) -> None:
    plan = compile_plan(flow(MAKE, operation("join", {"a": A, "b": B}), operation("use", {"b": B})))
    operations = driver.backend.operations
    assert operations.affected_by(plan, "seed", "A") == ["join", "make"]
    assert operations.affected_by(plan, "seed", "B") == ["join", "use"]
    assert operations.affected_by(plan, ("make", "b"), "B") == ["join", "use"]
    assert operations.affected_by(plan, "elsewhere", "A") == []


def test_an_input_that_has_to_be_validated_concerns_its_validator_alone(driver: Driver) -> None:
    check = operation("check", {"x": RAW}, {"ok": RAW}, validator=True)
    take = operation("take", {"r": RAW})
    entries = {"check": InputFlow({"x": ["seed"]}), "take": InputFlow({"r": ["seed"]})}
    plan = compile_plan(flow(check, take, flow=entries))
    operations = driver.backend.operations
    assert operations.affected_by(plan, "seed", "raw") == ["check"]
    assert operations.affected_by(plan, ("check", "ok"), "raw") == []


def test_operations_of_every_stage_and_behind_gates_are_concerned(driver: Driver) -> None:
    gated = operation("gated", {"a": A}, conditions=[B])
    plan = compile_plan(flow(gated, operation("tidy", {"a": A}, stage=Stage.CLEANUP), output("read", {"a": A})))
    assert driver.backend.operations.affected_by(plan, "seed", "A") == ["gated", "read", "tidy"]
    assert driver.backend.operations.affected_by(plan, "seed", "B") == []


# -- redundancy -------------------------------------------------------------------------------------------------------


async def leased(driver: Driver, name: str = "context") -> ParameterSet:
    """Return a parameter set of `join` over one A and one B that has been leased in a context of this name."""
    plan = compile_plan(flow(operation("join", {"left": A, "right": A}), operation("other", {"left": A, "right": A})))
    await driver.open(plan, seeds(A, 1, 2), name=name, hold=True)
    found = await driver.lease(99)
    one = next(lease for lease in found if lease.instance == "join" and lease.arguments == {"left": 1, "right": 2})
    return one.parameter_set


async def test_what_has_been_taken_is_not_new(driver: Driver) -> None:
    one = await leased(driver)
    left, right = one.items
    take = driver.backend.redundancy.take
    for items in ((left, right), (right, left), (left, left), (right, right)):
        assert not take(one.context, one.operation, items)


async def test_a_combination_is_let_through_once_and_each_context_has_its_own(driver: Driver) -> None:
    one, other = await leased(driver), await leased(driver, "other")
    fresh = Item(1_000, 3, None)
    take = driver.backend.redundancy.take
    for asked in (one, other):
        assert take(asked.context, asked.operation, (fresh, asked.items[0]))
        assert not take(asked.context, asked.operation, (fresh, asked.items[0]))
        assert take(asked.context, asked.operation, (asked.items[0], fresh)), "the order of the parameters counts"


async def test_each_operation_has_its_own_combinations(driver: Driver) -> None:
    one = await leased(driver)
    sets = [lease.parameter_set for lease in driver.leases]
    other = next(found.operation for found in sets if found.operation.instance == "other")
    fresh = (Item(1_000, 3, None), one.items[0])
    take = driver.backend.redundancy.take
    assert take(one.context, one.operation, fresh)
    assert take(one.context, other, fresh)


# -- locks ------------------------------------------------------------------------------------------------------------


async def contenders(driver: Driver) -> list[ParameterSet]:
    """Return three new parameter sets: over the lock x, over x and y, over y."""
    both = operation("both", {"x": LOCKED, "y": LOCKED._replace(name="other lock")})
    await driver.open(flow(both), seeds(LOCKED, 1) + seeds(LOCKED._replace(name="other lock"), 2), hold=True)
    lease = await driver.one()
    x, y = lease.parameter_set.items
    await driver.complete(lease)
    made = []
    for items in ((x,), (x, y), (y,)):
        one = ParameterSet(lease.parameter_set.context, lease.parameter_set.operation, items)
        one.locks = frozenset().union(*(item.locks for item in items))
        made.append(one)
    return made


async def test_locks_are_all_held_or_none(driver: Driver) -> None:
    on_x, on_both, on_y = await contenders(driver)
    locks = driver.backend.locks
    assert locks.acquire(on_x)
    assert not locks.acquire(on_both)
    assert not locks.acquire(on_y), "first come, first served: one that waits for both is before it"
    assert locks.release(on_x) == [on_both]
    assert locks.release(on_both) == [on_y]
    assert locks.release(on_y) == []


async def test_who_leaves_the_queue_makes_way(driver: Driver) -> None:
    on_x, on_both, on_y = await contenders(driver)
    locks = driver.backend.locks
    assert locks.acquire(on_x)
    assert not locks.acquire(on_both)
    assert not locks.acquire(on_y)
    assert locks.release(on_both) == [on_y]
    assert locks.release(on_x) == []
    assert locks.acquire(on_x), "nobody holds it any more"


# -- implementations --------------------------------------------------------------------------------------------------


async def test_it_hands_out_the_oldest_first_and_no_more_than_are_wanted(driver: Driver) -> None:
    await driver.open(flow(operation("take", {"a": A})), seeds(A, 1, 2, 3))
    assert await driver.lease(0) == []
    assert [lease.arguments["a"] for lease in await driver.lease(2)] == [1, 2]
    assert [lease.arguments["a"] for lease in await driver.lease(2)] == [3]


async def test_a_worker_that_wanted_more_hears_once_that_there_is_work(driver: Driver) -> None:
    heard = list[str]()
    network = driver.backend.implementations
    network.listen("hungry", lambda: heard.append("hungry"))
    network.listen("full", lambda: heard.append("full"))
    await driver.open(flow(operation("take", {"a": A}), MAKE), seeds(A, 1), hold=True)
    assert len(await driver.lease(2, "full")) == 2
    assert await driver.lease(1, "hungry") == []
    assert heard == []
    await driver.backend.add("context", seeds(A, 2))
    assert heard == ["hungry"]
    await driver.backend.add("context", seeds(A, 3))
    assert heard == ["hungry"], "it has not come for the first yet"
    assert len(await driver.lease(9, "hungry")) == 4
    await driver.backend.add("context", seeds(A, 4))
    assert heard == ["hungry", "hungry"]


async def test_what_is_handed_back_or_lost_is_heard_of_too(driver: Driver) -> None:
    heard = list[str]()
    driver.backend.implementations.listen("other", lambda: heard.append("other"))
    await driver.open(flow(operation("take", {"a": A})), seeds(A, 1))
    held = await driver.one()
    assert await driver.lease(1, "other") == []
    await driver.release(held)
    assert heard == ["other"]
    assert len(await driver.lease(1, "other")) == 1


async def test_a_report_leads_to_everything_that_follows_in_one_step(driver: Driver) -> None:
    """Outputs stored, combined, checked, locked, dispatched, the stage moved on: all before the step returns."""
    use = operation("use", {"b": B, "c": C})
    await driver.open(flow(MAKE, use, output("read")), seeds(A, 1) + seeds(C, 7))
    make = await driver.one()
    driver.drop(make)
    (following,) = await driver.cycle("w1", [Completed(make.parameter_set, {"b": 1}, (), make.number)], 9)
    assert (following.instance, following.arguments) == ("use", {"b": 1, "c": 7})
    driver.drop(following)
    (last,) = await driver.cycle("w1", [Completed(following.parameter_set, None, (), following.number)], 9)
    assert last.instance == "read"


async def hungry(driver: Driver) -> list[str]:
    """Let two workers wait for work, in this order, and note who is called."""
    heard = list[str]()
    for worker in ("first", "second"):
        driver.backend.implementations.listen(worker, partial(heard.append, worker))
    await driver.open(flow(operation("take", {"a": A})), hold=True)
    for worker in ("first", "second"):
        assert await driver.lease(1, worker) == []
    return heard


async def test_a_worker_that_vanished_is_not_called(driver: Driver) -> None:
    heard = await hungry(driver)
    assert await driver.lose("first") == 0
    await driver.backend.add("context", seeds(A, 1))
    assert heard == ["second"]


async def test_when_a_worker_vanishes_that_was_called_another_one_is(driver: Driver) -> None:
    heard = await hungry(driver)
    await driver.backend.add("context", seeds(A, 1))
    assert heard == ["first"]
    assert await driver.lose("first") == 0
    assert heard == ["first", "second"]

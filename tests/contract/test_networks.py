"""The five networks of a backend, under their names: each does what its Protocol says."""

import asyncio
from collections.abc import Sequence
from functools import partial
from itertools import product
from typing import Any

import pytest

from tests.contract.driver import DEADLINE, Driver, Lease, Reading
from tests.contract.shapes import LOCKED, A, B, C, flow, operation, output, seeds
from tidemill.engine.inputs import Item
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
    "redundancy": ["taken"],
    "locks": ["queue"],
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


async def combinations(driver: Driver, instance: str, width: int, name: str = "context") -> dict[tuple[Any, ...], bool]:
    """Ask of every combination of so many inputs of a context whether an operation has been given it."""
    context = next(lease for lease in driver.leases if lease.context == name).parameter_set.context
    items = await driver.backend.inputs.inputs(context)
    taken = driver.backend.redundancy.taken
    return {
        tuple(item.value for item in inputs): await taken(context, instance, inputs)
        for inputs in product(items, repeat=width)
    }


async def test_what_has_been_taken_stays_taken(driver: Driver) -> None:
    plan = flow(operation("join", {"left": A, "right": A}), operation("other", {"a": A, "b": B}))
    await driver.open(plan, seeds(A, 1, 2), hold=True)
    first = await driver.one()
    everything = dict.fromkeys([(1, 1), (1, 2), (2, 1), (2, 2)], True)
    assert await combinations(driver, "join", 2) == everything
    assert not any((await combinations(driver, "other", 2)).values())
    await driver.complete(first)
    await driver.drain()
    assert await combinations(driver, "join", 2) == everything
    stranger = Item(1_000, 3, None)
    for inputs in ((stranger, stranger), (stranger,), ()):
        assert not await driver.backend.redundancy.taken(first.parameter_set.context, "join", inputs)
    with pytest.raises(KeyError):
        await driver.backend.redundancy.taken(first.parameter_set.context, "nobody", ())


async def test_each_context_has_its_own_combinations(driver: Driver) -> None:
    plan = await driver.open(flow(operation("take", {"a": A})), seeds(A, 1), name="one", hold=True)
    await driver.open(plan, seeds(A, 1), name="two", hold=True)
    await driver.drain()
    await driver.backend.add("two", seeds(A, 2))
    assert await combinations(driver, "take", 1, "one") == {(1,): True}
    assert await combinations(driver, "take", 1, "two") == {(1,): True, (2,): True}


async def test_of_a_large_product_what_is_still_ahead_has_not_been_taken(driver: Driver) -> None:
    await driver.open(flow(operation("join", {"a": A, "b": B})), seeds(A, *range(20)) + seeds(B, *range(100, 120)))
    wanted = {(a, b) for a in range(20) for b in range(100, 120)}
    done = set[tuple[Any, ...]]()
    for want in (1, 150, 9999):
        for lease in await driver.lease(want):
            done.add(tuple(lease.arguments.values()))
        taken = {inputs for inputs, yes in (await combinations(driver, "join", 2)).items() if yes}
        assert done <= taken <= wanted
        assert want == 9999 or len(taken) < len(wanted), "a context does not take all of a large product at once"
    assert taken == wanted
    await driver.drain()


async def test_nothing_is_taken_before_its_gate_opens_or_its_stage_begins(driver: Driver) -> None:
    gated = operation("gated", {"a": A}, conditions=[B])
    tidy, tell = operation("tidy", {"a": A}, {"c": C}, stage=Stage.CLEANUP), output("tell", {"a": A})
    late = operation("late", {"c": C}, conditions=[B])
    await driver.open(flow(operation("take", {"a": A}), gated, late, tidy, tell), seeds(A, 1) + seeds(B, 0), hold=True)
    first = await driver.one()
    for instance, yes in (("take", True), ("gated", False), ("tidy", False), ("tell", False)):
        assert (await combinations(driver, instance, 1))[1,] is yes, instance
    await driver.backend.add("context", seeds(B, 5))
    assert (await combinations(driver, "gated", 1))[1,]
    await driver.backend.close("context")
    await driver.complete(first)
    await driver.complete(await driver.one())
    tidying = await driver.one()
    await driver.complete(tidying, {"c": 7})
    assert (await driver.one()).instance == "tell"
    found = {instance: await combinations(driver, instance, 1) for instance in ("tidy", "late", "gated", "tell")}
    assert (found["tidy"][1,], found["gated"][1,], found["tell"][1,]) == (True, True, True)
    assert not found["late"][7,], "what the clean-up gave came after the processing"


async def test_a_gate_that_opened_too_late_has_let_nothing_through(driver: Driver) -> None:
    gated, tidy = operation("gated", {"a": A}, conditions=[B]), operation("tidy", {}, {"b": B}, stage=Stage.CLEANUP)
    await driver.open(flow(gated, tidy, output("tell", {"a": A})), seeds(A, 1))
    await driver.complete(await driver.one(), {"b": 1})
    assert (await driver.one()).instance == "tell"
    assert not (await combinations(driver, "gated", 1))[1,]


async def test_what_has_to_be_validated_is_taken_by_its_validator_alone(driver: Driver) -> None:
    check, take = operation("check", {"x": RAW}, {"ok": RAW}, validator=True), operation("take", {"r": RAW})
    entries = {"check": InputFlow({"x": ["seed"]}), "take": InputFlow({"r": ["seed"]})}
    await driver.open(flow(check, take, flow=entries), seeds(RAW, 1), hold=True)
    lease = await driver.one()
    raw, taken = lease.parameter_set.items, driver.backend.redundancy.taken
    await driver.complete(lease, {"ok": 2})
    assert [await taken(lease.parameter_set.context, name, raw) for name in ("check", "take")] == [True, False]
    assert await combinations(driver, "take", 1) == {(2,): True}
    assert await combinations(driver, "check", 1) == {(2,): False}


async def test_operations_without_parameters_are_taken_once_their_stage_begins(driver: Driver) -> None:
    await driver.open(flow(operation("start"), operation("tidy", stage=Stage.CLEANUP)))
    start = await driver.one()
    taken, context = driver.backend.redundancy.taken, start.parameter_set.context
    assert [await taken(context, name, ()) for name in ("start", "tidy")] == [True, False]
    await driver.complete(start)
    assert await taken(context, "tidy", ())


# -- locks ------------------------------------------------------------------------------------------------------------

KEY = LOCKED._replace(name="key")


async def queues(driver: Driver, lease: Lease) -> dict[str, list[str]]:
    """Return who holds or waits for each input of a context, by the name of the input's definition."""
    context = lease.parameter_set.context
    found = {}
    for item in await driver.backend.inputs.inputs(context):
        assert item.definition is not None
        found[item.definition.name] = [who for who, _ in await driver.backend.locks.queue(context, item)]
    return found


async def test_the_queue_of_a_lock_has_its_holder_first(driver: Driver) -> None:
    use = [operation(name, {"a": A, "x": LOCKED}) for name in ("first", "second")]
    await driver.open(flow(*use), seeds(A, 5, 6) + seeds(LOCKED, 1), hold=True)
    first = await driver.one()
    item = first.parameter_set.items[1]
    queue = driver.backend.locks.queue
    waiting = [("first", (0, 2)), ("first", (1, 2)), ("second", (0, 2)), ("second", (1, 2))]
    assert await queue(first.parameter_set.context, item) == waiting
    assert await queue(first.parameter_set.context, first.parameter_set.items[0]) == [], "that is no lock"
    await driver.release(first)
    assert await queue(first.parameter_set.context, item) == [*waiting[1:], waiting[0]]
    await driver.drain()
    assert await queue(first.parameter_set.context, item) == []


async def test_locks_are_all_held_or_none(driver: Driver) -> None:
    plan = flow(
        operation("a", {"x": LOCKED}), operation("b", {"x": LOCKED, "y": KEY}), operation("c", {"y": KEY}),
        operation("spectator", {"a": A}),
    )  # fmt: skip
    await driver.open(plan, seeds(LOCKED, 1) + seeds(KEY, 2) + seeds(A, 3), hold=True)
    leases = {lease.instance: lease for lease in await driver.lease(9)}
    # The key came after the lock, so who wants both stands behind those who want one.
    assert sorted(leases) == ["a", "c", "spectator"] or sorted(leases) == ["a", "spectator"]
    before = await queues(driver, leases["spectator"])
    assert before["locked"] == ["a", "b"]
    assert sorted(before["key"]) == ["b", "c"]
    await driver.complete(leases["a"])
    after = await queues(driver, leases["spectator"])
    assert after["locked"] == ["b"]
    assert sorted(after["key"]) == ["b", "c"]
    await driver.complete(leases["spectator"])
    await driver.drain()
    if "c" in leases:
        await driver.complete(leases["c"])
    await driver.backend.close("context")
    await driver.drain()
    assert (await driver.end()).result == {}


async def test_between_two_tries_nobody_stands_in_a_queue(driver: Driver) -> None:
    again = operation("again", {"x": LOCKED}, retry=2, backoff=5.0)
    await driver.open(flow(again, operation("spectator", {"a": A})), seeds(LOCKED, 1) + seeds(A, 1))
    leases = {lease.instance: lease for lease in await driver.lease(9)}
    assert (await queues(driver, leases["spectator"]))["locked"] == ["again"]
    await driver.fail(leases["again"])
    assert (await queues(driver, leases["spectator"]))["locked"] == []
    assert driver.clock.advance()
    assert (await driver.one()).instance == "again"
    assert (await queues(driver, leases["spectator"]))["locked"] == ["again"]


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
    await driver.hears(heard, [])
    await driver.backend.add("context", seeds(A, 2))
    await driver.hears(heard, ["hungry"])
    await driver.backend.add("context", seeds(A, 3))
    await driver.hears(heard, ["hungry"])  # it has not come for the first yet
    assert len(await driver.lease(9, "hungry")) == 4
    await driver.backend.add("context", seeds(A, 4))
    await driver.hears(heard, ["hungry", "hungry"])


async def test_what_is_handed_back_or_lost_is_heard_of_too(driver: Driver) -> None:
    heard = list[str]()
    driver.backend.implementations.listen("other", lambda: heard.append("other"))
    await driver.open(flow(operation("take", {"a": A})), seeds(A, 1))
    held = await driver.one()
    assert await driver.lease(1, "other") == []
    await driver.release(held)
    await driver.hears(heard, ["other"])
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


OTHER = {"first": "second", "second": "first"}


async def hungry(driver: Driver) -> list[str]:
    """Let two workers wait for work, and note who is called."""
    heard = list[str]()
    for worker in OTHER:
        driver.backend.implementations.listen(worker, partial(heard.append, worker))
    await driver.open(flow(operation("take", {"a": A})), hold=True)
    for worker in OTHER:
        assert await driver.lease(1, worker) == []
    return heard


@pytest.mark.parametrize("vanishes", OTHER)
async def test_a_worker_that_vanished_is_not_called(driver: Driver, vanishes: str) -> None:
    heard = await hungry(driver)
    assert await driver.lose(vanishes) == 0
    await driver.backend.add("context", seeds(A, 1))
    await driver.hears(heard, [OTHER[vanishes]])


async def test_when_a_worker_vanishes_that_was_called_another_one_is(driver: Driver) -> None:
    heard = await hungry(driver)
    await driver.backend.add("context", seeds(A, 1))
    async with asyncio.timeout(DEADLINE):
        while not heard:
            await driver.subject.hears()
    called = heard[0]
    assert await driver.lose(called) == 0
    await driver.hears(heard, [called, OTHER[called]])

"""Rule 7: a parameter set holds the locked inputs among its own and their ancestors while it runs.

That no lock is ever held twice is what the driver looks after in every test of this suite.
"""

from typing import Any

from tests.contract.driver import Driver, Lease
from tests.contract.shapes import LOCKED, A, B, C, flow, operation, seeds
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.operation import Stage

KEY = Definition("key", "int", lock=True)


def calls(leases: list[Lease]) -> list[tuple[str, dict[str, int]]]:
    return [(lease.instance, lease.arguments) for lease in leases]


def users(*names: str, **keywords: Any) -> DataFlow:
    """Return a flow of operations that each take the locked definition."""
    return flow(*(operation(name, {"k": LOCKED}, **keywords) for name in names))


async def finish_all(driver: Driver, name: str = "context") -> list[tuple[str, dict[str, int]]]:
    """Do what is left and return every lease there was, in order."""
    for lease in driver.holding():
        await driver.finish(lease)
    await driver.drain()
    return calls((await driver.end(name)).leases)


async def test_one_at_a_time_holds_a_locked_input_in_the_order_in_which_they_came(driver: Driver) -> None:
    await driver.open(users("first", "second", "third"), seeds(LOCKED, 1))
    for name in ("first", "second", "third"):
        (lease,) = await driver.lease(9)
        assert (lease.instance, lease.arguments) == (name, {"k": 1})
        await driver.complete(lease)
    assert (await driver.end()).ending.parameter_sets == 3


async def test_every_input_of_a_locked_definition_is_a_lock_of_its_own(driver: Driver) -> None:
    await driver.open(users("one", "two"), seeds(LOCKED, 1, 1))
    assert calls(await driver.lease(9)) == [("one", {"k": 1}), ("one", {"k": 1})]
    assert len(await finish_all(driver)) == 4


async def test_locks_of_different_contexts_have_nothing_to_do_with_each_other(driver: Driver) -> None:
    plan = await driver.open(users("use"), seeds(LOCKED, 1), name="left")
    await driver.open(plan, seeds(LOCKED, 1), name="right")
    assert sorted(lease.context for lease in await driver.lease(9)) == ["left", "right"]


def family() -> DataFlow:
    """Return a flow in which B and C descend from the locked input, and ``free`` takes what does not."""
    return flow(
        operation("child", {"k": LOCKED}, {"b": B}),
        operation("free", {"a": A}),
        operation("grandchild", {"b": B}, {"c": C}),
        operation("last", {"c": C}),
        operation("other", {"k": LOCKED}),
    )


async def test_a_lock_is_held_for_the_descendants_of_an_input_too(driver: Driver) -> None:
    await driver.open(family(), seeds(LOCKED, 1))
    (child,) = await driver.lease(9)
    assert child.instance == "child"
    await driver.complete(child, {"b": 10})
    (other,) = await driver.lease(9)
    assert other.instance == "other"  # it came before what the child gave
    await driver.complete(other)
    (grandchild,) = await driver.lease(9)
    assert (grandchild.instance, grandchild.arguments) == ("grandchild", {"b": 10})
    await driver.complete(grandchild, {"c": 100})
    assert calls(await driver.lease(9)) == [("last", {"c": 100})]


async def test_cousins_share_the_lock_of_their_ancestor(driver: Driver) -> None:
    make = operation("make", {"k": LOCKED}, {"all": B}, expand=["all"])
    await driver.open(flow(make, operation("use", {"b": B})), seeds(LOCKED, 1))
    await driver.complete(await driver.one(), {"all": [1, 2, 3]})
    for value in (1, 2, 3):
        (lease,) = await driver.lease(9)
        assert lease.arguments == {"b": value}
        await driver.complete(lease)


async def test_waiting_for_a_lock_blocks_nobody_else(driver: Driver) -> None:
    await driver.open(family(), seeds(LOCKED, 1, 2) + seeds(A, 7))
    leased = calls(await driver.lease(9))
    assert sorted(leased, key=str) == [("child", {"k": 1}), ("child", {"k": 2}), ("free", {"a": 7})]


def both() -> DataFlow:
    return flow(operation("both", {"k": LOCKED, "key": KEY}), operation("one", {"k": LOCKED}))


async def test_all_locks_are_taken_or_none(driver: Driver) -> None:
    await driver.open(both(), seeds(LOCKED, 1), hold=True)
    one = await driver.one()
    await driver.backend.add("context", seeds(KEY, 7))
    assert await driver.lease(9) == []  # the key is free, the other is not
    await driver.complete(one)
    assert calls(await driver.lease(9)) == [("both", {"k": 1, "key": 7})]


async def test_all_locks_have_to_be_free_and_not_just_one_of_them(driver: Driver) -> None:
    plan = flow(operation("alone", {"key": KEY}), operation("both", {"k": LOCKED, "key": KEY}),
                operation("aside", {"k": LOCKED}))  # fmt: skip
    for order in ("forwards", "backwards"):
        await driver.open(plan, seeds(LOCKED, 1) + seeds(KEY, 7), name=order)
        holders = await driver.lease(9)
        assert sorted(lease.instance for lease in holders) == ["alone", "aside"]
        first, second = holders if order == "forwards" else reversed(holders)
        await driver.complete(first)
        assert await driver.lease(9) == []
        await driver.complete(second)
        (both,) = await driver.lease(9)
        assert (both.instance, both.arguments) == ("both", {"k": 1, "key": 7})
        await driver.complete(both)
        assert (await driver.end(order)).result == {}


async def test_first_come_first_served_however_many_locks_one_waits_for(driver: Driver) -> None:
    await driver.open(both(), seeds(KEY, 7) + seeds(LOCKED, 1), hold=True)
    first = await driver.one()
    assert first.instance == "both"
    await driver.backend.add("context", seeds(KEY, 8))
    await driver.complete(first)
    second = await driver.one()
    assert (second.instance, await driver.lease(9)) == ("one", [])
    await driver.complete(second)
    assert calls(await driver.lease(9)) == [("both", {"k": 1, "key": 8})]


async def test_combinations_that_cross_each_other_all_run(driver: Driver) -> None:
    plan = flow(operation("pair", {"x": LOCKED, "y": LOCKED}))
    await driver.open(plan, seeds(LOCKED, 1, 2, 3))
    found = [(arguments["x"], arguments["y"]) for _, arguments in await finish_all(driver)]
    assert sorted(found) == [(x, y) for x in (1, 2, 3) for y in (1, 2, 3)]


async def test_a_holder_that_vanishes_loses_its_locks_and_waits_again(driver: Driver) -> None:
    await driver.open(users("first", "second"), seeds(LOCKED, 1))
    first = await driver.one("doomed")
    assert await driver.lose("doomed") == 1
    (second,) = await driver.lease(9)
    assert second.instance == "second"
    refused = driver.subject.refused()
    await driver.complete(first)  # it was not dead, only slow: it holds nothing any more
    assert driver.subject.refused() == refused + 1
    assert await driver.lease(9) == []
    await driver.complete(second)
    assert calls(await driver.lease(9)) == [("first", {"k": 1})]


async def test_locks_are_given_back_with_what_is_handed_back(driver: Driver) -> None:
    await driver.open(users("first", "second"), seeds(LOCKED, 1))
    await driver.release(await driver.one())
    second = await driver.one()
    assert second.instance == "second"
    await driver.lost(second)
    assert [name for name, _ in await finish_all(driver)] == ["first", "second", "first", "second"]


async def test_a_failure_frees_its_locks(driver: Driver) -> None:
    await driver.open(users("first", "second"), seeds(LOCKED, 1), strict=False)
    await driver.fail(await driver.one())
    second = await driver.one()
    assert second.instance == "second"
    await driver.complete(second)
    ending = (await driver.end()).ending
    assert [(one.reason, one.message, one.instance, one.inputs) for one in ending.failures] == [
        ("Exception", "boom", "first", {"k": 1})
    ]
    assert ending.result == {}


async def test_no_lock_is_held_between_two_tries(driver: Driver) -> None:
    await driver.open(users("first", "second", retry=2, backoff=5.0), seeds(LOCKED, 1))
    await driver.fail(await driver.one())
    second = await driver.one()
    assert second.instance == "second"
    assert driver.clock.advance()  # the second try is due, and has to wait for the lock
    assert await driver.lease(9) == []
    await driver.complete(second)
    assert calls(await driver.lease(9)) == [("first", {"k": 1})]


async def test_what_is_dropped_with_its_context_stands_in_nobodys_way(driver: Driver) -> None:
    bad, tidy = operation("bad", {"a": A}), operation("tidy", {"k": LOCKED}, stage=Stage.CLEANUP)
    work = [operation(name, {"k": LOCKED}) for name in ("first", "second")]
    await driver.open(flow(bad, tidy, *work), seeds(A, 1) + seeds(LOCKED, 1))
    failing, first = await driver.lease(9)
    assert (failing.instance, first.instance) == ("bad", "first")
    await driver.fail(failing)
    assert await driver.lease(9) == []  # the first still runs, with its lock
    await driver.complete(first)
    (tidying,) = await driver.lease(9)
    assert tidying.instance == "tidy"
    await driver.complete(tidying)
    ran = await driver.end()
    assert (ran.failure.reason, ran.failure.message, ran.failure.instance) == ("Exception", "boom", "bad")
    assert [name for name, _ in calls(ran.leases)] == ["bad", "first", "tidy"]

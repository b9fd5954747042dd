"""Rule 4: a combination runs once; which one it is depends on the input at each named parameter, never on values."""

from typing import Any

import pytest

from tests.contract.backends import Factory
from tests.contract.clock import Clock
from tests.contract.driver import Driver
from tests.contract.shapes import A, B, C, flow, operation, seeds
from tidemill.errors import InvalidInput
from tidemill.model.definition import Definition
from tidemill.model.flow import InputFlow
from tidemill.model.input import Input

ONCE = Definition("once", "int", dedupe="value")
ANY = Definition("any", dedupe="value")


def values(calls: list[dict[str, Any]]) -> list[Any]:
    """Return what the only parameter was given, in order."""
    return [value for call in calls for value in call.values()]


async def test_ordered_permutations_are_different_combinations(driver: Driver) -> None:
    ran = await driver.run(flow(operation("subtract", {"x": A, "y": A})), {}, seeds(A, 5, 7))
    found = sorted((call["x"], call["y"]) for call in ran.calls("subtract"))
    assert found == [(5, 5), (5, 7), (7, 5), (7, 7)]


async def test_the_same_inputs_start_different_operations(driver: Driver) -> None:
    ran = await driver.run(flow(operation("one", {"x": A}), operation("two", {"x": A})), {}, seeds(A, 1))
    assert sorted(lease.instance for lease in ran.leases) == ["one", "two"]


async def test_equal_values_are_distinct_inputs(driver: Driver) -> None:
    ran = await driver.run(flow(operation("join", {"a": A, "b": B})), {}, seeds(A, 1, 1) + seeds(B, 2, 2))
    assert ran.calls("join") == [{"a": 1, "b": 2}] * 4
    assert (ran.ending.inputs, ran.ending.parameter_sets) == (4, 4)


async def test_equal_outputs_are_distinct_inputs(driver: Driver) -> None:
    make = operation("make", {"a": A}, {"b": B})
    ran = await driver.run(flow(make, operation("take", {"b": B})), {"make": lambda a: {"b": 7}}, seeds(A, 1, 2, 3))
    assert ran.calls("take") == [{"b": 7}] * 3


async def test_equal_values_of_a_definition_with_dedupe_are_one_input(driver: Driver) -> None:
    ran = await driver.run(flow(operation("take", {"n": ONCE})), {}, seeds(ONCE, 1, 2, 1, 1, 2))
    assert sorted(values(ran.calls("take"))) == [1, 2]
    assert (ran.ending.inputs, ran.ending.parameter_sets) == (2, 2)


async def test_equal_outputs_of_a_definition_with_dedupe_are_one_input(driver: Driver) -> None:
    crawl = operation("crawl", {"n": ONCE}, {"links": ONCE}, expand=["links"])
    links = {1: [2, 3], 2: [3, 1], 3: [1, 2, 3]}
    plan = flow(crawl, flow={"crawl": InputFlow({"n": ["seed", {"crawl": "links"}]})})
    ran = await driver.run(plan, {"crawl": lambda n: {"links": links[n]}}, seeds(ONCE, 1))
    assert sorted(values(ran.calls("crawl"))) == [1, 1, 2, 3]  # the seed 1, and what crawl gave: each once
    assert ran.ending.inputs == 4


async def test_dedupe_keeps_origins_apart(driver: Driver) -> None:
    plan = flow(operation("take", {"n": ONCE}), flow={"take": InputFlow({"n": ["seed", "mail"]})})
    ran = await driver.run(plan, {}, [Input(1, ONCE), Input(1, ONCE, origin="mail"), Input(1, ONCE, origin="mail")])
    assert values(ran.calls("take")) == [1, 1]


async def test_who_gave_an_equal_value_first_is_nowhere_to_be_seen(factory: Factory) -> None:
    make, use = operation("make", {"a": A}, {"n": ONCE}), operation("use", {"n": ONCE}, {"b": B})
    from_seven = operation("pathed", {"b": B})
    dataflow = flow(make, use, from_seven, flow={
        "make": InputFlow({"a": ["seed"]}), "use": InputFlow({"n": [{"make": "n"}]}),
        "pathed": InputFlow({"b": [[{"use": "b"}, {"make": "n"}, "seed"]]}),
    })  # fmt: skip
    found = []
    for order in ([0, 1], [1, 0]):
        clock = Clock()
        async with factory(clock) as subject:
            driver = Driver(subject, clock)
            await driver.open(dataflow, [Input(7, A, uid="x"), Input(8, A, uid="y")])
            leases = await driver.lease(2)
            for at in order:
                await driver.complete(leases[at], {"n": 5})
            driver.scripts.update(use=lambda n: {"b": n})
            await driver.drain()
            ran = await driver.end()
            assert ran.calls("pathed") == []  # an input that stands for all equal values has no parents
            found.append({repr(record) for record in ran.ending.lineage()})
    assert found[0] == found[1]


async def test_an_input_that_stands_for_equal_values_carries_no_lock_of_who_gave_it(driver: Driver) -> None:
    locked = Definition("locked", "int", lock=True)
    make, use = operation("make", {"k": locked}, {"n": ONCE}), operation("use", {"n": ONCE, "a": A})
    await driver.open(flow(make, use), seeds(locked, 1, 2) + seeds(A, 1, 2))
    for lease in await driver.lease(2):
        await driver.complete(lease, {"n": 5})
    assert len(await driver.lease(9)) == 2


async def test_what_is_validated_is_once_for_each_origin_that_it_stands_for(driver: Driver) -> None:
    raw = Definition("raw", "int", validate="check", dedupe="value")
    check = operation("check", {"x": raw}, {"ok": raw}, validator=True)
    dataflow = flow(
        check, operation("seeded", {"r": raw}), operation("mailed", {"r": raw}),
        flow={
            "check": InputFlow({"x": ["seed", "mail"]}), "seeded": InputFlow({"r": ["seed"]}),
            "mailed": InputFlow({"r": ["mail"]}),
        },
    )  # fmt: skip
    given = [Input(1, raw), Input(1, raw), Input(1, raw, origin="mail")]
    ran = await driver.run(dataflow, {"check": lambda x: {"ok": x}}, given)
    assert (ran.calls("seeded"), ran.calls("mailed")) == ([{"r": 1}], [{"r": 1}])


async def test_a_uid_of_an_equal_value_is_known(driver: Driver) -> None:
    await driver.open(flow(operation("take", {"n": ONCE})), [Input(1, ONCE, uid="x")], hold=True)
    assert await driver.backend.add("context", [twin := Input(1, ONCE, uid="y")]) == 0
    assert await driver.backend.add("context", [Input(2, ONCE, parents=[twin], uid="z")]) == 1
    with pytest.raises(InvalidInput, match="stands for 1 already"):
        await driver.backend.add("context", [Input(3, ONCE, uid="y")])


async def test_dedupe_is_within_a_context(driver: Driver) -> None:
    plan = flow(operation("take", {"n": ONCE}))
    for name in ("left", "right"):
        assert values((await driver.run(plan, {}, seeds(ONCE, 1, 1), name=name)).calls("take")) == [1]


async def test_dedupe_compares_what_values_say_and_not_how_they_are_written(driver: Driver) -> None:
    ran = await driver.run(
        flow(operation("take", {"n": ANY})),
        {},
        seeds(ANY, {"x": 1, "y": [2]}, {"y": [2], "x": 1}, [1, 2], [2, 1], "1", 1, None, None),
    )
    assert values(ran.calls("take")) == [{"x": 1, "y": [2]}, [1, 2], [2, 1], "1", 1, None]


async def test_an_input_is_added_once_under_one_uid(driver: Driver) -> None:
    await driver.open(flow(operation("take", {"a": A})), [Input(1, A, uid="x")], hold=True)
    assert await driver.backend.add("context", [Input(1, A, uid="x"), Input(2, A, uid="y")]) == 1
    assert await driver.backend.add("context", [Input(1, A, uid="x"), Input(2, A, uid="y")]) == 0
    with pytest.raises(InvalidInput) as caught:
        await driver.backend.add("context", [Input(3, A, uid="z"), Input(4, A, uid="x")])
    assert (caught.value.reason, caught.value.path) == ("InputConflict", "/inputs/1/uid")
    assert caught.value.message == 'the uid "x" stands for 1 already; 4 needs one of its own'
    await driver.backend.close("context")
    await driver.drain()
    ran = await driver.end()
    assert values(ran.calls("take")) == [1, 2]
    assert ran.ending.inputs == 2


async def test_a_repeated_completion_counts_once(driver: Driver) -> None:
    make = operation("make", {"a": A}, {"b": C})
    await driver.open(flow(make, operation("take", {"c": C})), seeds(A, 1))
    lease = await driver.one()
    await driver.complete(lease, {"b": 5})
    refused = driver.subject.refused()
    await driver.complete(lease, {"b": 5})
    assert driver.subject.refused() == refused + 1
    await driver.drain()
    ran = await driver.end()
    assert values(ran.calls("take")) == [5]
    assert (ran.ending.inputs, ran.ending.parameter_sets) == (2, 2)

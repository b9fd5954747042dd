"""Rule 6: a parameter takes the default of its definition when no input for it can come any more."""

from typing import Any

from tests.contract.driver import Driver, Ran
from tests.contract.shapes import A, B, flow, operation, seeds
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.model.flow import InputFlow
from tidemill.model.operation import Stage

PORT = Definition("port", "int", default=80)
HOST = Definition("host", "str", default="localhost")
NOTHING = Definition("nothing", "str", default=None)
YES = Definition("yes", "bool")
CHECKED = Definition("checked", "int", default=5, validate="check")


def ways(**inputs: Any) -> InputFlow:
    return InputFlow(inputs)


def ordered(ran: Ran, instance: str) -> list[tuple[Any, ...]]:
    """Return what each call was given, sorted."""
    return sorted(tuple(call[name] for name in sorted(call)) for call in ran.calls(instance))


async def test_a_default_is_taken_where_only_seeds_could_come_and_none_was_given(driver: Driver) -> None:
    call = operation("call", {"a": A, "port": PORT, "host": HOST})
    ran = await driver.run(flow(call), {}, seeds(A, 1, 2))
    assert ran.calls("call") == [
        {"a": 1, "host": "localhost", "port": 80},
        {"a": 2, "host": "localhost", "port": 80},
    ]
    assert ran.ending.inputs == 2  # defaults are no inputs


async def test_no_default_is_taken_where_an_input_was_given(driver: Driver) -> None:
    ran = await driver.run(flow(operation("call", {"a": A, "port": PORT})), {}, seeds(A, 1) + seeds(PORT, 8080))
    assert ran.calls("call") == [{"a": 1, "port": 8080}]


async def test_an_operation_with_nothing_but_defaults_runs_once(driver: Driver) -> None:
    ran = await driver.run(flow(operation("call", {"port": PORT, "why": NOTHING})), {})
    assert ran.calls("call") == [{"port": 80, "why": None}]


async def test_a_static_default_waits_for_the_intake_to_close_and_for_nothing_else(driver: Driver) -> None:
    slow, call = operation("slow", {"a": A}), operation("call", {"port": PORT})
    await driver.open(flow(slow, call), seeds(A, 1), hold=True)
    running = await driver.one()
    assert running.instance == "slow"
    assert await driver.lease() == []
    await driver.backend.close("context")
    assert [(lease.instance, lease.arguments) for lease in await driver.lease(9)] == [("call", {"port": 80})]


def fed() -> DataFlow:
    """Return a flow whose ``call`` takes its port from ``find`` only."""
    find, call = operation("find", {"a": A}, {"port": PORT}), operation("call", {"b": B, "port": PORT})
    return flow(find, call, flow={"find": ways(a=["seed"]), "call": ways(b=["seed"], port=[{"find": "port"}])})


async def test_a_default_that_an_output_could_make_needless_waits_for_quiet(driver: Driver) -> None:
    await driver.open(fed(), seeds(A, 1, 2) + seeds(B, 7))
    first, second = await driver.lease(9)
    await driver.complete(first)
    assert await driver.lease() == []
    await driver.complete(second)
    assert (await driver.one()).arguments == {"b": 7, "port": 80}


async def test_no_default_is_taken_where_an_output_has_come(driver: Driver) -> None:
    scripts = {"find": lambda a: {"port": 9000} if a == 2 else None}
    ran = await driver.run(fed(), scripts, seeds(A, 1, 2) + seeds(B, 7))
    assert ran.calls("call") == [{"b": 7, "port": 9000}]


async def test_a_context_that_is_held_open_is_not_quiet(driver: Driver) -> None:
    await driver.open(fed(), seeds(B, 7), hold=True)
    assert await driver.lease() == []
    await driver.backend.add("context", seeds(B, 8))
    assert await driver.lease() == []
    await driver.backend.close("context")
    assert [lease.arguments for lease in await driver.lease(9)] == [{"b": 7, "port": 80}, {"b": 8, "port": 80}]


async def test_no_default_is_taken_while_another_parameter_has_nothing(driver: Driver) -> None:
    ran = await driver.run(flow(operation("call", {"a": A, "port": PORT})), {})
    assert ran.calls("call") == []


async def test_no_default_starts_an_operation_whose_gate_is_shut(driver: Driver) -> None:
    ran = await driver.run(flow(operation("call", {"port": PORT}, conditions=[YES])), {}, seeds(YES, False))
    assert ran.calls("call") == []
    ran = await driver.run(flow(operation("call", {"port": PORT}, conditions=[YES])), {}, seeds(YES, True), name="open")
    assert ran.calls("call") == [{"port": 80}]


def strata() -> DataFlow:
    """Return a flow in which ``early`` and ``late`` both wait for a default, and ``early`` can feed ``late``."""
    none = operation("none", {"a": A}, {"port": PORT})
    early = operation("early", {"port": PORT}, {"host": HOST})
    late = operation("late", {"host": HOST})
    return flow(none, early, late, flow={
        "none": ways(a=["seed"]), "early": ways(port=[{"none": "port"}]), "late": ways(host=[{"early": "host"}]),
    })  # fmt: skip


async def test_whoever_waits_behind_a_shut_gate_takes_no_default_along_with_others(driver: Driver) -> None:
    """Two operations feed each other, but one of them waits for a condition that the other gives, too."""
    left, right = Definition("left", "int", default=7), Definition("right", "int", default=5)
    first = operation("first", {"left": left}, {"right": right, "yes": YES})
    second = operation("second", {"right": right}, {"left": left}, conditions=[YES])
    scripts = {
        "first": lambda left: {"right": 8, "yes": True} if left == 7 else None,
        "second": lambda right: {"left": right * 100},
    }
    ran = await driver.run(flow(first, second), scripts)
    assert ran.calls("first") == [{"left": 7}, {"left": 800}]
    assert ran.calls("second") == [{"right": 8}]


async def test_a_default_waits_for_the_operations_that_another_default_may_start(driver: Driver) -> None:
    ran = await driver.run(strata(), {"early": lambda port: {"host": f"h{port}"}}, seeds(A, 1))
    assert [(lease.instance, lease.arguments) for lease in ran.leases] == [
        ("none", {"a": 1}),
        ("early", {"port": 80}),
        ("late", {"host": "h80"}),
    ]


async def test_the_next_default_is_taken_when_those_operations_gave_nothing(driver: Driver) -> None:
    ran = await driver.run(strata(), {}, seeds(A, 1))
    assert [(lease.instance, lease.arguments) for lease in ran.leases] == [
        ("none", {"a": 1}),
        ("early", {"port": 80}),
        ("late", {"host": "localhost"}),
    ]


async def test_operations_that_wait_for_each_other_take_their_defaults_together(driver: Driver) -> None:
    ping, pong = operation("ping", {"port": PORT}, {"host": HOST}), operation("pong", {"host": HOST}, {"port": PORT})
    plan = flow(ping, pong, flow={"ping": ways(port=[{"pong": "port"}]), "pong": ways(host=[{"ping": "host"}])})
    scripts = {
        "ping": lambda port: {"host": f"h{port}"} if port == 80 else None,
        "pong": lambda host: {"port": 81} if host == "localhost" else None,
    }
    ran = await driver.run(plan, scripts)
    assert ordered(ran, "ping") == [(80,), (81,)]
    assert ordered(ran, "pong") == [("h80",), ("localhost",)]


async def test_an_input_that_comes_after_a_default_is_combined_too(driver: Driver) -> None:
    grow = operation("grow", {"a": A, "port": PORT}, {"next": PORT})
    plan = flow(grow, flow={"grow": ways(a=["seed"], port=[{"grow": "next"}])})
    ran = await driver.run(plan, {"grow": lambda a, port: {"next": port + a} if port == 80 else None}, seeds(A, 1, 2))
    assert ordered(ran, "grow") == [(1, 80), (1, 81), (1, 82), (2, 80), (2, 81), (2, 82)]


async def test_an_operation_of_cleanup_takes_its_default_when_cleanup_is_quiet(driver: Driver) -> None:
    tidy = operation("tidy", {"a": A}, {"port": PORT}, stage=Stage.CLEANUP)
    last = operation("last", {"port": PORT}, stage=Stage.CLEANUP)
    plan = flow(tidy, last, flow={"tidy": ways(a=["seed"]), "last": ways(port=[{"tidy": "port"}])})
    await driver.open(plan, seeds(A, 1))
    tidying = await driver.one()
    assert (tidying.instance, await driver.lease()) == ("tidy", [])
    await driver.complete(tidying)
    assert (await driver.one()).arguments == {"port": 80}


def validated() -> DataFlow:
    check = operation("check", {"n": CHECKED}, {"ok": CHECKED}, validator=True)
    return flow(check, operation("take", {"n": CHECKED}),
                flow={"check": ways(n=["seed"]), "take": ways(n=["seed"])})  # fmt: skip


async def test_a_validator_takes_no_default(driver: Driver) -> None:
    ran = await driver.run(validated(), {"check": lambda n: {"ok": n * 10}})
    assert ran.calls("check") == []
    assert ran.calls("take") == [{"n": 5}]


async def test_an_input_that_has_still_to_be_validated_counts_as_given(driver: Driver) -> None:
    ran = await driver.run(validated(), {"check": lambda n: {"ok": n * 10}}, seeds(CHECKED, 1))
    assert ran.calls("check") == [{"n": 1}]
    assert ran.calls("take") == [{"n": 10}]


async def test_the_default_stands_in_for_an_input_that_its_validator_did_not_let_through(driver: Driver) -> None:
    ran = await driver.run(validated(), {"check": lambda n: None}, seeds(CHECKED, 1))
    assert [(lease.instance, lease.arguments) for lease in ran.leases] == [("check", {"n": 1}), ("take", {"n": 5})]


async def test_an_input_that_is_added_after_a_static_default_was_taken_is_combined_too(driver: Driver) -> None:
    await driver.open(flow(operation("call", {"a": A, "port": PORT})), seeds(A, 1))
    call = await driver.one()
    await driver.backend.add("context", seeds(PORT, 8080) + seeds(A, 2))
    await driver.complete(call)
    await driver.drain()
    assert ordered(await driver.end(), "call") == [(1, 80), (1, 8080), (2, 80), (2, 8080)]


async def test_a_default_in_one_context_is_none_in_another(driver: Driver) -> None:
    plan = await driver.open(flow(operation("call", {"port": PORT})), seeds(PORT, 1), name="given")
    await driver.open(plan, name="bare")
    await driver.drain()
    assert (await driver.end("given")).calls("call") == [{"port": 1}]
    assert (await driver.end("bare")).calls("call") == [{"port": 80}]

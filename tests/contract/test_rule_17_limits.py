"""Rule 17: what one context may grow to. Past a limit it fails with that reason, and nobody else notices."""

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from tests.contract.driver import Driver, Running
from tests.contract.shapes import A, B, C, D, E, flow, multi, operation, output, seeds
from tidemill.engine.parameters import ParameterSet
from tidemill.errors import InvalidInput
from tidemill.model.definition import Definition
from tidemill.model.flow import Forward, InputFlow
from tidemill.model.input import Input
from tidemill.model.limits import Limits
from tidemill.model.operation import Stage
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Child, Completed, Report
from tidemill.plan.compile import compile_plan

TAKE = operation("take", {"a": A})
JOIN = operation("join", {"a": A, "b": B})
MAKE = operation("make", {"a": A}, {"b": B})
LIST = operation("make", {"a": A}, {"b": B}, expand=["b"])
TEXT = Definition("text", "string")
DEEP = Definition("deep", "array")
TIDY = operation("tidy", stage=Stage.CLEANUP)


# -- inputs -----------------------------------------------------------------------------------------------------------


async def test_as_many_inputs_as_the_limit_are_fine(driver: Driver) -> None:
    ran = await driver.run(flow(MAKE, limits=Limits(inputs=4)), {"make": lambda a: {"b": a}}, seeds(A, 1, 2))
    assert (ran.result, ran.ending.inputs) == ({}, 4)


@pytest.mark.parametrize("brought", [0, 2])
async def test_a_context_is_not_opened_with_more_inputs_than_the_limit(driver: Driver, brought: int) -> None:
    dataflow = flow(TAKE, limits=Limits(inputs=3), seed=seeds(A, *range(brought)))
    with pytest.raises(InvalidInput) as caught:
        await driver.open(dataflow, seeds(A, *range(4 - brought)))
    assert (caught.value.reason, caught.value.message) == ("InputLimitExceeded", "4 inputs in one context; limit 3")
    assert await driver.lease() == []


async def test_a_uid_that_the_data_flow_brings_is_known_to_what_is_given(driver: Driver) -> None:
    parent = Input(1, A, uid="one")
    plan = await driver.open(flow(TAKE, seed=[parent]), [Input(1, A, uid="one"), Input(2, A, parents=[parent])])
    with pytest.raises(InvalidInput, match='the uid "one" stands for 1 already'):
        await driver.open(plan, [Input(3, A, uid="one")], name="other")
    await driver.drain()
    ran = await driver.end()
    first, second = ran.ending.lineage()
    assert (ran.calls("take"), second.parents) == ([{"a": 1}, {"a": 2}], (first.id,))


@pytest.mark.parametrize("strict", [True, False])
async def test_outputs_past_the_limit_of_inputs_fail_the_context(driver: Driver, strict: bool) -> None:
    dataflow = flow(LIST, TIDY, limits=Limits(inputs=5))
    ran = await driver.run(dataflow, {"make": lambda a: {"b": [1, 2, 3, 4]}}, seeds(A, 1, 2), strict=strict)
    assert (ran.failure.reason, ran.failure.context) == ("InputLimitExceeded", "context")
    assert ran.failure.path == "/limits/inputs"
    assert ran.failure.message == "the context would have 6 inputs; limit 5"
    assert ([lease.instance for lease in ran.leases], ran.ending.inputs) == (["make", "tidy"], 2)


async def test_an_endless_cycle_ends_at_the_limit_of_inputs(driver: Driver) -> None:
    more = operation("more", {"a": A}, {"a": A})
    ran = await driver.run(flow(more, limits=Limits(inputs=50)), {"more": lambda a: {"a": a + 1}}, seeds(A, 1))
    assert ran.failure.message == "the context would have 51 inputs; limit 50"
    assert len(ran.leases) == 50


# -- parameter sets ---------------------------------------------------------------------------------------------------


async def test_as_many_parameter_sets_as_the_limit_are_fine(driver: Driver) -> None:
    ran = await driver.run(flow(JOIN, limits=Limits(parameter_sets=6)), {}, seeds(A, 1, 2) + seeds(B, 1, 2, 3))
    assert ran.ending.parameter_sets == len(ran.leases) == 6


@pytest.mark.parametrize("strict", [True, False])
async def test_combinations_past_the_limit_fail_the_context_with_what_they_would_need(
    driver: Driver, strict: bool
) -> None:
    await driver.open(flow(JOIN, TIDY, limits=Limits(parameter_sets=5)), seeds(A, 1, 2), strict=strict, hold=True)
    await driver.backend.add("context", seeds(B, 1, 2))
    await driver.backend.add("context", seeds(B, 3))
    await driver.drain()
    ran = await driver.end()
    assert (ran.failure.reason, ran.failure.context) == ("ParameterSetLimitExceeded", "context")
    assert ran.failure.message == (
        'operation "join" would need 6 parameter sets (new combinations of a: 2, b: 1); limit 5'
    )
    assert [lease.instance for lease in ran.leases] == ["tidy"]


async def test_one_parameter_set_past_the_limit_says_so_too(driver: Driver) -> None:
    ran = await driver.run(flow(TAKE, limits=Limits(parameter_sets=2)), {}, seeds(A, 1, 2, 3))
    assert ran.failure.message == 'operation "take" would need 3 parameter sets; limit 2'


async def test_the_limit_is_one_for_all_operations_and_stages(driver: Driver) -> None:
    ran = await driver.run(flow(TAKE, TIDY, output("read"), limits=Limits(parameter_sets=2)), {}, seeds(A, 1))
    assert ran.failure.message.startswith('operation "read" would need 3 parameter sets')
    assert [lease.instance for lease in ran.leases] == ["take", "tidy"]


FIVE = {"a": A, "b": B, "c": C, "d": D, "e": E}


async def test_a_product_of_five_parameters_fails_before_its_first_combination(
    driver: Driver, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = count_made(monkeypatch)
    await driver.open(flow(operation("join", FIVE)), [one for d in FIVE.values() for one in seeds(d, *range(1000))])
    assert await driver.lease(9) == []
    ran = await driver.end()
    assert (ran.failure.reason, ran.failure.path) == ("ParameterSetLimitExceeded", "/limits/parameter_sets")
    assert ran.failure.message == (
        'operation "join" would need 1000000000000 parameter sets '
        "(new combinations of a: 1000, b: 1000, c: 1000, d: 1000, e: 1); limit 1000000"
    )
    assert (made, ran.ending.parameter_sets, ran.leases) == ([], 0, [])


@pytest.mark.parametrize("stage", [Stage.PROCESSING, Stage.CLEANUP, Stage.OUTPUT])
async def test_so_does_one_that_starts_with_a_gate_or_a_stage(
    driver: Driver, monkeypatch: pytest.MonkeyPatch, stage: Stage
) -> None:
    made = count_made(monkeypatch)
    join = operation("join", dict.fromkeys(FIVE, A), stage=stage, conditions=[B])
    await driver.open(flow(join), seeds(A, *range(1000)) + seeds(B, 1))
    assert await driver.lease(9) == []
    ran = await driver.end()
    assert ran.failure.message == (
        'operation "join" would need 1000000000000000 parameter sets '
        "(new combinations of a: 1000, b: 1000, c: 1000, d: 1000, e: 1000); limit 1000000"
    )
    assert (made, ran.ending.parameter_sets) == ([], 0)


def count_made(monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Return a list that grows with every parameter set that is made."""
    made, make = list[None](), ParameterSet.__init__

    def counted(self: ParameterSet, *args: Any) -> None:
        made.append(None)
        make(self, *args)

    monkeypatch.setattr(ParameterSet, "__init__", counted)
    return made


@pytest.mark.parametrize("gated", [False, True])
async def test_of_a_large_product_only_the_work_in_flight_exists(driver: Driver, gated: bool) -> None:
    existing = driver.subject.existing
    before = existing()
    join = operation("join", {"a": A, "b": B}, conditions=[C] if gated else [])
    await driver.open(flow(join), seeds(A, *range(200)) + seeds(B, *range(200)) + seeds(C, 1))
    network = driver.backend.implementations
    reports, done, most = list[Report](), 0, 0
    while leased := await network.cycle("w", reports, 40):
        reports = [Completed(one, None) for one in leased]
        done += len(leased)
        if done % 2000 == 0:
            most = max(most, existing() - before)
    assert done == 40_000
    assert 0 < most < 1000, f"{most} parameter sets existed at once, with 40 in flight"
    del reports
    assert (await driver.backend.ending("context")).parameter_sets == 40_000


async def test_a_context_past_its_limit_leaves_others_alone(driver: Driver) -> None:
    plan = await driver.open(
        flow(operation("join", FIVE)), [one for d in FIVE.values() for one in seeds(d, *range(100))], name="large"
    )
    await driver.open(plan, [one for d in FIVE.values() for one in seeds(d, 1)], name="small")
    await driver.drain()
    assert (await driver.end("large")).failure.reason == "ParameterSetLimitExceeded"
    assert len((await driver.end("small")).leases) == 1


@pytest.mark.parametrize(
    ("limits", "reason", "message"),
    [
        (
            Limits(parameter_sets=2),
            "ParameterSetLimitExceeded",
            'operation "inner" would need 3 parameter sets; limit 2',
        ),
        (Limits(inputs=2), "InputLimitExceeded", "the context would have 3 inputs; limit 2"),
    ],
    ids=["parameter sets", "inputs"],
)
async def test_what_is_forwarded_past_a_limit_fails_the_child_context_alone(
    driver: Driver, limits: Limits, reason: str, message: str
) -> None:
    plan = compile_plan(flow(operation("inner", {"b": B}), limits=limits))
    heard, forward = list[Ending](), Forward()
    forward.add("run", [B])
    driver.scripts["run"] = Running(lambda a: [Child("x", plan, ())], lambda endings, a: heard.extend(endings))
    ran = await driver.run(flow(operation("run", {"a": A}), TIDY, forward=forward), {}, seeds(A, 1) + seeds(B, 1, 2, 3))
    assert [(one.failure.reason, one.failure.message) for one in heard if one.failure] == [(reason, message)]
    assert (ran.result, ran.calls("tidy")) == ({}, [{}])


# -- outputs ----------------------------------------------------------------------------------------------------------


async def test_a_list_longer_than_the_limit_is_refused_unread(driver: Driver) -> None:
    endless = count()
    ran = await driver.run(flow(LIST, limits=Limits(outputs=3)), {"make": lambda a: {"b": endless}}, seeds(A, 1))
    assert (ran.failure.reason, ran.failure.instance) == ("TooManyItems", "make")
    assert ran.failure.message == "make.b gives more than 3 inputs, the limit outputs"
    assert (next(endless), ran.ending.inputs) == (4, 1)


async def test_several_outputs_count_together(driver: Driver) -> None:
    both = operation("make", {"a": A}, {"b": B, "c": C}, expand=["b", "c"])
    scripts = {"make": lambda a: {"b": [1, 2], "c": [3] * a}}
    ran = await driver.run(flow(both, limits=Limits(outputs=3)), scripts, seeds(A, 1, 2), strict=False)
    assert [(one.reason, one.inputs, one.message) for one in ran.ending.failures] == [
        ("TooManyItems", {"a": 2}, '"make" has given more than 3 inputs, the limit outputs')
    ]
    assert ran.ending.inputs == 2 + 3


async def test_a_generator_that_gives_more_than_the_limit_fails(driver: Driver) -> None:
    def endless(a: int) -> Iterator[Any]:
        for value in range(5):
            yield {"b": value}

    scripts = {"make": endless, "read": multi("B")}
    ran = await driver.run(flow(MAKE, output("read"), limits=Limits(outputs=3)), scripts, seeds(A, 1), strict=False)
    (failure,) = ran.ending.failures
    assert (failure.reason, failure.instance) == ("EmitLimitExceeded", "make")
    assert failure.message == '"make" has given more than 3 inputs, the limit outputs'
    assert ran.result == {"B": [0, 1, 2]}


async def test_a_generator_that_gives_nothing_for_ever_fails(driver: Driver) -> None:
    scripts: dict[str, Any] = {"make": lambda a: ({} for _ in range(5))}
    ran = await driver.run(flow(MAKE, limits=Limits(outputs=3)), scripts, seeds(A, 1), strict=False)
    (failure,) = ran.ending.failures
    assert (failure.reason, failure.instance) == ("EmitLimitExceeded", "make")


async def test_a_generator_may_give_as_much_as_the_limit(driver: Driver) -> None:
    scripts = {"make": lambda a: ({"b": value} for value in range(3)), "read": multi("B")}
    ran = await driver.run(flow(MAKE, output("read"), limits=Limits(outputs=3)), scripts, seeds(A, 1))
    assert ran.result == {"B": [0, 1, 2]}


async def test_the_clean_up_of_a_context_past_its_limits_has_the_limits_for_itself(driver: Driver) -> None:
    loop = operation("loop", {"b": B}, {"b": B})
    tidy = operation("tidy", {}, {"c": C}, stage=Stage.CLEANUP, expand=["c"])
    swept = operation("swept", {"c": C}, stage=Stage.CLEANUP)
    dataflow = flow(loop, tidy, swept, limits=Limits(parameter_sets=3, inputs=9), flow={
        "loop": InputFlow({"b": ["seed", {"loop": "b"}]}), "swept": InputFlow({"c": [{"tidy": "c"}]}),
    })  # fmt: skip
    scripts = {"loop": lambda b: {"b": b}, "tidy": lambda: {"c": [1, 2, 3]}}
    ran = await driver.run(dataflow, scripts, seeds(B, 1))
    assert ran.ending.failure is not None and ran.ending.failure.reason == "ParameterSetLimitExceeded"
    assert (len(ran.calls("loop")), len(ran.calls("tidy"))) == (3, 1)
    (second,) = ran.ending.failures  # three of `swept` more would be one too many
    assert (second.reason, ran.calls("swept")) == ("ParameterSetLimitExceeded", [{"c": 1}, {"c": 2}])


async def test_a_rerun_does_not_count_twice_what_is_stored(driver: Driver) -> None:
    await driver.open(flow(MAKE, limits=Limits(outputs=3)), seeds(A, 1))
    for worker in ("w1", "w2"):
        held = await driver.one(worker)
        for emission in range(3):
            await driver.emit(held, emission, {"b": emission})
        await driver.lose(worker)
    await driver.complete(await driver.one())
    ran = await driver.end()
    assert (ran.ending.failure, ran.ending.inputs) == (None, 4)


# -- one value --------------------------------------------------------------------------------------------------------


VALUES = [
    pytest.param(
        Limits(value_bytes=5), TEXT, "123456", "ValueTooLarge", "has more than 5 bytes, the limit value_bytes"
    ),
    pytest.param(
        Limits(value_bytes=20), DEEP, [1, 2], "ValueTooLarge", "has more than 20 bytes, the limit value_bytes"
    ),
    pytest.param(Limits(value_depth=1), DEEP, [[1]], "TooDeep", "nests deeper than 1 levels, the limit value_depth"),
]


@pytest.mark.parametrize(("limits", "definition", "value", "reason", "said"), VALUES)
async def test_a_given_value_past_a_limit_is_refused(
    driver: Driver, limits: Limits, definition: Definition, value: Any, reason: str, said: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        await driver.open(flow(operation("take", {"x": definition}), limits=limits), seeds(definition, value))
    assert (caught.value.reason, caught.value.message) == (reason, f'"{definition.name}": the value {said}')


@pytest.mark.parametrize(("limits", "definition", "value", "reason", "said"), VALUES)
async def test_an_output_past_a_limit_fails_its_operation(
    driver: Driver, limits: Limits, definition: Definition, value: Any, reason: str, said: str
) -> None:
    make = operation("make", {}, {"x": definition})
    ran = await driver.run(flow(make, limits=limits), {"make": lambda: {"x": value}}, strict=False)
    (failure,) = ran.ending.failures
    assert failure.reason == {"ValueTooLarge": "OutputTooLarge"}.get(reason, reason)
    assert (failure.instance, failure.message) == ("make", f"make.x: the value {said}")
    assert ran.ending.inputs == 0


@pytest.mark.parametrize(
    ("limits", "definition", "value"),
    [(Limits(value_bytes=5), TEXT, "12345"), (Limits(value_depth=1), DEEP, [1]), (Limits(), DEEP, [[[[]]]])],
)
async def test_a_value_at_its_limit_is_fine(driver: Driver, limits: Limits, definition: Definition, value: Any) -> None:
    make, take = operation("make", {}, {"x": definition}), operation("take", {"x": definition})
    ran = await driver.run(flow(make, take, limits=limits), {"make": lambda: {"x": value}}, seeds(definition, value))
    assert ran.calls("take") == [{"x": value}, {"x": value}]

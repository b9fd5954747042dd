"""A context that fails stops no other, says what failed it, and is cleaned up after."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from tests.orchestrator.support import MULTI, listed, outcome_of
from tidemill import (
    DataFlow,
    Definition,
    GetMulti,
    Input,
    Limits,
    MemoryOrchestrator,
    OperationException,
    OperationFailure,
    Outcome,
    Stage,
    TidemillError,
    op,
    run,
)

NUMBER, HALF, QUARTER = Definition("number", "int"), Definition("half", "int"), Definition("quarter", "int")


class Odd(Exception):
    """Raised for what cannot be halved."""


@op(name="halve", inputs={"x": NUMBER}, outputs={"y": HALF})
async def halve(x: int) -> dict[str, int]:
    if x % 2:
        raise Odd(x)
    return {"y": x // 2}


@op(name="halve_again", inputs={"x": HALF}, outputs={"y": QUARTER})
def halve_again(x: int) -> dict[str, int]:
    return {"y": x // 2}


NOSTRICT = {"get_multi": {"nostrict": ["half", "quarter"]}}
FLOW = DataFlow(halve, halve_again, GetMulti, seed=[Input(["half", "quarter"], MULTI)], configs=NOSTRICT)


def given(*numbers: int) -> list[Input]:
    return [Input(number, NUMBER) for number in numbers]


async def outcomes(strict: bool, **contexts: list[Input]) -> dict[str, Outcome]:
    async with MemoryOrchestrator() as orchestrator, orchestrator(FLOW, strict=strict) as octx:
        return {outcome.name: outcome for outcome in await listed(octx.outcomes(contexts))}


async def test_the_exception_comes_after_the_last_context_and_has_every_failure() -> None:
    found = []
    with pytest.raises(OperationException) as caught:
        async for ctx, result in run(FLOW, {"a": given(3), "b": given(4), "c": given(5), "d": given(8)}):
            found.append((str(ctx), result))
    assert dict(found) == {"b": {"half": [2], "quarter": [1]}, "d": {"half": [4], "quarter": [2]}}
    error = caught.value
    assert {(failure.context, failure.inputs["x"]) for failure in error.failures} == {("a", 3), ("c", 5)}
    assert error.failure is error.failures[0]
    assert error.__cause__ is error.failure.error
    assert isinstance(error.__cause__, Odd)
    assert (error.reason, error.path) == ("Exception", "/operations/halve")
    assert str(error) == f"halve(x={error.failure.inputs['x']}): Exception: Odd: {error.__cause__} (and 1 more failed)"


async def test_a_failure_says_which_operation_with_which_inputs_and_the_traceback() -> None:
    outcome = (await outcomes(True, ctx=given(3)))["ctx"]
    failure = outcome.failure
    assert failure is not None
    assert (failure.reason, failure.message) == ("Exception", "Odd: 3")
    assert (failure.instance, failure.operation, failure.inputs) == ("halve", "halve", {"x": 3})
    assert failure.traceback is not None
    assert "raise Odd(x)" in failure.traceback
    assert isinstance(failure.error, Odd)
    assert (outcome.result, outcome.failures) == (None, ())
    assert (outcome.inputs, outcome.parameter_sets) == (2, 1)
    assert outcome.elapsed >= 0


async def test_not_strict_the_failure_is_recorded_and_the_context_goes_on() -> None:
    outcome = (await outcomes(False, ctx=given(3, 4, 5)))["ctx"]
    assert (outcome.result, outcome.failure) == ({"half": [2], "quarter": [1]}, None)
    assert sorted(failure.inputs["x"] for failure in outcome.failures) == [3, 5]
    assert {str(ctx): result async for ctx, result in run(FLOW, {"a": given(3)}, strict=False)} == {"a": {}}


@pytest.mark.parametrize(("octx_strict", "run_strict", "fails"), [
    (True, None, True), (False, None, False), (True, False, False), (False, True, True),
])  # fmt: skip
async def test_each_run_may_say_whether_it_is_strict(octx_strict: bool, run_strict: bool | None, fails: bool) -> None:
    async with MemoryOrchestrator() as orchestrator, orchestrator(FLOW, strict=octx_strict) as octx:
        if fails:
            with pytest.raises(OperationException):
                await listed(octx.run({"a": given(3)}, strict=run_strict))
        else:
            assert len(await listed(octx.run({"a": given(3)}, strict=run_strict))) == 1


async def test_an_output_operation_that_fails_gives_nothing() -> None:
    @op(name="end", inputs={"x": NUMBER}, outputs={}, stage=Stage.OUTPUT)
    async def end(x: int) -> None:
        raise Odd(x)

    flow = DataFlow(end, GetMulti, seed=[Input(["number"], MULTI)])
    outcome = await outcome_of(flow, *given(1), strict=False)
    assert outcome.result == {"get_multi": {"number": [1]}}
    assert [failure.instance for failure in outcome.failures] == ["end"]
    outcome = await outcome_of(flow, *given(1))
    assert (outcome.result, outcome.failure and outcome.failure.instance) == (None, "end")


async def test_what_follows_a_failure_is_dropped_and_cleanup_runs() -> None:
    cleaned, followed = [], []

    @op(name="follow", inputs={"x": HALF}, outputs={})
    async def follow(x: int) -> None:
        followed.append(x)

    @op(name="clean", inputs={"x": NUMBER}, outputs={}, stage=Stage.CLEANUP)
    async def clean(x: int) -> None:
        cleaned.append(x)

    outcome = await outcome_of(DataFlow(halve, follow, clean), *given(3, 2, 4), workers=1)
    assert outcome.failure is not None
    assert (cleaned, followed) == ([3, 2, 4], [])


async def test_a_cleanup_operation_that_fails_fails_its_context_unless_not_strict() -> None:
    @op(name="clean", inputs={"x": NUMBER}, outputs={}, stage=Stage.CLEANUP)
    async def clean(x: int) -> None:
        raise Odd(x)

    flow = DataFlow(clean, GetMulti, seed=[Input(["number"], MULTI)])
    outcome = await outcome_of(flow, *given(1))
    assert (outcome.result, outcome.failure and outcome.failure.instance) == (None, "clean")
    outcome = await outcome_of(flow, *given(1), strict=False)
    assert (outcome.result, [failure.instance for failure in outcome.failures]) == ({"number": [1]}, ["clean"])


@pytest.mark.parametrize(("limits", "reason"), [
    (Limits(parameter_sets=2), "ParameterSetLimitExceeded"), (Limits(inputs=4), "InputLimitExceeded"),
])  # fmt: skip
async def test_a_context_past_a_limit_fails_and_no_other_does(limits: Limits, reason: str) -> None:
    flow = DataFlow(halve, limits=limits)
    async with MemoryOrchestrator() as orchestrator, orchestrator(flow) as octx:
        found = await listed(octx.outcomes({"a": given(2, 4, 6), "b": given(2)}))
        again = [outcome.failure.reason if outcome.failure else "" for outcome in found]
    assert sorted(zip([outcome.name for outcome in found], again, strict=True)) == [("a", reason), ("b", "")]


async def test_an_operation_that_raises_an_error_of_the_project_keeps_its_reason() -> None:
    @op(name="refuse", inputs={"x": NUMBER}, outputs={})
    async def refuse(x: int) -> None:
        raise TidemillError("not this one", reason="NotThisOne")

    outcome = await outcome_of(DataFlow(refuse), *given(1))
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.message) == ("NotThisOne", "not this one")


@pytest.mark.parametrize("raised", [SystemExit(3), KeyboardInterrupt(), GeneratorExit()])
async def test_an_operation_that_wants_to_end_the_program_only_fails(raised: BaseException) -> None:
    @op(name="leave", inputs={"x": NUMBER}, outputs={})
    async def leave(x: int) -> None:
        raise raised

    outcome = await outcome_of(DataFlow(leave), *given(1))
    assert outcome.failure is not None
    assert (outcome.failure.reason, outcome.failure.error) == ("Exit", raised)


def test_an_exception_with_one_failure_says_no_more() -> None:
    failure = OperationFailure("Timeout", "too slow", "fetch", "m:fetch", {"url": "u"})
    error = OperationException([failure])
    assert str(error) == "fetch(url='u'): Timeout: too slow"
    assert (error.__cause__, error.reason) == (None, "Timeout")
    assert str(OperationException([OperationFailure("InputLimitExceeded", "too many")])) == (
        "InputLimitExceeded: too many"
    )


async def test_values_that_become_a_spec_do_so_once_on_their_way() -> None:
    class Repo(NamedTuple):
        url: str

    repos = Definition("repos", "array", spec=Repo, subspec=True)
    seen: list[Any] = []

    @op(name="look", inputs={"repos": repos}, outputs={})
    async def look(repos: list[Repo]) -> None:
        seen.extend(repos)

    assert (await outcome_of(DataFlow(look), Input([{"url": "u"}, Repo("v")], repos))).failure is None
    assert seen == [Repo("u"), Repo("v")]

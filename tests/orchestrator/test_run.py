"""A data flow is run in every style of call, and results come as contexts end."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.orchestrator.support import MULTI, listed, streamed
from tidemill import (
    BaseInputSetContext,
    DataFlow,
    Definition,
    DuplicateContext,
    GetMulti,
    Input,
    InvalidFlow,
    InvalidInput,
    MemoryInputSet,
    MemoryInputSetConfig,
    MemoryOrchestrator,
    OperationException,
    Outcome,
    StringInputSetContext,
    noasync,
    op,
    run,
)

NUMBER, DOUBLED, WORD = Definition("number", "int"), Definition("doubled", "int"), Definition("word")


@op(name="double", inputs={"x": NUMBER}, outputs={"y": DOUBLED})
async def double(x: int) -> dict[str, int]:
    if x < 0:
        raise ValueError(f"{x} is below zero")
    return {"y": 2 * x}


FLOW = DataFlow(double, GetMulti, seed=[Input(["doubled"], MULTI)], configs={"get_multi": {"nostrict": ["doubled"]}})


def given(*numbers: int) -> list[Input]:
    return [Input(number, NUMBER) for number in numbers]


def doubled(*numbers: int) -> dict[str, Any]:
    return {"doubled": [2 * number for number in numbers]}


class Mine(BaseInputSetContext):
    def __init__(self, name: str) -> None:
        self.name = name

    def __str__(self) -> str:
        return self.name


def pairs(*names: str) -> Iterator[tuple[Any, list[Input]]]:
    return ((name, given(at)) for at, name in enumerate(names))


def input_set(name: str, *numbers: int) -> MemoryInputSet:
    return MemoryInputSet(MemoryInputSetConfig(ctx=Mine(name), inputs=given(*numbers)))


STYLES: list[Any] = [
    lambda: [{"a": given(0), "b": given(1)}],
    lambda: [{"a": given(0)}, {"b": given(1)}],
    lambda: [{Mine("a"): given(0), StringInputSetContext("b"): given(1)}],
    lambda: [input_set("a", 0), input_set("b", 1)],
    lambda: [input_set("a", 0), {"b": given(1)}],
    lambda: [pairs("a", "b")],
    lambda: [iter([input_set("a", 0), ("b", given(1))])],
    lambda: [streamed(("a", given(0)), (Mine("b"), tuple(given(1))))],
    lambda: [streamed(input_set("a", 0)), {"b": iter(given(1))}],
]


@pytest.mark.parametrize("sets", STYLES)
async def test_contexts_are_given_in_any_spelling(sets: Any) -> None:
    expected = {"a": doubled(0), "b": doubled(1)}
    assert {str(ctx): result async for ctx, result in run(FLOW, *sets())} == expected
    assert {str(ctx): result async for ctx, result in MemoryOrchestrator.run(FLOW, *sets())} == expected
    async with MemoryOrchestrator.withconfig({}) as orchestrator, orchestrator(FLOW) as octx:
        assert {str(ctx): result async for ctx, result in octx.run(*sets())} == expected


@pytest.mark.parametrize("sets", [sets for at, sets in enumerate(STYLES) if at not in (7, 8)])
def test_without_an_event_loop_it_is_the_same(sets: Any) -> None:
    assert {str(ctx): result for ctx, result in noasync.run(FLOW, *sets())} == {"a": doubled(0), "b": doubled(1)}


async def test_each_list_is_a_context_of_its_own() -> None:
    found = await listed(run(FLOW, given(1, 2), given(3)))
    assert sorted(result["doubled"] for _, result in found) == [[2, 4], [6]]
    assert len({str(ctx) for ctx, _ in found}) == 2


@pytest.mark.parametrize("ctx", ["mine", Mine("mine")])
async def test_lists_go_into_one_context_where_that_is_named(ctx: Any) -> None:
    ((found, result),) = await listed(run(FLOW, given(1, 2), given(3), ctx=ctx))
    assert (str(found), result) == ("mine", doubled(1, 2, 3))


async def test_nothing_is_one_context_with_the_seeds() -> None:
    flow = DataFlow(double, GetMulti, seed=[Input(["doubled"], MULTI), *given(4)])
    ((ctx, result),) = await listed(run(flow))
    assert result == doubled(4)
    assert str(ctx)
    ((ctx, result),) = await listed(run(flow, ctx="mine"))
    assert (str(ctx), result) == ("mine", doubled(4))


class Listing:
    """An async iterable that is no generator."""

    def __init__(self) -> None:
        self.left = ["b", "a"]

    def __aiter__(self) -> Listing:
        return self

    async def __anext__(self) -> tuple[str, list[Input]]:
        if not self.left:
            raise StopAsyncIteration
        return self.left.pop(), given(1)


async def test_any_async_iterable_will_do() -> None:
    assert [str(ctx) for ctx, _ in await listed(run(FLOW, Listing(), max_ctxs=1))] == ["a", "b"]


@pytest.mark.parametrize("empty", [{}, iter([])])
async def test_no_contexts_have_no_results(empty: Any) -> None:
    assert await listed(run(FLOW, empty)) == []


async def test_a_context_comes_back_as_the_object_that_was_given() -> None:
    mine = Mine("a")
    ((ctx, _),) = await listed(run(FLOW, {mine: given(1)}))
    assert ctx is mine
    assert (await ctx.handle()).as_string() == "a"


WRONG: list[tuple[Any, str]] = [
    (3, "3 is no input set; expected {context: [Input, …]}"),
    ("abc", "'abc' is no input set"),
    ([3], "a list of inputs holds Input objects, not 3"),
    ({3: []}, "a context is named by a string or a BaseInputSetContext, not 3"),
    ({"a": [3]}, "3 is no Input"),
    (iter([3]), "3 is no (context, [Input, …])"),
    (iter([("a", [3])]), "a list of inputs holds Input objects, not 3"),
    ({"a": [Input("3", NUMBER)]}, "\"number\": expected int, got str '3'"),
]


@pytest.mark.parametrize(("wrong", "said"), WRONG)
async def test_anything_else_is_refused(wrong: Any, said: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        await listed(run(FLOW, wrong))
    assert said in caught.value.message


async def test_a_data_flow_that_is_wrong_is_refused_before_anything_is_opened() -> None:
    asked: list[int] = []

    def contexts() -> Iterator[tuple[str, list[Input]]]:
        asked.append(1)
        yield "a", []

    with pytest.raises(InvalidFlow):
        await listed(run(DataFlow(), contexts()))
    assert asked == []


# -- as contexts end ------------------------------------------------------------------------------------------------


def waiting_for(events: dict[str, asyncio.Event], began: asyncio.Event | None = None) -> DataFlow:
    """Return a data flow whose contexts wait for what is called as the word that they are given."""

    @op(name="wait", inputs={"word": WORD}, outputs={})
    async def wait(word: str) -> None:
        if began is not None:
            began.set()
        await events[word].wait()

    return DataFlow(wait)


async def test_results_come_as_contexts_end() -> None:
    events = {name: asyncio.Event() for name in "abc"}
    order = []
    events["c"].set()
    async for ctx, _ in run(waiting_for(events), {name: [Input(name, WORD)] for name in "abc"}):
        order.append(str(ctx))
        events[{"c": "b", "b": "a", "a": "a"}[str(ctx)]].set()
    assert order == ["c", "b", "a"]


async def test_a_stream_is_read_while_contexts_run() -> None:
    events = {name: asyncio.Event() for name in "ab"}

    async def contexts() -> AsyncIterator[tuple[str, list[Input]]]:
        yield "a", [Input("a", WORD)]
        await events["b"].wait()  # is set only when "a" has ended
        yield "b", [Input("b", WORD)]

    events["a"].set()
    order = []
    async for ctx, _ in run(waiting_for(events), contexts()):
        order.append(str(ctx))
        events["b"].set()
    assert order == ["a", "b"]


async def test_what_a_stream_raises_is_raised_when_what_was_open_is_gone() -> None:
    events = {"a": asyncio.Event()}

    def contexts() -> Iterator[tuple[str, list[Input]]]:
        yield "a", [Input("a", WORD)]
        raise OSError("no more")

    async with MemoryOrchestrator() as orchestrator, orchestrator(waiting_for(events)) as octx:
        with pytest.raises(OSError, match="no more"):
            await listed(octx.run(contexts()))
        assert octx.progress().contexts == {"open": 0, "succeeded": 0, "failed": 1}


def test_the_loop_stands_still_between_results_and_is_closed_early() -> None:
    results = noasync.run(FLOW, pairs("a", "b", "c"), max_ctxs=1)
    with contextlib.closing(results):
        ctx, result = next(results)
        assert (str(ctx), result) == ("a", doubled(0))
    assert list(results) == []


def test_failures_are_raised_without_an_event_loop_too() -> None:
    with pytest.raises(OperationException, match="-1 is below zero"):
        list(noasync.run(FLOW, {"a": given(-1)}))


async def test_two_runs_at_once_share_nothing_but_the_implementations() -> None:
    async with MemoryOrchestrator() as orchestrator, orchestrator(FLOW) as octx:
        found = await asyncio.gather(
            listed(octx.run({f"a{at}": given(at) for at in range(50)})),
            listed(octx.run({f"b{at}": given(at) for at in range(50)})),
        )
        assert octx.progress().contexts == {"open": 0, "succeeded": 100, "failed": 0}
    for name, results in zip("ab", found, strict=True):
        assert {str(ctx): result for ctx, result in results} == {f"{name}{at}": doubled(at) for at in range(50)}


async def test_a_failure_in_one_run_is_none_of_the_other() -> None:
    async with MemoryOrchestrator() as orchestrator, orchestrator(FLOW) as octx:
        bad = asyncio.create_task(listed(octx.run({"a": given(-1)})))
        good = await listed(octx.run({"b": given(1)}))
        with pytest.raises(OperationException):
            await bad
    assert [result for _, result in good] == [doubled(1)]


async def test_a_name_may_be_used_again_when_its_context_has_ended() -> None:
    async with MemoryOrchestrator() as orchestrator, orchestrator(FLOW) as octx:
        first, second = [await listed(octx.run({"a": given(at)})) for at in (1, 2)]
    assert [result for _, result in first + second] == [doubled(1), doubled(2)]


async def test_two_contexts_of_one_name_are_refused_and_what_was_open_is_gone() -> None:
    events = {"a": asyncio.Event()}
    same = input_set("a"), MemoryInputSet(MemoryInputSetConfig(ctx=StringInputSetContext("a")))
    for one in same:
        one.config.inputs.append(Input("a", WORD))
    async with MemoryOrchestrator() as orchestrator, orchestrator(waiting_for(events)) as octx:
        with pytest.raises(DuplicateContext, match='there is a context "a" already'):
            await listed(octx.run(*same))
        assert octx.progress().contexts == {"open": 0, "succeeded": 0, "failed": 1}
        events["a"].set()
        assert [str(ctx) for ctx, _ in await listed(octx.run(same[0]))] == ["a"]


async def test_a_run_does_not_take_the_context_of_another() -> None:
    events = {"a": asyncio.Event()}
    mine, other, began = Mine("a"), Mine("a"), asyncio.Event()
    async with MemoryOrchestrator() as orchestrator, orchestrator(waiting_for(events, began)) as octx:
        first = asyncio.create_task(listed(octx.outcomes({mine: [Input("a", WORD)]})))
        await began.wait()
        with pytest.raises(DuplicateContext):
            await listed(octx.outcomes({other: [Input("a", WORD)]}))
        events["a"].set()
        outcomes: list[Outcome] = await first
    assert [(outcome.ctx, outcome.result) for outcome in outcomes] == [(mine, {})]

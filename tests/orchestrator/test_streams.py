"""Runs longer than memory, and runs that are left early: open contexts are bounded, and nothing stays behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
import weakref
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from tests.orchestrator.support import MULTI, listed
from tidemill import (
    ContextClosed,
    ContextLimitExceeded,
    DataFlow,
    Definition,
    GetMulti,
    Input,
    Limits,
    MemoryOrchestrator,
    OperationException,
    Stage,
    StringInputSetContext,
    noasync,
    op,
    run,
)

THING, COUNT, WORD = Definition("thing", "object"), Definition("count", "int"), Definition("word", "str")
MANY = 20_000


class Thing:
    """A value that can be seen to be gone."""

    alive: weakref.WeakSet[Thing] = weakref.WeakSet()

    def __init__(self) -> None:
        Thing.alive.add(self)


@op(name="count_alive", inputs={"thing": THING}, outputs={"count": COUNT})
async def count_alive(thing: Thing) -> dict[str, int]:
    await asyncio.sleep(0)
    return {"count": len(Thing.alive)}


STREAM = DataFlow(count_alive, GetMulti, seed=[Input(["count"], MULTI)])


def things(count: int) -> Iterator[tuple[str, list[Input]]]:
    return ((str(at), [Input(Thing(), THING)]) for at in range(count))


async def things_async(count: int) -> AsyncIterator[tuple[str, list[Input]]]:
    for name, inputs in things(count):
        await asyncio.sleep(0)
        yield name, inputs


@pytest.mark.parametrize("stream", [things, things_async])
async def test_many_contexts_are_streamed_with_few_of_them_alive(stream: Any) -> None:
    most = ended = 0
    async with MemoryOrchestrator(max_ctxs=20) as orchestrator, orchestrator(STREAM) as octx:
        async for _, result in octx.run(stream(MANY)):
            ended += 1
            most = max(most, *result["count"])
        assert octx.progress().contexts == {"open": 0, "succeeded": MANY, "failed": 0}
    assert ended == MANY
    assert most <= 50  # open, ended and not yet read, and the next


async def test_the_default_is_bounded_too_and_nothing_is_left_when_it_has_ended() -> None:
    gc.collect()
    before = len(gc.get_objects())
    most = 0
    async with MemoryOrchestrator() as orchestrator, orchestrator(STREAM) as octx:
        async for _, result in octx.run(things(MANY)):
            most = max(most, *result["count"])
    del result
    assert most < MANY / 2
    assert len(Thing.alive) == 0
    gc.collect()
    assert len(gc.get_objects()) - before < MANY


async def gone(contexts: weakref.WeakSet[Any]) -> None:
    """Wait until all are. The watch over the loop lets go of a call that it has seen at its next look, no sooner."""
    deadline = time.monotonic() + 60
    while contexts or Thing.alive:
        assert time.monotonic() < deadline, f"{len(contexts)} contexts and {len(Thing.alive)} values are kept"
        await asyncio.sleep(0.01)


async def test_a_context_is_freed_without_the_garbage_collector() -> None:
    gc.disable()
    try:
        contexts: weakref.WeakSet[StringInputSetContext] = weakref.WeakSet()

        def stream() -> Iterator[tuple[Any, list[Input]]]:
            for at in range(200):
                ctx = StringInputSetContext(str(at))
                contexts.add(ctx)
                yield ctx, [Input(Thing(), THING)]

        async with MemoryOrchestrator(max_ctxs=5) as orchestrator, orchestrator(STREAM) as octx:
            async for pair in octx.run(stream()):
                assert len(contexts) <= 15
                assert pair[1]["count"][0] <= 15
            del pair
            await gone(contexts)
    finally:
        gc.enable()


@pytest.mark.parametrize("most", [1, 2, 3, 7])
async def test_no_more_than_max_ctxs_are_open(most: int) -> None:
    opened: list[int] = []
    async with MemoryOrchestrator(max_ctxs=most) as orchestrator:

        @op(name="look", inputs={"word": WORD}, outputs={})
        async def look(word: str) -> None:
            await asyncio.sleep(0)
            opened.append(octx.progress().contexts["open"])

        async with orchestrator(DataFlow(look)) as octx:
            for count in (most, 3 * most):  # as many contexts as may be open, then more
                assert len(await listed(octx.run({str(at): [Input("", WORD)] for at in range(count)}))) == count
    assert max(opened) == most


async def test_a_run_may_be_given_so_many_contexts_and_no_more() -> None:
    flow = DataFlow(count_alive, limits=Limits(contexts=3))
    assert len(await listed(run(flow, things(3)))) == 3
    with pytest.raises(ContextLimitExceeded, match="more than 3 contexts"):
        await listed(run(flow, things(4)))


# -- left early -----------------------------------------------------------------------------------------------------


class Waiting:
    """A data flow whose operations wait for ``go``, and what has been seen of it."""

    def __init__(self) -> None:
        self.began, self.go = asyncio.Event(), asyncio.Event()
        self.started: list[str] = []
        self.cancelled: list[str] = []
        self.cleaned: list[str] = []

        @op(name="wait", inputs={"word": WORD}, outputs={})
        async def wait(word: str) -> None:
            self.started.append(word)
            if word == "quick":
                return
            self.began.set()
            try:
                await self.go.wait()
            except asyncio.CancelledError:
                self.cancelled.append(word)
                raise

        @op(name="clean", inputs={"word": WORD}, outputs={}, stage=Stage.CLEANUP)
        async def clean(word: str) -> None:
            await asyncio.sleep(0)
            self.cleaned.append(word)

        self.flow = DataFlow(wait, clean)

    def contexts(self, *words: str) -> dict[str, list[Input]]:
        return {word: [Input(word, WORD)] for word in words}


async def test_leaving_the_iteration_cancels_what_is_open_and_cleans_up_after_it() -> None:
    waiting = Waiting()
    async with MemoryOrchestrator() as orchestrator, orchestrator(waiting.flow) as octx:
        async with contextlib.aclosing(octx.run(waiting.contexts("quick", "a", "b"))) as results:
            async for ctx, _ in results:
                assert str(ctx) == "quick"
                await waiting.began.wait()
                break
        assert sorted(waiting.cancelled) == ["a", "b"]
        assert sorted(waiting.cleaned) == ["a", "b", "quick"]
        assert octx.progress().contexts == {"open": 0, "succeeded": 1, "failed": 2}
        waiting.go.set()
        assert len(await listed(octx.run(waiting.contexts("a")))) == 1  # the rest goes on as before


async def test_an_exception_of_the_consumer_is_the_one_that_comes_out() -> None:
    waiting = Waiting()
    with pytest.raises(LookupError, match="of the consumer"):
        async with contextlib.aclosing(run(waiting.flow, waiting.contexts("quick", "a"))) as results:
            async for _ in results:
                raise LookupError("of the consumer")
    assert sorted(waiting.cleaned) == ["a", "quick"]


async def test_cancelling_the_task_cleans_up_and_lets_go() -> None:
    waiting = Waiting()
    task = asyncio.create_task(listed(run(waiting.flow, waiting.contexts("a", "b"))))
    await waiting.began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert sorted(waiting.cleaned) == ["a", "b"]
    assert sorted(waiting.cancelled) == sorted(waiting.started)


async def test_a_stream_that_waits_is_closed_when_the_run_is_left() -> None:
    waiting, closed = Waiting(), asyncio.Event()

    async def contexts() -> AsyncIterator[tuple[str, list[Input]]]:
        try:
            yield "quick", [Input("quick", WORD)]
            await waiting.go.wait()
        finally:
            closed.set()

    async with contextlib.aclosing(run(waiting.flow, contexts())) as results:
        assert str((await anext(results))[0]) == "quick"
    assert closed.is_set()


def test_leaving_a_run_without_an_event_loop_cleans_up_too() -> None:
    cleaned: list[int] = []

    @op(name="clean", inputs={"count": COUNT}, outputs={}, stage=Stage.CLEANUP)
    def clean(count: int) -> None:
        cleaned.append(count)

    with contextlib.closing(noasync.run(DataFlow(clean), {str(at): [Input(at, COUNT)] for at in range(3)})) as results:
        next(results)
    assert sorted(cleaned) == [0, 1, 2]


async def test_leaving_the_orchestrator_drops_what_nobody_waits_for() -> None:
    waiting = Waiting()
    async with MemoryOrchestrator() as orchestrator, orchestrator(waiting.flow) as octx:
        results = octx.outcomes(waiting.contexts("a"))
        first = asyncio.ensure_future(anext(results))
        await waiting.began.wait()
    with pytest.raises(ContextClosed, match="has been left"):
        await first
    with pytest.raises(ContextClosed, match="has been left"):
        await listed(octx.outcomes(waiting.contexts("b")))
    assert waiting.started == waiting.cancelled == ["a"]


# -- halted ---------------------------------------------------------------------------------------------------------


async def test_halting_cancels_what_is_open_and_opens_no_more() -> None:
    waiting, halt = Waiting(), asyncio.Event()
    task = asyncio.create_task(listed(run(waiting.flow, waiting.contexts(*"abcdef"), halt=halt, max_ctxs=2)))
    await waiting.began.wait()
    halt.set()
    with pytest.raises(OperationException) as caught:
        await task
    assert {failure.reason for failure in caught.value.failures} == {"Cancelled"}
    assert sorted(waiting.cleaned) == sorted(waiting.started)
    assert len(waiting.started) <= 2


async def test_halting_before_it_begins_opens_nothing() -> None:
    waiting, halt = Waiting(), asyncio.Event()
    halt.set()
    assert await listed(run(waiting.flow, waiting.contexts("a"), halt=halt)) == []
    assert waiting.started == []


async def test_halting_a_stream_that_waits_ends_the_run() -> None:
    waiting, halt = Waiting(), asyncio.Event()

    async def contexts() -> AsyncIterator[tuple[str, list[Input]]]:
        yield "quick", [Input("quick", WORD)]
        await waiting.go.wait()

    ended = []
    async for ctx, _ in run(waiting.flow, contexts(), halt=halt):
        ended.append(str(ctx))
        halt.set()
    assert ended == waiting.cleaned == ["quick"]

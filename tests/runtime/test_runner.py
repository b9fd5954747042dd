"""The worker inside this process: how many operations it runs at once, in which tasks, and how it ends."""

import asyncio
import contextlib
import itertools
import threading
from collections.abc import AsyncIterator, Sequence
from typing import Any

import pytest

from tests.runtime.beside import DEADLINE, GO, NOTED
from tidemill import DataFlow, Definition, Input, InputFlow, Limits, op
from tidemill.backends.memory.backend import MemoryBackend
from tidemill.networks.backend import Ending
from tidemill.plan.plan import Plan
from tidemill.runtime.prepare import Implementations
from tidemill.runtime.runner import SLOTS, Runner

NUMBER = Definition("number", "int")


class World:
    """A backend, a runner on it, and a data flow that it runs."""

    def __init__(self, backend: MemoryBackend, plan: Plan, runner: Runner) -> None:
        self.backend, self.plan, self.runner = backend, plan, runner
        self.starved = asyncio.Event()

    async def ends(self, inputs: Sequence[Input], name: str = "ctx", strict: bool = True) -> Ending:
        """Open a context and return its ending."""
        await self.backend.open(name, self.plan, inputs, strict=strict)
        return await self.backend.ending(name)


@contextlib.asynccontextmanager
async def world(flow: DataFlow, slots: int | None = None) -> AsyncIterator[World]:
    backend = MemoryBackend()
    async with asyncio.timeout(DEADLINE), Implementations() as implementations:
        plan = await implementations.enter(flow)
        runner = Runner(backend, implementations, {}, slots=slots, starving=lambda: made.starved.set())
        made = World(backend, plan, runner)
        backend.implementations.cancel = runner.cancel
        async with runner:
            yield made


def _going(count: int) -> list[Input]:
    return [Input(number, GO) for number in range(count)]


# -- slots ------------------------------------------------------------------------------------------------------------


async def test_operations_that_never_wait_share_one_task() -> None:
    tasks = set()

    @op(inputs={"go": GO}, outputs={}, name="quick")
    async def quick(go: Any) -> None:
        tasks.add(asyncio.current_task())

    async with world(DataFlow(quick)) as made:
        assert (await made.ends(_going(200))).failure is None
    assert len(tasks) == 1


async def test_tasks_are_used_again_by_operations_that_wait() -> None:
    tasks = []

    @op(inputs={"go": GO}, outputs={}, name="waiting")
    async def waiting(go: Any) -> None:
        tasks.append(asyncio.current_task())
        await asyncio.sleep(0)

    async with world(DataFlow(waiting), slots=4) as made:
        assert (await made.ends(_going(100))).failure is None
    assert len(tasks) == 100
    assert len(set(tasks)) <= 4


async def test_many_operations_wait_at_once() -> None:
    began, all_began, release = 0, asyncio.Event(), asyncio.Event()

    @op(inputs={"go": GO}, outputs={}, name="waiting")
    async def waiting(go: Any) -> None:
        nonlocal began
        began += 1
        if began == SLOTS:
            all_began.set()
        await release.wait()

    async with world(DataFlow(waiting)) as made:
        ending = asyncio.create_task(made.ends(_going(SLOTS + 10)))
        await all_began.wait()
        assert not ending.done()
        release.set()
        assert (await ending).failure is None
    assert began == SLOTS + 10


@pytest.mark.parametrize("slots", [1, 3])
async def test_no_more_operations_run_at_once_than_there_are_slots(slots: int) -> None:
    now, most = 0, 0

    @op(inputs={"go": GO}, outputs={}, name="waiting")
    async def waiting(go: Any) -> None:
        nonlocal now, most
        now += 1
        most = max(most, now)
        for _ in range(10):
            await asyncio.sleep(0)
        now -= 1

    async with world(DataFlow(waiting), slots=slots) as made:
        assert (await made.ends(_going(20))).failure is None
    assert most == slots


async def test_a_runner_that_rests_is_woken_by_new_inputs() -> None:
    seen: list[Any] = []

    @op(inputs={"go": GO}, outputs={}, name="seeing")
    async def seeing(go: Any) -> None:
        seen.append(go)

    async with world(DataFlow(seeing)) as made:
        await made.backend.open("ctx", made.plan, [Input(1, GO)], hold=True)
        for number in (2, 3):
            made.starved.clear()
            await made.starved.wait()
            await made.backend.add("ctx", [Input(number, GO)])
        await made.backend.close("ctx")
        assert (await made.backend.ending("ctx")).failure is None
    assert seen == [1, 2, 3]


async def test_who_feeds_the_runner_is_told_when_it_starves() -> None:
    @op(inputs={"go": GO}, outputs={}, name="quick")
    async def quick(go: Any) -> None:
        assert not made.starved.is_set()

    async with world(DataFlow(quick)) as made:
        await made.ends(_going(3))
        await made.starved.wait()


# -- fairness ---------------------------------------------------------------------------------------------------------


class Stop:
    """Is said by a task that needs some turns of the loop for it."""

    def __init__(self) -> None:
        self.said = False
        self.task = asyncio.create_task(self._say())

    async def _say(self) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
        self.said = True


async def test_operations_that_never_wait_let_others_have_the_loop() -> None:
    stop = Stop()

    @op(inputs={"number": NUMBER}, outputs={"number": NUMBER}, name="endless")
    async def endless(number: int) -> dict[str, int] | None:
        return None if stop.said else {"number": number + 1}

    turns = {"endless": InputFlow(inputs={"number": ["seed", {"endless": "number"}]})}
    flow = DataFlow(endless, flow=turns, limits=Limits(parameter_sets=10_000))
    async with world(flow) as made:
        ending = await made.ends([Input(0, NUMBER)])
    assert ending.failure is None
    assert ending.parameter_sets > 1


async def test_a_generator_that_never_waits_lets_others_have_the_loop() -> None:
    stop = Stop()

    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="endless")
    async def endless(go: Any) -> Any:
        for number in itertools.takewhile(lambda number: not stop.said, itertools.count()):
            yield {"noted": number}

    async with world(DataFlow(endless, limits=Limits(outputs=10_000))) as made:
        assert (await made.ends([Input(1, GO)])).failure is None


async def test_contexts_take_turns() -> None:
    order: list[str] = []

    @op(inputs={"go": GO}, outputs={}, name="turn")
    async def turn(go: Any) -> None:
        order.append(go)
        await asyncio.sleep(0)

    async with world(DataFlow(turn), slots=1) as made:
        await made.backend.open("a", made.plan, [Input("a", GO)] * 3)
        await made.backend.open("b", made.plan, [Input("b", GO)])
        await made.backend.ending("a")
        await made.backend.ending("b")
    assert order == ["a", "a", "a", "b"]


# -- cancelling -------------------------------------------------------------------------------------------------------


async def test_what_runs_in_a_context_that_fails_is_cancelled() -> None:
    waits, cancelled = asyncio.Event(), asyncio.Event()

    @op(inputs={"go": GO}, outputs={}, name="waiting")
    async def waiting(go: Any) -> None:
        if go == "wait":
            waits.set()
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                raise
        await waits.wait()
        raise LookupError("on purpose")

    async with world(DataFlow(waiting)) as made:
        ending = await made.ends([Input("wait", GO), Input("raise", GO)])
        assert (await made.ends([Input("raise", GO)], "next")).failure is not None
    assert ending.failure is not None
    assert ending.failure.message == "LookupError: on purpose"
    assert cancelled.is_set()


async def test_an_operation_that_keeps_its_cancellation_to_itself_disturbs_nobody() -> None:
    waits = asyncio.Event()

    @op(inputs={"go": GO}, outputs={}, name="waiting")
    async def waiting(go: Any) -> None:
        if go == "wait":
            waits.set()
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
            return
        await waits.wait()
        if go == "raise":
            raise LookupError("on purpose")
        await asyncio.sleep(0)

    async with world(DataFlow(waiting)) as made:
        assert (await made.ends([Input("wait", GO), Input("raise", GO)])).failure is not None
        assert (await made.ends([Input("fine", GO)] * 20, "next")).failure is None


async def test_a_thread_in_a_context_that_fails_runs_to_its_end() -> None:
    taken, released = threading.Event(), threading.Event()
    ended: list[str] = []

    @op(inputs={"go": GO}, outputs={}, name="blocking")
    def blocking(go: Any) -> None:
        taken.set()
        assert released.wait(DEADLINE)
        ended.append(go)

    async with world(DataFlow(blocking)) as made:
        await made.backend.open("ctx", made.plan, [Input("go", GO)])
        await asyncio.get_running_loop().run_in_executor(None, taken.wait, DEADLINE)
        await made.backend.cancel("ctx")
        released.set()
        ending = await made.backend.ending("ctx")
    assert ending.failure is not None
    assert ending.failure.reason == "Cancelled"
    assert ended == ["go"]


# -- the end ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("keeps_it", [False, True])
async def test_a_runner_that_is_left_cancels_what_runs(caplog: pytest.LogCaptureFixture, keeps_it: bool) -> None:
    began, events = asyncio.Event(), []

    @op(inputs={"go": GO}, outputs={}, name="waiting")
    async def waiting(go: Any) -> None:
        began.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            events.append("cancelled")
            if not keeps_it:
                raise

    async with world(DataFlow(waiting)) as made:
        await made.backend.open("ctx", made.plan, [Input(1, GO)])
        await began.wait()
    assert events == ["cancelled"]
    assert "given up" not in caplog.text


async def test_a_runner_that_never_ran_anything_can_be_left() -> None:
    @op(inputs={"go": GO}, outputs={}, name="unused")
    async def unused(go: Any) -> None:
        raise AssertionError("never called")

    async with world(DataFlow(unused)) as made:
        assert made.runner.blocked == {}


def test_a_runner_that_was_not_entered_has_seen_nobody_block() -> None:
    assert Runner(MemoryBackend(), Implementations(), {}).blocked == {}


async def test_an_error_of_the_backend_is_told_and_not_swallowed(monkeypatch: pytest.MonkeyPatch) -> None:
    told: asyncio.Future[BaseException] = asyncio.get_running_loop().create_future()
    error = RuntimeError("the backend is broken")

    @op(inputs={"go": GO}, outputs={}, name="quick")
    async def quick(go: Any) -> None:
        return None

    async with world(DataFlow(quick)) as made:
        made.runner.crashed = told.set_result
        lease = made.backend.implementations.lease

        def broken(worker: str, want: int) -> Any:
            if made.backend.implementations.held_by(worker) or lease(worker, want):
                raise error
            return []

        monkeypatch.setattr(made.backend.implementations, "lease", broken)
        await made.backend.open("ctx", made.plan, [Input(1, GO)])
        assert await told is error

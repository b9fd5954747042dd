"""Calls: what a parameter set's operation is called with, and which report becomes of it."""

import asyncio
import contextlib
import multiprocessing
import threading
import time
from collections.abc import Callable, Generator
from typing import Any

import pytest

from tests.runtime.beside import DEADLINE, GO, NOTED, NUMBER, failure_of, outcomes
from tests.runtime.in_processes import hold
from tidemill import DataFlow, Definition, GetMulti, Input, MemoryOrchestrator, OperationImplementationContext, op
from tidemill.runtime import calls, processes
from tidemill.runtime.calls import EMISSIONS_A_TURN
from tidemill.runtime.watch import BLOCKED_AFTER

MULTI = GetMulti.op.inputs["spec"]
LIMIT = 0.2
ENOUGH = 3.0
"""Seconds for what takes milliseconds, also where the whole process gets no turn for a while."""


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="sending", executor="process")
def sending(go: Any) -> dict[str, Any]:
    return {"noted": go}


@op(inputs={"go": GO}, outputs={}, name="holding", executor="subprocess")
def holding(go: str) -> None:
    hold(go)


@op(inputs={"go": GO}, name="bare", executor="process", outputs={"noted": NOTED}, multi_output=False)
async def bare_in_process(go: int) -> Any:
    for number in range(go):
        yield number


async def _noted(operation: Any, *inputs: Input) -> list[Any]:
    """Return what an operation gives for these inputs, in canonical order."""
    (ended,) = await outcomes(DataFlow(operation, GetMulti, seed=[Input(["noted"], MULTI)]), list(inputs))
    assert ended.failure is None, str(ended.failure)
    assert ended.result is not None
    found: list[Any] = ended.result["noted"]
    return found


# -- what is given and taken ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["loop", "thread"])
@pytest.mark.parametrize("timeout_", [None, DEADLINE])
async def test_parameters_are_given_by_name(executor: str, timeout_: float | None) -> None:
    @op(inputs={"number": NUMBER, "go": GO}, outputs={"noted": NOTED}, name="named", executor=executor,
        timeout=timeout_)  # fmt: skip
    def named(go: str, number: int) -> dict[str, Any]:
        return {"noted": (go, number)}

    assert await _noted(named, Input("a", GO), Input(1, NUMBER)) == [("a", 1)]


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_a_bare_value_is_the_one_output_and_none_gives_nothing(executor: str) -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="bare", multi_output=False, executor=executor)
    def bare(go: int) -> int | None:
        return go or None

    assert await _noted(bare, Input(1, GO), Input(0, GO), Input(2, GO)) == [1, 2]


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_none_is_refused_where_the_operation_has_to_give_something(executor: str) -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="bare", valid_return_none=False, executor=executor)
    async def bare(go: int) -> None:
        return None

    failure = await failure_of(bare)
    assert failure.message == "ValueError: bare returned None, and valid_return_none is False"


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_what_has_to_give_something_and_does_is_taken(executor: str) -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="bare", valid_return_none=False, executor=executor)
    async def bare(go: int) -> dict[str, int]:
        return {"noted": go}

    assert await _noted(bare, Input(1, GO)) == [1]


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_bare_values_of_a_generator_are_the_one_output(executor: str) -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="bare", multi_output=False, executor=executor)
    async def bare(go: int) -> Any:
        for number in range(go):
            yield number

    assert await _noted(bare, Input(EMISSIONS_A_TURN + 3, GO)) == list(range(EMISSIONS_A_TURN + 3))


async def test_bare_values_of_a_generator_in_another_process_are_the_one_output() -> None:
    assert await _noted(bare_in_process, Input(3, GO)) == [0, 1, 2]


@pytest.mark.parametrize("multi_output", [True, False])
async def test_a_generator_that_wants_its_context_is_iterated(multi_output: bool) -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="own", multi_output=multi_output)
    async def own(self: Any, go: int) -> Any:
        for number in range(go):
            yield {"noted": number} if multi_output else number

    assert await _noted(own, Input(3, GO)) == [0, 1, 2]


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_a_context_class_may_be_written_in_any_way(executor: str) -> None:
    def returning(self: Any, inputs: dict[str, Any]) -> Any:
        return {"noted": 1}

    async def waiting(self: Any, inputs: dict[str, Any]) -> Any:
        return {"noted": 1}

    async def yielding(self: Any, inputs: dict[str, Any]) -> Any:
        yield {"noted": 1}

    for run in (returning, waiting, yielding):
        made: Any = type("Made", (OperationImplementationContext,), {"run": run})
        operation = op(inputs={"go": GO}, outputs={"noted": NOTED}, name="made", executor=executor)(made)
        assert await _noted(operation, Input(1, GO)) == [1]


async def test_a_context_class_may_return_a_generator_or_anything_that_can_be_awaited() -> None:
    async def numbers() -> Any:
        yield {"noted": 1}
        yield {"noted": 2}

    class Awaited:
        def __await__(self) -> Generator[None, None, dict[str, int]]:
            yield
            return {"noted": 3}

    async def later() -> Any:
        return numbers()

    for returned, expected in ((numbers, [1, 2]), (later, [1, 2]), (Awaited, [3])):
        run = lambda self, inputs, returned=returned: returned()  # noqa: E731
        made: Any = type("Made", (OperationImplementationContext,), {"run": run})
        assert (
            await _noted(op(inputs={"go": GO}, outputs={"noted": NOTED}, name="made")(made), Input(1, GO)) == expected
        )


async def test_a_mapping_that_is_no_spec_is_a_failure_of_the_call() -> None:
    class Strict:
        def __init__(self, x: int) -> None:
            raise LookupError("no such thing")

    point = Definition("point", "generic", spec=Strict)

    @op(inputs={"go": GO}, outputs={"point": point}, name="giving")
    async def giving(go: Any) -> dict[str, Any]:
        return {"point": {"x": 1}}

    failure = await failure_of(giving)
    assert failure.reason == "TypeMismatch"
    assert "no such thing" in failure.message


async def test_an_input_that_cannot_be_sent_is_a_failure_that_names_it() -> None:
    failure = await failure_of(sending, threading.Lock())
    assert failure.reason == "OperationLoadError"
    assert 'the input "go" of type lock cannot be sent to another process' in failure.message


# -- tries ------------------------------------------------------------------------------------------------------------


async def test_a_generator_that_is_tried_again_gives_nothing_twice() -> None:
    tries: list[int] = []

    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="flaky", retry=3, backoff=0)
    async def flaky(go: Any) -> Any:
        tries.append(1)
        for number in range(4):
            if number == 2 and len(tries) < 3:
                raise LookupError("not yet")
            yield {"noted": number}

    assert await _noted(flaky, Input(1, GO)) == [0, 1, 2, 3]
    assert len(tries) == 3


async def test_a_generator_whose_context_has_failed_is_closed() -> None:
    closed, goes = asyncio.Event(), asyncio.Event()

    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="endless")
    async def endless(go: Any) -> Any:
        if go == "raise":
            await goes.wait()
            raise LookupError("on purpose")
        try:
            while True:
                goes.set()
                yield {"noted": 1}
        finally:
            closed.set()

    async with asyncio.timeout(DEADLINE):
        (ended,) = await outcomes(DataFlow(endless), [Input("raise", GO), Input("yield", GO)])
        await closed.wait()
    assert ended.failure is not None
    assert ended.failure.message == "LookupError: on purpose"


# -- time -------------------------------------------------------------------------------------------------------------


async def test_who_blocked_the_loop_beyond_its_time_fails_though_it_returned() -> None:
    @op(inputs={"go": GO}, outputs={}, name="blocking", timeout=LIMIT)
    async def blocking(go: Any) -> None:
        with contextlib.suppress(BaseException):
            while True:
                time.monotonic()

    failure = await failure_of(blocking)
    assert failure.reason == "Timeout"
    assert "and blocked the event loop meanwhile" in failure.message


@pytest.mark.parametrize("steps", [1, 20])
async def test_who_waited_while_another_blocked_the_loop_has_its_time(steps: int) -> None:
    waits = asyncio.Event()

    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="waiting", timeout=ENOUGH)
    async def waiting(go: Any) -> dict[str, Any]:
        waits.set()
        for _ in range(steps):
            await asyncio.sleep(0)
            await asyncio.sleep(LIMIT / 1000)
        return {"noted": "in time"}

    @op(inputs={"number": NUMBER}, outputs={}, name="blocking")
    async def blocking(number: int) -> None:
        await waits.wait()
        _block(2 * BLOCKED_AFTER + ENOUGH)

    flow = DataFlow(waiting, blocking, GetMulti, seed=[Input(["noted"], MULTI)])
    (ended,) = await outcomes(flow, [Input("go", GO), Input(1, NUMBER)])
    assert ended.failure is None, str(ended.failure)
    assert ended.result == {"noted": ["in time"]}


def _block(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


# -- processes that are cancelled while they start --------------------------------------------------------------------


async def test_a_subprocess_that_is_cancelled_while_it_starts_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    starting, goes_on, gone = threading.Event(), threading.Event(), threading.Event()
    begin, killed = processes.one_off, []

    def one_off(call: Any, seconds: float | None, started: Callable[[Any], None]) -> Any:
        def begun(process: Any) -> None:
            starting.set()
            assert goes_on.wait(DEADLINE)
            started(process)

        try:
            return begin(call, seconds, begun)
        finally:
            gone.set()

    def kill(process: multiprocessing.Process) -> None:
        killed.append(process)
        processes.kill(process)

    monkeypatch.setattr(calls, "one_off", one_off)
    monkeypatch.setattr(calls, "kill", kill)
    halt, loop = asyncio.Event(), asyncio.get_running_loop()
    async with asyncio.timeout(DEADLINE), MemoryOrchestrator() as orchestrator, orchestrator(DataFlow(holding)) as octx:
        ended = asyncio.create_task(_all(octx, halt))
        await loop.run_in_executor(None, starting.wait, DEADLINE)
        halt.set()
        (outcome,) = await ended
        goes_on.set()
        assert await loop.run_in_executor(None, gone.wait, DEADLINE)
    assert outcome.failure is not None
    assert outcome.failure.reason == "Cancelled"
    assert len(killed) == 1


async def _all(octx: Any, halt: asyncio.Event) -> list[Any]:
    return [outcome async for outcome in octx.outcomes([Input("/nowhere", GO)], halt=halt)]

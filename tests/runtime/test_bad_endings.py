"""Operations that never end, or end with their process: each is one typed failure, and nothing else suffers."""

import asyncio
import ctypes
import logging
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.beside import DEADLINE, GO, NOTED, dataflow, failure_of, outcomes
from tidemill import DataFlow, Input, Limits, MemoryOrchestrator, OperationImplementationContext, Outcome, op

SOON = 0.2
"""Seconds that an operation has which never ends."""
RELEASE = threading.Event()
"""Lets threads that were given up end with their test."""


@pytest.fixture(autouse=True)
def release() -> Iterator[None]:
    RELEASE.clear()
    yield
    RELEASE.set()


def die(go: str) -> None:
    """End this process in one of the ways in which code can."""
    if go == "exit":
        os._exit(7)
    if go == "segfault":
        ctypes.string_at(0)
    if go == "abort":
        os.abort()
    os.kill(os.getpid(), signal.SIGKILL)


@op(inputs={"go": GO}, outputs={}, name="dying", executor="process")
def dying_in_process(go: str) -> None:
    die(go)


@op(inputs={"go": GO}, outputs={}, name="dying", executor="subprocess")
def dying_in_subprocess(go: str) -> None:
    die(go)


@op(inputs={"go": GO}, outputs={}, name="looping", executor="process", timeout=SOON)
def looping_in_process(go: Any) -> None:
    while True:
        pass


@op(inputs={"go": GO}, outputs={}, name="looping", executor="subprocess", timeout=SOON)
def looping_in_subprocess(go: Any) -> None:
    looping_in_process(go)


HOLD_A_CONNECTION = """
import socket, sys, threading
connection = socket.socket(socket.AF_UNIX)
connection.connect(sys.argv[1])
print("connected", flush=True)
threading.Event().wait()
"""


@op(inputs={"go": GO}, outputs={}, name="parent", executor="subprocess")
def parent(go: tuple[str, str]) -> None:
    address, then = go
    child = subprocess.Popen([sys.executable, "-c", HOLD_A_CONNECTION, address], stdout=subprocess.PIPE)
    assert child.stdout is not None
    assert child.stdout.readline()
    if then == "exit":
        os._exit(1)
    threading.Event().wait()


# -- processes that die ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [dying_in_process, dying_in_subprocess])
@pytest.mark.parametrize(
    ("go", "said"),
    [("exit", "exit code 7"), ("segfault", "SIGSEGV"), ("abort", "SIGABRT"), ("kill", "SIGKILL")],
)
async def test_a_process_that_dies_three_times_is_poisonous(operation: Any, go: str, said: str) -> None:
    failure = await failure_of(operation, go)
    assert failure.reason == "Poisonous"
    assert said in failure.message
    assert "3 workers" in failure.message


async def test_dying_is_no_try() -> None:
    retrying = dying_in_process.op._replace(retry=5, backoff=0)
    flow = DataFlow(operations={"dying": retrying}, implementations={"dying": dying_in_process.imp})
    async with asyncio.timeout(DEADLINE), MemoryOrchestrator() as orchestrator, orchestrator(flow) as octx:
        (ended,) = [outcome async for outcome in octx.outcomes([Input("exit", GO)])]
        counts = octx.progress().operations["dying"]
    assert ended.failure is not None
    assert ended.failure.reason == "Poisonous"
    assert (counts.leased, counts.retried) == (3, 0)


# -- loops that never end -------------------------------------------------------------------------------------------


async def test_a_function_that_loops_on_the_event_loop_is_interrupted() -> None:
    @op(inputs={"go": GO}, outputs={}, name="looping", executor="loop", timeout=SOON)
    def looping(go: Any) -> None:
        while True:
            pass

    failure = await failure_of(looping)
    assert failure.reason == "Timeout"


async def test_a_coroutine_that_loops_without_waiting_is_interrupted() -> None:
    @op(inputs={"go": GO}, outputs={}, name="looping", timeout=SOON)
    async def looping(go: Any) -> None:
        while True:
            time.monotonic()

    assert (await failure_of(looping)).reason == "Timeout"


async def test_a_generator_that_loops_without_waiting_is_interrupted() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="looping", timeout=SOON)
    async def looping(go: Any) -> Any:
        yield {"noted": 1}
        while True:
            time.monotonic()

    assert (await failure_of(looping)).reason == "Timeout"


async def test_a_context_class_that_loops_without_waiting_is_interrupted() -> None:
    @op(inputs={"go": GO}, outputs={}, name="looping", timeout=SOON)
    class Looping(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> None:
            while True:
                time.monotonic()

    assert (await failure_of(Looping)).reason == "Timeout"


async def test_a_function_that_never_returns_from_its_thread_is_given_up() -> None:
    @op(inputs={"go": GO}, outputs={}, name="looping", timeout=SOON)
    def looping(go: Any) -> None:
        while not RELEASE.is_set():
            time.monotonic()

    failure = await failure_of(looping)
    assert failure.reason == "Timeout"
    assert "its thread was given up" in failure.message


@pytest.mark.parametrize("operation", [looping_in_process, looping_in_subprocess])
async def test_a_process_that_loops_is_killed(operation: Any) -> None:
    failure = await failure_of(operation)
    assert failure.reason == "Timeout"
    assert "its process was killed" in failure.message


# -- waits that never end -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("executor", ["loop", "thread"])
async def test_an_operation_that_waits_for_ever_times_out(executor: str) -> None:
    @op(inputs={"go": GO}, outputs={}, name="waiting", executor=executor, timeout=SOON)
    async def waiting(go: Any) -> None:
        if executor == "loop":
            await asyncio.Event().wait()
        RELEASE.wait()

    failure = await failure_of(waiting)
    assert failure.reason == "Timeout"
    assert f"has not returned within {SOON:g} s" in failure.message


async def test_a_generator_that_waits_for_ever_times_out_and_what_it_gave_stays() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="waiting", timeout=SOON)
    async def waiting(go: Any) -> Any:
        yield {"noted": 1}
        await asyncio.Event().wait()

    assert (await failure_of(waiting)).reason == "Timeout"


async def test_an_operation_that_cleans_up_when_it_is_cancelled_has_the_time_for_that() -> None:
    cleaned = asyncio.Event()

    @op(inputs={"go": GO}, outputs={}, name="waiting", timeout=SOON)
    async def waiting(go: Any) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            cleaned.set()

    failure = await failure_of(waiting)
    assert "and was cancelled" in failure.message
    assert cleaned.is_set()


async def test_an_operation_that_ignores_being_cancelled_is_given_up() -> None:
    released = asyncio.Event()

    @op(inputs={"go": GO}, outputs={}, name="stubborn", timeout=SOON)
    async def stubborn(go: Any) -> None:
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                pass

    failure = await failure_of(stubborn)
    released.set()
    assert failure.reason == "Timeout"
    assert "ignores being cancelled" in failure.message


async def test_an_operation_that_ignores_being_cancelled_holds_up_no_end(caplog: pytest.LogCaptureFixture) -> None:
    released, began = asyncio.Event(), asyncio.Event()

    @op(inputs={"go": GO}, outputs={}, name="stubborn")
    async def stubborn(go: Any) -> None:
        began.set()
        while not released.is_set():
            try:
                await released.wait()
            except asyncio.CancelledError:
                pass

    async with asyncio.timeout(DEADLINE), MemoryOrchestrator() as orchestrator:
        async with orchestrator(dataflow(stubborn, Limits())) as octx:
            running = asyncio.create_task(_first(octx.outcomes([Input("go", GO)])))
            await began.wait()
        running.cancel()
    released.set()
    assert "stubborn" in caplog.text
    assert "given up" in caplog.text


# -- descendants ----------------------------------------------------------------------------------------------------


async def _first(ends: AsyncIterator[Outcome]) -> Outcome:
    return await anext(ends)


async def _gone(connection: socket.socket) -> None:
    """Wait until whoever holds the other end of a connection is gone."""
    connection.setblocking(False)
    async with asyncio.timeout(DEADLINE):
        assert await asyncio.get_running_loop().sock_recv(connection, 1) == b""


@pytest.fixture
def door(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        listening.setblocking(False)
        yield listening


async def test_what_a_subprocess_has_started_is_killed_with_it_when_its_time_is_over(door: socket.socket) -> None:
    for seconds in (3.0, 10.0, 30.0):  # a busy machine may not have started both of them by then
        flow = DataFlow(
            operations={"parent": parent.op._replace(timeout=seconds)}, implementations={"parent": parent.imp}
        )
        (ended,) = await outcomes(flow, [Input((door.getsockname(), "wait"), GO)])
        if select.select([door], [], [], 0)[0]:
            break
    connection, _ = await asyncio.get_running_loop().sock_accept(door)
    with connection:
        await _gone(connection)
    assert ended.failure is not None
    assert ended.failure.reason == "Timeout"


async def test_what_a_subprocess_has_started_is_killed_when_it_dies_itself(door: socket.socket) -> None:
    (ended,) = await outcomes(DataFlow(parent), [Input((door.getsockname(), "exit"), GO)])
    for _ in range(3):
        connection, _ = await asyncio.get_running_loop().sock_accept(door)
        with connection:
            await _gone(connection)
    assert ended.failure is not None
    assert ended.failure.reason == "Poisonous"


async def test_what_a_subprocess_has_started_is_killed_when_the_run_is_cancelled(door: socket.socket) -> None:
    halt = asyncio.Event()
    async with asyncio.timeout(DEADLINE), MemoryOrchestrator() as orchestrator, orchestrator(DataFlow(parent)) as octx:
        ends = octx.outcomes([Input((door.getsockname(), "wait"), GO)], halt=halt)
        ending = asyncio.create_task(_first(ends))
        connection, _ = await asyncio.get_running_loop().sock_accept(door)
        halt.set()
        ended = await ending
        with connection:
            await _gone(connection)
    assert ended.failure is not None
    assert ended.failure.reason == "Cancelled"


# -- blocking -------------------------------------------------------------------------------------------------------


class Heard(logging.Handler):
    """Tells operations that wait for it, on the loop, that a record has been logged."""

    def __init__(self) -> None:
        super().__init__()
        self.records: list[logging.LogRecord] = []
        self.heard = threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)
        self.heard.set()


@pytest.fixture
def heard() -> Iterator[Heard]:
    handler = Heard()
    logging.getLogger("tidemill.watch").addHandler(handler)
    yield handler
    logging.getLogger("tidemill.watch").removeHandler(handler)


@pytest.mark.parametrize("written_as", ["function", "coroutine", "class"])
async def test_an_operation_that_blocks_the_loop_is_named_in_the_log(heard: Heard, written_as: str) -> None:
    def block(go: Any) -> None:
        assert heard.heard.wait(DEADLINE)

    async def block_in_coroutine(go: Any) -> None:
        assert heard.heard.wait(DEADLINE)

    class Block(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> None:
            assert heard.heard.wait(DEADLINE)

    written: Any = {"function": block, "coroutine": block_in_coroutine, "class": Block}[written_as]
    blocking: Any = op(inputs={"go": GO}, outputs={}, name="blocking", executor="loop")(written)
    async with asyncio.timeout(DEADLINE), MemoryOrchestrator() as orchestrator:
        async with orchestrator(DataFlow(blocking)) as octx:
            (ended,) = [outcome async for outcome in octx.outcomes([Input("go", GO)])]
            blocked = octx.progress().blocked
    assert ended.failure is None
    assert 'the operation "blocking" has blocked the event loop' in heard.records[0].getMessage()
    assert __file__ in heard.records[0].getMessage() or "threading.py" in heard.records[0].getMessage()
    assert list(blocked) == ["blocking"]

"""Operations that change what is not theirs: their inputs, their process, their context, or a run that is over."""

import asyncio
import contextvars
import locale
import os
import signal
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.beside import DEADLINE, GO, NOTED, dataflow, outcomes, outcomes_beside
from tidemill import (
    ContextClosed,
    DataFlow,
    Definition,
    GetMulti,
    GetSingle,
    Input,
    Limits,
    MemoryOrchestrator,
    OperationImplementationContext,
    op,
)

SEEN = Definition("seen", "generic")
SINGLE = GetSingle.op.inputs["spec"]
MULTI = GetMulti.op.inputs["spec"]
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="untouched")
PRINTED = 200_000


def _spoil(go: list[int]) -> dict[str, Any]:
    go.append(4)
    return {"noted": len(go)}


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="spoiling", executor="loop")
def spoil_on_the_loop(go: list[int]) -> dict[str, Any]:
    return _spoil(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="spoiling", executor="thread")
def spoil_on_a_thread(go: list[int]) -> dict[str, Any]:
    return _spoil(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="spoiling", executor="process")
def spoil_in_a_process(go: list[int]) -> dict[str, Any]:
    return _spoil(go)


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="spoiling", executor="subprocess")
def spoil_in_a_subprocess(go: list[int]) -> dict[str, Any]:
    return _spoil(go)


@op(inputs={"go": GO, "noted": NOTED}, outputs={"seen": SEEN}, name="seeing")
async def seeing(go: list[int], noted: int) -> dict[str, Any]:
    return {"seen": (list(go), noted)}


def _litter() -> dict[str, Any]:
    """Change what a process has one of, and tell what it was before."""
    umask = os.umask(0o177)
    found = {
        "directory": os.getcwd(),
        "littered": os.environ.get("TIDEMILL_LITTERED", "no"),
        "path": "/littered" in sys.path,
        "umask": umask,
        "locale": locale.setlocale(locale.LC_ALL),
        "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGUSR2})),
    }
    locale.setlocale(locale.LC_ALL, "C")
    os.chdir("/")
    os.environ["TIDEMILL_LITTERED"] = "yes"
    sys.path.append("/littered")
    return found


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="littering", executor="process", concurrency=1)
def litter_in_a_process(go: Any) -> dict[str, Any]:
    return {"noted": _litter()}


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="littering", executor="subprocess", concurrency=1)
def litter_in_a_subprocess(go: Any) -> dict[str, Any]:
    return {"noted": _litter()}


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="printing", executor="thread")
def print_on_a_thread(go: Any) -> dict[str, Any]:
    return _print()


@op(inputs={"go": GO}, outputs={"noted": NOTED}, name="printing", executor="subprocess")
def print_in_a_subprocess(go: Any) -> dict[str, Any]:
    return _print()


def _print() -> dict[str, Any]:
    for _ in range(10):
        sys.stdout.write("\x1b[31m" + "x" * PRINTED)
    sys.stdout.flush()
    return {"noted": "printed"}


# -- inputs -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("operation", "shared"),
    [
        (spoil_on_the_loop, True),
        (spoil_on_a_thread, True),
        (spoil_in_a_process, False),
        (spoil_in_a_subprocess, False),
    ],
)
async def test_inputs_are_shared_in_one_process_and_copied_into_others(operation: Any, shared: bool) -> None:
    given = [1, 2, 3]
    asked = Input(["seen"], SINGLE)
    flow = DataFlow(operation, seeing, GetSingle, seed=[asked])
    (ended,) = await outcomes(flow, [Input(given, GO)])
    assert ended.failure is None
    assert ended.result == {"seen": ([1, 2, 3, 4] if shared else [1, 2, 3], 4)}
    assert (given == [1, 2, 3, 4]) is shared


async def test_the_mapping_that_an_operation_is_called_with_is_its_own() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="clearing")
    class Clearing(OperationImplementationContext):
        async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
            inputs.clear()
            inputs["extra"] = 1
            raise LookupError

    (ended,) = await outcomes(DataFlow(Clearing), [Input("go", GO)])
    assert ended.failure is not None
    assert ended.failure.inputs == {"go": "go"}


# -- the process ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", [litter_in_a_process, litter_in_a_subprocess])
async def test_what_an_operation_changes_of_its_process_is_there_for_no_other(operation: Any) -> None:
    before = (os.getcwd(), dict(os.environ), list(sys.path))
    flow = DataFlow(operation, GetMulti, seed=[Input(["noted"], MULTI)])
    (ended,) = await outcomes(flow, [Input(number, GO) for number in range(6)])
    assert ended.failure is None
    assert ended.result is not None
    found = ended.result["noted"]
    assert len(found) == 6
    assert found.count(found[0]) == 6
    assert (found[0]["littered"], found[0]["path"], found[0]["blocked"]) == ("no", False, [])
    assert (os.getcwd(), dict(os.environ), list(sys.path)) == before


async def test_printing_on_a_thread_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    beside = await outcomes_beside(print_on_a_thread)
    assert beside.strict.failure is None
    assert [healthy.result for healthy in beside.healthy] == [{"doubled": [42]}] * 2
    assert len(capsys.readouterr().out) > 2 * 10 * PRINTED


async def test_printing_in_a_process_harms_nobody(capfd: pytest.CaptureFixture[str]) -> None:
    beside = await outcomes_beside(print_in_a_subprocess)
    assert beside.strict.failure is None
    assert [healthy.result for healthy in beside.healthy] == [{"doubled": [42]}] * 2


# -- context variables ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("limit", [None, 30.0])
@pytest.mark.parametrize("executor", ["loop", "thread"])
@pytest.mark.parametrize("waits", [True, False])
async def test_context_variables_do_not_leak_into_the_next_operation(
    executor: str, limit: float | None, waits: bool
) -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="setting", executor=executor, timeout=limit)
    async def setting(go: Any) -> dict[str, Any]:
        before = VARIABLE.get()
        VARIABLE.set("touched")
        if waits:
            await asyncio.sleep(0)
        return {"noted": before}

    flow = DataFlow(setting, GetMulti, seed=[Input(["noted"], MULTI)])
    (ended,) = await outcomes(flow, [Input(number, GO) for number in range(100)])
    assert ended.result == {"noted": ["untouched"] * 100}
    assert VARIABLE.get() == "untouched"


async def test_a_context_variable_that_an_operation_sets_and_fails_does_not_leak() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="setting", executor="loop")
    def setting(go: Any) -> dict[str, Any]:
        before = VARIABLE.get()
        VARIABLE.set("touched")
        raise LookupError(before)

    (ended,) = await outcomes(DataFlow(setting), [Input(number, GO) for number in range(100)], strict=False)
    assert {failure.message for failure in ended.failures} == {"LookupError: untouched"}
    assert len(ended.failures) == 100


async def test_an_operation_sees_the_context_variables_of_whoever_runs_the_data_flow() -> None:
    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="getting")
    def getting(go: Any) -> dict[str, Any]:
        return {"noted": VARIABLE.get()}

    token = VARIABLE.set("of the caller")
    try:
        (ended,) = await outcomes(DataFlow(getting, GetSingle, seed=[Input(["noted"], SINGLE)]), [Input(1, GO)])
    finally:
        VARIABLE.reset(token)
    assert ended.result == {"noted": "of the caller"}


# -- after the end ----------------------------------------------------------------------------------------------------


class Keeping(OperationImplementationContext):
    kept: "list[Keeping]" = []

    async def run(self, inputs: dict[str, Any]) -> dict[str, Any]:
        self.kept.append(self)
        self.note("while it runs")
        return {"noted": "done"}


async def test_a_context_that_is_used_after_its_end_says_so_and_changes_nothing() -> None:
    Keeping.kept.clear()
    keeping: Any = op(inputs={"go": GO}, outputs={"noted": NOTED}, name="keeping")(Keeping)
    flow = dataflow(keeping, Limits())
    async with asyncio.timeout(DEADLINE), MemoryOrchestrator() as orchestrator, orchestrator(flow) as octx:
        (first,) = [
            outcome
            async for outcome in octx.outcomes({"first": [Input("go", GO), Input(1, Definition("number", "int"))]})
        ]
        (call,) = Keeping.kept
        call.note("too late")
        view = call.octx.ictx
        with pytest.raises(ContextClosed) as caught:
            await view.inputs("noted")
        with pytest.raises(ContextClosed):
            await view.definition(call.ctx, "noted")
        with pytest.raises(ContextClosed):
            async with view.definitions(call.ctx) as definitions:
                [item async for item in definitions.inputs("noted")]
        (second,) = [outcome async for outcome in octx.outcomes({"second": [Input(2, Definition("number", "int"))]})]
    assert (caught.value.reason, caught.value.path) == ("LeaseLost", "/operations/keeping")
    assert caught.value.message == (
        'the call of "keeping" has ended, and with it its view of the inputs; read them before it returns, and await '
        "what it has started"
    )
    assert first.notes == ("while it runs",)
    assert first.result == {"doubled": [2]}
    assert second.notes == ()
    assert second.result == {"doubled": [4]}


async def test_a_task_that_an_operation_leaves_behind_changes_nothing_when_it_raises() -> None:
    left: list[asyncio.Task[None]] = []

    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="leaving")
    async def leaving(go: Any) -> dict[str, Any]:
        async def later() -> None:
            await asyncio.sleep(0)
            raise LookupError("nobody asked")

        left.append(asyncio.create_task(later()))
        return {"noted": 1}

    beside = await outcomes_beside(leaving)
    found = await asyncio.gather(*left, return_exceptions=True)
    assert beside.strict.failure is None
    assert [healthy.result for healthy in beside.healthy] == [{"doubled": [42]}] * 2
    assert [type(error) for error in found] == [LookupError, LookupError]


async def test_a_thread_that_is_given_up_and_returns_later_changes_nothing(tmp_path: Path) -> None:
    released, returned = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()

    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="late", executor="thread", timeout=0.1)
    def late(go: Any) -> dict[str, Any]:
        asyncio.run_coroutine_threadsafe(released.wait(), loop).result(DEADLINE)
        loop.call_soon_threadsafe(returned.set)
        return {"noted": "too late"}

    flow = DataFlow(late, GetMulti, seed=[Input(["noted"], MULTI)])
    async with asyncio.timeout(DEADLINE), MemoryOrchestrator() as orchestrator, orchestrator(flow) as octx:
        (ended,) = [outcome async for outcome in octx.outcomes([Input("go", GO)])]
        released.set()
        await returned.wait()
        counts = octx.progress().operations["late"]
    assert ended.failure is not None
    assert ended.failure.reason == "Timeout"
    assert (counts.completed, counts.failed) == (0, 1)

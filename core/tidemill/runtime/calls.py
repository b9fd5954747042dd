"""Calls: one parameter set in, one report out. Whatever user code does becomes a report and nothing else.

Neighbours: `runtime.prepare` (how each operation is called), the executors, `runtime.runner` (who asks).
"""

from __future__ import annotations

import asyncio
import inspect
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from time import perf_counter_ns
from types import AsyncGeneratorType, CoroutineType, FrameType
from typing import Any

from tidemill.engine.parameters import LEASED, ParameterSet
from tidemill.errors import pointer
from tidemill.metrics.calls import CALL, Call
from tidemill.metrics.measured import Gauged, Meter
from tidemill.metrics.series import ENOUGH
from tidemill.model.context import BaseInputSetContext, StringInputSetContext
from tidemill.model.definition import convert
from tidemill.networks.backend import Backend
from tidemill.networks.implementations import Completed, Emitted, Failed, Lost, Report, Subflow
from tidemill.plan.plan import PlannedOperation
from tidemill.runtime.children import called
from tidemill.runtime.decorator import FunctionImplementation
from tidemill.runtime.failures import failure_of, refusal
from tidemill.runtime.flows import FlowImplementation
from tidemill.runtime.measuring import compare
from tidemill.runtime.prepare import Implementations, Prepared
from tidemill.runtime.processes import ChildDied, ChildTimeout, Pool, encode_call, kill, one_off
from tidemill.runtime.threads import Abandoned, Raised, Threads
from tidemill.runtime.view import CallContext
from tidemill.runtime.watch import Interrupted, Running, within

__all__ = ["GRACE", "Caller", "running_in"]

GRACE = 1.0
"""Seconds that a cancelled operation has for cleaning up before it is given up."""
EMISSIONS_A_TURN = 64
"""Emissions after which a generator that never waits lets others have the loop."""
ENTERED = 64
"""Operations whose calls a task of a runner knows at most."""
_REFUSED = {"exit": "Exit", "unloadable": "OperationLoadError"}
"""The reasons of outcomes of a child process that are a message only."""
_RESULTS: dict[type, str] = {
    Completed: "completed", Failed: "failed", Lost: "lost", Subflow: "", type(None): "dropped"
}  # fmt: skip
"""What the ends of calls are counted as; one that waits for child contexts has not ended."""


class Caller:
    """Calls operations for one worker.

    ``contexts`` maps context names to the objects that users named them with. ``noticed`` is the watch's: the
    parameter sets whose calls blocked the loop, and when. Where calls are measured ``enter`` is called before those of
    an operation that follow each other in one task, with what it keeps for that task.
    """

    def __init__(
        self,
        backend: Backend,
        worker: str,
        implementations: Implementations,
        contexts: Mapping[str, BaseInputSetContext],
    ) -> None:
        self._backend = backend
        self._worker = worker
        self._implementations = implementations
        self._contexts = contexts
        self._threads = Threads()
        self._one_off = Threads()
        self._pool = Pool()
        self.noticed: dict[ParameterSet, float] = {}
        self._meter: Meter | None = None
        self._try = self._attempt
        self.enter: Callable[[PlannedOperation, dict[PlannedOperation, Call | None]], None] | None = None
        self._elsewhere: dict[str, Callable[[ParameterSet, Prepared, dict[str, Any]], Any]] = {
            "generator": self._generator,
            "context": self._in_context,
            "flow": self._flow,
            "thread": self._on_thread,
            "process": self._in_process,
            "subprocess": self._in_process,
        }

    def can_cancel(self, parameter_set: ParameterSet) -> bool:
        """Say whether cancelling the call ends it: a thread runs on whatever its caller does."""
        return self._implementations[parameter_set.operation].kind != "thread"

    def call(self, parameter_set: ParameterSet) -> Coroutine[Any, Any, Report | None]:
        """Call the operation over a parameter set: what is to be awaited returns the report; None if there is nothing
        left to report."""
        prepared = self._implementations[parameter_set.operation]
        if prepared.timeout is None or prepared.kind in ("thread", "process", "subprocess"):
            return self._try(parameter_set, prepared)
        return self._bounded(parameter_set, prepared)

    def measure(self, meter: Meter) -> None:
        """Measure every call from now on, and let operations count."""
        self._meter = meter
        self._try = self._measured
        self.enter = self._enter

    def _enter(self, operation: PlannedOperation, calls: dict[PlannedOperation, Call | None]) -> None:
        if operation not in calls:
            if len(calls) >= ENTERED:
                calls.popitem()
            gauged = self._gauged(self._implementations[operation])
            calls[operation] = Call(gauged.scope) if gauged.plain else None
        CALL.set(calls[operation])

    def _gauged(self, prepared: Prepared) -> Gauged:
        """Return what is measured of an operation by the meter that measures now."""
        gauged = prepared.gauged
        if gauged is None or gauged.meter is not self._meter:
            assert self._meter is not None
            gauged = prepared.gauged = self._meter.of(prepared.operation)
            gauged.plain = prepared.plain
        return gauged

    async def _measured(self, parameter_set: ParameterSet, prepared: Prepared) -> Report | None:
        """Call as `_attempt` does, and measure that. What costs little by itself is measured at as little cost."""
        gauged = prepared.gauged
        if gauged is None or gauged.meter is not self._meter:
            gauged = self._gauged(prepared)
        if not gauged.plain:
            return await self._measured_fully(parameter_set, prepared, gauged)
        call = CALL.get(None)
        if call is None or call.scope is not gauged.scope:  # nobody has entered it
            CALL.set(call := Call(gauged.scope))
        began = perf_counter_ns()
        try:
            report = _completed(prepared, parameter_set, await prepared.function(**parameter_set.arguments()))  # type: ignore[misc]
        except BaseException as error:
            took = perf_counter_ns() - began
            if _is_cancelling(error):
                gauged.end(call, took, "cancelled")
                raise
            gauged.end(call, took, "failed")
            return _failed(parameter_set, error)
        finally:
            call.progress = None
        gauged.seconds.append(perf_counter_ns() - began)
        if len(gauged.seconds) >= ENOUGH:
            gauged.settle()
        return report

    async def _measured_fully(self, parameter_set: ParameterSet, prepared: Prepared, gauged: Gauged) -> Report | None:
        result, call = "cancelled", Call(gauged.scope)
        token = CALL.set(call)
        began = perf_counter_ns()
        try:
            report = await self._attempt(parameter_set, prepared)
            result = _RESULTS[type(report)]
            return report
        finally:
            took = perf_counter_ns() - began
            try:
                CALL.reset(token)
            except ValueError:  # a call that was never awaited to its end is cleaned up by whoever comes by
                pass
            if result:
                gauged.end(call, took, result)
            if prepared.implementation.ESTIMATE is not None and result == "completed":
                compare(call, prepared.implementation, parameter_set.arguments(), took / 1e9)

    async def _attempt(self, parameter_set: ParameterSet, prepared: Prepared) -> Report | None:
        """Call the operation; whatever it raises is its failure, unless the call itself has been cancelled."""
        try:
            inputs = parameter_set.arguments()
            for name, definition in prepared.converts:
                inputs[name] = convert(definition, inputs[name])
            if prepared.kind == "coroutine":
                return _completed(prepared, parameter_set, await prepared.function(**inputs))  # type: ignore[misc]
            if prepared.kind == "function":
                return _completed(prepared, parameter_set, prepared.function(**inputs))  # type: ignore[misc]
            return await self._elsewhere[prepared.kind](parameter_set, prepared, inputs)  # type: ignore[no-any-return]
        except BaseException as error:
            if _is_cancelling(error):
                raise
            return _failed(parameter_set, error)

    async def _bounded(self, parameter_set: ParameterSet, prepared: Prepared) -> Report | None:
        """Call on the loop, within the operation's time: then it is cancelled, and given up if it ignores that."""
        loop, limit = asyncio.get_running_loop(), prepared.timeout
        assert limit is not None
        began = time.monotonic()
        task = loop.create_task(self._try(parameter_set, prepared))
        try:
            done = await within(task, limit)
        finally:
            if not task.done():
                task.cancel()
                await asyncio.wait([task], timeout=GRACE)
        took = time.monotonic() - began
        blocked = self.noticed.pop(parameter_set, None) is not None
        if done and took > limit and blocked:
            # It blocked the loop, so nothing could stop it in time; it is over its time all the same.
            said = f"it took {took:.1f} s, over its {limit:g} s, and blocked the event loop meanwhile"
        elif done:
            return await task
        elif task.done():
            said = f"it has not returned within {limit:g} s and was cancelled"
        else:
            said = f"it has not returned within {limit:g} s, and was given up because it ignores being cancelled"
        return Failed(parameter_set, refusal(parameter_set, "Timeout", said))

    async def _iterate(self, parameter_set: ParameterSet, generator: Any, output: str | None) -> Report | None:
        """Report everything that a generator yields as it does, for as long as its lease holds."""
        emission, lease = 0, parameter_set.leases
        async for value in generator:
            report = Emitted(parameter_set, emission, {output: value} if output is not None else value, lease)
            await self._backend.implementations.cycle(self._worker, (report,), 0)
            if (
                parameter_set.state is not LEASED or parameter_set.leases != lease
            ):  # what it gave was refused, or its context has failed
                await generator.aclose()
                return None
            emission += 1
            if emission % EMISSIONS_A_TURN == 0:
                await asyncio.sleep(0)
        return Completed(parameter_set, None)

    async def _generator(
        self, parameter_set: ParameterSet, prepared: Prepared, inputs: dict[str, Any]
    ) -> Report | None:
        assert prepared.function is not None
        return await self._iterate(parameter_set, prepared.function(**inputs), prepared.output)

    def _opened(self, parameter_set: ParameterSet, prepared: Prepared) -> tuple[Any, CallContext]:
        name = parameter_set.context.name
        ctx = self._contexts.get(name) or StringInputSetContext(name)
        octx = CallContext(self._backend.inputs, parameter_set)
        return prepared.implementation(ctx, octx), octx

    async def _in_context(
        self, parameter_set: ParameterSet, prepared: Prepared, inputs: dict[str, Any]
    ) -> Report | None:
        opened, octx = self._opened(parameter_set, prepared)
        try:
            if not prepared.enters:  # nothing to enter: the common case, and much the shorter way
                return await self._run_context(parameter_set, opened, octx, inputs)
            async with opened as call:
                return await self._run_context(parameter_set, call, octx, inputs)
        finally:
            octx.ictx.end()

    async def _run_context(
        self, parameter_set: ParameterSet, call: Any, octx: CallContext, inputs: dict[str, Any]
    ) -> Report | None:
        returned = call.run(inputs)
        if not isinstance(returned, AsyncGeneratorType):
            if isinstance(returned, CoroutineType) or inspect.isawaitable(returned):
                returned = await returned
            if not isinstance(returned, AsyncGeneratorType):
                return Completed(parameter_set, returned, octx.notes)
        return await self._iterate(parameter_set, returned, None)

    async def _flow(self, parameter_set: ParameterSet, prepared: Prepared, inputs: dict[str, Any]) -> Report:
        implementation = prepared.implementation
        assert isinstance(implementation, FlowImplementation)
        if parameter_set.children is None:
            return Subflow(parameter_set, implementation.children(inputs))
        endings, parameter_set.children = parameter_set.children, None  # a further try opens them anew
        return Completed(parameter_set, implementation.outputs(inputs, endings))

    async def _on_thread(
        self, parameter_set: ParameterSet, prepared: Prepared, inputs: dict[str, Any]
    ) -> Report | None:
        function, implementation, reading = prepared.function, prepared.implementation, prepared.reading
        try:
            if function is not None and isinstance(implementation, FunctionImplementation) and implementation.plain:
                what, value = await self._threads.run(lambda: called(function, inputs, reading), prepared.timeout)
                return await self._returned(prepared, parameter_set, what, value)
            opened, octx = self._opened(parameter_set, prepared)
            try:
                async with opened as call:
                    run, arguments = call.run, {"inputs": inputs}
                    if isinstance(implementation, FunctionImplementation):
                        run, arguments = implementation.checked, implementation.arguments(call, inputs)
                    what, value = await self._threads.run(lambda: called(run, arguments, reading), prepared.timeout)
            finally:
                octx.ictx.end()
            return await self._returned(prepared, parameter_set, what, value, octx.notes)
        except Abandoned as error:
            return Failed(parameter_set, refusal(parameter_set, "Timeout", str(error)))
        except Raised as raised:
            return Failed(parameter_set, failure_of(parameter_set, raised.error))

    async def _in_process(
        self, parameter_set: ParameterSet, prepared: Prepared, inputs: dict[str, Any]
    ) -> Report | None:
        assert prepared.function is not None
        try:
            call = encode_call(prepared.function, inputs, prepared.reading)
        except ValueError as error:
            return Failed(parameter_set, refusal(parameter_set, "OperationLoadError", str(error)))
        try:
            if prepared.kind == "process":
                what, value = await self._pool.run(call, prepared.timeout)
            else:
                what, value = await self._one_process(call, prepared.timeout)
        except ChildDied as error:
            return Lost(parameter_set, str(error))
        except ChildTimeout as error:
            return Failed(parameter_set, refusal(parameter_set, "Timeout", str(error)))
        if what == "raised":
            kind, message, text = value
            return Failed(parameter_set, refusal(parameter_set, "Exception", f"{kind}: {message}", text))
        if what in _REFUSED:
            return Failed(parameter_set, refusal(parameter_set, _REFUSED[what], value))
        if what == "unserialisable":
            path = value[0] if prepared.output is None else pointer(prepared.output) + value[0]
            said = (
                f'what "{prepared.operation.instance}" gave cannot be sent from its process: {path or "/"}: {value[1]}'
            )
            return Failed(parameter_set, refusal(parameter_set, "OutputNotSerialisable", said))
        return await self._returned(prepared, parameter_set, what, value)

    async def _returned(
        self, prepared: Prepared, parameter_set: ParameterSet, what: str, value: Any, notes: Any = ()
    ) -> Report | None:
        """Return the report of a call elsewhere; what it has yielded there is reported one by one."""
        if what == "yielded":
            return await self._iterate(parameter_set, _each(value), prepared.output)
        return _completed(prepared, parameter_set, value, notes)

    async def _one_process(self, call: Any, seconds: float | None) -> Any:
        started: list[Any] = []
        cancelled = threading.Event()

        def begun(process: Any) -> None:
            started.append(process)
            if cancelled.is_set():  # while it was being started
                kill(process)

        try:
            return await self._one_off.run(lambda: one_off(call, seconds, begun))
        except asyncio.CancelledError:
            cancelled.set()
            for process in started:
                kill(process)
            raise
        except Raised as raised:
            raise raised.error from None

    def close(self) -> None:
        """Let threads end and kill child processes."""
        self._threads.close()
        self._one_off.close()
        self._pool.close()


_CALLING = (Caller._attempt.__code__, Caller._measured.__code__)


def running_in(frame: FrameType) -> Running | None:
    """Return the call that a frame makes; None for one that makes none."""
    if frame.f_code not in _CALLING:
        return None
    prepared = frame.f_locals["prepared"]
    return Running(frame.f_locals["parameter_set"], prepared.operation.instance, prepared.timeout)


def _is_cancelling(error: BaseException) -> bool:
    """Say whether it is the call itself that has been cancelled."""
    if not isinstance(error, asyncio.CancelledError):
        return False
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failed(parameter_set: ParameterSet, error: BaseException) -> Report:
    reason = "Timeout" if isinstance(error, Interrupted) else None
    if isinstance(error, asyncio.CancelledError):
        reason = "Exception"
    return Failed(parameter_set, failure_of(parameter_set, error, reason))


def _completed(prepared: Prepared, parameter_set: ParameterSet, returned: Any, notes: Any = ()) -> Report:
    output = prepared.output
    if output is not None:
        returned = None if returned is None else {output: returned}
    return Completed(parameter_set, returned, notes)


async def _each(values: list[Any]) -> Any:
    for value in values:
        yield value

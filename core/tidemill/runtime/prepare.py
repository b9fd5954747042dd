"""Prepares a plan: finds the code of every operation, enters the implementations, and settles how each one is called.

Everything that can be known before the first call is worked out here, once, so that a call is short.
Neighbours: `runtime.find`, `runtime.implementation`, `runtime.calls`.
"""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from types import CodeType
from typing import Any

from tidemill.errors import (
    InvalidFlow,
    LoadError,
    OperationImplementationNotInstantiable,
    OperationImplementationNotInstantiated,
    Problem,
    TidemillError,
    did_you_mean,
    pointer,
    shown,
)
from tidemill.metrics.measured import Gauged
from tidemill.model.dataflow import DataFlow
from tidemill.model.definition import Definition
from tidemill.plan.compile import compile_plan
from tidemill.plan.plan import Plan, PlannedOperation
from tidemill.runtime.children import Reading
from tidemill.runtime.decorator import FunctionImplementation, refuse_mismatch
from tidemill.runtime.failures import text_of
from tidemill.runtime.find import find_implementation
from tidemill.runtime.flows import FlowImplementation
from tidemill.runtime.implementation import OperationImplementation, OperationImplementationContext

__all__ = ["Implementations", "Prepared"]


@dataclass(slots=True, eq=False)
class Prepared:
    """How the parameter sets of one operation are called.

    ``kind``: "coroutine" and "function" are called as they are, on the loop; "generator" is iterated; "context" goes
    through an implementation context (``enters``: which has to be entered); "flow" opens child contexts; "thread",
    "process" and "subprocess" run elsewhere. ``converts`` are the parameters whose mappings become the operation's
    own specs. ``reading`` says how far what it returns elsewhere is read. ``dataflow`` is the digest of its plan,
    ``gauged`` where its calls are measured, once one was.
    """

    operation: PlannedOperation
    implementation: OperationImplementation
    kind: str
    function: Callable[..., Any] | None
    output: str | None
    timeout: float | None
    converts: tuple[tuple[str, Definition], ...]
    enters: bool
    reading: Reading
    dataflow: str
    gauged: Gauged | None = None

    @property
    def plain(self) -> bool:
        """Whether its calls are those of a coroutine and nothing else: no other code of the user comes between them, as
        a validator of what it gives would, and nothing is told of them where they run."""
        outputs = self.operation.outputs.values()
        taken_as_given = all(one.definition.spec is None and one.definition.validate is None for one in outputs)
        alone = not self.converts and self.implementation.ESTIMATE is None
        return self.kind == "coroutine" and alone and taken_as_given

    @property
    def code(self) -> CodeType | None:
        """The code that runs when the operation is called, where it is Python."""
        called: Any = self.function if self.function is not None else type(self.implementation).CONTEXT.run
        while isinstance(called, functools.partial):
            called = called.func
        return getattr(called, "__code__", None) or getattr(called.__call__, "__code__", None)


class Implementations:
    """The implementations of the plans that are run, entered; leaving it leaves them.

    With ``pool`` only those of its operations are entered, one that cannot be is told by whoever asks for it, and data
    flows that say the same are one plan: so it is for a worker, which is handed whatever others have published.
    """

    def __init__(self, pool: str | None = None) -> None:
        self.prepared: dict[PlannedOperation, Prepared] = {}
        self._pool = pool
        self._refused: dict[PlannedOperation, TidemillError] = {}
        self._digests: dict[str, Plan] = {}
        self._plans: dict[int, Plan] = {}
        self._flows: list[DataFlow] = []
        self._stack = contextlib.AsyncExitStack()

    async def __aenter__(self) -> Implementations:
        return self

    async def __aexit__(self, *exc: object) -> None:
        await self._stack.aclose()

    async def enter(self, dataflow: DataFlow) -> Plan:
        """Compile a data flow and enter its implementations, and those of the data flows that it runs; return the plan.

        Raises `InvalidFlow` for one that is wrong (SubflowCycle: that runs itself), `LoadError` for code that is
        missing.
        """
        return await self._enter(dataflow, ())

    async def _enter(self, dataflow: DataFlow, above: tuple[DataFlow, ...]) -> Plan:
        if any(dataflow is other for other in above):
            said = f"a data flow of {len(dataflow.operations)} operations runs itself, {len(above)} levels down"
            raise InvalidFlow([Problem("SubflowCycle", pointer("configs"), said)])
        known = self._plans.get(id(dataflow))
        if known is not None:
            return known
        plan = compile_plan(dataflow)
        if self._pool is not None:
            plan = self._digests.setdefault(plan.digest, plan)
        for operation in plan.operations:
            if operation not in self.prepared and self._pool in (None, operation.operation.pool):
                await self._prepare(plan, operation, (*above, dataflow))
        self._plans[id(dataflow)] = plan
        self._flows.append(dataflow)  # as long as its id is in use
        return plan

    async def _prepare(self, plan: Plan, operation: PlannedOperation, above: tuple[DataFlow, ...]) -> None:
        try:
            implementation = find_implementation(operation.operation, plan.implementations)
            _refuse_unfitting(operation, implementation)
            config = plan.configs.get(operation.instance)
            entered = await self._instance(implementation, operation, config, above)
            self.prepared[operation] = prepare(operation, entered, plan)
        except TidemillError as error:
            if self._pool is None:
                raise
            self._refused[operation] = error

    async def _instance(
        self,
        implementation: type[OperationImplementation],
        operation: PlannedOperation,
        config: Any,
        above: tuple[DataFlow, ...],
    ) -> OperationImplementation:
        # A class of its own, so that instances of one operation do not share what the class says of them.
        own: Any = type(implementation.__name__, (implementation,), {"op": operation.operation})
        with _naming(operation, f"its configuration {shown(config)} does not fit" if config is not None else ""):
            made: OperationImplementation = own(config)
        if isinstance(made, FlowImplementation):
            made.plans = {id(flow): await self._enter(flow, above) for flow in made.dataflows()}
        with _naming(operation, "it could not be entered"):
            await self._stack.enter_async_context(made)
        return made

    def __getitem__(self, operation: PlannedOperation) -> Prepared:
        try:
            return self.prepared[operation]
        except KeyError:
            if operation in self._refused:
                raise self._refused[operation] from None
            said = f'the implementation of "{operation.instance}" has not been entered'
            raise OperationImplementationNotInstantiated(said, path=operation.instance) from None


def _refuse_unfitting(operation: PlannedOperation, implementation: type[OperationImplementation]) -> None:
    """Refuse a function that takes or gives something else than the data flow says: a file may be older than it."""
    if not issubclass(implementation, FunctionImplementation):
        return
    declared, output = operation.operation, implementation.wrapped_output
    refuse_mismatch(implementation.function, declared, implementation.wanted)
    if output is not None and declared.outputs and output not in declared.outputs:
        said = f'{declared.name}: what it returns is its output "{output}" {did_you_mean(output, declared.outputs)}'
        raise LoadError(said, reason="SignatureMismatch", path=declared.name)


@contextlib.contextmanager
def _naming(operation: PlannedOperation, what: str) -> Iterator[None]:
    """Say which implementation it was, and at what, that raised."""
    try:
        yield
    except TidemillError:
        raise
    except Exception as error:
        why = f"{type(error).__name__}: {text_of(error)}"
        said = f'"{operation.instance}" cannot be made: {what or "it takes a configuration"}: {why}'
        path = pointer("configs", operation.instance)
        raise OperationImplementationNotInstantiable(said, path=path) from error


def prepare(operation: PlannedOperation, implementation: OperationImplementation, plan: Plan) -> Prepared:
    """Return how an operation is called."""
    function = implementation.function if isinstance(implementation, FunctionImplementation) else None
    plain = isinstance(implementation, FunctionImplementation) and implementation.plain
    output = implementation.wrapped_output if isinstance(implementation, FunctionImplementation) else None
    expands = frozenset(name for name, declared in operation.outputs.items() if declared.expand)
    return Prepared(
        operation=operation,
        implementation=implementation,
        kind=_kind(operation, implementation, function, plain),
        function=function,
        output=output,
        timeout=operation.operation.timeout,
        converts=tuple((p.name, p.definition) for p in operation.parameters if p.definition.spec is not None),
        enters=_enters(type(implementation).CONTEXT),
        reading=Reading(output, expands, plan.limits.outputs),
        dataflow=plan.digest,
    )


def _enters(context: type[OperationImplementationContext]) -> bool:
    """Say whether a call's context has anything to enter or leave."""
    base = OperationImplementationContext
    own = context.__aenter__ is not base.__aenter__ or context.__aexit__ is not base.__aexit__
    return own or bool(context.ENTER)


def _kind(
    operation: PlannedOperation,
    implementation: OperationImplementation,
    function: Callable[..., Any] | None,
    plain: bool,
) -> str:
    if isinstance(implementation, FlowImplementation):
        return "flow"
    executor = operation.operation.executor
    on_loop = function is None or inspect.iscoroutinefunction(function) or inspect.isasyncgenfunction(function)
    if executor is None:
        executor = "loop" if on_loop else "thread"
    if executor in ("process", "subprocess"):
        if not plain:
            said = (
                f'"{operation.instance}" asks for the executor {executor}, but only a plain function can run in '
                "another process: without self, logger, env, config, imp_enter and ctx_enter"
            )
            raise InvalidFlow([Problem("InvalidExecutor", pointer("operations", operation.instance, "executor"), said)])
        return executor
    if executor == "thread":
        return "thread"
    if not plain or function is None:
        return "context"
    if inspect.isasyncgenfunction(function):
        return "generator"
    return "coroutine" if inspect.iscoroutinefunction(function) else "function"

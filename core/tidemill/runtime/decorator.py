"""`op`: makes an operation, and its implementation, of a function or of an implementation context.

What is decorated stays what it is, and gains ``.op`` (the prototype), ``.imp`` (the implementation class), ``.test``
(one call outside any data flow) and ``.estimate`` (what a call needs, before it is made). Neighbours:
`runtime.annotations` (definitions from a signature), `runtime.implementation`.
"""

from __future__ import annotations

import dataclasses
import inspect
import os
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, ParamSpec, Protocol, TypeVar, overload

from tidemill.errors import LoadError, did_you_mean
from tidemill.model.definition import Definition
from tidemill.model.operation import Operation
from tidemill.runtime.annotations import GIVEN_BY_ENGINE, inputs_of, name_of, outputs_of, wants
from tidemill.runtime.implementation import Enter, OperationImplementation, OperationImplementationContext

P = ParamSpec("P")
R = TypeVar("R", covariant=True)
Stub = TypeVar("Stub", bound=Callable[..., Any])
Context = TypeVar("Context", bound=OperationImplementationContext)

__all__ = ["FunctionImplementation", "implementation_of", "op", "refuse_mismatch"]


class FunctionContext(OperationImplementationContext):
    """One call of a function."""

    async def run(self, inputs: dict[str, Any]) -> Any:
        """Call the function; a generator is returned for the caller to iterate."""
        parent = self.parent
        assert isinstance(parent, FunctionImplementation)
        returned = parent.function(**parent.arguments(self, inputs))
        if inspect.isawaitable(returned):
            returned = await returned
        parent.check(returned)
        if parent.wrapped_output is None:
            return returned
        if inspect.isasyncgen(returned):
            return _wrapping(returned, parent.wrapped_output)
        return None if returned is None else {parent.wrapped_output: returned}


async def _wrapping(generator: Any, output: str) -> Any:
    async for value in generator:
        yield {output: value}


class FunctionImplementation(OperationImplementation):
    """The implementation of a decorated function.

    ``wrapped_output`` names the output that a bare return value is (None: the function returns mappings); ``wanted``
    maps parameters to what the engine fills them with (self, logger, env, config). ``plain`` functions want nothing and
    enter nothing: they are called as they are.
    """

    CONTEXT = FunctionContext
    function: Callable[..., Any]
    wrapped_output: str | None = None
    wanted: Mapping[str, str] = {}
    plain = True
    refuses_none = False

    def arguments(self, call: OperationImplementationContext, inputs: dict[str, Any]) -> dict[str, Any]:
        """Return what the function is called with: the inputs, and what it wants of the engine."""
        if not self.wanted:
            return inputs
        filled = dict(inputs)
        for name, what in self.wanted.items():
            filled[name] = _WANTED[what](call)
        return filled

    def check(self, returned: Any) -> None:
        """Raise ValueError for None where the function has to give something."""
        if returned is None and self.refuses_none:
            raise ValueError(f"{self.op.name} returned None, and valid_return_none is False")

    def checked(self, /, **arguments: Any) -> Any:
        """Call the function and check what it returns; its coroutine is returned for the caller to await."""
        returned = self.function(**arguments)
        if inspect.iscoroutine(returned):
            return self._checked_later(returned)
        self.check(returned)
        return returned

    async def _checked_later(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        returned = await coroutine
        self.check(returned)
        return returned


_WANTED: dict[str, Callable[[OperationImplementationContext], Any]] = {
    "self": lambda call: call,
    "logger": lambda call: call.logger,
    "env": lambda call: dict(os.environ),
    "config": lambda call: call.config,
}


class Decorated(Protocol[P, R]):
    """A function that `op` has made an operation of: still callable, as before."""

    op: Operation
    imp: type[OperationImplementation]
    test: Callable[..., Awaitable[Any]]
    estimate: Callable[[Stub], Stub]

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        """Call the function itself."""
        ...


class Decorator(Protocol):
    """What `op` with keywords returns."""

    @overload  # a class is callable too, and is meant as the class it is
    def __call__(self, decorated: type[Context], /) -> type[Context]: ...  # type: ignore[overload-overlap]
    @overload
    def __call__(self, decorated: Callable[P, R], /) -> Decorated[P, R]: ...


@overload  # a class is callable too, and is meant as the class it is
def op(decorated: type[Context], /) -> type[Context]: ...  # type: ignore[overload-overlap]
@overload
def op(decorated: Callable[P, R], /) -> Decorated[P, R]: ...
@overload
def op(**kwargs: Any) -> Decorator: ...
def op(*args: Any, **kwargs: Any) -> Any:
    """Make an operation of a function, coroutine, async generator, or subclass of `OperationImplementationContext`.

    Used bare, or with any field of `Operation` (``name inputs outputs stage conditions expand retry validator
    instance_name executor concurrency timeout backoff conditions_mode pool``), and with ``imp_enter`` and ``ctx_enter``
    (attributes to enter per implementation, and per call), ``config_cls`` (the class of its configuration),
    ``multi_output`` (False: the return value is the one output itself) and ``valid_return_none`` (False: None is
    refused where an output was promised).

    Without ``inputs`` and ``outputs`` the definitions come from the annotations, and the return value is the output
    ``result``. Raises `LoadError` (SignatureMismatch) when the parameters do not fit what is declared.
    """
    if len(args) == 1 and not kwargs and callable(args[0]):
        return _decorate(args[0], {})
    if args:
        raise LoadError("op takes keywords only, such as @op(inputs={...})", reason="SignatureMismatch")
    return lambda decorated: _decorate(decorated, dict(kwargs))


def implementation_of(function: Callable[..., Any], operation: Operation) -> type[OperationImplementation]:
    """Return the implementation of a declared operation by a function that nobody has decorated, and leave that alone.

    Raises `LoadError` (SignatureMismatch) when its parameters do not fit what is declared.
    """
    said = {"name": operation.name, "inputs": operation.inputs, "outputs": operation.outputs}
    return _made_of(function, said)[1]


def _decorate(decorated: Any, said: dict[str, Any]) -> Any:
    operation, implementation = _made_of(decorated, said)
    return _finish(decorated, operation, implementation)


def _made_of(decorated: Any, said: dict[str, Any]) -> tuple[Operation, type[OperationImplementation]]:
    imp_enter: Enter | None = said.pop("imp_enter", None)
    ctx_enter: Enter | None = said.pop("ctx_enter", None)
    config_cls: type | None = said.pop("config_cls", None)
    multi_output: bool = said.pop("multi_output", True)
    valid_return_none: bool = said.pop("valid_return_none", True)
    if "name" not in said:
        said["name"] = name_of(decorated)
    if inspect.isclass(decorated) and issubclass(decorated, OperationImplementationContext):
        operation = _operation(said)
        made = {"op": operation, "CONTEXT": decorated, "CONFIG": config_cls, "ENTER": imp_enter}
        return operation, type(f"{decorated.__name__}Implementation", (OperationImplementation,), made)
    if inspect.isgeneratorfunction(decorated):
        said_wrong = f"{said['name']} is a plain generator; make it an async generator (async def with yield)"
        raise LoadError(said_wrong, reason="SignatureMismatch", path=said["name"])
    if "inputs" not in said:
        said["inputs"] = inputs_of(decorated, said["name"], config_cls)
    if "outputs" not in said:
        said["outputs"] = outputs_of(decorated, said["name"])
        multi_output = False
    operation = _operation(said)
    wanted = wants(decorated, config_cls)
    refuse_mismatch(decorated, operation, wanted)
    context = type("FunctionContext", (FunctionContext,), {"ENTER": ctx_enter}) if ctx_enter else FunctionContext
    only = next(iter(operation.outputs)) if not multi_output and len(operation.outputs) == 1 else None
    made = {
        "op": operation,
        "CONTEXT": context,
        "CONFIG": config_cls,
        "ENTER": imp_enter,
        "function": staticmethod(decorated),
        "wrapped_output": only,
        "wanted": wanted,
        "plain": not (wanted or imp_enter or ctx_enter) and valid_return_none,
        "refuses_none": not valid_return_none,
    }
    return operation, type(f"{_word(decorated)}Implementation", (FunctionImplementation,), made)


def _word(decorated: Any) -> str:
    return str(getattr(decorated, "__name__", type(decorated).__name__))


_OWN = {"imp_enter", "ctx_enter", "config_cls", "multi_output", "valid_return_none"}
_KEYWORDS = _OWN | {item.name for item in dataclasses.fields(Operation)}


def _operation(said: dict[str, Any]) -> Operation:
    for side in ("inputs", "outputs"):
        for name, definition in (said.get(side) or {}).items():
            if not isinstance(definition, Definition):
                raise LoadError(
                    f'{said["name"]}: {side}["{name}"] has to be a Definition, not {definition!r}',
                    reason="SignatureMismatch",
                    path=said["name"],
                )
    for keyword in said:
        if keyword not in _KEYWORDS:
            wrong = f'{said["name"]}: op has no keyword "{keyword}" {did_you_mean(keyword, _KEYWORDS)}'
            raise LoadError(wrong, reason="SignatureMismatch", path=said["name"])
    return Operation(**said)


def _finish(decorated: Any, operation: Operation, implementation: type[OperationImplementation]) -> Any:
    async def test(**inputs: Any) -> Any:
        """Call the operation once, outside any data flow."""
        async with implementation(None) as imp, imp(None, None) as call:
            return await call.run(inputs)

    decorated.op = operation
    decorated.imp = implementation

    def estimate(stub: Stub) -> Stub:
        """Take what a function returns as the estimate of a call: it has the parameters of the operation, or some of
        them, and returns an `Estimate`."""
        return _stubbed(operation, implementation, stub)

    decorated.test = test
    if not hasattr(decorated, "estimate"):  # a class may have one of its own
        decorated.estimate = estimate
    return decorated


def _stubbed(operation: Operation, implementation: type[OperationImplementation], stub: Stub) -> Stub:
    if not callable(stub) or inspect.iscoroutinefunction(stub):
        said = f"{operation.name}: an estimate is a plain function (def), as it says what a call needs and makes none"
        raise LoadError(said, reason="SignatureMismatch", path=operation.name)
    parameters = inspect.signature(stub).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if name not in operation.inputs or parameter.kind is parameter.POSITIONAL_ONLY:
            said = f'{operation.name}: its estimate has a parameter "{name}" {did_you_mean(name, operation.inputs)}'
            raise LoadError(said, reason="SignatureMismatch", path=operation.name)
    names = None if takes_any else frozenset(parameters)
    implementation.ESTIMATE = (stub, names)
    return stub


def refuse_mismatch(function: Callable[..., Any], operation: Operation, wanted: Mapping[str, str]) -> None:
    """Refuse a function that cannot be called with the declared inputs, before anything calls it.

    Raises `LoadError` (SignatureMismatch).
    """
    parameters = inspect.signature(function).parameters
    takes_any = any(parameter.kind is parameter.VAR_KEYWORD for parameter in parameters.values())
    problems = [f'missing parameter "{name}"' for name in operation.inputs if name not in parameters and not takes_any]
    for name, parameter in parameters.items():
        if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        if parameter.kind is parameter.POSITIONAL_ONLY:
            problems.append(f'parameter "{name}" is positional only')
        required = parameter.default is parameter.empty and name not in wanted and name not in GIVEN_BY_ENGINE
        if required and name not in operation.inputs:
            problems.append(f'parameter "{name}" is not among the declared inputs')
    if problems:
        raise LoadError(f"{operation.name}: {'; '.join(problems)}", reason="SignatureMismatch", path=operation.name)

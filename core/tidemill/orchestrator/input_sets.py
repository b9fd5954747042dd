"""What a run is given: input sets in every spelling, as one stream of (context, inputs).

Contexts that come from a generator are opened as there is room for them, so a run may be longer than memory.
"""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import AsyncIterable, AsyncIterator, Iterable, Mapping
from typing import Any, TypeVar

from tidemill.errors import InvalidInput, shown
from tidemill.model.context import BaseInputSet, BaseInputSetContext, StringInputSetContext
from tidemill.model.input import Input

__all__ = ["InputSets", "closing", "normalised"]

InputSets = Any
"""A mapping {context: [Input, …]}, a list of inputs, a `MemoryInputSet`, or an (async) iterable of (context,
inputs)."""

Thing = TypeVar("Thing")

Pair = tuple[BaseInputSetContext, list[Input]]


@contextlib.asynccontextmanager
async def closing(things: AsyncIterator[Thing]) -> AsyncIterator[AsyncIterator[Thing]]:
    """Give an async iterator for as long as it is used, and close it then if it is a generator: one that is left early
    cleans up at once, not when it happens to be collected."""
    try:
        yield things
    finally:
        if inspect.isasyncgen(things):
            await things.aclose()


async def normalised(sets: Iterable[InputSets], ctx: BaseInputSetContext | str | None) -> AsyncIterator[Pair]:
    """Yield (context, inputs) for all that a run is given; one context without inputs if that is nothing.

    Lists of inputs go into ``ctx`` together if that is given, else each into a context of its own with a random
    name. Raises `InvalidInput` for what is none of the spellings.
    """
    together: list[Input] = []
    empty = True
    for given in sets:
        empty = False
        if isinstance(given, Mapping):
            for name, inputs in given.items():
                yield _context(name), list(inputs)
        elif isinstance(given, BaseInputSet):
            yield given.ctx, [item async for item in given.inputs()]
        elif isinstance(given, (list, tuple)):
            inputs = _inputs(given)
            if ctx is None:
                yield StringInputSetContext(), inputs
            else:
                together.extend(inputs)
        else:
            async with closing(_streamed(given)) as pairs:
                async for pair in pairs:
                    yield pair
    if together or empty:
        yield _context(ctx) if ctx is not None else StringInputSetContext(), together


def _context(name: Any) -> BaseInputSetContext:
    if isinstance(name, BaseInputSetContext):
        return name
    if isinstance(name, str):
        return StringInputSetContext(name)
    raise InvalidInput(f"a context is named by a string or a BaseInputSetContext, not {shown(name)}")


def _inputs(given: Iterable[Any]) -> list[Input]:
    inputs = list(given)
    for item in inputs:
        if not isinstance(item, Input):
            raise InvalidInput(f"a list of inputs holds Input objects, not {shown(item)}")
    return inputs


async def _streamed(given: Any) -> AsyncIterator[Pair]:
    if isinstance(given, AsyncIterable):
        async with closing(aiter(given)) as items:
            async for item in items:
                yield await _pair(item)
    elif isinstance(given, Iterable) and not isinstance(given, (str, bytes)):
        try:
            for item in given:
                yield await _pair(item)
        finally:
            if inspect.isgenerator(given):
                given.close()
    else:
        raise InvalidInput(
            f"{shown(given)} is no input set; expected {{context: [Input, …]}}, [Input, …], a MemoryInputSet, or an "
            "(async) iterable of (context, [Input, …])"
        )


async def _pair(item: Any) -> Pair:
    if isinstance(item, BaseInputSet):
        return item.ctx, [one async for one in item.inputs()]
    if isinstance(item, tuple) and len(item) == 2:
        return _context(item[0]), _inputs(item[1])
    raise InvalidInput(f"{shown(item)} is no (context, [Input, …]), as a stream of contexts holds")

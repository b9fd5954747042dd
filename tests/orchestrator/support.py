"""Short ways to run a data flow and look at what became of it."""

from __future__ import annotations

from collections.abc import AsyncIterable, AsyncIterator
from typing import Any, TypeVar

from tidemill import DataFlow, Definition, Input, MemoryOrchestrator, OperationFailure, Outcome

T = TypeVar("T")

SINGLE = Definition("get_single_spec", "array")
MULTI = Definition("get_multi_spec", "array")


async def listed(things: AsyncIterable[T]) -> list[T]:
    """Return all that an async iterable gives."""
    return [thing async for thing in things]


async def outcome_of(flow: DataFlow, *inputs: Input, strict: bool = True, **orchestrator: Any) -> Outcome:
    """Run one context, called "ctx", over these inputs."""
    async with MemoryOrchestrator(**orchestrator) as made, made(flow, strict=strict) as octx:
        (outcome,) = await listed(octx.outcomes({"ctx": list(inputs)}))
        return outcome


async def result_of(flow: DataFlow, *inputs: Input) -> dict[str, Any]:
    """Return the result of one context that succeeds."""
    outcome = await outcome_of(flow, *inputs)
    assert outcome.failure is None, str(outcome.failure)
    assert outcome.result is not None
    return outcome.result


async def failure_of(flow: DataFlow, *inputs: Input) -> OperationFailure:
    """Return why one context failed."""
    outcome = await outcome_of(flow, *inputs)
    assert outcome.failure is not None, outcome.result
    return outcome.failure


async def streamed(*items: T) -> AsyncIterator[T]:
    """Give these one after another."""
    for item in items:
        yield item

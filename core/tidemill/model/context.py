"""A context is the barrier inside which inputs meet: one run of a data flow over its own inputs.

Here is how a context is named and how its inputs are handed over; what it is while it runs belongs to the backend.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

from tidemill.model.definition import Definition
from tidemill.model.input import Input

__all__ = [
    "BaseContextHandle",
    "BaseInputSet",
    "BaseInputSetContext",
    "MemoryInputSet",
    "MemoryInputSetConfig",
    "StringContextHandle",
    "StringInputSetContext",
]


class BaseContextHandle:
    """What a context is known by; `as_string` is its identity."""

    def __init__(self, ctx: BaseInputSetContext) -> None:
        self.ctx = ctx

    def as_string(self) -> str:
        """Return the name of the context."""
        raise NotImplementedError


class StringContextHandle(BaseContextHandle):
    """What a context is known by whose ``str`` is its name."""

    def as_string(self) -> str:
        """Return the name of the context."""
        return str(self.ctx)


class BaseInputSetContext:
    """Names a context; subclasses are given back to the caller as the same object."""

    async def handle(self) -> BaseContextHandle:
        """Return the handle whose string is the identity of the context."""
        return StringContextHandle(self)


class StringInputSetContext(BaseInputSetContext):
    """A context named by a string."""

    def __init__(self, as_string: str = "") -> None:
        self.as_string = as_string or uuid.uuid4().hex

    def __repr__(self) -> str:
        return self.as_string

    def __str__(self) -> str:
        return self.as_string


@dataclass
class MemoryInputSetConfig:
    """A context and the inputs for it."""

    ctx: BaseInputSetContext
    inputs: list[Input] = field(default_factory=list)


class BaseInputSet:
    """Inputs that enter one context together: whatever has ``ctx`` and yields its ``inputs``."""

    def __init__(self, config: Any) -> None:
        self.config = config
        self.ctx: BaseInputSetContext = config.ctx

    def inputs(self) -> AsyncIterator[Input]:
        """Yield the inputs."""
        raise NotImplementedError


class MemoryInputSet(BaseInputSet):
    """Inputs that enter one context together, as a list."""

    config: MemoryInputSetConfig

    def __iter__(self) -> Iterator[Input]:
        return iter(self.config.inputs)

    async def add(self, item: Input) -> None:
        """Put one more input into the set."""
        self.config.inputs.append(item)

    async def inputs(self) -> AsyncIterator[Input]:
        """Yield the inputs as given."""
        for item in self.config.inputs:
            yield item

    async def definitions(self) -> set[Definition]:
        """Return the definitions of the inputs."""
        return {item.definition for item in self.config.inputs}

    async def remove_input(self, item: Input) -> None:
        """Take out the input with the identity of ``item``, if there is one."""
        for at, other in enumerate(self.config.inputs):
            if other.uid == item.uid:
                del self.config.inputs[at]
                return

    async def remove_unvalidated_inputs(self) -> MemoryInputSet:
        """Take out the inputs that a validator has still to see, and return them as a set of their own."""
        unseen = [item for item in self.config.inputs if not item.validated]
        self.config.inputs[:] = [item for item in self.config.inputs if item.validated]
        return MemoryInputSet(MemoryInputSetConfig(ctx=self.ctx, inputs=unseen))

    async def _asdict(self) -> dict[str, Any]:
        return {item.definition.name: item.value for item in self.config.inputs}

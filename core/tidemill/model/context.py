"""A context is the barrier inside which inputs meet: one run of a data flow over its own inputs.

Here is how a context is named and how its inputs are handed over; what it is while it runs belongs to the backend.
"""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field

from tidemill.model.definition import Definition
from tidemill.model.input import Input

__all__ = [
    "BaseInputSetContext",
    "MemoryInputSet",
    "MemoryInputSetConfig",
    "StringContextHandle",
    "StringInputSetContext",
]


class StringContextHandle:
    """What a context is known by; `as_string` is its identity."""

    def __init__(self, context: BaseInputSetContext) -> None:
        self.ctx = context

    def as_string(self) -> str:
        """Return the name of the context."""
        return str(self.ctx)


class BaseInputSetContext:
    """Names a context; subclasses are given back to the caller as the same object."""

    async def handle(self) -> StringContextHandle:
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


class MemoryInputSet:
    """Inputs that enter one context together."""

    def __init__(self, config: MemoryInputSetConfig) -> None:
        self.config = config
        self.ctx = config.ctx

    def __iter__(self) -> Iterator[Input]:
        return iter(self.config.inputs)

    async def inputs(self) -> AsyncIterator[Input]:
        """Yield the inputs as given."""
        for item in self.config.inputs:
            yield item

    async def definitions(self) -> set[Definition]:
        """Return the definitions of the inputs."""
        return {item.definition for item in self.config.inputs}

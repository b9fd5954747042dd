"""Operations that the tests of the server serve; what they wait for is told by the test."""

from __future__ import annotations

import asyncio
from typing import Any

from tidemill import DataFlow, Definition, GetSingle, Input, op

__all__ = ["CANCELLED", "RELEASED", "STARTED", "agent", "flow", "greet", "hold", "measure"]

NAME, GREETING = Definition("name", "string"), Definition("greeting", "string")
BLOB, SIZE, RAW = Definition("blob", "bytes"), Definition("size", "int"), Definition("raw", "bytes")
HEADERS, AGENT = Definition("headers", "map"), Definition("agent", "string")
COUNT, HELD = Definition("count", "int"), Definition("held", "string")

STARTED: dict[str, asyncio.Event] = {}
"""Is set when `hold` runs with this name; the test puts it there."""
RELEASED: dict[str, asyncio.Event] = {}
"""What `hold` waits for."""
CANCELLED: dict[str, asyncio.Event] = {}
"""Is set when `hold` is cancelled."""


@op(inputs={"name": NAME}, outputs={"greeting": GREETING})
async def greet(name: str) -> dict[str, Any]:
    if name == "nobody":
        raise ValueError("there is nobody to greet")
    return {"greeting": f"Hello, {name}!"}


@op(inputs={"name": NAME}, outputs={"held": HELD})
async def hold(name: str) -> dict[str, Any]:
    STARTED[name].set()
    try:
        await RELEASED[name].wait()
    except asyncio.CancelledError:
        CANCELLED[name].set()
        raise
    return {"held": name}


@op(inputs={"blob": BLOB}, outputs={"size": SIZE, "raw": RAW})
async def measure(blob: bytes) -> dict[str, Any]:
    return {"size": len(blob), "raw": blob[::-1]}


@op(inputs={"headers": HEADERS}, outputs={"agent": AGENT})
async def agent(headers: dict[str, str]) -> dict[str, Any]:
    return {"agent": " ".join(f"{name}={value}" for name, value in sorted(headers.items()) if name.startswith("X-"))}


def flow(*operations: Any, get: str, known: tuple[Definition, ...] = (COUNT,)) -> DataFlow:
    """The data flow of these operations whose result is the last value of ``get``."""
    made = DataFlow(*operations, GetSingle, seed=[Input([get], GetSingle.op.inputs["spec"])])
    made.definitions.update({definition.name: definition for definition in known})
    return made

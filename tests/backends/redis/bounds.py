"""What a call may do at the store, counted in commands: seconds would say more of the machine."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any

from tests.backends.redis.races import World

__all__ = ["BOUND", "bounded", "commands"]

BOUND = 1_500
"""Commands of one call."""


async def commands(world: World) -> dict[str, int]:
    """Return how often each command was carried out, those of functions too."""
    found = await world.redis.info("commandstats")
    return {name.removeprefix("cmdstat_"): int(said["calls"]) for name, said in found.items()}


async def bounded(world: World, call: Awaitable[Any], bound: float = BOUND) -> Any:
    """Make calls, see that none did more than that on the average, and return the answer."""
    before = await commands(world)
    answer = await call
    after = await commands(world)
    done = {name: count - before.get(name, 0) for name, count in after.items() if name != "info"}
    calls = max(1, done.get("fcall", 0))
    largest = sorted(done.items(), key=lambda one: -one[1])[:5]
    assert sum(done.values()) <= bound * calls, f"{sum(done.values())} commands in {calls} calls: {largest}"
    return answer

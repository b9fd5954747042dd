"""Plays simulated worlds one after the other, counts what they came to, and says how to repeat one that went wrong."""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from tests.simulation.verdict import judge
from tests.simulation.wire import Wire
from tests.simulation.world import World
from tidemill.backends.redis.library import assembled

__all__ = ["SEEDS", "Broken", "kept", "load", "play", "play_all"]

SEEDS = Path(__file__).with_name("seeds.txt")
"""Where the numbers are kept of worlds that have gone wrong."""


class Broken(AssertionError):
    """A world in which something went wrong: ``number`` is what it was drawn from."""

    def __init__(self, number: int, world: World, error: BaseException) -> None:
        events = "\n".join("  " + " ".join(map(str, event)) for event in world.schedule.events)
        super().__init__(
            f"{type(error).__name__}: {error} ({where(error)})\nrepeat it: python -m tests.simulation --seed {number}\n"
            f"faults: {dict(world.schedule.faults)}\nthe last events (move, seconds, what):\n{events}"
        )
        self.number = number


def where(error: BaseException) -> str:
    """Return the lines through which an error came up, the last first."""
    return ", ".join(
        f"{frame.name}:{frame.lineno}" for frame in reversed(traceback.extract_tb(error.__traceback__)[-5:])
    )


def load(wire: Wire, source: str | None = None) -> None:
    """Load the library, or another source in its place."""
    wire.ask("FUNCTION", "LOAD", "REPLACE", assembled() if source is None else source)


def kept() -> list[int]:
    """Return the numbers of worlds that have gone wrong before."""
    lines = [line.partition("#")[0].strip() for line in SEEDS.read_text("utf-8").splitlines()]
    return [int(line) for line in lines if line]


def play(wire: Wire, url: str, number: int) -> Counter[str]:
    """Play one world and return what it came to. Raises `Broken`."""
    wire.ask("FLUSHDB")
    asked = wire.asked
    world = World(wire, url, number)
    asyncio._set_running_loop(world.schedule.loop)  # type: ignore[arg-type]
    try:
        world.run()
        tally = judge(world)
    except Exception as error:
        raise Broken(number, world, error) from error
    finally:
        for actor in list(world.schedule.actors):
            world.schedule.end(actor)
        asyncio._set_running_loop(None)
    tally["moves"] += world.schedule.steps
    tally["commands"] += wire.asked - asked
    tally["audits"] += world.audits
    tally["fault: saved by a beat"] += world.truth.saved
    tally["leases"] += sum(one.leases for one in world.truth.books.sets.values())
    tally.update({f"fault: {kind}": many for kind, many in world.schedule.faults.items()})
    return tally


def play_all(url: str, numbers: Iterable[int], seconds: float = float("inf")) -> Counter[str]:
    """Play worlds until the time is over, and return what they came to. Raises `Broken`."""
    logging.getLogger("tidemill.store").setLevel(logging.ERROR)
    wire, total = Wire(url), Counter[str]()
    over = time.monotonic() + seconds
    try:
        for number in numbers:
            if time.monotonic() > over:
                break
            total.update(play(wire, url, number))
    finally:
        wire.close()
    return total

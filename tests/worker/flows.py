"""A data flow with everything in it that a worker has to get right, whose operations write down that they were called.

Workers import this module by its name. Every call is a line in the journal, a file named by the environment, so that
tests know how often each parameter set was run, by whomever; a lock is also one of the kernel's, which only a process
that lives can hold.
"""

import asyncio
import fcntl
import os
import time
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path

from tidemill import DataFlow, Definition, GetMulti, Input, RunDataFlowConfig, op, run_dataflow

__all__ = [
    "BOTH", "EACH", "FLOW", "FOLDER", "HOARD", "SETS", "SLOW", "WHOLE", "calls_of", "expected", "given", "number",
    "result",
]  # fmt: skip

FOLDER = "TIDEMILL_TEST_FOLDER"
"""The variable that names the folder of the journal."""
CHUNK = 1 << 23
"""Bytes that `hoard` takes at once."""
PACE = 0.01
"""Seconds that an operation takes at least."""

NUMBER = Definition("number", "int")
PLUS = Definition("plus", "int")
TWICE = Definition("twice", "int")
STUBBORN = Definition("stubborn", "int")
ITEM = Definition("item", "int")
SQUARE = Definition("square", "int")
FAR = Definition("far", "int")
SHARED = Definition("shared", "str", lock=True)
USED = Definition("used", "int")
INNER = Definition("inner", "int")
SLEPT = Definition("slept", "int")
DOZED = Definition("dozed", "int")
FLOWS = run_dataflow.op.inputs["inputs"]
LATER = ("refused", "stubborn", "several", "use")


def note(word: str, *about: object) -> None:
    """Add a line to the journal; a line is written as a whole."""
    line = " ".join([word, *map(str, about)]) + "\n"
    journal = os.open(Path(os.environ[FOLDER]) / "journal", os.O_WRONLY | os.O_APPEND | os.O_CREAT)
    try:
        os.write(journal, line.encode())
    finally:
        os.close(journal)


def _may_end() -> bool:
    return (Path(os.environ[FOLDER]) / "go").exists()


def calls_of(folder: Path) -> list[str]:
    """Return the lines of the journal."""
    path = folder / "journal"
    return path.read_text().splitlines() if path.exists() else []


@op(inputs={"n": NUMBER}, outputs={"plus": PLUS})
async def plus(n: int) -> dict[str, int]:
    """Begin a chain."""
    note("plus", n)
    await asyncio.sleep(PACE)
    return {"plus": n + 1}


@op(inputs={"n": PLUS}, outputs={"twice": TWICE})
def twice(n: int) -> dict[str, int]:
    """Go on with it, on a thread."""
    note("twice", n)
    time.sleep(PACE)
    return {"twice": 2 * n}


@op(inputs={"n": TWICE}, outputs={"stubborn": STUBBORN}, retry=3, backoff=0.05)
async def stubborn(n: int) -> dict[str, int]:
    """Fail the first time that anybody calls it."""
    first = Path(os.environ[FOLDER]) / f"tried-{n}"
    if not first.exists():
        note("refused", n)  # first: whoever is killed in between has it refused once more, and not unheard of
        first.touch()
        raise RuntimeError("not yet")
    note("stubborn", n)
    return {"stubborn": n}


@op(inputs={"n": STUBBORN}, outputs={"item": ITEM})
async def several(n: int) -> AsyncIterator[dict[str, int]]:
    """Give inputs while it still runs."""
    note("several", n)
    for at in range(3):
        await asyncio.sleep(PACE)
        yield {"item": 10 * n + at}


@op(inputs={"n": ITEM}, outputs={"square": SQUARE})
async def square(n: int) -> dict[str, int]:
    """Take each of them."""
    note("square", n)
    return {"square": n * n}


@op(inputs={"n": STUBBORN, "shared": SHARED}, outputs={"used": USED})
async def use(n: int, shared: str) -> dict[str, int]:
    """Use what only one may use at a time."""
    note("use", n)
    with (Path(os.environ[FOLDER]) / f"lock-{shared}").open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            note("OVERLAP", shared, n)
        await asyncio.sleep(PACE)
    return {"used": n}


@op(inputs={"n": USED}, outputs={"far": FAR}, executor="process")
def far(n: int) -> dict[str, int]:
    """Run in another process."""
    note("far", n)
    return {"far": -n}


@op(inputs={"n": USED}, outputs={"far": FAR}, executor="subprocess")
def farther(n: int) -> dict[str, int]:
    """Run in a process of its own."""
    note("farther", n)
    return {"far": -n - 1}


@op(inputs={"n": NUMBER}, outputs={"inner": INNER})
async def inner(n: int) -> dict[str, int]:
    """Run in a child context."""
    note("inner", n)
    return {"inner": n * 7}


@op(inputs={"n": STUBBORN}, outputs={"flows": FLOWS})
async def divide(n: int) -> dict[str, object]:
    """Say what is to run below."""
    return {"flows": {f"below-{n}": [{"value": n, "definition": "number"}]}}


@op(inputs={"n": NUMBER}, outputs={"slept": SLEPT})
async def sleep(n: int) -> dict[str, int]:
    """Go on until a file says that all may end."""
    note("sleep", n)
    for _ in iter(_may_end, True):
        await asyncio.sleep(PACE)
    return {"slept": n}


@op(inputs={"n": NUMBER}, outputs={"dozed": DOZED})
def doze(n: int) -> dict[str, int]:
    """Do that on a thread, where nobody can cancel it."""
    note("doze", n)
    while not _may_end():
        time.sleep(PACE)
    return {"dozed": n}


@op(inputs={"n": NUMBER}, outputs={"slept": SLEPT})
async def hoard(n: int) -> dict[str, int]:
    """Fill this much memory, and keep it."""
    note("hoard", n)
    kept = []
    for _ in range(n // CHUNK):
        kept.append(bytearray(CHUNK))
        await asyncio.sleep(PACE)
    await asyncio.Event().wait()
    return {"slept": len(kept)}


MULTI = GetMulti.op.inputs["spec"]
BELOW = DataFlow(inner, GetMulti, seed=[Input(["inner"], MULTI)])

FLOW = DataFlow(plus, twice, stubborn, several, square, use, GetMulti, seed=[Input(["square", "used"], MULTI)])
"""A chain, further tries, a generator and a lock."""
EACH = {"plus": 2, "twice": 2, "stubborn": 2, "several": 2, "use": 2, "square": 6, "get_multi": 1}
"""How many parameter sets of each operation one context of `FLOW` has."""
SETS = sum(EACH.values())

WHOLE = DataFlow(
    plus, twice, stubborn, several, square, use, far, farther, divide, GetMulti,
    operations={"below": run_dataflow},
    configs={"below": RunDataFlowConfig(dataflow=BELOW)},
    seed=[Input(["square", "used", "far", "flow_results"], MULTI)],
)  # fmt: skip
"""The same, with processes and with data flows below."""


SLOW = DataFlow(sleep, GetMulti, seed=[Input(["slept"], MULTI)])
"""Calls that end when a test says so."""

HOARD = DataFlow(hoard, GetMulti, seed=[Input(["slept"], MULTI)])
"""A call that fills the memory."""

BOTH = DataFlow(sleep, doze, GetMulti, seed=[Input(["slept", "dozed"], MULTI)])
"""The same, on a thread too."""


def number(n: int) -> Input:
    """Return one number."""
    return Input(n, NUMBER)


def given(number: int) -> list[Input]:
    """Return the inputs of a context: two numbers that no other context has, and what they share."""
    return [Input(2 * number, NUMBER), Input(2 * number + 1, NUMBER), Input(f"s{number}", SHARED)]


def result(number: int) -> dict[str, list[int]]:
    """Return what `FLOW` gives over `given`."""
    stubborns = [2 * (n + 1) for n in (2 * number, 2 * number + 1)]
    items = [10 * n + at for n in stubborns for at in range(3)]
    return {"square": [item * item for item in items], "used": stubborns}


def expected(number: int) -> Counter[str]:
    """Return the calls of `FLOW` over `given`, as the journal has them when nothing goes wrong."""
    found: Counter[str] = Counter()
    for n in (2 * number, 2 * number + 1):
        late = 2 * (n + 1)
        found.update([f"plus {n}", f"twice {n + 1}", *(f"{word} {late}" for word in LATER)])
        found.update(f"square {10 * late + at}" for at in range(3))
    return found

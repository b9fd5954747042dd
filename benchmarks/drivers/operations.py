"""The operations and the right answers, the same for every system. Python 3.8 syntax.

Operations do next to nothing, so that what is measured is the engine. Each maker returns a new function, since a
decorator that writes to its function must not see the same one twice.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Function = Callable[..., Any]


def advance(kind: str) -> Function:
    """The no-op: moves its number on by one, so that the end of a chain can be checked."""

    async def coroutine(x: int) -> dict[str, int]:
        return {"result": x + 1}

    def function(x: int) -> dict[str, int]:
        return {"result": x + 1}

    return coroutine if kind == "coroutine" else function


def advance_below(limit: int) -> Function:
    """Moves its number on by one until it is `limit`; then it gives nothing, which ends the generations."""

    async def step(x: int) -> dict[str, int] | None:
        return {"result": x + 1} if x < limit else None

    return step


def multiply() -> Function:
    """Takes two numbers."""

    async def pair(a: int, b: int) -> dict[str, int]:
        return {"result": a * b}

    return pair


class Sink:
    """Takes numbers and gives nothing; keeps how many came and their sum, to prove that each came once."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0

    def operation(self) -> Function:
        """The operation that takes them."""

        async def sink(x: int) -> None:
            self.count += 1
            self.total += x

        return sink

    def checksum(self) -> int:
        """One number for both."""
        return self.total * 1_000_000 + self.count


def number_sum(n: int) -> int:
    """0 + 1 + … + (n - 1)."""
    return n * (n - 1) // 2


EXPECTED: dict[str, Callable[[int], int]] = {
    "chains": lambda n: number_sum(n) + 3 * n,
    "contexts": lambda n: number_sum(n) + 3 * n,
    "fan": lambda n: (number_sum(n) + n) * 1_000_000 + n,
    "product": lambda n: number_sum(n) ** 2,
    "ancestry": lambda n: (number_sum(n + 1) - 3) * 1_000_000 + (n - 2) + n,
}
"""case → the checksum of a right run of size n. In `ancestry` the sink sees 3, 4, … n and Associate finds n."""


def check(case: str, n: int, checksum: int) -> None:
    """Raises AssertionError when a run gave wrong results: a wrong result has no speed."""
    want = EXPECTED[case](n)
    if checksum != want:
        raise AssertionError(f"{case} of size {n} gave checksum {checksum}, not {want}")

"""The queue: one pass at a time for each object, none is lost, and errors cost time and nothing else."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from tidemill.errors import TidemillError
from tidemill_operator import work as module
from tidemill_operator.work import Item, Work

Process = Callable[[Item], Awaitable[float | None]]


@asynccontextmanager
async def working(work: Work, process: Process) -> AsyncIterator[None]:
    task = asyncio.create_task(work.run(process))
    try:
        async with asyncio.timeout(120):
            yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


class Passes:
    """Passes that wait until a test lets them end."""

    def __init__(self, after: float | None = None) -> None:
        self.began: asyncio.Queue[str] = asyncio.Queue()
        self.go = asyncio.Event()
        self.running: Counter[str] = Counter()
        self.most: Counter[str] = Counter()
        self.after = after

    async def __call__(self, item: Item) -> float | None:
        self.running[item.uid] += 1
        self.most[item.uid] = max(self.most[item.uid], self.running[item.uid])
        self.most["all"] = max(self.most["all"], self.running.total())
        self.began.put_nowait(item.uid)
        try:
            await self.go.wait()
        finally:
            self.running[item.uid] -= 1
        return self.after


def wake(work: Work, uid: str, after: float = 0.0) -> None:
    work.wake(uid, "DataFlow", "ns", uid, after)


async def test_one_pass_at_a_time_and_one_more_for_whatever_came_meanwhile() -> None:
    work, passes = Work(4), Passes()
    async with working(work, passes):
        wake(work, "a")
        assert await passes.began.get() == "a"
        for _ in range(5):
            wake(work, "a")
        passes.go.set()
        assert await passes.began.get() == "a"
        wake(work, "b")
        assert await passes.began.get() == "b"
        assert passes.began.empty()
    assert passes.most["a"] == 1


async def test_only_so_many_at_once() -> None:
    work, passes = Work(3), Passes()
    async with working(work, passes):
        for number in range(10):
            wake(work, str(number))
        for _ in range(3):
            await passes.began.get()
        passes.go.set()
        seen = {await passes.began.get() for _ in range(7)}
        assert len(seen) == 7
    assert passes.most["all"] == 3


async def test_what_a_pass_has_written_itself_is_no_news() -> None:
    work, passes = Work(), Passes(after=1000)
    async with working(work, passes):
        wake(work, "a")
        await passes.began.get()
        work.items["a"].own = frozenset("7")
        work.wake("a", "DataFlow", "ns", "a", version="7")
        passes.go.set()
        wake(work, "b")
        assert await passes.began.get() == "b"
        work.wake("a", "DataFlow", "ns", "a", version="7")
        work.wake("a", "DataFlow", "ns", "a", version="8")
        assert await passes.began.get() == "a"
        assert passes.began.empty()


async def test_news_while_a_pass_is_under_way_are_not_lost_in_its_own() -> None:
    work, passes = Work(), Passes(after=1000)
    async with working(work, passes):
        wake(work, "a")
        await passes.began.get()
        work.items["a"].own = frozenset("7")
        wake(work, "a")
        work.wake("a", "DataFlow", "ns", "a", version="7")
        passes.go.set()
        assert await passes.began.get() == "a"


async def test_a_pass_says_when_the_next_one_is() -> None:
    work, passes = Work(), Passes(after=0.01)
    passes.go.set()
    async with working(work, passes):
        wake(work, "a")
        for _ in range(3):
            await passes.began.get()


async def test_sooner_wins_over_later() -> None:
    work, passes = Work(), Passes()
    passes.go.set()
    async with working(work, passes):
        wake(work, "a", 1000)
        wake(work, "b", 0.01)
        assert await passes.began.get() == "b"
        wake(work, "a", 0.01)
        wake(work, "a", 500)
        assert await passes.began.get() == "a"


async def test_who_is_forgotten_is_not_looked_at() -> None:
    work, passes = Work(), Passes()
    passes.go.set()
    wake(work, "a")
    wake(work, "b", 0.02)
    work.forget("a")
    work.forget("nobody")
    async with working(work, passes):
        assert await passes.began.get() == "b"
        assert passes.began.empty()
    assert list(work.items) == ["b"]


async def test_others_of_a_kind_can_be_woken_together() -> None:
    work, passes = Work(), Passes()
    for uid in ("a", "b", "c"):
        wake(work, uid, 1000)
    work.wake_all("DataFlow", "ns", lambda item: item.uid != "b")
    work.wake_all("DataFlow", "other")
    passes.go.set()
    async with working(work, passes):
        assert {await passes.began.get() for _ in range(2)} == {"a", "c"}


@pytest.mark.parametrize("error", [TidemillError("x", reason="Odd"), RuntimeError("x")])
async def test_errors_are_tried_again_later_and_later(
    error: Exception, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(module, "FIRST", 0.001)
    seen = asyncio.Queue[int]()

    async def process(item: Item) -> float | None:
        seen.put_nowait(item.failures)
        if item.uid == "a" and item.failures < 4:
            raise error
        return None

    work = Work()
    async with working(work, process):
        wake(work, "a")
        assert [await seen.get() for _ in range(5)] == [0, 1, 2, 3, 4]
        wake(work, "b")
        assert await seen.get() == 0  # so the last pass of the other one is over
    assert "a pass over DataFlow ns/a failed, 4 times by now" in caplog.text
    assert ("Traceback" in caplog.text) == isinstance(error, RuntimeError)


def test_an_item_is_small() -> None:
    assert not hasattr(Item("u", "DataFlow", "ns", "n"), "__dict__")

"""Threads for operations that block: how many there are, whose time counts, and what becomes of those given up."""

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.runtime.beside import DEADLINE
from tidemill.runtime.threads import Abandoned, Raised, Threads

SOON = 0.1
VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="untouched")


@pytest.fixture
def release() -> Iterator[threading.Event]:
    released = threading.Event()
    yield released
    released.set()


async def _within(awaitable: Any) -> Any:
    async with asyncio.timeout(DEADLINE):
        return await awaitable


def _failing(error: BaseException) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def _holding(taken: threading.Event, release: threading.Event) -> Callable[[], None]:
    def call() -> None:
        taken.set()
        release.wait(DEADLINE)

    return call


async def test_what_a_call_returns_comes_back() -> None:
    threads = Threads()
    assert await _within(threads.run(lambda: 42)) == 42
    assert await _within(threads.run(lambda: 42, seconds=DEADLINE)) == 42
    threads.close()


async def test_a_call_runs_on_another_thread_that_does_not_hold_up_the_end_of_the_program() -> None:
    threads = Threads()
    found = await _within(threads.run(threading.current_thread))
    threads.close()
    assert found is not threading.current_thread()
    assert found.daemon
    assert found.name.startswith("tidemill-")


@pytest.mark.parametrize("error", [LookupError("no"), StopIteration(1), SystemExit(2), KeyboardInterrupt()])
@pytest.mark.parametrize("seconds", [None, DEADLINE])
async def test_whatever_a_call_raises_is_carried(error: BaseException, seconds: float | None) -> None:
    threads = Threads(size=1)
    with pytest.raises(Raised) as raised:
        await _within(threads.run(_failing(error), seconds))
    assert raised.value.error is error
    assert await _within(threads.run(lambda: "the thread goes on")) == "the thread goes on"
    threads.close()


async def test_a_thread_is_used_again() -> None:
    threads = Threads()
    found = {await _within(threads.run(threading.get_ident)) for _ in range(20)}
    threads.close()
    assert len(found) == 1


async def test_there_are_as_many_threads_as_there_are_calls_up_to_the_size() -> None:
    threads = Threads(size=3)
    together = threading.Barrier(3)
    idents = await _within(asyncio.gather(*(threads.run(lambda: (together.wait(DEADLINE), threading.get_ident())[1])
                                            for _ in range(9))))  # fmt: skip
    threads.close()
    assert len(set(idents)) == 3


async def test_a_call_sees_the_context_variables_of_its_caller_and_keeps_its_own() -> None:
    threads = Threads(size=1)

    def swap() -> str:
        before = VARIABLE.get()
        VARIABLE.set("of the thread")
        return before

    token = VARIABLE.set("of the caller")
    assert await _within(threads.run(swap)) == "of the caller"
    assert VARIABLE.get() == "of the caller"
    VARIABLE.reset(token)
    assert await _within(threads.run(swap)) == "untouched"
    threads.close()


async def test_a_call_that_is_over_its_time_is_given_up_and_its_thread_replaced(release: threading.Event) -> None:
    threads = Threads(size=1)
    with pytest.raises(Abandoned, match=f"has not returned within {SOON:g} s; its thread was given up"):
        await _within(threads.run(release.wait, SOON))
    assert await _within(threads.run(lambda: "another thread")) == "another thread"
    threads.close()


async def test_a_thread_that_was_given_up_serves_again_when_it_is_free(release: threading.Event) -> None:
    threads = Threads(size=1)
    stuck: list[int] = []

    def stay() -> None:
        stuck.append(threading.get_ident())
        release.wait()

    with pytest.raises(Abandoned):
        await _within(threads.run(stay, SOON))
    release.set()
    together = threading.Barrier(2)
    both = [threads.run(lambda: (together.wait(DEADLINE), threading.get_ident())[1]) for _ in range(2)]
    assert stuck[0] in await _within(asyncio.gather(*both))
    threads.close()


async def test_the_time_runs_from_when_a_thread_takes_the_call(release: threading.Event) -> None:
    threads = Threads(size=1)
    taken = threading.Event()
    first = asyncio.create_task(threads.run(_holding(taken, release)))
    await asyncio.get_running_loop().run_in_executor(None, taken.wait, DEADLINE)
    enough = 20 * SOON  # also for a thread that gets no turn for a while once it has taken the call
    second = asyncio.create_task(threads.run(lambda: "in time", enough))
    done, _ = await asyncio.wait([second], timeout=1.5 * enough)
    assert not done
    release.set()
    await _within(first)
    assert await _within(second) == "in time"
    threads.close()


async def test_a_caller_that_waits_no_more_disturbs_no_thread(release: threading.Event) -> None:
    threads = Threads(size=1)
    taken = threading.Event()
    waiting = asyncio.create_task(threads.run(_holding(taken, release)))
    await asyncio.get_running_loop().run_in_executor(None, taken.wait, DEADLINE)
    waiting.cancel()
    release.set()
    assert await _within(threads.run(lambda: "next")) == "next"
    failing = asyncio.create_task(threads.run(_failing(LookupError())))
    await asyncio.sleep(0)
    failing.cancel()
    assert await _within(threads.run(lambda: "next")) == "next"
    threads.close()


async def test_threads_end_when_they_are_closed() -> None:
    threads = Threads(size=2)
    found = await _within(threads.run(threading.current_thread))
    threads.close()
    threads.close()
    await asyncio.get_running_loop().run_in_executor(None, found.join, DEADLINE)
    assert not found.is_alive()


def test_a_thread_whose_loop_is_gone_ends() -> None:
    threads, released, taken = Threads(size=1), threading.Event(), threading.Event()
    found: list[threading.Thread] = []

    def call() -> None:
        found.append(threading.current_thread())
        taken.set()
        released.wait(DEADLINE)

    async def leave() -> None:
        task = asyncio.create_task(threads.run(call))
        await asyncio.get_running_loop().run_in_executor(None, taken.wait, DEADLINE)
        task.cancel()

    asyncio.run(leave())
    released.set()
    found[0].join(DEADLINE)
    assert not found[0].is_alive()

"""The watch over the event loop: whom it names, whom it interrupts, and whom it leaves alone."""

import asyncio
import logging
import threading
import time
from collections.abc import Callable, Iterator
from types import CodeType, FrameType
from typing import Any

import pytest

from tests.runtime.beside import DEADLINE
from tidemill.runtime import watch
from tidemill.runtime.watch import Interrupted, LoopWatch


class Heard(logging.Handler):
    """Keeps what the watch logs, and can be waited for by who blocks the loop."""

    def __init__(self) -> None:
        super().__init__()
        self.messages: list[str] = []
        self.said = threading.Event()
        self.then: Callable[[], None] = lambda: None

    def emit(self, record: logging.LogRecord) -> None:
        self.messages.append(record.getMessage())
        self.said.set()
        self.then()


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> Iterator[Heard]:
    monkeypatch.setattr(watch, "BEAT", 0.005)
    monkeypatch.setattr(watch, "BLOCKED_AFTER", 0.05)
    handler = Heard()
    logging.getLogger("tidemill.watch").addHandler(handler)
    yield handler
    logging.getLogger("tidemill.watch").removeHandler(handler)


def _watching(**codes: tuple[Any, float | None]) -> LoopWatch:
    found: dict[CodeType, tuple[str, float | None]] = {
        function.__code__: (instance, seconds) for instance, (function, seconds) in codes.items()
    }
    made = LoopWatch(found)
    made.start()
    return made


async def _ended() -> None:
    """Wait for the threads of watches that were stopped."""
    for thread in threading.enumerate():
        if thread.name == "tidemill-watch":
            await asyncio.get_running_loop().run_in_executor(None, thread.join, DEADLINE)
            assert not thread.is_alive()


def _spin() -> None:
    end = time.monotonic() + DEADLINE
    while time.monotonic() < end:
        pass


async def test_who_blocks_the_loop_is_named_once_for_each_time(heard: Heard) -> None:
    def block() -> None:
        heard.said.clear()
        assert heard.said.wait(DEADLINE)

    watching = _watching(mine=(block, None))
    block()
    beat = watching._beat
    while watching._beat == beat:  # noqa: ASYNC110 - the beat is a number, and nobody announces it
        await asyncio.sleep(0)
    block()
    watching.stop()
    assert len(heard.messages) == 2
    for message in heard.messages:
        assert message.startswith('the operation "mine" has blocked the event loop for ')
        assert 'run it with executor="thread" or "process"' in message
    assert list(watching.blocked) == ["mine"]
    assert watching.blocked["mine"] > 0


async def test_the_place_is_where_the_loop_stands_and_not_where_the_operation_begins(heard: Heard) -> None:
    def block() -> None:
        _wait_for(heard.said)

    watching = _watching(mine=(block, None))
    block()
    watching.stop()
    assert "threading.py:" in heard.messages[0]


def _wait_for(event: threading.Event) -> None:
    assert event.wait(DEADLINE)


async def test_who_blocks_the_loop_beyond_its_time_is_interrupted(heard: Heard) -> None:
    watching = _watching(mine=(_spin, 0.01))
    with pytest.raises(Interrupted):
        _spin()
    watching.stop()
    assert len(heard.messages) == 1


async def test_an_interrupt_passes_what_catches_exceptions(heard: Heard) -> None:
    def stubborn() -> None:
        while True:
            try:
                _spin()
            except Exception:
                continue

    watching = _watching(mine=(stubborn, 0.01))
    with pytest.raises(Interrupted):
        stubborn()
    watching.stop()


async def test_who_still_has_time_is_not_interrupted(heard: Heard) -> None:
    def block() -> str:
        assert heard.said.wait(DEADLINE)
        return "returned"

    watching = _watching(mine=(block, DEADLINE))
    assert block() == "returned"
    watching.stop()


async def test_what_is_no_operation_is_left_alone(heard: Heard) -> None:
    looked = threading.Event()

    def other() -> None:
        assert looked.wait(DEADLINE)

    watching = _watching(mine=(_spin, 0.01))
    find = watching._culprit

    def culprit(frame: FrameType | None) -> Any:
        found = find(frame)
        looked.set()
        return found

    watching._culprit = culprit  # type: ignore[method-assign]
    other()
    watching.stop()
    assert heard.messages == []
    assert watching.blocked == {}


async def test_an_operation_that_ends_while_it_is_reported_is_not_interrupted(heard: Heard) -> None:
    reported, ended = threading.Event(), threading.Event()

    def then() -> None:
        reported.set()
        assert ended.wait(DEADLINE)

    heard.then = then

    def block() -> None:
        assert reported.wait(DEADLINE)

    watching = _watching(mine=(block, 0.01))
    block()
    ended.set()
    watching.stop()
    await _ended()
    await asyncio.sleep(0)  # an interrupt would have come by here
    assert len(heard.messages) == 1


async def test_a_watch_that_is_stopped_ends_its_thread(heard: Heard) -> None:
    before = set(threading.enumerate())
    watching = _watching()
    (thread,) = set(threading.enumerate()) - before
    assert (thread.name, thread.daemon) == ("tidemill-watch", True)
    watching.stop()
    await _ended()
    assert not thread.is_alive()


def test_a_watch_that_was_never_started_can_be_stopped() -> None:
    LoopWatch({}).stop()

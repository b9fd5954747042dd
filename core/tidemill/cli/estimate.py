"""``tidemill estimate``."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from tidemill.cli import errors
from tidemill.cli.backend import backend_options, is_memory, store
from tidemill.cli.given import INPUTS_HELP, flow_options, given
from tidemill.cli.options import examples, level, paragraphs, set_up_logging, verbosity
from tidemill.cli.source import FLOW_HELP

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tidemill.cli.given import Given
    from tidemill.metrics.series import Recorder
    from tidemill.model.dataflow import DataFlow
    from tidemill.orchestrator.estimating import Estimated

__all__ = ["command"]

STEPS = 8
"""Calls of the critical path that are said; of a longer one its ends are."""


@click.command(
    help=paragraphs(
        "Say how long a data flow will take, without running it.",
        """The data flow is run in virtual time: combinations, gates, locks and limits are real, stubs stand for the
        operations (@my_op.estimate). Of one without a stub what was measured says how long it takes, and otherwise
        --default; which it was is said.""",
        FLOW_HELP,
        *INPUTS_HELP,
    ),
    epilog=examples(
        "tidemill estimate flow.yaml --input name=Ada --workers 4",
        "tidemill estimate flow.yaml --inputs people.jsonl --workers 10 --slots 8 --output json",
        "tidemill estimate flow.yaml --input name=Ada --record record.json",
    ),
)
@flow_options
@click.option("--workers", type=click.IntRange(min=1), default=1, show_default=True, metavar="N",
    help="Workers that the run is to have.")  # fmt: skip
@click.option("--slots", type=click.IntRange(min=1), default=64, show_default=True, metavar="N",
    help="Operations that a worker runs at a time.")  # fmt: skip
@click.option("--cores", type=click.IntRange(min=1), metavar="N",
    help="Cores of a worker, for operations in processes.  [default: those of this machine]")  # fmt: skip
@click.option("--record", metavar="FILE", help="What earlier runs have measured, as `tidemill run --record` writes it.")
@click.option("--default", "default", type=click.FloatRange(min=0), default=1.0, show_default=True, metavar="S",
    help="Seconds of a call of which nothing is known.")  # fmt: skip
@click.option("--json", "as_json", is_flag=True, help="The same as --output json.")
@backend_options(required=False)
@verbosity
def command(
    flow: str,
    arguments: tuple[str, ...],
    file: str | None,
    name: str | None,
    output: str,
    strict: bool,
    allow_remote: bool,
    workers: int,
    slots: int,
    cores: int | None,
    record: str | None,
    default: float,
    as_json: bool,
    backend: str,
    durability: str,
) -> int:
    """Say how long a data flow will take, without running it."""
    set_up_logging()
    found = given(flow, arguments, file, name=name, allow_remote=allow_remote, here=False)
    measured = _recorded(record, found.dataflow) if record is not None else None
    asked = {"workers": workers, "slots": slots, "cores": cores, "default": default}
    from_store = None if is_memory(backend) else (backend, durability)
    estimated = asyncio.run(_estimated(found, measured, from_store, asked))
    if as_json or output != "table":
        json.dump(_plain(estimated), sys.stdout, indent=None if output == "jsonl" and not as_json else 2)
        sys.stdout.write("\n")
    else:
        _print(estimated, default)
    return errors.OK


async def _estimated(
    found: Given, record: Recorder | None, from_store: tuple[str, str] | None, asked: dict[str, Any]
) -> Estimated:
    from tidemill.orchestrator.estimating import estimate
    from tidemill.orchestrator.stubs import Measured

    if from_store is not None:
        stored = await _stored(found.dataflow, *from_store)
        if record is not None:
            stored.merge(record.take())
        record = stored
    measured = Measured.of(record) if record is not None else {}
    sets = ((each.name, each.inputs) for each in found.sets)
    return await estimate(found.dataflow, sets, measured=measured, **asked)


async def _stored(dataflow: DataFlow, url: str, durability: str) -> Recorder:
    """Return what a store has measured of a data flow."""
    from tidemill.backends.redis.measures import RedisMeasures
    from tidemill.plan.compile import compile_plan
    from tidemill.runtime.measuring import short

    async with store(url, durability) as entered:
        return await RedisMeasures(entered.client).read(short(compile_plan(dataflow).digest))


def _recorded(path: str, dataflow: DataFlow) -> Recorder:
    """Return what a record has. Raises `InvalidDocument` (NotARecord) for a file that is none."""
    from tidemill.errors import InvalidDocument
    from tidemill.metrics.series import Recorder
    from tidemill.plan.compile import compile_plan

    try:
        said = json.loads(Path(path).read_text(encoding="utf-8"))
        if said["tidemill"] != "record" or said["version"] != 1:
            raise ValueError("it is a record of another version")
        found = Recorder.of(said["metrics"])
    except OSError as error:
        raise InvalidDocument(f"{path} cannot be read: {error.strerror}", reason="CannotRead", path=path) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        text = f"{path} is no record of a run: {type(error).__name__}: {error}; tidemill run --record writes one"
        raise InvalidDocument(text, reason="NotARecord", path=path) from error
    if level() >= 0 and said.get("plan") != compile_plan(dataflow).digest:
        errors.say("note: the record is of another data flow; what it has of operations of the same names is used")
    return found


def _plain(found: Estimated) -> dict[str, Any]:
    return {
        "seconds": found.seconds,
        "memory_bytes": found.memory,
        "contexts": found.contexts,
        "parameter_sets": found.parameter_sets,
        "workers": found.workers,
        "slots": found.slots,
        "busy_slots": found.busy,
        "critical_seconds": found.critical_seconds,
        "critical_path": [{"operation": name, "seconds": seconds} for name, seconds in found.critical],
        "operations": {
            name: {"calls": one.calls, "seconds": one.seconds, "memory_bytes": one.memory, "from": one.source}
            for name, one in sorted(found.operations.items())
        },
    }


def _print(found: Estimated, default: float) -> None:
    from tidemill.metrics.remaining import shown_seconds

    def number(many: int, noun: str) -> str:
        return f"{many:,} {noun}{'' if many == 1 else 's'}"

    slots = f"{number(found.workers, 'worker')} of {number(found.slots, 'slot')}"
    click.echo(f"about {_seconds(found.seconds)} with {slots}, of which {found.busy:.1f} are busy on average")
    if found.seconds >= 60:
        click.echo(f"  that is {shown_seconds(found.seconds)}")
    click.echo(f"{number(found.contexts, 'context')}, {number(found.parameter_sets, 'parameter set')}")
    click.echo(f"memory of calls at once, at most: {_bytes(found.memory)}")
    click.echo(f"critical path: {_seconds(found.critical_seconds)}: {' → '.join(_path(found)) or 'nothing'}")
    click.echo("")
    rows = [("operation", "calls", "seconds each", "memory each", "from"), *_rows(found)]
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    for row in rows:
        click.echo(
            errors.one_line("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())
        )
    unknown = sorted(name for name, one in found.operations.items() if one.source == "default")
    if unknown:
        named = ", ".join(map(errors.one_line, unknown))
        click.echo(f"\nNothing is known of {named}: {default:g} s a call is assumed; a stub or a --record says more.")


def _rows(found: Estimated) -> Iterator[tuple[str, ...]]:
    for name, one in sorted(found.operations.items(), key=lambda pair: -pair[1].seconds):
        if one.source != "nothing":
            yield name, str(one.calls), _seconds(one.seconds / one.calls), _bytes(one.memory), one.source


def _path(found: Estimated) -> list[str]:
    steps = [errors.one_line(f"{name} {_seconds(seconds)}") for name, seconds in found.critical]
    if len(steps) > STEPS:
        steps[STEPS // 2 : -STEPS // 2] = [f"… {len(steps) - STEPS} more …"]
    return steps


def _seconds(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds < 1000 else f"{seconds:.0f} s"


def _bytes(many: float) -> str:
    if not many:
        return "unknown"
    for unit in ("B", "kB", "MB", "GB"):
        if many < 1000:
            return f"{many:.3g} {unit}"
        many /= 1000
    return f"{many:.3g} TB"

"""``tidemill run``."""

from __future__ import annotations

import click

from tidemill.cli.backend import BACKEND_HELP, MEMORY, backend_options, is_memory
from tidemill.cli.given import INPUTS_HELP, flow_options, given
from tidemill.cli.journals import journal_options
from tidemill.cli.options import examples, level, paragraphs, set_up_logging, verbosity
from tidemill.cli.recording import recording_options
from tidemill.cli.source import FLOW_HELP

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Run a data flow and print its results.",
        FLOW_HELP,
        *INPUTS_HELP,
        f"""Contexts live in this process, or in a store that others work on, too. {BACKEND_HELP}""",
    ),
    epilog=examples(
        "tidemill run flow.yaml --input name=Ada",
        "tidemill run flow.yaml --input name=Ada --input name=Grace --output json",
        "tidemill run flow.yaml --inputs people.jsonl --output jsonl --progress off",
        "tidemill run flow.yaml --inputs people.csv --no-strict --workers 4",
        "tidemill run flow.yaml --inputs people.jsonl --record record.json",
        "tidemill run flow.yaml --input name=Ada --name ada --journal run.jsonl",
        "tidemill run flow.yaml --input name=Ada --openlineage file:lineage.jsonl",
        "tidemill run package.flows:greeting --input name=Ada",
        "tidemill run flow.yaml --input name=Ada --backend embedded",
        "tidemill run flow.yaml --inputs people.jsonl --backend redis://localhost:6379 --workers 0",
    ),
)
@flow_options
@click.option("--seed", type=int, metavar="N", help="Make choices of the scheduler in memory repeatable.")
@click.option("--max-contexts", type=click.IntRange(min=1), metavar="N", help="Contexts that are open at a time.")
@click.option("--workers", type=click.IntRange(min=0), metavar="N",
    help="Operations that run at a time in this process; over a store 0 leaves them to others.")  # fmt: skip
@click.option("--timeout", type=click.FloatRange(min=0, min_open=True), metavar="S",
    help="Cancel the run after S seconds; it has 10 more to clean up.")  # fmt: skip
@click.option("--progress", type=click.Choice(["auto", "on", "off"]), default="auto",
    help="Live on a terminal, lines elsewhere; auto is off with -q.")  # fmt: skip
@recording_options
@journal_options
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
    seed: int | None,
    max_contexts: int | None,
    workers: int | None,
    timeout: float | None,
    progress: str,
    journal: str | None,
    openlineage: str | None,
    record: str | None,
    metrics_port: int | None,
    backend: str,
    durability: str,
) -> int:
    """Run a data flow and print its results."""
    from tidemill.cli.running import Settings, execute

    set_up_logging()
    _fitting(is_memory(backend), seed, workers)
    found = given(flow, arguments, file, name=name, allow_remote=allow_remote, here=workers != 0)
    settings = Settings(
        output=output,
        strict=strict,
        seed=seed,
        max_contexts=max_contexts,
        workers=workers,
        timeout=timeout,
        progress=progress,
        journal=journal,
        openlineage=openlineage,
        flow=flow,
        record=record,
        metrics_port=metrics_port,
        level=level(),
        total=found.total,
        slow_inputs=found.total is None,
        backend=backend,
        durability=durability,
    )
    return execute(found.dataflow, found.sets, settings)


def _fitting(memory: bool, seed: int | None, workers: int | None) -> None:
    """Refuse options that mean nothing where contexts live."""
    if memory and workers == 0:
        said = f"0 is not in the range x>=1 with --backend {MEMORY}: nobody else can run the operations."
        raise click.BadParameter(said, param_hint="'--workers'")
    if not memory and seed is not None:
        said = f"only --backend {MEMORY} can repeat an order; in a store others choose, too."
        raise click.BadParameter(said, param_hint="'--seed'")

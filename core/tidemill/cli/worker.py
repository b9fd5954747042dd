"""``tidemill worker``."""

from __future__ import annotations

import os
import re

import click

from tidemill.cli.backend import BACKEND_HELP, VARIABLE, shared
from tidemill.cli.options import examples, paragraphs, verbosity

__all__ = ["command"]


@click.command(
    help=paragraphs(
        "Run what is ready in a store, until SIGTERM.",
        """A worker runs the operations of one pool, of whatever data flows are there, in processes of its own. Their
        code is found among what is installed, in the current folder, and in those of --path. On SIGTERM or Ctrl-C it
        takes nothing more, lets what runs end within 30 s, hands the rest back, and exits with 0. Killed at any
        moment, it loses nobody's work: others take it over.""",
        """What else can be set is set by the environment: TIDEMILL_LEASE, TIDEMILL_GRACE, TIDEMILL_MEMORY, ….""",
        BACKEND_HELP,
    ),
    epilog=examples(
        "tidemill worker --backend redis://localhost:6379",
        "tidemill worker --backend redis://localhost:6379 --pool gpu --runners 2 --slots 8",
        "tidemill worker --backend redis://localhost:6379 --path . --http 127.0.0.1:8080",
    ),
)
@click.option("--backend", metavar="URL", envvar=VARIABLE, show_envvar=True, required=True,
    help="The store: redis://…, rediss://…, unix://…, redis+sentinel://…, redis+cluster://….")  # fmt: skip
@click.option("--durability", type=click.Choice(["always", "fast", "none"]),
    help="What has to survive the death of the store.  [default: always]")  # fmt: skip
@click.option("--pool", metavar="NAME", help="Whose operations are run.  [default: default]")
@click.option("--runners", type=click.IntRange(min=1), metavar="N",
    help="Processes that run operations.  [default: one for each CPU]")  # fmt: skip
@click.option("--slots", type=click.IntRange(min=1), metavar="N",
    help="Operations that each of them runs at a time.  [default: 64]")  # fmt: skip
@click.option("--http", metavar="HOST:PORT", help="Serve /livez, /readyz and /metrics there.  [default: nowhere]")
@click.option("--path", "folders", type=click.Path(exists=True, file_okay=False), multiple=True, metavar="FOLDER",
    help="Look for modules there, too. May be repeated.")  # fmt: skip
@verbosity
def command(
    backend: str,
    durability: str | None,
    pool: str | None,
    runners: int | None,
    slots: int | None,
    http: str | None,
    folders: tuple[str, ...],
) -> None:
    """Run what is ready in a store, until SIGTERM."""
    from tidemill.cli.workers import command_of, environment_of

    shared(backend, running=True)
    host, port = _address(http)
    settings = {"durability": durability, "pool": pool, "runners": runners, "slots": slots, "host": host, "port": port}
    argv = command_of(settings)
    os.execve(argv[0], argv, environment_of(backend, folders))  # signals and the exit code are the worker's own


def _address(http: str | None) -> tuple[str | None, int]:
    """Return host and port; -1 for nowhere."""
    if http is None:
        return None, -1
    found = re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[^:\[\]\s]+):(\d{1,5})", http)
    if found is None or int(found[2]) > 65535:
        said = f"{http!r} is no address; expected HOST:PORT, as in 127.0.0.1:8080 (port 0: any that is free)."
        raise click.BadParameter(said, param_hint="'--http'")
    return found[1].strip("[]"), int(found[2])

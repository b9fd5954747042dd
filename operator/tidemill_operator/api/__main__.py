"""``python -m tidemill_operator.api``: the HTTP API, configured by ``TIDEMILL_…`` and arguments, until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys

from tidemill.errors import TidemillError
from tidemill_operator.api.server import serving
from tidemill_operator.api.settings import ApiSettings
from tidemill_operator.cluster import Cluster

__all__ = ["main"]


async def _run(settings: ApiSettings) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    cluster = await Cluster.connect(settings.kubeconfig, request=settings.request)
    try:
        async with serving(settings, cluster) as api:
            said = "the API at %s:%d, health at port %d"
            logging.getLogger("tidemill.api").info(said, settings.host, api.port, api.health)
            await stop.wait()
            api.stop()
    finally:
        await cluster.close()


def main() -> int:
    """Serve and return the exit code: 0 after SIGTERM, 1 where it cannot listen, 2 for settings that are wrong."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        asyncio.run(_run(ApiSettings.read(os.environ, sys.argv[1:])))
    except TidemillError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())

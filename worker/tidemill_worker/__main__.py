"""``python -m tidemill_worker``: a worker, configured by ``TIDEMILL_…`` and arguments, until SIGTERM."""

from __future__ import annotations

import asyncio
import logging
import os
import sys

from tidemill.errors import StoreError, TidemillError
from tidemill_worker.settings import Settings
from tidemill_worker.supervisor import Supervisor

__all__ = ["main"]


def main() -> int:
    """Run a worker and return its exit code: 0 after SIGTERM, 1 for a store not to be used, 2 for wrong settings."""
    try:
        settings = Settings.read(os.environ, sys.argv[1:])
    except TidemillError as error:
        sys.stderr.write(f"{error.message}\n")
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s", stream=sys.stderr)
    try:
        return asyncio.run(Supervisor(settings).run())
    except StoreError as error:
        sys.stderr.write(f"{error}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main())

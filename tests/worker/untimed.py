"""``python -m tests.worker.untimed``: a worker that no timer of the kernel ends, as where the platform has none."""

import sys

from tidemill_worker import __main__, supervisor
from tidemill_worker.kernel import DeathTimer


class NoTimer(DeathTimer):
    """A timer that does nothing."""

    def __init__(self) -> None:
        super().__init__()
        self.works = False


if __name__ == "__main__":
    vars(supervisor)["DeathTimer"] = NoTimer
    sys.exit(__main__.main())

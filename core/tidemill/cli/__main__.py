"""Where ``tidemill`` and ``python -m tidemill.cli`` begin. Neighbours: `group` (the verbs), `errors` (exit codes)."""

from __future__ import annotations

import sys

from tidemill.cli.errors import guarded

__all__ = ["main"]


def main() -> None:
    """Run the command line with the arguments of this process, and end it with the code that says how it went."""
    sys.exit(guarded(sys.argv[1:]))


if __name__ == "__main__":
    main()

"""Where ``tidemill`` and ``python -m tidemill.cli`` begin. Neighbours: `group` (the verbs), `errors` (exit codes)."""

from __future__ import annotations

import sys

from tidemill.cli.errors import guarded

__all__ = ["kubectl", "main"]


def main() -> None:
    """Run the command line with the arguments of this process, and end it with the code that says how it went."""
    sys.exit(guarded(sys.argv[1:]))


def kubectl() -> None:
    """The same as a plugin of kubectl: ``kubectl tidemill VERB …``, where all verbs speak to a cluster."""
    sys.exit(guarded(sys.argv[1:], name="kubectl tidemill"))


if __name__ == "__main__":
    main()

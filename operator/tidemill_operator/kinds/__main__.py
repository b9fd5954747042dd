"""``python -m tidemill_operator.kinds`` prints the definitions of the kinds, writes them, or checks those written.

Neighbour: `crd`.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tidemill_operator.kinds.crd import chart_files, manifest

__all__ = ["files", "main"]


def files() -> dict[str, str]:
    """Return what is generated, by the paths of its files below the root of the repository."""
    templates = {f"charts/tidemill/templates/crds/{name}": text for name, text in chart_files().items()}
    return {"manifests/crds.yaml": manifest(), **templates}


def main(arguments: list[str], root: Path) -> int:
    """Do what the arguments ask for in the repository at ``root``; return the exit code."""
    if arguments == ["--write"]:
        for name, text in files().items():
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        return 0
    if arguments == ["--check"]:
        stale = [name for name, text in files().items() if _content(root / name) != text]
        for name in stale:
            sys.stderr.write(f"{name} is not what operator/tidemill_operator/kinds says; run `make generate`\n")
        return 1 if stale else 0
    if arguments:
        sys.stderr.write("usage: python -m tidemill_operator.kinds [--write | --check]\n")
        return 2
    sys.stdout.write(manifest())
    return 0


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.is_file() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Path.cwd()))

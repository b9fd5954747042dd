"""The folder in which one package is judged: made first, removed by the cleanup stage."""

import shutil
import tempfile
from pathlib import Path

PREFIX = "shouldi-"


def make_workspace() -> str:
    """A new private folder with `tree`, `files` and `empty` in it; gives its path."""
    root = Path(tempfile.mkdtemp(prefix=PREFIX)).resolve()
    for name in ("tree", "files", "empty"):
        (root / name).mkdir(mode=0o700)
    return str(root)


def discard_workspace(workspace: str) -> None:
    """Remove a folder that `make_workspace` made, and refuse any other path."""
    path = Path(workspace)
    if not path.name.startswith(PREFIX) or path.is_symlink():
        raise ValueError(f"{workspace!r} is not a workspace: its name must start with {PREFIX!r}")
    if path.exists():
        shutil.rmtree(path)

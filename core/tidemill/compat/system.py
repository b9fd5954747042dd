"""Helpers for programs that call other programs: the working directory, and where programs are found."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator, MutableMapping
from pathlib import Path

__all__ = ["MODE_BITS_SECURE", "chdir", "prepend_to_path", "which"]

MODE_BITS_SECURE = 0o700
"""What only its owner may use."""

chdir = contextlib.chdir


@contextlib.contextmanager
def prepend_to_path(*args: str | Path, env: MutableMapping[str, str] | None = None) -> Iterator[None]:
    """Have programs be looked for in these folders first, for as long as it lasts; ``env`` is the environment to
    change, that of this process by default."""
    environment = os.environ if env is None else env
    before = environment.get("PATH", "")
    environment["PATH"] = os.pathsep.join([*map(str, args), before])
    try:
        yield
    finally:
        environment["PATH"] = before


def which(binary: str) -> Path | None:
    """Return where a program is, None if it is nowhere."""
    found = shutil.which(binary)
    return None if found is None else Path(found).resolve()

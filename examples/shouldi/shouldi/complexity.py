"""How hard a source tree is to follow: radon's cyclomatic complexity, average and worst.

Pure Python and nothing but computing, so `operations` runs it in a process of the pool.
"""

import os
import warnings
from pathlib import Path
from typing import Any

from radon.complexity import cc_rank, cc_visit  # type: ignore[import-untyped]

WORST = 3
_MAX_FILE = 4 * 1024 * 1024


def measure(tree: Path) -> dict[str, Any]:
    """Measure every block (function, method, class) below `tree`.

    The result has `blocks` (their number), `average` and its `rank` (A best to F worst; None without blocks), `worst`
    (up to three blocks), and `unread`, the files that are not valid Python for this version, or too large.
    """
    total, blocks = 0, 0
    worst: list[dict[str, Any]] = []
    unread: list[str] = []
    for path in _sources(tree):
        name = os.path.relpath(path, tree)
        found = _blocks(path)
        if found is None:
            unread.append(name)
            continue
        blocks += len(found)
        total += sum(block.complexity for block in found)
        worst += [_described(block, name) for block in found]
        worst = sorted(worst, key=lambda block: (-block["complexity"], block["where"]))[:WORST]
    average = round(total / blocks, 2) if blocks else None
    rank = None if average is None else cc_rank(average)
    return {"blocks": blocks, "average": average, "rank": rank, "worst": worst, "unread": unread}


def _sources(tree: Path) -> list[Path]:
    return sorted(path for path in tree.rglob("*") if path.suffix in (".py", ".pyw") and path.is_file())


def _blocks(path: Path) -> list[Any] | None:
    if path.stat().st_size > _MAX_FILE:
        return None
    try:
        with warnings.catch_warnings():  # a package's invalid escapes are none of the user's business
            warnings.simplefilter("ignore")
            return list(cc_visit(path.read_bytes()))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def _described(block: Any, name: str) -> dict[str, Any]:
    return {
        "name": getattr(block, "fullname", block.name),
        "where": f"{name}:{block.lineno}",
        "complexity": int(block.complexity),
        "rank": cc_rank(block.complexity),
    }

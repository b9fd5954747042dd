"""What bandit finds in a source tree, counted by severity and confidence.

bandit runs as a child process, told to ignore everything by which the tree could hide from it: `# nosec` comments, and
the folder names that it leaves out by default. (A `.bandit` file would also count; `archive_rules` writes none.)
"""

import json
import os
import sys
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from shouldi.tools import ToolFailed, run_tool

LEVELS = ("HIGH", "MEDIUM", "LOW")
EXAMPLES = 5
BANDIT_SECONDS = 180.0
_DONE = (0, 1)  # 1: there are findings


async def scan(tree: Path, empty: Path, seconds: float = BANDIT_SECONDS) -> dict[str, Any]:
    """Run bandit over `tree`, with the working directory `empty`; give its counts.

    The result has `counts` {severity: {confidence: number}}, `examples` (the gravest findings), `lines` of code, and
    `unread`, the files that bandit could not parse. Raises `ToolFailed`.
    """
    command = [sys.executable, "-m", "bandit", "-r", "-q", "-f", "json", "--ignore-nosec", "-x", "", str(tree)]
    ran = await run_tool(command, seconds=seconds, cwd=empty, env={"NO_COLOR": "1"})
    if ran.code not in _DONE:
        raise ToolFailed(f"bandit ended with exit code {ran.code}: {ran.err.strip()[-300:]}")
    try:
        said = json.loads(ran.out)
    except ValueError as error:
        raise ToolFailed(f"bandit printed no JSON but {ran.out[:80]!r}") from error
    return summarise(said, tree)


def summarise(said: dict[str, Any], tree: Path) -> dict[str, Any]:
    """Turn bandit's JSON into counts; paths become relative to `tree`."""
    pairs = Counter((r["issue_severity"], r["issue_confidence"]) for r in said["results"])
    counts = {severity: {sure: pairs[severity, sure] for sure in LEVELS} for severity in LEVELS}
    ranked = sorted(said["results"], key=_gravity)
    return {
        "counts": counts,
        "examples": [_example(result, tree) for result in ranked[:EXAMPLES]],
        "lines": int(said["metrics"]["_totals"]["loc"]),
        "unread": sorted(_relative(error["filename"], tree) for error in said["errors"]),
    }


def grave(report: Mapping[str, Any]) -> int:
    """The number of findings of high severity and at least medium confidence."""
    high = report["counts"]["HIGH"]
    return int(high["HIGH"] + high["MEDIUM"])


def _gravity(result: dict[str, Any]) -> tuple[int, int, str, int]:
    severity, sure = result["issue_severity"], result["issue_confidence"]
    order = {level: at for at, level in enumerate(LEVELS)}
    last = len(LEVELS)
    return order.get(severity, last), order.get(sure, last), result["filename"], result["line_number"]


def _example(result: dict[str, Any], tree: Path) -> dict[str, Any]:
    return {
        "test": result["test_id"],
        "severity": result["issue_severity"],
        "confidence": result["issue_confidence"],
        "where": f"{_relative(result['filename'], tree)}:{result['line_number']}",
        "text": result["issue_text"],
    }


def _relative(name: str, tree: Path) -> str:
    return os.path.relpath(name, tree)

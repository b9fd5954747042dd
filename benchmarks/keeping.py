"""What is kept of a run: its JSON file and, on request, the record and the table that stand with the source."""

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

__all__ = ["load", "write"]


def load(path: Path) -> dict[str, Any]:
    """A report as its JSON file has it."""
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


def write(
    report: "DataclassInstance",
    text: str,
    given: argparse.Namespace,
    *,
    record: Path,
    readme: Path,
    marks: tuple[str, str],
) -> None:
    """Writes the JSON file, and if that was asked for what is kept with the source: ``record``, and the table between
    the ``marks`` of ``readme``."""
    data = json.dumps(asdict(report), indent=1, ensure_ascii=False) + "\n"
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(data, encoding="utf-8")
    if given.record:
        record.write_text(data, encoding="utf-8")
        begin, end = marks
        before, _, rest = readme.read_text(encoding="utf-8").partition(begin)
        readme.write_text(before + begin + "\n" + text + "\n" + end + rest.partition(end)[2], encoding="utf-8")

"""The verbs beside those of DFFML itself, with the same arguments and the same operations; skipped where it is not."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.dataflow.conftest import GOLDEN, HERE
from tests.cli.dataflow.test_create import MADE
from tests.dffml_peer import dffml

MAIN = "import sys; from dffml.cli.cli import CLI; CLI.main(argv=['dffml', *sys.argv[1:]])"


@pytest.fixture
def peer(tmp_path: Path) -> Callable[..., Any]:
    """Call a verb of ``dffml dataflow`` in a folder with the same operations and data flows."""
    folder = tmp_path / "peer"
    folder.mkdir()
    code = (HERE / "flows" / "myops.py").read_text()
    (folder / "myops.py").write_text(code.replace("from tidemill import", "from dffml import"))
    for path in GOLDEN.glob("*.json"):
        shutil.copy(path, folder)
    return lambda *arguments: dffml(MAIN, "dataflow", *arguments, cwd=folder)


@pytest.mark.parametrize("name", [name for name in sorted(MADE) if name.endswith(".json")])
def test_both_create_the_same_file(name: str, dataflow: Callable[..., Any], peer: Callable[..., Any]) -> None:
    assert dataflow("create", *MADE[name]).out.strip() == peer("create", *MADE[name]).strip()


SPEC = ("size,=get_multi_spec",)
RUNS = [
    ("single", "-dataflow", "plain.json", "-inputs", *SPEC, "http://a=URL"),
    ("single", "-dataflow", "plain.json", "-inputs", *SPEC, "http://a=URL", "12=limit"),
    ("contexts", "-dataflow", "plain.json", "-contexts", "http://a", "-context-def", "URL", "-inputs", *SPEC),
    (
        "contexts",
        "-dataflow",
        "plain.json",
        "-contexts",
        "http://a",
        "-context-def",
        "URL",
        "-no-echo",
        "-inputs",
        *SPEC,
    ),
]


@pytest.mark.parametrize("arguments", RUNS, ids=lambda arguments: " ".join(arguments))
def test_both_run_with_the_same_result(
    arguments: tuple[str, ...], dataflow: Callable[..., Any], peer: Callable[..., Any]
) -> None:
    wanted = peer("run", *arguments, "-log", "critical")
    result = dataflow("run", *arguments, "-log", "critical")
    assert (result.code, result.out) == (0, wanted), result.err


@pytest.mark.parametrize("kind", ["json", "csv"])
def test_both_keep_results_in_files_of_records(
    kind: str, dataflow: Callable[..., Any], peer: Callable[..., Any], tmp_path: Path
) -> None:
    text = {
        "json": json.dumps({"untagged": {"http://a": {"features": {"stars": 3}}, "http://b": {"features": {}}}}),
        "csv": "key,stars\nhttp://a,3\nhttp://b,\n",
    }[kind]
    arguments = ("run", "records", "all", "-dataflow", "plain.json", "-record-def", "URL", "-log", "critical",
        "-inputs", *SPEC, "-sources", f"m={kind}", "-source-filename", f"r.{kind}", "-source-readwrite")  # fmt: skip
    found = []
    for folder, call in ((tmp_path / "peer", peer), (tmp_path, dataflow)):
        (folder / f"r.{kind}").write_text(text)
        said = call(*arguments)
        printed = json.loads(said if isinstance(said, str) else said.out)
        written = (folder / f"r.{kind}").read_text()
        kept: Any = json.loads(written) if kind == "json" else written.splitlines()
        for record in [*printed, *(kept["untagged"].values() if kind == "json" else ())]:
            assert record.pop("last_updated")
            assert record.pop("key")
            assert record.pop("extra") == {}
        found.append((sorted(printed, key=str), kept))
    assert found[0] == found[1]

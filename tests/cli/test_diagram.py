"""`diagram` draws data flows from wherever they come."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.support import FLOWS


def test_mermaid_is_printed(cli: Callable[..., Any]) -> None:
    result = cli("diagram", "flow.yaml", cwd=FLOWS)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("flowchart TD\n")
    assert 'op1["greet"]' in result.out


def test_stages_and_simplicity_can_be_chosen(cli: Callable[..., Any]) -> None:
    result = cli("diagram", "flow.yaml", "--stages", "processing", "--simple", cwd=FLOWS)
    assert result.out == 'flowchart TD\n  subgraph processing\n    op0["greet"]\n  end\n'
    both = cli("diagram", "flow.yaml", "--stages", "processing", "--stages", "output", cwd=FLOWS)
    assert "subgraph output" in both.out


def test_a_file_is_written(cli: Callable[..., Any], tmp_path: Path) -> None:
    target = tmp_path / "flow.dot"
    result = cli("diagram", "flow.yaml", "--format", "dot", "-o", str(target), cwd=FLOWS)
    assert (result.code, result.out, result.err) == (0, "", f"wrote {target}\n")
    assert target.read_text().startswith("digraph dataflow {")


def test_a_file_that_cannot_be_written_is_an_error(cli: Callable[..., Any], tmp_path: Path) -> None:
    result = cli("diagram", "flow.yaml", "-o", str(tmp_path / "missing" / "flow.mmd"), cwd=FLOWS)
    assert result.code == 1
    assert "No such file or directory" in result.err
    assert "Traceback" not in result.err


def test_svg_without_graphviz_says_what_to_do(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = cli("diagram", "flow.yaml", "--format", "svg", cwd=FLOWS)
    assert (result.code, result.out) == (1, "")
    assert result.err == (
        "error: GraphvizMissing\n"
        "  SVG is made by graphviz, whose program dot is not in PATH; install it, or use --format mermaid or dot\n"
    )


def program(path: Path, script: str) -> None:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_svg_is_what_graphviz_makes_of_dot(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path / "dot", 'test "$1" = -Tsvg && read line && echo "<svg>$line</svg>"')
    monkeypatch.setenv("PATH", str(tmp_path))
    result = cli("diagram", "flow.yaml", "--format", "svg", cwd=FLOWS)
    assert (result.code, result.out) == (0, "<svg>digraph dataflow {</svg>\n")


def test_a_graphviz_that_fails_is_quoted(
    cli: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program(tmp_path / "dot", "echo 'no fonts' >&2; exit 3")
    monkeypatch.setenv("PATH", str(tmp_path))
    result = cli("diagram", "flow.yaml", "--format", "svg", cwd=FLOWS)
    assert (result.code, result.out) == (1, "")
    assert result.err == f"error: GraphvizFailed\n  {tmp_path / 'dot'} failed: no fonts\n"

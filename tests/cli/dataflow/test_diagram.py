"""``tidemill dataflow diagram`` draws, line by line, what DFFML draws."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.cli.dataflow.conftest import GOLDEN

FLOWS = ["whole.yaml", "rerouted.json", "plain.json", "gated.json"]
WAYS = {
    "diagram": [],
    "simple.diagram": ["-simple", "-display", "LR", "--"],
    "processing.diagram": ["-stages", "processing", "--"],
}


@pytest.mark.parametrize("flow", FLOWS)
@pytest.mark.parametrize("way", sorted(WAYS))
def test_the_drawing_is_the_one_that_dffml_makes(flow: str, way: str, dataflow: Callable[..., Any]) -> None:
    result = dataflow("diagram", *WAYS[way], flow)
    assert result.code == 0, result.err
    wanted = (GOLDEN / f"{flow.partition('.')[0]}.{way}").read_text()
    # DFFML writes such a source as Python does, with brackets that Mermaid cannot read.
    assert result.out == wanted.replace("({'seed': ['URL']}<br>", "(seed<br>")


def test_short_names_have_no_modules_and_the_same_ids(dataflow: Callable[..., Any]) -> None:
    whole = dataflow("diagram", "whole.yaml").out.splitlines()
    short = dataflow("diagram", "-shortname", "whole.yaml").out.splitlines()
    assert [line.replace("[myops:", "[") for line in whole] == short
    assert whole != short


def test_a_form_may_be_said_where_the_name_does_not_say_it(dataflow: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "flow").write_text((tmp_path / "whole.yaml").read_text())
    assert "UnknownFormat" in dataflow("diagram", "flow").err
    result = dataflow("diagram", "-configloader", "yaml", "flow")
    assert result.out == (GOLDEN / "whole.diagram").read_text()


def test_a_name_can_end_no_label(dataflow: Callable[..., Any], tmp_path: Path) -> None:
    name = 'a]<b>"x"'
    (tmp_path / "odd.yaml").write_text(f"operations: {{'{name}': {{name: odd, inputs: {{}}}}}}\nflow: {{}}\n")
    out = dataflow("diagram", "odd.yaml").out
    assert name not in out
    assert '["a#93;#60;b#62;#34;x#34;"]' in out


def test_a_stage_that_is_none_is_refused(dataflow: Callable[..., Any]) -> None:
    result = dataflow("diagram", "-stages", "processing", "whole.yaml")
    assert result.code == 2
    assert "'whole.yaml' is not one of" in result.err

"""The reference of the kinds is what the models say."""

from pathlib import Path

import pytest

from tools import dataflow_doc


def test_the_page_is_up_to_date() -> None:
    assert dataflow_doc.PAGE.read_text(encoding="utf-8") == dataflow_doc.page(), "run `make docs`"


def test_a_stale_page_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(dataflow_doc, "ROOT", tmp_path)
    monkeypatch.setattr(dataflow_doc, "PAGE", tmp_path / "page.md")
    monkeypatch.setattr("sys.argv", ["dataflow_doc", "--check"])
    assert dataflow_doc.main() == 1
    assert "run `make docs`" in capsys.readouterr().out
    monkeypatch.setattr("sys.argv", ["dataflow_doc"])
    assert dataflow_doc.main() == 0
    monkeypatch.setattr("sys.argv", ["dataflow_doc", "--check"])
    assert dataflow_doc.main() == 0


def test_every_field_and_every_rule_is_there() -> None:
    page = dataflow_doc.page()
    assert "`spec.operations.*.name` | text, required" in page
    assert "`spec.pools[].gracePeriodSeconds` | integer" in page
    assert "Default: `60`" in page
    assert "| `spec.pools[].resources.limits` | map of amount, 16 at most" in page
    assert "minReplicas is not above maxReplicas" in page

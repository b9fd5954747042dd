"""What is made out of the chart is up to date, and what makes it can be trusted."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.charts.rendering import CHART, ROOT, helm
from tools import chart, programs


def test_the_page_and_the_manifests_are_as_the_chart_has_them() -> None:
    helm()
    for name, made in chart.generated().items():
        assert (ROOT / name).read_text(encoding="utf-8") == made, f"{name}: run `make generate`"


def test_every_value_is_documented_with_its_default() -> None:
    found = {value.path: value for value in chart.documented((CHART / "values.yaml").read_text(encoding="utf-8"))}
    assert found["operator.replicas"].default == 1
    assert found["store.bundled.resources"].default["limits"] == {"memory": "512Mi"}
    assert all(len(value.about.split()) > 1 for value in found.values())


def test_a_value_without_a_word_is_found() -> None:
    text = "# -- What it is.\nsaid: 1\nunsaid:\n  # -- Part.\n  one: 1\n  two: 2\n"
    with pytest.raises(ValueError, match=r"unsaid\.two"):
        list(chart.documented(text))


def test_a_comment_of_several_lines_is_one_sentence() -> None:
    [value] = chart.documented("# -- One\n# two.\nname: [1]\n")
    assert (value.path, value.about, value.default) == ("name", "One two.", [1])


def test_the_manifests_have_no_password_and_name_the_namespace() -> None:
    found = [one for one in yaml.safe_load_all((ROOT / "manifests" / "install.yaml").read_text()) if one]
    assert not [one for one in found if one["kind"] == "Secret"]
    assert found[0]["kind"] == "Namespace"
    wide = {"Namespace", "ClusterRole", "ClusterRoleBinding"}
    assert {one["metadata"]["namespace"] for one in found if one["kind"] not in wide} == {"tidemill"}
    assert not [one for one in found if "helm.sh/hook" in one["metadata"].get("annotations", {})]


def test_without_helm_the_rest_is_made_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def missing(name: str) -> str:
        raise programs.Missing(f"{name} is not installed")

    monkeypatch.setattr(chart, "program", missing)
    assert set(chart.generated()) == {"charts/tidemill/README.md", "charts/tidemill/files/commands.txt"}
    assert "manifests/install.yaml is left out: helm is not installed" in capsys.readouterr().err


def test_what_is_stale_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(chart, "ROOT", tmp_path)
    monkeypatch.setattr(chart, "CHART", tmp_path)
    (tmp_path / "files").mkdir()
    monkeypatch.setattr(chart, "generated", lambda: {"a/page.md": "new"})
    monkeypatch.setattr("sys.argv", ["chart", "--check"])
    assert chart.main() == 1
    assert "a/page.md is not what its sources say" in capsys.readouterr().err
    monkeypatch.setattr("sys.argv", ["chart"])
    assert chart.main() == 0
    monkeypatch.setattr("sys.argv", ["chart", "--check"])
    assert chart.main() == 0


def test_a_program_is_where_a_variable_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PROMTOOL", "/somewhere/promtool")
    assert programs.program("promtool") == "/somewhere/promtool"
    monkeypatch.delenv("PROMTOOL")
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(programs, "BUILT", tmp_path)
    with pytest.raises(
        programs.Missing, match="promtool is not installed: install it, or say where it is with PROMTOOL="
    ):
        programs.program("promtool")
    (tmp_path / "promtool").touch()
    assert programs.program("promtool") == str(tmp_path / "promtool")

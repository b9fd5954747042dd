"""Alerts and dashboard speak of metrics that exist, each alert has its page, and Prometheus reads the rules."""

from __future__ import annotations

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.charts.rendering import CHART, ROOT, objects
from tools import metrics_doc
from tools.programs import Missing, program

RUNBOOKS = (ROOT / "docs" / "runbooks.md").read_text(encoding="utf-8")
DASHBOARD: dict[str, Any] = json.loads((CHART / "files" / "dashboard.json").read_text(encoding="utf-8"))
RULES = metrics_doc.alerts()


def names(expression: str) -> set[str]:
    """The metrics of ours that an expression names."""
    return set(re.findall(r"\btidemill_\w+", expression))


def test_the_page_is_as_the_code_has_it() -> None:
    assert metrics_doc.PAGE.read_text(encoding="utf-8") == metrics_doc.page(), "run `make docs`"


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_is_about_metrics_that_exist(rule: dict[str, Any]) -> None:
    assert names(rule["expr"])
    assert names(rule["expr"]) <= metrics_doc.series()


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: str(rule["alert"]))
def test_an_alert_says_what_it_is_and_where_it_is_explained(rule: dict[str, Any]) -> None:
    said = rule["annotations"]
    assert set(said) == {"summary", "description", "runbook_url"}
    assert rule["labels"]["severity"] in ("warning", "critical")
    assert said["runbook_url"] == f"docs/runbooks.md#{rule['alert'].lower()}"
    assert f"\n## {rule['alert']}\n" in RUNBOOKS


def test_every_section_of_the_runbooks_has_an_alert() -> None:
    assert re.findall(r"^## (\w+)$", RUNBOOKS, re.MULTILINE) == [rule["alert"] for rule in RULES]


def test_the_dashboard_shows_metrics_that_exist() -> None:
    panels = [panel for panel in DASHBOARD["panels"] if panel["type"] != "row"]
    shown: set[str] = set()
    for panel in panels:
        assert panel["title"]
        assert panel["description"]
        assert panel["datasource"]["uid"] == "${datasource}"
        for target in panel["targets"]:
            assert names(target["expr"]), panel["title"]
            shown |= names(target["expr"])
    assert shown <= metrics_doc.series()
    assert "__inputs" not in DASHBOARD
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])


def test_panels_do_not_lie_over_each_other() -> None:
    taken: set[tuple[int, int]] = set()
    for panel in DASHBOARD["panels"]:
        place = panel["gridPos"]
        cells = {(place["x"] + x, place["y"] + y) for x in range(place["w"]) for y in range(place["h"])}
        assert place["x"] + place["w"] <= 24
        assert not cells & taken, panel["title"]
        taken |= cells


def test_labels_are_few_and_none_has_the_name_of_a_run() -> None:
    bounded = {*("kind", "result", "cause", "reason", "verb", "code", "type", "direction", "version", "state")}
    bounded |= {"route", "method", "metric", "how"}
    more = {  # as many as there are objects, where they are asked for; as a recorder has room for
        "tidemill_operator_object_": {"namespace", "name", "pool"},
        **dict.fromkeys(("tidemill_operation_", "tidemill_progress_", "tidemill_estimate_"), {"dataflow", "operation"}),
    }
    for name, _, labels, _ in metrics_doc.every():
        allowed = bounded.union(*(one for start, one in more.items() if name.startswith(start)))
        assert set(labels) - allowed == set(), name


def test_prometheus_reads_the_rules(tmp_path: Path) -> None:
    try:
        promtool = program("promtool")
    except Missing as error:
        pytest.skip(f"NOT TESTED: {error}")
    done = subprocess.run(
        [promtool, "check", "rules", CHART / "files" / "rules.yaml"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"{len(RULES)} rules found" in done.stdout


def test_what_is_rendered_are_these_rules_and_this_dashboard() -> None:
    [rendered] = objects("monitoring", "PrometheusRule")
    found = [rule for group in rendered["spec"]["groups"] for rule in group["rules"]]
    assert [rule["alert"] for rule in found] == [rule["alert"] for rule in RULES]
    assert found[0]["annotations"]["runbook_url"].startswith("https://docs.example/runbooks.md#")
    [board] = [one for one in objects("monitoring", "ConfigMap") if one["metadata"]["name"].endswith("-dashboard")]
    assert json.loads(board["data"]["tidemill.json"]) == DASHBOARD

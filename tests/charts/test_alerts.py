"""Each alert comes when it should and stays away otherwise: Prometheus itself evaluates the rules over given series."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.charts.rendering import CHART
from tools import metrics_doc
from tools.programs import Missing, program

RULES = {rule["alert"]: rule for rule in metrics_doc.alerts()}
CASES: dict[str, dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("alerts.yaml").read_text(encoding="utf-8"))


def test_every_alert_has_a_case() -> None:
    assert list(CASES) == list(RULES)


def series(of: dict[str, str]) -> list[dict[str, str]]:
    return [{"series": name, "values": values} for name, values in of.items()]


def expected(name: str) -> dict[str, Any]:
    """The alert as it has to come: words of the rule, unless there are values in them, which the case has."""
    rule, case = RULES[name], CASES[name]
    said = {**rule["annotations"], **{key: case[key] for key in ("summary", "description") if key in case}}
    assert not [key for key, text in said.items() if "{{" in text], f"the case of {name} does not say what it reads"
    return {"exp_labels": {**rule["labels"], **case.get("labels", {})}, "exp_annotations": said}


def moments(name: str) -> list[dict[str, Any]]:
    """What promtool is given for an alert: series with which it comes, and series with which it never does."""
    case = CASES[name]
    looks = [
        {"eval_time": case["quiet"], "alertname": name, "exp_alerts": []},
        {"eval_time": case["fires"], "alertname": name, "exp_alerts": [expected(name)]},
    ]
    never = [{"eval_time": f"{at}m", "alertname": name, "exp_alerts": []} for at in range(0, 30, 5)]
    return [
        {"interval": "1m", "input_series": series(case["series"]), "alert_rule_test": looks},
        {"interval": "1m", "input_series": series(case["never"]), "alert_rule_test": never},
    ]


@pytest.mark.parametrize("name", CASES)
def test_it_comes_when_it_should_and_not_otherwise(name: str, tmp_path: Path) -> None:
    try:
        promtool = program("promtool")
    except Missing as error:
        pytest.skip(f"NOT TESTED: {error}")
    file = tmp_path / "tests.yaml"
    rules = str(CHART / "files" / "rules.yaml")
    file.write_text(yaml.safe_dump({"rule_files": [rules], "evaluation_interval": "1m", "tests": moments(name)}))
    done = subprocess.run([promtool, "test", "rules", file], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr

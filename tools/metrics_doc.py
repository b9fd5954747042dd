"""Makes docs/metrics.md out of the code: what operator, API and workers measure, and the alerts of the chart over it.

Run as a program it writes the page; with ``--check`` it says whether the page is as the code has it.
Neighbours: the modules ``metrics`` of operator and worker, charts/tidemill/files (rules, dashboard), docs/runbooks.md.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

import yaml
from prometheus_client import CollectorRegistry
from prometheus_client.metrics import MetricWrapperBase

from tidemill.metrics.instruments import DONE, EXPECTED
from tidemill.metrics.measured import MEASURED
from tidemill.metrics.series import DROPPED, METRICS, SERIES, Kind
from tidemill_operator.api.metrics import Metrics as ApiMetrics
from tidemill_operator.metrics import Metrics as OperatorMetrics
from tidemill_worker.metrics import Metrics as WorkerMetrics

__all__ = ["alerts", "every", "page", "series"]

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "metrics.md"
RULES = ROOT / "charts" / "tidemill" / "files" / "rules.yaml"

HEAD = """# Metrics

*Made by `make docs` out of the code; edit that, and not this page.*

The operator, the HTTP API and each worker serve `/metrics` on port 8080, in the format of Prometheus. Units are seconds
and bytes, what ends in `_total` only grows, and no label has the name of a run, a context or an input. With
`metrics.ofObjects` in the chart some metrics of the operator have names of DataFlow objects, gone with the object.

The chart has a ServiceMonitor, a PodMonitor, alerts and a dashboard for Grafana: see [running it](running.md#metrics).
"""

COUNTING = Path(__file__).parent / "metrics_doc.md"
"""What the page says of the metrics of operations, above the table of those that all of them have."""
OF_OPERATIONS = sorted((*MEASURED, DONE, EXPECTED))


def families(registry: CollectorRegistry) -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return (name, type, labels, what it is) of each metric of a registry, by name."""
    found = set()
    for collector in set(registry._collector_to_names):
        if isinstance(collector, MetricWrapperBase):
            name = collector._name + ("_total" if collector._type == "counter" else "")
            found.add((name, str(collector._type), tuple(collector._labelnames), collector._documentation))
    return sorted(found)


def every() -> list[tuple[str, str, tuple[str, ...], str]]:
    """Return the metrics of operator, API, workers and operations, those of single objects as well."""
    registries = (OperatorMetrics(objects=True).registry, ApiMetrics().registry, WorkerMetrics().registry)
    own = [*map(_own, OF_OPERATIONS), (DROPPED.name, DROPPED.type, DROPPED.labels, DROPPED.about)]
    return [*own, *(one for registry in registries for one in families(registry))]


def _own(kind: Kind) -> tuple[str, str, tuple[str, ...], str]:
    return kind.name, kind.type, ("dataflow", "operation", *kind.labels), kind.about


def series() -> set[str]:
    """Return the name of every series that there is."""
    names: set[str] = set()
    for name, kind, _, _ in every():
        names |= {f"{name}_bucket", f"{name}_count", f"{name}_sum"} if kind == "histogram" else {name}
    return names


def alerts() -> list[dict[str, Any]]:
    """Return the alerts of the chart."""
    groups = yaml.safe_load(RULES.read_text(encoding="utf-8"))["groups"]
    return [rule for group in groups for rule in group["rules"]]


def page() -> str:
    """Return the page as the code has it."""
    operator = families(OperatorMetrics(objects=True).registry)
    always = {name for name, *_ in families(OperatorMetrics().registry)}
    parts = [
        HEAD,
        "## Of the operator\n",
        _table(one for one in operator if one[0] in always),
        "### Of single objects\n\nWith `metrics.ofObjects` only.\n",
        _table(one for one in operator if one[0] not in always),
        "## Of the HTTP API\n",
        _table(families(ApiMetrics().registry)),
        "## Of a worker\n",
        _table(families(WorkerMetrics().registry)),
        COUNTING.read_text(encoding="utf-8").format(metrics=METRICS, series=SERIES),
        _table(_own(one) for one in OF_OPERATIONS),
        "## Alerts\n",
        "".join(["| alert | severity | says |\n|---|---|---|\n", *map(_alert, alerts())]),
    ]
    return "\n".join(parts)


def _table(rows: Any) -> str:
    lines = [f"| `{name}` | {kind} | {_words(labels)} | {about} |\n" for name, kind, labels, about in rows]
    return "| name | type | labels | what |\n|---|---|---|---|\n" + "".join(lines)


def _words(labels: tuple[str, ...]) -> str:
    return ", ".join(f"`{label}`" for label in labels)


def _alert(rule: dict[str, Any]) -> str:
    name, summary = rule["alert"], rule["annotations"]["summary"].split(":")[0]
    return f"| [{name}](runbooks.md#{name.lower()}) | {rule['labels']['severity']} | {summary} |\n"


def main() -> int:
    """Write the page, or say that it is not up to date."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="only say whether docs/metrics.md is up to date")
    if parser.parse_args().check:
        if PAGE.read_text(encoding="utf-8") == page():
            return 0
        print("docs/metrics.md is not as the code has it: run `make docs`", file=sys.stderr)
        return 1
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())

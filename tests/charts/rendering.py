"""The chart rendered, as objects: once for each file of values, and cached."""

from __future__ import annotations

import functools
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tools import chart
from tools.programs import Missing, program

ROOT = Path(__file__).resolve().parent.parent.parent
CHART = ROOT / "charts" / "tidemill"
SCENARIOS = sorted((CHART / "ci").glob("*-values.yaml"))
NAMES = [path.name.removesuffix("-values.yaml") for path in SCENARIOS]
NAMESPACE = "release-namespace"

Object = dict[str, Any]


def helm() -> str:
    """The program; where it cannot be had, the test that asks is skipped, and says so."""
    try:
        return program("helm")
    except Missing as error:
        pytest.skip(f"NOT TESTED: {error}")


@functools.cache
def _rendered(name: str) -> str:
    return chart.render("-f", str(CHART / "ci" / f"{name}-values.yaml"), namespace=NAMESPACE)


def text(name: str) -> str:
    """What the chart renders to with the values of a scenario."""
    helm()
    return _rendered(name)


def objects(name: str, *kinds: str) -> list[Object]:
    """The objects of a scenario, or those of some kinds."""
    every = [one for one in yaml.safe_load_all(text(name)) if one]
    return [one for one in every if not kinds or one["kind"] in kinds]


def with_values(*settings: str) -> list[Object]:
    """The objects with some values set as on a command line. Raises `ValueError` with what helm says against them."""
    helm()
    said = [word for setting in settings for word in ("--set", setting)]
    return [one for one in yaml.safe_load_all(chart.render(*said, namespace=NAMESPACE)) if one]


def refusal(*settings: str) -> str:
    """What helm says against some values; fails where it says nothing."""
    try:
        with_values(*settings)
    except ValueError as error:
        return str(error)
    raise AssertionError(f"{settings} were accepted")


def pods(found: list[Object]) -> Iterator[tuple[str, Object]]:
    """The name and the spec of each pod that the objects are or make."""
    for one in found:
        if one["kind"] == "Pod":
            yield one["metadata"]["name"], one["spec"]
        elif one["kind"] in ("Deployment", "StatefulSet", "Job", "DaemonSet"):
            yield one["metadata"]["name"], one["spec"]["template"]["spec"]


def containers(pod: Object) -> list[Object]:
    """Every container of a pod."""
    return [*pod.get("initContainers", []), *pod["containers"]]


def named(found: list[Object], kind: str, name: str) -> Object:
    """The one object of this kind and name."""
    [one] = [one for one in found if (one["kind"], one["metadata"]["name"]) == (kind, name)]
    return one


def control_plane() -> str | None:
    """The kubeconfig of an API server that tests may use, if a variable names one."""
    return os.environ.get("TIDEMILL_TEST_KUBECONFIG")

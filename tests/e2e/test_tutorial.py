"""The last rung of the ladder, on a real cluster: its page followed literally, its program measured like the others."""

import os
import shlex
import subprocess
import sys
from collections.abc import Iterator

import pytest
from ladder.measure import measure

from tests.e2e.place import ROOT, Place
from tests.examples.tutorial.test_pages import ON_A_CLUSTER, pattern_of
from tests.test_migrating import commands

pytestmark = pytest.mark.cluster

PAGE = (ROOT / "docs" / "tutorial" / "10-kubernetes.md").read_text(encoding="utf-8")
MADE = ("dataflowrun/downloads", "dataflow/downloads", "deployment/files", "service/files")
BESIDE = (
    "configmap/downloads",
    "configmap/files-site",
    "serviceaccount/tutorial",
    "role/tutorial",
    "rolebinding/tutorial",
)


@pytest.fixture
def there(cluster: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """A cluster in which nothing of the rung is left afterwards, and that programs reach as a reader's do."""
    for name in ("KUBECONFIG", "PATH"):
        monkeypatch.setenv(name, cluster.environment[name])
    monkeypatch.setenv("PATH", f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("TIDEMILL_NAMESPACE", cluster.namespace)
    with cluster.gone_after(*MADE, *BESIDE):
        yield cluster


def test_the_page_can_be_followed(there: Place) -> None:
    blocks = [found["text"] for found in ON_A_CLUSTER.finditer(PAGE)]
    assert len(blocks) == PAGE.count("```console")
    follow(there, blocks)


def follow(there: Place, blocks: list[str]) -> None:
    """Type what blocks say, with the namespace of the place, and compare what is printed where they say it."""
    for command, printed in (one for text in blocks for one in commands(text)):
        typed = shlex.split(command)
        assert typed[0] in ("kubectl", "python")
        typed = [there.namespace if before == "-n" else word for before, word in zip(["", *typed], typed, strict=False)]
        done = subprocess.run(typed, cwd=ROOT, capture_output=True, text=True, timeout=400, check=False)
        assert done.returncode == 0, f"$ {command}\n{done.stderr}"
        said = done.stdout if done.stdout.endswith("\n") else f"{done.stdout}\n"
        if printed and not pattern_of(printed.rstrip("\n") + "\n").fullmatch(said):
            pytest.fail(f"$ {command}\n{said}{there.kubectl('get', 'dataflow,dataflowrun', '-o', 'yaml')}")


def test_the_page_of_the_samples_can_be_followed(there: Place) -> None:
    page = (ROOT / "examples" / "kubernetes" / "README.md").read_text(encoding="utf-8")
    try:
        follow(there, [found["text"] for found in ON_A_CLUSTER.finditer(page)])
    finally:
        there.kubectl("delete", "-k", str(ROOT / "examples" / "kubernetes"), "--ignore-not-found", "--timeout=120s")


def test_its_cost_is_measured_like_that_of_the_others(there: Place) -> None:
    found = measure("kubernetes", 60, 0.01, "")
    assert (found.done, found.failed) == (60, 0)
    assert found.cpu > 1
    assert found.memory > 100 << 20  # two workers, the store, the operator


def test_results_that_are_too_large_for_a_status_come_over_the_api(there: Place) -> None:
    found = measure("kubernetes", 1000, 0.0, "")
    assert (found.done, found.failed) == (1000, 0)

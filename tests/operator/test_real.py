"""The operator as a process of its own against a real API server, which knows more than the one of the other tests:
schemas, defaults, server-side apply, the fields that managers own, garbage collection."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.backends.redis.stores import server
from tests.operator.cluster import ControlPlane
from tests.operator.stage import LEASE
from tests.operator.words import FOLDER, dataflow, run
from tidemill_operator.names import CLEANUP

pytestmark = [pytest.mark.cluster, pytest.mark.timeout(900)]

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 180.0
"""Seconds within which whatever a test waits for has to have happened."""


class Processes:
    """An operator and workers, as they are started in pods."""

    def __init__(self, api: ControlPlane, namespace: str, folder: Path) -> None:
        self.api, self.namespace, self.folder = api, namespace, folder
        self.started: list[subprocess.Popen[bytes]] = []
        url = folder / "url"
        url.write_text(server("valkey"), encoding="utf-8")
        self._environment = {**api.environment, FOLDER: str(folder), "TIDEMILL_STORE_FILE": str(url)}

    def start(self, module: str, **settings: Any) -> "subprocess.Popen[bytes]":
        """Start a process with these settings."""
        said = {"durability": "none", "port": -1, **settings}
        arguments = [f"--{name}={value}" for name, value in said.items()]
        log = (self.folder / f"{module}-{len(self.started)}.log").open("wb")
        with log:
            command = [sys.executable, "-m", module, *arguments]
            process = subprocess.Popen(command, cwd=ROOT, env=self._environment, stderr=log)
        self.started.append(process)
        return process

    def last_log(self) -> str:
        """Return what the process that was started last has said."""
        [log] = self.folder.glob(f"*-{len(self.started) - 1}.log")
        return log.read_text()

    def operator(self, **whose: Any) -> "subprocess.Popen[bytes]":
        """Start an operator for the namespace, or for ``whose``."""
        kubeconfig = self.api.environment["KUBECONFIG"]
        place = {"namespace": self.namespace, "kubeconfig": kubeconfig, **(whose or {"namespaces": self.namespace})}
        return self.start("tidemill_operator", lease=LEASE, **place)

    def worker(self, pool: str = "words.default", namespace: str = "", **settings: Any) -> "subprocess.Popen[bytes]":
        """Start a worker."""
        prefix = f"tm-{namespace or self.namespace}"
        return self.start("tidemill_worker", prefix=prefix, pool=pool, runners=1, lease=LEASE, **settings)

    def apply(self, body: dict[str, Any]) -> None:
        """Apply an object, as a person would."""
        self.api.must("apply", "-f", "-", given=body)

    def get(self, what: str, name: str) -> dict[str, Any]:
        """Return an object; an empty one if there is none."""
        found = self.api.get(what, "-n", self.namespace, f"--field-selector=metadata.name={name}")
        return dict(found["items"][0]) if found["items"] else {}

    def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + DEADLINE
        while not holds():
            said = "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))
            assert time.monotonic() < deadline, f"it never came to pass that {what}: {said}"
            time.sleep(0.1)

    def ended(self, what: str, name: str, reason: str = "Succeeded") -> None:
        """Wait until an object has ended with this reason."""
        self.until(lambda: self.reason("Succeeded", what, name) == reason, f"{name} is {reason}")

    def reason(self, kind: str, what: str = "df", name: str = "words") -> str:
        """Return the reason of a condition."""
        conditions = (self.get(what, name).get("status") or {}).get("conditions") or ()
        return next((str(one["reason"]) for one in conditions if one["type"] == kind), "")


@pytest.fixture
def processes(api: ControlPlane, namespace: str, tmp_path: Path) -> Iterator[Processes]:
    made = Processes(api, namespace, tmp_path)
    yield made
    for process in made.started:
        process.kill()
        process.wait()


def test_a_data_flow_from_apply_to_its_results_and_to_nothing(processes: Processes) -> None:
    processes.operator()
    processes.worker()
    processes.apply(dataflow(processes.namespace, inputs={"one": ["tide"], "two": ["mill"]}))
    processes.ended("df", "words")
    status = processes.get("df", "words")["status"]
    assert {one["context"]: one["result"] for one in status["results"]} == {
        "words.one": {"length": [4]},
        "words.two": {"length": [4]},
    }
    processes.apply(run(processes.namespace, "again", inputs={"x": ["sluice"]}))
    processes.ended("dfr", "again")
    processes.api.must("scale", "df/words", "-n", processes.namespace, "--replicas=3")
    deployment = "words-default"
    processes.until(lambda: processes.get("deploy", deployment)["spec"]["replicas"] == 3, "/scale wins")
    processes.ended("df", "words")
    said = processes.api.must("describe", "df/words", "-n", processes.namespace)
    assert "the data flow is accepted" in said
    processes.api.must("delete", "df/words", "dfr/again", "-n", processes.namespace, "--timeout=120s")
    processes.until(lambda: not processes.get("deploy", deployment), "its workers are gone")


def test_operators_are_killed_and_nothing_is_lost_or_run_twice(processes: Processes) -> None:
    operator = processes.operator()
    processes.worker()
    processes.apply(dataflow(processes.namespace))
    lines = "\n".join(f'{{"word": "w{number}"}}' for number in range(300))
    metadata = {"name": "many", "namespace": processes.namespace}
    processes.apply({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"lines": lines}})
    source = {"name": "file", "configMapKeyRef": {"name": "many", "key": "lines"}}
    for number in range(3):
        name = f"big{number}"
        processes.apply(run(processes.namespace, name, inputsFrom=[source]))
        processes.until(partial(processes.reason, "Accepted", "dfr", name), "it was looked at")
        operator.send_signal(signal.SIGKILL)
        operator.wait()
        operator = processes.operator()
    for number in range(3):
        processes.ended("dfr", f"big{number}")
        counts = processes.get("dfr", f"big{number}")["status"]["contexts"]
        assert counts == {"open": 0, "succeeded": 300, "failed": 0, "total": 300}
    processes.until(lambda: "watching" in processes.last_log(), "it hears signals")
    operator.terminate()
    assert operator.wait(120) == 0


def test_an_object_that_nests_thousands_deep_hurts_nobody(processes: Processes) -> None:
    operator = processes.operator()
    processes.worker()
    body = dataflow(processes.namespace, "deep")
    body["spec"]["configs"] = {"measure": {"x": "DEEP"}}
    deep = '{"a":' * 8900 + "1" + "}" * 8900
    text = json.dumps(body).replace('"DEEP"', deep)
    path = f"/apis/tidemill.alt/v1alpha1/namespaces/{processes.namespace}/dataflows"
    processes.api.must("create", "--raw", path, "-f", "-", given=text)
    processes.apply(dataflow(processes.namespace, inputs={"one": ["tide"]}))
    processes.ended("df", "words")
    reason = "-o=jsonpath={.status.conditions[0].reason}"

    def said() -> str:
        return processes.api.must("get", "df", "deep", "-n", processes.namespace, reason)

    processes.until(lambda: said() == "TooDeep", "it is refused")
    assert operator.poll() is None
    assert processes.get("df", "words")["metadata"]["finalizers"] == [CLEANUP]
    processes.api.must("delete", "df/deep", "-n", processes.namespace, "--timeout=120s")


def test_one_operator_for_all_namespaces_keeps_them_apart(processes: Processes, api: ControlPlane) -> None:
    processes.operator(clusterwide="true")
    with api.namespace() as other:
        flows = {processes.namespace: ["tide"], other: ["sluice"]}
        for namespace, words in flows.items():
            processes.worker(namespace=namespace)
            processes.apply(dataflow(namespace, inputs={"one": words}))
        for namespace, (word,) in flows.items():
            processes.namespace = namespace
            processes.ended("df", "words")
            [result] = processes.get("df", "words")["status"]["results"]
            assert result["result"] == {"length": [len(word)]}
        api.must("delete", "df/words", "-n", other, "--timeout=120s")


def _over(process: subprocess.Popen[bytes]) -> bool:
    return process.poll() is not None


def test_a_job_is_taken_by_the_api_server_and_goes_with_its_data_flow(processes: Processes) -> None:
    processes.operator()
    body = dataflow(processes.namespace, inputs={"one": ["tide"]})
    body["spec"]["pools"] = [{"name": "default", "kind": "Job", "maxReplicas": 1}]
    processes.apply(body)
    processes.until(lambda: processes.get("job", "words-default-0"), "there is a Job")
    for _ in range(2):  # the operation, and the one of the results; there is no node that would run pods
        process = processes.worker(once="true", name="words-default-0-abcde")
        processes.until(partial(_over, process), "a worker for one parameter set has ended")
        assert process.returncode == 0
    processes.ended("df", "words")
    assert processes.get("df", "words")["status"]["pools"][0]["kind"] == "Job"
    said = processes.api.kubectl("scale", "df/words", "-n", processes.namespace, "--replicas=3")
    assert "spec.replicas fixes the workers of the pool default" in said.said
    processes.api.must("delete", "df/words", "-n", processes.namespace, "--timeout=120s")
    processes.until(lambda: not processes.get("job", "words-default-0"), "its Job is gone")

"""Objects go their way to their results, whatever is edited, suspended, cancelled or deleted meanwhile."""

import asyncio
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from tests.backends.redis.stores import server
from tests.operator.stage import DEADLINE, Stage, stage
from tests.operator.words import dataflow, run
from tidemill.backends.redis.groups import RedisGroups
from tidemill_operator.kinds.status import DataFlowStatus, RunStatus
from tidemill_operator.names import CLEANUP, label

RUNS = "dataflowruns"


@pytest.fixture
async def place(tmp_path: Path) -> AsyncIterator[Stage]:
    async with stage(server("valkey"), tmp_path) as found:
        yield found


async def test_what_is_applied_is_run_and_its_results_stand_in_the_status(place: Stage) -> None:
    place.work()
    operator = place.start()
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"], "two": ["mill", "pond"]}))
    await place.ended()
    assert place.results() == {"words.one": {"length": [4]}, "words.two": {"length": [4, 4]}}
    status = DataFlowStatus.model_validate(place.get()["status"])
    assert status.contexts is not None
    assert (status.contexts.succeeded, status.contexts.total, status.observedGeneration) == (2, 2, 1)
    assert place.get()["metadata"]["finalizers"] == [CLEANUP]
    deployment = place.api.get("deployments", place.namespace, "words-default")
    assert deployment is not None
    assert deployment["metadata"]["ownerReferences"][0]["uid"] == place.get()["metadata"]["uid"]
    await place.until(lambda: "Succeeded" in place.events(), "its end is told")
    assert place.events().count("Accepted") == place.events().count("Succeeded") == 1
    said = [body["status"] for _, _, body in place.api.writes("/status")]
    assert sum(one == another for one, another in pairwise(said)) <= 2, "it says again what it has said already"
    await place.looked_at(operator, 3)
    settled = len(place.api.writes())
    await place.looked_at(operator, 3)  # whoever looks again finds nothing to write
    assert len(place.api.writes()) == settled
    assert await place.stop(operator) == 0


async def test_editing_the_inputs_runs_what_is_new(place: Stage) -> None:
    place.work()
    place.start()
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"]}))
    await place.ended()
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"], "two": ["sluice"]}))
    await place.until(lambda: len(place.results()) == 2, "the new one was run")
    place.apply(dataflow(place.namespace, inputs={"one": ["other"], "two": ["sluice"]}))
    await place.until(lambda: len(place.results()) == 3, "the changed one was run")
    found = place.results()
    assert (found.pop("words.one"), found.pop("words.two")) == ({"length": [4]}, {"length": [6]})
    [(name, result)] = found.items()
    assert name.startswith("words.one.")
    assert result == {"length": [5]}
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"], "two": ["sluice"]}))
    await place.until(lambda: place.get()["status"]["observedGeneration"] == 4, "it was looked at")
    await place.ended()
    assert place.get()["status"]["contexts"]["total"] == 3


async def test_a_run_of_a_data_flow_that_comes_later(place: Stage) -> None:
    place.work()
    place.start()
    place.apply(run(place.namespace, "again", inputs={"x": ["tide"]}))
    await place.until(
        lambda: place.reason("Accepted", "again", RUNS) == "DataFlowNotFound", "it says what it waits for"
    )
    place.apply(dataflow(place.namespace))
    await place.ended(name="again", plural=RUNS)
    assert place.results("again", RUNS) == {"again.x": {"length": [4]}}
    RunStatus.model_validate(place.get("again", RUNS)["status"])
    assert place.reason("Succeeded") == "NoInputs"
    digest = place.get("again", RUNS)["status"]["planDigest"]
    assert digest == place.get()["status"]["planDigest"]
    changed = dataflow(place.namespace)
    changed["spec"]["seed"][0]["value"] = ["length", "word"]
    place.apply(changed)
    await place.until(lambda: place.get()["status"]["planDigest"] != digest, "the data flow is another")
    wider = run(place.namespace, "again", inputs={"x": ["tide"], "y": ["mill"]})
    place.apply(wider)
    await place.until(lambda: len(place.results("again", RUNS)) == 2, "the new inputs were run")
    assert place.results("again", RUNS)["again.y"] == {"length": [4]}, "with the data flow that the run began with"
    assert place.get("again", RUNS)["status"]["planDigest"] == digest


async def test_a_run_is_suspended_resumed_and_another_one_cancelled(place: Stage) -> None:
    place.start()
    place.apply(dataflow(place.namespace))
    place.apply(run(place.namespace, "held", inputs={"x": ["tide"]}, suspend=True))
    await place.until(lambda: place.reason("Progressing", "held", RUNS) == "Suspended", "it is suspended")
    place.work()
    place.apply(run(place.namespace, "free", inputs={"x": ["mill"]}))
    await place.ended(name="free", plural=RUNS)
    assert place.reason("Succeeded", "held", RUNS) == "Running"
    place.apply(run(place.namespace, "held", inputs={"x": ["tide"]}, suspend=False))
    await place.ended(name="held", plural=RUNS)
    place.apply(run(place.namespace, "stuck", inputs={"x": ["-tide"]}))
    await place.until(lambda: place.get("stuck", RUNS).get("status", {}).get("contexts", {}).get("open"), "it runs")
    place.apply(run(place.namespace, "stuck", inputs={"x": ["-tide"]}, cancel=True))
    uid = place.get("stuck", RUNS)["metadata"]["uid"]
    async with asyncio.timeout(DEADLINE):
        while (await RedisGroups(place.client).counts(uid)).state != "cancelled":
            await place.client.redis.ping()
    place.go()
    await place.ended("RunCancelled", "stuck", RUNS)


async def test_a_failure_is_told_with_its_context_and_operation(place: Stage) -> None:
    place.work()
    place.start()
    place.apply(dataflow(place.namespace, inputs={"good": ["tide"], "bad": ["bad"]}))
    await place.ended("Failed")
    [failure] = place.get()["status"]["failures"]
    assert (failure["context"], failure["instance"]) == ("words.bad", "measure")
    assert "a bad word" in failure["message"]
    assert '1 of 2 contexts failed; "words.bad"' in place.message("Succeeded")


async def test_what_is_deleted_and_made_again_meets_nothing_of_what_was(place: Stage) -> None:
    place.start()
    place.apply(dataflow(place.namespace, inputs={"one": ["-tide"]}))
    await place.until(lambda: place.get().get("status", {}).get("contexts", {}).get("open") == 1, "it is open")
    first = place.get()["metadata"]["uid"]
    place.api.delete("dataflows", place.namespace, "words")
    await place.until(lambda: not place.get(), "it is gone")
    kept = [key async for key in place.client.redis.scan_iter(f"{place.client.tag}*") if first.encode() in key]
    assert kept == []
    assert await place.client.redis.exists(place.client.key("names", "")) == 0
    place.api.delete("deployments", place.namespace, "words-default")
    place.work()
    place.apply(dataflow(place.namespace, inputs={"one": ["mill"]}))
    await place.ended()
    assert place.results() == {"words.one": {"length": [4]}}
    assert place.get()["status"]["contexts"]["total"] == 1
    assert place.get()["metadata"]["uid"] != first


async def test_a_name_that_somebody_else_has_taken_gives_another_one(place: Stage) -> None:
    place.work("b.default")
    place.work("b.c.default")
    place.start()
    place.apply(dataflow(place.namespace, "b", inputs={"c.d": ["tide"]}))
    await place.ended(name="b")
    place.apply(dataflow(place.namespace, "b.c", inputs={"d": ["mill!"]}))
    await place.ended(name="b.c")
    [(name, result)] = place.results("b.c").items()
    assert name.startswith("b.c.d.")
    assert result == {"length": [5]}


async def test_many_input_sets_are_opened_in_pieces(place: Stage) -> None:
    place.work()
    operator = place.start(opened_at_once=50)
    place.apply(dataflow(place.namespace))
    lines = "\n".join(f'{{"word": "w{number}"}}' for number in range(400))
    place.api.put("configmaps", {"metadata": {"name": "many", "namespace": place.namespace}, "data": {"lines": lines}})
    source = {"name": "file", "configMapKeyRef": {"name": "many", "key": "lines"}}
    place.apply(run(place.namespace, "big", inputsFrom=[source]))
    await place.ended(name="big", plural=RUNS)
    assert place.get("big", RUNS)["status"]["contexts"] == {"open": 0, "succeeded": 400, "failed": 0, "total": 400}
    assert operator.metrics.opened._value.get() == 400


async def test_an_object_goes_when_its_time_is_over(place: Stage) -> None:
    place.work()
    place.start()
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"]}, ttlSecondsAfterFinished=0))
    await place.until(lambda: not place.get(), "it is gone")
    assert place.api.writes("/dataflows/words")


async def test_ended_runs_beyond_the_history_go(place: Stage) -> None:
    place.work()
    place.start()
    place.apply(dataflow(place.namespace, historyLimits={"succeededRuns": 1, "failedRuns": 0}))
    for name in ("r1", "r2", "r3"):
        place.apply(run(place.namespace, name, inputs={"x": ["tide"]}))
    await place.until(lambda: sum(key[0] == RUNS for key in place.api.objects) == 1, "one is left")


async def test_work_brings_workers_and_scale_wins(place: Stage) -> None:
    place.start()
    place.apply(dataflow(place.namespace))

    def replicas() -> int:
        found = place.api.get("deployments", place.namespace, "words-default") or {"spec": {"replicas": -1}}
        return int(found["spec"]["replicas"])

    await place.until(lambda: replicas() == 0, "there is a Deployment without workers")
    await place.until(lambda: place.reason("WorkersAvailable") == "ScaledToZero", "it says so")
    place.apply(run(place.namespace, "r", inputs={str(n): ["tide"] for n in range(70)}))
    await place.until(lambda: replicas() == 2, "there are workers for it")
    await place.until(lambda: place.reason("Progressing", "r", RUNS) == "NoWorkers", "it says that nobody works yet")
    place.apply(dataflow(place.namespace, replicas=7))
    await place.until(lambda: replicas() == 7, "as many as were asked for")
    place.work()
    await place.ended(name="r", plural=RUNS)
    assert replicas() == 7
    place.apply(dataflow(place.namespace, replicas=0))
    await place.until(lambda: replicas() == 0, "none")


async def test_a_pool_that_is_gone_takes_its_workers_with_it(place: Stage) -> None:
    place.start()
    two = dataflow(place.namespace, pools=[{"name": "other", "replicas": 1}])
    two["spec"]["operations"]["measure"]["pool"] = "other"
    place.apply(two)
    await place.until(lambda: place.api.get("deployments", place.namespace, "words-other"), "there are workers")
    place.apply(dataflow(place.namespace))
    await place.until(lambda: not place.api.get("deployments", place.namespace, "words-other"), "they are gone")


async def test_an_operation_that_workers_lack_is_named(place: Stage) -> None:
    place.start()
    body = dataflow(place.namespace, inputs={"one": ["tide"]})
    body["spec"]["operations"]["measure"]["name"] = "tests.operator.words:gone"
    place.work(operations="tests.operator.words:gone")
    await place.until(lambda: place.workers.look("hlen", "said", ""), "there is a worker")
    place.apply(body)
    await place.until(lambda: place.reason("ImplementationsAvailable") == "MissingImplementation", "it says so")
    assert "tests.operator.words:gone" in place.message("ImplementationsAvailable")


async def test_pods_that_are_idle_are_those_that_go_first(place: Stage) -> None:
    operator = place.start()
    place.apply(dataflow(place.namespace, inputs={"one": ["-tide"]}, replicas=3))
    labels = {label("pool"): "default", label("dataflow-uid"): place.get()["metadata"]["uid"]}
    uid = {}
    for name in ("idle", "busy"):
        pod = {"metadata": {"name": name, "namespace": place.namespace, "labels": labels}}
        uid[name] = place.api.put("pods", pod)["metadata"]["uid"]
    place.work(name=uid["busy"])
    await place.until(lambda: (place.get().get("status") or {}).get("parameterSets", {}).get("leased"), "one is busy")
    place.apply(dataflow(place.namespace, inputs={"one": ["-tide"]}, replicas=2))
    await place.until(lambda: replicas(place) == 2, "there are fewer")
    await place.looked_at(operator, 2)
    [(verb, path, body)] = place.api.writes("/pods")
    assert (verb, path.rpartition("/")[2]) == ("PATCH", "busy")
    assert body["metadata"]["annotations"] == {"controller.kubernetes.io/pod-deletion-cost": "1"}
    place.go()
    await place.ended()


async def test_workers_go_though_nobody_may_look_at_pods(place: Stage) -> None:
    place.api.refuse = lambda verb, path: 403 if "/pods" in path else None
    place.start()
    place.apply(dataflow(place.namespace, replicas=3))
    await place.until(lambda: replicas(place) == 3, "they are there")
    place.apply(dataflow(place.namespace, replicas=1))
    await place.until(lambda: replicas(place) == 1, "they are gone")


def replicas(place: Stage) -> int | None:
    """Return how many workers the pool default is to have."""
    found = place.api.get("deployments", place.namespace, "words-default")
    return int(found["spec"]["replicas"]) if found else None


async def test_why_no_pod_runs_is_told_and_a_config_map_that_is_missing(place: Stage) -> None:
    place.start()
    pools = [{"name": "default", "modulesFrom": [{"configMapRef": {"name": "code"}}]}]
    place.apply(dataflow(place.namespace, inputs={"one": ["tide"]}, pools=pools))
    await place.until(lambda: place.reason("Progressing") == "ConfigMapNotFound", "what is missing is told")
    assert '"code"' in place.message("WorkersAvailable")
    place.api.put("configmaps", {"metadata": {"name": "code", "namespace": place.namespace}, "data": {}})
    labels = {label("pool"): "default", label("dataflow-uid"): place.get()["metadata"]["uid"]}
    waiting = {"reason": "ImagePullBackOff", "message": "no such image"}
    pod = {"metadata": {"name": "p", "namespace": place.namespace, "labels": labels}}
    place.api.put("pods", {**pod, "status": {"containerStatuses": [{"state": {"waiting": waiting}}]}})
    await place.until(lambda: "no such image" in place.message("WorkersAvailable"), "why is told")
    assert place.reason("Progressing") == "NoWorkers"
    place.work()
    await place.ended()

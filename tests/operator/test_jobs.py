"""Pools of kind Job from an object to its results: Jobs come as there is work, and each runs one parameter set in a
process of its own, here started by what stands for the kubelet."""

import asyncio
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from tests.backends.redis.stores import server
from tests.operator.stage import LEASE, Stage, stage
from tests.operator.words import dataflow
from tidemill_operator.decide.statuses import time_of

POOLS = [{"name": "apart", "kind": "Job", "maxReplicas": 2}]


class Kubelet:
    """Starts a worker for each Job, and says how it ended."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.begun: list[str] = []
        self.most = 0

    async def run(self) -> None:
        """Look after Jobs until cancelled."""
        while True:
            for (plural, namespace, name), one in list(self.stage.api.objects.items()):
                if plural == "jobs" and "status" not in one:
                    self._begin(namespace, name, one)
            for name, worker in list(self.running.items()):
                if worker.poll() is not None:
                    del self.running[name]
                    self.stage.workers.workers.remove(worker)
                    self._ended(name, worker.returncode)
            await asyncio.sleep(0.02)

    def _begin(self, namespace: str, name: str, one: dict[str, Any]) -> None:
        [container] = one["spec"]["template"]["spec"]["containers"]
        said = {each["name"].removeprefix("TIDEMILL_").lower(): each.get("value") for each in container["env"]}
        assert said["once"] == "true"
        [self.running[name]] = self.stage.workers.start(1, once="true", pool=said["pool"], name=f"{name}-abcde")
        self.begun.append(name)
        self.most = max(self.most, len(self.running))
        self._say(name, {"ready": 1, "active": 1})

    def _ended(self, name: str, code: int) -> None:
        if self.stage.api.get("jobs", self.stage.namespace, name) is not None:
            kind, now = "Failed" if code else "Complete", self._now()
            conditions = [{"type": kind, "status": "True", "lastTransitionTime": now, "reason": "R", "message": "m"}]
            self._say(name, {"ready": 0, "active": 0, "conditions": conditions})

    def _now(self) -> str:
        return time_of(asyncio.get_running_loop().time())

    def _say(self, name: str, status: dict[str, Any]) -> None:
        one = self.stage.api.objects["jobs", self.stage.namespace, name]
        self.stage.api.put("jobs", {**one, "status": status})


@asynccontextmanager
async def running(folder: Path, **settings: Any) -> AsyncIterator[tuple[Stage, Kubelet]]:
    """Give an operator, and what stands for a node."""
    async with stage(server("valkey"), folder) as one:
        kubelet = Kubelet(one)
        task = asyncio.create_task(kubelet.run())
        one.start(**settings)
        try:
            yield one, kubelet
        finally:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


def apart(namespace: str, **inputs: list[str]) -> dict[str, Any]:
    """Return a DataFlow whose operation runs in Jobs."""
    body = dataflow(namespace, inputs=inputs, pools=POOLS)
    body["spec"]["operations"]["measure"]["pool"] = "apart"
    return body


async def test_each_parameter_set_is_a_job_and_no_more_run_at_once_than_may(tmp_path: Path) -> None:
    async with running(tmp_path) as (one, kubelet):
        one.work()
        one.apply(apart(one.namespace, a=["tide", "mill"], b=["sluice"], c=["ebb", "flood"]))
        await one.ended()
        assert one.results() == {
            "words.a": {"length": [4, 4]},
            "words.b": {"length": [6]},
            "words.c": {"length": [3, 5]},
        }
        assert kubelet.begun == [f"words-apart-{at}" for at in range(5)]
        assert kubelet.most <= 2
        [pool] = [each for each in one.get()["status"]["pools"] if each["name"] == "apart"]
        assert pool["kind"] == "Job"
        assert ("deployments", one.namespace, "words-default") in one.api.objects
        assert ("deployments", one.namespace, "words-apart") not in one.api.objects


async def test_what_a_pod_held_that_was_killed_is_run_by_another_job_though_no_worker_is_left(tmp_path: Path) -> None:
    async with running(tmp_path, worker_lease=LEASE) as (one, kubelet):
        one.apply(apart(one.namespace, a=["-tide"]))
        await one.until(lambda: "words-apart-0" in kubelet.running, "it begins")
        await one.until(lambda: held(one), "it has its parameter set")
        kubelet.running["words-apart-0"].send_signal(signal.SIGKILL)
        one.go()
        await one.until(lambda: "words-apart-1" in kubelet.begun, "another one begins")
        one.work()
        await one.ended()
        assert one.results() == {"words.a": {"length": [5]}}


def held(one: Stage) -> bool:
    """Say whether a Job has something."""
    sets = (one.get().get("status") or {}).get("parameterSets") or {}
    return bool(sets.get("leased"))

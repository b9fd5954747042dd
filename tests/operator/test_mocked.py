"""What the operator hears and writes, against kmock: an API server that is told what to refuse, and when.

kmock merges plain JSON, knows neither versions of objects nor server-side apply, and keeps also what it was told to
refuse, so what needs those is tried against `fake` and a real API server. What is tried here is kopf's watches,
requests and passes where answers are bad: the operator lives on, waits, and acts later.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
from kmock import KubernetesEmulator, KubernetesError, ResourceInfo, Server, resource
from kubernetes.aio.client.configuration import Configuration

from tidemill_operator.canary import Canary
from tidemill_operator.cluster import Cluster, path_of
from tidemill_operator.handlers import watch
from tidemill_operator.names import DATAFLOW
from tidemill_operator.settings import Settings
from tidemill_operator.work import Item, Work

DEADLINE = 120.0
"""Seconds within which whatever a test waits for has to have happened."""
SPACE = "tides"
FLOWS = resource("tidemill.alt/v1alpha1/dataflows")
KINDS = {
    "tidemill.alt/v1alpha1/dataflows": "DataFlow",
    "tidemill.alt/v1alpha1/dataflowruns": "DataFlowRun",
    "apps/v1/deployments": "Deployment",
    "batch/v1/jobs": "Job",
    "coordination.k8s.io/v1/leases": "Lease",
    "v1/namespaces": "Namespace",
}


class Place:
    """An operator without a store: it writes into the status of each DataFlow that it has seen it."""

    def __init__(self, api: KubernetesEmulator, url: str, request: float) -> None:
        self.api = api
        configuration = Configuration()
        configuration.host = url
        self.cluster = Cluster(configuration, request=request)
        self.answers: list[tuple[str, int]] = []
        self.cluster.done = lambda verb, status: self.answers.append((verb, status))
        self.work = Work(2)
        self.written: set[str] = set()
        self.passes: list[tuple[str, int]] = []
        said = {"store": "memory://", "namespaces": [SPACE], "namespace": SPACE, "port": -1}
        self.settings = Settings.model_validate(said)
        self.canary = Canary(patience=600.0, lag=600.0)
        self.ready = asyncio.Event()

    def seen(self, plural: str, metadata: dict[str, Any], gone: bool) -> None:
        if plural == "dataflows" and not gone and metadata["uid"] not in self.work.items:
            self.work.wake(metadata["uid"], DATAFLOW, SPACE, metadata["name"])

    async def process(self, item: Item) -> None:
        """Make a pass."""
        self.passes.append((item.name, item.failures))
        if item.name not in self.written:
            body = {"metadata": {"uid": item.uid}, "status": {"observed": item.name}}
            await self.cluster.merge(path_of("dataflows", SPACE, item.name, "status"), body)
            self.written.add(item.name)

    def apply(self, name: str) -> None:
        """Have an object be there before anybody watches."""
        self.api.objects[FLOWS, SPACE, name] = _flow(name)

    async def create(self, name: str) -> None:
        """Create an object, as somebody would."""
        await self.cluster.create(path_of("dataflows", SPACE), _flow(name))

    def status(self, name: str) -> Any:
        return self.api.objects[FLOWS, SPACE, name].raw.get("status")

    def patches(self) -> list[int]:
        """Return how the requests that write were answered."""
        return [status for verb, status in self.answers if verb == "PATCH"]

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + DEADLINE
        while not holds():
            assert time.monotonic() < deadline, f"it never came to pass that {what}: {self.answers}"
            await asyncio.sleep(0.02)


def _flow(name: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": SPACE, "uid": f"uid-{name}"}
    return {"apiVersion": "tidemill.alt/v1alpha1", "kind": "DataFlow", "metadata": metadata, "spec": {}}


@asynccontextmanager
async def operating(api: KubernetesEmulator, request: float = 60.0) -> AsyncIterator[Place]:
    """Give an operator that watches and makes passes."""
    for name, kind in KINDS.items():
        verbs = {"list", "watch", "patch"}
        api.resources[name] = ResourceInfo(kind=kind, namespaced=kind != "Namespace", verbs=verbs)
    async with api, Server(api) as server:
        place = Place(api, str(server.url), request)
        tasks = [
            asyncio.create_task(watch(place.settings, place.cluster, place.canary, place.seen, place.ready)),
            asyncio.create_task(place.work.run(place.process)),
        ]
        try:
            yield place
            assert not any(task.done() for task in tasks), "it lives on"
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await place.cluster.close()


async def test_what_is_there_and_what_comes_is_seen_and_its_status_written_by_a_merge_patch() -> None:
    async with operating(KubernetesEmulator()) as place:
        place.apply("old")
        await place.until(lambda: place.status("old") == {"observed": "old"}, "it is seen")
        await place.create("new")
        await place.until(lambda: place.status("new") == {"observed": "new"}, "it is seen, too")
        said = {one.headers["Content-Type"] for one in place.api["patch"]}
        assert said == {"application/merge-patch+json"}
        assert set(place.patches()) == {200}


@pytest.mark.parametrize(
    ("status", "reason"), [(409, "Conflict"), (429, "TooManyRequests"), (503, "ServiceUnavailable"), (403, "Forbidden")]
)
async def test_what_is_refused_is_tried_again_and_others_go_on(status: int, reason: str) -> None:
    api = KubernetesEmulator()
    refused = f"/apis/tidemill.alt/v1alpha1/namespaces/{SPACE}/dataflows/unlucky/status"
    api["patch", refused][:2] << KubernetesError(status=status, reason=reason, message="refused by the test")
    async with operating(api) as place:
        place.apply("unlucky")
        await place.until(lambda: status in place.patches(), "it is refused")
        await place.create("other")
        await place.until(lambda: place.written == {"unlucky", "other"}, "both are written")
        assert sorted(place.patches()) == sorted([status, status, 200, 200])
        assert [failures for name, failures in place.passes if name == "unlucky"] == [0, 1, 2]


async def test_an_api_server_that_does_not_answer_in_time_is_asked_again() -> None:
    api, slow = KubernetesEmulator(), asyncio.Event()

    async def waiting() -> dict[str, Any]:
        await slow.wait()
        return {}

    api["patch"][:1] << waiting
    async with operating(api, request=2.0) as place:
        place.apply("words")
        await place.until(lambda: place.patches()[:1] == [0], "it is given up")
        await place.until(lambda: "words" in place.written, "it is written")
        slow.set()


WATCHES = "/apis/tidemill.alt/v1alpha1/namespaces/" + SPACE + "/dataflows"


async def test_a_watch_whose_versions_are_gone_begins_anew() -> None:
    api = KubernetesEmulator()
    gone = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"}}
    api["get", WATCHES, {"watch": "true"}][:2] << json.dumps(gone).encode() + b"\n"
    async with operating(api) as place:
        await place.until(lambda: len(api["get", WATCHES, {"watch": "true"}]) >= 3, "it watches again")
        await place.create("words")
        await place.until(lambda: "words" in place.written, "what came since is seen")


@pytest.mark.parametrize("status", [403, 429, 503])
async def test_who_may_not_list_now_is_asked_again_and_sees_what_is_there(status: int) -> None:
    api = KubernetesEmulator()
    api["get", WATCHES][:2] << KubernetesError(status=status, reason="Refused", message="refused by the test")
    async with operating(api) as place:
        place.apply("words")
        await place.until(lambda: "words" in place.written, "it is seen")
        assert len(api["get", WATCHES]) >= 3

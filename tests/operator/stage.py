"""An operator in this process, between an API server and a store, and workers as real processes."""

import asyncio
import time
import uuid
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

from prometheus_client import Counter

from tests.operator.fake import FakeAPI, fake_api
from tests.worker.fleet import Fleet
from tidemill.backends.redis.client import Client
from tidemill_operator.cluster import Cluster
from tidemill_operator.service import Operator
from tidemill_operator.settings import Settings

__all__ = ["DEADLINE", "LEASE", "Stage", "stage"]

DEADLINE = 120.0
"""Seconds within which whatever a test waits for has to have happened."""
LEASE = 12
"""Seconds of the leases of operators and workers: a busy machine may leave somebody without a turn for some of them."""


class Stage:
    """Everything that a test needs. ``namespace`` is one that no other test has."""

    def __init__(self, api: FakeAPI, cluster: Cluster, url: str, folder: Path) -> None:
        self.api = api
        self.cluster = cluster
        self.url = url
        self.namespace = f"t{uuid.uuid4().hex[:10]}"
        self.client = Client(url, prefix=f"tm-{self.namespace}")
        self.workers = Fleet(url, f"tm-{self.namespace}", folder, runners=1, lease=LEASE)
        self.folder = folder
        self._tasks: list[asyncio.Task[int]] = []

    def settings(self, **changed: Any) -> Settings:
        said = {
            "store": self.url, "durability": "none", "namespaces": [self.namespace], "namespace": self.namespace,
            "port": -1, "name": "tester", "timeout": 10, "lease": LEASE, "host": "127.0.0.1", **changed,
        }  # fmt: skip
        return Settings.model_validate(said)

    def start(self, **changed: Any) -> Operator:
        """Start an operator."""
        operator = Operator(self.settings(**changed), Cluster(self.cluster._configuration, request=10))
        self._tasks.append(asyncio.create_task(operator.run()))
        return operator

    async def stop(self, operator: Operator) -> int:
        """End an operator in good order, and return its exit code."""
        operator.stop()
        return await self._tasks.pop()

    async def kill(self) -> None:
        """End all operators in no order at all: nothing is released, nothing finished."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks.clear()

    def work(self, pool: str = "words.default", **settings: Any) -> None:
        """Start a worker."""
        self.workers.start(1, pool=pool, **settings)

    def go(self) -> None:
        """Let operations go on that wait for it."""
        (self.folder / "go").touch()

    def apply(self, body: dict[str, Any]) -> dict[str, Any]:
        """Apply an object of ours."""
        return self.api.put("dataflows" if body["kind"] == "DataFlow" else "dataflowruns", body)

    def get(self, name: str = "words", plural: str = "dataflows") -> dict[str, Any]:
        """Return an object as it is now; an empty one if there is none."""
        return self.api.get(plural, self.namespace, name) or {}

    def reason(self, kind: str, name: str = "words", plural: str = "dataflows") -> str:
        """Return the reason of a condition."""
        conditions = (self.get(name, plural).get("status") or {}).get("conditions") or ()
        return next((str(one["reason"]) for one in conditions if one["type"] == kind), "")

    def message(self, kind: str, name: str = "words", plural: str = "dataflows") -> str:
        """Return the message of a condition."""
        conditions = (self.get(name, plural).get("status") or {}).get("conditions") or ()
        return next((str(one["message"]) for one in conditions if one["type"] == kind), "")

    def events(self) -> list[str]:
        """Return the reasons of all Events."""
        return [one["reason"] for key, one in self.api.objects.items() if key[0] == "events"]

    def results(self, name: str = "words", plural: str = "dataflows") -> dict[str, Any]:
        """Return the results that stand in a status, by context."""
        found = (self.get(name, plural).get("status") or {}).get("results") or ()
        return {one["context"]: one["result"] for one in found}

    async def until(self, holds: Callable[[], object], what: str) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + DEADLINE
        while not holds():
            for task in self._tasks:
                if task.done() and task.result() != 0:
                    raise AssertionError(f"the operator has ended: {task.result()}")
            assert time.monotonic() < deadline, (
                f"it never came to pass that {what}: {self.api.objects} {self.workers.log()}"
            )
            await asyncio.sleep(0.02)

    async def looked_at(self, operator: Operator, times: int) -> None:
        """Have an object looked at again."""
        passes, uid = operator.metrics.passes.labels("DataFlow", "done"), self.get()["metadata"]["uid"]
        for _ in range(times):
            wanted = passes._value.get() + 1
            operator.work.wake(uid, "DataFlow", self.namespace, "words")
            await self.until(partial(_reached, passes, wanted), "there was a pass")

    async def ended(self, wanted: str = "Succeeded", name: str = "words", plural: str = "dataflows") -> None:
        """Wait until an object has ended with this reason."""
        await self.until(lambda: self.reason("Succeeded", name, plural) == wanted, f"{name} is {wanted}")


def _reached(passes: Counter, wanted: float) -> bool:
    return bool(passes._value.get() >= wanted)


@asynccontextmanager
async def stage(url: str, folder: Path) -> AsyncIterator[Stage]:
    """Give a stage, and leave nothing of it."""
    async with fake_api() as (api, cluster):
        found = Stage(api, cluster, url, folder)
        try:
            yield found
        finally:
            await found.kill()
            found.workers.abandon()
            async for key in found.client.redis.scan_iter(f"{found.client.tag}*", count=1000):
                await found.client.redis.unlink(key)
            await found.client.close()

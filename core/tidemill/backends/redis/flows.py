"""Data flows beside their plans: a process that meets a plan it has never seen makes it from its data flow.

What the library knows of a plan is enough to decide, and too little to run it. So whoever publishes a plan stores the
exported data flow under the same digest first. Neighbours: `plans` (what the library is told), `backend` (who asks).
"""

from __future__ import annotations

from functools import partial

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import Unencodable, decode, encode
from tidemill.backends.redis.patience import patiently
from tidemill.errors import LoadError, TidemillError
from tidemill.model.dataflow import DataFlow
from tidemill.plan.plan import Plan

__all__ = ["RedisFlows"]


class RedisFlows:
    """Stores and reads exported data flows."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def put(self, plan: Plan) -> None:
        """Store the data flow of a plan. One that cannot be written is not stored: only this process can run it."""
        try:
            said = encode(plan.dataflow.export())
        except (TidemillError, Unencodable):
            return
        await patiently(partial(self._client.redis.set, self._client.key("flow", plan.digest), said), "a data flow")

    async def get(self, digest: str) -> DataFlow:
        """Return the data flow of a plan. Raises `LoadError` if the store has none."""
        look = partial(self._client.redis.get, self._client.key("flow", digest))
        raw = await patiently(look, "questions for data flows")
        if raw is None:
            said = f"the store has no data flow of the plan {digest}: it holds code or values that cannot be written"
            raise LoadError(said, reason="PlanNotStored", path=digest)
        assert isinstance(raw, bytes)
        return DataFlow._fromdict(**decode(raw))

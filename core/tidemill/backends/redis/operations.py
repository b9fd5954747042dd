"""Operation network over Redis: whom an input concerns is in the plan, so no store has to be asked."""

from __future__ import annotations

from collections.abc import Mapping

from tidemill.backends.redis.plans import Wired
from tidemill.engine.operations import Channels
from tidemill.model.input import Origin
from tidemill.plan.plan import Plan

__all__ = ["RedisOperationNetwork"]


class RedisOperationNetwork:
    """The plans that are known here; the library has the same channels, by number."""

    def __init__(self, wired: Mapping[str, Wired]) -> None:
        self._wired = wired

    def affected_by(self, plan: Plan, origin: Origin, definition: str) -> list[str]:
        """Return the instances that take such an input."""
        known = self._wired.get(plan.digest)
        channels = known.channels if known is not None else Channels(plan)
        if isinstance(origin, str):
            channel = channels.given(origin, plan.definitions[definition])
        else:
            channel = channels.output(plan.instances[origin[0]], origin[1])
        return [target.operation.instance for target in (channel.validator or channel).targets]

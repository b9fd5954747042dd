"""The Redis backend: the contract of `networks.backend`, each verb one call of the library."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

import msgpack

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import decode
from tidemill.backends.redis.implementations import RedisOperationImplementationNetwork, decode_failure, encode_failure
from tidemill.backends.redis.inputs import RedisInputNetwork, items_of
from tidemill.backends.redis.plans import Wired
from tidemill.engine.lineage import LineageRecord, lineage_of
from tidemill.engine.stages import result_of
from tidemill.errors import ContextClosed, DuplicateContext, OperationFailure
from tidemill.model.input import Input
from tidemill.networks.backend import Ending
from tidemill.plan.plan import Plan

__all__ = ["RedisBackend"]


_REFUSALS = {
    b"RunGone": ("RunGone", 'there is no context "{}" that is still open'),
    b"RunClosed": ("RunClosed", 'there is no context "{}" that is still open'),
    b"IntakeClosed": ("IntakeClosed", 'the intake of the context "{}" was closed'),
    b"StageOver": ("RunClosed", 'the context "{}" has ended its processing'),
}


class RedisBackend:
    """Contexts in a store that other processes share.

    ``owner`` names whoever opens contexts here, to be told of their ends. ``lineage`` has contexts keep their inputs
    for their endings. ``now`` and ``later`` are where time comes from.
    """

    def __init__(
        self,
        client: Client,
        *,
        owner: str = "",
        lineage: bool = False,
        now: Callable[[], float] = time.time,
        later: Callable[[float, Callable[[], None]], object] | None = None,
    ) -> None:
        self.client = client
        self.inputs = RedisInputNetwork(client)
        self.wired: dict[str, Wired] = {}
        self.implementations = RedisOperationImplementationNetwork(
            client, self.inputs, self.wired, self.ending_of, self.publish, now=now, later=later, ancestors=lineage
        )
        self._owner = owner
        self._lineage = lineage

    # -- contexts -------------------------------------------------------------------------------------------------

    async def publish(self, plan: Plan) -> Wired:
        """Make a plan known to the store."""
        wired = self.wired.get(plan.digest)
        if wired is None:
            wired = self.wired[plan.digest] = Wired(plan)
            await self.client.call("publish", plan.digest, wired.packed())
        return wired

    async def open(
        self, context: str, plan: Plan, inputs: Sequence[Input], *, strict: bool = True, hold: bool = False
    ) -> None:
        """Open a context with its first inputs; see `networks.backend`."""
        wired = await self.publish(plan)
        answer = await self.client.call(
            "open", context, plan.digest, wired.first(inputs), strict, hold, self._owner, self._lineage
        )
        if answer == b"DUPLICATE":
            raise DuplicateContext(
                f'there is a context "{context}" already; a context is known by its name, so give this one another'
            )
        self.implementations.wake()

    async def add(self, context: str, inputs: Sequence[Input]) -> int:
        """Add inputs to a context that lives, and return how many were new."""
        uids = list({uid: None for item in inputs if isinstance(item, Input) for uid in _uids(item) if uid})
        added: Any = b"AGAIN"
        while added == b"AGAIN":  # somebody else has added something in between, so look again
            digest, have, found = self._refuse(context, await self.client.call("known", context, uids))
            known = {uid: decode(value) for uid, (number, value) in zip(uids, found, strict=True) if number != b""}
            wired = self.wired[digest.decode()]
            offers = [wired.offer(offer) for offer in wired.check(inputs, known, have)]
            added = self._refuse(context, await self.client.call("add", context, offers))
        self.implementations.wake()
        return int(added)

    async def close(self, context: str) -> None:
        """Take no more inputs for a context."""
        self._refuse(context, await self.client.call("close", context))
        self.implementations.wake()

    async def cancel(self, context: str) -> None:
        """Drop the work of a context, clean up, and end it as failed."""
        failure = OperationFailure("Cancelled", f'the context "{context}" was cancelled', context=context)
        self._refuse(context, await self.client.call("cancel", context, encode_failure(failure)))
        self.implementations.wake()

    def _refuse(self, context: str, answer: Any) -> Any:
        """Return an answer of the library, unless it says that the context takes nothing more."""
        refused = _REFUSALS.get(answer) if isinstance(answer, bytes) else None
        if refused is not None:
            reason, said = refused
            raise ContextClosed(said.format(context), reason=reason)
        return answer

    async def ending(self, context: str) -> Ending:
        """Wait for the end of a context, forget it, and return what became of it."""
        while True:
            (answer,) = await self.client.call("ending", context)
            if answer == b"GONE":
                raise ContextClosed(f'there is no context "{context}"', reason="RunGone")
            if answer != b"OPEN":
                return self.ending_of(answer)
            await asyncio.sleep(0.01)

    def ending_of(self, raw: bytes) -> Ending:
        """Return what became of a context out of what the library says."""
        said = msgpack.unpackb(raw, raw=True, strict_map_key=False)
        name, digest, failure, failures, notes, inputs, taken, results, items = said
        wired = self.wired[digest.decode()]
        result = None
        if failure == b"":
            result = result_of(wired.plan, [(op, decode(value)) for op, _, value in results])
        return Ending(
            context=name.decode(),
            result=result,
            failure=decode_failure(failure) if failure else None,
            failures=tuple(decode_failure(one) for one in failures),
            notes=tuple(note.decode() for note in notes),
            inputs=inputs,
            parameter_sets=taken,
            lineage=lambda: _lineage(wired, name.decode(), items),
        )

    async def shut(self) -> None:
        """Close the connections."""
        await self.client.close()


def _uids(item: Input) -> list[str]:
    return [item.given_uid, *(parent.given_uid for parent in item.parents)]


def _lineage(wired: Wired, name: str, said: Any) -> list[LineageRecord]:
    records = [[number, *one[:5]] for number, one in enumerate(said)]
    uids = {number: one[5].decode() for number, one in enumerate(said) if one[5]}
    return lineage_of(name, items_of(wired, records), uids)

"""The Redis backend: the contract of `networks.backend`, each verb one call of the library."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import msgpack

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import decode
from tidemill.backends.redis.endings import RedisEndings
from tidemill.backends.redis.flows import RedisFlows
from tidemill.backends.redis.implementations import RedisOperationImplementationNetwork, decode_failure, encode_failure
from tidemill.backends.redis.inputs import RedisInputNetwork, items_of
from tidemill.backends.redis.journal import RedisJournals
from tidemill.backends.redis.locks import RedisLockNetwork
from tidemill.backends.redis.mail import Mailbox, duplicate
from tidemill.backends.redis.operations import RedisOperationNetwork
from tidemill.backends.redis.patience import patiently
from tidemill.backends.redis.plans import Wired
from tidemill.backends.redis.redundancy import RedisRedundancyChecker
from tidemill.backends.redis.staging import Staging, is_much
from tidemill.engine.lineage import LineageRecord, lineage_of
from tidemill.engine.stages import result_of
from tidemill.errors import ContextClosed, CorruptValue, LoadError, OperationFailure
from tidemill.journal.event import Event
from tidemill.journal.kept import limited
from tidemill.model.dataflow import DataFlow
from tidemill.model.input import Input
from tidemill.networks.backend import Counts, Ending
from tidemill.plan.compile import compile_plan
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
    for their endings, ``journal`` has them keep so many events. ``now`` and ``later`` are where time comes from.
    ``mail`` are further keywords of `Mailbox`.
    """

    def __init__(
        self,
        client: Client,
        *,
        owner: str = "",
        lineage: bool = False,
        journal: int | None = None,
        now: Callable[[], float] = time.time,
        later: Callable[[float, Callable[[], None]], object] | None = None,
        **mail: Any,
    ) -> None:
        self.client = client
        self.wired: dict[str, Wired] = {}
        self.inputs = RedisInputNetwork(client)
        self.operations = RedisOperationNetwork(self.wired)
        self.redundancy = RedisRedundancyChecker(client)
        self.locks = RedisLockNetwork(client)
        self.implementations = RedisOperationImplementationNetwork(
            client, self.inputs, self.wired, self.ending_of, self.publish, now=now, later=later
        )
        self.implementations.resolve = self.resolve
        self.flows = RedisFlows(client)
        self.compile: Callable[[DataFlow], Awaitable[Plan]] = _compile
        self.mail = Mailbox(client, owner or uuid.uuid4().hex, publish=self._publish_again, now=now, **mail)
        self.endings = RedisEndings(client)
        self._endings: dict[str, asyncio.Future[bytes]] = {}
        self._keeps: Any = lineage if journal is None else [lineage, limited(journal)]
        self.journals = RedisJournals(client, self.resolve)

    # -- contexts -------------------------------------------------------------------------------------------------

    async def publish(self, plan: Plan, *, again: bool = False) -> Wired:
        """Make a plan known to the store; ``again``: also if that has been done before."""
        wired = self.wired.get(plan.digest)
        if wired is None or again:
            wired = wired or Wired(plan, self.client.blobs.pack)
            await self.flows.put(plan)
            await self._patiently("publish", plan.digest, wired.packed())
            self.wired[plan.digest] = wired  # not before: what the store may not have is published again
        return wired

    async def _publish_again(self, digest: str) -> None:
        await self.publish(self.wired[digest].plan, again=True)

    async def resolve(self, digest: str) -> Wired:
        """Return a plan that somebody has published, made from the data flow beside it if it has to be.

        Raises `LoadError` (PlanNotStored, PlanMismatch: this version reads the data flow as another plan) and what
        ``compile`` raises.
        """
        wired = self.wired.get(digest)
        if wired is None:
            plan = await self.compile(await self.flows.get(digest))
            if plan.digest != digest:
                said = f"the data flow stored as {digest} is the plan {plan.digest} here; run one version everywhere"
                raise LoadError(said, reason="PlanMismatch", path=digest)
            wired = self.wired[digest] = Wired(plan, self.client.blobs.pack)
        return wired

    async def open(
        self,
        context: str,
        plan: Plan,
        inputs: Sequence[Input],
        *,
        strict: bool = True,
        hold: bool = False,
        group: str = "",
    ) -> None:
        """Open a context with its first inputs; see `networks.backend`. ``group``: it is counted, suspended and
        cancelled together with the others of that; see `groups`. Raises `ContextClosed` if that has been cancelled."""
        await self.publish(plan)
        if context in self._endings:
            raise duplicate(context)
        ending: asyncio.Future[bytes] = asyncio.get_running_loop().create_future()
        await self.begin(context, plan, inputs, ending.set_result, strict=strict, hold=hold, group=group)
        self._endings[context] = ending

    def begin(
        self,
        context: str,
        plan: Plan,
        inputs: Sequence[Input],
        ended: Callable[[bytes], None],
        *,
        strict: bool = True,
        hold: bool = False,
        group: str = "",
    ) -> asyncio.Future[None]:
        """Open a context of a plan that has been published, along with others that are opened now; return what is done
        when the store has it. ``ended`` is called with what `ending_of` reads. Raises `InvalidInput`."""
        offers = self.wired[plan.digest].first(inputs)
        return self.mail.submit([context, plan.digest, offers, strict, hold, self._keeps, group], ended)

    async def add(self, context: str, inputs: Sequence[Input]) -> int:
        """Add inputs to a context that lives, and return how many were new."""
        uids = list({uid: None for item in inputs if isinstance(item, Input) for uid in _uids(item) if uid})
        added: Any = b"AGAIN"
        while added == b"AGAIN":  # somebody else has added something in between, so look again
            answer = self._refuse(context, await self.client.call("known", context, uids))
            if answer == b"FEED":  # what was staged before comes first
                await Staging(self.client).fed(context)
                continue
            digest, have, found, given = answer
            values = await self.client.blobs.whole([value for _, value in found])
            known = {
                uid: decode(value) for uid, (number, _), value in zip(uids, found, values, strict=True) if number != b""
            }
            wired = self.wired[digest.decode()]
            offers = [wired.offer(offer) for offer in wired.check(inputs, known, have)]
            added = self._refuse(context, await self._added(context, offers, given))
        return int(added)

    async def _added(self, context: str, offers: list[Any], given: int) -> Any:
        if not is_much(offers):
            return await self.client.call("add", context, offers)
        staging = Staging(self.client)
        stage, pieces = await staging.staged(offers)
        answer = await self.client.call("add", context, [], stage, pieces, len(offers), given)
        if answer == b"STAGE":  # the store has lost some of it
            return b"AGAIN"
        if answer != b"OK":
            return answer
        new = await staging.fed(context, stage)
        return len(offers) if new < 0 else new  # the context has ended before it could be asked

    async def close(self, context: str) -> None:
        """Take no more inputs for a context."""
        self._refuse(context, await self._patiently("close", context))

    async def cancel(self, context: str) -> None:
        """Drop the work of a context, clean up, and end it as failed."""
        failure = OperationFailure("Cancelled", f'the context "{context}" was cancelled', context=context)
        self._refuse(context, await self._patiently("cancel", context, encode_failure(failure)))

    def _refuse(self, context: str, answer: Any) -> Any:
        """Return an answer of the library, unless it says that the context takes nothing more."""
        refused = _REFUSALS.get(answer) if isinstance(answer, bytes) else None
        if refused is not None:
            reason, said = refused
            if reason == "RunGone" and context in self._endings:  # it has ended, and has not been asked for yet
                reason = "RunClosed"
            raise ContextClosed(said.format(context), reason=reason)
        return answer

    async def ending(self, context: str) -> Ending:
        """Wait for the end of a context, forget it, and return what became of it."""
        if context in self._endings:
            raw = await self._endings[context]
            del self._endings[context]
            return self.ending_of(raw)
        while True:
            (answer,) = await self._patiently("await", "", [context])
            if answer == b"GONE":
                raise ContextClosed(f'there is no context "{context}"', reason="RunGone")
            if answer != b"OPEN":
                answer = await self.client.blobs.whole_ending(answer)
                await self._patiently("forget", context)  # not before it is here, as a reply may be lost
                return self.ending_of(answer)
            await asyncio.sleep(0.01)

    def journal(self, context: str, *, after: int = 0, follow: bool = False) -> AsyncGenerator[Event, None]:
        """Yield the events of a context after one of them; see `networks.backend`."""
        return self.journals.read(context, after, follow)

    async def ending_read(self, raw: bytes) -> tuple[str, Ending]:
        """Return the digest of the plan of a context, whichever that is, and what became of it. Raises what `resolve`
        raises."""
        digest = msgpack.unpackb(raw, raw=True, strict_map_key=False)[1].decode()
        await self.resolve(digest)
        return digest, self.ending_of(raw)

    def ending_of(self, raw: bytes) -> Ending:
        """Return what became of a context out of what the library says."""
        said = msgpack.unpackb(raw, raw=True, strict_map_key=False)
        name, digest, failure, failures, notes, inputs, taken, results, items, *_ = said
        wired = self.wired.get(digest.decode())
        result, failed = None, decode_failure(failure) if failure else None
        if failed is None:
            assert wired is not None
            try:
                result = result_of(wired.plan, [(op, decode(value)) for op, _, value in results])
            except CorruptValue as error:
                told = f"a result of the context cannot be read: {error.message}"
                failed = OperationFailure(error.reason, told, context=name.decode())
        return Ending(
            context=name.decode(),
            result=result,
            failure=failed,
            failures=tuple(decode_failure(one) for one in failures),
            notes=tuple(note.decode() for note in notes),
            inputs=inputs,
            parameter_sets=taken,
            lineage=lambda: _lineage(wired, name.decode(), items) if wired is not None else [],
        )

    async def counts(self, plan: Plan) -> dict[str, Counts]:
        """Return what has been counted of each operation of a plan, by instance, since the plan is known."""
        flat = await self._patiently("counts", plan.digest)
        found = {operation.instance: Counts() for operation in plan.operations}
        for op, word, many in zip(flat[::3], flat[1::3], flat[2::3], strict=True):
            setattr(found[plan.operations[op].instance], word.decode(), many)
        return found

    async def _patiently(self, verb: str, *request: Any) -> Any:
        """Make a call that does no harm when it is repeated."""
        return await patiently(partial(self.client.call, verb, *request), f"the call {verb}")

    async def shut(self) -> None:
        """Close the connections."""
        await self.implementations.bells.shut()
        await self.mail.close()
        await self.client.close()


async def _compile(dataflow: DataFlow) -> Plan:
    return compile_plan(dataflow)


def _uids(item: Input) -> list[str]:
    return [item.given_uid, *(parent.given_uid for parent in item.parents)]


def _lineage(wired: Wired, name: str, said: Any) -> list[LineageRecord]:
    records = [[number, *one[:5]] for number, one in enumerate(said)]
    uids = {number: one[5].decode() for number, one in enumerate(said) if one[5]}
    return lineage_of(name, items_of(wired, records), uids)

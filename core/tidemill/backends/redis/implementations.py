"""Operation implementation network over Redis: one call a cycle, whatever is reported and leased in it."""

from __future__ import annotations

import asyncio
import random
import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import msgpack
from redis.exceptions import ConnectionError, ResponseError, TimeoutError

from tidemill.backends.redis.ahead import closing, following, own_what_runs, with_ahead
from tidemill.backends.redis.bells import Bells
from tidemill.backends.redis.blobs import Reference, is_reference
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import Unencodable, decode, encode
from tidemill.backends.redis.inputs import RedisInputNetwork, RemoteContext, records_of
from tidemill.backends.redis.patience import patiently
from tidemill.backends.redis.plans import Wired, truth_of
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.engine.implementations import Refused, given_by, result_of_call
from tidemill.engine.inputs import Item
from tidemill.engine.operations import Channel
from tidemill.engine.parameters import DROPPED, LEASED, ParameterSet
from tidemill.errors import CorruptValue, OperationFailure, TidemillError, shown
from tidemill.model.operation import Stage
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Child, Completed, Emitted, Failed, Fenced, Lost, Released, Report, Subflow
from tidemill.plan.plan import Plan

__all__ = ["RedisOperationImplementationNetwork", "decode_failure", "encode_failure"]

Later = Callable[[float, Callable[[], None]], object]


class Publish(Protocol):
    """Makes a plan known to the store; ``again``: also if that has been done before."""

    async def __call__(self, plan: Plan, *, again: bool = False) -> Wired: ...


EARLY = 1e-6
"""Seconds by which two times may differ that were meant to be one."""


def encode_failure(
    failure: OperationFailure, pack: Callable[[bytes], Any] = bytes, has: frozenset[bytes] = frozenset()
) -> bytes:
    """Return a failure as bytes: what of its inputs cannot be encoded goes as its ``repr``. Large ones go as the
    references that the context ``has``."""
    inputs = {}
    for name, value in failure.inputs.items():
        try:
            packed = pack(encode(value))
        except Unencodable:
            packed = encode(shown(value))
        if isinstance(packed, Reference):
            packed = packed.raw if packed.raw in has else encode(shown(value))
        inputs[name] = packed
    said = {
        "reason": failure.reason,
        "message": failure.message,
        "instance": failure.instance,
        "operation": failure.operation,
        "inputs": inputs,
        "traceback": failure.traceback or "",
        "context": failure.context,
    }
    return bytes(msgpack.packb(said, use_bin_type=False))


def decode_failure(raw: bytes) -> OperationFailure:
    """Return the failure that was encoded, by a worker or by the library."""
    said = {key.decode(): value for key, value in msgpack.unpackb(raw, raw=True).items()}
    inputs = {key.decode(): _readable(value) for key, value in dict(said.get("inputs") or {}).items()}
    if "names" in said:
        inputs = {n.decode(): _readable(v) for n, v in zip(said["names"], said["values"], strict=True)}
    text = {key: said.get(key, b"").decode() for key in ("reason", "message", "instance", "operation", "context")}
    return OperationFailure(inputs=inputs, traceback=said.get("traceback", b"").decode() or None, **text)


def _can_be_read(raw: bytes) -> bool:
    try:
        decode(raw)
    except CorruptValue:
        return False
    return True


def _readable(raw: bytes) -> Any:
    """Return the value of an input of a failure, or why it cannot be read."""
    try:
        return decode(raw)
    except CorruptValue as error:
        return str(error)


class RedisOperationImplementationNetwork:
    """Hands out what is ready in the store, and tells it what became of that."""

    def __init__(
        self,
        client: Client,
        inputs: RedisInputNetwork,
        wired: Mapping[str, Wired],
        ending_of: Callable[[bytes], Ending],
        publish: Publish,
        *,
        now: Callable[[], float],
        later: Later | None,
        pool: str = "default",
    ) -> None:
        self._client = client
        self._inputs = inputs
        self._wired = wired
        self._ending_of = ending_of
        self._publish = publish
        self._now = now
        self._later = later or (lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call))
        self.resolve: Callable[[str], Awaitable[Wired]] | None = None
        self.pool = pool
        self._workers = RedisWorkers(client)
        self.bells = Bells(self.rung)
        self._due: list[float] = []
        self._epochs: dict[str, int] = {}

    def listen(self, worker: str, ready: Callable[[], None]) -> None:
        """Call ``ready`` after work has become ready for a worker that wanted more than there was."""
        self.bells.listen(worker, ready)

    async def lose(self, worker: str) -> int:
        """Take everything back that a vanished worker held, and return how much it was."""
        return await self._workers.lose(worker, self.pool)

    async def cycle(self, worker: str, reports: Sequence[Report], want: int) -> Sequence[ParameterSet]:
        """Settle reports and lease what is ready, in one call."""
        found, seconds = await self.exchange(worker, reports, want)
        if seconds is not None:
            self._look_after(seconds)
        return found

    def _look_after(self, seconds: float) -> None:
        """Have the workers in this process look for what is due then, unless they look before: they will know."""
        due = self._now() + seconds
        if any(known <= due + EARLY for known in self._due):
            return

        def look() -> None:
            self._due.remove(due)
            self.bells.ring()

        self._due.append(due)
        self._later(seconds, look)

    async def exchange(
        self, worker: str, reports: Sequence[Report], want: int, nonce: bytes = b""
    ) -> tuple[list[ParameterSet], float | None]:
        """Settle reports and lease what is ready, in one call; return that, and the seconds until the next delayed
        parameter set is due (None: there is none).

        With a ``nonce`` that was never used before, a call whose reply was lost is repeated: the same nonce gets the
        same answer, and nothing is settled twice. Raises `Fenced`.
        """
        leased, wait, gone, self._epochs[worker], claimed = await self._asked(worker, reports, want, nonce)
        for at in gone:
            reports[at].parameter_set.state = DROPPED
        if claimed:
            own_what_runs(reports, claimed)
        unknown = await self._unknown(leased)
        has = await self._with_blobs(leased)
        found, seconds = [], float(wait)
        lost: list[tuple[Any, OperationFailure]] = []
        for one in leased:
            try:
                if one[2] in unknown:
                    raise unknown[one[2]]
                found.append(self._leased(one, has))
            except TidemillError as error:
                lost.append((one, await self._why(one, error)))
        if lost:
            await self._give_up(worker, lost)
            if len(leased) == want:  # it is not noted as idle, and has room: it looks again
                again = secrets.token_bytes(16) if nonce else b""
                more, rest = await self.exchange(worker, [], want - len(found), again)
                return [*found, *more], rest
        return found, seconds if seconds >= 0 else None

    async def _asked(self, worker: str, reports: Sequence[Report], want: int, nonce: bytes) -> Any:
        """Return what the store answers to a cycle. Raises `Fenced`."""
        children = [child for report in reports if isinstance(report, Subflow) for child in report.children]
        for child in children:
            await self._publish(child.plan)
        said = [self._report(report) for report in reports]
        knows = self._epochs.get(worker, -1)
        call = partial(self._client.call, "cycle", worker, self.pool, said, want, self._now(), nonce, knows)
        while (answer := await (patiently(call, "reports") if nonce else call())) == b"PLAN":
            for child in children:  # the store has fallen back to before it knew them
                await self._publish(child.plan, again=True)
        if answer == b"FENCED":
            self._epochs.pop(worker, None)
            raise Fenced(f'the store holds "{worker}" to be dead; what it held has gone to others')
        return answer

    async def _with_blobs(self, leased: Sequence[Any]) -> frozenset[bytes]:
        """Put blobs in the place of references to them in what was leased; return the references."""
        has = frozenset([value for one in leased for value in one[10] if is_reference(value)])
        if has:
            values = iter(await self._client.blobs.whole([value for one in leased for value in one[10]]))
            for one in leased:
                one[10] = [next(values) for _ in one[10]]
        for one in leased:
            if one[12]:
                one[12] = [await self._client.blobs.whole_ending(raw) for raw in one[12]]
        return has

    async def _why(self, one: Any, error: TidemillError) -> OperationFailure:
        """Return as what a parameter set fails that was leased and cannot be called: its plan cannot be had here, or
        an input cannot be read."""
        name, message, instance, operation, inputs = one[0].decode(), error.message, "", "", {}
        if isinstance(error, CorruptValue):
            wired = self._wired[one[2].decode()]
            planned = wired.plan.operations[one[3]]
            instance, operation = planned.instance, planned.name
            inputs = {parameter: _readable(v) for parameter, v in zip(planned.names, one[10], strict=True)}
            context = RemoteContext(name, one[1].decode(), wired)
            for parameter, number, value in zip(planned.names, one[9], one[10], strict=True):
                if not _can_be_read(value):
                    what = await self._inputs.said_of(context, number)
                    message = f'the parameter "{parameter}", {what}, cannot be read: {error.message}'
                    break
        return OperationFailure(error.reason, message, instance, operation, inputs, context=name)

    async def rung(self, worker: str) -> bool:
        """Wait a while for the bell of a worker that got less than it wanted; say whether there may be work now."""
        try:
            return await self._client.popped("wake", worker)
        except (ConnectionError, TimeoutError, OSError, ResponseError):  # the next exchange waits for the store
            await asyncio.sleep(random.uniform(0.05, 0.2))
            return True

    async def _unknown(self, leased: Sequence[Any]) -> dict[bytes, TidemillError]:
        """Make sure of the plans of what was leased and of child contexts; return those that cannot be had, and why."""
        unknown: dict[bytes, TidemillError] = {}
        known: bytes | None = None
        for said in leased:
            if said[2] == known and not said[12]:
                continue  # one plan is most of what goes out
            known = said[2] if said[2].decode() in self._wired else None
            children = [msgpack.unpackb(raw, raw=True, strict_map_key=False)[1] for raw in said[12]]
            for digest in (said[2], *filter(None, children)):  # of a child that cannot be read it is not known
                if self.resolve is None or digest.decode() in self._wired or said[2] in unknown:
                    continue
                try:
                    await self.resolve(digest.decode())
                except TidemillError as error:
                    unknown[said[2]] = error
        return unknown

    async def _give_up(self, worker: str, lost: Sequence[tuple[Any, OperationFailure]]) -> None:
        """Report what was leased and cannot be called."""
        said = [["failed", one[1], one[4], one[5], encode_failure(failure)] for one, failure in lost]
        call = partial(self._client.call, "cycle", worker, self.pool, said, 0, self._now(), b"")
        await patiently(call, "failures")  # one that is told twice is refused the second time

    def _leased(self, said: Any, has: frozenset[bytes]) -> ParameterSet:
        name, number, digest, op, identity, leases, emitted, tries, lost, numbers, values, waiting, endings, seen = said
        wired = self._wired[digest.decode()]
        items = tuple([Item(n, decode(v), None) for n, v in zip(numbers, values, strict=True)])
        operation, seen = wired.plan.operations[op], seen or None
        context = RemoteContext(name.decode(), number.decode(), wired, None, has)
        if operation.stage is Stage.OUTPUT:
            context.seen = seen
        else:
            context.before = seen
        leased = ParameterSet(context, operation, items)
        leased.state, leased.leases, leased.emitted = LEASED, leases, emitted
        leased.tries, leased.lost = tries, lost
        leased.worker = identity.decode()
        leased.children = [self._ending_of(raw) for raw in endings] if waiting >= 0 else None
        return leased

    # -- reports ----------------------------------------------------------------------------------------------------

    def seal(self, report: Completed) -> bool:
        """Work out what is sent of a report; say whether that is what was returned, and not that it cannot be taken."""
        report.said = self._report(report)
        return bool(report.said[0] == "completed")

    def following(self, report: Completed) -> ParameterSet | None:
        """Return the parameter set that a report, sealed, is certain to make, which may be run ahead of a lease."""
        return following(report)

    def closing(self, report: Completed) -> ParameterSet | None:
        """Return the parameter set of the output stage that comes after a report, sealed, and all that was run ahead of
        it, unless something else of its context is open by then; None where there is none."""
        context = report.parameter_set.context
        if context.before is None or context.wired.closes is None or report.parameter_set.emitted:
            return None
        try:
            return closing(report, records_of(context.before))
        except CorruptValue:  # whoever is leased it will say so
            return None

    def _report(self, report: Report) -> list[Any]:
        one = report.parameter_set
        head = [one.context.id, one.worker, report.lease]
        if isinstance(report, Completed) and report.said is not None:
            return with_ahead(report, head)
        try:
            return self._said(report, head)
        except (Refused, Unencodable) as error:
            reason = error.reason if isinstance(error, Refused) else "OutputNotSerialisable"
            failure = OperationFailure(
                reason,
                str(error),
                one.operation.instance,
                one.operation.name,
                one.arguments(),
                context=one.context.name,
            )
            return ["failed", *head, encode_failure(failure, self._client.blobs.pack, one.context.has)]

    def _said(self, report: Report, head: list[Any]) -> list[Any]:
        if isinstance(report, Completed):
            if report.parameter_set.operation.stage is Stage.OUTPUT:
                result = result_of_call(report.parameter_set.operation, report.returned)
                return ["completed", *head, [], list(report.notes), self._client.blobs.pack(encode(result))]
            given = self._given(report.parameter_set, report.returned)
            return ["completed", *head, given, list(report.notes), b""]
        if isinstance(report, Emitted):
            stored = report.emission < report.parameter_set.emitted  # by an earlier try: not looked at again
            given = [] if stored else self._given(report.parameter_set, report.returned)
            return ["emitted", *head, given, report.emission]
        if isinstance(report, Failed):
            has = report.parameter_set.context.has
            return ["failed", *head, encode_failure(report.failure, self._client.blobs.pack, has)]
        if isinstance(report, Lost):
            return ["lost", *head, report.message]
        if isinstance(report, Subflow):
            return ["subflow", *head, [self._child(child) for child in report.children]]
        assert isinstance(report, Released)
        return ["released", *head]

    def _given(self, one: ParameterSet, returned: Any) -> list[Any]:
        wired: Wired = one.context.wired
        outputs = wired.outputs[one.operation.index]
        given = given_by(one.operation, returned, lambda op, name: outputs[name], wired.plan.limits)
        return [
            [wired.number(channel), self._packed(channel, value), element, truth_of(value), wired.spelt(channel, value)]
            for channel, value, (_, element) in given
        ]

    def _packed(self, channel: Channel, value: Any) -> Any:
        """Return an output as it is sent. Raises `Refused` (OutputNotSerialisable), which names it."""
        try:
            return self._client.blobs.pack(encode(value))
        except Unencodable as error:
            said = f'the output "{channel.origin[1]}" of "{channel.origin[0]}" cannot be sent to a store: {error}'
            raise Refused("OutputNotSerialisable", said) from error

    def _child(self, child: Child) -> list[Any]:
        """Return a child as the library takes it: one that cannot be opened says why."""
        said = [child.name, child.plan.digest, child.strict]
        try:
            return [*said, self._wired[child.plan.digest].first(child.inputs), False]
        except TidemillError as error:
            return [*said, [], {"reason": error.reason, "message": error.message}]

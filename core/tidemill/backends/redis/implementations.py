"""Operation implementation network over Redis: one call a cycle, whatever is reported and leased in it."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

import msgpack

from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import Unencodable, decode, encode
from tidemill.backends.redis.inputs import RedisInputNetwork, RemoteContext
from tidemill.backends.redis.plans import Wired, truth_of
from tidemill.backends.redis.workers import RedisWorkers
from tidemill.engine.implementations import Refused, given_by
from tidemill.engine.inputs import Item
from tidemill.engine.parameters import DROPPED, LEASED, ParameterSet
from tidemill.errors import OperationFailure, TidemillError, shown
from tidemill.model.operation import Stage
from tidemill.model.primitives import type_name
from tidemill.networks.backend import Ending
from tidemill.networks.implementations import Child, Completed, Emitted, Failed, Fenced, Lost, Released, Report, Subflow
from tidemill.plan.plan import Plan

__all__ = ["RedisOperationImplementationNetwork", "decode_failure", "encode_failure"]

Later = Callable[[float, Callable[[], None]], object]


def encode_failure(failure: OperationFailure) -> bytes:
    """Return a failure as bytes: what of its inputs cannot be encoded goes as its ``repr``."""
    inputs = {}
    for name, value in failure.inputs.items():
        try:
            inputs[name] = encode(value)
        except Unencodable:
            inputs[name] = encode(shown(value))
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
    inputs = {key.decode(): decode(value) for key, value in dict(said.get("inputs") or {}).items()}
    if "names" in said:
        inputs = {n.decode(): decode(v) for n, v in zip(said["names"], said["values"], strict=True)}
    text = {key: said.get(key, b"").decode() for key in ("reason", "message", "instance", "operation", "context")}
    return OperationFailure(inputs=inputs, traceback=said.get("traceback", b"").decode() or None, **text)


class RedisOperationImplementationNetwork:
    """Hands out what is ready in the store, and tells it what became of that."""

    def __init__(
        self,
        client: Client,
        inputs: RedisInputNetwork,
        wired: Mapping[str, Wired],
        ending_of: Callable[[bytes], Ending],
        publish: Callable[[Plan], Awaitable[Wired]],
        *,
        now: Callable[[], float],
        later: Later | None,
        ancestors: bool,
        pool: str = "default",
    ) -> None:
        self._client = client
        self._inputs = inputs
        self._wired = wired
        self._ending_of = ending_of
        self._publish = publish
        self._now = now
        self._later = later or (lambda seconds, call: asyncio.get_running_loop().call_later(seconds, call))
        self._ancestors = ancestors
        self.pool = pool
        self._workers = RedisWorkers(client)
        self._listeners: dict[str, Callable[[], None]] = {}
        self._due: float | None = None

    def listen(self, worker: str, ready: Callable[[], None]) -> None:
        """Call ``ready`` after work has become ready for a worker that wanted more than there was."""
        self._listeners[worker] = ready

    def wake(self) -> None:
        """Have the workers in this process look for work."""
        for ready in self._listeners.values():
            ready()

    async def lose(self, worker: str) -> int:
        """Take everything back that a vanished worker held, and return how much it was."""
        return await self._workers.lose(worker, self.pool)

    async def cycle(self, worker: str, reports: Sequence[Report], want: int) -> Sequence[ParameterSet]:
        """Settle reports and lease what is ready, in one call."""
        found, seconds = await self.exchange(worker, reports, want)
        if seconds is not None and self._due is None:
            self._due = seconds
            self._later(seconds, self._tick)
        return found

    async def exchange(
        self, worker: str, reports: Sequence[Report], want: int, nonce: bytes = b""
    ) -> tuple[list[ParameterSet], float | None]:
        """Settle reports and lease what is ready, in one call; return that, and the seconds until the next delayed
        parameter set is due (None: there is none).

        With a ``nonce`` that was never used before, a call whose reply was lost is repeated with the same nonce: the
        answer is the same, and nothing is settled twice. Raises `Fenced`.
        """
        for report in reports:
            for child in report.children if isinstance(report, Subflow) else ():
                await self._publish(child.plan)
        said = [self._report(report) for report in reports]
        answer = await self._client.call("cycle", worker, self.pool, said, want, self._now(), nonce)
        if answer == b"FENCED":
            raise Fenced(f'the store holds "{worker}" to be dead; what it held has gone to others')
        leased, wait, gone = answer
        for at in gone:
            reports[at].parameter_set.state = DROPPED
        found = [self._leased(one) for one in leased]
        if self._ancestors:
            for parameter_set in found:
                items = await self._inputs.everything(parameter_set.context)
                known = {item.number: item for item in items}
                parameter_set.items = tuple(known.get(item.number, item) for item in parameter_set.items)
        seconds = float(wait)
        return found, seconds if seconds >= 0 else None

    def _tick(self) -> None:
        self._due = None
        self.wake()

    def _leased(self, said: Any) -> ParameterSet:
        name, number, digest, op, identity, leases, emitted, tries, lost, numbers, values, waiting, endings = said
        wired = self._wired[digest.decode()]
        items = tuple([Item(n, decode(v), None) for n, v in zip(numbers, values, strict=True)])
        context = RemoteContext(name.decode(), number.decode(), wired)
        leased = ParameterSet(context, wired.plan.operations[op], items)
        leased.state, leased.leases, leased.emitted = LEASED, leases, emitted
        leased.tries, leased.lost = tries, lost
        leased.worker = identity.decode()
        leased.children = [self._ending_of(raw) for raw in endings] if waiting >= 0 else None
        return leased

    # -- reports ----------------------------------------------------------------------------------------------------

    def _report(self, report: Report) -> list[Any]:
        one = report.parameter_set
        head = [one.context.id, one.worker, report.lease]
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
            return ["failed", *head, encode_failure(failure)]

    def _said(self, report: Report, head: list[Any]) -> list[Any]:
        if isinstance(report, Completed):
            if report.parameter_set.operation.stage is Stage.OUTPUT:
                return ["completed", *head, [], list(report.notes), self._result(report)]
            given = self._given(report.parameter_set, report.returned)
            return ["completed", *head, given, list(report.notes), b""]
        if isinstance(report, Emitted):
            stored = report.emission < report.parameter_set.emitted  # by an earlier try: not looked at again
            given = [] if stored else self._given(report.parameter_set, report.returned)
            return ["emitted", *head, given, report.emission]
        if isinstance(report, Failed):
            return ["failed", *head, encode_failure(report.failure)]
        if isinstance(report, Lost):
            return ["lost", *head, report.message]
        if isinstance(report, Subflow):
            return ["subflow", *head, [self._child(child) for child in report.children]]
        assert isinstance(report, Released)
        return ["released", *head]

    def _result(self, report: Completed) -> bytes:
        returned, operation = report.returned, report.parameter_set.operation
        if returned is not None and not isinstance(returned, Mapping):
            said = f'the output operation "{operation.instance}" has to return a mapping; it returned '
            raise Refused("OutputShape", f"{said}{type_name(returned)} {shown(returned)}")
        return encode(returned)

    def _given(self, one: ParameterSet, returned: Any) -> list[Any]:
        wired: Wired = one.context.wired
        outputs = wired.outputs[one.operation.index]
        given = given_by(one.operation, returned, lambda op, name: outputs[name], wired.plan.limits)
        return [
            [wired.number(channel), encode(value), element, truth_of(value), wired.spelt(channel, value)]
            for channel, value, (_, element) in given
        ]

    def _child(self, child: Child) -> list[Any]:
        """Return a child as the library takes it: one that cannot be opened says why."""
        said = [child.name, child.plan.digest, child.strict]
        try:
            return [*said, self._wired[child.plan.digest].first(child.inputs), False]
        except TidemillError as error:
            return [*said, [], {"reason": error.reason, "message": error.message}]

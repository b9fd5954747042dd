"""Reads the journals of contexts: from the store, as events.

What the functions note is as short as it can be; what it means is worked out here, with the plan of the context.
Neighbours: ``functions/journal.lua`` writes, `journal.links` finds out what caused what.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping
from functools import partial
from typing import Any

import msgpack

from tidemill.backends.redis.blobs import is_reference
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.codec import decode
from tidemill.backends.redis.implementations import decode_failure
from tidemill.backends.redis.patience import patiently
from tidemill.backends.redis.plans import Wired
from tidemill.engine.stages import result_of
from tidemill.errors import CorruptValue
from tidemill.journal.event import Event, Fact
from tidemill.journal.kept import no_journal
from tidemill.journal.links import Links

__all__ = ["PAGE", "Reader", "RedisJournals"]

PAGE = 256
"""Entries that one call reads: each has the facts of one call of a worker."""
_PARTS = {"o": 5, "a": 0, "z": 0, "i": 8, "d": 4, "g": 2, "t": 1, "p": 2, "l": 3, "c": 1, "f": 2, "r": 2, "x": 2,
          "b": 1, "n": 1, "s": 2, "k": 3, "F": 1, "S": 1, "e": 4}  # fmt: skip
"""Letters of facts, and how many parts each has."""


class RedisJournals:
    """The journals in a shard. ``resolve`` returns a plan by its digest."""

    def __init__(self, client: Client, resolve: Callable[[str], Awaitable[Wired]]) -> None:
        self._client = client
        self._resolve = resolve

    async def names(self) -> list[str]:
        """Return the names of all contexts that have a journal."""
        look = partial(self._client.redis.hkeys, self._client.key("journals", ""))
        found: Any = await patiently(look, "the journals")
        return [name.decode() for name in found]

    async def forget(self, *names: str) -> int:
        """Delete the journals of contexts that have ended, and of all contexts below them; return how many of the named
        ones there were."""
        return int(await self._client.call("forget_journals", *names))

    async def read(self, context: str, after: int, follow: bool) -> AsyncGenerator[Event, None]:
        """Yield events; see `networks.backend`."""
        id, digest = await self.found(context)
        reader = await self.reader(context, digest)
        while True:
            entries = await self.page(id, reader.last)
            for event in reader.events(entries):
                if event.id > after:
                    yield event
            if len(entries) == PAGE:
                continue
            if not follow or reader.over:
                return
            while not (entries := await self._more(id, reader.last)):
                if (await self.found(context))[0] != id:
                    raise no_journal(context)
            for event in reader.events(entries):
                if event.id > after:
                    yield event

    # -- for whoever follows many ---------------------------------------------------------------------------------

    async def reader(self, context: str, digest: str) -> Reader:
        """Return what makes events of the entries of a context, whose plan has this digest."""
        return Reader(context, await self._resolve(digest))

    async def found(self, context: str) -> tuple[str, str]:
        """Return the number of a context and the digest of its plan. Raises `ContextClosed` (NoJournal)."""
        look = partial(self._client.redis.hget, self._client.key("journals", ""), context)
        said: Any = await patiently(look, "a journal")
        if said is None:
            raise no_journal(context)
        id, digest = said.decode().split(" ", 1)
        return id, digest

    async def opened(self, contexts: list[str]) -> dict[str, tuple[str, str]]:
        """Return the same of those of these contexts that are open now; what an earlier one of a name has left does
        not count."""
        if not contexts:
            return {}
        look = partial(self._client.redis.hmget, self._client.key("names"), contexts)
        ids: Any = await patiently(look, "a journal")
        look = partial(self._client.redis.hmget, self._client.key("journals", ""), contexts)
        known: Any = await patiently(look, "a journal")
        found = {}
        for name, id, said in zip(contexts, ids, known, strict=True):
            number, _, digest = (said or b"").partition(b" ")
            if said and id == number:
                found[name] = (number.decode(), digest.decode())
        return found

    async def below(self, id: str) -> list[str]:
        """Return the names of the contexts below one that nobody is above."""
        found: Any = await patiently(partial(self._client.redis.smembers, self._client.key("kin", id)), "a journal")
        return sorted(name.decode() for name in found)  # a context before those below it

    async def appended(self, contexts: Mapping[str, tuple[str, str]]) -> list[str]:
        """Return those of these contexts, by their numbers and the last entries that were read, of which there is more;
        a context after those below it."""
        if not contexts:
            return []
        keys = {self._client.key("j", id): name for name, (id, _) in contexts.items()}
        streams: Any = {self._client.key("j", id): last or "0" for id, last in contexts.values()}
        found: Any = await patiently(partial(self._client.redis.xread, streams, count=1), "a journal")
        return sorted((keys[key.decode()] for key, _ in found), reverse=True)

    async def page(self, id: str, last: str) -> Any:
        """Return entries after one, `PAGE` of them at most."""
        key = self._client.key("j", id)
        look = partial(self._client.redis.xrange, key, f"({last}" if last else "-", "+", PAGE)
        return await patiently(look, "a journal")

    async def _more(self, id: str, last: str) -> Any:
        return await patiently(partial(self._client.appended, last or "0", "j", id), "a journal")


class Reader:
    """Makes events of the entries of one journal. ``last`` is the id of the latest entry, ``over`` says that the
    context has ended."""

    def __init__(self, context: str, wired: Wired) -> None:
        self.last = ""
        self.over = False
        self._wired = wired
        self._links = Links(context)
        self._operations = wired.plan.operations

    def events(self, entries: Any) -> Iterator[Event]:
        """Yield the events of entries; first what has been cut off before them, if that is something."""
        for id, fields in entries:
            self.last = id.decode()
            facts = list(_facts(fields[b"e"]))
            before = int(self.last.split("-")[0]) - len(facts)
            if before > self._links.last:
                yield self._links.skip(before)
            for letter, said in facts:
                event = self._links.link(*_SAID[letter](self, *said))
                self.over = self.over or event.kind == "ended"
                yield event

    def _set(self, id: bytes) -> dict[str, Any]:
        op, *numbers = map(int, id.split(b":"))
        return {"operation": self._operations[op].instance, "inputs": tuple(numbers)}

    def _opened(self, digest: bytes, strict: bool, above: bytes, instance: bytes, parent: bytes) -> Fact:
        signatures = {operation.instance: list(operation.names) for operation in self._operations}
        what: dict[str, Any] = {"plan": digest.decode(), "strict": bool(strict), "operations": signatures}
        if above:
            _, *numbers = map(int, parent.split(b":"))
            what["parent"] = {"context": above.decode(), "operation": instance.decode(), "inputs": tuple(numbers)}
        return "opened", what

    def _input(self, number: int, said: Any, made_of: Any, *more: Any) -> Fact:
        emission, element, value, canonical, uid = more
        channel = self._wired.channel(said)
        assert channel is not None
        what: dict[str, Any] = {"number": number, "definition": channel.definition.name, "origin": channel.origin}
        numbers = tuple(made_of)
        if channel.operation is not None:
            what |= {"operation": channel.operation.instance, "inputs": numbers}
        what |= {"parents": () if channel.definition.dedupe else numbers, "position": (emission, element)}
        what |= _value(value)
        if channel.definition.dedupe:
            what["canonical"] = canonical.decode()
        if channel.stands_for:
            what["stands_for"] = channel.stands_for
        if uid and channel.operation is None:
            what["uid"] = uid.decode()
        return "input", what

    def _default(self, number: int, op: int, parameter: int, value: Any) -> Fact:
        operation = self._operations[op]
        of = {"number": number, "of": operation.instance, "parameter": operation.names[parameter]}
        return "default", of | _value(value)

    def _gate(self, op: int, number: int) -> Fact:
        return "gate", {"operation": self._operations[op].instance, **({"input": number} if number >= 0 else {})}

    def _dispatched(self, id: bytes, freed: bool) -> Fact:
        return "dispatched", {**self._set(id), **({"freed": True} if freed else {})}

    def _leased(self, id: bytes, worker: bytes, lease: int) -> Fact:
        return "leased", {**self._set(id), "worker": worker.decode(), "lease": lease}

    def _failed(self, kind: str, id: bytes, failure: bytes) -> Fact:
        said = _failure(failure)
        return kind, {**self._set(id), "reason": said["reason"], "message": said["message"]}

    def _lost(self, id: bytes, message: bytes) -> Fact:
        return "lost", {**self._set(id), "message": message.decode()}

    def _subflow(self, id: bytes, children: int) -> Fact:
        return "subflow", {**self._set(id), "children": children}

    def _child(self, id: bytes, name: bytes, failed: bool) -> Fact:
        return "child", {**self._set(id), "child": name.decode(), "status": "failed" if failed else "succeeded"}

    def _ended(self, failure: bytes, failures: Any, notes: Any, results: Any) -> Fact:
        what: dict[str, Any] = {"status": "failed" if failure else "succeeded"}
        what |= {"failure": _failure(failure)} if failure else self._result(results)
        survived = [_failure(one) for one in failures]
        return "ended", what | {"failures": survived, "notes": [note.decode() for note in notes]}

    def _result(self, results: Any) -> dict[str, Any]:
        """Return the result, unless it was too large to be repeated in the journal."""
        if not isinstance(results, list) or any(is_reference(value) for _, _, value in results):
            return {}
        try:
            return {"result": result_of(self._wired.plan, [(op, decode(value)) for op, _, value in results])}
        except CorruptValue:
            return {}


def _facts(raw: bytes) -> Iterator[tuple[str, list[Any]]]:
    unpacker = msgpack.Unpacker(raw=True, strict_map_key=False)
    unpacker.feed(raw)
    for letter in unpacker:
        known = letter.decode()
        yield known, [unpacker.unpack() for _ in range(_PARTS[known])]


def _value(raw: Any) -> dict[str, Any]:
    """Return the value of an input, or how many bytes it has if it is too large to be repeated."""
    if isinstance(raw, int):
        return {"bytes": raw}
    if is_reference(raw):
        return {"bytes": None}
    try:
        return {"value": decode(raw)}
    except CorruptValue as error:
        return {"corrupt": error.message}


def _failure(raw: bytes) -> dict[str, Any]:
    failure = decode_failure(raw)
    found: dict[str, Any] = {"reason": failure.reason, "message": failure.message}
    if failure.instance:
        found["of"] = failure.instance
    return found


def _of_set(kind: str) -> Callable[..., Fact]:
    return lambda reader, id: (kind, reader._set(id))


_SAID: dict[str, Callable[..., Fact]] = {
    "o": Reader._opened,
    "a": lambda reader: ("added", {}),
    "z": lambda reader: ("closed", {}),
    "i": Reader._input,
    "d": Reader._default,
    "g": Reader._gate,
    "t": _of_set("taken"),
    "p": Reader._dispatched,
    "l": Reader._leased,
    "c": _of_set("completed"),
    "f": lambda reader, id, failure: reader._failed("failed", id, failure),
    "r": lambda reader, id, failure: reader._failed("retried", id, failure),
    "x": Reader._lost,
    "b": _of_set("released"),
    "n": _of_set("dropped"),
    "s": Reader._subflow,
    "k": Reader._child,
    "F": lambda reader, failure: ("failure", _failure(failure)),
    "S": lambda reader, stage: ("stage", {"stage": stage.decode()}),
    "e": Reader._ended,
}

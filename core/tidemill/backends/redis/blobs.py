"""Large values: stored once under the digest of their bytes, and sent as references.

A value whose encoding is longer than the threshold is written first and then referred to; the step of the library that
takes the reference makes sure that the blob is there, and says so if it has to be written again. So a process may die
at any time: what nobody refers to goes by its time to live (elsewhere: when `Blobs.collect` runs), what is referred to
stays until the last reference goes. Whoever reads a value checks its digest and keeps a bounded number of bytes.

Neighbours: `functions/blobs.lua` (who refers to what), `elsewhere` (files, S3), `client` (which sends both), `codec`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import time
from collections import OrderedDict
from collections.abc import Sequence
from functools import partial
from typing import Any

import msgpack

from tidemill.backends.redis.codec import REFERENCE, corrupt
from tidemill.backends.redis.elsewhere import Elsewhere
from tidemill.backends.redis.patience import patiently
from tidemill.errors import CorruptValue

__all__ = ["THRESHOLD", "Blobs", "Reference", "is_reference"]

THRESHOLD = 64 * 1024
"""Bytes of an encoded value above which it is a blob."""

CACHE = 64 * 1024 * 1024
"""Bytes of blobs that a process keeps in memory."""

UNREFERRED = 3600
"""Seconds that a blob may wait for its first reference. Who comes later than that writes it again."""

AT_ONCE = 8 * 1024 * 1024
"""Bytes of blobs that one call brings or fetches, unless one alone is longer."""

_HEAD = 68  # three bytes of msgpack, one letter for where it is, 64 of the digest


_SOMEWHERE = re.compile(rb"\xc7.\x1e[bm][0-9a-f]{64}:", re.DOTALL)


class Reference:
    """An encoded value that is sent as a reference: ``raw`` is what is sent, ``name`` where the ``body`` is."""

    __slots__ = ("body", "name", "raw")

    def __init__(self, name: str, body: bytes) -> None:
        self.name = name
        self.body = body
        self.raw = bytes(msgpack.packb(msgpack.ExtType(REFERENCE, f"{name}:{len(body)}".encode())))

    def __len__(self) -> int:
        return len(self.raw)


_KIND = REFERENCE.to_bytes()


def is_reference(raw: bytes) -> bool:
    """Say whether an encoded value is a reference."""
    return raw[:1] == b"\xc7" and raw[2:3] == _KIND


class Blobs:
    """The blobs of one shard.

    ``client`` is that of the shard (`client.Client`); ``threshold`` and ``cache`` are in bytes; ``elsewhere`` is where
    bodies go that are not to be kept in the store.
    """

    def __init__(
        self, client: Any, *, threshold: int = THRESHOLD, cache: int = CACHE, elsewhere: Elsewhere | None = None
    ) -> None:
        self.threshold = threshold
        self.elsewhere = elsewhere
        self._client = client
        self._bound = cache
        self._cache: OrderedDict[str, bytes] = OrderedDict()
        self._size = 0
        self.written = self.fetched = 0

    def pack(self, encoded: bytes) -> bytes | Reference:
        """Return an encoded value as it is sent: itself, or a reference if it is long."""
        if len(encoded) <= self.threshold and not is_reference(encoded):
            return encoded
        kind = "b" if self.elsewhere is None else "m"
        return Reference(kind + hashlib.sha256(encoded).hexdigest(), encoded)

    # -- write ------------------------------------------------------------------------------------------------------

    async def write(self, references: Sequence[Reference]) -> list[str]:
        """Make sure that blobs are there to be referred to, and return their names."""
        bodies = {one.name: one.body for one in references}
        there = await self._piped([("EXISTS", self._key(name)) for name in bodies])
        absent = [name for name, known in zip(bodies, there, strict=True) if not known]
        if self.elsewhere is not None:
            for name in absent:
                await self._upload(self.elsewhere, name, bodies[name])
        else:
            for some in _batches([(name, len(bodies[name])) for name in absent]):
                sets = [("SET", self._key(name), bodies[name], "NX", "EX", UNREFERRED) for name in some]
                await self._piped(sets)
        self.written += len(absent)
        for name, body in bodies.items():
            self._keep(name, body)
        return list(bodies)

    async def _upload(self, elsewhere: Elsewhere, name: str, body: bytes) -> None:
        """Write a body under a name of its own, said before so that it is found if this process dies meanwhile."""
        redis = self._client.redis
        where = f"{name[1:3]}/{name[1:]}-{secrets.token_hex(8)}"
        known: bytes = b"GONE"
        while known == b"GONE":  # it took so long that it was held to be abandoned
            await redis.zadd(self._client.key("uploads", ""), {where: time.time()})
            await elsewhere.write(where, body)
            known = await self._client.call("mark", name, where, UNREFERRED)
        if known != where.encode():  # somebody else was faster
            await elsewhere.delete(where)
            await redis.zrem(self._client.key("uploads", ""), where)

    async def collect(self, *, age: float = 24 * 3600.0, most: int = 1000) -> int:
        """Delete what is elsewhere and nobody refers to any more; return how much. Repeating it does no harm.

        ``age``: seconds after which an upload that was never referred to is abandoned.
        """
        if self.elsewhere is None:
            return 0
        redis = self._client.redis
        trash, uploads = self._client.key("trash", ""), self._client.key("uploads", "")
        doomed = [raw.decode() for raw in await redis.lrange(trash, 0, most - 1)]
        for where in doomed:
            await self.elsewhere.delete(where)
            await redis.lrem(trash, 1, where)
        for raw in await redis.zrangebyscore(uploads, "-inf", time.time() - age, start=0, num=most):
            where = raw.decode()
            name = f"m{where[3:67]}"
            if await redis.get(self._key(name)) == raw:
                continue  # its time to live goes on, and the next look finds it
            if await redis.zrem(uploads, where):
                await self.elsewhere.delete(where)
                doomed.append(where)
        return len(doomed)

    # -- read -------------------------------------------------------------------------------------------------------

    async def whole(self, values: Sequence[bytes]) -> list[bytes]:
        """Return encoded values with their blobs in the place of references. In the place of one that is not what was
        written stands what `codec.decode` raises `CorruptValue` for."""
        wanted = {raw: _parsed(raw) for raw in values if is_reference(raw)}
        if not wanted:
            return list(values)
        found: dict[str, bytes | CorruptValue] = {}
        missing: dict[str, int] = {}
        for name, size in (one for one in wanted.values() if not isinstance(one, CorruptValue)):
            body = self._cached(name)
            if body is None:
                missing[name] = size
            else:
                found[name] = body
        for some in _batches(list(missing.items())):
            bodies = await self._fetch(some)
            found.update({name: self._checked(name, missing[name], body) for name, body in bodies.items()})
        out: list[bytes] = []
        for raw in values:
            said = wanted.get(raw)
            whole = raw if said is None else said if isinstance(said, CorruptValue) else found[said[0]]
            out.append(whole if isinstance(whole, bytes) else corrupt(whole.message))
        return out

    async def whole_ending(self, raw: bytes) -> bytes:
        """Return what the library says of an ended context with its blobs in the place of references."""
        if _SOMEWHERE.search(raw) is None:
            return raw
        said = msgpack.unpackb(raw, raw=True, strict_map_key=False)
        failures = [msgpack.unpackb(one, raw=True, strict_map_key=False) for one in (said[2], *said[3]) if one]
        places: list[tuple[Any, Any]] = [(entry, 2) for entry in said[7]] + [(item, 4) for item in said[8]]
        for failure in failures:
            values = failure.get(b"values", [])
            inputs = failure.get(b"inputs") or {}
            places += [(values, at) for at in range(len(values))] + [(inputs, name) for name in inputs]
        found = await self.whole([holder[at] for holder, at in places])
        for (holder, at), value in zip(places, found, strict=True):
            holder[at] = value
        packed = [bytes(msgpack.packb(failure, use_bin_type=False)) for failure in failures]
        if said[2]:
            said[2] = packed.pop(0)
        said[3] = packed
        return bytes(msgpack.packb(said, use_bin_type=False))

    async def _fetch(self, names: Sequence[str]) -> dict[str, bytes | None]:
        look = partial(self._client.redis.mget, [self._key(name) for name in names])
        bodies = await patiently(look, "questions for large values")
        found: dict[str, bytes | None] = dict(zip(names, bodies, strict=True))
        self.fetched += len(found)
        for name, where in found.items():
            if name.startswith("m") and where is not None:
                found[name] = None if self.elsewhere is None else await self.elsewhere.read(where.decode())
        return found

    def _checked(self, name: str, size: int, body: bytes | None) -> bytes | CorruptValue:
        if body is None:
            told = (
                "" if name.startswith("b") or self.elsewhere is not None else "; it is outside, and no place was given"
            )
            return CorruptValue(f"the blob {name[1:13]}… of {size} bytes is missing{told}")
        if len(body) != size:
            return CorruptValue(f"the blob {name[1:13]}… has {len(body)} bytes, and was written with {size}")
        if hashlib.sha256(body).hexdigest() != name[1:]:
            return CorruptValue(
                f"the blob {name[1:13]}… of {size} bytes is not what was written: its digest is another"
            )
        self._keep(name, body)
        return body

    # -- kept in memory ---------------------------------------------------------------------------------------------

    def _cached(self, name: str) -> bytes | None:
        body = self._cache.get(name)
        if body is not None:
            self._cache.move_to_end(name)
        return body

    def _keep(self, name: str, body: bytes) -> None:
        if len(body) > self._bound or self._cached(name) is not None:
            return
        self._cache[name] = body
        self._size += len(body)
        while self._size > self._bound:
            _, dropped = self._cache.popitem(last=False)
            self._size -= len(dropped)

    def _key(self, name: str) -> str:
        return str(self._client.key("blob", name))

    async def _piped(self, commands: Sequence[tuple[Any, ...]]) -> list[Any]:
        """Send commands in one go and return what each answers. Raises the first error."""
        if not commands:
            return []
        async with self._client.redis.pipeline(transaction=False) as pipe:
            for command in commands:
                pipe.execute_command(*command)
            return list(await pipe.execute())


def _parsed(raw: bytes) -> tuple[str, int] | CorruptValue:
    """Return the name and the size that a reference gives."""
    name, _, size = raw[3:].partition(b":")
    good = len(raw) - 3 == raw[1] and len(name) == _HEAD - 3 and name[:1] in (b"b", b"m") and size.isdigit()
    if not good or any(letter not in b"0123456789abcdef" for letter in name[1:]):
        return CorruptValue(f"{len(raw)} bytes are no reference to a blob, and begin like one")
    return name.decode(), int(size)


def _batches(sized: Sequence[tuple[str, int]]) -> list[list[str]]:
    """Return names in portions of which each brings only so many bytes."""
    found: list[list[str]] = []
    room = 0
    for name, size in sized:
        if not found or size > room:
            found.append([])
            room = AT_ONCE
        found[-1].append(name)
        room -= size
    return found

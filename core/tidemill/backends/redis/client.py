"""Calls the functions of the library: packs what they are asked, unpacks what they answer.

A call whose reply was lost is not repeated by the client library: whether that is harmless is known only here.
Neighbours: `functions` (what is called), `library` (how it gets there).
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import Any

import msgpack
import redis.asyncio
from redis.exceptions import NoPermissionError, OutOfMemoryError, ResponseError

from tidemill.backends.redis.blobs import THRESHOLD, Blobs, Reference
from tidemill.backends.redis.elsewhere import Elsewhere
from tidemill.backends.redis.library import LAYOUT, assembled
from tidemill.backends.redis.refusals import store_error
from tidemill.backends.redis.urls import CLUSTER, StoreURL, connection, store_url
from tidemill.errors import FunctionLibraryMissing, StoreMisconfigured

__all__ = ["Client"]

CALLS = 16
"""Calls that are under way at once, each on a connection of its own; the server works on one at a time."""
PACKED = 0x80
"""What the first byte of a packed list is not below, and that of a word is."""
PAUSE = 0.5
"""Seconds between looks at a list of a store that is full."""
WAIT = 10
"""Seconds that one wait for an element lasts: a connection that died in silence is noticed then."""


REWRITES = 8
"""How often blobs are written again that are gone before they are referred to: whoever had them ended just then."""


def _referred(found: list[Reference], one: object) -> bytes:
    """Return what is sent of a large value, and remember that it is referred to."""
    if not isinstance(one, Reference):
        raise TypeError(f"{type(one).__name__} is no part of a request")
    found.append(one)
    return one.raw


class Client:
    """One shard of a server. ``tag`` is its hash tag: everything of the shard has it; ``blobs`` are its large values.

    ``url`` is one of `urls`. ``timeout``: seconds after which a reply counts as lost (None: never), ``name``: what the
    server calls the connections. ``threshold`` and ``elsewhere`` say which values are large, and where they go if not
    into the store; see `blobs` and `elsewhere`. ``file`` is where the URL was read from, if its password may change.
    """

    def __init__(
        self,
        url: str | StoreURL,
        *,
        prefix: str = "tm",
        shard: int = 0,
        timeout: float | None = None,
        name: str | None = None,
        threshold: int = THRESHOLD,
        elsewhere: str = "",
        file: str = "",
    ) -> None:
        self.url = store_url(url) if isinstance(url, str) else url
        named = {} if name is None else {"client_name": name}
        self.tag = f"{{{prefix}{LAYOUT}:{shard}}}"
        self._connect = partial(connection, self.url, file, tag=self.tag, **named)
        self.blobs = Blobs(self, threshold=threshold, elsewhere=Elsewhere(elsewhere) if elsewhere else None)
        self.redis = self._connect(socket_timeout=timeout, socket_connect_timeout=timeout or WAIT)
        self._waiting: redis.asyncio.Redis | None = None
        self._timeout = timeout
        self._turns = asyncio.Semaphore(CALLS)

    async def load(self) -> None:
        """Load the library, or make sure that the one that is there is the same. Where the user may not do that, one of
        the layout that somebody else has loaded will do. Raises `FunctionLibraryMissing` if there is none."""
        try:
            await self.redis.function_load(assembled(), replace=True)
        except NoPermissionError:
            if not await self.loaded():
                said = (
                    f"the store at {self.url.shown} has no functions of layout {LAYOUT}, and its user may not load them"
                )
                raise FunctionLibraryMissing(
                    f"{said}; wait for whoever may, which on a cluster is the operator"
                ) from None

    async def loaded(self) -> bool:
        """Say whether the store has a library of this layout."""
        return bool(await self.redis.function_list(library=f"tidemill_{LAYOUT}"))

    async def call(self, verb: str, *request: Any) -> Any:
        """Call a function with a request and return its answer: a number, a word, or a list (which comes packed).

        Blobs that the request refers to are written first.
        """
        references: list[Reference] = []
        packed = msgpack.packb(request, use_bin_type=False, default=partial(_referred, references))
        if not references:
            return await self._answer(verb, packed)
        for _ in range(REWRITES):
            names = await self.blobs.write(references)
            answer = await self._answer(verb, packed, msgpack.packb(names, use_bin_type=False))
            if not isinstance(answer, list) or answer[:1] != [b"BLOBS"]:
                return answer
        said = f"the store loses large values as soon as they are written ({len(references)} for {verb})"
        raise StoreMisconfigured(f"{said}; its maxmemory-policy has to be noeviction", reason="EvictionPolicy")

    async def _answer(self, verb: str, *arguments: bytes) -> Any:
        call = partial(self.redis.fcall, f"tidemill_{LAYOUT}_{verb}", 1, self.tag, *arguments)
        async with self._turns:
            try:
                answer = await call()
            except ResponseError as error:
                missing = isinstance(store_error(error, self.url.shown), FunctionLibraryMissing)
                if self.url.scheme != CLUSTER or not missing:
                    raise
                await self.load()  # the slot has come to a node that never had it
                answer = await call()
        if isinstance(answer, bytes) and answer and answer[0] >= PACKED:
            return msgpack.unpackb(answer, raw=True, strict_map_key=False)
        return answer

    def key(self, kind: str, *parts: str) -> str:
        """Return the name of a key of the shard."""
        return ":".join([self.tag, kind, *parts])

    async def popped(self, kind: str, *parts: str) -> bool:
        """Wait a while for an element of a list and take it; say whether there was one."""
        return await self._waiter().blpop([self.key(kind, *parts)], timeout=WAIT) is not None

    async def filled(self, kind: str, *parts: str) -> bool:
        """Wait a while for a list to have an element, and leave it there; say whether it may have one."""
        key = self.key(kind, *parts)
        try:
            return await self._waiter().blmove(key, key, WAIT, "LEFT", "LEFT") is not None
        except OutOfMemoryError:  # a full store refuses this, as it writes; to look, and so to make room, it allows
            await asyncio.sleep(PAUSE)
            return True

    async def appended(self, last: str, kind: str, *parts: str) -> list[tuple[bytes, dict[bytes, bytes]]]:
        """Wait a while for entries of a stream after ``last`` and return them; none if nothing has come."""
        found: Any = await self._waiter().xread({self.key(kind, *parts): last}, block=int(WAIT * 1000))
        return [(id, fields) for _, entries in found or () for id, fields in entries]

    def _waiter(self) -> redis.asyncio.Redis:
        if self._waiting is None:  # its replies may take long, and are waited for all the same
            self._waiting = self._connect(socket_timeout=WAIT + 5, socket_connect_timeout=self._timeout or WAIT)
        return self._waiting

    async def close(self) -> None:
        """Close the connections."""
        if self._waiting is not None:
            await self._waiting.aclose()
        await self.redis.aclose()

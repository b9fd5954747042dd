"""What a store has to be so that no work is lost: looked at before anything is stored.

Every finding says what was found, what was expected and what to do. A store that would lose work is refused, unless
whoever starts it has chosen so by name (``durability``). What a server does not let us see is said, not assumed.
Neighbours: `access` (who may do what there), `refusals` (what a server says no to later), `tidemill doctor`.
"""

from __future__ import annotations

import asyncio
import re
import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from redis.exceptions import NoPermissionError, RedisError, ResponseError

from tidemill.backends.redis.access import LOAD, allowed, replayed
from tidemill.backends.redis.audit import RedisAudit
from tidemill.backends.redis.client import Client
from tidemill.backends.redis.embedded import EmbeddedStore
from tidemill.backends.redis.finding import Finding
from tidemill.backends.redis.library import LAYOUT, assembled
from tidemill.backends.redis.refusals import store_error
from tidemill.backends.redis.urls import StoreURL, connection, store_url
from tidemill.errors import StoreMisconfigured

__all__ = ["DURABILITY", "LEAST", "Finding", "examine", "examined", "require"]

COUNTED = 2000
"""Open contexts, about, that are counted again."""
LEAST = {"redis": (7, 0), "valkey": (7, 2)}
"""The oldest versions with everything that the functions use."""

DURABILITY = ("always", "fast", "none")
"""What survives the death of the server: all that was acknowledged, all but the last second, nothing. The first one is
what a store has to be where nothing else was chosen."""

SLOW = 0.005
"""Seconds of a round trip above which it is said that it will be felt."""

ROUNDS = 20

PATIENCE = 5.0
"""Seconds that a store which is only looked at may take for an answer."""


async def require(redis: Any, where: str, *, tag: str, durability: str = "always") -> list[Finding]:
    """Return the findings about a store that is to be used. Raises `StoreError` for the first that speaks against it.

    ``redis`` is a client of `redis.asyncio`, ``where`` the URL without its password.
    """
    found = await examine(redis, where, tag=tag, durability=durability)
    for finding in found:
        if finding.status == "fail":
            raise finding.error(where)
    return found


async def examine(redis: Any, where: str, *, tag: str, durability: str = "always") -> list[Finding]:
    """Return every finding about a store. Raises `StoreError` where it cannot be asked at all."""
    if durability not in DURABILITY:
        said = f'there is no durability "{durability}" (has: {", ".join(DURABILITY)})'
        raise StoreMisconfigured(said, reason="UnknownDurability")
    found: list[Finding] = []
    try:
        await redis.ping()
        info = await _info(redis)
        settings = await _settings(redis)
        found += [_server(info), _role(info), _policy(info, settings), _evicted(info)]
        found += [*_durable(info, settings, durability), _memory(info)]
        if settings is None:
            found.append(_unseen(info))
        for check in (_cluster, allowed, replayed, _library, _latency):
            found += [one async for one in check(redis, info, tag)]
    except (RedisError, OSError) as error:
        raise store_error(error, where) from error
    return found


def examined(url: str, *, durability: str = "always", repair: bool = False) -> list[Finding]:
    """Return every finding about the store at a URL, or about one of this machine that is started for it. ``repair``:
    contexts of which something is wrong are ended.

    Raises `StoreError` for what is no URL, and where the store cannot be asked at all.
    """
    said = store_url(url)
    if said.scheme == "memory":
        return [Finding("store", "ok", "memory: this process, and nothing to look at")]
    if said.scheme == "embedded":
        with EmbeddedStore(said.path or None) as store:
            return asyncio.run(_looked_at(store_url(store.url), durability, repair))
    return asyncio.run(_looked_at(said, durability, repair))


async def _looked_at(url: StoreURL, durability: str, repair: bool = False) -> list[Finding]:
    tag = f"{{tm{LAYOUT}:0}}"
    redis = connection(url, tag=tag, socket_connect_timeout=PATIENCE, socket_timeout=PATIENCE)
    try:
        found = await examine(redis, url.shown, tag=tag, durability=durability)
    finally:
        await redis.aclose()
    if any(one.name == "functions" and one.status == "ok" for one in found):
        found.append(await _accounts(url, repair))
    return found


async def _accounts(url: StoreURL, repair: bool) -> Finding:
    """Count again what the store has counted; it needs the functions for that."""
    client = Client(url, timeout=PATIENCE)
    try:
        audit = await asyncio.wait_for(RedisAudit(client).look(most=COUNTED), 2 * PATIENCE)
        ended = await RedisAudit(client).repair(audit) if repair else []
    except (RedisError, OSError, TimeoutError) as error:
        said = f"could not be counted again: {type(error).__name__}: {error}"
        return Finding("accounts", "warn", said, "CannotCheck", "an answer", "look again when it is less busy")
    finally:
        await client.close()
    if not audit.mismatches:
        return Finding("accounts", "ok", str(audit))
    do = "report it with this output; tidemill doctor --repair ends the contexts that are named; submit them again"
    if ended:
        do = f"report it with this output, and submit again what was ended: {', '.join(ended)}"
    return Finding("accounts", "fail", str(audit), "AccountingMismatch", "counters as what is counted", do)


async def _info(redis: Any) -> dict[str, Any]:
    """Return what the server says of itself; nothing where it says nothing."""
    try:
        return dict(await redis.info("everything"))
    except ResponseError:
        return {}


async def _settings(redis: Any) -> dict[str, str] | None:
    """Return the settings that matter, or None where they are not to be seen, as in managed services."""
    try:
        said = await redis.config_get("maxmemory-policy", "appendonly", "appendfsync")
    except ResponseError:
        return None
    text = {_text(name): _text(value) for name, value in said.items()}
    return text or None


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _server(info: dict[str, Any]) -> Finding:
    kind = "valkey" if "valkey_version" in info else "redis"
    version = str(info.get(f"{kind}_version", ""))
    numbers = tuple(int(number) for number in re.findall(r"\d+", version)[:2])
    if not numbers:
        return Finding("server", "warn", "unknown", "CannotCheck", "known", "let the user of the URL call INFO")
    if numbers < LEAST[kind]:
        expected = "Redis 7.0, Valkey 7.2 or newer"
        return Finding("server", "fail", f"{kind} {version}", "ServerTooOld", expected, "use a newer server")
    return Finding("server", "ok", f"{kind} {version}")


def _role(info: dict[str, Any]) -> Finding:
    role = str(info.get("role", "unknown"))
    if role in ("slave", "replica"):
        do = f"give the URL of the primary, which is {info.get('master_host')}:{info.get('master_port')}"
        return Finding("role", "fail", "a replica", "StoreReadOnly", "a primary", do)
    return Finding("role", "ok", role)


def _policy(info: dict[str, Any], settings: dict[str, str] | None) -> Finding:
    name, expected = "maxmemory-policy", "noeviction"
    policy = (settings or {}).get(name) or str(info.get("maxmemory_policy", "unknown"))
    do = "CONFIG SET maxmemory-policy noeviction, and write it into the configuration of the server"
    if policy.startswith("allkeys"):
        return Finding(name, "fail", policy, "EvictionPolicy", expected, do)
    if policy == "unknown":
        return Finding(name, "warn", policy, "CannotCheck", expected, "look it up where the server is managed")
    if policy != expected:  # drops only keys with a time to live; ours have none, but for copies that are sent again
        return Finding(name, "warn", policy, "EvictionPolicy", expected, do)
    return Finding(name, "ok", policy)


def _evicted(info: dict[str, Any]) -> Finding:
    many = int(info.get("evicted_keys", 0))
    if many:
        do = "find out which keys were dropped; CONFIG RESETSTAT when that is settled"
        return Finding("evicted keys", "warn", str(many), "StateSuspect", "0", do)
    return Finding("evicted keys", "ok", "0")


def _durable(info: dict[str, Any], settings: dict[str, str] | None, wanted: str) -> list[Finding]:
    name = "durability"
    keeps = bool(int(info.get("aof_enabled", 0))) if settings is None else settings.get("appendonly") == "yes"
    fsync = (settings or {}).get("appendfsync", "")
    if settings is None and "aof_enabled" not in info:
        return [Finding(name, "warn", "unknown", "CannotCheck", wanted, "look it up where the server is managed")]
    has = "none" if not keeps else {"always": "always", "everysec": "fast", "no": "none"}.get(fsync, "unknown")
    said = f"{has} (appendonly {'yes' if keeps else 'no'}{f', appendfsync {fsync}' if fsync else ''})"
    found = []
    if has == "unknown":
        do = "see that appendfsync is what is wanted where the server is managed"
        found.append(Finding(name, "warn", said, "CannotCheck", wanted, do))
    elif DURABILITY.index(has) > DURABILITY.index(wanted):
        fsync = "always" if wanted == "always" else "everysec"
        do = f'CONFIG SET appendonly yes and CONFIG SET appendfsync {fsync}, or choose the durability "{has}" by name'
        found.append(Finding(name, "fail", said, "NotDurable", wanted, do))
    else:
        found.append(Finding(name, "ok", said))
    if str(info.get("aof_last_write_status", "ok")) != "ok":
        do = "see the log of the server; most often its disk is full"
        found.append(Finding("append-only file", "fail", "not being written", "AppendFailed", "written", do))
    return found


def _memory(info: dict[str, Any]) -> Finding:
    used, limit = int(info.get("used_memory", 0)), int(info.get("maxmemory", 0))
    if limit and used > 0.9 * limit:
        do = "raise maxmemory, or wait until contexts have ended; at the limit nothing new is taken"
        return Finding("used memory", "warn", f"{used} of {limit} bytes", "StoreFull", "less than 90 %", do)
    return Finding("used memory", "ok", f"{used} of {limit} bytes" if limit else f"{used} bytes, without a limit")


def _unseen(info: dict[str, Any]) -> Finding:
    missing = "appendfsync" if info else "appendfsync, and whatever INFO would have said"
    do = "look these up where the server is managed, or let the user of the URL call CONFIG GET"
    return Finding("settings", "warn", f"not to be seen: {missing}", "ConfigForbidden", "visible", do)


async def _cluster(redis: Any, info: dict[str, Any], tag: str) -> AsyncIterator[Finding]:
    if not int(info.get("cluster_enabled", 0)):
        yield Finding("cluster", "ok", "no")
        return
    try:
        await redis.exists(f"{tag}:serial")
        yield Finding("cluster", "ok", f"yes, and this node has the slot of {tag}")
    except ResponseError as error:
        slot = f"a node without the slot of {tag} ({error})"
        do = "write redis+cluster:// for redis://, or give the URL of the primary that has the slot"
        yield Finding("cluster", "fail", slot, "WrongNode", "the node that has it", do)


async def _library(redis: Any, info: dict[str, Any], tag: str) -> AsyncIterator[Finding]:
    expected = f"tidemill_{LAYOUT}"
    try:
        said = await redis.function_list(withcode=True)
    except NoPermissionError:
        return  # what is missing for it is a finding of its own
    have = {}
    for entry in said:
        about = dict(zip(map(_text, entry[::2]), entry[1::2], strict=True))
        have[_text(about["library_name"])] = _text(about["library_code"])
    others = sorted(name for name in have if name.startswith("tidemill_") and name != expected)
    beside = f", beside {', '.join(others)}" if others else ""
    do, status = "nothing: whoever starts working with it loads its functions", "warn"
    if not await _may_load(redis):
        do, status = f"wait for whoever may load them, or ACL SETUSER … +{LOAD.lower().replace(' ', '|')}", "fail"
    if expected not in have:
        found = f"none of layout {LAYOUT}{beside}"
        yield Finding("functions", status, found, "FunctionLibraryMissing", expected, do)
    elif have[expected] != assembled():
        yield Finding("functions", "warn", f"other code of {expected}{beside}", "FunctionLibraryMissing", expected, do)
    else:
        yield Finding("functions", "ok", f"{expected}{beside}")


async def _may_load(redis: Any) -> bool:
    try:
        await redis.execute_command(*LOAD.split(), "none")  # which is no library
    except ResponseError as error:
        return not isinstance(error, NoPermissionError)
    return True


async def _latency(redis: Any, info: dict[str, Any], tag: str) -> AsyncIterator[Finding]:
    took = [await _timed(redis.ping) for _ in range(ROUNDS)]
    median = statistics.median(took)
    found = f"{1000 * median:.2f} ms for a round trip (median of {ROUNDS})"
    if median > SLOW:
        do = "bring workers nearer to it; an operation costs up to one round trip, and fewer in batches"
        yield Finding("latency", "warn", found, "SlowStore", f"below {1000 * SLOW:g} ms", do)
    else:
        yield Finding("latency", "ok", found)


async def _timed(call: Callable[[], Awaitable[object]]) -> float:
    start = time.perf_counter()
    await call()
    return time.perf_counter() - start

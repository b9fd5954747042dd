"""Who may do what in a store: the user of its URL, and the one as whom some servers read their log.

Older servers read their append-only file as their user `default`, and leave out a transaction in which that user may
not do something, which is what each call of a function is; so where nobody is that user, and nobody has granted it
anything, a server that is started again has silently lost what it had acknowledged. Neighbours: `checks` (who looks),
`finding` (what comes out), `tools/chart.py` (which grants these commands in the store of a release).
"""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable
from typing import Any

from redis.exceptions import NoPermissionError, ResponseError

from tidemill.backends.redis.finding import Finding
from tidemill.backends.redis.library import LAYOUT, assembled

__all__ = ["ARGUMENTS", "CLIENT", "FAITHFUL", "LOAD", "LOGGED", "allowed", "commands", "replayed"]

FAITHFUL = {"redis": (8, 10, 0), "valkey": (9, 1, 2)}
"""The versions from which on the log is known to be read whatever the user `default` may do."""

LOAD = "FUNCTION LOAD"
"""The command that only those need who load the functions."""

CLIENT = (
    *("BLMOVE", "BLPOP", "DEL", "EXISTS", "FCALL", "FUNCTION LIST", LOAD, "GET", "HMGET", "HSET", "HSETNX"),
    *("LREM", "LRANGE", "MGET", "SET", "UNLINK", "XRANGE", "XREAD", "ZADD", "ZRANGEBYSCORE", "ZREM"),
)
"""The commands that are called from outside; the others are called in the functions, on behalf of the same user."""

ARGUMENTS: dict[str, tuple[str, ...]] = {
    name: arguments
    for names, arguments in {
        "DEL EXISTS GET HGETALL HKEYS HLEN HVALS INCR LLEN LPOP MGET PERSIST SCARD SMEMBERS STRLEN UNLINK ZCARD": (),
        "SPOP": ("1",),
        "APPEND LPOS LPUSH RPUSH SADD SET SISMEMBER SREM ZREM ZSCORE": ("value",),
        "HDEL HEXISTS HGET HMGET HSTRLEN": ("field",),
        "HINCRBY HINCRBYFLOAT HSET HSETNX ZADD ZINCRBY": ("1", "1"),
        "BLPOP EXPIRE HSCAN INCRBY LINDEX PEXPIREAT SSCAN ZSCAN": ("0",),
        "GETRANGE LRANGE LREM LSET LTRIM SETRANGE ZRANGE ZRANGEBYSCORE": ("0", "1"),
        "XRANGE XREVRANGE": ("-", "+"),
        "XADD": ("1-0", "field", "value"),
    }.items()
    for name in names.split()
}
"""What stands behind the key to make a whole command of each."""


LOGGED = (
    *("APPEND", "DEL", "HDEL", "HINCRBY", "HINCRBYFLOAT", "HSET", "HSETNX", "INCR", "INCRBY", "LPOP", "LPUSH", "LREM"),
    *("LSET", "PERSIST", "PEXPIREAT", "RENAME", "RPUSH", "SADD", "SET", "SREM", "UNLINK", "XADD", "ZADD", "ZREM"),
)
"""The commands that stand in the log for what the functions have done."""


def commands() -> list[str]:
    """Return every command that the functions and the client use."""
    return sorted({*CLIENT, *re.findall(r"redis\.p?call\('(\w+)'", assembled())})


def _whole(name: str, tag: str) -> list[str]:
    """Return a whole command, which would do nothing much."""
    key = f"{tag}:probe"
    special = {
        "FCALL": [f"tidemill_{LAYOUT}_read", "1", key],
        "RENAME": [key, key],
        "BLMOVE": [key, key, "LEFT", "LEFT", "0"],
        "XREAD": ["STREAMS", key, "0"],
        LOAD: ["none"],
        "FUNCTION LIST": [],
    }
    return [*name.split(" "), *special.get(name, [key, *ARGUMENTS.get(name, ())])]


async def allowed(redis: Any, info: dict[str, Any], tag: str) -> AsyncIterator[Finding]:
    """Ask for every command in a transaction that is then given up: a user is refused as it is queued."""
    missing = [name for name in await _refused(redis, commands(), tag) if name != LOAD]
    if missing:  # whether somebody has to load anything is a finding of its own
        do = f"ACL SETUSER … ~{tag}* {_grants(missing)}"
        yield Finding("access", "fail", f"without {', '.join(missing)}", "NotAllowed", "all commands in use", do)
    else:
        yield Finding("access", "ok", "every command in use is allowed")


async def replayed(redis: Any, info: dict[str, Any], tag: str) -> AsyncIterator[Finding]:
    """Look whether the server, started again, would have what its log says."""
    if not int(info.get("aof_enabled", 0)):
        return
    name, expected = "log", "read whole by a server that is started again"
    kind = "valkey" if "valkey_version" in info else "redis"
    version = str(info.get(f"{kind}_version", ""))
    if tuple(int(number) for number in re.findall(r"\d+", version)[:3]) >= FAITHFUL[kind]:
        yield Finding(name, "ok", f"read whole by {kind} {version}, whatever its user default may do")
        return
    missing = await _default(redis, tag)
    grant = 'ACL SETUSER default "~*" "&*" +@all, also in its configuration (the user may be off all the same)'
    if missing is None:
        found = "read as the user default, and what that one may do cannot be seen"
        do = f"see that it may do everything, or let the user of the URL call ACL DRYRUN; else {grant}"
        yield Finding(name, "warn", found, "CannotCheck", expected, do)
    elif missing:
        found = f"read as the user default, which may not {', '.join(missing)}: what is in a transaction is lost then"
        yield Finding(name, "fail", found, "LogNotReplayed", expected, f"{grant}; or use a newer server")
    else:
        yield Finding(name, "ok", "read as the user default, which may do what it says")


async def _default(redis: Any, tag: str) -> list[str] | None:
    """Return which commands of the log the user `default` may not call; None where that is not for us to know."""
    async with redis.pipeline(transaction=False) as asked:
        for name in LOGGED:
            asked.execute_command("ACL", "DRYRUN", "default", *_whole(name, tag))
        said = await asked.execute(raise_on_error=False)
    if any(isinstance(one, ResponseError) for one in said):
        return await _refused(redis, LOGGED, tag) if _is_default(redis) else None
    return [name for name, one in zip(LOGGED, said, strict=True) if _text(one) != "OK"]


def _is_default(redis: Any) -> bool:
    """Say whether the user of the URL is `default`."""
    said = redis.connection_pool.connection_kwargs
    if (provider := said.get("credential_provider")) is not None:
        user = provider.get_credentials()[:-1]
        return not user or user[0] in ("", "default")
    return said.get("username") in (None, "", "default")


async def _refused(redis: Any, names: Iterable[str], tag: str) -> list[str]:
    """Return which of these commands the user of the URL may not call."""
    connection = await redis.connection_pool.get_connection()
    missing = []
    try:
        await _said(connection, "MULTI")
        for name in names:
            if not await _said(connection, *_whole(name, tag)):
                missing.append(name)
        await _said(connection, "DISCARD")
    finally:
        await redis.connection_pool.release(connection)
    return missing


async def _said(connection: Any, *command: str) -> bool:
    """Send a command and return whether the user may; what else is said against it does not matter here."""
    await connection.send_command(*command)
    try:
        await connection.read_response()
    except ResponseError as error:
        return not isinstance(error, NoPermissionError)
    return True


def _grants(names: list[str]) -> str:
    return " ".join(f"+{name.lower().replace(' ', '|')}" for name in names)


def _text(value: Any) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)

"""What a store keeps when a test has ended: nothing but what it says that it keeps.

Whatever the test has left open is ended first: contexts are cancelled, workers are held to have vanished, clean-ups
are worked off. No key may be there then without an owner.
"""

from typing import Any

from redis import Redis

from tests.contract.clock import Clock
from tidemill.backends.redis.audit import RedisAudit
from tidemill.backends.redis.backend import RedisBackend
from tidemill.backends.redis.groups import RedisGroups
from tidemill.errors import ContextClosed
from tidemill.networks.implementations import Completed, Report

__all__ = ["LASTING", "end_all", "left_in"]

LASTING = (
    "plan", "flow", "serial", "counts", "refused", "running", "epoch", "corrupt",  # of the shard
    "group", "done", "grouped", "samples",  # of groups, until they are dropped
    "idle", "wake", "runners", "beats", "said", "last",  # of workers
    "measured",  # of data flows, until nobody has run them for long
    "ended", "inbox", "letters", "due",  # of whoever is to hear of an end, until its retention is over
)  # fmt: skip
"""Kinds of keys that belong to no context."""
MOST = 10_000
"""Cycles after which what is left never ends."""


def text(values: Any) -> list[str]:
    """Return what the server has said as text."""
    return [value.decode() for value in values]


async def end_all(backend: RedisBackend, clock: Clock, look: Redis) -> None:
    """End all contexts of a shard, and see that nothing of them stays. What it has counted has to be right before."""
    tag = backend.client.tag
    audit = await RedisAudit(backend.client).look()
    assert not audit.mismatches, f"what is counted is not what there is: {audit}"
    for name in text(look.hkeys(f"{tag}:names")):
        try:
            await backend.cancel(name)
        except ContextClosed:
            continue  # a child context, which has ended with its parent
    for held in text(look.scan_iter(f"{tag}:held:*", count=1000)):
        await backend.implementations.lose(held.removeprefix(f"{tag}:held:"))
    reports: list[Report] = []
    for group in text(look.scan_iter(f"{tag}:group:*", count=1000)):
        await RedisGroups(backend.client).resume(group.removeprefix(f"{tag}:group:"))
    for _ in range(MOST):
        leased = await backend.implementations.cycle("sweeper", reports, 64)
        reports = [Completed(one, None, (), one.leases) for one in leased]
        if not leased and not clock.advance():
            break
    assert not look.hlen(f"{tag}:names"), f"contexts that do not end: {text(look.hkeys(f'{tag}:names'))}"
    await backend.journals.forget(*await backend.journals.names())
    await RedisGroups(backend.client).chores()
    running = {field.decode(): int(many) for field, many in look.hgetall(f"{tag}:running").items()}  # type: ignore[union-attr]
    assert not any(running.values()), f"places that nobody gave back: {running}"
    leaked = left_in(look, tag)
    assert not leaked, f"keys that belong to no context: {leaked}"


def left_in(look: Redis, tag: str) -> list[str]:
    """Return the keys of a shard that belong to a context, or to nobody."""
    keys = text(look.scan_iter(f"{tag}*", count=1000))
    return sorted(key for key in keys if key[len(tag) + 1 :].split(":", 1)[0] not in LASTING)

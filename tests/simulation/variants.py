"""Mistakes that one makes at first in a protocol of leases, each a change of the text of the library: the simulation
has to notice every one of them, soon.

``old`` stands in the library exactly once.
"""

from __future__ import annotations

from dataclasses import dataclass

from tests.simulation.play import Broken, load, play
from tests.simulation.wire import Wire
from tidemill.backends.redis.library import assembled

__all__ = ["VARIANTS", "WITHIN", "Variant", "changed", "noticed"]

WITHIN = 400
"""Worlds among which one has to show a mistake; most take less than ten."""


@dataclass(frozen=True)
class Variant:
    """One mistake."""

    name: str
    old: str
    new: str


VARIANTS = (
    Variant(
        "lease without nonce: a cycle whose reply was lost is another one when it is repeated",
        "if last[1] ~= nonce then return nil end",
        "if true then return nil end",
    ),
    Variant(
        "a cycle that is repeated leases again what it has leased",
        "r.state == 'leased' and r.worker == runner and r.leases == last[at + 2] then out[#out + 1] = P.said(c, r) end",
        "r.state ~= 'x' then r.leases = r.leases + 1; R.keep(c, r); out[#out + 1] = P.said(c, r) end",
    ),
    Variant(
        "expire without compare-and-set: a beat in between saves nobody",
        "if count ~= a[2] then return 'ALIVE' end",
        "",
    ),
    Variant(
        "a report is taken from anybody",
        "r.worker ~= worker or (lease > 0 and r.leases ~= lease) then",
        "false then",
    ),
    Variant(
        "a report is taken from whoever has held the lease before",
        "or (lease > 0 and r.leases ~= lease) then",
        "then",
    ),
    Variant(
        "quiet is looked for before what follows is added",
        "    return\n  end\n  P.count(c, op, 'completed')\n  finish(c, r)",
        "    return\n  end\n  P.count(c, op, 'completed')",
    ),
    Variant(
        "a parameter set is taken off before its outputs are stored",
        "  elseif #given > 0 and not stored(c, r, given, 0, now) then",
        "  elseif #given > 0 and (function() c.open = c.open - 1 if c.open == 0 then S.quiet(c) end end)()"
        " == nil and not stored(c, r, given, 0, now) then",
    ),
    Variant(
        "a wake-up is lost: what becomes ready calls nobody",
        "      P.ring(pool, #ready)\n",
        "",
    ),
    Variant(
        "a wake-up dies with the runner that had heard it",
        "  P.ring(pool, 1)\n  return many, #held / 2 - many",
        "  return many, #held / 2 - many",
    ),
    Variant(
        "two inputs of one operation are combined with what is older only",
        "parameter < place and before[parameter] or now[parameter]",
        "before[parameter]",
    ),
    Variant(
        "equal values count twice where they are to count once",
        "if there then return nil, there end",
        "",
    ),
    Variant(
        "what is added twice counts twice",
        "if offer[4] ~= '' and get(c, 'n' .. offer[4]) then return 'AGAIN' end",
        "",
    ),
    Variant(
        "locks are given back twice: whoever comes next stands in no queue any more",
        "    redis.call('LREM', own, 1, r.id)\n",
        "    redis.call('LREM', own, 1, r.id)\n    if was_first then redis.call('LPOP', own) end\n",
    ),
    Variant(
        "a lock is enough of several",
        "    if redis.call('LINDEX', queue(c, lock), 0) ~= r.id then return false end\n",
        "    if redis.call('LINDEX', queue(c, lock), 0) == r.id then return true end\n",
    ),
    Variant(
        "a further try does not ask for its locks again",
        "    r.state, c.backlog, c.dirty = 'taken', c.backlog + 1, true\n    if #r.locks == 0 or L.acquire(c, r) then",
        "    r.state, c.backlog, c.dirty = 'taken', c.backlog + 1, true\n    if true then",
    ),
    Variant(
        "a further try is forgotten",
        "  redis.call('ZADD', K.delayed, now + wait, c.id .. ' ' .. r.id)\n",
        "",
    ),
    Variant(
        "an emission that is repeated is stored again",
        "  if emission ~= r.emitted then return end",
        "",
    ),
    Variant(
        "what a dead worker held is not handed out again",
        "  for at = 1, many * 2, 2 do\n    P.settle(",
        "  for at = 1, 0, 2 do\n    P.settle(",
    ),
    Variant(
        "a worker that is gone may go on",
        "if known then return known ~= '' end",
        "if known then return true end",
    ),
    Variant(
        "a worker that has been expired comes to life again",
        "  if worker ~= '' and not tonumber(redis.call('HGET', K.beats, worker) or 'gone') then return false end\n",
        "",
    ),
    Variant(
        "a lost runner counts as a failed try",
        "function KIND.lost(c, r, message)\n",
        "function KIND.lost(c, r, message)\n  r.tries = r.tries + 1\n",
    ),
    Variant(
        "a place of an operation that runs only so often is not given back",
        "  redis.call('HINCRBY', K.running, plan .. ' ' .. op, -1)\n",
        "",
    ),
    Variant(
        "a new epoch leaves leases with whoever had them",
        "    if moved or not tonumber(workers[at + 1]) then",
        "    if not tonumber(workers[at + 1]) then",
    ),
    Variant(
        "an ending is forgotten when it is told",
        "do out[at] = { names[at], raw or '' } end",
        "do out[at] = { names[at], raw or '' } redis.call('HDEL', kept, names[at]) end",
    ),
    Variant(
        "a context that its owner opens again is another's",
        "return own(a[1], owner[1]) and 'OK' or 'DUPLICATE'",
        "return 'DUPLICATE'",
    ),
    Variant(
        "a child that has ended is counted off before its ending is noted",
        "  r.endings[place] = ending\n",
        "",
    ),
)


def changed(variant: Variant) -> str:
    """Return the library with a mistake in it."""
    source = assembled()
    many = source.count(variant.old)
    assert many == 1, (
        f'"{variant.name}": {variant.old!r} stands in the library {many} times; it has to stand there once'
    )
    return source.replace(variant.old, variant.new)


def noticed(wire: Wire, url: str, variant: Variant) -> tuple[int, str]:
    """Return after how many worlds a mistake was noticed (0: it was not), and what was said."""
    load(wire, changed(variant))
    try:
        for number in range(WITHIN):
            play(wire, url, number)
    except Broken as error:
        return error.number + 1, str(error).splitlines()[0]
    return 0, ""

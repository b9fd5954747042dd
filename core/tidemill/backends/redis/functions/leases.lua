-- leases: who holds what.
--
-- Guarantees: a parameter set is leased to one worker at a time, under a number that grows with each lease; a worker that got
-- less than it wanted is noted as idle in the same step; a report from anybody but the holder is refused and counted.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.said, P.leased, P.lease, P.holds, P.leave

local TURNS = 8           -- parameter sets of one context that go out at once as they become ready, before others have their turn
local ENTRIES = 384       -- entries that one call takes off a list, where most are of contexts that have failed
local SEEN_AT_MOST = 64   -- inputs of a context that go out along with a lease

-- what a worker is told of what it has leased: all inputs, too, for the output stage, and for what may lead to it as nothing else is open
function P.said(c, r)
  local op, numbers, values, of = r.op, r.numbers, {}, c.p.ops[r.op + 1]
  local asks = (of.stage == 'output' or of.ends and c.open == 1 and not c.held) and c.numbers <= SEEN_AT_MOST
  local seen = asks and I.read(c, 0, I.readable(c) - 1)
  for at = 1, #numbers do values[at] = I.value(c, numbers[at]) end
  return { c.name, c.id, c.plan, op, r.id, r.leases, r.emitted, r.tries, r.lost, numbers, values, r.waiting, r.endings, seen }
end

function P.leased(c, r, worker)
  r.state, r.worker, r.leases = 'leased', worker, W.next_number(r.leases)
  R.keep(c, r)
  c.leased, c.backlog, c.dirty = c.leased + 1, c.backlog - 1, true
  P.count(c, r.op, 'leased')
  P.hold(c, r, r.leases)
end

local function lease_known(id, set, plan, worker, out, turns)
  local c = context(id, 'p' .. set)
  if c then c.turns = turns and c.turns + 1 or 0 end
  local r = c and R.record(c, set)
  local op = R.op_of(set)
  if not r then
    if plan ~= '' then P.freed(plan, op) end
    return
  end
  if r.state ~= 'dispatched' or c.stage ~= c.p.ops[op + 1].stage then
    drop(c, 'p' .. r.id)  -- its context has failed meanwhile
    P.freed(c.plan, op)
    return
  end
  if G.stands(c.group) then
    G.aside(c, r, true)
    P.freed(c.plan, op)
    return
  end
  P.leased(c, r, worker)
  out[#out + 1] = P.said(c, r)
  if M.thirsty(c) then S.guarded(c, function() M.expand(c) end) end
end

local function lease_entry(entry, worker, out)
  local id, set, plan = parts(entry)
  if id then
    S.sound(id, lease_known, id, set, plan, worker, out)
  else
    redis.call('INCR', key('refused'))  -- nobody here has put that there
  end
end

-- What has just become ready goes out first, as its context is at hand: so a context is done soon, and read and written less
-- often. After some turns it waits in line like the others.
local function lease_fresh(worker, pool, want, out)
  local mine, left = fresh[pool] or {}, {}
  fresh[pool] = left
  for _, r in ipairs(mine) do
    local c = #out < want and context(r.home)
    if c and c.turns < TURNS then
      S.sound(r.home, lease_known, r.home, r.id, r.limited, worker, out, true)
    else
      left[#left + 1] = r
    end
  end
end

-- what is leased, and whether there is more that is left to others who have nothing to do
function P.lease(worker, pool, want)
  local out, share, looked = {}, P.share(pool, worker, want), 0
  lease_fresh(worker, pool, share, out)
  while #out < share and looked < ENTRIES do
    local waiting = redis.call('LPOP', key('ready', pool), share - #out) or {}
    local mine = fresh[pool] or {}
    if #waiting == 0 and #mine == 0 then break end
    looked = looked + #waiting
    for _, entry in ipairs(waiting) do lease_entry(entry, worker, out) end
    while #out < share and #waiting == 0 and #mine > 0 do
      local r = table.remove(mine, 1)
      S.sound(r.home, lease_known, r.home, r.id, r.limited, worker, out)
    end
  end
  local more = (#out == share or looked >= ENTRIES) and redis.call('EXISTS', key('ready', pool)) == 1
  if more then P.ring(pool, 1) end  -- it may have been woken for what is left: then that is somebody else's
  if #out < want then
    redis.call('HSET', key('idle', pool), worker, '1')
  else
    redis.call('HDEL', key('idle', pool), worker)
  end
  return out, more and #out < want
end

function P.holds(c, id, worker, lease)
  local r = c and R.record(c, id)
  if not r or r.state ~= 'leased' or r.worker ~= worker or (lease > 0 and r.leases ~= lease) then
    redis.call('INCR', key('refused'))
    return nil
  end
  return r
end

-- end a lease, whatever comes next
function P.leave(c, r, state)
  c.leased, c.dirty = c.leased - 1, true
  P.hold(c, r, false)
  r.worker, r.state = '', state
  P.freed(c.plan, r.op)
  if #r.locks > 0 then L.release(c, r) end
end

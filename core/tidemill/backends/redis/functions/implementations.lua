-- implementations: the operation implementation network. What is ready, and how much of an operation runs.
--
-- Guarantees: what is ready goes out oldest first; an operation with a limit runs only so often at once; whatever becomes
-- ready wakes idle workers of its pool, in the same step.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.begin, P.dispatch, P.freed, P.unpark, P.share, P.ring, P.flush

local PASSED = 64   -- entries that are passed over for one place, where most are of contexts that have failed

local fresh = {}    -- pool -> what became ready in this call, oldest first

-- an entry of a list: context, parameter set, and the plan where the operation runs only so often at once
local function parts(entry) return string.match(entry, '^(%d+) (%S+) ?(%S*)$') end

function P.begin()
  fresh = {}
  P.count_nothing()
  P.hold_nothing()
  G.begin()
end

-- counted: it has been said before that it is dispatched; false: it is put aside, as its group is held up
function P.dispatch(c, r, counted)
  local op = R.op_of(r.id)
  local operation = c.p.ops[op + 1]
  r.state = 'dispatched'
  R.keep(c, r)
  if G.stands(c.group) then
    G.aside(c, r, counted)
    return false
  end
  local entry = c.id .. ' ' .. r.id
  if operation.concurrency > 0 then
    entry = entry .. ' ' .. c.plan  -- what it takes a place of, also when its context is gone
    local field = c.plan .. ' ' .. op
    if tonumber(redis.call('HGET', K.running, field) or '0') >= operation.concurrency then
      redis.call('RPUSH', key('parked', c.plan, op), counted and entry .. '!' or entry)
      return true
    end
    redis.call('HINCRBY', K.running, field, 1)
  end
  if not counted then P.count(c, op, 'dispatched') end
  local ready = fresh[operation.pool] or {}
  fresh[operation.pool] = ready
  ready[#ready + 1] = entry
  return true
end

-- one of an operation with a limit has ended, or will never start
function P.freed(plan, op)
  local known = plan_of(plan)
  if known and known.ops[op + 1].concurrency == 0 then return end
  redis.call('HINCRBY', K.running, plan .. ' ' .. op, -1)
  if known then P.unpark(plan, op) end
end

-- what has waited longest for a place of its operation gets it, if there is one
function P.unpark(plan, op)
  local limit, field = plan_of(plan).ops[op + 1].concurrency, plan .. ' ' .. op
  for _ = 1, PASSED do
    if tonumber(redis.call('HGET', K.running, field) or '0') >= limit then return end
    local entry = redis.call('LPOP', key('parked', plan, op))
    if not entry then return end
    local id, set = parts(entry)
    local other = id and context(id)
    local r = other and S.sound(id, R.record, other, set)
    if r and r.state == 'dispatched' and other.stage == other.p.ops[op + 1].stage then
      P.dispatch(other, r, string.sub(entry, -1) == '!')
    end
  end
  X.push('unpark', plan, op)
end

function X.DO.unpark(plan, op)
  P.unpark(plan, op)
  return true
end

-- how much of what waits a worker may take: while others of its pool have nothing to do, all are to get some
function P.share(pool, worker, want)
  local idle = key('idle', pool)
  local others = redis.call('HLEN', idle) - redis.call('HEXISTS', idle, worker)
  if others == 0 then return want end
  local waiting = redis.call('LLEN', key('ready', pool)) + #(fresh[pool] or {})
  return math.min(want, math.max(1, math.ceil(waiting / (others + 1))))
end

-- wake idle workers of a pool, at most so many; who has been woken already (0) is still to come
function P.ring(pool, most)
  local cursor, woken = '0', 0
  repeat
    local some = redis.call('HSCAN', key('idle', pool), cursor, 'COUNT', most)
    cursor = some[1]
    for at = 1, #some[2], 2 do
      if woken == most then return end
      if some[2][at + 1] == '1' then
        woken = woken + 1
        redis.call('HSET', key('idle', pool), some[2][at], '0')
        if redis.call('EXISTS', key('wake', some[2][at])) == 0 then redis.call('LPUSH', key('wake', some[2][at]), '1') end
      end
    end
  until cursor == '0'
end

-- put what is still ready where other workers find it, and wake as many as it needs
function P.flush()
  for pool, ready in pairs(fresh) do
    if #ready > 0 then
      -- the language takes so many arguments and not many more
      for at = 1, #ready, 4000 do redis.call('RPUSH', key('ready', pool), unpack(ready, at, math.min(at + 3999, #ready))) end
      P.ring(pool, #ready)
    end
  end
  P.write_counts()
  G.flush()
  P.write_held()
end

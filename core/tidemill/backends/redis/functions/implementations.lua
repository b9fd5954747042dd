-- implementations: the operation implementation network. What is ready, and how much of an operation runs.
--
-- Guarantees: what is ready goes out oldest first; an operation with a limit runs only so often at once; whatever becomes
-- ready wakes idle workers of its pool, in the same step.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.begin, P.count, P.tally, P.dispatch, P.freed, P.share, P.ring, P.flush

local fresh = {}    -- pool -> what became ready in this call, oldest first
local counted = {}  -- plan -> word -> operation -> how many in this call

-- an entry of a list: context, parameter set, and the plan where the operation runs only so often at once
local function parts(entry) return string.match(entry, '^(%d+) (%S+) ?(%S*)$') end

function P.begin()
  fresh, counted = {}, {}
  P.hold_nothing()
end

local function count(of, what, op)
  local words = counted[of] or {}
  local many = words[what] or {}
  counted[of], words[what] = words, many
  many[op] = (many[op] or 0) + 1
end

function P.count(c, op, what) count(c.plan, what, op) end

-- contexts that nobody but a user has opened: opened, succeeded, failed
function P.tally(what) count('contexts', what, '') end

function P.dispatch(c, r)
  local op = R.op_of(r.id)
  local operation = c.p.ops[op + 1]
  r.state = 'dispatched'
  R.keep(c, r)
  local entry = c.id .. ' ' .. r.id
  if operation.concurrency > 0 then
    entry = entry .. ' ' .. c.plan  -- what it takes a place of, also when its context is gone
    local field = c.plan .. ' ' .. op
    if tonumber(redis.call('HGET', K.running, field) or '0') >= operation.concurrency then
      redis.call('RPUSH', key('parked', c.plan, op), entry)
      return
    end
    redis.call('HINCRBY', K.running, field, 1)
  end
  P.count(c, op, 'dispatched')
  local ready = fresh[operation.pool] or {}
  fresh[operation.pool] = ready
  ready[#ready + 1] = entry
end

-- one of an operation with a limit has ended, or will never start
function P.freed(plan, op)
  if plan_of(plan).ops[op + 1].concurrency == 0 then return end
  redis.call('HINCRBY', K.running, plan .. ' ' .. op, -1)
  local entry = redis.call('LPOP', key('parked', plan, op))
  while entry do
    local id, set = parts(entry)
    local other = id and context(id)
    local r = other and S.sound(id, R.record, other, set)
    if r and r.state == 'dispatched' and other.stage == other.p.ops[op + 1].stage then
      P.dispatch(other, r)
      return
    end
    entry = redis.call('LPOP', key('parked', plan, op))
  end
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
  for of, words in pairs(counted) do
    for what, many in pairs(words) do
      for op, by in pairs(many) do
        redis.call('HINCRBY', key('counts'), of .. ' ' .. (op == '' and '' or op .. ' ') .. what, by)
      end
    end
  end
  P.write_held()
end

-- implementations: the operation implementation network. What is ready, and how much of an operation runs.
--
-- Guarantees: what is ready goes out oldest first; an operation with a limit runs only so often at once; whatever becomes
-- ready wakes idle workers of its pool, in the same step.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: P.begin, P.dispatch, P.freed, P.unpark, P.flush, fresh, parts

local PASSED = 64   -- entries that are passed over for one place, where most are of contexts that have failed

local fresh = {}    -- pool -> records that became ready in this call, oldest first

-- an entry of a list: context, parameter set, and the plan where the operation runs only so often at once
local function parts(entry) return string.match(entry, '^(%d+) (%S+) ?(%S*)$') end

local function entry_of(r) return r.home .. ' ' .. r.id .. (r.limited ~= '' and ' ' .. r.limited or '') end

function P.begin()
  fresh = {}
  P.count_nothing()
  P.hold_nothing()
  P.claims_nothing()
  S.tell_nothing()
  B.begin()
  G.begin()
end

-- counted: it has been said before that it is dispatched; false: it is put aside, as its group is held up
function P.dispatch(c, r, counted)
  local op = r.op
  local operation = c.p.ops[op + 1]
  r.state = 'dispatched'
  R.keep(c, r)
  if G.stands(c.group) then
    G.aside(c, r, counted)
    return false
  end
  r.home, r.limited = c.id, ''
  if operation.concurrency > 0 then
    r.limited = c.plan  -- what it takes a place of, also when its context is gone
    local field = c.plan .. ' ' .. op
    if tonumber(redis.call('HGET', K.running, field) or '0') >= operation.concurrency then
      redis.call('RPUSH', key('parked', c.plan, op), entry_of(r) .. (counted and '!' or ''))
      return true
    end
    redis.call('HINCRBY', K.running, field, 1)
  end
  if not counted then P.count(c, op, 'dispatched') end
  if c.journal and not counted then J.note(c, 'p', r.id, r.freed or false) end
  local ready = fresh[operation.pool] or {}
  fresh[operation.pool] = ready
  ready[#ready + 1] = r
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

-- put what is still ready where other workers find it, and wake as many as it needs
function P.flush()
  for pool, ready in pairs(fresh) do
    if #ready > 0 then
      local entries = {}
      for at, r in ipairs(ready) do entries[at] = entry_of(r) end
      -- the language takes so many arguments and not many more
      for at = 1, #ready, 4000 do redis.call('RPUSH', key('ready', pool), unpack(entries, at, math.min(at + 3999, #ready))) end
      P.ring(pool, #ready)
    end
  end
  P.write_counts()
  S.write_told()
  G.flush()
  P.write_held()
end

-- locks: the lock network. All locks of a parameter set or none; first come, first served.
--
-- Guarantees: a parameter set stands in the queue of each of its locks, in the order in which it was taken, and goes when it
-- is first in all; a holder stays first until it leaves. The oldest is first everywhere, so something always moves. Which locks
-- somebody stands in the queue of is a set of its own, so it can be gone through.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: L.name_of, L.counts, L.waiting, L.acquire, L.release, L.queue, L.clear

local MANY = 16     -- lock queues that are deleted at once; more are left for later

-- under which name the locks of a context are: another one when it has failed and left many behind
function L.name_of(c) return c.forgiven[3] and c.id .. 'f' or c.id end

local function listed_at(c) return key('l', L.name_of(c)) end

local function queue(c, lock) return key('q', L.name_of(c), lock) end

local function holds(c, r)
  for _, lock in ipairs(r.locks) do
    if redis.call('LINDEX', queue(c, lock), 0) ~= r.id then return false end
  end
  return true
end

-- whether it is ever asked how many wait: where inputs are forwarded into children
function L.counts(c)
  local plan = c.p
  if plan.forwards == nil then
    plan.forwards = false
    for _, operation in ipairs(plan.ops) do plan.forwards = plan.forwards or operation.forwards ~= false end
  end
  return plan.forwards
end

-- how many wait for a lock that somebody before them is to give back
function L.waiting(c) return tonumber(get(c, 'v') or '0') end

local function wait(c, more)
  if L.counts(c) then put(c, 'v', word(L.waiting(c) + more)) end
end

function L.acquire(c, r)
  for _, lock in ipairs(r.locks) do
    local own = queue(c, lock)
    if redis.call('RPUSH', own, r.id) == 1 then redis.call('SADD', listed_at(c), lock) end
  end
  c.dirty = true
  if holds(c, r) then return true end
  wait(c, 1)
  return false
end

-- leave every queue, and dispatch whoever holds all of theirs now
function L.release(c, r)
  for _, lock in ipairs(r.locks) do
    local own = queue(c, lock)
    local was_first = redis.call('LINDEX', own, 0) == r.id
    redis.call('LREM', own, 1, r.id)
    local first = was_first and redis.call('LINDEX', own, 0)
    if was_first and not first then redis.call('SREM', listed_at(c), lock) end
    if first then
      local other = R.record(c, first)
      if other and other.state == 'taken' and holds(c, other) then
        other.freed = true
        wait(c, -1)
        P.dispatch(c, other)
        other.freed = nil
      end
    end
  end
end

-- who holds a lock and who waits for it, in their order
function L.queue(c, lock) return redis.call('LRANGE', queue(c, lock), 0, -1) end

-- what a failed context drops stands in no queue any more -> whether its locks have another name from now on
function L.clear(c)
  if get(c, 'v') then drop(c, 'v') end
  if redis.call('SCARD', listed_at(c)) > MANY then
    X.push('locks', c.id)
    return true
  end
  for _, lock in ipairs(redis.call('SMEMBERS', listed_at(c))) do redis.call('DEL', queue(c, lock)) end
  redis.call('DEL', listed_at(c))
end

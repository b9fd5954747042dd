-- locks: the lock network. All locks of a parameter set or none; first come, first served.
--
-- Guarantees: a parameter set stands in the queue of each of its locks, in the order in which it was taken, and goes when it
-- is first in all; a holder stays first until it leaves. The oldest is first everywhere, so something always moves.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: L.acquire, L.release, L.clear

local function queue(c, lock) return key('q', c.id, lock) end

local function holds(c, r)
  for _, lock in ipairs(r.locks) do
    if redis.call('LINDEX', queue(c, lock), 0) ~= r.id then return false end
  end
  return true
end

function L.acquire(c, r)
  for _, lock in ipairs(r.locks) do
    local own = queue(c, lock)
    if redis.call('RPUSH', own, r.id) == 1 then c.aux[#c.aux + 1] = own end
  end
  c.dirty = true
  return holds(c, r)
end

-- leave every queue, and dispatch whoever holds all of theirs now
function L.release(c, r)
  for _, lock in ipairs(r.locks) do
    local own = queue(c, lock)
    local was_first = redis.call('LINDEX', own, 0) == r.id
    redis.call('LREM', own, 1, r.id)
    local first = was_first and redis.call('LINDEX', own, 0)
    if first then
      local other = R.record(c, first)
      if other and other.state == 'taken' and holds(c, other) then P.dispatch(c, other) end
    end
  end
end

-- what a failed context drops stands in no queue any more
function L.clear(c)
  local prefix = key('q', c.id) .. ':'
  for _, own in ipairs(c.aux) do
    if string.sub(own, 1, #prefix) == prefix then redis.call('DEL', own) end
  end
end

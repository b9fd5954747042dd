-- quarantine: a context of which the store holds something else than what was written.
--
-- Guarantees: nothing of it is read or written again; whoever opened it hears that it has failed, and why; no other context is
-- touched, and the call in which it is found out goes on with the next. Its bytes stay under `corrupt:<context>` for a week, for
-- whoever looks into it.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: S.whole, S.quarantine, S.sound, and the table of states

local WEEK = 7 * 24 * 3600

-- the states that a parameter set may be in
S.STATES = { taken = true, dispatched = true, leased = true, delayed = true, parent = true, completed = true, dropped = true }

-- whether this is the record of the context with this number
function S.whole(c, id)
  for _, name in ipairs({ 'open', 'leased', 'backlog', 'taken', 'inputs', 'numbers', 'results', 'failures' }) do
    local value = c[name]
    if type(value) ~= 'number' or value < 0 or value > 2 ^ 53 then return false, name .. ' is ' .. tostring(value) end
  end
  if c.id ~= id or type(c.name) ~= 'string' or type(c.stage) ~= 'string' then return false, 'it is of another' end
  return true
end

-- the name of a context whose own record cannot be read
local function name_of(id)
  local cursor = '0'
  repeat
    local some = redis.call('HSCAN', K.names, cursor, 'COUNT', 1000)
    cursor = some[1]
    for at = 1, #some[2], 2 do
      if some[2][at + 1] == id then return some[2][at] end
    end
  until cursor == '0'
end

-- {name, parent, place} of a child, which are known also when its own record cannot be read
local function parent_of(id)
  local raw = redis.call('HGET', key('parents'), id)
  redis.call('HDEL', key('parents'), id)
  return raw and cmsgpack.unpack(raw) or { nil, '', 0 }
end

-- `c` is the context as far as it could be read, or nothing
function S.quarantine(id, c, why)
  local child = parent_of(id)
  local name = c and c.name or child[1] or name_of(id)
  if redis.call('EXISTS', key('c', id)) == 1 then
    redis.call('RENAME', key('c', id), key('corrupt', id))
    redis.call('EXPIRE', key('corrupt', id), WEEK)
  end
  X.push('corrupt', id)
  X.push('holds', id)
  loaded[id] = false
  if not name then return end
  redis.call('HDEL', K.names, name)
  local said = 'what the store holds of the context is not what was written: ' .. why .. '; it is left alone, under corrupt:' .. id
  local failure = cmsgpack.pack({ reason = 'CorruptState', message = said, context = name })
  local owner = c and c.owner ~= '' and c.owner or { '', WEEK, true }
  local ending = cmsgpack.pack({ name, c and c.plan or '', failure, {}, {}, 0, 0, {}, {}, owner[1] })
  if child[2] ~= '' then
    C.ended(child[2], child[3], ending)
  else
    local journal = J.broken(id, name, failure)
    S.keep({ id = id, name = name, owner = owner, failure = failure, group = G.of(name), journal = journal }, ending)
  end
end

-- do something with a context; what cannot be read of it is no reason to leave others waiting
function S.sound(id, act, ...)
  local ok, answer = pcall(act, ...)
  if ok then return answer end
  if type(answer) == 'table' then error(answer) end  -- a limit, or what the server itself refuses
  S.quarantine(id, loaded[id], answer)
end

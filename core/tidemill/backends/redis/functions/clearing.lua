-- clearing: what is left of contexts that are no more, cleared away in pieces.
--
-- Guarantees: a context that is destroyed is gone in one step: nobody leases anything of it or reports to it from then on. What
-- belonged to it goes in the next ones: lock queues, candidates, blobs, further tries, children. What a runner still holds of it
-- keeps the place of its operation until it reports, or is lost.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: X.destroy, and chores: locks, boxes, holds, remains, corrupt, child, orphan

local FEW = 128     -- locks, blobs or fields that one call clears away

-- the lock queues of a context, and what stands in them
function X.DO.locks(id)
  local locks = redis.call('SPOP', key('l', id), FEW)
  for _, lock in ipairs(locks) do redis.call('UNLINK', key('q', id, lock)) end
  return #locks < FEW or '0'
end

-- boxes that a failed context has dropped; from: the first of them
function X.DO.boxes(id, last, first)
  local fields = {}
  for at = first, math.min(first + FEW - 1, last) do fields[#fields + 1] = 'b' .. word(at) end
  if #fields > 0 then redis.call('HDEL', K.context .. id, unpack(fields)) end
  return first + FEW > last or first + FEW
end

local function all_locks(id) return X.DO.locks(id) == true and X.DO.locks(id .. 'f') == true end

-- the blobs that a holder has
function X.DO.holds(holder) return B.drop_some(holder, FEW) == 0 or '0' end

-- what the fields of a context say that is not in them
local function clear_fields(id, at, cursor, child_gone)
  local some = redis.pcall('HSCAN', at, cursor, 'COUNT', FEW)
  if some.err then return '0' end  -- somebody has put something else there
  for place = 1, #some[2], 2 do
    local field, value = some[2][place], some[2][place + 1]
    local kind = string.sub(field, 1, 1)
    if kind == 'k' and value == '*' then
      redis.call('UNLINK', key('k', id, (string.gsub(string.sub(field, 2), '%.', ':'))))
    elseif kind == 'p' then
      redis.call('ZREM', K.delayed, id .. ' ' .. string.sub(field, 2))
      local ok, record = pcall(cmsgpack.unpack, value)
      for _, child in ipairs(ok and type(record) == 'table' and type(record[11]) == 'table' and record[11] or {}) do
        child_gone(child)
      end
    end
  end
  return some[1]
end

-- a destroyed context, of a group
function X.DO.remains(id, group, cursor)
  if not all_locks(id) or X.DO.holds(id) ~= true then return cursor end
  local following = clear_fields(id, key('remains', id), cursor, function(child)
    redis.call('SADD', key('clearing', group), child)
    X.push('child', child, group)
  end)
  if following ~= '0' then return following end
  redis.call('UNLINK', key('remains', id))
  redis.call('SREM', key('clearing', group), id)
  return true
end

-- a context that is not what was written: its bytes stay, and its children end
function X.DO.corrupt(id, _, cursor)
  if not all_locks(id) then return cursor end
  local following = clear_fields(id, key('corrupt', id), cursor, function(child) X.push('orphan', child) end)
  return following == '0' or following
end

function X.DO.child(id, group)
  if not X.destroy(id, group) then redis.call('SREM', key('clearing', group), id) end
  return true
end

function X.DO.orphan(id)
  local c = context(id)
  if c then S.fail(c, S.failure(c, 'Cancelled', 'the context that it belongs to is no more')) end
  return true
end

-- take a context away as if it had never been opened; who waits for its end is told that there is none
function X.destroy(id, group)
  local c = context(id)
  if not c then return false end
  redis.call('HDEL', K.names, c.name)
  if c.journal then J.forget(c.name) end
  if c.parent == '' then
    if c.group ~= '' then redis.call('HDEL', key('open', c.group), c.name) end
    S.tell(c)
    G.forget(c.name)
  else
    redis.call('HDEL', key('parents'), id)
  end
  redis.call('RENAME', c.hash, key('remains', id))
  loaded[id] = false
  redis.call('SADD', key('clearing', group), id)
  X.push('remains', id, group)
  return true
end

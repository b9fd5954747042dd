-- grouping: what is done to a group as a whole: it goes on, its contexts are cancelled, all that the store holds of it is dropped.
--
-- Guarantees: the state of a group changes in one step, and what follows from that is a chore, so it is done even if whoever asked
-- for it is no more; each piece is bounded. A group is dropped last, so nothing of it runs before all of it is gone.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: chores: resume, stop, drop

local SETS = 128      -- parameter sets that one piece hands out again
local CONTEXTS = 64   -- contexts or endings that one piece forgets, about
local CANCELS = 32    -- contexts that one piece cancels
local ENTRIES = 256   -- entries of a list that one piece looks at

local function hand_out(id, set, counted)
  local c = context(id)
  local r = c and R.record(c, set)
  if not r then return end
  if r.state ~= 'dispatched' then return end
  if c.stage == c.p.ops[R.op_of(set) + 1].stage then
    P.dispatch(c, r, counted)
  else
    drop(c, 'p' .. set)  -- its context has failed meanwhile
  end
end

-- what is put aside of a group goes out again
function X.DO.resume(group)
  if G.stands(group) then return true end
  local entries = redis.call('LPOP', key('aside', group), SETS) or {}
  for _, entry in ipairs(entries) do
    local id, set, counted = parts(entry)
    S.sound(id, hand_out, id, set, counted ~= '')
  end
  return #entries < SETS or '0'
end

-- cancel the contexts of a group
function X.DO.stop(group, failure, cursor)
  local some, why, left = redis.call('HSCAN', key('open', group), cursor, 'COUNT', CONTEXTS), cmsgpack.unpack(failure), CANCELS
  for at = 2, #some[2], 2 do
    local c = context(some[2][at])
    if c and c.failure == '' then
      -- where a page is longer than was asked for it is gone through again: 0 would be its end, and is spelt otherwise
      if left == 0 then return cursor == '0' and '00' or cursor end
      left = left - 1
      S.sound(c.id, function() S.fail(c, S.failure(c, why[1], why[2])) end)
    end
  end
  if some[1] ~= '0' then return some[1] end
  X.push('resume', group)  -- what is put aside is passed over now, or cleans up
  return true
end

-- the pools that parameter sets of a group have been dispatched to
local function pools_of(group)
  local found, seen = {}, {}
  for _, counter in ipairs(redis.call('HKEYS', key('group', group))) do
    local digest, op = string.match(counter, '^(%S+) (%d+) ')
    local plan = digest and plan_of(digest)
    local pool = plan and plan.ops[tonumber(op) + 1].pool
    if pool and not seen[pool] then found[#found + 1], seen[pool] = pool, true end
  end
  table.sort(found)
  return found
end

-- take what belongs to contexts that are no more out of a piece of what is ready, from its end -> how much of that has been seen
local function sweep(pool, seen)
  local ready, known, stale = key('ready', pool), {}, 0
  local entries = redis.call('LRANGE', ready, -seen - ENTRIES, -seen - 1)
  for at, entry in ipairs(entries) do
    local id, set, plan = parts(entry)
    if id and known[id] == nil then known[id] = redis.call('EXISTS', K.context .. id) == 1 end
    if id and not known[id] then
      redis.call('LSET', ready, at - 1 - #entries - seen, '')
      stale = stale + 1
      if plan ~= '' then P.freed(plan, R.op_of(set)) end
    end
  end
  if stale > 0 then redis.call('LREM', ready, 0, '') end
  return #entries == ENTRIES and string.format('%.0f', seen + #entries - stale)
end

local function destroy_some(group)
  local open = key('open', group)
  local some = redis.call('HSCAN', open, '0', 'COUNT', CONTEXTS)[2]
  for at = 2, #some, 2 do X.destroy(some[at], group) end
  for at = 1, #some, 2 do redis.call('HDEL', open, some[at]) end  -- also what cannot be read
  return #some > 0
end

local function forget_some(group)
  local some = redis.call('HSCAN', key('done', group), '0', 'COUNT', CONTEXTS)[2]
  local names = {}
  for at = 1, #some, 2 do names[#names + 1] = some[at] end
  S.forget(names)
  for _, name in ipairs(names) do J.forget(name) end
  return #some > 0
end

-- all that there is of a group; from: which of its pools is swept, and how much of that has been seen
function X.DO.drop(group, _, from)
  if destroy_some(group) or redis.call('EXISTS', key('clearing', group)) == 1 or forget_some(group) then return '1 0' end
  local at, seen = string.match(from == '0' and '1 0' or from, '^(%d+) (%d+)$')
  local pool = pools_of(group)[tonumber(at)]
  if pool then
    local following = sweep(pool, tonumber(seen))
    return following and at .. ' ' .. following or tonumber(at) + 1 .. ' 0'
  end
  redis.call('UNLINK', key('aside', group), key('samples', group), key('group', group))
  return true
end

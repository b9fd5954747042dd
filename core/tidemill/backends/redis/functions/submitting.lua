-- submitting: many contexts opened in one call, and what became of them, for whoever asks.
--
-- Guarantees: opening what the same owner has opened already does no harm, so a call whose reply was lost may be repeated; an
-- ending stays until its owner says that it has been read, somebody has it forgotten, or its retention is over (see keeping).
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

local PIECE = 128   -- endings of each kind that one call looks after
local INPUTS = 256  -- inputs of new contexts after which a call opens no more

-- whether the owner has opened this context: then it says so again, because it has not heard of it
local function own(name, owner)
  if owner == '' then return false end
  local id = redis.call('HGET', K.names, name)
  local c = id and context(id)
  if c then return c.owner[1] == owner end
  return cmsgpack.unpack(redis.call('HGET', key('ended'), name))[10] == owner
end

-- owner: see keeping; for what else is asked and answered see submit
local function open(a, owner)
  local group = a[7] or ''
  if redis.call('HEXISTS', K.names, a[1]) == 1 or redis.call('HEXISTS', key('ended'), a[1]) == 1 then
    return own(a[1], owner[1]) and 'OK' or 'DUPLICATE'
  end
  local state = G.state(group)
  if state == 'cancelled' or state == 'dropped' then return 'CANCELLED' end
  if not plan_of(a[2]) then return 'PLAN' end
  if a[8] and S.staged(a[8]) ~= a[9] then return 'STAGE' end
  local id = S.new_id()
  P.tally('opened')
  local keeps = type(a[6]) == 'table' and a[6] or { a[6] }
  S.open(id, { name = a[1], plan = a[2], strict = a[4], owner = owner, lineage = keeps[1], group = group,
    journal = keeps[2] and { keeps[2] } }, a[3], a[5], a[8])
  return 'OK'
end

-- submit: {owner, {{name, plan digest, offers, strict, hold, lineage, or that and the events its journal keeps, group, and where the
-- offers are staged: stage, pieces}…},
-- seconds of retention, whether the owner wants to hear nothing of ends, now} -> {for each 'OK', 'PLAN' (publish it first), 'STAGE'
-- (its offers), 'LATER' (this is much already), 'DUPLICATE', or 'CANCELLED': its group is}
local function submit(a)
  local out = {}
  X.work()
  S.collect(a[5], PIECE)
  local room = INPUTS
  for at, one in ipairs(a[2]) do
    out[at] = room > 0 and open(one, { a[1], a[3], a[4] }) or 'LATER'
    if one[8] and (out[at] == 'DUPLICATE' or out[at] == 'CANCELLED') then S.unstage(one[8]) end
    local plan = plan_of(one[2])
    room = room - #one[3] - (plan and not S.has_many_seeds(plan) and #plan.seeds or 0)
  end
  return out
end

-- endings: {owner, most, names that have been read, whether it has waited for contexts of others} -> {{name, ending}…}, the oldest
-- first; the ending is '' where somebody has had it forgotten
local function endings(a)
  local inbox, kept, out = key('inbox', a[1]), a[4] and key('letters', a[1]) or key('ended'), {}
  for _, name in ipairs(a[3]) do
    redis.call('LREM', inbox, 1, name)
    if a[4] then
      redis.call('HDEL', kept, name)
      if B.held() then B.drop(B.letter(a[1], name)) end
    end
  end
  if not a[4] then S.forget(a[3]) end
  local names = redis.call('LRANGE', inbox, 0, a[2] - 1)
  for at, raw in ipairs(#names > 0 and redis.call('HMGET', kept, unpack(names)) or {}) do out[at] = { names[at], raw or '' } end
  return out
end

-- await: {owner or '', {name…}} -> {ending, 'OPEN' or 'GONE' for each}: nothing is taken; the owner, if there is one, is told of
-- the end of those that are open
local function await(a)
  local out = {}
  for at, name in ipairs(a[2]) do
    local c = found(name)
    out[at] = redis.call('HGET', key('ended'), name) or 'GONE'
    if c and c.parent == '' then
      local there = a[1] == ''
      for place = 4, #c.owner do there = there or c.owner[place] == a[1] end
      if not there then c.owner[#c.owner + 1], c.dirty = a[1], true end
      out[at] = 'OPEN'
    end
  end
  return out
end

-- ended: {cursor} -> {next cursor, {name…}}: some of all endings that are kept
local function ended(a)
  local some, names = redis.call('ZSCAN', key('due'), a[1], 'COUNT', PIECE), {}
  for at = 1, #some[2], 2 do
    if string.sub(some[2][at], 1, 1) == 'c' then names[#names + 1] = string.sub(some[2][at], 2) end
  end
  return { some[1], names }
end

-- forget: {name…} -> how many of the endings were there
local function forget_endings(a) return S.forget(a) end

-- forget_journals: {name…} -> how many journals of contexts that have ended there were; those of the contexts below them go, too
local function forget_journals(a)
  local many = 0
  for _, name in ipairs(a) do many = many + (redis.call('HEXISTS', K.names, name) == 0 and J.forget(name) or 0) end
  return many
end

-- collect: {now} -> how many endings were forgotten because their retention is over
local function collect(a) return S.collect(a[1], PIECE) end

redis.register_function('tidemill_1_submit', step(submit))
redis.register_function({ function_name = 'tidemill_1_endings', callback = step(endings), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_await', callback = step(await), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_ended', callback = step(ended), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_forget', callback = step(forget_endings), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_forget_journals', callback = step(forget_journals), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_collect', callback = step(collect), flags = DRAINS })

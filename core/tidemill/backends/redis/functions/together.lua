-- together: the verbs of groups: what they have come to, and what is done to all of their contexts.
--
-- Guarantees: each is one bounded step, may be repeated, and goes on where a call before has stopped; a group of which nothing
-- is known has the state 'active' and counts nothing.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

local PAGE_OF_GROUP = 64    -- counters or names, about, that one call tells of

-- group: {group, cursor} -> {next cursor, state, how many contexts of it are open, how many parameter sets are put aside, samples
-- of failures: {{context, reason, message, instance, operation}…}, {{plan digest or '', operation, instance, pool, parked, word,
-- how many}…}}: some of its counters; those of contexts (opened, succeeded, failed) have an empty digest
local function group(a)
  local of = a[1]
  local some, counters, samples = redis.call('HSCAN', key('group', of), a[2], 'COUNT', PAGE_OF_GROUP), {}, {}
  for at = 1, #some[2], 2 do
    local digest, op, word = string.match(some[2][at], '^(%S+) (%d+) (%S+)$')
    local plan, many = digest and plan_of(digest), tonumber(some[2][at + 1])
    if plan then
      local one = plan.ops[tonumber(op) + 1]
      counters[#counters + 1] = { digest, tonumber(op), one.instance, one.pool, word, many }
    elseif not digest and many then
      counters[#counters + 1] = { '', 0, '', '', some[2][at], many }
    end
  end
  if a[2] == '0' then
    for at, sample in ipairs(redis.call('LRANGE', key('samples', of), 0, -1)) do samples[at] = cmsgpack.unpack(sample) end
  end
  return { some[1], G.state(of), redis.call('HLEN', key('open', of)), redis.call('LLEN', key('aside', of)), samples, counters }
end

-- suspend: {group} -> its state now: 'suspended', or 'cancelled' or 'dropped', which stay
local function suspend(a)
  if G.state(a[1]) == 'active' then G.set(a[1], 'suspended') end
  return G.state(a[1])
end

-- resume: {group} -> how many parameter sets are still put aside, for the next call
local function resume(a)
  if G.state(a[1]) == 'suspended' then
    G.set(a[1], 'active')
    X.push('resume', a[1])
  end
  if not G.stands(a[1]) then X.DO.resume(a[1]) end
  return G.stands(a[1]) and 0 or redis.call('LLEN', key('aside', a[1]))
end

-- stop: {group, reason, message, cursor} -> next cursor: contexts of the group are cancelled with that; no more may be opened in it
local function stop(a)
  if G.state(a[1]) == 'dropped' then return '0' end
  local why = cmsgpack.pack({ a[2], a[3] })
  if G.state(a[1]) ~= 'cancelled' then
    G.set(a[1], 'cancelled')
    X.push('stop', a[1], why)
  end
  local following = X.DO.stop(a[1], why, a[4])
  return following == true and '0' or following
end

-- drop: {group} -> how many are left to call for: 0, or more than that
local function drop_group(a)
  if redis.call('EXISTS', key('group', a[1])) == 0 then return 0 end
  if G.state(a[1]) ~= 'dropped' then
    G.set(a[1], 'dropped')
    X.push('drop', a[1])
  end
  X.work()
  return redis.call('EXISTS', key('group', a[1]))
end

-- members: {group, 'open', 'succeeded' or 'failed', cursor} -> {next cursor, {name…}}: some of its contexts; of those that have
-- ended the ones whose endings are kept
local function members(a)
  local some, names = redis.call('HSCAN', key(a[2] == 'open' and 'open' or 'done', a[1]), a[3], 'COUNT', PAGE_OF_GROUP), {}
  for at = 1, #some[2], 2 do
    if a[2] == 'open' or some[2][at + 1] == a[2] then names[#names + 1] = some[2][at] end
  end
  return { some[1], names }
end

-- chores: {} -> how many pieces of work are left that were too much for one call; one is done
local function chores() return X.work() end

redis.register_function({ function_name = 'tidemill_1_group', callback = step(group), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_suspend', callback = step(suspend), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_resume', callback = step(resume), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_stop', callback = step(stop), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_drop', callback = step(drop_group), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_members', callback = step(members), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_chores', callback = step(chores), flags = DRAINS })

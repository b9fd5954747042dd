-- watching: what a shard is at, in pages, for whoever looks on.
--
-- Guarantees: each is one look that changes nothing, and bounded; what is waited for can be told from it: for workers of a pool,
-- for locks, for a place of an operation that runs only so often at once, for a time.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

local PAGE = 64     -- contexts, counters or workers, about, that one call tells of
local LOCKS = 64    -- locks of one context that are looked at

-- how many wait for locks of a context, as far as one looks
local function waiting_in(c)
  local seen, many = {}, 0
  for _, lock in ipairs(redis.call('SSCAN', key('l', L.name_of(c)), '0', 'COUNT', LOCKS)[2]) do
    for _, id in ipairs(redis.call('LRANGE', key('q', L.name_of(c), lock), 1, LOCKS)) do
      if not seen[id] then seen[id], many = true, many + 1 end
    end
  end
  return many
end

local function state_of(c)
  return { c.name, c.plan, c.stage ~= '' and c.stage or 'failing', c.taken, c.open, c.leased, waiting_in(c), c.parent ~= '' }
end

-- opened: {cursor} -> {next cursor, {{name, plan digest, stage, taken, not ended, leased, waiting for locks, is a child}…}}: some
-- of all contexts that are open
local function opened(a)
  local some, out = redis.call('HSCAN', K.names, a[1], 'COUNT', PAGE), {}
  for at = 2, #some[2], 2 do
    local c = context(some[2][at])
    if c then out[#out + 1] = state_of(c) end
  end
  return { some[1], out }
end

-- states: {name…} -> {what `opened` says of each that is open…}
local function states(a)
  local out = {}
  for _, name in ipairs(a) do
    local c = found(name)
    if c then out[#out + 1] = state_of(c) end
  end
  return out
end

-- operations: {cursor} -> {next cursor, {{plan digest, operation, instance, pool, parked, word, how many}…}}: some of all counters;
-- those of contexts (opened, succeeded, failed) have an empty digest
local function operations(a)
  local some, out = redis.call('HSCAN', key('counts'), a[1], 'COUNT', PAGE), {}
  for at = 1, #some[2], 2 do
    local many = tonumber(some[2][at + 1])
    local digest, op, word = string.match(some[2][at], '^(%S+) (%d+) (%S+)$')
    local plan = digest and plan_of(digest)
    if plan then
      local one = plan.ops[tonumber(op) + 1]
      local parked = one.concurrency > 0 and redis.call('LLEN', key('parked', digest, op)) or 0
      out[#out + 1] = { digest, tonumber(op), one.instance, one.pool, parked, word, many }
    elseif not digest then
      out[#out + 1] = { '', 0, '', '', 0, string.match(some[2][at], '(%S+)$'), many }
    end
  end
  return { some[1], out }
end

-- pools: {now, pool…} -> {how many are delayed, seconds until the first of them is due, how many are ready in each pool…}
local function pools(a)
  local soonest = redis.call('ZRANGE', K.delayed, 0, 0, 'WITHSCORES')[2]
  local out = { redis.call('ZCARD', K.delayed), soonest and math.max(0, tonumber(soonest) - a[1]) or 0 }
  for at = 2, #a do out[at + 1] = redis.call('LLEN', key('ready', a[at])) end
  return out
end

local function worker_of(worker, beat)
  local many = 0
  for _, runner in ipairs(redis.call('HKEYS', key('runners', worker))) do many = many + redis.call('HLEN', key('held', runner)) end
  return { worker, redis.call('HGET', key('said'), worker) or '', redis.call('HVALS', key('runners', worker)), many, beat }
end

-- workers: {cursor} -> {next cursor, {{worker, what it has said, {pool of each runner…}, how much is leased to it, its count}…}}:
-- some of all that are alive, or whose leases are being taken back; '' stands for runners in processes that are no workers
local function workers(a)
  local some, out = redis.call('HSCAN', K.beats, a[1], 'COUNT', PAGE), {}
  for at = 1, #some[2], 2 do
    out[#out + 1] = worker_of(some[2][at], some[2][at + 1])
  end
  if a[1] == '0' then out[#out + 1] = worker_of('', '') end
  return { some[1], out }
end

-- counts: {plan digest} -> {operation, word, how many, …}: of each operation, how many have been taken, dispatched and so on
local function counts(a)
  local out, cursor, digest = {}, '0', a[1]
  repeat
    local some = redis.call('HSCAN', key('counts'), cursor, 'MATCH', digest .. ' *', 'COUNT', 1000)
    cursor = some[1]
    for at = 1, #some[2], 2 do
      local op, word = string.match(some[2][at], ' (%d+) (%S+)$')
      out[#out + 1], out[#out + 2], out[#out + 3] = tonumber(op), word, tonumber(some[2][at + 1])
    end
  until cursor == '0'
  return out
end

redis.register_function('tidemill_1_counts', step(counts))
redis.register_function({ function_name = 'tidemill_1_opened', callback = step(opened), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_states', callback = step(states), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_operations', callback = step(operations), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_pools', callback = step(pools), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_workers', callback = step(workers), flags = DRAINS })

-- submitting: many contexts opened in one call, and what became of them, for whoever opened them.
--
-- Guarantees: opening what the same owner has opened already does no harm, so a call whose reply was lost may be repeated; an
-- ending stays until its owner says that it has been read.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

-- submit: {owner, {{name, plan digest, offers, strict, hold, lineage}…}} -> {for each what `open` answers}
local function submit(a)
  local out = {}
  for at, one in ipairs(a[2]) do out[at] = open({ one[1], one[2], one[3], one[4], one[5], a[1], one[6] }) end
  return out
end

-- endings: {owner, most, names that have been read} -> {{name, ending}…}, the oldest first
local function endings(a)
  local inbox, out = key('inbox', a[1]), {}
  for _, name in ipairs(a[3]) do
    redis.call('LREM', inbox, 1, name)
    redis.call('HDEL', key('ended'), name)
  end
  for at, name in ipairs(redis.call('LRANGE', inbox, 0, a[2] - 1)) do
    out[at] = { name, redis.call('HGET', key('ended'), name) or '' }
  end
  return out
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

redis.register_function('tidemill_1_submit', step(submit))
redis.register_function({ function_name = 'tidemill_1_endings', callback = step(endings), flags = DRAINS })
redis.register_function('tidemill_1_counts', step(counts))

-- looking: the verbs that look and change nothing: whether a combination has been taken, who stands in the queue of a lock.
--
-- Guarantees: each is one atomic look at one shard; of a context that is gone there is nothing to see.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

-- taken: {context id, operation, numbers of its inputs} -> 1 or 0
local function taken(a)
  local c = context(a[1])
  return c and R.taken(c, a[2], a[3]) and 1 or 0
end

-- queue: {context id, number of a locked input} -> {parameter set…}, the holder first
local function waiting_for(a)
  local c = context(a[1])
  return c and L.queue(c, a[2]) or {}
end

redis.register_function({ function_name = 'tidemill_1_taken', callback = step(taken), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_queue', callback = step(waiting_for), flags = DRAINS })

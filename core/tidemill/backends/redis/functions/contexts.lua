-- contexts: the verbs of a context: publish its plan, add to it, close it, cancel it.
--
-- Guarantees: each is one atomic step over one shard; repeating one does no harm.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- ARGV[2] the names of the blobs that the request refers to, if there are any
-- Returns: 'OK' or what stands above each function; {'BLOBS', names…} for blobs that are not there, and then nothing is done

local function step(act)
  return function(keys, arguments)
    begin(keys)
    local missing = arguments[2] and B.missing(cmsgpack.unpack(arguments[2])) or {}
    if #missing > 0 then return { 'BLOBS', unpack(missing) } end
    P.begin()
    C.begin()
    local answer = act(cmsgpack.unpack(arguments[1]))
    P.flush()
    write_back()
    -- one string costs the server and whoever reads it a fraction of what nested lists do
    return type(answer) == 'table' and cmsgpack.pack(answer) or answer
  end
end

local function found(name)
  local id = redis.call('HGET', K.names, name)
  local c = id and context(id)
  if c then return c end
  if id and redis.call('HGET', K.names, name) == id then S.quarantine(id, nil, 'its state is missing') end
  return nil, redis.call('HEXISTS', key('ended'), name) == 1 and 'RunClosed' or 'RunGone'
end

-- publish: {digest, plan}
local function publish(a)
  redis.call('SET', key('plan', a[1]), a[2])
  plans[a[1]] = nil
  return 'OK'
end

-- a context that takes inputs, or nil and why there is none
local function taking(name)
  local c, gone = found(name)
  if not c then return nil, gone end
  if c.closed then return nil, 'IntakeClosed' end
  if c.stage ~= 'processing' then return nil, 'StageOver' end
  return c
end

-- add: {name, offers, and where they are staged in their place: stage, pieces, how many, how many were given before} -> how many
-- were new, 'OK' where they are staged (see `feed`), or a reason why not: 'AGAIN' where what `known` has said is not so any more,
-- 'STAGE' where something staged is gone
local function add(a)
  local c, gone = taking(a[1])
  if not c then return gone end
  if #c.feeding > 0 or (a[6] and c.given ~= a[6]) then return 'AGAIN' end
  if c.p.limits.inputs >= 0 and c.numbers + (a[5] or #a[2]) > c.p.limits.inputs then return 'AGAIN' end
  if a[3] then return S.feed_more(c, a[3], a[4]) end
  for _, offer in ipairs(a[2]) do
    if offer[4] ~= '' and get(c, 'n' .. offer[4]) then return 'AGAIN' end
  end
  local new = 0
  if c.journal then J.note(c, 'a') end
  if S.guarded(c, function() new = S.give(c, a[2]) end) then S.quiet(c) end
  return new
end

-- close: {name}
local function close(a)
  local c, gone = found(a[1])
  if not c then return gone end
  if not c.closed then
    c.closed, c.dirty = true, true
    if c.journal then J.note(c, 'z') end
    if c.held then S.stop_intake(c) end
  end
  return 'OK'
end

-- cancel: {name, failure}
local function cancel(a)
  local c, gone = found(a[1])
  if not c then return gone end
  S.fail(c, a[2])
  return 'OK'
end

-- While a library is loaded the language has no `pairs`, so each is named. What drains work may run when memory is short.
local DRAINS = { 'allow-oom' }
redis.register_function('tidemill_1_publish', step(publish))
redis.register_function('tidemill_1_add', step(add))
redis.register_function('tidemill_1_mark', step(mark))
redis.register_function({ function_name = 'tidemill_1_close', callback = step(close), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_cancel', callback = step(cancel), flags = DRAINS })

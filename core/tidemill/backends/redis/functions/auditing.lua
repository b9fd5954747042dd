-- auditing: what a shard has counted is counted again, from its keys alone.
--
-- Guarantees: to look changes nothing, not even what is found to be wrong; each context is looked at in one step, so what is found is
-- wrong also while others work; what is too large for one step is left out, and said to be.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

local ONES = 16       -- contexts, about, that one call looks at
local LARGE = 2000    -- fields of a context, or entries of lists, above which it is left out

local STANDS = { taken = true, dispatched = true, leased = true, parent = true }

-- the records of parameter sets of a context, and which of them are of the stage that it is in
local function records_of(c)
  local fields, found = {}, {}
  for _, field in ipairs(redis.call('HKEYS', c.hash)) do
    if string.sub(field, 1, 1) == 'p' then fields[#fields + 1] = field end
  end
  for at, raw in ipairs(#fields > 0 and redis.call('HMGET', c.hash, unpack(fields)) or {}) do
    local f, id = cmsgpack.unpack(raw), string.sub(fields[at], 2)
    found[id] = { state = f[1], leases = f[6], worker = f[7], locks = f[8], now = c.p.ops[R.op_of(id) + 1].stage == c.stage }
  end
  return found
end

local function audit_counters(c, records, say)
  local states, leased = { taken = 0, dispatched = 0, delayed = 0 }, 0
  for id, r in pairs(records) do
    if r.now then states[r.state] = (states[r.state] or 0) + 1 end
    if r.state == 'leased' then
      leased = leased + 1
      local lease = string.match(redis.call('HGET', key('held', r.worker), c.id .. ' ' .. id) or 'nothing', '^%S+')
      if tonumber(lease) ~= r.leases then say('leases', id .. ' is leased to ' .. r.worker .. ', which holds ' .. lease) end
      if redis.call('HEXISTS', key('runners', W.worker_of(r.worker)), r.worker) == 0 then
        say('leases', id .. ' is leased to ' .. r.worker .. ', whom nobody knows')
      end
    end
  end
  local waiting = states.taken + states.dispatched
  c.waiters = L.waiting(c)
  local found = { leased = leased, backlog = waiting, events = c.journal and J.last(c.id), waiters = states.taken,
    open = leased + waiting + states.delayed + #c.kids + c.box_next - c.box_first }
  for _, name in ipairs({ 'leased', 'backlog', 'open', L.counts(c) and 'waiters', c.journal and 'events' }) do
    if c[name] ~= found[name] then say(name, string.format('%.0f are counted, and %.0f found', c[name], found[name])) end
  end
end

local function audit_locks(c, records, say)
  local first, stands = {}, {}
  for _, lock in ipairs(redis.call('SMEMBERS', key('l', L.name_of(c)))) do
    local queue = redis.call('LRANGE', key('q', L.name_of(c), lock), 0, -1)
    for at, id in ipairs(queue) do
      stands[lock .. ' ' .. id], first[lock .. ' ' .. id] = true, at == 1
      if not records[id] or not STANDS[records[id].state] then
        say('locks', id .. (at == 1 and ' holds' or ' waits for') .. ' the lock ' .. lock .. ', and has ended or is no more')
      end
    end
  end
  for id, r in pairs(records) do
    local all = #r.locks > 0
    for _, lock in ipairs(r.now and STANDS[r.state] and r.locks or {}) do
      local place = string.format('%.0f', lock) .. ' ' .. id
      all = all and first[place]
      if not stands[place] then say('waiters', id .. ' is ' .. r.state .. ', and stands in no queue of the lock ' .. place) end
    end
    if r.now and r.state == 'taken' and all then say('waiters', id .. ' has all its locks, and is not ready') end
  end
end

local function audit_context(name, id, say)
  local raw = redis.pcall('HGET', K.context .. id, 's')
  if type(raw) ~= 'string' then return say('record', 'the record of the context is missing') end
  local c = unpacked(raw)
  c.hash, c.p = K.context .. id, plan_of(c.plan)
  if not S.whole(c, id) or c.name ~= name then return say('record', 'it is the record of another context') end
  if not c.p then return say('record', 'its plan is missing') end
  if redis.call('HLEN', c.hash) > LARGE then return true end
  local records = records_of(c)
  audit_counters(c, records, say)
  audit_locks(c, records, say)
end

-- audit: {cursor} -> {next cursor, how many contexts were looked at, how many of them were too large, {{name of the context, what is
-- wrong with: record, leased, backlog, open, leases, locks, waiters or events; how}…}}: some of all that are open
local function audit(a)
  local some, large, out = redis.call('HSCAN', K.names, a[1], 'COUNT', ONES), 0, {}
  for at = 1, #some[2], 2 do
    local name, id = some[2][at], some[2][at + 1]
    local function say(what, how) out[#out + 1] = { name, what, how } end
    local ok, left_out = pcall(audit_context, name, id, say)
    if not ok then say('record', 'it cannot be read: ' .. tostring(type(left_out) == 'table' and left_out.err or left_out)) end
    if ok and left_out then large = large + 1 end
  end
  return { some[1], #some[2] / 2, large, out }
end

-- give back the places of operations that a context has by leases of which their holders do not know that they take one
local function give_places_back(c)
  for id, r in pairs(records_of(c)) do
    local said = r.state == 'leased' and redis.call('HGET', key('held', r.worker), c.id .. ' ' .. id) or ''
    if r.state == 'leased' and not string.find(said, ' ', 1, true) then P.freed(c.plan, R.op_of(id)) end
  end
end

-- condemn: {name of a context, what is wrong with it} -> 1: it has ended with that, and its bytes are put away; 0: nothing is
-- wrong now, or it is no more
local function condemn(a)
  local id, wrong = redis.call('HGET', K.names, a[1]), false
  local ok = not id or pcall(audit_context, a[1], id, function() wrong = true end)
  if ok and not wrong then return 0 end
  local c = context(id)
  if c then pcall(give_places_back, c) end
  if redis.call('HGET', K.names, a[1]) == id then S.quarantine(id, c or nil, a[2]) end
  return 1
end

redis.register_function({ function_name = 'tidemill_1_condemn', callback = step(condemn), flags = DRAINS })
redis.register_function({ function_name = 'tidemill_1_audit', callback = step(audit), flags = { 'no-writes' } })

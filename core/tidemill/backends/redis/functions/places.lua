-- places: the places of operations that run only so often at once, counted again, and the leases that runners say they hold.
--
-- Guarantees: nothing is changed; all is looked at in one step, or nothing where it is too much for that.
--
-- KEYS[1] tag: the hash tag of the shard
-- ARGV[1] request: packed with msgpack, an array whose parts stand above each function
-- Returns: what stands above each function

local ENTRIES_AT_MOST = 4000   -- leases and entries of lists that are looked at

-- every runner that there is
local function runners()
  local found = {}
  local workers = redis.call('HKEYS', K.beats)
  workers[#workers + 1] = ''
  for _, worker in ipairs(workers) do
    for _, runner in ipairs(redis.call('HKEYS', key('runners', worker))) do found[#found + 1] = runner end
  end
  return found
end

-- whether a context that is there says that it has not leased this to a runner under this number
local function is_stale(runner, entry, lease)
  local id, set = parts(entry)
  local raw = id and redis.pcall('HGET', K.context .. id, 'p' .. set)
  if type(raw) ~= 'string' then return type(raw) ~= 'table' and id and redis.call('EXISTS', K.context .. id) == 1 end
  local f = cmsgpack.unpack(raw)
  return f[1] ~= 'leased' or f[7] ~= runner or f[6] ~= tonumber(lease)
end

-- places: {pool…} -> {whether it was too much to look at, {{what it is about: leases or places, how}…}}
local function places(a)
  local taken, out, many = {}, {}, 0
  local function take(plan, set)
    local field = plan .. ' ' .. R.op_of(set)
    taken[field] = (taken[field] or 0) + 1
  end
  for _, pool in ipairs(a) do many = many + redis.call('LLEN', key('ready', pool)) end
  local there = runners()
  for _, runner in ipairs(there) do many = many + redis.call('HLEN', key('held', runner)) end
  if many > ENTRIES_AT_MOST then return { 1, out } end
  for _, runner in ipairs(there) do
    local held = redis.call('HGETALL', key('held', runner))
    for at = 1, #held, 2 do
      local lease, plan = string.match(held[at + 1], '^(%S+) ?(%S*)$')
      if plan ~= '' then take(plan, string.match(held[at], ' (.*)$')) end
      if is_stale(runner, held[at], lease) then
        out[#out + 1] = { 'leases', runner .. ' holds ' .. held[at] .. ', which is not leased to it' }
      end
    end
  end
  for _, pool in ipairs(a) do
    for _, entry in ipairs(redis.call('LRANGE', key('ready', pool), 0, -1)) do
      local _, set, plan = parts(entry)
      if set and plan ~= '' then take(plan, set) end
    end
  end
  local running = redis.call('HGETALL', K.running)
  for at = 1, #running, 2 do
    local found = taken[running[at]] or 0
    if tonumber(running[at + 1]) ~= found then
      out[#out + 1] = { 'places', running[at + 1] .. ' of ' .. running[at] .. ' are counted, and ' .. found .. ' found' }
    end
  end
  return { 0, out }
end

redis.register_function({ function_name = 'tidemill_1_places', callback = step(places), flags = { 'no-writes' } })

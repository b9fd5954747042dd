-- state: the contexts of one call, read once and written back once.
--
-- Guarantees: whatever a function does to a context in one call is written in one HSET at its end, so nothing is
-- ever half written; a context that has ended is deleted with everything that belongs to it.
-- Needs: `K`, the keys of the shard, made from KEYS[1] by `begin`.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: begin, key, plan_of, new_context, context, put, get, drop, forget, and the tables of the networks

-- one table for each network and verb, so that they may call each other whatever their order in the library
local I, O, M, R, L, P, S, C, W, G, X, J = {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}

local K = {}        -- keys of this call's shard
local loaded = {}   -- context id -> context, for the length of one call
local plans = {}    -- digest -> plan; a cache of what the plan keys hold, good for as long as this server lives
local kept = {}     -- key -> context as it was last written here: good while the store has just what was written then
local many_kept = 0

local function begin(keys)
  if not next then learn() end
  local tag = keys[1]
  loaded, K.epoch, K.pushed = {}, nil, nil
  if K.tag == tag then return end
  K = { tag = tag, context = tag .. ':c:' }
  for _, name in ipairs({ 'serial', 'names', 'delayed', 'beats', 'running' }) do K[name] = tag .. ':' .. name end
end

local function key(kind, a, b, c)
  local first = K.tag .. ':' .. kind .. ':' .. (a or '')
  if not b then return first end
  return first .. ':' .. b .. (c and ':' .. c or '')
end

local function plan_of(digest)
  local plan = plans[digest]
  if not plan then
    local raw = redis.call('GET', key('plan', digest))
    if not raw then return nil end
    plan = cmsgpack.unpack(raw)
    plan.digest = digest
    plans[digest] = plan
  end
  return plan
end

local function new_context(id, fields)
  local c = { id = id, stage = 'processing', failed_stage = '', held = false, closed = false, open = 0, leased = 0, backlog = 0,
    taken = 0, promised = 0, inputs = 0, given = 0, numbers = 0, visible = -1, holding = {}, depth = 0, parent = '', place = 0,
    owner = '', failure = '', lineage = false, box_first = 0, box_next = 0, results = 0, failures = 0, notes = {},
    satisfied = {}, opened = {}, sealed = {}, forgiven = { 0, 0 }, aux = {}, kids = {}, turns = 0, group = '', feeding = {},
    had = 0, set = {}, read = {}, gone = {}, heads = {}, dirty = true }
  for name, value in pairs(fields) do c[name] = value end
  c.hash, c.p = K.context .. id, plan_of(c.plan)
  loaded[id] = c
  return c
end

-- `field` is read along with the context, as whoever asks for the context will want it next
local function context(id, field)
  local c = loaded[id]
  if c ~= nil then return c end
  local hash = K.context .. id
  local raw = redis.pcall('HMGET', hash, 's', field or 's')
  if not raw[1] then
    loaded[id] = false
    if raw.err or redis.call('EXISTS', hash) == 1 or redis.call('HEXISTS', key('parents'), id) == 1 then
      S.quarantine(id, nil, raw.err or 'its state is missing')
    end
    return false
  end
  c = kept[hash]
  if c then kept[hash], many_kept = nil, many_kept - 1 end  -- should this call break off, it is not what is stored
  if not c or c.raw ~= raw[1] then
    local ok, found = pcall(unpacked, raw[1])
    local whole, why = false, found
    if ok then whole, why = S.whole(found, id) end
    if not whole then
      S.quarantine(id, nil, why)
      return false
    end
    c = found
    c.hash, c.raw, c.p, c.records = hash, raw[1], plan_of(c.plan), {}
  end
  if field then
    local record = c.records[field]
    c.read[field] = record and record.raw == raw[2] and record or raw[2]
  end
  loaded[id], c.had = c, c.numbers
  return c
end

-- a value that is a table is the record of a parameter set, which is packed once, when all is written
local function put(c, field, value) c.set[field] = value; c.dirty = true end

local function get(c, field)
  local value = c.set[field]
  if value == nil then value = c.read[field] end
  if value ~= nil then return value end
  value = c.stored and redis.call('HGET', c.hash, field)  -- of one that has just been opened there is nothing yet
  c.read[field] = value
  return value
end

local function drop(c, field)
  local was = c.set[field]
  c.set[field], c.read[field], c.dirty = nil, false, true
  if type(was) ~= 'table' or not was.new then c.gone[#c.gone + 1] = field end  -- what is made in this call is not stored yet
end

local function forget(c)
  redis.call('UNLINK', c.hash, unpack(c.aux))
  redis.call('HDEL', K.names, c.name)
  loaded[c.id] = false
end

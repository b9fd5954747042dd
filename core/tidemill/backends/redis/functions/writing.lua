-- writing: contexts are written back once, when everything that a call does has been done.
--
-- Guarantees: whatever a function does to a context in one call is written in one step at its end, so nothing is ever half
-- written. What was written is remembered, so that the next call need not read it anew.
--
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: write_back, forget_all

local function write(c)
  if c.log then J.write(c) end
  for at = 1, #c.gone, 4000 do redis.call('HDEL', c.hash, unpack(c.gone, at, math.min(at + 3999, #c.gone))) end
  c.raw, c.records, c.stored = packed(c), {}, true
  local arguments, n = { 's', c.raw }, 2
  for field, value in pairs(c.set) do
    if type(value) == 'table' then
      value.raw, value.new = R.packed(value), nil
      c.records[field] = value
      value = value.raw
    end
    arguments[n + 1], arguments[n + 2] = field, value
    n = n + 2
    if n >= 4000 then
      redis.call('HSET', c.hash, unpack(arguments, 1, n))
      arguments, n = {}, 0
    end
  end
  if n > 0 then redis.call('HSET', c.hash, unpack(arguments, 1, n)) end
end

local function write_back()
  for _, c in pairs(loaded) do
    if c then
      if c.dirty then write(c) end
      if many_kept >= 2048 then kept, many_kept = {}, 0 end
      if c.dirty then c.set, c.gone, c.dirty = {}, {}, false end
      c.read, c.heads = {}, {}
      kept[c.hash], many_kept = c, many_kept + 1
    end
  end
  loaded = {}
end

-- the store may have gone back to what it was before: what is remembered of contexts and plans is of no use then
local function forget_all() kept, many_kept, plans = {}, 0, {} end

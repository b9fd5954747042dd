-- inputs: the input network. Every input of a context has a number; its field holds what it is and its value.
--
-- Guarantees: a number is given once; the locks of an input are those of its parents and itself. Where the definition wants equal
-- values once, the first one stays, without parents and their locks: who gave it is a matter of timing.
-- A value is bytes that nobody here looks into; what has to be known of it (its truth, and its canonical spelling where equal
-- values may be one) comes beside it.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: I.channel, I.header, I.store, I.store_default, I.fits, I.locks_of

-- what is known of a channel by what an input says of it: its number in the plan (0: a default that was taken, which has none),
-- {origin, definition, channel of its validator, lock, dedupe} for one that the plan does not know, or {number, origin that it
-- stands for, lock, dedupe} for one of which the plan does not know that
function I.channel(c, said)
  if type(said) == 'number' then return c.p.channels[said] end
  local of = type(said[1]) == 'number' and c.p.channels[said[1]]
  if not of then
    return { origin = said[1], stands_for = '', definition = said[2], validator = said[3], lock = said[4], dedupe = said[5],
      op = -1, index = 0, awaited = {}, targets = {}, doors = {} }
  end
  local made = {}
  for name, value in pairs(of) do made[name] = value end
  made.stands_for, made.lock, made.dedupe = said[2], said[3], said[4]
  return made
end

-- {channel, parents, emission, element, locks, canonical, truth}, value
function I.header(c, number)
  local raw = get(c, 'i' .. number)
  local long = struct.unpack('>I4', raw)
  return cmsgpack.unpack(string.sub(raw, 5, 4 + long)), string.sub(raw, 5 + long)
end

local function keep(c, head, value)
  local number = c.numbers
  c.numbers, c.dirty = number + 1, true
  local packed = cmsgpack.pack(head)
  put(c, 'i' .. number, struct.pack('>I4', #packed) .. packed .. value)
  return number
end

-- the new input; or nil, and the number of the one that stands for all equal values
function I.store(c, channel, value, parents, emission, element, canonical, truth)
  local known = I.channel(c, channel)
  if known.dedupe then
    local field = 'd' .. redis.sha1hex(cmsgpack.pack({ known.origin, known.stands_for, known.definition, canonical }))
    local there = get(c, field)
    if there then return nil, there end
    put(c, field, tostring(c.numbers))
    parents = {}
  end
  local locks = I.locks_of(c, parents)
  if known.lock then locks[#locks + 1] = c.numbers end
  c.inputs = c.inputs + 1
  return { number = keep(c, { channel, parents, emission, element, locks, canonical, truth }, value), known = known }
end

-- a default that a parameter takes is numbered like an input and belongs to no channel
function I.store_default(c, value) return keep(c, { 0, {}, 0, 0, {}, '', 'T' }, value) end

-- an input together with the one that a validator made it of, which it stands for
local function both(c, number)
  local found = { (I.header(c, number)) }
  local parents = found[1][2]
  if #parents == 1 then
    local before = I.header(c, parents[1])
    local known = I.channel(c, before[1])
    if known and known.validator > 0 then found[2] = before end
  end
  return found
end

-- whether some ancestor line of an input has the origins of `path`, the parent's first
local function has_path(c, number, path)
  local generation = both(c, number)
  for _, origin in ipairs(path) do
    local following, seen = {}, {}
    for _, child in ipairs(generation) do
      for _, above in ipairs(child[2]) do
        for _, head in ipairs(seen[above] and {} or both(c, above)) do
          local known = I.channel(c, head[1])
          if known and known.origin == origin then following[#following + 1] = head end
        end
        seen[above] = true
      end
    end
    if #following == 0 then return false end
    generation = following
  end
  return true
end

function I.fits(c, number, paths)
  if #paths == 0 then return true end
  for _, path in ipairs(paths) do
    if has_path(c, number, path) then return true end
  end
  return false
end

function I.locks_of(c, numbers)
  local found, seen = {}, {}
  if not c.p.has_locks then return found end
  for _, number in ipairs(numbers) do
    for _, lock in ipairs(I.header(c, number)[5]) do
      if not seen[lock] then
        seen[lock] = true
        found[#found + 1] = lock
      end
    end
  end
  return found
end

-- inputs: the input network. Every input of a context has a number; its field holds what it is and its value.
--
-- Guarantees: a number is given once; the locks of an input are those of its parents and itself; where the definition
-- wants equal values once, the first one stays.
-- A value is bytes that nobody here looks into; what has to be known of it (its truth, and its canonical spelling where equal
-- values are one) comes beside it.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: I.header, I.store, I.store_default, I.fits, I.locks_of

function I.header(c, number)
  local raw = get(c, 'i' .. number)
  local long = struct.unpack('>I4', raw)
  return cmsgpack.unpack(string.sub(raw, 5, 4 + long)), string.sub(raw, 5 + long)
end

-- channel: its number in the plan, or {origin, definition} for one that the plan does not know
function I.store(c, channel, value, parents, emission, element, locks, canonical)
  local known = type(channel) == 'number' and c.p.channels[channel] or nil
  if canonical ~= '' and known then
    local field = 'd' .. known.twin .. ':' .. redis.sha1hex(canonical)
    if get(c, field) then return nil end
    put(c, field, '1')
  end
  local number = c.numbers
  c.numbers, c.inputs, c.dirty = number + 1, c.inputs + 1, true
  if known and known.lock then
    local own = {}
    for at, lock in ipairs(locks) do own[at] = lock end
    own[#own + 1] = number
    locks = own
  end
  local head = cmsgpack.pack({ channel, parents, emission, element, locks, canonical })
  put(c, 'i' .. number, struct.pack('>I4', #head) .. head .. value)
  return { number = number, channel = channel, known = known, parents = parents, locks = locks }
end

-- a default that a parameter takes is numbered like an input and belongs to no channel
function I.store_default(c, value)
  local number = c.numbers
  c.numbers, c.dirty = number + 1, true
  local head = cmsgpack.pack({ 0, {}, 0, 0, {}, '' })
  put(c, 'i' .. number, struct.pack('>I4', #head) .. head .. value)
  return { number = number, channel = 0, parents = {}, locks = {} }
end

-- whether some ancestor line of an input has the origins of `path`, the parent's first
local function has_path(c, parents, path)
  local generation = parents
  for _, origin in ipairs(path) do
    local following, seen, found = {}, {}, false
    for _, number in ipairs(generation) do
      if not seen[number] then
        seen[number] = true
        local head = I.header(c, number)
        local known = type(head[1]) == 'number' and c.p.channels[head[1]]
        if known and known.origin == origin then
          found = true
          for _, above in ipairs(head[2]) do following[#following + 1] = above end
        end
      end
    end
    if not found then return false end
    generation = following
  end
  return true
end

function I.fits(c, item, paths)
  if #paths == 0 then return true end
  for _, path in ipairs(paths) do
    if has_path(c, item.parents, path) then return true end
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

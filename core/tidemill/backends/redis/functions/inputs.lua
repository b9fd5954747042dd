-- inputs: the input network. Every input of a context has a number; its field holds what it is and its value.
--
-- Guarantees: a number is given once; the locks of an input are those of its parents and itself. Where the definition wants equal
-- values once, the first one stays, without parents and their locks: who gave it is a matter of timing.
-- A value is bytes that nobody here looks into; what has to be known of it (its truth, and its canonical spelling where equal
-- values may be one) comes beside it.
-- KEYS: none, it is called by other files
-- ARGV: none
-- Returns: I.channel, I.header, I.value, I.store, I.store_default, I.locks_of

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
  local known = c.heads[number]
  if type(known) ~= 'table' then
    local raw = get(c, 'i' .. word(number))
    local long = struct.unpack('>I4', raw)
    known = { cmsgpack.unpack(string.sub(raw, 5, 4 + long)), string.sub(raw, 5 + long) }
    if type(known[1]) ~= 'table' then error('what is said of the input ' .. number .. ' is no list') end
    c.heads[number] = known
  end
  return known[1], known[2]
end

-- the value alone; of an input that has just been stored it is at hand
function I.value(c, number)
  local known = c.heads[number]
  if type(known) == 'string' then return known end
  local _, value = I.header(c, number)
  return value
end

local function keep(c, value, channel, parents, emission, element, locks, canonical, truth)
  local number = c.numbers
  c.numbers, c.dirty = number + 1, true
  local head = '\151' .. (type(channel) == 'number' and (spelt[channel] or spell(channel)) or cmsgpack.pack(channel))
    .. listed(parents) .. (spelt[emission] or spell(emission)) .. (spelt[element] or spell(element)) .. listed(locks)
    .. (canonical == '' and '\160' or cmsgpack.pack(canonical)) .. (truth == 'T' and '\161T' or cmsgpack.pack(truth))
  c.heads[number] = value
  put(c, 'i' .. word(number), struct.pack('>I4', #head) .. head .. value)
  B.hold(c.id, value)
  return number
end

-- the new input; or nil, and the number of the one that stands for all equal values
function I.store(c, channel, value, parents, emission, element, canonical, truth)
  local known, made_of = I.channel(c, channel), parents
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
  if c.journal then J.input(c, c.numbers, channel, value, made_of, emission, element, known.dedupe and canonical) end
  return { number = keep(c, value, channel, parents, emission, element, locks, canonical, truth), known = known }
end

-- a default that a parameter takes is numbered like an input and belongs to no channel
function I.store_default(c, value) return keep(c, value, 0, {}, 0, 0, {}, '', 'T') end

function I.locks_of(c, numbers)
  if not c.p.has_locks then return {} end
  local found, seen = {}, {}
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
